//! The one way in which an object is ever replaced: a manifest, while it is the one that was read (spec/manifest.md, "Replacing slots").

use crate::archive::ArchiveError;
use crate::archive::manifest::seal;
use crate::crypto::keys::ArchiveKey;
use crate::format::manifest::Manifest;
use crate::pipeline::error::RunError;
use crate::pipeline::port::Store;

/// Puts a manifest in the place of the text that was read, and reads it back. Gives its size.
///
/// # Errors
/// Somebody else changed it meanwhile, and then it is theirs; or the store failed.
pub(super) fn put(
    store: &dyn Store,
    old: &[u8],
    manifest: &Manifest,
    archive_key: &ArchiveKey,
) -> Result<u64, RunError> {
    let name = manifest.id.manifest_name();
    let new = seal(manifest, archive_key);
    // What no reader takes must not stand.
    Manifest::parse(&manifest.id, &new).map_err(ArchiveError::format(&name))?;
    let replaced = store.replace(&name, old, &new);
    // A failure with our bytes in place is a lost reply.
    match (replaced, store.get(&name, 0, new.len() + 1)) {
        (_, Ok(stands)) if stands == new => Ok(new.len() as u64),
        (Err(error), _) | (Ok(()), Err(error)) => Err(error.into()),
        (Ok(()), Ok(_)) => Err(RunError::ReadBack { name }),
    }
}
