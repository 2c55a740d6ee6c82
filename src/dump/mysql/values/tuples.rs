//! Values as the tools write them: rows in parentheses, one after another, in them numbers and strings between single quotes. A block of 64
//! bytes at a time; what is anything else is left to the caller, which knows the rest of the language.

use crate::dump::blocks::{BLOCK_BYTES, Block, Scan, Set, below, escaped, last, ones, padded};

/// What outside strings is not for this scanner, a dash only where another one may follow.
static STRANGE: Set = Set::new(b";#/\"`-\\");

/// What is known between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuples {
    /// In a string.
    pub(super) inside: bool,
    /// Behind a backslash in it.
    pub(super) escape: bool,
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
        let mut way = Way::<ESCAPES>::after(tuples);
        let (blocks, rest) = bytes.as_chunks();
        for (number, block) in blocks.iter().enumerate() {
            if let Some((bit, stopped)) = way.step(B::new(proof, block), BLOCK_BYTES) {
                *tuples = stopped;
                return number * BLOCK_BYTES + bit;
            }
        }
        if !rest.is_empty()
            && let Some((bit, stopped)) = way.step(B::new(proof, &padded(rest)), rest.len())
        {
            *tuples = stopped;
            return blocks.len() * BLOCK_BYTES + bit;
        }
        *tuples = way.tuples();
        bytes.len()
    }
}

/// The same as [`Tuples`], as bits of a block.
struct Way<const ESCAPES: bool> {
    /// All ones in a string.
    inside: u64,
    /// 1 behind a backslash in it.
    escape: u64,
    rows: u64,
}

impl<const ESCAPES: bool> Way<ESCAPES> {
    #[inline(always)]
    fn after(tuples: &Tuples) -> Self {
        let Tuples { inside, escape, rows } = *tuples;
        Self { inside: if inside { u64::MAX } else { 0 }, escape: u64::from(escape), rows }
    }

    #[inline(always)]
    fn tuples(&self) -> Tuples {
        Tuples { inside: self.inside != 0, escape: self.escape != 0, rows: self.rows }
    }

    /// Goes over a block of which `length` bytes are there. When there is something in it that it does not know, where that is and what is known
    /// before it.
    #[inline(always)]
    fn step<B: Block>(&mut self, block: B, length: usize) -> Option<(usize, Tuples)> {
        let (mut quotes, strange) = (block.is(b'\''), block.find(&STRANGE));
        let mut escape = 0;
        if ESCAPES {
            let backslashes = block.is(b'\\');
            let mut escapes = backslashes << 1 | self.escape;
            // One by itself escapes what follows. To find out which of several do takes longer than all the rest.
            if backslashes & escapes != 0 {
                escapes = escaped(backslashes, self.escape);
            }
            escape = (backslashes & !escapes) >> (length - 1) & 1;
            quotes &= !escapes;
        }
        let literal = block.odd(quotes) ^ self.inside;
        let opens = block.is(b'(') & !literal;
        let mut stops = strange & !literal;
        if stops != 0 {
            let dashes = block.is(b'-');
            // One by itself is a sign.
            stops &= !dashes | dashes >> 1 | 1 << (length - 1);
        }
        if stops != 0 {
            let bit = stops.trailing_zeros();
            let rows = self.rows + ones(below(opens, bit));
            return Some((bit as usize, Tuples { inside: false, escape: false, rows }));
        }
        self.rows += ones(opens);
        (self.inside, self.escape) = (last(literal), escape);
        None
    }
}
