//! Goes through the values of `INSERT` statements, a block of 64 bytes at a time.
//!
//! Such statements may be most of a dump, and nothing in them matters but where they end and how many rows they hold. Both need to know what
//! is inside a literal: every quote begins or ends one, so a byte is inside when an odd number of quotes stands before it, and that is an
//! exclusive or over all the bits before its own.
//!
//! What outside literals is neither a value nor the end of a line is rare. Here the scanner stops, and its caller takes over.

use crate::dump::blocks::{BLOCK_BYTES, Block, Registers, Scan, below, last, ones, padded};

/// A longer head than this, which has all the columns of a wide table, is not kept.
const HEAD_BYTES_MAX: usize = 16_384;

/// The values of a statement, and of those behind it that begin as it did.
#[derive(Clone, Debug)]
pub(super) struct Values {
    registers: Registers,
    /// What the statement began with, up to its values; empty if that is not known, or the next one may not be told by it.
    head: Vec<u8>,
    /// The head again, as far as it fits.
    head_block: [u8; BLOCK_BYTES],
    /// Opening parentheses in the head that are not those of a row.
    head_parens: u64,
    /// All ones inside a literal.
    inside: u64,
    /// Rows of the statement under way.
    rows: u64,
    /// The statement under way begins as the one before.
    alike: bool,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            registers: Registers::default(),
            head: Vec::new(),
            head_block: [0; BLOCK_BYTES],
            head_parens: 0,
            inside: 0,
            rows: 0,
            alike: false,
        }
    }
}

/// Where a scan came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// Where it stopped: at the end of a line, at what it does not know, or at the end of the slab.
    pub(super) at: usize,
    /// Where the last statement ended that another one like it follows.
    pub(super) ended: Option<usize>,
    /// Rows of those that ended.
    pub(super) rows: u64,
}

/// Statements that ended.
#[derive(Clone, Copy, Default)]
struct Ends {
    count: u64,
    /// Where the last of them does.
    end: usize,
    /// Up to where the head of the next one is known.
    from: usize,
}

/// What a newline outside literals is.
enum Newline {
    /// Between two rows of a statement.
    Inside,
    /// Between two statements that begin alike.
    Between,
    /// Something else, which the caller looks at.
    Other,
}

impl Values {
    /// A statement begins whose head is not known.
    pub(super) fn forget(&mut self) {
        self.head.clear();
        self.rows = 0;
        self.alike = false;
    }

    /// The values of a statement begin that began with `head`, and with a parenthesis at its end the first row. If only the end of the head is
    /// there, nothing is told by it.
    pub(super) fn begin(&mut self, head: &[u8], whole: bool) {
        self.forget();
        self.rows = u64::from(head.ends_with(b"("));
        // Of a statement that begins so nothing but its rows is to be found out: it has one, and neither literals nor lines before it.
        let plain =
            self.rows == 1 && head.len() <= HEAD_BYTES_MAX && !head.iter().any(|byte| matches!(byte, b'\'' | b'\n'));
        if whole && plain {
            self.head.extend_from_slice(head);
            let fits = head.len().min(BLOCK_BYTES);
            self.head_block[..fits].copy_from_slice(&head[..fits]);
            self.head_parens = head.iter().filter(|byte| **byte == b'(').count() as u64 - self.rows;
        }
    }

    /// How long the head of the statement before is, where these bytes begin with it.
    pub(super) fn head_of(&self, statement: &[u8]) -> Option<usize> {
        (!self.head.is_empty() && statement.starts_with(&self.head)).then_some(self.head.len())
    }

    /// The values of a statement begin that has the head of the one before.
    pub(super) fn repeat(&mut self) {
        self.rows = 1;
        self.alike = true;
    }

    /// Rows of the statement under way.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether it is inside a literal.
    pub(super) fn in_literal(&self) -> bool {
        self.inside != 0
    }

    /// Goes on at `from`. Of statements that begin as the one before, any number is passed in one go.
    #[inline(never)]
    pub(super) fn scan(&mut self, bytes: &[u8], from: usize) -> Passed {
        self.registers.run(Pass { values: self, bytes, from })
    }

    /// Tells parentheses that are rows from those of heads: `counted` opened up to `at`, and of these `later` behind the last end.
    fn passed(&mut self, at: usize, ends: &Ends, counted: u64, later: u64) -> Passed {
        if ends.count == 0 {
            self.rows += counted;
            return Passed { at, ended: None, rows: 0 };
        }
        let rows = self.rows + counted - later - (ends.count - 1) * self.head_parens;
        self.rows = later - self.head_parens;
        Passed { at, ended: Some(ends.end), rows }
    }
}

