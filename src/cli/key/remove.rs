//! `vault key remove`: one way less to open what is packed from now on.

use serde_json::json;

use crate::base::bytes::to_hex;
use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::args::key::Remove;
use crate::cli::key::add::HOSTS;
use crate::cli::key::file::KeyFile;
use crate::cli::key::rewrap::{lines, rewrap_with, to_json};
use crate::cli::message::CliError;
use crate::cli::report::{self, counted};
use crate::cli::world::{Teller, open_store};
use crate::format::slot::Slot;

/// What removing does not undo.
const COPIES: &str = "Whoever kept a copy of an old manifest, or once opened the slot, still has the key: a new one is made with \
                      `vault key rotate --new-epoch`.";

/// Removes a slot.
///
/// # Errors
/// The key file is as it was; or it is changed, and not every backup.
pub fn run(global: &Global, command: &Remove) -> Result<Option<FailureClass>, CliError> {
    if command.rewrap {
        // A store that is not there must not be found out when the key file is changed.
        open_store(global)?;
    }
    let mut file = KeyFile::read(global)?;
    let before = file.ring()?;
    let meant = |slot: &&Slot| !command.slot.is_empty() && to_hex(&slot.id).starts_with(&command.slot);
    let found: Vec<&Slot> = before.slots.iter().filter(meant).collect();
    let [gone] = found.as_slice() else {
        return Err(CliError::NoSlotOf(command.slot.clone()));
    };
    if before.slots.len() == 1 {
        return Err(CliError::LastSlot);
    }
    let left: Vec<Slot> = before.slots.iter().filter(|slot| slot.id != gone.id).cloned().collect();
    let ring = file.replace("", &left, before.generation + 1)?;
    let teller = Teller::plain(global);
    let done = if command.rewrap { Some(rewrap_with(global, &ring, &teller)?) } else { None };
    if global.json {
        report::json(&json!({
            "version": 1,
            "message_type": "slots",
            "generation": ring.generation,
            "removed": to_hex(&gone.id),
            "rewrapped": done.as_ref().map(to_json),
            "notes": [COPIES, HOSTS],
        }))?;
        return Ok(teller.class());
    }
    let mut text = vec![format!("slot {} is removed, {} left", to_hex(&gone.id), are(ring.slots.len()))];
    match &done {
        Some(done) => text.extend(lines(done)),
        None => text.push("backups in the store still open with it; `vault key rewrap` changes them".into()),
    }
    text.extend([COPIES.into(), HOSTS.into()]);
    report::lines(&text)?;
    Ok(teller.class())
}

/// `1 slot is`, `2 slots are`.
fn are(slots: usize) -> String {
    format!("{} {}", counted(slots as u64, "slot"), if slots == 1 { "is" } else { "are" })
}
