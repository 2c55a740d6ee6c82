//! The bytes of a cache file, both ways: header, tables, records, checksums. No I/O.
//!
//! The picture is in the head of [`super`]. The digest of the tables is in the header, and the checksum of the header is under
//! the caller's key, so that the header vouches for the tables and, by the key of the pages, for every page.

use crate::base::bytes::Cursor;
use crate::base::id::{BackupId, ChunkId, Guid};
use crate::index::cache::error::{CacheError, Region, damaged};
use crate::index::cache::{KnownBackup, KnownBlock};

/// Of the header and of every chunk page: what memory is mapped by.
pub(super) const PAGE: usize = 4096;
/// A record of a chunk page.
pub(super) const RECORD: usize = 32;
/// A checksum.
pub(super) const CHECK: usize = 16;
/// Records of a full page.
pub(super) const PER_PAGE: usize = (PAGE - CHECK) / RECORD;
/// The layout that this code reads and writes.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 16] = *b"vault dedupcache";
/// A backup in the tables, before its record and its blocks.
const ENTRY: usize = 32;
/// A block in the tables.
const BLOCK: usize = 16;

/// The first page.
pub(super) struct Header {
    pub(super) backups: u32,
    pub(super) chunks: u64,
    /// Digest of the tables.
    pub(super) tables: [u8; 32],
    pub(super) binding: [u8; 32],
}

impl Header {
    /// The page, sealed.
    pub(super) fn encode(&self, key: &[u8; 32]) -> [u8; PAGE] {
        let fields: [&[u8]; 6] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.backups.to_le_bytes(),
            &self.chunks.to_le_bytes(),
            &self.tables,
            &self.binding,
        ];
        let mut page = [0; PAGE];
        for (to, from) in page.iter_mut().zip(fields.concat()) {
            *to = from;
        }
        if let Some((content, checksum)) = page.split_last_chunk_mut::<CHECK>() {
            *checksum = short(keyed(key, b"header", content));
        }
        page
    }

    /// Reads the page. Its version is looked at before its checksum, which another version may keep elsewhere.
    pub(super) fn parse(page: &[u8; PAGE], key: &[u8; 32], binding: &[u8; 32]) -> Result<Header, CacheError> {
        let wrong = |_| damaged(Region::Header);
        let mut cursor = Cursor::new(page);
        if cursor.array("magic").map_err(wrong)? != MAGIC {
            return Err(CacheError::NotACache);
        }
        let version = cursor.u32("version").map_err(wrong)?;
        if version != VERSION {
            return Err(CacheError::Version { found: version });
        }
        let sealed = page.split_last_chunk::<CHECK>();
        if sealed.is_none_or(|(content, checksum)| short(keyed(key, b"header", content)) != *checksum) {
            return Err(damaged(Region::Header));
        }
        let header = Header {
            backups: cursor.u32("backups").map_err(wrong)?,
            chunks: cursor.u64("chunks").map_err(wrong)?,
            tables: cursor.array("tables").map_err(wrong)?,
            binding: cursor.array("binding").map_err(wrong)?,
        };
        if header.binding != *binding {
            return Err(CacheError::Binding);
        }
        Ok(header)
    }
}

/// The tables, and their digest.
pub(super) fn encode_tables(backups: &[&KnownBackup], key: &[u8; 32]) -> Result<(Vec<u8>, [u8; 32]), CacheError> {
    let mut bytes = Vec::new();
    for backup in backups {
        bytes.extend_from_slice(&backup.id.guid.0);
        bytes.extend_from_slice(&backup.id.timestamp.to_le_bytes());
        bytes.extend_from_slice(&count(backup.record.len(), "bytes in a backup's record")?.to_le_bytes());
        bytes.extend_from_slice(&count(backup.blocks.len(), "blocks in a backup")?.to_le_bytes());
        bytes.extend_from_slice(&backup.record);
        for block in &backup.blocks {
            for field in [block.part, block.offset, block.stored, block.plain] {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
        }
    }
    let digest = keyed(key, b"tables", &bytes);
    Ok((bytes, digest))
}

/// Reads the tables, which end where `bytes` does.
pub(super) fn parse_tables(bytes: &[u8], header: &Header, key: &[u8; 32]) -> Result<Vec<KnownBackup>, CacheError> {
    if keyed(key, b"tables", bytes) != header.tables {
        return Err(damaged(Region::Tables));
    }
    let mut rest = bytes;
    let backups: Option<Vec<_>> = (0..header.backups).map(|_| parse_backup(&mut rest)).collect();
    match backups {
        Some(backups) if rest.is_empty() && backups.is_sorted_by(|one, next| one.id < next.id) => Ok(backups),
        _ => Err(damaged(Region::Tables)),
    }
}

/// Takes a backup off the front of `rest`; `None` where it is no backup.
fn parse_backup(rest: &mut &[u8]) -> Option<KnownBackup> {
    let (entry, behind) = rest.split_first_chunk::<ENTRY>()?;
    let mut cursor = Cursor::new(entry);
    let guid = Guid(cursor.array("guid").ok()?);
    let id = BackupId::new(guid, cursor.u64("timestamp").ok()?).ok()?;
    let record = usize::try_from(cursor.u32("record bytes").ok()?).ok()?;
    let blocks = usize::try_from(cursor.u32("blocks").ok()?).ok()?;
    let (record, behind) = behind.split_at_checked(record)?;
    let (blocks, behind) = behind.split_at_checked(blocks.checked_mul(BLOCK)?)?;
    *rest = behind;
    Some(KnownBackup { id, record: record.to_vec(), blocks: blocks.as_chunks().0.iter().map(parse_block).collect() })
}

/// Reads a block.
fn parse_block(bytes: &[u8; BLOCK]) -> KnownBlock {
    let [part, offset, stored, plain] = words(bytes);
    KnownBlock { part, offset, stored, plain }
}

/// A record as it stands in a chunk page: the id, and four numbers.
pub(super) type Raw = [[u8; 16]; 2];

/// A record of a chunk page.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) id: ChunkId,
    pub(super) backup: u32,
    pub(super) block: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
}

