//! Goes through the values of `INSERT` statements, a block of 64 bytes at a time.
//!
//! Such statements may be most of a dump, and nothing in them matters but where they end and how many rows they hold. Both need to know what
//! is inside a literal: every quote begins or ends one, so a byte is inside when an odd number of quotes stands before it, and that is an
//! exclusive or over all the bits before its own.
//!
//! What outside literals is neither a value nor the end of a line is rare. Here the scanner stops, and its caller takes over.

use crate::dump::blocks::{BLOCK_BYTES, Block, Registers, Scan, below, block_at, last, odd, ones};

/// A longer head than this, which has all the columns of a wide table, is not kept.
const HEAD_BYTES_MAX: usize = 16_384;

/// What else begins a literal. The scanner stops there.
const STRANGE: [u8; 2] = [b'"', b'$'];

/// The values of a statement, and of those behind it that begin as it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    registers: Registers,
    /// What the statement began with, up to its values; empty if that is not known, or the next one may not be told by it.
    head: Vec<u8>,
    /// Opening parentheses in the head that are not those of a row.
    head_parens: u64,
    /// All ones inside a literal.
    inside: u64,
    /// Rows of the statement under way.
    rows: u64,
    /// The statement under way begins as the one before.
    alike: bool,
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
    /// Parentheses up to the block with that end, and those of it before the end.
    counted: u64,
    earlier: u64,
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

    /// Tells parentheses that are rows from those of heads.
    fn passed(&mut self, at: usize, ends: &Ends, counted: u64) -> Passed {
        if ends.count == 0 {
            self.rows += counted;
            return Passed { at, ended: None, rows: 0 };
        }
        let ended = ends.counted + ones(ends.earlier);
        let rows = self.rows + ended - (ends.count - 1) * self.head_parens;
        self.rows = counted - ended - self.head_parens;
        Passed { at, ended: Some(ends.end), rows }
    }

    /// What stands at `at`, outside literals.
    #[inline]
    fn newline(&self, bytes: &[u8], at: usize) -> Newline {
        let (Some(before), Some([b'\n', after @ ..])) = (at.checked_sub(2), bytes.get(at..)) else {
            return Newline::Other;
        };
        match (bytes[before], bytes[at - 1], after.first()) {
            (_, b',', Some(b'(' | b'\t')) => Newline::Inside,
            // Not `FROM stdin;`, which begins rows of another kind.
            (b')' | b'G', b';', _) if self.alike && after.starts_with(&self.head) => Newline::Between,
            _ => Newline::Other,
        }
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
        let mut ends = Ends { from, ..Ends::default() };
        let (mut inside, mut counted) = (values.inside, 0);
        for base in (from..bytes.len()).step_by(BLOCK_BYTES) {
            let block: B = block_at(proof, bytes, base);
            let literal = odd(block.is(b'\'')) ^ inside;
            let open = block.is(b'(') & !literal;
            let mut stops = (block.is(b'\n') | block.is_any(STRANGE)) & !literal;
            while stops != 0 {
                let bit = stops.trailing_zeros();
                stops &= stops - 1;
                let at = base + bit as usize;
                if at < ends.from {
                    continue;
                }
                let earlier = below(open, bit);
                match values.newline(bytes, at) {
                    Newline::Inside => {}
                    Newline::Between => {
                        ends = Ends {
                            count: ends.count + 1,
                            end: at + 1,
                            from: at + 1 + values.head.len(),
                            counted,
                            earlier,
                        }
                    }
                    Newline::Other => {
                        values.inside = 0;
                        return values.passed(at, &ends, counted + ones(earlier));
                    }
                }
            }
            counted += ones(open);
            inside = last(literal);
        }
        values.inside = inside;
        values.passed(bytes.len(), &ends, counted)
    }
}

#[cfg(test)]
mod tests;
