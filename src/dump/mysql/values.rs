//! The values of an `INSERT`, which are most of a dump: counts its rows and finds its end.

mod tuples;

use memchr::{memchr, memchr2};

use super::syntax::{Letters, Syntax};
use crate::dump::blocks::Registers;
use tuples::{Pass, Tuples};

/// Where the values that went by stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// They go on.
    More,
    /// A `;` that ends them stands here.
    End(usize),
    /// A byte that may begin a comment stands here. It is neither counted nor passed.
    Odd(usize),
}

/// What has begun with the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Nothing,
    /// A backslash.
    Escape,
    /// A letter of two bytes, perhaps.
    Letter,
}

/// Values that are going by. They are fed from right behind `VALUES`.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    registers: Registers,
    syntax: Syntax,
    quote: Option<u8>,
    pending: Pending,
    rows: u64,
}

impl Values {
    pub(super) fn new(syntax: Syntax) -> Values {
        Values { syntax, ..Values::default() }
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether a literal is open.
    pub(super) fn in_literal(&self) -> bool {
        self.quote.is_some()
    }

    /// Looks at the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Found {
        let mut at = self.tuples(bytes);
        while at < bytes.len() {
            match self.quote {
                Some(quote) => {
                    at += self.quoted(quote, &bytes[at..]);
                    at += self.tuples(&bytes[at..]);
                }
                None => match self.code(&bytes[at..]) {
                    (passed, false) => at += passed,
                    (passed, true) if bytes[at + passed] == b';' => return Found::End(at + passed),
                    (passed, true) => return Found::Odd(at + passed),
                },
            }
        }
        Found::More
    }

    /// Passes values as the tools write them, a block at a time; how much.
    fn tuples(&mut self, bytes: &[u8]) -> usize {
        let inside = self.quote.is_some();
        let plain = self.syntax.letters == Letters::Plain && matches!(self.quote, None | Some(b'\''));
        if !plain || bytes.is_empty() {
            return 0;
        }
        let escape = self.pending == Pending::Escape;
        let mut tuples = Tuples { inside, escape, rows: 0 };
        let passed = match self.syntax.escapes {
            true => self.registers.run(Pass::<true> { tuples: &mut tuples, bytes }),
            false => self.registers.run(Pass::<false> { tuples: &mut tuples, bytes }),
        };
        self.quote = tuples.inside.then_some(b'\'');
        self.pending = if tuples.escape { Pending::Escape } else { Pending::Nothing };
        self.rows += tuples.rows;
        passed
    }

    /// Passes what is outside literals: how much, and whether it stops before a byte that is not passed.
    fn code(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\'' | b'"' | b'`' => {
                    self.quote = Some(*byte);
                    return (at + 1, false);
                }
                b'(' => self.rows += 1,
                b';' | b'-' | b'#' | b'/' => return (at, true),
                _ => {}
            }
        }
        (bytes.len(), false)
    }

    /// Passes some of a literal.
    fn quoted(&mut self, quote: u8, bytes: &[u8]) -> usize {
        match std::mem::take(&mut self.pending) {
            Pending::Escape => return 1,
            Pending::Letter if Letters::trails(bytes[0]) => return 1,
            Pending::Nothing | Pending::Letter => {}
        }
        if self.syntax.letters != Letters::Plain {
            return self.quoted_letters(quote, bytes);
        }
        let stop = match self.syntax.escapes_in(quote) {
            true => memchr2(quote, b'\\', bytes),
            false => memchr(quote, bytes),
        };
        let Some(stop) = stop else { return bytes.len() };
        self.stop_at(quote, bytes[stop]);
        stop + 1
    }

    /// The same where a byte may be half of a letter.
    fn quoted_letters(&mut self, quote: u8, bytes: &[u8]) -> usize {
        let Syntax { letters, .. } = self.syntax;
        let escapes = self.syntax.escapes_in(quote);
        let stops = |byte: &u8| *byte == quote || (escapes && *byte == b'\\') || letters.leads(*byte);
        let Some(stop) = bytes.iter().position(stops) else { return bytes.len() };
        self.stop_at(quote, bytes[stop]);
        stop + 1
    }

    fn stop_at(&mut self, quote: u8, byte: u8) {
        match byte {
            _ if byte == quote => self.quote = None,
            b'\\' => self.pending = Pending::Escape,
            _ => self.pending = Pending::Letter,
        }
    }
}

#[cfg(test)]
mod tests;
