//! `vault accept`: a backup that is marked as shrunk is right.

use serde_json::json;

use crate::base::failure::FailureClass;
use crate::cli::args::{Accept, Global};
use crate::cli::latest::LATEST;
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::secrets::Ask;
use crate::cli::unlock::{Wanted, for_reading};
use crate::cli::world::{Teller, open_store};
use crate::ops::accept::accept;
use crate::ops::list::resolve;

/// Accepts.
///
/// # Errors
/// The backup is what it was.
pub fn run(global: &Global, command: &Accept) -> Result<Option<FailureClass>, CliError> {
    if command.backup == LATEST {
        return Err(CliError::AcceptLatest);
    }
    let store = open_store(global)?;
    let teller = Teller::plain(global);
    let id = resolve(&store, &command.backup)?;
    let unlocked = for_reading(global, &store, Ask::Allowed, Wanted::Backup(id), &teller)?.ok_or(CliError::NoKey)?;
    let manifest = accept(&store, &id, &unlocked.ring)?;
    if global.json {
        report::json(&json!({
            "version": 1,
            "message_type": "accepted",
            "id": id.to_string(),
            "verdict": manifest.verdict.name(),
        }))?;
    } else {
        report::lines(&[format!("{id} is accepted: it counts as a good backup")])?;
    }
    Ok(teller.class())
}
