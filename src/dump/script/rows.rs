//! Goes through the rows of a `COPY`, a block of 64 bytes at a time: counts lines, and looks for the one that ends them.

use crate::dump::blocks::{BLOCK_BYTES, Block, Registers, Scan, below, ones, padded};

/// What ends the rows. Its first newline may be that of `FROM stdin;`.
pub(super) const ROWS_END: &[u8; 4] = b"\n\\.\n";

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where the end ends, if it is there.
    pub(super) end: Option<usize>,
    /// Newlines up to there.
    pub(super) lines: u64,
}

/// Looks for the end of the rows.
#[inline(never)]
pub(super) fn scan(registers: Registers, bytes: &[u8]) -> Found {
    registers.run(Pass { bytes })
}

struct Pass<'a> {
    bytes: &'a [u8],
}

impl Scan for Pass<'_> {
    type Found = Found;

    #[inline(always)]
    fn go<B: Block>(self, proof: B::Proof) -> Found {
        let mut way = Way { bytes: self.bytes, lines: 0, newline: 0 };
        let (blocks, rest) = self.bytes.as_chunks();
        let mut base = 0;
        for block in blocks {
            if let Some(found) = way.step(B::new(proof, block), base) {
                return found;
            }
            base += BLOCK_BYTES;
        }
        let last = way.step(B::new(proof, &padded(rest)), base);
        last.unwrap_or(Found { end: None, lines: way.lines })
    }
}

/// What is known between two blocks.
struct Way<'a> {
    bytes: &'a [u8],
    lines: u64,
    /// 1 behind a newline.
    newline: u64,
}

impl Way<'_> {
    /// Goes over the block at `base`.
    #[inline(always)]
    fn step<B: Block>(&mut self, block: B, base: usize) -> Option<Found> {
        let newlines = block.is(b'\n');
        // A row may begin with a backslash: `\N`.
        let mut begins = block.is(b'\\') & (newlines << 1 | self.newline);
        while begins != 0 {
            let bit = begins.trailing_zeros();
            let at = base + bit as usize;
            if self.bytes[at..].starts_with(&ROWS_END[1..]) {
                // Its own last newline, too.
                let lines = self.lines + ones(below(newlines, bit)) + 1;
                return Some(Found { end: Some(at + ROWS_END.len() - 1), lines });
            }
            begins &= begins - 1;
        }
        self.lines += ones(newlines);
        self.newline = newlines >> (BLOCK_BYTES - 1);
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_finds_and_counts_as_a_search_does(
            pieces in prop::collection::vec(prop::sample::select(vec!["\n", "\\.", "\\", ".", "\\N\t1\n", "x", "0123456789abcdef"]), 0..60),
        ) {
            let text = pieces.concat();
            let end = text.find("\n\\.\n").map(|at| at + ROWS_END.len());
            let lines = text.as_bytes()[..end.unwrap_or(text.len())].iter().filter(|byte| **byte == b'\n').count() as u64;
            for registers in Registers::all() {
                prop_assert_eq!(scan(registers, text.as_bytes()), Found { end, lines }, "{:?}", registers);
            }
        }
    }
}
