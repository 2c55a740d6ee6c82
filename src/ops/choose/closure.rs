//! The tables that are meant, and what belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use super::error::database;
use super::pattern::Nearest;
use super::{ChooseError, NoRows, Wanted, typed};
use crate::base::map::{MapEntry, MapKind, MapName, Space};
use crate::ops::scenes::{Scene, Scenes, Subject};
use crate::pipeline::contents::ContentsReader;
use crate::pipeline::error::RunError;

/// A relation or an index of a database.
pub type Member = (Vec<u8>, MapName);

/// A view for which another one stood in: `pg_dump` writes both where views depend on each other, or on the key of a table.
const REPLACE_VIEW: &[u8] = b"REPLACE VIEW";

/// Where TimescaleDB keeps the rows of hypertables.
const TIMESCALE: &[u8] = b"_timescaledb_internal";

/// How deep partitions are looked for within partitions.
const LEVELS_MAX: usize = 64;

/// What the patterns match.
pub struct Matched {
    /// To be grown.
    pub closure: Closure,
    /// What each pattern matches.
    pub roots: Vec<BTreeSet<Member>>,
}

/// Everything that belongs to what is meant.
#[derive(Default)]
pub struct Closure {
    relations: BTreeSet<Member>,
    indexes: BTreeSet<Member>,
    /// Extended statistics, which have names of their own.
    statistics: BTreeSet<Member>,
    /// What the relations that a pattern matches are.
    classes: BTreeMap<Member, Vec<u8>>,
    /// Where relations are made.
    made: BTreeMap<Member, u64>,
    /// The parents of each child that are meant, too.
    parents_of: BTreeMap<Member, BTreeSet<Member>>,
    /// What each partition is a partition of, up to the root.
    partition_of: BTreeMap<Member, Member>,
    /// What has partitions among these.
    partitioned: BTreeSet<Member>,
    /// What of it has rows of its own.
    filled: BTreeSet<Member>,
    /// What has partitions that are not brought since nobody wants them.
    split: BTreeSet<Member>,
    /// There are rows under names that are not UTF-8.
    unspelled: bool,
    /// The parents, whose chunks are not brought.
    hypertables: BTreeSet<Member>,
    /// Their chunks.
    chunks: BTreeSet<Member>,
    /// The parents, whose children are not brought since nobody wants them.
    parents: BTreeSet<Member>,
}

impl Matched {
    /// Looks for what the patterns match in these databases.
    pub fn find(
        scenes: &Scenes,
        reader: &mut ContentsReader<'_, '_>,
        wanted: &Wanted,
        databases: &[Vec<u8>],
    ) -> Result<Matched, ChooseError> {
        let roots = vec![BTreeSet::new(); wanted.tables.len()];
        let mut matched = Matched { closure: Closure::default(), roots };
        let mut nearest: Vec<Nearest> = wanted.tables.iter().map(|(text, _)| Nearest::new(text)).collect();
        scenes.each(reader, &mut |scene, entry| {
            let Some(database) = main_database(scene).filter(|name| databases.iter().any(|known| known == name)) else {
                return;
            };
            if !is_defined(&entry) {
                return;
            }
            let spelled = [&entry.own.schema, &entry.own.name].iter().all(|name| std::str::from_utf8(name).is_ok());
            matched.closure.unspelled |= entry.kind == MapKind::Data && !spelled;
            for (pattern, (_, table)) in wanted.tables.iter().enumerate() {
                if table.matches(&entry.own, database) {
                    matched.add(pattern, (database.to_vec(), entry.own.clone()), &entry.class);
                } else if spelled {
                    nearest[pattern].offer(&typed(&in_place(&entry.own, database)));
                }
            }
        })?;
        for (((text, _), nearest), of_pattern) in wanted.tables.iter().zip(nearest).zip(&matched.roots) {
            let found: BTreeSet<&[u8]> = of_pattern.iter().map(|(database, _)| database.as_slice()).collect();
            if found.is_empty() {
                let nearest = nearest.names();
                return Err(ChooseError::Nothing { what: "table", pattern: text.clone(), nearest });
            }
            if found.len() > 1 && wanted.databases.is_empty() {
                let databases = found.iter().map(|name| database(name)).collect();
                return Err(ChooseError::WhichDatabase { pattern: text.clone(), databases });
            }
        }
        Ok(matched)
    }

