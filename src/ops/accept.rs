//! Accepts a backup that is marked as shrunk (spec/manifest.md, "Accepting a shrunk backup").

use crate::archive::manifest::{OpenManifest, open};
use crate::base::id::BackupId;
use crate::format::manifest::{Manifest, Verdict};
use crate::keys::ring::Keyring;
use crate::ops::replace::put;
use crate::pipeline::error::RunError;
use crate::pipeline::port::Store;
use crate::pipeline::survey::{open_manifest, read_manifest};

/// Replaces the manifest by one that says so, which comes back.
///
/// # Errors
/// It is not marked as shrunk, it cannot be authenticated, or the store failed.
pub fn accept(store: &dyn Store, id: &BackupId, ring: &Keyring) -> Result<Manifest, RunError> {
    let epoch = open_manifest(store, id, ring)?.manifest.epoch;
    let old = read_manifest(store, id)?;
    let OpenManifest { manifest, archive_key } = open(id, &old, ring.of_epoch(epoch)?)?;
    if manifest.verdict != Verdict::Shrunk {
        return Err(RunError::NotShrunk { id: *id, verdict: manifest.verdict });
    }
    let manifest = Manifest { verdict: Verdict::Accepted, ..manifest };
    put(store, &old, &manifest, &archive_key)?;
    Ok(manifest)
}
