//! What a dump sets before an object and puts back behind it, with what stands between.

use super::identify::{Effect, Found, Weight};
use crate::base::map::{MapKind, Space};

/// More than a dump ever has open.
const OPEN_MAX: usize = 16;

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
}

impl Bracket {
    pub(super) fn new(begin: u64) -> Bracket {
        Bracket { begin, end: begin, open: Vec::new(), subject: None, mixed: false }
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
    pub(super) fn take(&mut self, found: Found) {
        if found.named && found.weight == Weight::Nothing {
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

    /// What it is about; without anything, it is about the session.
    pub(super) fn into_found(self) -> Found {
        match self.subject {
            Some(found) if !self.mixed => found,
            Some(_) => Found { named: false, ..Found::new(MapKind::Object, "") },
            None => Found::new(MapKind::Object, "SET"),
        }
    }
}
