//! The dedup cache: where earlier backups keep each chunk, in one file (spec/chunking.md, "The cache").
//!
//! The file, little-endian; it is not part of the format:
//!
//! | bytes | what |
//! |---|---|
//! | 4096 | header: magic, version, counts, digest of the tables, the caller's binding; ends in its checksum |
//! | 4096 each | chunk pages: 127 records, 16 bytes of zeros, the page's checksum; all full but the last |
//! | the rest | the tables: of every backup, ascending by id, its id, the caller's record, its blocks |
//!
//! A record is id (16), backup, block, offset, length (4 each); records ascend by (id, length) over all pages, and no pair is there
//! twice. Checksums are BLAKE3 under keys made of the caller's. Those of pages are under a key that depends on the tables too,
//! for a record names its backup and block by ordinal: the page of another generation of the cache says nothing here.
//!
//! Ids are spread evenly, so a lookup computes where one should be and corrects itself by what it meets.
//!
//! Guaranteed: a wrong bit anywhere in the file is a [`CacheError`] or is never looked at; it is no panic and no wrong answer.
//! Header, tables and every length are checked by `open`, before anything is allocated by them, and a page when
//! it is first touched. A file appears under its name whole and durable or not at all; of two writers the last one wins.
//! Not guaranteed: that the places still exist. Nor does it notice what changes in a page after it was verified ([`super::mapped`]).
//!
//! Cost of 1 TiB of stored data at 16 KiB a chunk (2^26 chunks), measured by the ignored test of `tests/index_cache.rs` on one core
//! of a shared virtual machine: a file of 2.03 GiB, 32.5 bytes per chunk, which the system holds in memory while it has some to
//! spare; on the heap 70 KiB for the pages and 16 bytes a block. Per chunk 1.8 µs to find, 2.2 µs not to find, 0.4 µs to enter from a new
//! catalogue (which takes 28 bytes of memory a chunk while it does), 0.5 µs to copy from an old cache.

mod error;
mod layout;
mod merge;
mod rebuild;
mod temporary;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::id::{BackupId, ChunkId};
use crate::index::mapped::{self, Bytes};
use error::damaged;
use layout::{CHECK, Header, PAGE, PER_PAGE, Raw, Record};

pub use error::{CacheError, Region};
pub use rebuild::{NewBackup, NewChunk, Target, rebuild};

/// Lookups that are steered by the spread of the ids; after as many the rest is halved, so that no spread can make it slow.
const STEERED: u32 = 6;

/// A block that a backup stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownBlock {
    /// Index of the part within the backup.
    pub part: u32,
    /// Offset in the part's plaintext.
    pub offset: u32,
    /// Stored bytes.
    pub stored: u32,
    /// Plain bytes.
    pub plain: u32,
}

/// A backup whose chunks are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownBackup {
    /// Its id. The later, the higher.
    pub id: BackupId,
    /// What the caller wants to know of it again. This room does not look inside.
    pub record: Vec<u8>,
    /// Its own blocks.
    pub blocks: Vec<KnownBlock>,
}

/// Where a known chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Ordinal in [`Cache::backups`].
    pub backup: u32,
    /// Ordinal among the backup's blocks.
    pub block: u32,
    /// Offset in the block's plain bytes.
    pub offset: u32,
}

/// An open cache. Lookups may come from several threads.
pub struct Cache {
    bytes: Bytes,
    page_key: [u8; 32],
    chunks: u64,
    pages: usize,
    backups: Vec<KnownBackup>,
    /// A bit for every page that agreed with its checksum.
    verified: Vec<AtomicU64>,
}

