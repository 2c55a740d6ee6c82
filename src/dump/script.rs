//! PostgreSQL text: what `pg_dump` and `pg_dumpall` write, judged and mapped.

mod ledger;
mod lexer;
mod map;
mod rows;
mod sink;
mod values;

use super::Verdict;
use super::shortfall::{EndMarker, ScriptShortfall, Shortfall};
use crate::base::map::MapEntry;
use crate::dump::line::Line;
use ledger::Ledger;
use lexer::Lexer;
use map::Mapper;
use sink::Sink;

/// A PostgreSQL script: the lexer finds the lines that are neither rows nor
/// inside a literal, the ledger keeps count of what they say, and the mapper
/// notes where it stands.
#[derive(Clone, Debug)]
pub(super) struct Script {
    expected: EndMarker,
    lexer: Lexer,
    ledger: Ledger,
    mapper: Mapper,
}

impl Script {
    /// A script that has not begun, and whose head promises this end.
    pub(super) fn new(expected: EndMarker) -> Self {
        Self { expected, lexer: Lexer::default(), ledger: Ledger::default(), mapper: Mapper::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Script { lexer, ledger, mapper, .. } = self;
        lexer.push(bytes, &mut Listeners { ledger, mapper });
    }

    /// The entries of the map that are final since the last time.
    pub(super) fn take_map(&mut self) -> Vec<MapEntry> {
        self.mapper.take()
    }

    /// The rest of the map of a stream of so many bytes.
    pub(super) fn finish_map(&mut self, bytes: u64) -> Vec<MapEntry> {
        self.mapper.finish(bytes)
    }

    /// The judgement, if the stream ends here.
    pub(super) fn verdict(&self) -> Verdict {
        let seen = self.lexer.unfinished().or_else(|| self.ledger.unfinished());
        match seen {
            None => Verdict::Complete,
            Some(seen) => Verdict::Incomplete(Shortfall::Script(ScriptShortfall {
                expected: self.expected,
                seen,
                begun: self.ledger.begun(),
                completed: self.ledger.completed(),
            })),
        }
    }
}

/// Who listens to the lexer.
struct Listeners<'a> {
    ledger: &'a mut Ledger,
    mapper: &'a mut Mapper,
}

impl Sink for Listeners<'_> {
    fn blank(&mut self) {
        self.ledger.blank();
        self.mapper.blank();
    }

    fn statement(&mut self, begin: u64) -> bool {
        self.ledger.statement();
        self.mapper.statement(begin)
    }

    fn comment(&mut self, line: &Line, begin: u64, end: u64) {
        self.mapper.comment(line, begin);
        if let Some(marker) = self.ledger.comment(line) {
            self.mapper.mark(marker, end);
        }
    }

    fn command(&mut self, line: &Line, begin: u64, end: u64) {
        self.ledger.command(line);
        self.mapper.command(line, begin, end);
    }

    fn code(&mut self, bytes: &[u8]) -> Option<usize> {
        self.mapper.code(bytes)
    }

    fn quote(&mut self, quote: u8) {
        self.mapper.quote(quote);
    }

    fn quoted(&mut self, bytes: &[u8]) {
        self.mapper.quoted(bytes);
    }

    fn line_end(&mut self, end: u64) {
        self.mapper.line_end(end);
    }

    fn rows_begin(&mut self, begin: u64) {
        self.mapper.rows_begin(begin);
    }

    fn rows(&mut self, lines: u64) {
        self.mapper.rows(lines);
    }

    fn rows_end(&mut self, end: u64) {
        self.mapper.rows_end(end);
    }

    fn has_values(&self) -> bool {
        self.mapper.has_values()
    }

    fn in_values(&self) -> bool {
        self.mapper.in_values()
    }

    fn values(&mut self, rows: u64, last: Option<u8>) {
        self.mapper.values(rows, last);
    }

    fn repeat(&mut self, begin: u64) -> bool {
        // Of a statement the ledger needs no more than that there is one.
        let repeats = self.mapper.repeat(begin);
        if repeats {
            self.ledger.statement();
        }
        repeats
    }

    fn repeated(&mut self, end: u64, rows: u64) {
        self.mapper.repeated(end, rows);
    }
}

#[cfg(test)]
mod tests;
