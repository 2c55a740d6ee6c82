//! Goes through the values of `INSERT` statements, blocks of 64 bytes at a time.
//!
//! Such statements may be most of a dump, and nothing in them matters but where they end and how many lines they have, of which each is a row. Both need to know
//! what is inside a literal: every quote begins or ends one, so a byte is inside when an odd number of quotes stands before it, and that is an
//! exclusive or over all the bits before its own.
//!
//! What outside literals is neither a value nor the end of a line is rare. Here the scanner stops, and its caller takes over.

use crate::dump::blocks::{BLOCK_BYTES, Block, Registers, Scan, Set, ones, padded};

/// What outside literals ends a line, or is not for this scanner.
static STOPS: Set = Set::new(b"\n\"$");

/// A longer head than this, which has all the columns of a wide table, is not kept.
const HEAD_BYTES_MAX: usize = 16_384;

/// What ends a statement, before the head of the next one.
const END: &[u8; 2] = b";\n";

/// What stands between `VALUES` and the first of many rows.
pub(super) const FIRST_OF_MANY: &[u8; 3] = b"\n\t(";

/// The values of a statement, and of those behind it that begin as it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    registers: Registers,
    /// The end of a statement, and what the one under way began with, up to its values; empty if that is not known, or the next one may not be told by it.
    head: Vec<u8>,
    /// Inside a literal.
    inside: bool,
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
    /// Lines that ended up to there, that of each end among them.
    pub(super) before: u64,
    /// Lines that ended behind it.
    pub(super) behind: u64,
}

impl Values {
    /// A statement begins whose head is not known.
    pub(super) fn forget(&mut self) {
        self.head.clear();
        self.alike = false;
    }

    /// The values of a statement begin that began with `head`, and with a parenthesis at its end the first row. If only the end of the head is
    /// there, nothing is told by it.
    pub(super) fn begin(&mut self, head: &[u8], whole: bool) {
        self.forget();
        // Of a statement that begins so nothing but its rows is to be found out: it has one, and neither literals nor lines before it, but for
        // the line that ends before the first of many rows.
        let words = head.strip_suffix(FIRST_OF_MANY).or(head.strip_suffix(b"("));
        let plain = words.is_some_and(|words| !words.iter().any(|byte| matches!(byte, b'\'' | b'\n')));
        if whole && plain && head.len() <= HEAD_BYTES_MAX {
            self.head.extend_from_slice(END);
            self.head.extend_from_slice(head);
        }
    }

    /// How long the head of the statement before is, where these bytes begin with it.
    pub(super) fn head_of(&self, statement: &[u8]) -> Option<usize> {
        let head = self.head.get(END.len()..)?;
        statement.starts_with(head).then_some(head.len())
    }

    /// The values of a statement begin that has the head of the one before.
    pub(super) fn repeat(&mut self) {
        self.alike = true;
    }

    /// Whether it is inside a literal.
    pub(super) fn in_literal(&self) -> bool {
        self.inside
    }

    /// Goes on at `from`. Of statements that begin as the one before, any number is passed in one go.
    #[inline(never)]
    pub(super) fn scan(&mut self, bytes: &[u8], from: usize) -> Passed {
        self.registers.run(Pass { values: self, bytes, from })
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
        let mut way = Way::<B>::new(proof, values, bytes);
        let (mut blocks, rest) = bytes.get(from..).unwrap_or_default().as_chunks();
        let mut found = Found { quotes: [0; _], stops: [0; _] };
        let (mut base, mut size, mut stopped) = (from, GROUP_FIRST, None);
        while stopped.is_none() && !blocks.is_empty() {
            let (group, after) = blocks.split_at(size.min(blocks.len()));
            stopped = match <&[_; GROUP]>::try_from(group) {
                // Compiled for its length.
                Ok(whole) => way.group(whole, base, &mut found),
                Err(_) => way.group(group, base, &mut found),
            };
            base += group.len() * BLOCK_BYTES;
            (blocks, size) = (after, GROUP.min(2 * size));
        }
        if stopped.is_none() && !rest.is_empty() {
            stopped = way.group(&[padded(rest)], base, &mut found);
        }
        let Way { quotes, lines, ended, lines_ended, .. } = way;
        values.inside = stopped.is_none() && ones(quotes) % 2 == 1;
        Passed {
            at: stopped.unwrap_or(bytes.len()),
            ended: (ended > 0).then_some(ended),
            before: lines_ended,
            behind: lines - lines_ended,
        }
    }
}

