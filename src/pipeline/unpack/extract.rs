//! Some ranges of a dump, and no more of the store than they need.
//!
//! A range is widened to whole spans, and each of these is checked against its digest before a byte of it is released, as in a restore of
//! the whole. What is in memory: the blocks of the pieces under way, and one span.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;

use super::{Plain, Planner, Restore};
use crate::archive::index::Piece;
use crate::base::limits::{HEADER_BYTES, SPAN_BYTES};
use crate::pipeline::error::RunError;
use crate::pipeline::stage::Shared;

const SPAN: u64 = SPAN_BYTES as u64;

/// What it takes to release some ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that are released.
    pub bytes: u64,
    /// Bytes of the dump that are read and checked.
    pub checked: u64,
    /// Bytes of data parts that are fetched at most: every segment that holds some of it.
    pub fetched: u64,
}

/// A piece on its way, and the span that it belongs to.
type Item = (u64, Shared<Plain>, Piece);

/// The span that is being gathered, and the ranges that are still to be released.
struct Held<'r> {
    ordinal: u64,
    bytes: Vec<u8>,
    left: &'r [Range<u64>],
}

impl Restore<'_> {
    /// Releases ranges of the dump, which ascend and do not overlap.
    ///
    /// # Errors
    /// Something is not what it should be, the sink failed, or the run is stopped.
    pub fn release_ranges(&self, ranges: &[Range<u64>], sink: &mut dyn Write) -> Result<(), RunError> {
        let ahead = self.workers.threads() + 2;
        let starts = self.starts();
        let all = spans(ranges).flat_map(|ordinal| self.pieces_of(&starts, ordinal));
        let mut planner = Planner::new(self, all);
        let mut under_way: VecDeque<Item> = VecDeque::with_capacity(ahead);
        let mut held = Held { ordinal: 0, bytes: Vec::with_capacity(SPAN_BYTES), left: ranges };
        for ordinal in spans(ranges) {
            self.world.check_stop()?;
            for piece in self.pieces_of(&starts, ordinal) {
                under_way.push_back((ordinal, planner.block(piece.block)?, piece));
                if under_way.len() == ahead
                    && let Some(item) = under_way.pop_front()
                {
                    self.gather_some(&mut held, item, sink)?;
                }
            }
        }
        for item in under_way {
            self.gather_some(&mut held, item, sink)?;
        }
        self.release_some(&mut held, sink)?;
        sink.flush().map_err(RunError::Output)
    }

    /// Takes a piece in; the one before the first of another span ends the span.
    fn gather_some(&self, held: &mut Held<'_>, item: Item, sink: &mut dyn Write) -> Result<(), RunError> {
        let (ordinal, job, piece) = item;
        if ordinal != held.ordinal {
            self.release_some(held, sink)?;
            held.ordinal = ordinal;
        }
        let block = self.workers.wait(&job)?.map_err(|error| RunError::Archive((*error).clone()))?;
        let (from, to) = (piece.offset as usize, piece.offset as usize + piece.length as usize);
        let bytes = block.bytes.get(from..to).ok_or(RunError::Digest { id: self.id })?;
        held.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// What that is going to take.
    pub fn cost(&self, ranges: &[Range<u64>]) -> Cost {
        let starts = self.starts();
        let mut cost = Cost { bytes: ranges.iter().map(|range| range.end - range.start).sum(), checked: 0, fetched: 0 };
        let mut segments = std::collections::BTreeSet::new();
        for ordinal in spans(ranges) {
            cost.checked += (self.plain_bytes() - ordinal * SPAN).min(SPAN);
            for piece in self.pieces_of(&starts, ordinal) {
                let block = self.index.blocks[piece.block as usize];
                let reader = &self.readers.data[block.part as usize];
                let touched = reader.segments_of(u64::from(block.offset), u64::from(block.stored));
                segments.extend(touched.map(|segment| (block.part, segment)));
            }
        }
        let bytes = |(part, segment): &(u32, u64)| self.readers.data[*part as usize].segment_stored(*segment);
        cost.fetched = segments.iter().map(bytes).sum::<u64>() + (self.readers.data.len() * HEADER_BYTES) as u64;
        cost
    }

    /// Where every extent begins in the dump.
    fn starts(&self) -> Vec<u64> {
        let mut at = 0;
        let begin = |length: u64| {
            at += length;
            at - length
        };
        self.index.recipe.iter().map(|extent| extent.length).map(begin).collect()
    }

    /// The pieces that make up a span.
    fn pieces_of(&self, starts: &[u64], ordinal: u64) -> Vec<Piece> {
        let (from, to) = (ordinal * SPAN, ((ordinal + 1) * SPAN).min(self.plain_bytes()));
        let first = starts.partition_point(|start| *start <= from).saturating_sub(1);
        let mut found = Vec::new();
        let mut at = starts.get(first).copied().unwrap_or(0);
        for piece in self.index.pieces_from(first) {
            if at >= to {
                break;
            }
            let end = at + u64::from(piece.length);
            let (skipped, cut) = (from.saturating_sub(at), end.saturating_sub(to));
            if end > from {
                // Both are below the length of the piece.
                let (skipped, cut) = (skipped as u32, cut as u32);
                found.push(Piece { offset: piece.offset + skipped, length: piece.length - skipped - cut, ..piece });
            }
            at = end;
        }
        found
    }

    /// Checks the span and releases what of it is wanted.
    fn release_some(&self, held: &mut Held<'_>, sink: &mut dyn Write) -> Result<(), RunError> {
        if held.bytes.is_empty() {
            return Ok(());
        }
        let refused = || RunError::Digest { id: self.id };
        self.check_span(held.ordinal, &held.bytes)?;
        let (begin, end) = (held.ordinal * SPAN, held.ordinal * SPAN + held.bytes.len() as u64);
        while let Some((range, rest)) = held.left.split_first() {
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                let wanted = held.bytes.get((from - begin) as usize..(to - begin) as usize).ok_or_else(refused)?;
                sink.write_all(wanted).map_err(RunError::Output)?;
                self.world.observer.advanced(to - from);
            }
            if range.end > end {
                break;
            }
            held.left = rest;
        }
        held.bytes.clear();
        Ok(())
    }
}

/// The ordinals of the spans that hold some of the ranges, ascending.
fn spans(ranges: &[Range<u64>]) -> impl Iterator<Item = u64> {
    let mut next = 0;
    let of = ranges.iter().filter(|range| !range.is_empty());
    of.flat_map(move |range| {
        let found = (range.start / SPAN).max(next)..range.end.div_ceil(SPAN);
        next = next.max(found.end);
        found
    })
}
