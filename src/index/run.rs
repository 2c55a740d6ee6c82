//! The chunks that this run stores: looked up while packing, and the source of the catalogue at its end.
//!
//! Records lie in stream order, 20 bytes each (id, length), in slabs of 64 Ki that are never moved, so that growing needs no
//! second copy of them. A hash table of ordinals finds them: a slot is 5 bytes, of which between 7 in 16 and 7 in 8 are in use. A chunk's
//! block and its offset there are not stored: the block is the last one that begins at or before the chunk, the offset the
//! sum of the lengths before it, of 256 chunks at most with the default cutter.
//!
//! Guaranteed: `find` names the first chunk of that id and length that was pushed; `blocks` yields every chunk that was pushed, in order,
//! in blocks that are never empty.
//! Not guaranteed: that the bytes of a block have reached the store; the caller knows.
//!
//! Cost of 1 TiB of new data at 16 KiB a chunk (2^26 chunks), measured by the ignored test of `tests/index_cache.rs` on one core of
//! a shared virtual machine: 1.88 GiB, 30.1 bytes per chunk, a third of it hash table. When that doubles, half of it is there twice
//! for a moment. Per chunk 0.4 µs to push, 0.6 µs to find, 0.1 µs not to find.

use std::ops::Range;

use hashbrown::HashTable;

use crate::base::failure::FailureClass;
use crate::base::id::ChunkId;
use crate::base::limits::BLOCK_PLAIN_MAX;
use crate::index::cache::NewChunk;

/// Records of a slab: 1.25 MiB, so that a small run takes little and a large one few allocations.
const SLAB: usize = 1 << 16;

/// The run has more than it can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Ordinals are 32 bits: 64 TiB of new data at the default mean.
    #[error("a run stores at most 4294967296 chunks")]
    Chunks,
    /// The open block would exceed what a reader takes; the caller should have closed it.
    #[error("a block holds at most {BLOCK_PLAIN_MAX} bytes")]
    Block,
}

impl Full {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        FailureClass::Limit
    }
}

/// Where a chunk of this run lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Ordinal among the run's own blocks.
    pub block: u32,
    /// Offset in the block's plain bytes.
    pub offset: u32,
}

/// A chunk as the catalogue records it.
#[derive(Clone, Copy)]
struct Record {
    id: ChunkId,
    length: u32,
}

const _: () = assert!(size_of::<Record>() == 20);

/// The chunks that this run stores.
pub struct RunTable {
    slabs: Vec<Vec<Record>>,
    chunks: u64,
    /// The first chunk of every block, the open one included once it has a chunk.
    firsts: Vec<u32>,
    /// Plain bytes of the open block, or `None` when the next chunk begins one.
    open: Option<u64>,
    ordinals: HashTable<u32>,
}

impl Default for RunTable {
    fn default() -> RunTable {
        RunTable::new()
    }
}

impl RunTable {
    /// A table without chunks.
    pub fn new() -> RunTable {
        RunTable { slabs: Vec::new(), chunks: 0, firsts: Vec::new(), open: None, ordinals: HashTable::new() }
    }

    /// Appends a chunk to the open block, or begins one.
    ///
    /// A chunk that is known already is recorded again, for it is in the block; `find` keeps to its first place.
    ///
    /// # Errors
    /// There are 2^32 chunks, or the block would exceed [`BLOCK_PLAIN_MAX`]. Nothing was appended.
    pub fn push(&mut self, id: ChunkId, length: u32) -> Result<(), Full> {
        let ordinal = u32::try_from(self.chunks).map_err(|_| Full::Chunks)?;
        let plain = self.open.unwrap_or(0) + u64::from(length);
        if plain > BLOCK_PLAIN_MAX as u64 {
            return Err(Full::Block);
        }
        if self.open.is_none() {
            self.firsts.push(ordinal);
        }
        self.open = Some(plain);
        self.append(Record { id, length });
        let slabs = &self.slabs;
        self.ordinals
            .entry(hash(&id), |&other| is(record(slabs, other), &id, length), |&other| hash(&record(slabs, other).id))
            .or_insert(ordinal);
        Ok(())
    }

    /// Ends the open block; the next chunk begins another. Does nothing where no block is open.
    pub fn close_block(&mut self) {
        self.open = None;
    }

    /// Where the chunk of that id and that length lies, if this run stores it.
    pub fn find(&self, id: &ChunkId, length: u32) -> Option<Place> {
        let matches = |&ordinal: &u32| is(record(&self.slabs, ordinal), id, length);
        let ordinal = *self.ordinals.find(hash(id), matches)?;
        let block = self.firsts.partition_point(|&first| first <= ordinal).checked_sub(1)?;
        let first = *self.firsts.get(block)?;
        let offset = (first..ordinal).map(|before| record(&self.slabs, before).length).sum();
        let block = u32::try_from(block).ok()?;
        Some(Place { block, offset })
    }

