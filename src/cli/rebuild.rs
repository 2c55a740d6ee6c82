//! `vault rebuild-manifest`: a manifest that was lost, written anew from the parts of its backup.

use serde_json::json;

use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::cli::args::{Global, RebuildManifest};
use crate::cli::control::Patience;
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::secrets::Ask;
use crate::cli::unlock::{Unlocked, Wanted, for_reading};
use crate::cli::world::{Outside, Teller, open_store};
use crate::ops::rebuild::{Slots, rebuild};

/// Rebuilds.
///
/// # Errors
/// Nothing was written.
pub fn run(global: &Global, command: &RebuildManifest) -> Result<Option<FailureClass>, CliError> {
    let id: BackupId = command.backup.parse().map_err(|_| CliError::NotAnId(command.backup.clone()))?;
    let store = open_store(global)?;
    let unlocked = for_reading(global, &store, Ask::Allowed, Wanted::Backup(id), &Teller::plain(global))?
        .ok_or(CliError::NoKey)?;
    let Unlocked { ring, slots, generation, .. } = unlocked;
    let (outside, _) = Outside::new(global, store, Patience::default())?;
    let manifest = rebuild(&outside.world(), &id, &ring, Slots { slots, generation });
    outside.teller.progress().end();
    let manifest = manifest?;
    outside
        .teller
        .caution(&format!("{id} may have been deleted on purpose: if so, delete `{}` again", id.manifest_name()));
    if global.json {
        return report::json(&json!({
            "version": 1,
            "message_type": "rebuilt",
            "id": id.to_string(),
            "parts": manifest.parts.len(),
            "bases": manifest.bases.len(),
        }));
    }
    report::lines(&[format!(
        "rebuilt the manifest of {id}: {} own parts, {} earlier backups, each object compared",
        manifest.parts.len(),
        manifest.bases.len()
    )])
}
