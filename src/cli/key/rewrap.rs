//! `vault key rewrap`, and `--rewrap`: the backups in the store get the slots of the key file.

use serde_json::{Value, json};

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::args::key::Rewrap;
use crate::cli::key::file::KeyFile;
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes, counted};
use crate::cli::world::{Teller, open_store};
use crate::keys::ring::Keyring;
use crate::ops::rewrap::{Rewrapped, rewrap};
use crate::pipeline::error::RunError;

/// Rewraps.
///
/// # Errors
/// Not every backup has the slots.
pub fn run(global: &Global, command: &Rewrap) -> Result<Option<FailureClass>, CliError> {
    let mut file = KeyFile::read(global)?;
    let ring = file.ring()?;
    let teller = Teller::plain(global);
    let done = match rewrap_with(global, &ring, &teller) {
        Err(CliError::Run(RunError::Generation { found, .. })) if command.force => {
            let ring = file.replace("", &ring.slots, found + 1)?;
            rewrap_with(global, &ring, &teller)?
        }
        done => done?,
    };
    if global.json {
        report::json(&json!({ "version": 1, "message_type": "rewrap", "rewrapped": to_json(&done) }))?;
    } else {
        report::lines(&lines(&done))?;
    }
    Ok(teller.class())
}

/// Gives the backups in the store the slots of a key file.
///
/// # Errors
/// There is no slot, or not every backup has them.
pub fn rewrap_with(global: &Global, ring: &Keyring, teller: &Teller) -> Result<Rewrapped, CliError> {
    if ring.slots.is_empty() {
        return Err(CliError::Unslotted);
    }
    Ok(rewrap(&open_store(global)?, teller, ring, &ring.slots, ring.generation)?)
}

/// For people.
pub fn lines(done: &Rewrapped) -> Vec<String> {
    let Rewrapped { replaced, current, earlier, refused, .. } = done;
    let mut lines = vec![format!("{} changed, {} written", counted(*replaced as u64, "backup"), bytes(done.bytes))];
    let others = [
        (current, "had these slots already"),
        (earlier, "of earlier epochs keep the slots that they had, and open with them"),
        (refused, "could not be authenticated, and keep the slots that they had"),
    ];
    lines.extend(others.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")));
    lines
}

/// For programs.
pub fn to_json(done: &Rewrapped) -> Value {
    json!({
        "replaced": done.replaced,
        "current": done.current,
        "earlier_epochs": done.earlier,
        "refused": done.refused,
        "bytes": done.bytes,
    })
}