/// The values go by from `from` on.
struct Pass<'a> {
    values: &'a mut Values,
    bytes: &'a [u8],
    from: usize,
}

impl Scan for Pass<'_> {
    type Found = Passed;

    #[inline(always)]
    fn go<B: Block>(self, proof: B::Proof) -> Passed {
        let Pass { values, bytes, from } = self;
        let mut way = Way::<B> {
            values,
            bytes,
            proof,
            head: B::new(proof, &values.head_block),
            inside: values.inside,
            counted: 0,
            ends: Ends { from, ..Ends::default() },
        };
        let (blocks, rest) = bytes.get(from..).unwrap_or_default().as_chunks();
        let (mut base, mut stopped) = (from, None);
        for block in blocks {
            stopped = way.step(B::new(proof, block), base);
            if stopped.is_some() {
                break;
            }
            base += BLOCK_BYTES;
        }
        if stopped.is_none() && !rest.is_empty() {
            stopped = way.step(B::new(proof, &padded(rest)), base);
        }
        let Way { inside, counted, ends, .. } = way;
        let at = stopped.unwrap_or(bytes.len());
        let later = if ends.count > 0 { opened::<B>(proof, &bytes[ends.end..at]) } else { 0 };
        values.inside = if stopped.is_some() { 0 } else { inside };
        values.passed(at, &ends, counted, later)
    }
}

/// Parentheses that open outside literals in what begins outside.
#[inline(always)]
fn opened<B: Block>(proof: B::Proof, bytes: &[u8]) -> u64 {
    let (mut counted, mut inside) = (0, 0);
    let mut step = |block: B| {
        let literal = block.odd(block.is(b'\'')) ^ inside;
        counted += ones(block.is(b'(') & !literal);
        inside = last(literal);
    };
    let (blocks, rest) = bytes.as_chunks();
    blocks.iter().for_each(|block| step(B::new(proof, block)));
    step(B::new(proof, &padded(rest)));
    counted
}

/// What is known between two blocks.
struct Way<'a, B: Block> {
    values: &'a Values,
    bytes: &'a [u8],
    proof: B::Proof,
    /// What the head begins with.
    head: B,
    /// All ones inside a literal.
    inside: u64,
    /// Parentheses that opened.
    counted: u64,
    ends: Ends,
}

impl<B: Block> Way<'_, B> {
    /// Goes over the block at `base`. When there is something in it that is not for this scanner, where that is.
    #[inline(always)]
    fn step(&mut self, block: B, base: usize) -> Option<usize> {
        let literal = block.odd(block.is(b'\'')) ^ self.inside;
        let open = block.is(b'(') & !literal;
        let mut stops = (block.is(b'\n') | block.is(b'"') | block.is(b'$')) & !literal;
        while stops != 0 {
            let bit = stops.trailing_zeros();
            let at = base + bit as usize;
            stops &= stops - 1;
            if at < self.ends.from {
                continue;
            }
            match self.newline(at) {
                Newline::Inside => {}
                Newline::Between => {
                    self.ends = Ends { count: self.ends.count + 1, end: at + 1, from: at + 1 + self.values.head.len() }
                }
                Newline::Other => {
                    self.counted += ones(below(open, bit));
                    return Some(at);
                }
            }
        }
        self.counted += ones(open);
        self.inside = last(literal);
        None
    }

    /// What stands at `at`, outside literals.
    #[inline(always)]
    fn newline(&self, at: usize) -> Newline {
        let (Some(before), Some([b'\n', after @ ..])) = (at.checked_sub(2), self.bytes.get(at..)) else {
            return Newline::Other;
        };
        match (self.bytes[before], self.bytes[at - 1], after.first()) {
            (_, b',', Some(b'(' | b'\t')) => Newline::Inside,
            // Not `FROM stdin;`, which begins rows of another kind.
            (b')' | b'G', b';', _) if self.values.alike && self.is_head(after) => Newline::Between,
            _ => Newline::Other,
        }
    }

    /// Whether a statement begins with the head.
    #[inline(always)]
    fn is_head(&self, statement: &[u8]) -> bool {
        let head = &self.values.head;
        match statement.first_chunk() {
            Some(block) if head.len() <= BLOCK_BYTES => {
                let wanted = u64::MAX >> (BLOCK_BYTES - head.len().max(1));
                B::new(self.proof, block).same(self.head) & wanted == wanted
            }
            _ => statement.starts_with(head),
        }
    }
}

#[cfg(test)]
mod tests;