    fn add(&mut self, pattern: usize, relation: Member, class: &[u8]) {
        self.closure.relations.insert(relation.clone());
        self.closure.classes.entry(relation.clone()).or_insert_with(|| class.to_vec());
        self.roots[pattern].insert(relation);
    }
}

/// A name as a pattern asks for it: where tables have no schema, their database takes its place.
fn in_place(table: &MapName, database: &[u8]) -> MapName {
    let place = if table.schema.is_empty() { database } else { &table.schema };
    MapName { schema: place.to_vec(), name: table.name.clone() }
}

/// The database of a scene, unless it is the one that only sets it up.
fn main_database(scene: &Scene) -> Option<&[u8]> {
    match &scene.subject {
        Subject::Database(name) => Some(name),
        Subject::Setup(_) | Subject::Globals | Subject::Session | Subject::Nothing => None,
    }
}

/// Whether an entry makes a relation, or holds its rows.
fn is_defined(entry: &MapEntry) -> bool {
    entry.space == Space::Relation && (entry.kind == MapKind::Data || is_made(entry))
}

/// Whether an entry makes a relation.
fn is_made(entry: &MapEntry) -> bool {
    let classes = [&b"TABLE"[..], b"VIEW", REPLACE_VIEW, b"MATERIALIZED VIEW", b"FOREIGN TABLE", b"SEQUENCE"];
    entry.space == Space::Relation && entry.kind == MapKind::Object && classes.contains(&&entry.class[..])
}

impl Closure {
    /// Adds children, owned sequences and indexes, until there is nothing to add.
    pub fn grow(
        &mut self,
        scenes: &Scenes,
        reader: &mut ContentsReader<'_, '_>,
        wanted: &Wanted,
    ) -> Result<(), RunError> {
        loop {
            let before = self.size();
            scenes.each(reader, &mut |scene, entry| {
                if let Some(database) = main_database(scene) {
                    self.take(database, &entry, wanted);
                }
            })?;
            if before == self.size() {
                return Ok(());
            }
        }
    }

    /// What grows when there is something to add.
    fn size(&self) -> [usize; 5] {
        let Closure { relations, indexes, statistics, partition_of, filled, .. } = self;
        [relations.len(), indexes.len(), statistics.len(), partition_of.len(), filled.len()]
    }