impl Record {
    /// Its bytes.
    pub(super) fn encode(&self) -> Raw {
        let words = [self.backup, self.block, self.offset, self.length];
        let numbers = words.into_iter().rev().fold(0, |all, word| all << 32 | u128::from(word));
        [self.id.0, numbers.to_le_bytes()]
    }

    /// Reads one; any bytes are one, and whether they make sense is known to the tables.
    pub(super) fn parse([id, numbers]: &Raw) -> Record {
        let [backup, block, offset, length] = words(numbers);
        Record { id: ChunkId(*id), backup, block, offset, length }
    }

    /// What records are sorted by, read alone.
    pub(super) fn key_of([id, numbers]: &Raw) -> (ChunkId, u32) {
        let [.., length] = words(numbers);
        (ChunkId(*id), length)
    }
}

/// Four numbers.
fn words(bytes: &[u8; 16]) -> [u32; 4] {
    let all = u128::from_le_bytes(*bytes);
    [all as u32, (all >> 32) as u32, (all >> 64) as u32, (all >> 96) as u32]
}

/// A count that has 32 bits in the file.
pub(super) fn count(number: usize, what: &'static str) -> Result<u32, CacheError> {
    u32::try_from(number).map_err(|_| CacheError::Limit { what })
}

/// The key of the pages. It depends on the tables, because what pages say does.
pub(super) fn page_key(key: &[u8; 32], tables: &[u8; 32]) -> [u8; 32] {
    keyed(key, b"pages", tables)
}

/// The checksum of the page of that number.
pub(super) fn page_check(page_key: &[u8; 32], number: usize, content: &[u8]) -> [u8; CHECK] {
    short(keyed(page_key, &(number as u64).to_le_bytes(), content))
}

/// Computes every checksum anew, of as many pages as the header tells of and of the tables behind them.
pub(super) fn reseal(bytes: &mut [u8], key: &[u8; 32]) {
    let Some((first, rest)) = bytes.split_first_chunk_mut::<PAGE>() else {
        return;
    };
    let mut cursor = Cursor::new(first.get(MAGIC.len() + 4..).unwrap_or(&[]));
    let (Ok(backups), Ok(chunks)) = (cursor.u32("backups"), cursor.u64("chunks")) else {
        return;
    };
    let (_, Ok(binding)) = (cursor.take(32, "tables"), cursor.array("binding")) else {
        return;
    };
    let pages = usize::try_from(chunks.div_ceil(PER_PAGE as u64)).unwrap_or(usize::MAX);
    let (pages, tables) = rest.split_at_mut(pages.saturating_mul(PAGE).min(rest.len()));
    let tables = keyed(key, b"tables", tables);
    for (number, page) in pages.as_chunks_mut::<PAGE>().0.iter_mut().enumerate() {
        if let Some((content, checksum)) = page.split_last_chunk_mut::<CHECK>() {
            *checksum = page_check(&page_key(key, &tables), number, content);
        }
    }
    let header = Header { backups, chunks, tables, binding };
    *first = header.encode(key);
}

/// Keyed BLAKE3 over a label and bytes. No label is the beginning of another under the same key.
fn keyed(key: &[u8; 32], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    *hasher.update(label).update(bytes).finalize().as_bytes()
}

/// A digest cut to a checksum.
fn short(digest: [u8; 32]) -> [u8; CHECK] {
    digest.first_chunk().copied().unwrap_or_default()
}