    /// The chunks of every block in stream order, the open block last.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = BlockChunks<'_>> {
        self.firsts.iter().enumerate().map(|(block, &first)| {
            let end = self.firsts.get(block + 1).map_or(self.chunks, |&next| u64::from(next));
            BlockChunks { slabs: &self.slabs, rest: u64::from(first)..end }
        })
    }

    /// How many chunks were pushed.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// What the table takes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let records: usize = self.slabs.iter().map(|slab| slab.capacity() * size_of::<Record>()).sum();
        let slabs = self.slabs.capacity() * size_of::<Vec<Record>>();
        records + slabs + self.firsts.capacity() * size_of::<u32>() + self.ordinals.allocation_size()
    }

    /// The chunks as the cache takes them, in stream order. Gives the table's memory back while it goes.
    pub fn into_chunks(self) -> Vec<NewChunk> {
        let RunTable { slabs, chunks, firsts, ordinals, .. } = self;
        drop(ordinals);
        let mut firsts = firsts.into_iter().map(u64::from).enumerate().peekable();
        let (mut block, mut offset) = (0, 0);
        let mut all = Vec::with_capacity(usize::try_from(chunks).unwrap_or(0));
        for (ordinal, Record { id, length }) in (0..).zip(slabs.into_iter().flatten()) {
            if let Some((begun, _)) = firsts.next_if(|&(_, first)| first == ordinal) {
                // Blocks are no more than chunks, which are no more than 2^32.
                (block, offset) = (begun as u32, 0);
            }
            all.push(NewChunk { id, length, block, offset });
            offset += length;
        }
        all
    }

    /// Stores a record behind the last one.
    fn append(&mut self, record: Record) {
        match self.slabs.last_mut() {
            Some(slab) if slab.len() < SLAB => slab.push(record),
            _ => {
                let mut slab = Vec::with_capacity(SLAB);
                slab.push(record);
                self.slabs.push(slab);
            }
        }
        self.chunks += 1;
    }
}

/// The chunks of one block, in order: id and length.
pub struct BlockChunks<'a> {
    slabs: &'a [Vec<Record>],
    rest: Range<u64>,
}

impl Iterator for BlockChunks<'_> {
    type Item = (ChunkId, u32);

    fn next(&mut self) -> Option<(ChunkId, u32)> {
        let ordinal = u32::try_from(self.rest.next()?).ok()?;
        let Record { id, length } = *record(self.slabs, ordinal);
        Some((id, length))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.rest.end - self.rest.start) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for BlockChunks<'_> {}

/// The record of a chunk that was pushed.
fn record(slabs: &[Vec<Record>], ordinal: u32) -> &Record {
    let ordinal = ordinal as usize;
    &slabs[ordinal / SLAB][ordinal % SLAB]
}

/// Ids are keyed hashes: their own bytes are the best hash there is.
fn hash(id: &ChunkId) -> u64 {
    id.0.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// One id with two lengths is two chunks: to confuse them would be to lose data.
fn is(record: &Record, id: &ChunkId, length: u32) -> bool {
    record.id == *id && record.length == length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ChunkId {
        ChunkId([byte; 16])
    }

    #[test]
    fn an_ordinal_beyond_32_bits_is_refused() {
        let mut table = RunTable::new();
        table.chunks = 1 << 32;
        assert_eq!(table.push(id(1), 1), Err(Full::Chunks));
        assert!(table.slabs.is_empty() && table.firsts.is_empty());
    }

    #[test]
    fn a_block_beyond_what_a_reader_takes_is_refused() {
        let mut table = RunTable::new();
        assert_eq!(table.push(id(1), BLOCK_PLAIN_MAX as u32), Ok(()));
        assert_eq!(table.push(id(2), 1), Err(Full::Block));
        assert_eq!((table.chunks(), table.find(&id(2), 1)), (1, None));
        table.close_block();
        assert_eq!(table.push(id(2), 1), Ok(()));
        assert_eq!(table.find(&id(2), 1), Some(Place { block: 1, offset: 0 }));
    }

    #[test]
    fn closing_twice_makes_no_empty_block() {
        let mut table = RunTable::new();
        table.close_block();
        assert_eq!(table.push(id(1), 7), Ok(()));
        assert_eq!(table.push(id(2), 9), Ok(()));
        table.close_block();
        table.close_block();
        assert_eq!(table.push(id(1), 7), Ok(()));
        let blocks: Vec<Vec<_>> = table.blocks().map(Iterator::collect).collect();
        assert!(blocks == [vec![(id(1), 7), (id(2), 9)], vec![(id(1), 7)]]);
        assert_eq!(table.find(&id(1), 7), Some(Place { block: 0, offset: 0 }), "the first place stays");
        let lengths: Vec<usize> = table.blocks().map(|block| block.len()).collect();
        assert_eq!(lengths, [2, 1]);
    }
}
