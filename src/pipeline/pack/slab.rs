//! A span of the input on its way through the pipeline, cut ahead of its turn.
//!
//! Where a chunk begins depends on everything before it, so that cutting seems to be one serial stage. But two sequences of cuts through the
//! same bytes that have one cut in common are one from there on, and soon they have one. So a worker cuts a slab as if a chunk began with it
//! ([`Slab::guess`]); when its turn comes, the true sequence is followed from the chunk that really begins there until it meets the guess,
//! and the rest is adopted ([`Guess::settle`]). What comes out is the sequential result, however long the two take to meet.

use crate::base::id::ChunkId;
use crate::base::limits::SPAN_BYTES;
use crate::chunk::chunker::Chunker;
use crate::crypto::keys::chunk_id;
use crate::crypto::span::SpanHasher;
use crate::pipeline::error::RunError;

/// What is done with each chunk, in order.
pub type Take<'t> = dyn FnMut(ChunkId, &[u8]) -> Result<(), RunError> + 't;

/// One span of the input and behind it what follows, so that every chunk that begins in the span ends in the buffer.
pub struct Slab {
    bytes: Vec<u8>,
    span: usize,
    filled: usize,
}

impl Slab {
    /// A slab of the first `span` bytes of `bytes`; the rest is room for what follows.
    pub fn new(bytes: Vec<u8>, span: usize) -> Slab {
        Slab { bytes, span, filled: span }
    }

    /// Bytes of a buffer for chunks of at most `maximum`.
    pub fn room(maximum: usize) -> usize {
        SPAN_BYTES + maximum
    }

    /// The span.
    pub fn span(&self) -> &[u8] {
        &self.bytes[..self.span]
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

    /// Cuts the slab as if a chunk began with it, and computes the ids of the chunks and the digest of the span.
    pub fn guess(self, ordinal: u64, chunker: &Chunker, key: &[u8; 32]) -> Guess {
        let mut chunks = Vec::with_capacity(self.span / 8192 + 1);
        let mut at = 0;
        while at < self.span {
            let chunk = self.chunk(at, chunker, key);
            at = chunk.0;
            chunks.push(chunk);
        }
        let mut span = SpanHasher::new(ordinal);
        span.update(self.span());
        let whole = (ordinal == 0).then(|| span.whole());
        Guess { chunks, digest: span.finish(), whole, slab: self }
    }

    /// The chunk that begins at `at`: where it ends, and its id.
    fn chunk(&self, at: usize, chunker: &Chunker, key: &[u8; 32]) -> (usize, ChunkId) {
        let rest = &self.bytes[at..self.filled];
        let length = chunker.cut(rest);
        (at + length, chunk_id(key, &rest[..length]))
    }
}

/// A slab that was cut as if a chunk began with it.
pub struct Guess {
    slab: Slab,
    /// Where each chunk ends, and its id.
    chunks: Vec<(usize, ChunkId)>,
    /// Chaining value of the span.
    pub digest: [u8; 32],
    /// BLAKE3 of the first span as if it were the whole dump.
    pub whole: Option<[u8; 32]>,
}

impl Guess {
    /// Gives the chunks that begin in the span to `take`, when the first of them begins at `from`; the result is where the first chunk of
    /// the next slab begins.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn settle(
        &self,
        mut from: usize,
        chunker: &Chunker,
        key: &[u8; 32],
        take: &mut Take<'_>,
    ) -> Result<usize, RunError> {
        let mut guesses = self.chunks.iter();
        // Where the next guessed chunk begins.
        let mut guessed = 0;
        while from < self.slab.span {
            while guessed < from
                && let Some((end, _)) = guesses.next()
            {
                guessed = *end;
            }
            let adopted = if guessed == from { guesses.next() } else { None };
            let (end, id) = adopted.copied().unwrap_or_else(|| self.slab.chunk(from, chunker, key));
            take(id, &self.slab.bytes[from..end])?;
            if adopted.is_some() {
                guessed = end;
            }
            from = end;
        }
        Ok(from - self.slab.span)
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

    /// The chunks of `input`, by slabs that are cut ahead of their turn.
    fn by_slabs(input: &[u8], chunker: &Chunker) -> Vec<(ChunkId, usize)> {
        let (mut chunks, mut begins) = (Vec::new(), 0);
        for (ordinal, span) in (0..).zip(input.chunks(SPAN_BYTES)) {
            let mut bytes = vec![0; Slab::room(chunker.maximum())];
            bytes[..span.len()].copy_from_slice(span);
            let mut slab = Slab::new(bytes, span.len());
            // In two steps, as from two slabs that follow.
            let follows = &input[ordinal as usize * SPAN_BYTES + span.len()..];
            let (next, after) = follows.split_at(follows.len().min(70_001));
            slab.follow(next);
            slab.follow(after);
            let guess = slab.guess(ordinal, chunker, &[7; 32]);
            let take: &mut Take<'_> = &mut |id, bytes| {
                chunks.push((id, bytes.len()));
                Ok(())
            };
            begins = guess.settle(begins, chunker, &[7; 32], take).expect("a take that takes everything");
        }
        assert_eq!(begins, 0, "the last chunk ends with the input");
        chunks
    }

    fn one_after_another(mut input: &[u8], chunker: &Chunker) -> Vec<(ChunkId, usize)> {
        let mut chunks = Vec::new();
        while !input.is_empty() {
            let (chunk, rest) = input.split_at(chunker.cut(input));
            chunks.push((chunk_id(&[7; 32], chunk), chunk.len()));
            input = rest;
        }
        chunks
    }

    #[test]
    fn slabs_that_are_cut_ahead_give_the_sequential_cuts() {
        let gear = |seed: u64| {
            Box::new(std::array::from_fn(|at| (at as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)))
        };
        let random = |length: usize| {
            let mut bytes = vec![0; length];
            blake3::Hasher::new().finalize_xof().fill(&mut bytes);
            bytes
        };
        let mut lull = random(4 * SPAN_BYTES);
        // Nothing to meet at: chunks of the maximum all over a slab, at another place than the guess has them.
        lull[SPAN_BYTES / 2..5 * SPAN_BYTES / 2 + 7].fill(0);
        let inputs =
            [random(5 * SPAN_BYTES + 12_345), vec![0; 2 * SPAN_BYTES + 1], lull, random(SPAN_BYTES), random(3)];
        let large = Cutter { minimum: 1 << 19, average: 1 << 19, maximum: 1 << 20, ..Cutter::DEFAULT };
        let mut cases = 0;
        for cutter in [Cutter::DEFAULT, Cutter { minimum: 64, average: 512, ..Cutter::DEFAULT }, large] {
            for input in &inputs {
                let chunker = Chunker::new(cutter, gear(cases));
                assert!(by_slabs(input, &chunker) == one_after_another(input, &chunker), "{cutter:?}, case {cases}");
                cases += 1;
            }
        }
        assert_eq!(cases, 15);
    }
}