impl Cache {
    /// Opens the cache at `path`; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, is damaged or written under another key, of another version, or bound to something else.
    pub fn open(path: &Path, key: &[u8; 32], binding: &[u8; 32]) -> Result<Option<Cache>, CacheError> {
        // Opening a pipe would wait for its writer.
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(CacheError::io("open", path)(reason)),
        };
        let metadata = file.metadata().map_err(CacheError::io("read", path))?;
        if !metadata.is_file() || metadata.len() < PAGE as u64 {
            return Err(CacheError::NotACache);
        }
        let bytes = mapped::map(&file).map_err(CacheError::io("map", path))?;
        Cache::read(bytes, key, binding).map(Some)
    }

    /// A cache that is in memory already.
    ///
    /// # Errors
    /// As for [`Cache::open`].
    #[doc(hidden)]
    pub fn from_bytes(bytes: Vec<u8>, key: &[u8; 32], binding: &[u8; 32]) -> Result<Cache, CacheError> {
        Cache::read(Bytes::Heap(bytes), key, binding)
    }

    /// The bytes of the file.
    #[doc(hidden)]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives changed bytes the checksums that they should have, so that fuzzing reaches what is behind them.
    #[doc(hidden)]
    pub fn reseal(bytes: &mut [u8], key: &[u8; 32]) {
        layout::reseal(bytes, key);
    }

    /// The backups whose chunks are known, ascending by id.
    pub fn backups(&self) -> &[KnownBackup] {
        &self.backups
    }

    /// How many chunks are known.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Where the chunk of that id and that length lies, if an earlier backup stores it.
    ///
    /// # Errors
    /// A page that the search came by is damaged. The cache is of no more use then.
    pub fn find(&self, id: &ChunkId, length: u32) -> Result<Option<Found>, CacheError> {
        let wanted = (*id, length);
        // The page, if there is one, is in lows..highs.
        let (mut low, mut high) = (0, self.pages);
        let mut guess = self.pages_in(head(id));
        let mut steps = 0;
        while low < high {
            let number = guess.clamp(low, high - 1);
            let page = self.page(number)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else {
                return Err(damaged(Region::Page(number)));
            };
            let (first, last) = (Record::key_of(first), Record::key_of(last));
            if wanted < first {
                high = number;
                guess = number.saturating_sub(1 + self.pages_in(head(&first.0).saturating_sub(head(id))));
            } else if wanted > last {
                low = number + 1;
                guess = low.saturating_add(self.pages_in(head(id).saturating_sub(head(&last.0))));
            } else {
                return self.find_in(page, number, wanted);
            }
            steps += 1;
            if steps >= STEERED {
                guess = low.midpoint(high);
            }
        }
        Ok(None)
    }

    /// Finds a chunk in the one page that can have it.
    fn find_in(&self, page: &[Raw], number: usize, wanted: (ChunkId, u32)) -> Result<Option<Found>, CacheError> {
        let Ok(at) = page.binary_search_by(|raw| Record::key_of(raw).cmp(&wanted)) else {
            return Ok(None);
        };
        let record = page.get(at).map(Record::parse).filter(|record| self.is_sound(record));
        let record = record.ok_or(damaged(Region::Page(number)))?;
        Ok(Some(Found { backup: record.backup, block: record.block, offset: record.offset }))
    }

    /// Whether the place that a record names is in the tables.
    fn is_sound(&self, record: &Record) -> bool {
        let backup = self.backups.get(record.backup as usize);
        let block = backup.and_then(|backup| backup.blocks.get(record.block as usize));
        block.is_some_and(|block| rebuild::fits(block, record.offset, record.length))
    }

    /// The records of a page, which agrees with its checksum.
    fn page(&self, number: usize) -> Result<&[Raw], CacheError> {
        let wrong = || damaged(Region::Page(number));
        let start = (number + 1) * PAGE;
        let bytes = self.bytes.get(start..start + PAGE).ok_or_else(wrong)?;
        let (content, checksum) = bytes.split_last_chunk::<CHECK>().ok_or_else(wrong)?;
        let bit = 1 << (number % 64);
        let word = self.verified.get(number / 64).ok_or_else(wrong)?;
        if word.load(Ordering::Relaxed) & bit == 0 {
            if layout::page_check(&self.page_key, number, content) != *checksum {
                return Err(wrong());
            }
            // Two threads may both verify a page; neither needs to see anything else that the other did.
            word.fetch_or(bit, Ordering::Relaxed);
        }
        let left = self.chunks - (number * PER_PAGE) as u64;
        let (records, _) = content.as_chunks().0.as_chunks();
        records.get(..left.min(PER_PAGE as u64) as usize).ok_or_else(wrong)
    }

    /// How many pages ids spread over, the heads of which are `distance` apart.
    fn pages_in(&self, distance: u64) -> usize {
        ((u128::from(distance) * self.pages as u128) >> 64) as usize
    }

    /// Checks the header and the tables, and every length in them against what there is.
    fn read(bytes: Bytes, key: &[u8; 32], binding: &[u8; 32]) -> Result<Cache, CacheError> {
        let (first, rest) = bytes.split_first_chunk().ok_or(CacheError::NotACache)?;
        let header = Header::parse(first, key, binding)?;
        let pages = usize::try_from(header.chunks.div_ceil(PER_PAGE as u64)).ok();
        let tables = pages.and_then(|pages| rest.get(pages.checked_mul(PAGE)?..));
        let (Some(pages), Some(tables)) = (pages, tables) else {
            return Err(damaged(Region::Header));
        };
        let backups = layout::parse_tables(tables, &header, key)?;
        Ok(Cache {
            page_key: layout::page_key(key, &header.tables),
            chunks: header.chunks,
            pages,
            backups,
            verified: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            bytes,
        })
    }
}

/// The first bits of an id, by which they are sorted and spread.
fn head(id: &ChunkId) -> u64 {
    id.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}
