//! Finds the statements of a script of mysqldump, as the client does that reads it back.
//!
//! 1. A statement runs up to the delimiter, outside literals and comments.
//! 2. `/*!40101` and its `*/` are white space to the client: what stands
//!    between them are statements, quotes and delimiters like any other.
//! 3. `'…'`, `"…"` and `` `…` `` run to the next quote of their kind, but for
//!    what a backslash takes with it. A doubled quote is an end and a beginning.
//! 4. Between statements a line may be a comment or a `DELIMITER` of its own.
//!
//! Cost: this sees every byte of every dump. The values of an `INSERT` are
//! searched by `values`; what is left is little. Memory: the head of one line,
//! and the few bytes that a step needs to see at once and that a slab cut.

mod step;

use memchr::{memchr, memchr2};

use super::ledger::HEADS;
use super::syntax::{Letters, Syntax};
use super::values::{Found, Values};
use crate::dump::line::Line;
use crate::dump::shortfall::Seen;
use step::{Opening, opening, prefix};

/// No step needs to see more bytes at once.
const AHEAD_BYTES: usize = 32;

/// The client keeps no longer ones.
const DELIMITER_BYTES_MAX: usize = 16;

/// Both spellings of the line that keeps a dump from running commands.
const SANDBOX: [&[u8]; 2] = [b"/*M!999999\\-", b"/*!999999\\-"];

/// What a line by itself, between two statements, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnLine {
    Comment,
    /// A line that keeps the dump from running commands.
    Sandbox,
    /// `DELIMITER`; `plain` when it is `;` from now on.
    Delimiter {
        plain: bool,
    },
}

/// Who is told what stands where. Offsets are those of the stream.
pub(super) trait Sink {
    /// A whole line, between two statements.
    fn own_line(&mut self, kind: OwnLine, line: &Line, begin: u64, end: u64);
    /// A statement begins, on the line that begins at `begin`.
    fn statement(&mut self, begin: u64);
    /// SQL outside literals. What comes back is less than all of it when the values of an `INSERT` begin there.
    fn code(&mut self, bytes: &[u8]) -> usize;
    /// A literal between these quotes begins.
    fn quote(&mut self, quote: u8);
    /// Some of what is between quotes.
    fn quoted(&mut self, bytes: &[u8]);
    /// A statement with so many rows ends; how to read on comes back.
    fn end(&mut self, rows: u64) -> Syntax;
    /// Another dump begins inside the statement.
    fn intrusion(&mut self);
    /// The line on which the last statement ended ends, and no other one has begun.
    fn line_end(&mut self, end: u64);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// In a line by itself, which is kept.
    Own(OwnLine),
    /// In SQL, outside literals.
    Code,
    /// In a literal between these quotes.
    Quoted(u8),
    /// In a comment that ends with the line; `open` when a statement goes on behind it.
    Rest { open: bool },
    /// In a comment that `*/` ends.
    Block { open: bool },
}

#[derive(Clone, Debug)]
pub(super) struct Lexer {
    state: State,
    syntax: Syntax,
    delimiter: Vec<u8>,
    values: Option<Values>,
    line: Line,
    /// What a slab cut.
    carry: Vec<u8>,
    /// Where the next byte stands in the stream.
    offset: u64,
    /// Where the line begins on which nothing, or the next statement, stands.
    line_begin: u64,
    /// A statement has ended on it.
    ended: bool,
}

impl Default for Lexer {
    fn default() -> Self {
        Self {
            state: State::Between,
            syntax: Syntax::default(),
            delimiter: b";".to_vec(),
            values: None,
            line: Line::default(),
            carry: Vec::new(),
            offset: 0,
            line_begin: 0,
            ended: false,
        }
    }
}

