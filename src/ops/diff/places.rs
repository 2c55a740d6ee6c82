//! Where the bytes of a dump are stored: what two dumps have in the same place is the same.

use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;

use super::Compared;
use crate::archive::index::{Index, Piece};
use crate::base::map::MapEntry;
use crate::format::header::Role;

/// The number of a part, and the offset of a block in it.
pub type Place = (u32, u32);

/// Where a dump is stored: part, offset of the block, and the stretches of its plain bytes.
pub struct Places {
    /// The number of every part of the part table, the same for the same part of another backup.
    parts: Vec<u32>,
    used: HashMap<Place, Vec<Range<u32>>>,
}

impl Places {
    /// Where this dump is. `names` numbers the parts of both.
    pub fn of(compared: &Compared<'_, '_>, names: &mut HashMap<String, u32>) -> Places {
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
    pub fn unused(&self, place: Place, stretch: Range<u32>) -> u64 {
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

/// Some bytes of a dump, all of one block.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Where they are in the dump.
    pub at: u64,
    /// The block.
    pub place: Place,
    /// Where they are in its plain bytes.
    pub plain: Range<u32>,
}

impl Stretch {
    /// Appends it, or lets the last one go on.
    pub fn add_to(self, all: &mut Vec<Stretch>) {
        match all.last_mut() {
            Some(last)
                if (last.place, last.plain.end, last.at + last.plain.len() as u64)
                    == (self.place, self.plain.start, self.at) =>
            {
                last.plain.end = self.plain.end;
            }
            // Of most things there is one.
            None => {
                all.reserve_exact(1);
                all.push(self);
            }
            Some(_) => all.push(self),
        }
    }
}

/// As many bytes of both dumps, stored in different places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Where they are in the earlier one.
    pub before: Range<u64>,
    /// And in the later one.
    pub after: Range<u64>,
}

/// Lays as many bytes of both dumps side by side, in order, and leaves out what is stored in the same place.
pub fn differing(before: Vec<Stretch>, after: Vec<Stretch>) -> Vec<Differing> {
    let (mut lefts, mut rights) = (before.into_iter(), after.into_iter());
    let (mut left, mut right) = (lefts.next(), rights.next());
    let mut found: Vec<Differing> = Vec::new();
    while let (Some(old), Some(new)) = (&mut left, &mut right) {
        let bytes = old.plain.len().min(new.plain.len()) as u32;
        if (old.place, old.plain.start) != (new.place, new.plain.start) {
            let (before, after) = (old.at..old.at + u64::from(bytes), new.at..new.at + u64::from(bytes));
            match found.last_mut() {
                Some(last) if (last.before.end, last.after.end) == (before.start, after.start) => {
                    (last.before.end, last.after.end) = (before.end, after.end);
                }
                _ => found.push(Differing { before, after }),
            }
        }
        for (side, rest) in [(&mut left, &mut lefts), (&mut right, &mut rights)] {
            if let Some(stretch) = side {
                (stretch.at, stretch.plain.start) = (stretch.at + u64::from(bytes), stretch.plain.start + bytes);
            }
            if side.as_ref().is_some_and(|stretch| stretch.plain.is_empty()) {
                *side = rest.next();
            }
        }
    }
    found
}

/// The recipe of a dump, passed once beside its map.
pub struct Walk<'w, P: Iterator<Item = Piece>> {
    index: &'w Index,
    places: &'w Places,
    pieces: Peekable<P>,
    /// Where the next piece begins in the dump.
    at: u64,
}

/// A walk from the begin of the dump on.
pub fn walk<'w>(index: &'w Index, places: &'w Places) -> Walk<'w, impl Iterator<Item = Piece>> {
    Walk { index, places, pieces: index.pieces().peekable(), at: 0 }
}

impl<P: Iterator<Item = Piece>> Walk<'_, P> {
    /// Calls `take` with the stretches of the next entry.
    pub fn each(&mut self, entry: &MapEntry, take: &mut dyn FnMut(Stretch)) {
        while let Some(piece) = self.pieces.peek() {
            let end = self.at + u64::from(piece.length);
            let (from, to) = (entry.offset.max(self.at), entry.end().min(end));
            if from < to {
                let block = self.index.blocks[piece.block as usize];
                let place = (self.places.parts[block.part as usize], block.offset);
                // Both are within the piece.
                let plain = piece.offset + (from - self.at) as u32..piece.offset + (to - self.at) as u32;
                take(Stretch { at: from, place, plain });
            }
            if end > entry.end() {
                break;
            }
            self.at = end;
            self.pieces.next();
        }
    }
}