    fn take(&mut self, database: &[u8], entry: &MapEntry, wanted: &Wanted) {
        let member = |name: &MapName| (database.to_vec(), name.clone());
        if is_made(entry) && entry.class != REPLACE_VIEW && self.relations.contains(&member(&entry.own)) {
            self.made.entry(member(&entry.own)).or_insert(entry.offset);
        }
        if entry.kind == MapKind::Data && self.partitioned.contains(&member(&entry.own)) {
            self.filled.insert(member(&entry.own));
        }
        if entry.class == b"TABLE ATTACH" {
            self.take_partition(member(&entry.own), member(&entry.on));
        }
        if entry.on.is_empty() || !self.relations.contains(&member(&entry.on)) {
            return;
        }
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Link, b"child") if entry.own.schema == TIMESCALE => {
                self.hypertables.insert(member(&entry.on));
                self.chunks.insert(member(&entry.own));
            }
            (MapKind::Link, b"child") if wanted.only => {
                self.parents.insert(member(&entry.on));
            }
            (MapKind::Link, b"child") => {
                self.parents_of.entry(member(&entry.own)).or_default().insert(member(&entry.on));
                self.relations.insert(member(&entry.own));
            }
            (MapKind::Link, b"owned") if wanted.schema => {
                self.relations.insert(member(&entry.own));
            }
            (MapKind::Object, b"TABLE ATTACH") if wanted.only && !self.relations.contains(&member(&entry.own)) => {
                self.split.insert(member(&entry.on));
            }
            (MapKind::Object, b"STATISTICS") => {
                self.statistics.insert(member(&entry.own));
            }
            (MapKind::Object, _) if entry.space == Space::Index => {
                self.indexes.insert(member(&entry.own));
            }
            _ => {}
        }
    }

    /// Remembers what a partition that is meant is a partition of, and what that is one of.
    fn take_partition(&mut self, child: Member, parent: Member) {
        if self.relations.contains(&child) || self.partitioned.contains(&child) {
            self.partitioned.insert(parent.clone());
            self.partition_of.insert(child, parent);
        }
    }

    /// Leaves hypertables and their chunks out, and what came along only because of them. Whether there were any.
    pub fn leave_hypertables(&mut self, roots: &[BTreeSet<Member>]) -> bool {
        if self.hypertables.is_empty() {
            return false;
        }
        let stays = |root: &&Member| !self.hypertables.contains(*root) && !self.chunks.contains(*root);
        self.relations = roots.iter().flatten().filter(stays).cloned().collect();
        self.indexes.clear();
        self.statistics.clear();
        self.parents_of.clear();
        true
    }

    /// Whether an entry of a database is about something that is meant.
    pub fn holds(&self, database: &[u8], entry: &MapEntry) -> bool {
        let set = |name: &MapName, set: &BTreeSet<Member>| set.contains(&(database.to_vec(), name.clone()));
        // A child alone is not attached: its parent is another one by now, and may have done for it what its own statements do.
        match entry.class.as_slice() {
            b"TABLE ATTACH" => return set(&entry.own, &self.relations) && set(&entry.on, &self.relations),
            b"INDEX ATTACH" => return set(&entry.own, &self.indexes) && set(&entry.on, &self.indexes),
            // `pg_dump --clean` takes off what it makes again later, and its `DROP TABLE` is not brought.
            b"ALTER STATISTICS" | b"COMMENT STATISTICS" => return set(&entry.own, &self.statistics),
            b"ALTER" | REPLACE_VIEW
                if self.made.get(&(database.to_vec(), entry.own.clone())).is_some_and(|made| entry.offset < *made) =>
            {
                return false;
            }
            _ => {}
        }
        if !entry.on.is_empty() {
            return set(&entry.on, &self.relations);
        }
        match entry.space {
            Space::Relation => set(&entry.own, &self.relations),
            Space::Index => set(&entry.own, &self.indexes),
            Space::Other => false,
        }
    }

    /// These tables and their parents, theirs, and so on: whatever has rows when these have.
    pub fn ancestors(&self, tables: BTreeSet<Member>) -> BTreeSet<Member> {
        let mut todo: Vec<Member> = tables.iter().cloned().collect();
        let mut found = tables;
        while let Some(child) = todo.pop() {
            for parent in self.parents_of.get(&child).into_iter().flatten() {
                if found.insert(parent.clone()) {
                    todo.push(parent.clone());
                }
            }
        }
        found
    }

    /// What a partition is a partition of, directly or not, and has rows of its own: its rows may be among them.
    pub fn filled_root(&self, partition: &Member) -> Option<&Member> {
        let above = std::iter::successors(self.partition_of.get(partition), |above| self.partition_of.get(*above));
        // Bounded, since a map may hold a circle.
        above.take(LEVELS_MAX).find(|above| self.filled.contains(*above))
    }

    /// Whether the rows that stand as its own are those of its partitions, and these are not brought.
    pub fn is_filled_through(&self, table: &Member) -> bool {
        self.split.contains(table)
    }

    /// Whether its rows are in chunks.
    pub fn is_hypertable(&self, relation: &Member) -> bool {
        self.hypertables.contains(relation)
    }

    /// Why there are no rows of it.
    pub fn why_no_rows(&self, relation: &Member) -> NoRows {
        if self.hypertables.contains(relation) || self.chunks.contains(relation) {
            return NoRows::Hypertable { named: !relation.0.is_empty() };
        }
        if let Some((_, root)) = self.filled_root(relation) {
            return NoRows::InRoot { root: typed(root) };
        }
        match self.classes.get(relation).map(Vec::as_slice) {
            _ if self.parents.contains(relation) => NoRows::InChildren,
            Some(b"TABLE" | b"COPY") if self.unspelled => NoRows::Unspelled,
            Some(b"TABLE" | b"COPY") => NoRows::None,
            _ => NoRows::NotStored,
        }
    }
}
