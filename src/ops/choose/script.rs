//! The ranges of a dump that are a script of some tables: their statements and rows, and before the first of them what its session needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::closure::{Closure, Member};
use super::{ChosenTable, Wanted};
use crate::base::map::{MapEntry, MapKind, MapName};
use crate::ops::scenes::{Scene, Scenes, Subject};
use crate::pipeline::contents::ContentsReader;
use crate::pipeline::error::RunError;

/// A script in the making.
#[derive(Default)]
pub struct Script {
    /// Ranges of the dump, ascending.
    pub ranges: Vec<Range<u64>>,
    /// Tables whose rows are among them.
    pub tables: Vec<ChosenTable>,
    /// Databases of which there is something.
    pub databases: BTreeSet<Vec<u8>>,
    /// Tables that it makes.
    pub made: BTreeSet<Member>,
    /// A trigger that would go into the original was left out.
    pub elsewhere: bool,
    /// There are triggers on tables that come as rows alone.
    pub triggers: bool,
    /// One of the databases gives rights on what is made in it, when all else is done.
    pub defaults: bool,
    /// A table that has rows in several dumps of the stream.
    pub in_several: Option<MapName>,
    /// In which dump of the stream the rows of each table stand.
    dumps: BTreeMap<Member, u32>,
    /// What a statement needs before it: the connection, the guard, the settings that are in force.
    pending: Vec<MapEntry>,
    /// A `\restrict` is in the script and has to be lifted.
    restricted: bool,
    /// Settings that the script has made.
    set: BTreeSet<MapName>,
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
                MapKind::Begin if database.is_empty() => return script.connect(None),
                MapKind::Connect if wanted.stay => return script.connect(None),
                MapKind::Connect => return script.connect(Some(entry)),
                _ => return script.prepare(entry),
            };
            let defaults = entry.class == b"ALTER DEFAULT PRIVILEGES" && script.databases.contains(database);
            script.defaults |= wanted.schema && defaults;
            if entry.class == b"TRIGGER" && closure.holds(database, &entry) {
                script.triggers |= !wanted.schema;
                if wanted.stay && wanted.schema && names_database(&entry) {
                    script.elsewhere = true;
                    return;
                }
            }
            if meant {
                script.take(scene.dump, database, &entry);
            }
        }
        Subject::Setup(_) | Subject::Globals | Subject::Session | Subject::Nothing => script.pending.clear(),
    })?;
    Ok(script)
}

/// What changes a database by its name.
const OF_DATABASE: [&[u8]; 5] =
    [b"ALTER DATABASE", b"ALTER ROLE", b"COMMENT DATABASE", b"ACL DATABASE", b"SECURITY LABEL DATABASE"];

/// What has a name at another server, which a copy would share with the original.
const SUBSCRIPTIONS: [&[u8]; 3] = [b"SUBSCRIPTION", b"ALTER SUBSCRIPTION", b"COMMENT SUBSCRIPTION"];

/// What makes a database, and changes it by its name, among the roles of a cluster: `pg_dumpall` did so before 2018.
const AMONG_GLOBALS: [&[u8]; 5] =
    [b"DATABASE", b"ALTER DATABASE", b"COMMENT DATABASE", b"ACL DATABASE", b"SECURITY LABEL DATABASE"];

/// Whether something is left out of all of a database, or of the globals, in the middle of which it stands.
fn is_left_out(scene: &Scene, entry: &MapEntry, wanted: &Wanted) -> bool {
    let class = entry.class.as_slice();
    match (&scene.subject, entry.kind) {
        // `pg_dumpall --clean` begins with dropping every database, and every role; `pg_dump -C --clean` with its own.
        (Subject::Globals, MapKind::Object) => class.starts_with(b"DROP") || AMONG_GLOBALS.contains(&class),
        (Subject::Setup(_), MapKind::Object) => class.starts_with(b"DROP"),
        // mysqldump changes the whole server.
        (Subject::Database(_), MapKind::Object) if class == b"REPLICATION" => true,
        (Subject::Database(_), MapKind::Connect) => wanted.stay,
        (Subject::Database(_), MapKind::Object) => {
            let elsewhere = OF_DATABASE.contains(&class) || SUBSCRIPTIONS.contains(&class) || names_database(entry);
            wanted.stay && elsewhere
        }
        _ => false,
    }
}

