//! The word `latest`, and what a person has to know of a backup that does not count as good.

use crate::archive::manifest::OpenManifest;
use crate::base::id::BackupId;
use crate::cli::world::Teller;
use crate::format::manifest::Verdict;
use crate::keys::ring::Keyring;
use crate::pipeline::error::RunError;
use crate::pipeline::port::Store;
use crate::pipeline::survey::{self, Latest};

/// The word for the newest good backup.
pub const LATEST: &str = "latest";

/// Finds it, and tells what stands above it.
///
/// # Errors
/// There is none, the newest does not verify, or it is marked as shrunk.
pub fn latest(store: &dyn Store, ring: &Keyring, teller: &Teller) -> Result<OpenManifest, RunError> {
    let Latest { open, passed_over } = survey::latest(store, ring)?;
    tell(teller, &passed_over);
    Ok(open)
}

/// Tells of backups that are newer than the latest good one.
pub fn tell(teller: &Teller, passed_over: &[BackupId]) {
    for id in passed_over {
        teller.tell(&format!("{id} is newer, and passed over: its dump is cut short"));
    }
}

/// What is wrong with the dump in a backup, if something is.
pub const fn doubt(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Complete | Verdict::Unchecked | Verdict::Accepted => None,
        Verdict::Incomplete => Some("its dump was cut short, or could not be shown to be whole, when it was packed"),
        Verdict::Shrunk => {
            Some("its dump was less than half of the one before when it was packed, and nobody has accepted it")
        }
    }
}
