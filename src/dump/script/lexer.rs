//! Finds the lines of a PostgreSQL script that are neither rows nor literals.
//!
//! The text of an end marker may stand at the start of a line inside a row
//! block, a string, a quoted name or a function body. So the lexer follows
//! just enough of the syntax that `pg_dump` writes to know which lines are
//! its own:
//!
//! 1. After a line that begins with `COPY ` and ends in ` FROM stdin;` come
//!    rows, up to a line `\.`. `pg_dump` escapes newlines and backslashes in
//!    rows. A query may end so, too: a table can be called `stdin`. What looks
//!    so in the values of an `INSERT` is one of them.
//! 2. `'…'` and `"…"` run to the next quote of their kind. A doubled quote is
//!    an end and a beginning. Backslashes mean nothing here: `pg_dump` doubles
//!    the quote in every kind of string, and never escapes it with `\`.
//! 3. `$tag$…$tag$` runs to its own tag.
//! 4. `--` is a comment and `\` a command at the start of a line only; both
//!    end with the line, whatever quotes they hold.
//!
//! Cost: this sees every byte of every dump. Rows are searched for their end
//! while their lines are counted; elsewhere each step is one search for the next byte that
//! can matter. Memory: the head of the current line, and a dollar
//! tag, both bounded.

mod copy;

use memchr::{memchr, memchr3};

use super::rows::{self, ROWS_END};
use super::sink::Sink;
use super::values::{FIRST_OF_MANY, Values};
use crate::dump::blocks::Registers;
use crate::dump::line::Line;
use crate::dump::shortfall::Seen;
use copy::CopyLine;

