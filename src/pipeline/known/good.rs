//! The backup that the size of the next dump is compared with (spec/dump.md, "The last good backup").

use crate::base::id::BackupId;
use crate::crypto::keys::PackKeys;
use crate::format::manifest::{Manifest, Verdict};
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::history::{Chapter, ours, read_draft};
use crate::pipeline::survey::Survey;

/// The newest backup that counts as good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// Its id.
    pub id: BackupId,
    /// Its plain bytes, rounded up.
    pub size: u64,
}

/// Finds it: mostly that is the newest one, whose catalogue is open already. Of the others the manifest says whether it is worth opening.
pub(super) fn find(world: &World<'_>, keys: &PackKeys, survey: &Survey, newest: &Chapter) -> Option<LastGood> {
    if counts(newest.verdict, &newest.draft) {
        return Some(LastGood { id: newest.draft.id, size: newest.draft.size });
    }
    survey.with_manifest().filter(|id| *id < newest.draft.id).find_map(|id| {
        judge(world, keys, survey, &id).unwrap_or_else(|error| {
            world.observer.warn(&format!("the size of the dump is not compared with that of {id}: {error}"));
            None
        })
    })
}

fn judge(world: &World<'_>, keys: &PackKeys, survey: &Survey, id: &BackupId) -> Result<Option<LastGood>, RunError> {
    let Some(manifest) = ours(world, keys, survey, id)?.filter(|manifest| manifest.verdict.is_good()) else {
        return Ok(None);
    };
    let draft = read_draft(world, keys, survey, &manifest)?;
    Ok(counts(manifest.verdict, &draft).then_some(LastGood { id: *id, size: draft.size }))
}

/// The draft is authentic, and the manifest may not be: all that it can add is that somebody accepted what was packed as shrunk.
fn counts(manifest: Verdict, draft: &Manifest) -> bool {
    manifest.is_good() && manifest.as_packed() == draft.verdict
}
