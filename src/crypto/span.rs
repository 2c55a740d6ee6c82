//! BLAKE3 by spans of 1 MiB: every span is checked by itself, and together they are the digest that `b3sum` prints
//! (spec/index.md, "Span digests").

use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

use crate::base::limits::SPAN_BYTES;

/// Hashes one span, piece by piece.
pub struct SpanHasher(blake3::Hasher);

impl SpanHasher {
    /// The span of that ordinal.
    pub fn new(ordinal: u64) -> SpanHasher {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(ordinal * SPAN_BYTES as u64);
        SpanHasher(hasher)
    }

    /// The next bytes of the span; it has 1 byte to 1 MiB in all.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of the bytes as a whole dump: of the first span only, and before nothing else.
    pub fn whole(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }

    /// The chaining value of the span, as a subtree that is not the root.
    pub fn finish(&self) -> ChainingValue {
        self.0.finalize_non_root()
    }
}

/// The digest of a dump of two spans or more; the last one may be shorter. `None` for fewer: those are hashed whole.
pub fn merge(spans: &[[u8; 32]]) -> Option<[u8; 32]> {
    if spans.len() < 2 {
        return None;
    }
    let (left, right) = spans.split_at(left_spans(spans.len()));
    Some(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
}

fn subtree(spans: &[[u8; 32]]) -> ChainingValue {
    if let [span] = spans {
        return *span;
    }
    let (left, right) = spans.split_at(left_spans(spans.len()));
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

/// Spans in the left subtree: BLAKE3's own rule, counted in spans. A shorter last span does not change it.
fn left_spans(spans: usize) -> usize {
    (left_subtree_len(spans as u64 * SPAN_BYTES as u64) / SPAN_BYTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_spans_are_the_digest_of_the_whole() {
        for length in [SPAN_BYTES + 1, 2 * SPAN_BYTES, 2 * SPAN_BYTES + 7, 3 * SPAN_BYTES, 5 * SPAN_BYTES - 1] {
            let dump: Vec<u8> = (0..length).map(|at| ((at * 31) >> 3) as u8).collect();
            let span = |(ordinal, bytes): (u64, &[u8])| {
                let mut hasher = SpanHasher::new(ordinal);
                bytes.chunks(1000).for_each(|piece| hasher.update(piece));
                hasher.finish()
            };
            let spans: Vec<[u8; 32]> = (0..).zip(dump.chunks(SPAN_BYTES)).map(span).collect();
            assert_eq!(merge(&spans), Some(*blake3::hash(&dump).as_bytes()), "{length}");
        }
    }
}
