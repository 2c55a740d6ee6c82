//! Many sorted sources of records become one, and one becomes pages.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::base::id::ChunkId;
use crate::index::cache::error::CacheError;
use crate::index::cache::layout::{self, CHECK, PAGE, PER_PAGE, Raw, Record};

/// Records of one backup or of an old cache, ascending by id and length.
pub(super) type Source<'a> = Box<dyn Iterator<Item = Result<Record, CacheError>> + 'a>;

/// Among equal chunks the newest backup comes first, and in it the first place; the last number is that of the source.
type Rank = (ChunkId, u32, Reverse<u32>, u32, u32, usize);

/// The records of all sources in order.
pub(super) struct Merged<'a> {
    sources: Vec<Source<'a>>,
    /// The next record of every source that has one.
    next: BinaryHeap<Reverse<Rank>>,
    /// Where a source failed; it is told before anything else.
    failed: Option<CacheError>,
}

impl<'a> Merged<'a> {
    /// Merges `sources`, each of which is sorted.
    pub(super) fn new(sources: Vec<Source<'a>>) -> Merged<'a> {
        let mut merged = Merged { next: BinaryHeap::with_capacity(sources.len()), failed: None, sources };
        for number in 0..merged.sources.len() {
            merged.draw(number);
        }
        merged
    }

    /// Takes the next record of a source.
    fn draw(&mut self, number: usize) {
        match self.sources.get_mut(number).and_then(Iterator::next) {
            None => {}
            Some(Err(error)) => self.failed = Some(error),
            Some(Ok(record)) => {
                let newest = Reverse(record.backup);
                let rank = (record.id, record.length, newest, record.block, record.offset, number);
                self.next.push(Reverse(rank));
            }
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Record, CacheError>;

    fn next(&mut self) -> Option<Result<Record, CacheError>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let Reverse((id, length, Reverse(backup), block, offset, number)) = self.next.pop()?;
        self.draw(number);
        Some(Ok(Record { id, backup, block, offset, length }))
    }
}

/// Fills pages with records and seals them.
pub(super) struct Pages {
    key: [u8; 32],
    number: usize,
    open: Vec<Raw>,
    /// How many records there were.
    pub(super) chunks: u64,
}

impl Pages {
    /// Pages under that key.
    pub(super) fn new(key: [u8; 32]) -> Pages {
        Pages { key, number: 0, open: Vec::with_capacity(PER_PAGE), chunks: 0 }
    }

    /// Puts a record behind the last one, and writes the page when it is full.
    pub(super) fn push(&mut self, record: &Record, out: &mut impl Write) -> io::Result<()> {
        self.open.push(record.encode());
        self.chunks += 1;
        if self.open.len() == PER_PAGE {
            self.flush(out)?;
        }
        Ok(())
    }

    /// Writes the page that is not full yet, if it has any record.
    pub(super) fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let mut content = [0; PAGE - CHECK];
        for (to, from) in content.as_chunks_mut().0.iter_mut().zip(self.open.as_flattened()) {
            *to = *from;
        }
        out.write_all(&content)?;
        out.write_all(&layout::page_check(&self.key, self.number, &content))?;
        self.number += 1;
        self.open.clear();
        Ok(())
    }
}
