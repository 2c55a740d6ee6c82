//! Seals and opens the manifest (spec/manifest.md).

use crate::archive::ArchiveError;
use crate::base::id::BackupId;
use crate::crypto::keys::{ArchiveKey, Fingerprint, VaultKeys};
use crate::crypto::sealed;
use crate::format::manifest::{Manifest, Unverified};

/// A manifest whose MAC verified, and the key that it is under.
pub struct OpenManifest {
    /// What it says, authenticated.
    pub manifest: Manifest,
    /// AK of the backup.
    pub archive_key: ArchiveKey,
}

/// The bytes of the manifest object.
pub fn seal(manifest: &Manifest, archive_key: &ArchiveKey) -> Vec<u8> {
    let body = manifest.encode();
    let mac = archive_key.manifest_mac(body.as_bytes());
    Manifest::with_mac(&body, &mac)
}

/// Opens a manifest; `id` is that of the object's name.
///
/// # Errors
/// It is not legal, is of another key, or does not authenticate.
pub fn open(id: &BackupId, text: &[u8], keys: &VaultKeys) -> Result<OpenManifest, ArchiveError> {
    let name = id.manifest_name();
    let Unverified { manifest, body, mac } = Manifest::parse(id, text).map_err(ArchiveError::format(&name))?;
    check_key(&manifest, keys)?;
    let archive_key = open_key(id, &manifest.sealed_key, keys)?;
    if !archive_key.manifest_mac_is(body, &mac) {
        return Err(ArchiveError::Mac { id: *id });
    }
    Ok(OpenManifest { manifest, archive_key })
}

/// Opens a sealed archive key.
///
/// # Errors
/// It is not the key of that backup.
pub fn open_key(id: &BackupId, sealed_key: &[u8; 80], keys: &VaultKeys) -> Result<ArchiveKey, ArchiveError> {
    sealed::open(keys, id, sealed_key).map_err(|_| ArchiveError::SealedKey { id: *id })
}

/// Whether the key at hand is the one that the manifest shows.
fn check_key(manifest: &Manifest, keys: &VaultKeys) -> Result<(), ArchiveError> {
    let needed = Fingerprint(manifest.fingerprint);
    let given = keys.pack.fingerprint;
    if keys.pack.scope.guid == manifest.id.guid && keys.pack.scope.epoch == manifest.epoch && needed == given {
        return Ok(());
    }
    Err(ArchiveError::WrongKey { id: manifest.id, epoch: manifest.epoch, needed, given })
}
