//! Notes where the objects of a script of mysqldump stand.
//!
//! What a statement is about is read from the statement, not from the comment
//! above it. What the dump sets around an object and puts back behind it, and
//! the locks around rows, belong to it: `bracket` holds them together.
//!
//! Memory: the words of one statement, what one bracket has open, and the
//! entries since the last slab. What is not understood is an entry without
//! names, and is counted: the map has gaps, never a wrong range.

mod bracket;
mod identify;
mod settings;
mod statement;

use memchr::memmem;

use super::ledger::HEADS;
use super::syntax::Syntax;
use crate::base::limits::MAP_NAME_BYTES_MAX;
use crate::base::map::{MapEntry, MapKind};
use crate::dump::line::Line;
use crate::dump::versions::{SERVER, TOOL, Versions};
use crate::dump::words::Words;
use bracket::Bracket;
use identify::{DROP_DATABASE, Effect, Found, identify};
use statement::Statement;

/// What a `DELIMITER` line opens and closes.
const DELIMITER: &[u8] = b"DELIMITER";

/// What makes and drops a database.
const DATABASE: [&[u8]; 2] = [b"DATABASE", DROP_DATABASE.as_bytes()];

/// The comment that names the version of the server.
const SERVER_VERSION: &[u8] = b"-- Server version\t";
/// Between what the version of a tool stands.
const DISTRIBUTION: &[u8] = b" Distrib ";
const PLATFORM: &[u8] = b", for ";

