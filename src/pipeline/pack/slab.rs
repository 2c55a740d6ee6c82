//! A stretch of the input on its way through the pipeline, cut ahead of its turn.
//!
//! Where a chunk begins depends on everything before it, so that cutting seems to be one serial stage. But two sequences of cuts through the
//! same bytes that have one cut in common are one from there on, and soon they have one. So a worker cuts a slab as if a chunk began with it
//! ([`Slab::guess`]); when its turn comes, the true sequence is followed from the chunk that really begins there until it meets the guess,
//! and the rest is adopted ([`Guess::settle`]). What comes out is the sequential result, however long the two take to meet.

use crate::base::id::ChunkId;
use crate::base::limits::SPAN_BYTES;
use crate::chunk::chunker::Chunker;
use crate::crypto::chunk_id::ChunkIds;
use crate::crypto::span::{SpanDigest, SpanKey};
use crate::pipeline::error::RunError;

/// Bytes of a slab that is not the last one: of so many spans.
pub const SLAB_BYTES: usize = SPANS * SPAN_BYTES;
const SPANS: usize = 4;

/// What is done with each chunk, in order.
pub type Take<'t> = dyn FnMut(ChunkId, &[u8]) -> Result<(), RunError> + 't;

/// What the workers need.
pub struct Cutting {
    /// Where chunks end.
    pub chunker: Chunker,
    /// What they are called.
    pub ids: ChunkIds,
    /// The digests of spans.
    pub spans: SpanKey,
}

impl Cutting {
    /// Where the chunk that begins at `at` ends.
    fn end(&self, bytes: &[u8], at: usize) -> usize {
        at + self.chunker.cut(&bytes[at..])
    }
}

/// Some spans of the input and behind them what follows, so that every chunk that begins in them ends in the buffer.
pub struct Slab {
    bytes: Vec<u8>,
    own: usize,
    filled: usize,
}

impl Slab {
    /// A slab of the first `own` bytes of `bytes`; the rest is room for what follows.
    pub fn new(bytes: Vec<u8>, own: usize) -> Slab {
        Slab { bytes, own, filled: own }
    }

    /// Bytes of a buffer for chunks of at most `maximum`.
    pub fn room(maximum: usize) -> usize {
        SLAB_BYTES + maximum
    }

    /// Its own bytes.
    pub fn own(&self) -> &[u8] {
        &self.bytes[..self.own]
    }

    /// Takes from what follows as much as there is room for.
    pub fn follow(&mut self, next: &[u8]) {
        let step = next.len().min(self.bytes.len() - self.filled);
        self.bytes[self.filled..self.filled + step].copy_from_slice(&next[..step]);
        self.filled += step;
    }

    /// Whether nothing more has to follow.
    pub fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// Cuts the slab as if a chunk began with it, and computes the ids of the chunks and the digests of the spans; span by span, so that one is in
    /// the cache for all three.
    pub fn guess(self, ordinal: u64, cutting: &Cutting) -> Guess {
        let mut guess = Guess { ends: Vec::new(), ids: Vec::new(), digests: Vec::with_capacity(SPANS), slab: self };
        let slab = &guess.slab;
        let (filled, mut at) = (&slab.bytes[..slab.filled], 0);
        for (number, span) in (0..).zip(slab.own().chunks(SPAN_BYTES)) {
            let mut chunks = Vec::new();
            while at < number * SPAN_BYTES + span.len() {
                let end = cutting.end(filled, at);
                chunks.push(&filled[at..end]);
                guess.ends.push(end);
                at = end;
            }
            guess.ids.extend(cutting.ids.ids(&chunks));
            guess.digests.push(cutting.spans.digest(ordinal * SPANS as u64 + number as u64, span));
        }
        guess
    }
}

/// A slab that was cut as if a chunk began with it.
pub struct Guess {
    slab: Slab,
    /// Where each chunk ends.
    ends: Vec<usize>,
    /// Its id.
    ids: Vec<ChunkId>,
    /// The digests of the spans.
    pub digests: Vec<SpanDigest>,
}

