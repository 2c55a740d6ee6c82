//! What changed between two dumps, from their indexes alone: rows and sizes from the dump maps, and from the recipes how much of each thing is
//! stored where the other dump has it, too.
//!
//! What is stored in the same places, in the same order, is the same, for certain. What is not, may still be: chunks are shared by neighbours,
//! and a table that did not change has new chunks at its ends when what stands beside it did, such as the key of `\restrict`, which every dump
//! draws. Then the bytes themselves decide, for whoever wants to read them. Statements are short and stand together: of a relation's own ones
//! only their length is compared, unless they are read.

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
use places::{Differing, Places, Stretch, differing, walk};

pub use exact::settle;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The database; `None` for roles, tablespaces and the like.
    pub database: Option<Vec<u8>>,
    /// A table, view or sequence; `None` for all statements of the database, with the values of its sequences and the settings around them.
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

/// Whether bytes of both dumps are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Likeness {
    /// They are.
    Same,
    /// They are not, or one of the dumps has none.
    #[default]
    Different,
    /// There are as many, and those that are stored in other places may be others.
    Open(Vec<Differing>),
}

impl Likeness {
    /// By their number, and where they are stored.
    fn of(as_many: bool, before: Vec<Stretch>, after: Vec<Stretch>) -> Likeness {
        let open = if as_many { differing(before, after) } else { Vec::new() };
        match (as_many, open.is_empty()) {
            (false, _) => Likeness::Different,
            (true, true) => Likeness::Same,
            (true, false) => Likeness::Open(open),
        }
    }
}

/// An item in both dumps, or in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub before: Option<Side>,
    /// After.
    pub after: Option<Side>,
    /// The rows of a relation, or the statements of a database.
    pub own: Likeness,
    /// The statements about a relation.
    pub definition: Likeness,
}

/// What there is to say of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the same; of a relation its rows, and its statements are as long, or the same where they were read.
    Same,
    /// As many rows and bytes, and not all of them in the same place.
    Perhaps,
    /// As many rows and bytes, and other statements.
    Altered,
    /// Other rows or bytes.
    Changed,
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
}

impl Change {
    fn of(before: Option<Laid>, after: Option<Laid>) -> Change {
        let (old, new) = (before.as_ref().map(|laid| laid.side), after.as_ref().map(|laid| laid.side));
        let change = Change { before: old, after: new, ..Change::default() };
        let (Some(old), Some(new), Some(before), Some(after)) = (old, new, before, after) else { return change };
        let as_many = (old.rows, old.bytes) == (new.rows, new.bytes);
        Change {
            own: Likeness::of(as_many, before.own, after.own),
            definition: Likeness::of(old.definition == new.definition, before.definition, after.definition),
            ..change
        }
    }

    /// What there is to say of it.
    pub fn verdict(&self) -> Verdict {
        match (&self.own, &self.definition) {
            _ if self.before.is_none() => Verdict::New,
            _ if self.after.is_none() => Verdict::Gone,
            (Likeness::Different, _) => Verdict::Changed,
            (_, Likeness::Different) => Verdict::Altered,
            (Likeness::Open(_), _) => Verdict::Perhaps,
            (Likeness::Same, _) => Verdict::Same,
        }
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
    let (old, new) = (Places::of(before, &mut names), Places::of(after, &mut names));
    let mut lefts = sides(before, &old, &new)?;
    let mut changes = BTreeMap::new();
    for (item, right) in sides(after, &new, &old)? {
        let left = lefts.remove(&item);
        changes.insert(item, Change::of(left, Some(right)));
    }
    changes.extend(lefts.into_iter().map(|(item, left)| (item, Change::of(Some(left), None))));
    Ok(changes)
}

/// What one of the dumps has of an item, and where it is stored.
#[derive(Default)]
struct Laid {
    side: Side,
    own: Vec<Stretch>,
    definition: Vec<Stretch>,
}

/// What a dump has of every item, beside what the other one has.
fn sides(compared: &mut Compared<'_, '_>, own: &Places, other: &Places) -> Result<BTreeMap<Item, Laid>, RunError> {
    let Compared { reader, index, scenes, .. } = compared;
    let mut sides: BTreeMap<Item, Laid> = BTreeMap::new();
    let mut walk = walk(index, own);
    scenes.each(reader, &mut |scene, entry| {
        let Some(item) = item(scene, &entry) else { return };
        let mut stretches = Vec::new();
        walk.each(&entry, &mut |stretch| stretches.push(stretch));
        if let Some(name) = relation(&entry).filter(|_| entry.kind != MapKind::Data && item.database.is_some()) {
            let relation = Item { database: item.database.clone(), relation: Some(name.clone()) };
            let laid = sides.entry(relation).or_default();
            laid.side.definition += entry.length;
            stretches.iter().for_each(|stretch| stretch.clone().add_to(&mut laid.definition));
        }
        let Laid { side, own, .. } = sides.entry(item).or_default();
        // Of what has no rows the map says 0.
        side.rows = side.rows.saturating_add(entry.rows);
        side.bytes += entry.length;
        for stretch in stretches {
            side.alone += other.unused(stretch.place, stretch.plain.clone());
            stretch.add_to(own);
        }
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
        MapKind::Object | MapKind::Value | MapKind::Setting => Some(Item { database, relation: None }),
        _ => None,
    }
}