impl Lexer {
    /// Reads the next slab and tells `sink` what it finds.
    pub(super) fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        if !self.carry.is_empty() {
            let before = self.carry.len();
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(&bytes[..bytes.len().min(AHEAD_BYTES)]);
            let used = self.feed(&joined, sink);
            if bytes.len() <= AHEAD_BYTES {
                joined.drain(..used);
                self.carry = joined;
                return;
            }
            debug_assert!(used >= before, "a step that has to see more than {AHEAD_BYTES} bytes");
            bytes = &bytes[used - before..];
        }
        let used = self.feed(bytes, sink);
        self.carry.extend_from_slice(&bytes[used..]);
    }

    /// What the stream is in the middle of, if it ends here.
    pub(super) fn unfinished(&self) -> Option<Seen> {
        let values = self.values.as_ref();
        match self.state {
            State::Between if self.carry.is_empty() && self.offset == self.line_begin => None,
            State::Quoted(_) => Some(Seen::Literal),
            State::Code if values.is_some_and(Values::in_literal) => Some(Seen::Literal),
            State::Code => Some(Seen::Statement),
            State::Block { .. } => Some(Seen::CommentBlock),
            State::Between | State::Own(_) | State::Rest { .. } => Some(Seen::Line),
        }
    }

    /// Reads as much as can be told without seeing what follows.
    fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            // Each step returns how much it consumed, or that it has to see more; nothing, when it has changed the state.
            let passed = match self.state {
                State::Between => self.between(rest, sink),
                State::Own(kind) => Some(self.own_line(kind, rest, sink)),
                State::Code => self.code(rest, sink),
                State::Quoted(quote) => self.quoted(quote, rest, sink),
                State::Rest { open } => Some(self.rest(open, rest)),
                State::Block { open } => self.block(open, rest),
            };
            let Some(passed) = passed else { break };
            at += passed;
            self.offset += passed as u64;
        }
        at
    }

    fn between(&mut self, rest: &[u8], sink: &mut impl Sink) -> Option<usize> {
        let fresh = self.offset == self.line_begin;
        match rest[0] {
            b'\n' => {
                self.line_begin = self.offset + 1;
                if std::mem::take(&mut self.ended) {
                    sink.line_end(self.line_begin);
                }
                return Some(1);
            }
            byte if byte.is_ascii_whitespace() => return Some(1),
            b'#' => self.comment(fresh),
            // Here the client does not ask for a space.
            b'-' if *rest.get(1)? == b'-' => self.comment(fresh),
            b'D' | b'd' if fresh && begins_command(rest)? => self.keep(OwnLine::Delimiter { plain: false }),
            b'/' if fresh && (prefix(rest, SANDBOX[0])? || prefix(rest, SANDBOX[1])?) => self.keep(OwnLine::Sandbox),
            b'/' if opening(rest)? == Opening::Block => {
                self.state = State::Block { open: false };
                return Some(2);
            }
            _ => {
                sink.statement(self.line_begin);
                self.state = State::Code;
            }
        }
        Some(0)
    }

    /// A comment up to the end of the line; one that begins the line is kept.
    fn comment(&mut self, fresh: bool) {
        match fresh {
            true => self.keep(OwnLine::Comment),
            false => self.state = State::Rest { open: false },
        }
    }

    fn keep(&mut self, kind: OwnLine) {
        self.line.clear();
        self.state = State::Own(kind);
    }

    fn own_line(&mut self, kind: OwnLine, rest: &[u8], sink: &mut impl Sink) -> usize {
        let Some(end) = memchr(b'\n', rest) else {
            self.line.extend(rest);
            return rest.len();
        };
        self.line.extend(&rest[..end]);
        let begin = self.line_begin;
        self.line_begin = self.offset + end as u64 + 1;
        let kind = match kind {
            OwnLine::Delimiter { .. } => {
                self.delimit();
                OwnLine::Delimiter { plain: self.delimiter == b";" }
            }
            OwnLine::Comment | OwnLine::Sandbox => kind,
        };
        sink.own_line(kind, &self.line, begin, self.line_begin);
        self.state = State::Between;
        end + 1
    }

    /// Takes the delimiter from a `DELIMITER` line; one that could be something else in SQL is none.
    fn delimit(&mut self) {
        let line = self.line.whole().unwrap_or_default();
        let word = line.get(b"DELIMITER".len()..).unwrap_or_default().trim_ascii();
        let marks = word.iter().all(|byte| byte.is_ascii_punctuation() && !b"'\"`\\*#-_".contains(byte));
        if marks && (1..=DELIMITER_BYTES_MAX).contains(&word.len()) {
            self.delimiter = word.to_vec();
        }
    }

    fn code(&mut self, rest: &[u8], sink: &mut impl Sink) -> Option<usize> {
        if let Some(values) = &mut self.values {
            match values.push(rest) {
                Found::More => return Some(rest.len()),
                Found::End(0) | Found::Odd(0) => return self.mark(rest, sink),
                Found::End(at) | Found::Odd(at) => return Some(at),
            }
        }
        let letters = self.syntax.letters;
        let first = self.delimiter[0];
        let matters = |byte: &u8| {
            matches!(byte, b'\'' | b'"' | b'`' | b'-' | b'#' | b'/' | b'*') || *byte == first || letters.leads(*byte)
        };
        let stop = rest.iter().position(matters).unwrap_or(rest.len());
        if stop == 0 {
            return self.mark(rest, sink);
        }
        let taken = sink.code(&rest[..stop]);
        if taken < stop && self.delimiter == b";" {
            self.values = Some(Values::new(self.syntax));
            return Some(taken);
        }
        // Values behind another delimiter are read like any other SQL.
        sink.code(&rest[taken..stop]);
        Some(stop)
    }

    /// A byte of SQL that may mean something.
    fn mark(&mut self, rest: &[u8], sink: &mut impl Sink) -> Option<usize> {
        let first = rest[0];
        if first == self.delimiter[0] && prefix(rest, &self.delimiter)? {
            let rows = self.values.take().map_or(0, |values| values.rows());
            self.syntax = sink.end(rows);
            (self.state, self.ended) = (State::Between, true);
            return Some(self.delimiter.len());
        }
        match first {
            b'\'' | b'"' | b'`' => {
                sink.quote(first);
                self.state = State::Quoted(first);
                return Some(1);
            }
            b'#' => self.state = State::Rest { open: true },
            b'-' if *rest.get(1)? == b'-' && rest.get(2)?.is_ascii_whitespace() => {
                // Only the body of a routine, which has another delimiter, may have comments of its own.
                if self.delimiter == b";" && (prefix(rest, HEADS[0])? || prefix(rest, HEADS[1])?) {
                    sink.intrusion();
                }
                self.state = State::Rest { open: true };
            }
            b'/' => return self.slash(rest, sink),
            b'*' if *rest.get(1)? == b'/' => return Some(self.blank(2, sink)),
            lead if self.syntax.letters.leads(lead) && Letters::trails(*rest.get(1)?) => {
                return Some(self.some(&rest[..2], sink));
            }
            _ => return Some(self.some(&rest[..1], sink)),
        }
        Some(0)
    }

    /// A slash of SQL.
    fn slash(&mut self, rest: &[u8], sink: &mut impl Sink) -> Option<usize> {
        let intrudes = prefix(rest, SANDBOX[0])? || prefix(rest, SANDBOX[1])?;
        match opening(rest)? {
            Opening::Nothing => Some(self.some(&rest[..1], sink)),
            Opening::Version(length) => {
                if intrudes {
                    sink.intrusion();
                }
                Some(self.blank(length, sink))
            }
            Opening::Block => {
                self.state = State::Block { open: true };
                Some(2)
            }
        }
    }

    /// Some SQL; what there is of values goes by unseen.
    fn some(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        if self.values.is_none() {
            sink.code(bytes);
        }
        bytes.len()
    }

    /// So many bytes that are white space to the client.
    fn blank(&mut self, length: usize, sink: &mut impl Sink) -> usize {
        self.some(b" ", sink);
        length
    }

    fn quoted(&mut self, quote: u8, rest: &[u8], sink: &mut impl Sink) -> Option<usize> {
        let Syntax { letters, .. } = self.syntax;
        let escapes = self.syntax.escapes_in(quote);
        let stop = match (letters, escapes) {
            (Letters::Plain, true) => memchr2(quote, b'\\', rest),
            (Letters::Plain, false) => memchr(quote, rest),
            _ => rest.iter().position(|byte| *byte == quote || (escapes && *byte == b'\\') || letters.leads(*byte)),
        };
        let stop = stop.unwrap_or(rest.len());
        if stop > 0 {
            sink.quoted(&rest[..stop]);
            return Some(stop);
        }
        if rest[0] == quote {
            self.state = State::Code;
            return Some(1);
        }
        let next = *rest.get(1)?;
        let length = if rest[0] == b'\\' || Letters::trails(next) { 2 } else { 1 };
        sink.quoted(&rest[..length]);
        Some(length)
    }

    /// A comment up to the end of the line, which is not part of it.
    fn rest(&mut self, open: bool, rest: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', rest) else { return rest.len() };
        self.state = if open { State::Code } else { State::Between };
        end
    }

    fn block(&mut self, open: bool, rest: &[u8]) -> Option<usize> {
        match memchr(b'*', rest) {
            None => Some(rest.len()),
            Some(0) if *rest.get(1)? == b'/' => {
                self.state = if open { State::Code } else { State::Between };
                Some(2)
            }
            Some(0) => Some(1),
            Some(star) => Some(star),
        }
    }
}

/// Whether a line begins with the one command of the client that dumps have; `None` when that is not to be told yet.
fn begins_command(rest: &[u8]) -> Option<bool> {
    const COMMAND: &[u8] = b"DELIMITER";
    let seen = rest.len().min(COMMAND.len());
    if !rest[..seen].eq_ignore_ascii_case(&COMMAND[..seen]) {
        return Some(false);
    }
    rest.get(COMMAND.len()).map(|byte| matches!(byte, b' ' | b'\t'))
}

#[cfg(test)]
mod tests;
