//! What the indexes leave open, told by the bytes: of an item that may have changed, those that the two dumps do not share are read.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::{Change, Item, Likeness};
use crate::pipeline::error::RunError;
use crate::pipeline::unpack::Restore;

/// Reads what is open, and says of each of it whether it is the same.
///
/// # Errors
/// A dump is not what it should be, or the run is stopped.
pub fn settle(changes: &mut BTreeMap<Item, Change>, restores: [&Restore<'_>; 2]) -> Result<(), RunError> {
    // A statement about a relation is one of its database, too: so it takes two passes.
    settle_part(changes, restores, |change| Some(&mut change.own))?;
    settle_part(changes, restores, definition)
}

/// The statements about a relation whose rows are the same; of any other it is known already that it changed.
fn definition(change: &mut Change) -> Option<&mut Likeness> {
    (change.own == Likeness::Same).then_some(&mut change.definition)
}

/// The same for one part of each item. No two of them have a byte in common.
fn settle_part(
    changes: &mut BTreeMap<Item, Change>,
    restores: [&Restore<'_>; 2],
    part: fn(&mut Change) -> Option<&mut Likeness>,
) -> Result<(), RunError> {
    let mut open: Vec<&mut Likeness> = changes.values_mut().filter_map(part).collect();
    open.retain(|likeness| matches!(likeness, Likeness::Open(_)));
    let pairs =
        || open.iter().filter_map(|likeness| if let Likeness::Open(pairs) = likeness { Some(pairs) } else { None });
    let old = digests(restores[0], pairs().flatten().map(|pair| pair.before.clone()))?;
    let new = digests(restores[1], pairs().flatten().map(|pair| pair.after.clone()))?;
    let lengths: Vec<usize> = pairs().map(Vec::len).collect();
    let mut equal = old.iter().zip(&new).map(|(old, new)| old.is_some() && old == new);
    for (likeness, pairs) in open.into_iter().zip(lengths) {
        // All of them are taken, whatever the first one says.
        let same = equal.by_ref().take(pairs).fold(true, |all, one| all & one);
        *likeness = if same { Likeness::Same } else { Likeness::Different };
    }
    Ok(())
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