/// A dollar tag is an identifier; `pg_dump` makes them from a few letters. A
/// longer one is taken for code: the limit bounds what the input makes us keep.
const TAG_BYTES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    /// After `-` at the start of a line.
    Dash,
    /// In a comment or a command.
    Line,
    /// In SQL, outside literals.
    Code,
    /// In the values of an `INSERT`, inside and outside literals.
    Values,
    /// In `'…'` or `"…"`.
    Quoted(u8),
    /// After a `$` that may begin a tag.
    Tag,
    /// In a dollar-quoted body; so many bytes of the tag have matched.
    Dollar(usize),
    /// In rows; so many bytes of [`ROWS_END`] have matched.
    Rows(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Lexer {
    state: State,
    line: Line,
    values: Values,
    /// Where in this slab the statement under way begins, if its values have not been reached.
    begin: Option<usize>,
    tag: Vec<u8>,
    copy: CopyLine,
    registers: Registers,
    /// Where the slab stands in the stream.
    offset: u64,
    /// Where the line that is being kept begins.
    line_begin: u64,
}

impl Default for Lexer {
    fn default() -> Self {
        Self {
            state: State::LineStart,
            line: Line::default(),
            values: Values::default(),
            begin: None,
            tag: Vec::new(),
            copy: CopyLine::default(),
            registers: Registers::default(),
            offset: 0,
            line_begin: 0,
        }
    }
}

impl Lexer {
    /// Reads the next slab and tells `sink` what it finds.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            let rest = &bytes[at..];
            let here = self.offset + at as u64;
            // Each step returns how much it consumed: something, or nothing
            // and a state that will.
            at += match self.state {
                State::LineStart => self.line_start(bytes, at, sink),
                State::Dash => self.dash(first, sink),
                State::Line => self.line(rest, here, sink),
                State::Code => self.code(bytes, at, sink),
                State::Values => self.values(bytes, at, sink),
                State::Quoted(quote) => self.quoted(quote, rest, sink),
                State::Tag => self.tag(first, sink),
                State::Dollar(matched) => self.dollar(matched, rest),
                State::Rows(matched) => self.rows(matched, rest, here, sink),
            };
        }
        self.copy.remember(bytes);
        self.begin = None;
        self.offset += bytes.len() as u64;
    }

    /// What the stream is in the middle of, if it ends here.
    pub(super) fn unfinished(&self) -> Option<Seen> {
        match self.state {
            State::LineStart => None,
            State::Values if self.values.in_literal() => Some(Seen::Literal),
            State::Dash | State::Line | State::Code | State::Values | State::Tag => Some(Seen::Line),
            State::Quoted(_) | State::Dollar(_) => Some(Seen::Literal),
            State::Rows(_) => Some(Seen::Rows),
        }
    }

    fn line_start(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let here = self.offset + at as u64;
        self.line_begin = here;
        self.copy.leave();
        match bytes[at] {
            b'\n' => sink.blank(),
            b'-' => self.state = State::Dash,
            b'\\' => {
                self.line.clear();
                self.state = State::Line;
                return 0;
            }
            _ => {
                if let Some(head) = self.values.head_of(&bytes[at..])
                    && sink.repeat(here)
                {
                    self.values.repeat();
                    sink.values(0, last_of(&bytes[at..at + head]));
                    self.state = State::Values;
                    return head;
                }
                self.statement(Some(at), sink);
                self.copy.begin();
                return 0;
            }
        }
        1
    }

    /// A line of SQL begins; at `at`, if it does so in this slab.
    fn statement(&mut self, at: Option<usize>, sink: &mut impl Sink) {
        if sink.statement(self.line_begin) {
            self.values.forget();
            self.begin = at;
        }
        self.state = State::Code;
    }

    fn dash(&mut self, second: u8, sink: &mut impl Sink) -> usize {
        if second == b'-' {
            self.line.clear();
            self.line.extend(b"-");
            self.state = State::Line;
        } else {
            self.statement(None, sink);
            sink.code(b"-");
        }
        0
    }

    fn line(&mut self, rest: &[u8], here: u64, sink: &mut impl Sink) -> usize {
        let Some(end) = memchr(b'\n', rest) else {
            self.line.extend(rest);
            return rest.len();
        };
        self.line.extend(&rest[..end]);
        let after = here + end as u64 + 1;
        if self.line.is_command() {
            sink.command(&self.line, self.line_begin, after);
        } else {
            sink.comment(&self.line, self.line_begin, after);
        }
        self.state = State::LineStart;
        end + 1
    }

    fn code(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        if sink.in_values() {
            self.state = State::Values;
            return self.many_rows(bytes, at, sink);
        }
        let rest = &bytes[at..];
        self.copy.follow(rest);
        let stop = next_in_code(rest);
        let code = &rest[..stop.unwrap_or(rest.len())];
        if let Some(values) = sink.code(code) {
            // A row begins, too.
            let values = values + usize::from(code[..values].last() != Some(&b'(') && code.get(values) == Some(&b'('));
            let begin = self.begin.take();
            self.values.begin(&bytes[begin.unwrap_or(at)..at + values], begin.is_some());
            sink.values(0, last_of(&code[..values]));
            return values;
        }
        match stop {
            Some(stop) => stop + self.stop_in_code(bytes, at + stop, sink),
            None => rest.len(),
        }
    }

    /// At the values of a statement, which begin with a line: how much of it is its head, if it can be told by that.
    fn many_rows(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let Some(begin) = self.begin.take() else { return 0 };
        let end = at - 1 + FIRST_OF_MANY.len();
        match bytes.get(begin..end) {
            Some(head) if head.ends_with(FIRST_OF_MANY) => {
                self.values.begin(head, true);
                sink.values(0, Some(b'('));
                end - at
            }
            _ => 0,
        }
    }

    /// In SQL, at what may be more than code.
    fn stop_in_code(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let after = self.offset + at as u64 + 1;
        self.state = match bytes[at] {
            b'\n' if self.copy.ends_at(&bytes[..at]) && !sink.has_values() => {
                sink.rows_begin(after);
                State::Rows(1)
            }
            b'\n' => {
                sink.line_end(after);
                State::LineStart
            }
            b'$' => {
                self.tag.clear();
                self.tag.push(b'$');
                State::Tag
            }
            quote => {
                sink.quote(quote);
                State::Quoted(quote)
            }
        };
        1
    }

    fn values(&mut self, bytes: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let passed = self.values.scan(bytes, at);
        if let Some(end) = passed.ended {
            sink.repeated(self.offset + end as u64, passed.before);
        }
        let since = &bytes[passed.ended.map_or(at, |end| end.max(at))..passed.at];
        let last = match self.values.in_literal() {
            true => Some(b'\''),
            false => last_of(since),
        };
        sink.values(passed.behind, last);
        let stopped = passed.at < bytes.len();
        passed.at - at + if stopped { self.stop_in_code(bytes, passed.at, sink) } else { 0 }
    }

    fn quoted(&mut self, quote: u8, rest: &[u8], sink: &mut impl Sink) -> usize {
        let Some(end) = memchr(quote, rest) else {
            sink.quoted(rest);
            return rest.len();
        };
        sink.quoted(&rest[..end]);
        self.state = State::Code;
        end + 1
    }

    fn tag(&mut self, byte: u8, sink: &mut impl Sink) -> usize {
        let first = self.tag.len() == 1;
        let fits = self.tag.len() < TAG_BYTES_MAX;
        // `$1` is a parameter.
        let letter = byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii();
        if byte == b'$' {
            self.tag.push(byte);
            self.state = State::Dollar(0);
            sink.quote(b'$');
            1
        } else if fits && (letter || (byte.is_ascii_digit() && !first)) {
            self.tag.push(byte);
            1
        } else {
            sink.code(&self.tag);
            self.state = State::Code;
            0
        }
    }

    /// A tag has `$` at its ends only, so after a mismatch the match begins
    /// anew at this very byte, or not at all.
    fn dollar(&mut self, mut matched: usize, rest: &[u8]) -> usize {
        let mut at = 0;
        while at < rest.len() {
            if matched == 0 {
                match memchr(b'$', &rest[at..]) {
                    Some(found) => at += found,
                    None => break,
                }
            }
            matched = step(&self.tag, matched, rest[at]);
            at += 1;
            if matched == self.tag.len() {
                self.state = State::Code;
                return at;
            }
        }
        self.state = State::Dollar(matched);
        rest.len()
    }

    fn rows(&mut self, mut matched: usize, rest: &[u8], here: u64, sink: &mut impl Sink) -> usize {
        let mut at = 0;
        // What an earlier slab, or the line before the rows, began.
        while matched > 0 && at < rest.len() {
            matched = step(ROWS_END, matched, rest[at]);
            at += 1;
            sink.rows(u64::from(rest[at - 1] == b'\n'));
            if matched == ROWS_END.len() {
                return self.end_rows(at, here, sink);
            }
        }
        if matched == 0 {
            let found = rows::scan(self.registers, &rest[at..]);
            sink.rows(found.lines);
            if let Some(end) = found.end {
                return self.end_rows(at + end, here, sink);
            }
            matched = overlap(&rest[at..], ROWS_END);
        }
        self.state = State::Rows(matched);
        rest.len()
    }

    fn end_rows(&mut self, length: usize, here: u64, sink: &mut impl Sink) -> usize {
        sink.rows_end(here + length as u64);
        self.state = State::LineStart;
        length
    }
}

/// Where the next byte stands that can matter in SQL.
fn next_in_code(rest: &[u8]) -> Option<usize> {
    let stop = memchr3(b'\n', b'\'', b'"', rest);
    let before = &rest[..stop.unwrap_or(rest.len())];
    memchr(b'$', before).or(stop)
}

/// The last byte that is not white space.
fn last_of(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Matches one more byte of a needle whose first byte does not recur where a
/// longer match could begin: both needles here are of that kind.
fn step(needle: &[u8], matched: usize, byte: u8) -> usize {
    if needle.get(matched) == Some(&byte) { matched + 1 } else { usize::from(needle.first() == Some(&byte)) }
}

/// How many bytes at the end of `bytes` may be the beginning of `needle`.
fn overlap(bytes: &[u8], needle: &[u8]) -> usize {
    (1..needle.len()).rev().find(|&len| bytes.ends_with(&needle[..len])).unwrap_or(0)
}

#[cfg(test)]
mod tests;
