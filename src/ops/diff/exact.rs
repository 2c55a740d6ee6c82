//! What the indexes leave open, told by the bytes: of an item that may have changed, those that the two dumps do not share are read.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::places::{Places, Stretch, walk};
use super::{Change, Compared, Item, item};
use crate::pipeline::error::RunError;
use crate::pipeline::unpack::Restore;

/// Bytes of an item in both dumps that are not stored in the same place.
struct Pair {
    /// The number of the item.
    item: usize,
    before: Range<u64>,
    after: Range<u64>,
}

/// Reads what is open, and says of each of it whether it is the same.
///
/// # Errors
/// A map cannot be read, or a dump is not what it should be, or the run is stopped.
pub fn settle(
    changes: &mut BTreeMap<Item, Change>,
    before: &mut Compared<'_, '_>,
    after: &mut Compared<'_, '_>,
    restores: [&Restore<'_>; 2],
) -> Result<(), RunError> {
    let open = changes.iter().filter(|(_, change)| change.is_open()).map(|(item, _)| item.clone());
    let open: BTreeMap<Item, usize> = open.zip(0..).collect();
    let mut names = HashMap::new();
    let (old, new) = (Places::of(before, &mut names), Places::of(after, &mut names));
    let (old, new) = (stretches(before, &old, &open)?, stretches(after, &new, &open)?);
    let mut pairs = Vec::new();
    for (item, (old, new)) in old.into_iter().zip(new).enumerate() {
        pair(item, old, new, &mut pairs);
    }
    let old = digests(restores[0], pairs.iter().map(|pair| pair.before.clone()))?;
    let new = digests(restores[1], pairs.iter().map(|pair| pair.after.clone()))?;
    let mut equal = vec![true; open.len()];
    for (Pair { item, .. }, (old, new)) in pairs.iter().zip(old.iter().zip(&new)) {
        equal[*item] &= old.is_some() && old == new;
    }
    for (item, number) in &open {
        changes.entry(item.clone()).or_default().equal = Some(equal[*number]);
    }
    Ok(())
}

/// Where the bytes of every open item are, in the order of the dump.
fn stretches(
    compared: &mut Compared<'_, '_>,
    places: &Places,
    open: &BTreeMap<Item, usize>,
) -> Result<Vec<Vec<Stretch>>, RunError> {
    let Compared { reader, index, scenes, .. } = compared;
    let mut found = vec![Vec::new(); open.len()];
    let mut walk = walk(index, places);
    scenes.each(reader, &mut |scene, entry| {
        let number = item(scene, &entry).and_then(|item| open.get(&item));
        if let Some(number) = number {
            walk.each(&entry, &mut |stretch| found[*number].push(stretch));
        }
    })?;
    Ok(found)
}

/// Lays the bytes of an item, as many in both dumps, side by side, and leaves out what is stored in the same place.
fn pair(item: usize, old: Vec<Stretch>, new: Vec<Stretch>, pairs: &mut Vec<Pair>) {
    let (mut old, mut new) = (old.into_iter(), new.into_iter());
    let (mut before, mut after) = (old.next(), new.next());
    while let (Some(left), Some(right)) = (&mut before, &mut after) {
        let bytes = left.plain.len().min(right.plain.len()) as u32;
        if (left.place, left.plain.start) != (right.place, right.plain.start) {
            let (before, after) = (left.at..left.at + u64::from(bytes), right.at..right.at + u64::from(bytes));
            match pairs.last_mut() {
                Some(last) if last.before.end == before.start && last.after.end == after.start => {
                    (last.before.end, last.after.end) = (before.end, after.end);
                }
                _ => pairs.push(Pair { item, before, after }),
            }
        }
        for (side, rest) in [(&mut before, &mut old), (&mut after, &mut new)] {
            if let Some(stretch) = side {
                (stretch.at, stretch.plain.start) = (stretch.at + u64::from(bytes), stretch.plain.start + bytes);
            }
            if side.as_ref().is_some_and(|stretch| stretch.plain.is_empty()) {
                *side = rest.next();
            }
        }
    }
}

/// The digest of every range, each of them read once.
fn digests(restore: &Restore<'_>, ranges: impl Iterator<Item = Range<u64>>) -> Result<Vec<Option<[u8; 32]>>, RunError> {
    let mut order: Vec<(Range<u64>, usize)> = ranges.zip(0..).collect();
    order.sort_unstable_by_key(|(range, _)| range.start);
    let ascending: Vec<Range<u64>> = order.iter().map(|(range, _)| range.clone()).collect();
    let mut each = EachRange { ranges: &ascending, passed: 0, hasher: Sha256::new(), digests: Vec::new() };
    restore.release_ranges(&ascending, &mut each)?;
    let mut digests = vec![None; order.len()];
    for ((_, number), digest) in order.iter().zip(each.digests) {
        digests[*number] = Some(digest);
    }
    Ok(digests)
}

/// Hashes range after range of what is released.
struct EachRange<'r> {
    /// Those that have not ended.
    ranges: &'r [Range<u64>],
    /// Bytes of the first one that have passed.
    passed: u64,
    hasher: Sha256,
    digests: Vec<[u8; 32]>,
}

impl Write for EachRange<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some((range, rest)) = self.ranges.split_first() else {
            return Err(io::Error::other("more was released than was asked for"));
        };
        let wanted = range.end - range.start - self.passed;
        let taken = bytes.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
        self.hasher.update(&bytes[..taken]);
        self.passed += taken as u64;
        if self.passed == range.end - range.start {
            self.digests.push(self.hasher.finalize_reset().into());
            (self.ranges, self.passed) = (rest, 0);
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