/// Whether it is a trigger that would go into the database that it names, wherever its table is: a table of MySQL has no schema.
fn names_database(entry: &MapEntry) -> bool {
    entry.class == b"TRIGGER" && entry.on.schema.is_empty() && !entry.own.schema.is_empty()
}

/// Where it stands in the scenes that are meant; `elsewhere` becomes true when a trigger is among it that names its database.
pub fn left_out(
    scenes: &Scenes,
    reader: &mut ContentsReader<'_, '_>,
    wanted: &Wanted,
    meant: &dyn Fn(&Subject) -> bool,
    elsewhere: &mut bool,
) -> Result<Vec<Range<u64>>, RunError> {
    let mut ranges = Vec::new();
    scenes.each(reader, &mut |scene, entry| {
        if meant(&scene.subject) && is_left_out(scene, &entry, wanted) {
            *elsewhere |= names_database(&entry);
            ranges.push(entry.offset..entry.end());
        }
    })?;
    Ok(ranges)
}

/// Where among the globals some databases are made.
pub fn made_among_globals(
    scenes: &Scenes,
    reader: &mut ContentsReader<'_, '_>,
    databases: &[Vec<u8>],
) -> Result<Vec<Range<u64>>, RunError> {
    let mut ranges = Vec::new();
    scenes.each(reader, &mut |scene, entry| {
        let makes = AMONG_GLOBALS.contains(&entry.class.as_slice()) && databases.contains(&entry.own.name);
        if scene.subject == Subject::Globals && entry.kind == MapKind::Object && makes {
            ranges.push(entry.offset..entry.end());
        }
    })?;
    Ok(ranges)
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
    /// Another session begins, on a connection that the script makes, or that is there.
    fn connect(&mut self, entry: Option<MapEntry>) {
        self.pending = entry.into_iter().collect();
        self.set.clear();
    }

    /// What is about the session, and not about a table.
    fn prepare(&mut self, entry: MapEntry) {
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Begin, _) => self.pending.retain(|known| known.kind == MapKind::Connect),
            (MapKind::Guard, b"restrict") => self.pending.push(entry),
            (MapKind::Guard, _) if self.restricted => {
                self.restricted = false;
                self.ranges.push(entry.offset..entry.end());
            }
            (MapKind::Guard, _) => self.pending.retain(|known| known.kind != MapKind::Guard),
            (MapKind::Setting, b"RESET") => {
                self.pending.retain(|known| known.kind != MapKind::Setting || known.own != entry.own);
                if self.set.remove(&entry.own) {
                    self.ranges.push(entry.offset..entry.end());
                }
            }
            (MapKind::Setting, _) => {
                // Only the last value of a variable matters.
                self.pending.retain(|known| known.kind != MapKind::Setting || known.own != entry.own);
                self.pending.push(entry);
            }
            _ => {}
        }
    }

    fn take(&mut self, dump: u32, database: &[u8], entry: &MapEntry) {
        for before in std::mem::take(&mut self.pending) {
            self.restricted |= before.kind == MapKind::Guard;
            self.ranges.push(before.offset..before.end());
            if before.kind == MapKind::Setting {
                self.set.insert(before.own);
            }
        }
        self.ranges.push(entry.offset..entry.end());
        if !self.databases.contains(database) {
            self.databases.insert(database.to_vec());
        }
        if entry.kind == MapKind::Object
            && [&b"TABLE"[..], b"FOREIGN TABLE", b"MATERIALIZED VIEW"].contains(&&entry.class[..])
        {
            self.made.insert((database.to_vec(), entry.own.clone()));
        }
        if entry.kind == MapKind::Data {
            self.take_rows(dump, database, entry);
        }
    }

    fn take_rows(&mut self, dump: u32, database: &[u8], entry: &MapEntry) {
        if *self.dumps.entry((database.to_vec(), entry.own.clone())).or_insert(dump) != dump {
            self.in_several.get_or_insert_with(|| entry.own.clone());
        }
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
