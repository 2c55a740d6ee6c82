//! Values as the tools write them: rows in parentheses, one after another, in them numbers and strings between single quotes. A block of 64
//! bytes at a time; what is anything else is left to the caller, which knows the rest of the language.

use crate::dump::blocks::{BLOCK_BYTES, Block, Scan, below, block_at, escaped, last, odd, ones};

/// What outside literals is not for this scanner, beside dashes that are no signs, and parentheses in parentheses.
const STRANGE: [u8; 5] = [b';', b'#', b'/', b'"', b'`'];

/// What is known between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuples {
    /// In a string.
    pub(super) inside: bool,
    /// Behind a backslash in it.
    pub(super) escape: bool,
    /// In the parentheses of a row.
    pub(super) open: bool,
    /// Rows that began.
    pub(super) rows: u64,
}

/// Passes what the scanner knows; how much. It stops outside strings only.
pub(super) struct Pass<'a, const ESCAPES: bool> {
    pub(super) tuples: &'a mut Tuples,
    pub(super) bytes: &'a [u8],
}

impl<const ESCAPES: bool> Scan for Pass<'_, ESCAPES> {
    type Found = usize;

    #[inline(always)]
    fn go<B: Block>(self, proof: B::Proof) -> usize {
        let Pass { tuples, bytes } = self;
        let Tuples { mut escape, mut rows, .. } = *tuples;
        let (mut inside, mut open) = (all(tuples.inside), all(tuples.open));
        for base in (0..bytes.len()).step_by(BLOCK_BYTES) {
            let block: B = block_at(proof, bytes, base);
            let mut strange = block.is_any(STRANGE);
            let mut quotes = block.is(b'\'');
            let mut backslashes = 0;
            let mut escapes = 0;
            if ESCAPES {
                backslashes = block.is(b'\\');
                escapes = escaped(backslashes, escape);
                strange |= backslashes;
                quotes &= !escapes;
            }
            let literal = odd(quotes) ^ inside;
            let mut dashes = block.is(b'-') & !literal;
            if dashes != 0 {
                // One before a digit is a sign.
                dashes &= !(block.is_digit() >> 1);
            }
            let (opens, closes) = (block.is(b'(') & !literal, block.is(b')') & !literal);
            let within = odd(opens | closes) ^ open;
            let stops = (strange & !literal) | dashes | (opens & !within) | (closes & within);
            if stops != 0 {
                let bit = stops.trailing_zeros();
                rows += ones(below(opens, bit));
                let before = within << 1 | open >> 63;
                *tuples = Tuples { inside: false, escape: false, open: before >> bit & 1 == 1, rows };
                return base + bit as usize;
            }
            rows += ones(opens);
            let length = BLOCK_BYTES.min(bytes.len() - base);
            escape = ESCAPES && (backslashes & !escapes) >> (length - 1) & 1 == 1;
            (inside, open) = (last(literal), last(within));
        }
        *tuples = Tuples { inside: inside != 0, escape, open: open != 0, rows };
        bytes.len()
    }
}

fn all(is: bool) -> u64 {
    if is { u64::MAX } else { 0 }
}
