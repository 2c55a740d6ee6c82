//! What changed between two dumps, from their indexes alone: rows and sizes from the dump maps, and from the recipes how much of each thing is
//! stored where the other dump has it, too.
//!
//! What is stored in the same place is the same, for certain. What is not, may still be: chunks are shared by neighbours, and a table that
//! did not change has new chunks at its ends when what stands beside it did. Statements are short and stand together, so that of a relation's
//! own ones only their length is compared, and by their places all of a database's together.

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::ops::Range;

use crate::archive::index::{Index, Piece};
use crate::base::map::{MapEntry, MapKind, MapName};
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::ops::contents::relation;
use crate::ops::scenes::{Scenes, Subject};
use crate::pipeline::contents::{Contents, ContentsReader};
use crate::pipeline::error::RunError;

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
        if (before.rows, before.bytes) != (after.rows, after.bytes) {
            Verdict::Changed
        } else if before.definition != after.definition {
            Verdict::Altered
        } else if before.alone > 0 || after.alone > 0 {
            Verdict::Perhaps
        } else {
            Verdict::Same
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

/// Where a dump is stored: part, offset of the block, and the stretches of its plain bytes.
struct Places {
    /// The number of every part of the part table, the same for the same part of another backup.
    parts: Vec<u32>,
    used: HashMap<(u32, u32), Vec<Range<u32>>>,
}

impl Places {
    fn of(compared: &Compared<'_, '_>, names: &mut HashMap<String, u32>) -> Places {
        let parts = compared.manifest.objects().filter(|(_, part)| part.role == Role::Data);
        let parts = parts.map(|(id, part)| {
            let next = names.len() as u32;
            *names.entry(id.part_name(part.index)).or_insert(next)
        });
        let mut places = Places { parts: parts.collect(), used: HashMap::new() };
        for piece in compared.index.pieces() {
            let block = compared.index.blocks[piece.block as usize];
            let place = (places.parts[block.part as usize], block.offset);
            places.used.entry(place).or_default().push(piece.offset..piece.offset + piece.length);
        }
        for stretches in places.used.values_mut() {
            stretches.sort_unstable_by_key(|stretch| stretch.start);
        }
        places
    }

    /// How many bytes of a stretch of a block are not used.
    fn unused(&self, place: (u32, u32), stretch: Range<u32>) -> u64 {
        let (mut at, mut unused) = (stretch.start, 0);
        for used in self.used.get(&place).into_iter().flatten() {
            if used.start >= stretch.end {
                break;
            }
            unused += u64::from(used.start.saturating_sub(at));
            at = at.max(used.end);
        }
        unused + u64::from(stretch.end.saturating_sub(at))
    }
}

/// What a dump has of every item, beside what the other one has.
fn sides(compared: &mut Compared<'_, '_>, own: &Places, other: &Places) -> Result<BTreeMap<Item, Side>, RunError> {
    let Compared { reader, index, scenes, .. } = compared;
    let mut sides: BTreeMap<Item, Side> = BTreeMap::new();
    let mut walk = Walk { index, pieces: index.pieces().peekable(), at: 0, own, other };
    scenes.each(reader, &mut |scene, entry| {
        let database = match &scene.subject {
            Subject::Globals => None,
            Subject::Setup(name) | Subject::Database(name) => Some(name.clone()),
            Subject::Session | Subject::Nothing => return,
        };
        if !matches!(entry.kind, MapKind::Object | MapKind::Data | MapKind::Value) {
            return;
        }
        let alone = walk.alone(&entry);
        let item = |relation: Option<&MapName>| Item { database: database.clone(), relation: relation.cloned() };
        if entry.kind == MapKind::Data {
            let rows = sides.entry(item(Some(&entry.own))).or_default();
            rows.rows = rows.rows.saturating_add(entry.rows);
            (rows.bytes, rows.alone) = (rows.bytes + entry.length, rows.alone + alone);
            return;
        }
        let statements = sides.entry(item(None)).or_default();
        (statements.bytes, statements.alone) = (statements.bytes + entry.length, statements.alone + alone);
        if let Some(name) = relation(&entry).filter(|_| database.is_some()) {
            sides.entry(item(Some(name))).or_default().definition += entry.length;
        }
    })?;
    Ok(sides)
}

/// The recipe of a dump, passed once beside its map.
struct Walk<'w, P: Iterator<Item = Piece>> {
    index: &'w Index,
    pieces: Peekable<P>,
    /// Where the next piece begins in the dump.
    at: u64,
    own: &'w Places,
    other: &'w Places,
}

impl<P: Iterator<Item = Piece>> Walk<'_, P> {
    /// How many bytes of the next entry are not stored where the other dump has them.
    fn alone(&mut self, entry: &MapEntry) -> u64 {
        let mut alone = 0;
        while let Some(piece) = self.pieces.peek() {
            let end = self.at + u64::from(piece.length);
            let (from, to) = (entry.offset.max(self.at), entry.end().min(end));
            if from < to {
                let block = self.index.blocks[piece.block as usize];
                // Both are within the piece.
                let stretch = piece.offset + (from - self.at) as u32..piece.offset + (to - self.at) as u32;
                alone += self.other.unused((self.own.parts[block.part as usize], block.offset), stretch);
            }
            if end > entry.end() {
                break;
            }
            self.at = end;
            self.pieces.next();
        }
        alone
    }
}
