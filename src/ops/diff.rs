//! What changed between two dumps, from their indexes alone: rows and sizes from the dump maps, and from the recipes how much of each table is
//! stored where the other dump has it, too.
//!
//! What is stored in the same place is the same, for certain. What is not, may still be: chunks are shared by neighbours, and a table that
//! did not change has new chunks at its ends when what stands beside it did.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::archive::index::Index;
use crate::base::map::{MapKind, MapName};
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::ops::scenes::{Scenes, Subject};
use crate::pipeline::contents::{Contents, ContentsReader};
use crate::pipeline::error::RunError;

/// A table in its database.
pub type TableName = (Vec<u8>, MapName);

/// What one of the dumps has of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Bytes that are not stored where the other dump has them.
    pub alone: u64,
}

/// A table in both dumps, or in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub before: Option<Side>,
    /// After.
    pub after: Option<Side>,
}

/// How certain a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Byte for byte the same.
    Same,
    /// As many rows and bytes, and not all of them in the same place.
    Perhaps,
    /// Another number of rows or bytes, or there in only one of the dumps.
    Changed,
}

impl Change {
    /// How certain it is.
    pub fn certainty(&self) -> Certainty {
        match (self.before, self.after) {
            (Some(before), Some(after)) if (before.rows, before.bytes) == (after.rows, after.bytes) => {
                if before.alone == 0 && after.alone == 0 { Certainty::Same } else { Certainty::Perhaps }
            }
            _ => Certainty::Changed,
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

/// Compares the tables of two backups.
///
/// # Errors
/// The map of one of them cannot be read.
pub fn diff(
    before: &mut Compared<'_, '_>,
    after: &mut Compared<'_, '_>,
) -> Result<BTreeMap<TableName, Change>, RunError> {
    let mut names = HashMap::new();
    let old = Places::of(before, &mut names);
    let new = Places::of(after, &mut names);
    let mut changes: BTreeMap<TableName, Change> = BTreeMap::new();
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

/// What a dump has of every table, beside what the other one has.
fn sides(compared: &mut Compared<'_, '_>, own: &Places, other: &Places) -> Result<BTreeMap<TableName, Side>, RunError> {
    let Compared { reader, index, scenes, .. } = compared;
    let mut sides: BTreeMap<TableName, Side> = BTreeMap::new();
    let mut pieces = index.pieces().peekable();
    // Where the next piece begins in the dump.
    let mut at = 0;
    scenes.each(reader, &mut |scene, entry| {
        let Subject::Database(database) = &scene.subject else { return };
        if entry.kind != MapKind::Data {
            return;
        }
        let side = sides.entry((database.clone(), entry.own.clone())).or_default();
        side.rows = side.rows.saturating_add(entry.rows);
        side.bytes += entry.length;
        while let Some(piece) = pieces.peek() {
            let end = at + u64::from(piece.length);
            let (from, to) = (entry.offset.max(at), entry.end().min(end));
            if from < to {
                let block = index.blocks[piece.block as usize];
                // Both are within the piece.
                let stretch = piece.offset + (from - at) as u32..piece.offset + (to - at) as u32;
                side.alone += other.unused((own.parts[block.part as usize], block.offset), stretch);
            }
            if end > entry.end() {
                break;
            }
            at = end;
            pieces.next();
        }
    })?;
    Ok(sides)
}
