//! The ranges of a dump that are a script of some tables: their statements and rows, and before the first of them what its session needs.

use std::ops::Range;

use super::closure::Closure;
use super::{ChosenTable, Wanted};
use crate::base::map::{MapEntry, MapKind};
use crate::ops::scenes::{Scenes, Subject};
use crate::pipeline::contents::ContentsReader;
use crate::pipeline::error::RunError;

/// A script in the making.
#[derive(Default)]
pub struct Script {
    /// Ranges of the dump, ascending.
    pub ranges: Vec<Range<u64>>,
    /// Tables whose rows are among them.
    pub tables: Vec<ChosenTable>,
    /// What a statement needs before it: the connection, the guard, the settings that are in force.
    pending: Vec<MapEntry>,
    /// A `\restrict` is in the script and has to be lifted.
    restricted: bool,
}

/// Writes the script of what is meant.
pub fn write(
    scenes: &Scenes,
    reader: &mut ContentsReader<'_, '_>,
    wanted: &Wanted,
    closure: &Closure,
) -> Result<Script, RunError> {
    let mut script = Script::default();
    scenes.each(reader, &mut |scene, entry| match &scene.subject {
        Subject::Database(database) => {
            let meant = match entry.kind {
                MapKind::Data => closure.holds(database, &entry),
                MapKind::Object | MapKind::Value => wanted.schema && closure.holds(database, &entry),
                _ => return script.prepare(entry),
            };
            if meant {
                script.take(database, &entry);
            }
        }
        Subject::Setup(_) | Subject::Globals | Subject::Session | Subject::Nothing => script.pending.clear(),
    })?;
    Ok(script)
}

/// What every script of a dump begins and ends with, whatever is in it.
pub fn session(scenes: &Scenes, reader: &mut ContentsReader<'_, '_>) -> Result<Vec<Range<u64>>, RunError> {
    let mut ranges = Vec::new();
    scenes.each(reader, &mut |scene, entry| {
        if scene.subject == Subject::Session && matches!(entry.kind, MapKind::Setting | MapKind::Guard) {
            ranges.push(entry.offset..entry.end());
        }
    })?;
    Ok(ranges)
}

impl Script {
    /// What is about the session, and not about a table.
    fn prepare(&mut self, entry: MapEntry) {
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Connect, _) => self.pending = vec![entry],
            (MapKind::Begin, _) => self.pending.retain(|known| known.kind == MapKind::Connect),
            (MapKind::Guard, b"restrict") => self.pending.push(entry),
            (MapKind::Guard, _) if self.restricted => {
                self.restricted = false;
                self.ranges.push(entry.offset..entry.end());
            }
            (MapKind::Guard, _) => self.pending.retain(|known| known.kind != MapKind::Guard),
            (MapKind::Setting, _) => {
                // Only the last value of a variable matters.
                self.pending.retain(|known| known.kind != MapKind::Setting || known.own != entry.own);
                self.pending.push(entry);
            }
            _ => {}
        }
    }

    fn take(&mut self, database: &[u8], entry: &MapEntry) {
        for before in std::mem::take(&mut self.pending) {
            self.restricted |= before.kind == MapKind::Guard;
            self.ranges.push(before.offset..before.end());
        }
        self.ranges.push(entry.offset..entry.end());
        if entry.kind == MapKind::Data {
            let same = |chosen: &&mut ChosenTable| chosen.table == entry.own && chosen.database == database;
            match self.tables.iter_mut().rev().take(1).find(same) {
                Some(table) => {
                    table.rows = table.rows.saturating_add(entry.rows);
                    table.bytes += entry.length;
                }
                None => self.tables.push(ChosenTable {
                    database: database.to_vec(),
                    table: entry.own.clone(),
                    rows: entry.rows,
                    bytes: entry.length,
                }),
            }
        }
    }
}
