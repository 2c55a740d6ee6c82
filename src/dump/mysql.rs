//! What `mysqldump` and `mariadb-dump` write, judged and mapped.

mod ledger;
mod lexer;
mod map;
mod syntax;
mod values;

use super::Verdict;
use super::line::Line;
use super::shortfall::{MysqlShortfall, Shortfall, Unproven};
use crate::base::map::MapEntry;
use ledger::{Ledger, Mark};
use lexer::{Lexer, OwnLine, Sink};
use map::Mapper;
use syntax::Syntax;

/// A script of mysqldump: the lexer finds its statements and its own lines, the ledger keeps count of what these say, and the mapper notes
/// where everything stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Mysql {
    lexer: Lexer,
    ledger: Ledger,
    mapper: Mapper,
}

impl Mysql {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Mysql { lexer, ledger, mapper } = self;
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
        match self.lexer.unfinished().or_else(|| self.ledger.unfinished()) {
            None if self.ledger.promises_an_end() => Verdict::Complete,
            None => Verdict::Unproven(Unproven::NoEnd),
            Some(seen) => Verdict::Incomplete(Shortfall::Mysql(MysqlShortfall {
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
    fn own_line(&mut self, kind: OwnLine, line: &Line, begin: u64, end: u64) {
        match kind {
            OwnLine::Comment => match self.ledger.comment(line) {
                Some(Mark::Begin) => self.mapper.begins(line, begin, end),
                Some(Mark::End) => self.mapper.ends(begin, end),
                None => self.mapper.comment(line, begin, end),
            },
            OwnLine::Sandbox => {
                self.ledger.sandbox();
                self.mapper.sandbox(begin, end);
            }
            OwnLine::Delimiter { plain } => {
                self.ledger.statement();
                self.mapper.delimiter(plain, begin, end);
            }
        }
    }

    fn statement(&mut self, begin: u64) {
        self.ledger.statement();
        self.mapper.statement(begin);
    }

    fn code(&mut self, bytes: &[u8]) -> usize {
        self.mapper.code(bytes)
    }

    fn quote(&mut self, quote: u8) {
        self.mapper.quote(quote);
    }

    fn quoted(&mut self, bytes: &[u8]) {
        self.mapper.quoted(bytes);
    }

    fn end(&mut self, rows: u64) -> Syntax {
        self.mapper.end(rows)
    }

    fn intrusion(&mut self) {
        self.ledger.intrusion();
    }

    fn line_end(&mut self, end: u64) {
        self.mapper.line_end(end);
    }
}