/// Blocks that are gone over before what stands in them is looked at: one for each bit of a number.
const GROUP: usize = u64::BITS as usize;
/// Blocks of the first group: a scan may be short.
const GROUP_FIRST: usize = 2;

/// What stands in the blocks of a group.
struct Found {
    /// What the quotes are before each block, and behind the last one.
    quotes: [u64; GROUP + 1],
    stops: [u64; GROUP],
}

/// The way through the values.
struct Way<'a, B: Block> {
    proof: B::Proof,
    bytes: &'a [u8],
    /// Empty when no statement is told by it.
    head: &'a [u8],
    /// What it begins with, and which bits those are; of an empty one zeros, which no statement begins with.
    head_block: B,
    head_bits: u64,
    /// Where in their blocks all quotes stood, exclusive or: an odd number of ones inside a literal.
    quotes: u64,
    /// Lines that ended.
    lines: u64,
    /// Where the last statement ended, if one did, and how many lines had up to there.
    ended: usize,
    lines_ended: u64,
}

impl<'a, B: Block> Way<'a, B> {
    #[inline(always)]
    fn new(proof: B::Proof, values: &'a Values, bytes: &'a [u8]) -> Self {
        let head: &[u8] = if values.alike { &values.head } else { &[] };
        let fits = &head[..head.len().min(BLOCK_BYTES)];
        Way {
            proof,
            bytes,
            head,
            head_block: B::new(proof, &padded(fits)),
            head_bits: u64::MAX.checked_shr((BLOCK_BYTES - fits.len()) as u32).unwrap_or(u64::MAX),
            quotes: u64::from(values.inside),
            lines: 0,
            ended: 0,
            lines_ended: 0,
        }
    }

    /// Goes over the blocks at `base`. When there is something in them that is not for this scanner, where that is.
    ///
    /// A line ends in every block or two, and no processor can guess in which. So all are gone over in the same steps first; of those in which there is
    /// something, most have one stop, and almost all turn out the same.
    #[inline(always)]
    fn group(&mut self, group: &[[u8; BLOCK_BYTES]], base: usize, found: &mut Found) -> Option<usize> {
        let (mut some, mut quotes) = (0_u64, self.quotes);
        for (number, block) in group.iter().enumerate() {
            let block = B::new(self.proof, block);
            found.quotes[number] = quotes;
            quotes ^= block.is(b'\'');
            let stops = block.find(&STOPS);
            found.stops[number] = stops;
            some |= u64::from(stops != 0) << number;
        }
        found.quotes[group.len()] = quotes;
        self.quotes = quotes;
        while some != 0 {
            let number = some.trailing_zeros() as usize;
            let before = found.quotes[number];
            let quotes = before ^ found.quotes[number + 1];
            let literal = self.head_block.odd(quotes) ^ 0_u64.wrapping_sub(ones(before) & 1);
            let mut stops = found.stops[number] & !literal;
            while stops != 0 {
                let at = base + number * BLOCK_BYTES + stops.trailing_zeros() as usize;
                if !self.goes_on(at) && !self.in_head(at) {
                    return Some(at);
                }
                stops &= stops - 1;
            }
            some &= some - 1;
        }
        None
    }

    /// Whether what stands at `at` is between two rows, or two statements that begin alike.
    #[inline(always)]
    fn goes_on(&mut self, at: usize) -> bool {
        let Some(around) = self.bytes.get(at.wrapping_sub(1)..) else { return false };
        if self.is_head(around) {
            self.lines += 1;
            (self.ended, self.lines_ended) = (at + 1, self.lines);
            return true;
        }
        let between = matches!(around, [b',', b'\n', b'(' | b'\t', ..]);
        self.lines += u64::from(between);
        between
    }

    /// Whether `at` is in the head of a statement that is told by it.
    #[inline(always)]
    fn in_head(&self, at: usize) -> bool {
        self.ended > 0 && at < self.ended + self.head.len() - END.len()
    }

    /// Whether a statement ends, and the next one begins with the head.
    #[inline(always)]
    fn is_head(&self, around: &[u8]) -> bool {
        match around.first_chunk() {
            Some(block) => {
                let same = B::new(self.proof, block).same(self.head_block) & self.head_bits == self.head_bits;
                same && (self.head.len() <= BLOCK_BYTES || around.starts_with(self.head))
            }
            None => !self.head.is_empty() && around.starts_with(self.head),
        }
    }
}

#[cfg(test)]
mod tests;
