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
    /// Tables and views that it makes, and in which dump of the stream.
    pub made: BTreeMap<Member, u32>,
    /// A trigger that would go into the original was left out.
    pub elsewhere: bool,
    /// There are triggers on tables that come as rows alone.
    pub triggers: bool,
    /// One of the databases gives rights on what is made in it, when all else is done.
    pub defaults: bool,
    /// A table that is in several dumps of the stream.
    pub in_several: Option<MapName>,
    /// In which of them the rows of each table stand.
    filled: BTreeMap<Member, u32>,
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
            if script.note(wanted, closure, database, &entry) == Aside::LeftOut {
                return;
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
    [b"ALTER DATABASE", b"ALTER ROLE IN DATABASE", b"COMMENT DATABASE", b"ACL DATABASE", b"SECURITY LABEL DATABASE"];

/// What has a name at another server, which a copy would share with the original.
const SUBSCRIPTIONS: [&[u8]; 4] =
    [b"SUBSCRIPTION", b"ALTER SUBSCRIPTION", b"COMMENT SUBSCRIPTION", b"SECURITY LABEL SUBSCRIPTION"];

/// What gives rights on tables, and on the sequences of their columns, when they are made.
const DEFAULTS: [&[u8]; 2] = [b"ALTER DEFAULT PRIVILEGES TABLES", b"ALTER DEFAULT PRIVILEGES SEQUENCES"];

/// What makes a relation.
const MAKES: [&[u8]; 4] = [b"TABLE", b"FOREIGN TABLE", b"VIEW", b"MATERIALIZED VIEW"];

/// Whether it makes a database, or changes one by its name: among the roles of a cluster, where `pg_dumpall` did so before 2018.
fn is_of_database(class: &[u8]) -> bool {
    class == b"DATABASE" || OF_DATABASE.contains(&class)
}

/// Whether something is left out of all of a database, or of the globals, in the middle of which it stands.
fn is_left_out(scene: &Scene, entry: &MapEntry, wanted: &Wanted) -> bool {
    let class = entry.class.as_slice();
    match (&scene.subject, entry.kind) {
        // `pg_dumpall --clean` begins with dropping every database, and every role; `pg_dump -C --clean` with its own.
        // An `UPDATE` is of `pg_database`: a template has to be none before it is dropped.
        (Subject::Globals, MapKind::Object) => class == b"DROP" || class == b"UPDATE" || is_of_database(class),
        (Subject::Setup(_), MapKind::Object) => [&b"DROP"[..], b"DROP DATABASE", b"UPDATE"].contains(&class),
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

/// Where it stands in the scenes that are meant; `elsewhere` becomes true when something is among it that would reach into the original.
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
            *elsewhere |= names_database(&entry) || SUBSCRIPTIONS.contains(&entry.class.as_slice());
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
        let makes = is_of_database(&entry.class) && databases.contains(&entry.own.name);
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

/// What becomes of an entry beside what is asked for.
#[derive(PartialEq, Eq)]
enum Aside {
    /// It was looked at, and no more.
    Noted,
    /// It is not to be in the script.
    LeftOut,
}

impl Script {
    /// Notes what whoever runs the script should know.
    fn note(&mut self, wanted: &Wanted, closure: &Closure, database: &[u8], entry: &MapEntry) -> Aside {
        let class = entry.class.as_slice();
        // A copy is in a database of its own, with rights of its own.
        let given = wanted.schema && !wanted.stay && DEFAULTS.contains(&class);
        self.defaults |= given && self.databases.contains(database);
        if class != b"TRIGGER" || !closure.holds(database, entry) {
            return Aside::Noted;
        }
        self.triggers |= !wanted.schema;
        // What does not say its database goes where the client is, too.
        let goes_elsewhere = (wanted.stay || database.is_empty()) && names_database(entry);
        self.elsewhere |= wanted.schema && goes_elsewhere;
        if goes_elsewhere { Aside::LeftOut } else { Aside::Noted }
    }

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
        let member = || (database.to_vec(), entry.own.clone());
        let first = match entry.kind {
            MapKind::Data => *self.filled.entry(member()).or_insert(dump),
            MapKind::Object if MAKES.contains(&entry.class.as_slice()) => *self.made.entry(member()).or_insert(dump),
            _ => dump,
        };
        if first != dump {
            self.in_several.get_or_insert_with(|| entry.own.clone());
        }
        if entry.kind == MapKind::Data {
            self.take_rows(database, entry);
        }
    }

    fn take_rows(&mut self, database: &[u8], entry: &MapEntry) {
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
