//! Notes where the objects of a PostgreSQL script stand.
//!
//! What a statement is about is read from the statement, not from the comment
//! that `pg_dump` writes above it: a name in a comment may hold anything. The
//! lexer says which bytes are SQL; `statement` keeps the first words of each
//! statement, and finds its end; `identify` makes names of the words.
//!
//! Memory: the words of one statement, and the entries since the last slab.
//! A statement that is not understood, or whose names are too long, is an
//! entry without names, and is counted: the map has gaps, never a wrong range.

mod identify;
mod statement;
mod words;

use super::ledger::Marker;
use crate::base::limits::MAP_NAME_BYTES_MAX;
use crate::base::map::{MapEntry, MapKind, MapName};
use crate::dump::line::Line;
use crate::dump::shortfall::EndMarker;
use crate::dump::versions::{SERVER, TOOL, Versions};
use identify::{Found, identify};
use statement::Statement;

const RESTRICT: &[u8] = b"\\restrict ";
const UNRESTRICT: &[u8] = b"\\unrestrict ";
const CONNECT: &[u8] = b"\\connect ";
const ENCODING: &[u8] = b"\\encoding ";
/// The comments at the head of a database dump that name versions.
const VERSIONS: [(&[u8], &[u8]); 2] =
    [(b"-- Dumped from database version ", SERVER), (b"-- Dumped by pg_dump version ", TOOL)];

/// Rows that are passing by.
#[derive(Clone, Copy, Debug)]
struct Rows {
    /// Where the statement that introduces them begins.
    begin: u64,
    count: u64,
}

/// Makes a map of what it is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapper {
    entries: Vec<MapEntry>,
    /// The last entry, which the next one may go on.
    last: Option<MapEntry>,
    statement: Statement,
    /// Where the statement under way begins.
    begin: Option<u64>,
    rows: Option<Rows>,
    /// Where the comment block under way begins.
    block: Option<u64>,
    /// An `\encoding` line, which stands before the `\connect` of an odd name: where it begins and ends.
    encoding: Option<(u64, u64)>,
    /// The schema of names that do not say theirs.
    path: Vec<u8>,
    versions: Versions,
    /// The dump of a database has begun, and nothing but comments and commands has followed.
    head: bool,
    unnamed: u64,
    /// The statement that ended last is an `INSERT`, and in the last entry.
    insert: bool,
    /// Up to where everything is in the map.
    done: u64,
}

impl Mapper {
    /// The entries that are final since the last time.
    pub(super) fn take(&mut self) -> Vec<MapEntry> {
        std::mem::take(&mut self.entries)
    }

    /// The rest of the entries, once the stream has ended after `bytes`.
    pub(super) fn finish(&mut self, bytes: u64) -> Vec<MapEntry> {
        self.flush();
        let whole = self.begin.is_none() && self.rows.is_none();
        let end = if whole { bytes } else { self.done };
        let stop = MapEntry { rows: self.unnamed, ..MapEntry::new(MapKind::Stop, b"", end, end) };
        self.entries.push(stop);
        self.take()
    }

    pub(super) fn blank(&mut self) {
        self.block = None;
    }

    pub(super) fn comment(&mut self, line: &Line, begin: u64) {
        self.block.get_or_insert(begin);
        if self.head {
            for (prefix, class) in VERSIONS {
                let version = line.whole().and_then(|line| line.strip_prefix(prefix));
                let entry = version.and_then(|version| self.versions.name(class, version, self.done));
                entry.into_iter().for_each(|entry| self.push(entry));
            }
        }
    }

    /// A comment block that means something ends here.
    pub(super) fn mark(&mut self, marker: Marker, end: u64) {
        let begin = self.block.take().unwrap_or(end);
        self.drop_statement();
        let class = |marker| match marker {
            EndMarker::Cluster => b"cluster".as_slice(),
            EndMarker::Database => b"database",
        };
        let (kind, class) = match marker {
            Marker::Begin(what) => (MapKind::Begin, class(what)),
            Marker::End(what) => (MapKind::End, class(what)),
        };
        self.path.clear();
        self.head = marker == Marker::Begin(EndMarker::Database);
        self.push(MapEntry::new(kind, class, begin, end));
    }

    pub(super) fn command(&mut self, line: &Line, begin: u64, end: u64) {
        self.block = None;
        self.drop_statement();
        let before = self.encoding.take().filter(|(_, end)| *end == begin);
        let entry = |kind, class: &[u8]| MapEntry::new(kind, class, begin, end);
        if line.after(RESTRICT).is_some() {
            self.push(entry(MapKind::Guard, b"restrict"));
        } else if line.after(UNRESTRICT).is_some() {
            self.push(entry(MapKind::Guard, b"unrestrict"));
        } else if let Some(argument) = line.after(CONNECT) {
            self.path.clear();
            let name = argument.whole().and_then(identify::database).unwrap_or_default();
            self.unnamed += u64::from(name.is_empty());
            let begin = before.map_or(begin, |(begin, _)| begin);
            let entry = MapEntry::new(MapKind::Connect, b"", begin, end);
            self.push(MapEntry { own: MapName { schema: Vec::new(), name }, ..entry });
        } else if line.after(ENCODING).is_some() {
            self.encoding = Some((begin, end));
        } else {
            // pg_dump writes no others.
            self.unnamed += 1;
        }
    }