/// Makes a map of what it is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapper {
    entries: Vec<MapEntry>,
    /// The last entry, which the next one may go on.
    last: Option<MapEntry>,
    statement: Statement,
    /// Where the line begins on which the statement under way begins.
    begin: Option<u64>,
    /// What has ended on the line under way.
    ended: Option<Found>,
    bracket: Option<Bracket>,
    syntax: Syntax,
    /// How SQL is read outside brackets.
    session: Syntax,
    versions: Versions,
    /// Where the next line of the comment begins that a dump begins with.
    head: Option<u64>,
    unnamed: u64,
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
        let whole = self.begin.is_none() && self.bracket.is_none();
        let end = if whole { bytes } else { self.done };
        let stop = MapEntry { rows: self.unnamed, ..MapEntry::new(MapKind::Stop, b"", end, end) };
        self.entries.push(stop);
        self.take()
    }

    /// The line with which a dump begins, and which names the version of its tool.
    pub(super) fn begins(&mut self, line: &Line, begin: u64, end: u64) {
        self.by_itself(MapEntry::new(MapKind::Begin, b"mysql", begin, end));
        self.head = Some(end);
        for head in HEADS {
            self.version(TOOL, line, head, tool);
        }
    }

    /// Any other comment by itself. Only those right behind the first line of a dump say what it is.
    pub(super) fn comment(&mut self, line: &Line, begin: u64, end: u64) {
        if self.head == Some(begin) {
            self.head = Some(end);
            self.version(SERVER, line, SERVER_VERSION, |text| text);
        }
    }

    /// Notes the version that follows `prefix`, as `cut` makes it out.
    fn version(&mut self, class: &'static [u8], line: &Line, prefix: &[u8], cut: fn(&[u8]) -> &[u8]) {
        let text = line.whole().and_then(|line| line.strip_prefix(prefix)).map(<[u8]>::trim_ascii);
        let entry = text.and_then(|text| self.versions.name(class, cut(text), self.done));
        entry.into_iter().for_each(|entry| self.push(entry));
    }

    /// The line with which it ends.
    pub(super) fn ends(&mut self, begin: u64, end: u64) {
        self.by_itself(MapEntry::new(MapKind::End, b"mysql", begin, end));
    }

    /// The line that keeps it from running commands.
    pub(super) fn sandbox(&mut self, begin: u64, end: u64) {
        self.by_itself(MapEntry::new(MapKind::Guard, b"sandbox", begin, end));
    }

    /// A `DELIMITER` line; `plain` when it is `;` from now on.
    pub(super) fn delimiter(&mut self, plain: bool, begin: u64, end: u64) {
        let key = DELIMITER.to_vec();
        let effect = if plain { Effect::Closes(key) } else { Effect::Opens(key) };
        self.bracket.get_or_insert_with(|| Bracket::new(begin)).change(&[effect], end);
        self.close_if_done();
    }

    pub(super) fn statement(&mut self, begin: u64) {
        // Another one on the same line: neither has a range of its own.
        if self.begin.is_some() {
            self.ended = Some(Found { named: false, ..Found::new(MapKind::Object, "") });
        }
        self.begin.get_or_insert(begin);
        self.statement.begin();
    }

    pub(super) fn code(&mut self, bytes: &[u8]) -> usize {
        self.statement.code(bytes)
    }

    pub(super) fn quote(&mut self, quote: u8) {
        self.statement.quote(quote);
    }

    pub(super) fn quoted(&mut self, bytes: &[u8]) {
        self.statement.quoted(bytes);
    }

    /// The statement ends; how SQL is read on.
    pub(super) fn end(&mut self, rows: u64) -> Syntax {
        let tokens = self.statement.tokens();
        if let Some((first, rest)) = tokens.split_first()
            && first.is("SET")
        {
            self.syntax = settings::syntax(Words::new(rest), self.syntax, &mut self.session);
        }
        if self.ended.is_none() {
            let found = identify(tokens);
            self.ended = Some(Found { rows: if found.kind == MapKind::Data { rows } else { 0 }, ..found });
        }
        self.syntax
    }

    pub(super) fn line_end(&mut self, end: u64) {
        let (Some(begin), Some(found)) = (self.begin.take(), self.ended.take()) else { return };
        let brackets = found.effects.iter().any(|effect| matches!(effect, Effect::Opens(_)));
        // Nothing is kept from one database to another.
        if found.kind == MapKind::Connect || DATABASE.contains(&&found.class[..]) {
            self.give_up();
        }
        if self.bracket.is_none() && !brackets {
            return self.found(found, begin, end);
        }
        let bracket = self.bracket.get_or_insert_with(|| Bracket::new(begin));
        bracket.change(&found.effects, end);
        bracket.take(found, begin..end);
        self.close_if_done();
    }

    /// A bracket that has nothing open any more is an entry.
    fn close_if_done(&mut self) {
        if let Some(bracket) = self.bracket.take_if(|bracket| bracket.is_closed()) {
            for (found, lines) in bracket.into_pieces() {
                self.found(found, lines.start, lines.end);
            }
        }
    }

    /// What a bracket holds stays without names when it is never closed.
    fn give_up(&mut self) {
        if let Some(bracket) = self.bracket.take() {
            let nameless = Found { named: false, ..Found::new(MapKind::Object, "") };
            self.found(nameless, bracket.begin, bracket.end);
        }
    }

    /// A line that is no statement.
    fn by_itself(&mut self, entry: MapEntry) {
        self.give_up();
        self.push(entry);
    }

    fn found(&mut self, found: Found, begin: u64, end: u64) {
        let Found { kind, space, class, own, on, named, rows, .. } = found;
        let fits = [&class, &own.name, &on.name].iter().all(|name| name.len() <= MAP_NAME_BYTES_MAX);
        let mut entry = MapEntry { rows, ..MapEntry::new(kind, b"", begin, end) };
        if named && fits {
            entry = MapEntry { space, class, own, on, ..entry };
        } else {
            // Rows of nobody knows what are an object that nobody knows.
            let kind = if kind == MapKind::Data || kind == MapKind::Connect { MapKind::Object } else { kind };
            entry = MapEntry { kind, rows: 0, ..entry };
            self.unnamed += 1;
        }
        self.push(entry);
    }

    /// Appends an entry, or lets the last one go on: `DROP TABLE` and the `CREATE TABLE` behind it, `INSERT` after `INSERT`.
    fn push(&mut self, entry: MapEntry) {
        self.done = entry.end();
        if let Some(last) = &mut self.last
            && (last.kind, last.space, &last.own) == (entry.kind, entry.space, &entry.own)
            && !entry.own.is_empty()
        {
            let goes_on = match entry.kind {
                MapKind::Data => true,
                MapKind::Object => last.class == b"DROP" || (last.class == entry.class && last.on == entry.on),
                _ => false,
            };
            if goes_on {
                last.length = entry.end() - last.offset;
                last.rows = last.rows.saturating_add(entry.rows);
                (last.class, last.on) = (entry.class, entry.on);
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

/// The version in `10.13  Distrib 8.0.36, for Linux (x86_64)`, which says first how its text is made.
fn tool(text: &[u8]) -> &[u8] {
    let from = memmem::find(text, DISTRIBUTION).map_or(0, |at| at + DISTRIBUTION.len());
    let text = &text[from..];
    &text[..memmem::find(text, PLATFORM).unwrap_or(text.len())]
}
