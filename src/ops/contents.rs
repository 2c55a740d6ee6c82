//! What is inside a dump: databases, schemas and tables, with rows and sizes.

use std::collections::BTreeMap;

use crate::base::map::{MapEntry, MapKind, MapName, Space};
use crate::ops::scenes::{Scenes, Subject};
use crate::pipeline::contents::{Contents, ContentsReader};
use crate::pipeline::error::RunError;

/// The versions that a dump names, as it writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the server that it was made of.
    pub server: Vec<Vec<u8>>,
    /// Of the tool that made it.
    pub tool: Vec<Vec<u8>>,
}

impl Versions {
    /// Reads them; none of a dump that has no map.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn read(reader: &mut ContentsReader<'_, '_>) -> Result<Versions, RunError> {
        let mut versions = Versions::default();
        match reader.each(&mut |entry| versions.take(&entry)) {
            Err(RunError::NoMap { .. }) | Ok(_) => Ok(versions),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, entry: &MapEntry) {
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Version, b"server") => self.server.push(entry.own.name.clone()),
            (MapKind::Version, b"tool") => self.tool.push(entry.own.name.clone()),
            _ => {}
        }
    }
}

/// What is inside a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The versions that it names.
    pub versions: Versions,
    /// Bytes of roles, tablespaces and the like, where the dump has them.
    pub globals: Option<u64>,
    /// The databases, in the order of the dump.
    pub databases: Vec<Database>,
    /// Statements that have no names in the map.
    pub unnamed: u64,
    /// Up to where the map goes.
    pub mapped: u64,
    /// The size of the dump.
    pub plain: u64,
}

/// A database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its name; empty where the dump does not say it.
    pub name: Vec<u8>,
    /// Bytes of the dump.
    pub bytes: u64,
    /// Its schemas; what is in none has an empty name.
    pub schemas: BTreeMap<Vec<u8>, Schema>,
}

/// A schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Bytes of everything in it.
    pub bytes: u64,
    /// Tables, views and sequences.
    pub relations: BTreeMap<Vec<u8>, Relation>,
    /// Functions, types and the like.
    pub others: u64,
}

/// A table, a view or a sequence, with everything that belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// What it is, as the dump says it; empty where it is not said.
    pub class: Vec<u8>,
    /// Bytes of everything about it.
    pub bytes: u64,
    /// Bytes of its rows; `None` where there are none in the dump.
    pub data: Option<u64>,
    /// Its rows.
    pub rows: u64,
}

/// Reads the tree.
///
/// # Errors
/// There is no map, or it cannot be read.
pub fn tree(contents: &Contents<'_>) -> Result<Tree, RunError> {
    let mut reader = contents.reader();
    let scenes = Scenes::read(&mut reader)?;
    let versions = Versions::read(&mut reader)?;
    let Scenes { end: mapped, plain, unnamed, .. } = scenes;
    let mut tree = Tree { versions, unnamed, mapped, plain, ..Tree::default() };
    for scene in &scenes.scenes {
        let bytes = scene.range.end - scene.range.start;
        match &scene.subject {
            Subject::Globals => *tree.globals.get_or_insert(0) += bytes,
            Subject::Setup(name) | Subject::Database(name) => tree.database(name).bytes += bytes,
            Subject::Session | Subject::Nothing => {}
        }
    }
    scenes.each(&mut reader, &mut |scene, entry| {
        if let Subject::Database(name) = &scene.subject {
            tree.database(name).take(&entry);
        }
    })?;
    Ok(tree)
}

impl Tree {
    fn database(&mut self, name: &[u8]) -> &mut Database {
        let at = self.databases.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.databases.push(Database { name: name.to_vec(), ..Database::default() });
            self.databases.len() - 1
        });
        &mut self.databases[at]
    }
}

/// The table, view or sequence that an entry is about.
pub fn relation(entry: &MapEntry) -> Option<&MapName> {
    match entry.space {
        _ if entry.class == b"INDEX ATTACH" => None,
        _ if !entry.on.is_empty() => Some(&entry.on),
        Space::Relation => Some(&entry.own),
        Space::Index | Space::Other => None,
    }
}

/// What does not say what a relation is.
const CHANGES: [&[u8]; 3] = [b"ALTER", b"DROP", b"KEYS"];

impl Database {
    fn take(&mut self, entry: &MapEntry) {
        if !matches!(entry.kind, MapKind::Object | MapKind::Data | MapKind::Value) {
            return;
        }
        let relation = relation(entry);
        let MapName { schema, name } = relation.unwrap_or(&entry.own);
        let schema = self.schemas.entry(schema.clone()).or_default();
        schema.bytes += entry.length;
        if relation.is_none() {
            // What changes an object is not another one.
            let change =
                [&b"ALTER "[..], b"COMMENT", b"ACL", b"SECURITY"].iter().any(|word| entry.class.starts_with(word));
            schema.others += u64::from(entry.kind == MapKind::Object && !entry.own.is_empty() && !change);
            return;
        }
        let found = schema.relations.entry(name.clone()).or_default();
        found.bytes += entry.length;
        if entry.kind == MapKind::Value && found.class.is_empty() {
            found.class = b"SEQUENCE".to_vec();
        } else if entry.kind == MapKind::Data {
            *found.data.get_or_insert(0) += entry.length;
            found.rows = found.rows.saturating_add(entry.rows);
        } else if found.class.is_empty() && entry.on.is_empty() && !CHANGES.contains(&entry.class.as_slice()) {
            // What takes the place of a view is one.
            let class = entry.class.strip_prefix(b"REPLACE ").unwrap_or(&entry.class);
            found.class = class.to_vec();
        }
    }
}
