//! Keeps count of the dumps that begin and end in a script of mysqldump.

use crate::dump::line::Line;
use crate::dump::shortfall::Seen;

/// With which a dump begins.
pub(super) const HEADS: [&[u8]; 2] = [b"-- MySQL dump ", b"-- MariaDB dump "];
const END: &[u8] = b"-- Dump completed";
const END_ON: &[u8] = b"-- Dump completed on ";

/// What an own line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Begin,
    End,
}

/// Where a script is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before a dump: nothing was said, or the line that keeps it from running commands.
    #[default]
    Before,
    /// In a dump that has said that it will say its end.
    Begun,
    /// In one that has not.
    Bare,
    /// Behind the end of a dump.
    Ended,
    /// Behind something that stands behind the end.
    After,
    /// Where begins and ends do not fit together.
    Broken,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    place: Place,
    /// Some of the script promised no end.
    bare: bool,
    begun: u64,
    completed: u64,
}

impl Ledger {
    /// An own line that is a comment.
    pub(super) fn comment(&mut self, line: &Line) -> Option<Mark> {
        if HEADS.iter().any(|head| line.after(head).is_some()) {
            self.place = match self.place {
                Place::Before | Place::Bare | Place::Ended => Place::Begun,
                Place::Begun | Place::After | Place::Broken => Place::Broken,
            };
            self.begun += 1;
            return Some(Mark::Begin);
        }
        if is_end(line) {
            if self.place == Place::Begun {
                self.place = Place::Ended;
                self.completed += 1;
            } else {
                self.place = Place::Broken;
            }
            return Some(Mark::End);
        }
        if self.place == Place::Ended {
            self.place = Place::After;
        }
        None
    }

    /// The line that stands before a dump, or is the first of one.
    pub(super) fn sandbox(&mut self) {
        self.place = match self.place {
            Place::Before | Place::Ended => Place::Before,
            Place::Bare => Place::Bare,
            Place::Begun | Place::After | Place::Broken => Place::Broken,
        };
    }

    /// A statement, or a command.
    pub(super) fn statement(&mut self) {
        match self.place {
            Place::Before => {
                self.place = Place::Bare;
                self.bare = true;
            }
            Place::Ended => self.place = Place::After,
            Place::Begun | Place::Bare | Place::After | Place::Broken => {}
        }
    }

    /// A dump begins inside a statement of the one before.
    pub(super) fn intrusion(&mut self) {
        self.place = Place::Broken;
    }

    /// Why this is not the end of the script.
    pub(super) fn unfinished(&self) -> Option<Seen> {
        match self.place {
            Place::Before | Place::Bare | Place::Ended => None,
            Place::Begun => Some(Seen::NoEndMarker),
            Place::After => Some(Seen::TextAfterEnd),
            Place::Broken => Some(Seen::OutOfOrder),
        }
    }

    /// Whether every dump of the script said that it would say its end.
    pub(super) fn promises_an_end(&self) -> bool {
        !self.bare && self.place != Place::Before
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn completed(&self) -> u64 {
        self.completed
    }
}

/// Whether a line is the last one of a dump. Windows ends lines with two bytes.
fn is_end(line: &Line) -> bool {
    let Some(text) = line.whole() else { return false };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    text == END || text.strip_prefix(END_ON).is_some_and(|date| !date.is_empty())
}
