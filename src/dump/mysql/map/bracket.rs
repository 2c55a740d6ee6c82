//! What a dump sets before an object and puts back behind it, with what stands between.

use std::ops::Range;

use super::identify::{ALTER_DATABASE, Effect, Found, Weight};
use crate::base::map::{MapKind, Space};

/// More than a dump ever has open.
const OPEN_MAX: usize = 16;

/// A dump has two for each event of a database; memory is bounded.
const ALTERS_MAX: usize = 1 << 16;

const EVENT: &[u8] = b"EVENT";

/// Statements that belong together.
#[derive(Clone, Debug)]
pub(super) struct Bracket {
    pub(super) begin: u64,
    /// Where the last line of it ends.
    pub(super) end: u64,
    /// What is to be put back.
    open: Vec<Vec<u8>>,
    /// What it is about.
    subject: Option<Found>,
    /// It is about several things.
    mixed: bool,
    /// Where it changes the database, which whoever wants it in another one leaves out.
    alters: Vec<Range<u64>>,
}

impl Bracket {
    pub(super) fn new(begin: u64) -> Bracket {
        Bracket { begin, end: begin, open: Vec::new(), subject: None, mixed: false, alters: Vec::new() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// A line of it ends.
    pub(super) fn change(&mut self, effects: &[Effect], end: u64) {
        self.end = end;
        for effect in effects {
            match effect {
                Effect::Closes(key) => self.open.retain(|open| open != key),
                Effect::Opens(key) if self.open.len() < OPEN_MAX && !self.open.contains(key) => {
                    self.open.push(key.clone());
                }
                Effect::Opens(_) => {}
            }
        }
    }

    /// Takes a statement in.
    pub(super) fn take(&mut self, found: Found, lines: Range<u64>) {
        if found.named && found.weight == Weight::Nothing {
            if found.class == ALTER_DATABASE.as_bytes() {
                self.alter(found, lines);
            }
            return;
        }
        let Some(subject) = &mut self.subject else {
            self.subject = Some(found);
            return;
        };
        // All events of a database stand in one bracket.
        let events = [&subject.class, &found.class].into_iter().all(|class| class == EVENT || class == b"DROP");
        if events && subject.space == Space::Other && found.space == Space::Other && subject.own != found.own {
            *subject = Found::new(MapKind::Object, "EVENT");
            return;
        }
        let same = found.named && (found.space, &found.own) == (subject.space, &subject.own);
        if !same {
            self.mixed = true;
        } else if subject.kind == MapKind::Data && found.kind == MapKind::Data {
            subject.rows = subject.rows.saturating_add(found.rows);
            subject.weight = Weight::Subject;
        } else if subject.kind == MapKind::Data && found.weight == Weight::Prelude {
            // Its keys are about its rows.
        } else if subject.weight == Weight::Prelude {
            *subject = found;
        } else {
            self.mixed = true;
        }
    }

    /// One more than can be told apart, and it is all about nobody knows what: it must not be taken for what stands around it.
    fn alter(&mut self, found: Found, lines: Range<u64>) {
        if self.alters.len() < ALTERS_MAX {
            self.alters.push(lines);
        } else {
            self.subject.get_or_insert(found);
            self.mixed = true;
        }
    }

    /// What it is about; without anything, it is about the session.
    fn found(&self) -> Found {
        match &self.subject {
            Some(found) if !self.mixed => found.clone(),
            Some(_) => Found { named: false, ..Found::new(MapKind::Object, "") },
            None => Found::new(MapKind::Object, "SET"),
        }
    }

    /// What it is about, and where: in pieces, when it changes the database in between.
    pub(super) fn into_pieces(self) -> Vec<(Found, Range<u64>)> {
        let found = self.found();
        // Rows are in one piece, and what is not known stays together.
        if found.kind != MapKind::Object || !found.named || self.alters.is_empty() {
            return vec![(found, self.begin..self.end)];
        }
        let rest = Found { class: [b"ALTER ", &found.class[..]].concat(), ..found.clone() };
        let mut pieces = Vec::with_capacity(2 * self.alters.len() + 1);
        let mut at = self.begin;
        for alter in self.alters {
            pieces.push((if pieces.is_empty() { found.clone() } else { rest.clone() }, at..alter.start));
            at = alter.end;
            pieces.push((Found { weight: Weight::Nothing, ..Found::new(MapKind::Object, ALTER_DATABASE) }, alter));
        }
        pieces.push((rest, at..self.end));
        pieces.retain(|(_, lines)| !lines.is_empty());
        pieces
    }
}
