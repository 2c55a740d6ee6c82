//! Gives existing backups the slots that the key file has (spec/manifest.md, "Replacing slots").
//!
//! 1. Every manifest of the guid and of the newest epoch is read and authenticated. One of a later generation stops everything.
//! 2. One by one, newest first, each that is not of this generation is sealed anew with other slots, and replaces the one that was read.
//! 3. It is read back.
//!
//! Parts are not touched, and a run that breaks off is taken up by the next one: at any time each manifest is the old or the new one.

use crate::archive::manifest::{OpenManifest, open};
use crate::base::id::BackupId;
use crate::format::manifest::Manifest;
use crate::format::slot::Slot;
use crate::keys::ring::Keyring;
use crate::ops::replace::put;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Observer, Store};
use crate::pipeline::survey::{Survey, open_manifest, read_manifest};

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Manifests that were replaced.
    pub replaced: usize,
    /// Manifests that had these slots already.
    pub current: usize,
    /// Manifests of earlier epochs, which keep their slots.
    pub earlier: usize,
    /// Manifests that cannot be authenticated, which keep what they have.
    pub refused: usize,
    /// Bytes written.
    pub bytes: u64,
}

/// Gives the slots to every backup of the newest epoch of the ring.
///
/// # Errors
/// A manifest is of a later generation, or the store failed. What is done stays done.
pub fn rewrap(
    store: &dyn Store,
    observer: &dyn Observer,
    ring: &Keyring,
    slots: &[Slot],
    generation: u64,
) -> Result<Rewrapped, RunError> {
    let mut done = Rewrapped::default();
    let mut planned = Vec::new();
    for id in Survey::take(store, &format!("{}-", ring.guid()))?.with_manifest() {
        match open_manifest(store, &id, ring) {
            Ok(opened) if opened.manifest.epoch < ring.newest().pack.scope.epoch => done.earlier += 1,
            Ok(opened) if opened.manifest.generation > generation => {
                let found = opened.manifest.generation;
                return Err(RunError::Generation { id, found, given: generation });
            }
            Ok(opened) if opened.manifest.generation == generation && opened.manifest.slots == slots => {
                done.current += 1
            }
            Ok(_) => planned.push(id),
            // Gone since the listing, or not vault's.
            Err(RunError::NotFound { .. } | RunError::Legacy { .. }) => {}
            Err(error @ RunError::Store(_)) => return Err(error),
            Err(error) => {
                observer.warn(&format!("the slots of {id} stay what they are: {error}"));
                done.refused += 1;
            }
        }
    }
    for id in planned {
        done.bytes += replace(store, &id, ring, slots, generation)?;
        done.replaced += 1;
    }
    Ok(done)
}

/// Replaces one manifest. Gives its new size; 0 when it is gone meanwhile.
fn replace(store: &dyn Store, id: &BackupId, ring: &Keyring, slots: &[Slot], generation: u64) -> Result<u64, RunError> {
    let old = match read_manifest(store, id) {
        Err(RunError::NotFound { .. }) => return Ok(0),
        other => other?,
    };
    let OpenManifest { manifest, archive_key } = open(id, &old, ring.newest())?;
    put(store, &old, &Manifest { slots: slots.to_vec(), generation, ..manifest }, &archive_key)
}