    /// A line of SQL begins. Whether it begins a statement.
    pub(super) fn statement(&mut self, begin: u64) -> bool {
        self.block = None;
        self.head = false;
        let begins = self.begin.is_none();
        if begins {
            self.begin = Some(begin);
            self.insert = false;
            self.statement.begin();
        }
        begins
    }

    pub(super) fn code(&mut self, bytes: &[u8]) -> Option<usize> {
        self.statement.code(bytes)
    }

    pub(super) fn has_values(&self) -> bool {
        self.statement.has_values()
    }

    pub(super) fn in_values(&self) -> bool {
        self.statement.in_values()
    }

    pub(super) fn values(&mut self, lines: u64, last: Option<u8>) {
        self.statement.values(lines, last);
    }

    /// A statement at `begin` begins as the last one that reached its values. Whether it is another row of the last entry.
    pub(super) fn repeat(&mut self, begin: u64) -> bool {
        let repeats = self.insert && self.begin.is_none();
        if repeats {
            self.block = None;
            self.begin = Some(begin);
            self.statement.repeat();
        }
        repeats
    }

    /// Some of these end at `end`, where the next one begins.
    pub(super) fn repeated(&mut self, end: u64, lines: u64) {
        self.extend(end, self.statement.lines() + lines);
        self.begin = Some(end);
        self.statement.repeat();
    }

    /// The last entry goes on.
    fn extend(&mut self, end: u64, rows: u64) {
        if let Some(last) = &mut self.last {
            last.length = end - last.offset;
            last.rows = last.rows.saturating_add(rows);
            self.done = end;
        }
    }

    pub(super) fn quote(&mut self, quote: u8) {
        self.statement.quote(quote);
    }

    pub(super) fn quoted(&mut self, bytes: &[u8]) {
        self.statement.quoted(bytes);
    }

    pub(super) fn line_end(&mut self, end: u64) {
        if self.statement.line_end()
            && let Some(begin) = self.begin.take()
        {
            let rows = self.statement.rows();
            if self.statement.repeats() {
                return self.extend(end, rows);
            }
            let mut found = identify(self.statement.tokens(), &self.path);
            found.named &= !self.statement.is_several();
            // A `COPY` whose line does not introduce rows has none.
            let rows = if found.class == b"COPY" { 0 } else { rows };
            self.found(found, begin, end, rows);
            let insert = |last: &MapEntry| last.class == b"INSERT" && !last.own.is_empty();
            self.insert = self.statement.in_values() && self.last.as_ref().is_some_and(insert);
        }
    }

    pub(super) fn rows_begin(&mut self, begin: u64) {
        self.statement.line_end();
        let begin = self.begin.take().unwrap_or(begin);
        self.rows = Some(Rows { begin, count: 0 });
    }

    pub(super) fn rows(&mut self, lines: u64) {
        if let Some(rows) = &mut self.rows {
            rows.count += lines;
        }
    }

    pub(super) fn rows_end(&mut self, end: u64) {
        if let Some(Rows { begin, count }) = self.rows.take() {
            let mut found = identify(self.statement.tokens(), &self.path);
            // Something before them was never ended.
            found.named &= found.class == b"COPY";
            // The line that ends the rows is none.
            self.found(found, begin, end, count.saturating_sub(1));
        }
    }

    fn found(&mut self, found: Found, begin: u64, end: u64, rows: u64) {
        let Found { kind, space, class, own, on, links, named, path } = found;
        if let Some(path) = path {
            self.path = path;
        }
        let names = [&class, &own.schema, &own.name, &on.schema, &on.name];
        let fits = names.iter().all(|name| name.len() <= MAP_NAME_BYTES_MAX);
        let mut entry = MapEntry::new(kind, b"", begin, end);
        entry.rows = if kind == MapKind::Data { rows } else { 0 };
        if named && fits {
            entry = MapEntry { space, class, own, on, ..entry };
        } else {
            self.unnamed += 1;
        }
        self.push(entry);
        for (class, child, parent) in links {
            self.push(MapEntry { own: child, on: parent, ..MapEntry::new(MapKind::Link, class, end, end) });
        }
    }

    /// What was not a statement after all is not in the map.
    fn drop_statement(&mut self) {
        self.insert = false;
        if self.begin.take().is_some() {
            self.unnamed += 1;
        }
    }

    /// Appends an entry, or lets the last one go on: `CREATE TABLE` and the `ALTER TABLE` behind it, `INSERT` after `INSERT`.
    fn push(&mut self, entry: MapEntry) {
        self.done = entry.end();
        if let Some(last) = &mut self.last {
            let same = last.kind == entry.kind && last.space == entry.space && last.own == entry.own;
            let goes_on = match entry.kind {
                MapKind::Data => last.class == b"INSERT" && entry.class == b"INSERT",
                MapKind::Object => {
                    entry.on.is_empty() && last.on.is_empty() && identify::goes_on(&last.class, &entry.class)
                }
                _ => false,
            };
            if same && goes_on && !entry.own.is_empty() {
                last.length = entry.end() - last.offset;
                last.rows = last.rows.saturating_add(entry.rows);
                return;
            }
        }
        self.flush();
        self.last = Some(entry);
    }

    fn flush(&mut self) {
        self.entries.extend(self.last.take());
    }
}
