//! What changed between two dumps, from their indexes alone: rows and sizes from the dump maps, and from the recipes how much of each thing is
//! stored where the other dump has it, too.
//!
//! What is stored in the same place is the same, for certain. What is not, may still be: chunks are shared by neighbours, and a table that
//! did not change has new chunks at its ends when what stands beside it did, such as the key of `\restrict`, which every dump draws. Then the
//! bytes themselves decide, for whoever wants to read them. Statements are short and stand together, so that of a relation's own ones only
//! their length is compared, and by their places all of a database's together.

mod exact;
mod places;

use std::collections::{BTreeMap, HashMap};

use crate::archive::index::Index;
use crate::base::map::{MapEntry, MapKind, MapName};
use crate::format::manifest::Manifest;
use crate::ops::contents::relation;
use crate::ops::scenes::{Scene, Scenes, Subject};
use crate::pipeline::contents::{Contents, ContentsReader};
use crate::pipeline::error::RunError;
use places::{Places, walk};

pub use exact::settle;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The database; `None` for roles, tablespaces and the like.
    pub database: Option<Vec<u8>>,
    /// A table, view or sequence; `None` for all statements of the database, with the values of its sequences.
    pub relation: Option<MapName>,
}

/// What one of the dumps has of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Rows.
    pub rows: u64,
    /// Bytes of the rows of a relation, or of the statements of a database.
    pub bytes: u64,
    /// Those of them that are not stored where the other dump has them.
    pub alone: u64,
    /// Bytes of the statements about a relation.
    pub definition: u64,
}

/// An item in both dumps, or in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub before: Option<Side>,
    /// After.
    pub after: Option<Side>,
    /// Whether the bytes are the same, of what was read.
    pub equal: Option<bool>,
}

/// What there is to say of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the same; of a relation its rows, and its statements are as long.
    Same,
    /// As many rows and bytes, and not all of them in the same place.
    Perhaps,
    /// As many rows and bytes, and statements of another length.
    Altered,
    /// Another number of rows or bytes.
    Changed,
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
}

impl Change {
    /// What there is to say of it.
    pub fn verdict(&self) -> Verdict {
        let (before, after) = match (self.before, self.after) {
            (Some(before), Some(after)) => (before, after),
            (None, _) => return Verdict::New,
            (_, None) => return Verdict::Gone,
        };
        if (before.rows, before.bytes) != (after.rows, after.bytes) || self.equal == Some(false) {
            Verdict::Changed
        } else if before.definition != after.definition {
            Verdict::Altered
        } else if self.is_open() {
            Verdict::Perhaps
        } else {
            Verdict::Same
        }
    }

    /// Whether only the bytes can tell if they are the same.
    pub fn is_open(&self) -> bool {
        let (Some(before), Some(after)) = (self.before, self.after) else { return false };
        let as_many = (before.rows, before.bytes) == (after.rows, after.bytes);
        as_many && self.equal.is_none() && (before.alone > 0 || after.alone > 0)
    }
}

/// A backup that is compared.
pub struct Compared<'c, 'a> {
    manifest: &'a Manifest,
    reader: ContentsReader<'c, 'a>,
    index: &'c Index,
    /// Its scenes.
    pub scenes: Scenes,
}

impl<'c, 'a> Compared<'c, 'a> {
    /// A backup, by its map and its index.
    ///
    /// # Errors
    /// There is no map, or it cannot be read.
    pub fn read(contents: &'c Contents<'a>, index: &'c Index) -> Result<Compared<'c, 'a>, RunError> {
        let mut reader = contents.reader();
        let scenes = Scenes::read(&mut reader)?;
        Ok(Compared { manifest: contents.manifest(), reader, index, scenes })
    }
}

/// Compares what is in two backups.
///
/// # Errors
/// The map of one of them cannot be read.
pub fn diff(before: &mut Compared<'_, '_>, after: &mut Compared<'_, '_>) -> Result<BTreeMap<Item, Change>, RunError> {
    let mut names = HashMap::new();
    let old = Places::of(before, &mut names);
    let new = Places::of(after, &mut names);
    let mut changes: BTreeMap<Item, Change> = BTreeMap::new();
    for (name, side) in sides(before, &old, &new)? {
        changes.entry(name).or_default().before = Some(side);
    }
    for (name, side) in sides(after, &new, &old)? {
        changes.entry(name).or_default().after = Some(side);
    }
    Ok(changes)
}

/// What a dump has of every item, beside what the other one has.
fn sides(compared: &mut Compared<'_, '_>, own: &Places, other: &Places) -> Result<BTreeMap<Item, Side>, RunError> {
    let Compared { reader, index, scenes, .. } = compared;
    let mut sides: BTreeMap<Item, Side> = BTreeMap::new();
    let mut walk = walk(index, own);
    scenes.each(reader, &mut |scene, entry| {
        let Some(item) = item(scene, &entry) else { return };
        let mut alone = 0;
        walk.each(&entry, &mut |stretch| alone += other.unused(stretch.place, stretch.plain));
        if let Some(name) = relation(&entry).filter(|_| entry.kind != MapKind::Data && item.database.is_some()) {
            let relation = Item { database: item.database.clone(), relation: Some(name.clone()) };
            sides.entry(relation).or_default().definition += entry.length;
        }
        let side = sides.entry(item).or_default();
        // Of what has no rows the map says 0.
        side.rows = side.rows.saturating_add(entry.rows);
        (side.bytes, side.alone) = (side.bytes + entry.length, side.alone + alone);
    })?;
    Ok(sides)
}

/// What an entry is counted with: rows with those of their table, statements with those of their database.
fn item(scene: &Scene, entry: &MapEntry) -> Option<Item> {
    let database = match &scene.subject {
        Subject::Globals => None,
        Subject::Setup(name) | Subject::Database(name) => Some(name.clone()),
        Subject::Session | Subject::Nothing => return None,
    };
    match entry.kind {
        MapKind::Data => Some(Item { database, relation: Some(entry.own.clone()) }),
        MapKind::Object | MapKind::Value => Some(Item { database, relation: None }),
        _ => None,
    }
}
