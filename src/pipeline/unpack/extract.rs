//! Some ranges of a dump, and no more of the store than they need.
//!
//! A range is widened to whole spans, and each of these is checked against its digest before a byte of it is released, as in a restore of
//! the whole. What is in memory: the blocks of the spans under way.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;

use super::{Plain, Planner, Restore};
use crate::archive::index::Piece;
use crate::base::limits::{HEADER_BYTES, SPAN_BYTES};
use crate::crypto::span::SpanHasher;
use crate::pipeline::error::RunError;
use crate::pipeline::stage::Job;

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

/// A span on its way: its blocks, and what of each belongs to it.
struct Span {
    ordinal: u64,
    pieces: Vec<(Job<Plain>, Piece)>,
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
        let mut under_way: VecDeque<Span> = VecDeque::with_capacity(ahead);
        let mut left = ranges;
        for ordinal in spans(ranges) {
            self.world.check_stop()?;
            let pieces = self.pieces_of(&starts, ordinal);
            let pieces = pieces.into_iter().map(|piece| Ok((planner.block(piece.block)?, piece)));
            under_way.push_back(Span { ordinal, pieces: pieces.collect::<Result<_, RunError>>()? });
            if under_way.len() == ahead
                && let Some(span) = under_way.pop_front()
            {
                left = self.release_some(&span, left, sink)?;
            }
        }
        for span in under_way {
            self.world.check_stop()?;
            left = self.release_some(&span, left, sink)?;
        }
        sink.flush().map_err(RunError::Output)
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

    /// Checks a span and releases what of it is wanted; the ranges that are left come back.
    fn release_some<'r>(
        &self,
        span: &Span,
        mut ranges: &'r [Range<u64>],
        sink: &mut dyn Write,
    ) -> Result<&'r [Range<u64>], RunError> {
        let refused = || RunError::Digest { id: self.id };
        let mut hasher = SpanHasher::new(span.ordinal);
        let mut bytes = Vec::with_capacity(SPAN_BYTES);
        for (job, piece) in &span.pieces {
            let block = job.wait()?.map_err(|error| RunError::Archive((*error).clone()))?;
            let (from, to) = (piece.offset as usize, piece.offset as usize + piece.length as usize);
            bytes.extend_from_slice(block.bytes.get(from..to).ok_or_else(refused)?);
        }
        hasher.update(&bytes);
        let whole = self.index.spans.len() != 1 || hasher.whole() == self.index.summary.digest;
        if self.index.spans.get(span.ordinal as usize) != Some(&hasher.finish()) || !whole {
            return Err(refused());
        }
        let (begin, end) = (span.ordinal * SPAN, span.ordinal * SPAN + bytes.len() as u64);
        while let Some((range, rest)) = ranges.split_first() {
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                let wanted = bytes.get((from - begin) as usize..(to - begin) as usize).ok_or_else(refused)?;
                sink.write_all(wanted).map_err(RunError::Output)?;
                self.world.observer.advanced(to - from);
            }
            if range.end > end {
                break;
            }
            ranges = rest;
        }
        Ok(ranges)
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