impl Guess {
    /// Gives the chunks that begin in the slab to `take`, when the first of them begins at `from`; the result is where the first chunk of
    /// the next slab begins.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn settle(&self, mut from: usize, cutting: &Cutting, take: &mut Take<'_>) -> Result<usize, RunError> {
        let filled = &self.slab.bytes[..self.slab.filled];
        let mut guesses = self.ends.iter().zip(&self.ids);
        // Where the next guessed chunk begins.
        let mut guessed = 0;
        while from < self.slab.own {
            while guessed < from
                && let Some((end, _)) = guesses.next()
            {
                guessed = *end;
            }
            let adopted = if guessed == from { guesses.next() } else { None };
            let (end, id) = match adopted {
                Some((end, id)) => (*end, *id),
                None => {
                    let end = cutting.end(filled, from);
                    (end, cutting.ids.id(&filled[from..end]))
                }
            };
            take(id, &filled[from..end])?;
            if adopted.is_some() {
                guessed = end;
            }
            from = end;
        }
        Ok(from - self.slab.own)
    }

    /// The buffer, to be filled again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.slab.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cutter::Cutter;
    use crate::crypto::secret::Secret;

    fn cutting(cutter: Cutter, seed: u64) -> Cutting {
        let gear = std::array::from_fn(|at| (at as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31));
        Cutting {
            chunker: Chunker::new(cutter, Box::new(gear)),
            ids: ChunkIds::new(&Secret::zeros()),
            spans: SpanKey::new(&Secret::zeros()),
        }
    }

    /// The chunks of `input`, by slabs that are cut ahead of their turn, and the digests of its spans.
    fn by_slabs(input: &[u8], cutting: &Cutting) -> (Vec<(ChunkId, usize)>, Vec<SpanDigest>) {
        let (mut chunks, mut digests, mut begins) = (Vec::new(), Vec::new(), 0);
        for (ordinal, own) in (0..).zip(input.chunks(SLAB_BYTES)) {
            let mut bytes = vec![0; Slab::room(cutting.chunker.maximum())];
            bytes[..own.len()].copy_from_slice(own);
            let mut slab = Slab::new(bytes, own.len());
            // In two steps, as from two slabs that follow.
            let follows = &input[ordinal as usize * SLAB_BYTES + own.len()..];
            let (next, after) = follows.split_at(follows.len().min(70_001));
            slab.follow(next);
            slab.follow(after);
            let guess = slab.guess(ordinal, cutting);
            let take: &mut Take<'_> = &mut |id, bytes| {
                chunks.push((id, bytes.len()));
                Ok(())
            };
            begins = guess.settle(begins, cutting, take).expect("a take that takes everything");
            digests.extend(guess.digests);
        }
        assert_eq!(begins, 0, "the last chunk ends with the input");
        (chunks, digests)
    }

    fn one_after_another(input: &[u8], cutting: &Cutting) -> (Vec<(ChunkId, usize)>, Vec<SpanDigest>) {
        let (mut chunks, mut rest) = (Vec::new(), input);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(cutting.chunker.cut(rest));
            chunks.push((cutting.ids.id(chunk), chunk.len()));
            rest = after;
        }
        let spans = (0..).zip(input.chunks(SPAN_BYTES));
        (chunks, spans.map(|(ordinal, span)| cutting.spans.digest(ordinal, span)).collect())
    }

    #[test]
    fn slabs_that_are_cut_ahead_give_the_sequential_cuts() {
        let random = |length: usize| {
            let mut bytes = vec![0; length];
            blake3::Hasher::new().finalize_xof().fill(&mut bytes);
            bytes
        };
        let mut lull = random(4 * SLAB_BYTES);
        // Nothing to meet at: chunks of the maximum all over a slab, at another place than the guess has them.
        lull[SLAB_BYTES / 2..5 * SLAB_BYTES / 2 + 7].fill(0);
        let inputs =
            [random(5 * SLAB_BYTES + 12_345), vec![0; 2 * SLAB_BYTES + 1], lull, random(SLAB_BYTES), random(3)];
        let large = Cutter { minimum: 1 << 19, average: 1 << 19, maximum: 1 << 20, ..Cutter::DEFAULT };
        let mut cases = 0;
        for cutter in [Cutter::DEFAULT, Cutter { minimum: 64, average: 512, ..Cutter::DEFAULT }, large] {
            for input in &inputs {
                let cutting = cutting(cutter, cases);
                assert!(by_slabs(input, &cutting) == one_after_another(input, &cutting), "{cutter:?}, case {cases}");
                cases += 1;
            }
        }
        assert_eq!(cases, 15);
    }
}
