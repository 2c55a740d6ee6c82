//! The scenes of what mysqldump writes (spec/dump.md, "The map of mysqldump").

use super::{Making, Subject};
use crate::base::map::{MapEntry, MapKind};

/// What is of no database.
const GLOBALS: [&[u8]; 5] = [b"USER", b"ROLE", b"GRANT", b"SERVER", b"INSTALL"];

impl Making {
    /// Takes an entry that has a length.
    pub(super) fn take_mysql(&mut self, entry: &MapEntry) {
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Begin | MapKind::Guard, _) => {
                self.begin(entry.offset, Some(Subject::Session));
                (self.connected, self.settings) = (None, None);
            }
            (MapKind::End, _) => {
                self.end_session();
                self.begin(entry.offset, Some(Subject::Session));
            }
            (MapKind::Setting, _) => {
                self.settings.get_or_insert(entry.offset);
            }
            // They stand among the settings, and no part of the dump has them.
            (MapKind::Object, b"REPLICATION") => {}
            (MapKind::Connect, _) => {
                self.settings = None;
                self.connect(entry);
            }
            (MapKind::Object, b"DATABASE" | b"DROP DATABASE") => {
                self.settings = None;
                self.begin(entry.offset, None);
            }
            (MapKind::Object, class) if GLOBALS.contains(&class) => {
                self.settings = None;
                self.begin(entry.offset, Some(Subject::Globals));
            }
            _ => {
                self.settings = None;
                if self.scenes.last().is_none_or(|last| last.subject == Some(Subject::Session)) {
                    let name = self.connected.clone().unwrap_or_default();
                    self.begin(entry.offset, Some(Subject::Database(name)));
                }
            }
        }
    }

    /// What was set last is the session's again.
    pub(super) fn end_session(&mut self) {
        if let Some(settings) = self.settings.take() {
            self.begin(settings, Some(Subject::Session));
        }
    }

    /// Another scene, unless it is the one that goes on.
    fn begin(&mut self, offset: u64, subject: Option<Subject>) {
        if self.scenes.last().is_none_or(|last| last.subject != subject) {
            self.push(offset, subject);
        }
    }
}
