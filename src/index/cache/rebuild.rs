//! Makes a cache of what one knew and of what new catalogues say.
//!
//! Old records are in order already and are read page by page, each checked; the new ones are sorted where they lie. All are
//! merged in one pass and written as they come, so that memory is what the new chunks take (28 bytes each) and the tables. Of
//! records with one id and one length that of the newest backup stays: its part will be kept longest.
//!
//! A damaged old page ends it. To go on without it would forget chunks silently; the caller begins again from the catalogues.

use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;

use crate::base::id::{BackupId, ChunkId};
use crate::index::cache::layout::{self, Header, PAGE, PER_PAGE, Record};
use crate::index::cache::merge::{Merged, Pages, Source};
use crate::index::cache::temporary::Temporary;
use crate::index::cache::{Cache, CacheError, KnownBackup, KnownBlock};
use crate::index::mapped::{self, Bytes};

/// A chunk of a backup that enters the cache. Ordered by id and length, then place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewChunk {
    /// Its id.
    pub id: ChunkId,
    /// Its length.
    pub length: u32,
    /// Ordinal among the backup's blocks.
    pub block: u32,
    /// Offset in the block's plain bytes.
    pub offset: u32,
}

/// A backup that enters the cache.
pub struct NewBackup {
    /// What the cache will know of it.
    pub known: KnownBackup,
    /// The chunks of its blocks, in any order.
    pub chunks: Vec<NewChunk>,
}

/// Where the cache goes.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// To this file. Directories above it that do not exist are made.
    File(&'a Path),
    /// Nowhere: it lasts as long as the process.
    Heap,
}

/// Makes a cache of the backups of `old` that `keep` wants and of `new`, which comes instead of an old backup of the same id.
///
/// The chunks of `new` are left sorted, so that a caller whose disk is full can come again with [`Target::Heap`].
///
/// # Errors
/// A page of `old` is damaged, `new` is not what catalogues say, or the file cannot be written. It is then what it was; only when its directory
/// cannot be flushed or the new file not be mapped it is the new one, whole.
pub fn rebuild(
    old: Option<&Cache>,
    keep: &dyn Fn(&KnownBackup) -> bool,
    new: &mut [NewBackup],
    key: &[u8; 32],
    binding: &[u8; 32],
    target: Target<'_>,
) -> Result<Cache, CacheError> {
    for backup in &mut *new {
        backup.chunks.sort_unstable();
    }
    let plan = Plan::new(old, keep, new)?;
    let bytes = match target {
        Target::File(path) => {
            let mut file = Temporary::beside(path)?;
            plan.write(key, binding, file.writer(), path)?;
            mapped::map(&file.commit()?).map_err(CacheError::io("map", path))?
        }
        Target::Heap => {
            let mut heap = Cursor::new(Vec::with_capacity(plan.bytes_max()));
            plan.write(key, binding, &mut heap, Path::new("memory"))?;
            Bytes::Heap(heap.into_inner())
        }
    };
    Cache::read(bytes, key, binding)
}

/// Whether a chunk lies within a block.
pub(super) fn fits(block: &KnownBlock, offset: u32, length: u32) -> bool {
    offset.checked_add(length).is_some_and(|end| end <= block.plain)
}

/// What the new cache will consist of.
struct Plan<'a> {
    old: Option<&'a Cache>,
    new: &'a [NewBackup],
    /// The backups, ascending by id.
    backups: Vec<&'a KnownBackup>,
    /// For each old backup, its ordinal among them, if it stays.
    old_ordinals: Vec<Option<u32>>,
    /// For each new backup, its ordinal among them.
    new_ordinals: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// Decides which backups there will be.
    fn new(
        old: Option<&'a Cache>,
        keep: &dyn Fn(&KnownBackup) -> bool,
        new: &'a [NewBackup],
    ) -> Result<Plan<'a>, CacheError> {
        let mut backups: Vec<&KnownBackup> = new.iter().map(|backup| &backup.known).collect();
        backups.sort_unstable_by_key(|backup| backup.id);
        if let Some(id) = wrong(new, &backups) {
            return Err(CacheError::Refused { id });
        }
        let known = old.map_or(&[][..], Cache::backups);
        let is_new = |id| backups.binary_search_by_key(&id, |backup| backup.id).is_ok();
        let stays: Vec<bool> = known.iter().map(|backup| !is_new(backup.id) && keep(backup)).collect();
        backups.extend(known.iter().zip(&stays).filter_map(|(backup, stays)| stays.then_some(backup)));
        backups.sort_unstable_by_key(|backup| backup.id);
        layout::count(backups.len(), "backups")?;
        // They were counted: every ordinal has 32 bits.
        let ordinal = |id: BackupId| backups.partition_point(|backup| backup.id < id) as u32;
        let old_ordinals = known.iter().zip(stays).map(|(backup, stays)| stays.then(|| ordinal(backup.id)));
        Ok(Plan {
            old,
            new,
            old_ordinals: old_ordinals.collect(),
            new_ordinals: new.iter().map(|backup| ordinal(backup.known.id)).collect(),
            backups,
        })
    }

    /// What the pages will take at most.
    fn bytes_max(&self) -> usize {
        let old = self.old.map_or(0, |old| old.pages * PER_PAGE);
        let new: usize = self.new.iter().map(|backup| backup.chunks.len()).sum();
        (1 + (old + new).div_ceil(PER_PAGE)) * PAGE
    }

    /// Writes the whole cache. The header comes last, for it counts.
    fn write<W: Write + Seek>(
        &self,
        key: &[u8; 32],
        binding: &[u8; 32],
        out: &mut W,
        path: &Path,
    ) -> Result<(), CacheError> {
        let (tables, digest) = layout::encode_tables(&self.backups, key)?;
        let failed = || CacheError::io("write", path);
        out.write_all(&[0; PAGE]).map_err(failed())?;
        let mut pages = Pages::new(layout::page_key(key, &digest));
        let mut last = None;
        for record in self.merged() {
            let record = record?;
            let this = Some((record.id, record.length));
            if this != last {
                pages.push(&record, out).map_err(failed())?;
                last = this;
            }
        }
        pages.flush(out).map_err(failed())?;
        out.write_all(&tables).map_err(failed())?;
        let header = Header {
            backups: layout::count(self.backups.len(), "backups")?,
            chunks: pages.chunks,
            tables: digest,
            binding: *binding,
        };
        out.seek(SeekFrom::Start(0)).map_err(failed())?;
        out.write_all(&header.encode(key)).map_err(failed())?;
        out.flush().map_err(failed())
    }

    /// All records of all sources, in order, the newest first among equals.
    fn merged(&self) -> Merged<'_> {
        let old = self.old.into_iter().flat_map(|old| self.old_records(old));
        let new = self.new.iter().zip(&self.new_ordinals).map(|(new, &backup)| {
            let record = move |chunk: &NewChunk| Record {
                id: chunk.id,
                backup,
                block: chunk.block,
                offset: chunk.offset,
                length: chunk.length,
            };
            Box::new(new.chunks.iter().map(move |chunk| Ok(record(chunk)))) as Source
        });
        Merged::new(std::iter::once(Box::new(old) as Source).chain(new).collect())
    }

    /// The records of the old cache that stay, under the new ordinals of their backups.
    fn old_records(&self, old: &'a Cache) -> impl Iterator<Item = Result<Record, CacheError>> {
        let page = |number| match old.page(number) {
            Ok(records) => (records, None),
            Err(error) => (&[][..], Some(Err(error))),
        };
        let records = (0..old.pages).map(page).flat_map(|(records, error)| {
            let sound = records.iter().map(Record::parse).map(Ok);
            sound.chain(error)
        });
        records.filter_map(|record| match record {
            Ok(record) => {
                let backup = (*self.old_ordinals.get(record.backup as usize)?)?;
                Some(Ok(Record { backup, ..record }))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// The first backup that is given twice, or has a chunk outside its block; `sorted` are the same backups by id.
fn wrong(new: &[NewBackup], sorted: &[&KnownBackup]) -> Option<BackupId> {
    let twice = sorted.array_windows().find(|[one, next]| one.id == next.id);
    let unsound = || new.iter().find(|backup| !is_sound(backup));
    let twice = twice.map(|[one, _]| one.id);
    twice.or_else(|| unsound().map(|backup| backup.known.id))
}

/// Whether every chunk of a backup lies within its block.
fn is_sound(backup: &NewBackup) -> bool {
    backup.chunks.iter().all(|chunk| {
        let block = backup.known.blocks.get(chunk.block as usize);
        block.is_some_and(|block| fits(block, chunk.offset, chunk.length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Guid;
    use crate::index::cache::Region;

    #[test]
    fn a_place_outside_the_tables_is_no_answer() {
        let id = BackupId::new(Guid([1; 16]), 1_700_000_000_000).expect("an id");
        let (record, blocks) = (Vec::new(), Vec::new());
        let (chunk, length, block, offset) = (ChunkId([1; 16]), 5, 0, 0);
        let new = [NewBackup {
            known: KnownBackup { id, record, blocks },
            chunks: vec![NewChunk { id: chunk, length, block, offset }],
        }];
        // A plan that was not checked: the file authenticates and makes no sense.
        let (backups, new_ordinals) = (vec![&new[0].known], vec![0]);
        let plan = Plan { old: None, new: &new, backups, old_ordinals: Vec::new(), new_ordinals };
        let mut heap = Cursor::new(Vec::new());
        plan.write(&[2; 32], &[3; 32], &mut heap, Path::new("memory")).expect("written");
        let cache = Cache::read(Bytes::Heap(heap.into_inner()), &[2; 32], &[3; 32]).expect("authentic");
        let found = cache.find(&chunk, length);
        assert!(matches!(found, Err(CacheError::Damaged { region: Region::Page(0) })));
    }
}
