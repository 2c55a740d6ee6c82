//! `vault key add`: more ways to open what is packed from now on.

use serde_json::json;

use crate::base::bytes::to_hex;
use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::args::key::Add;
use crate::cli::key::file::KeyFile;
use crate::cli::key::rewrap::{lines, rewrap_with, to_json};
use crate::cli::key::slots::{describe, is_classic};
use crate::cli::message::CliError;
use crate::cli::report::{self, counted};
use crate::cli::world::{Teller, open_store};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::ring::Keyring;
use crate::pipeline::error::RunError;

/// What a change of slots does not reach.
pub const HOSTS: &str = "A pack-only key still has the slots and the epoch of the day it was made, and gives them to every new backup: make it anew \
                         for each host, with `vault key pack-only`.";

/// When backups have new slots that were not given to those in the store.
pub const LATER: &str = "backups carry them from the next one on; `vault key rewrap` changes those in the store";

/// What a slot does not tell, so that nobody can be kept from having two.
const TWO: &str =
    "A slot of age does not tell whose it is: who had one before has two now, and stays until both are removed.";

/// Adds slots.
///
/// # Errors
/// The key file is as it was; or it is changed, and not every backup.
pub fn run(global: &Global, command: &Add) -> Result<Option<FailureClass>, CliError> {
    if command.rewrap {
        // A store that is not there must not be found out when the key file is changed.
        open_store(global)?;
    }
    let mut file = KeyFile::read(global)?;
    let before = file.ring()?;
    let new = command.slots.make(global, &file.store, &file.newest_key()?)?;
    let slots = [before.slots.as_slice(), &new].concat();
    let ring = file.replace("", &slots, before.generation + 1)?;
    let of_age = |slots: &[Slot]| slots.iter().any(|slot| matches!(slot.kind, SlotKind::Age { .. }));
    let two = of_age(&before.slots) && of_age(&new);
    let notes: Vec<String> = two.then_some(TWO).into_iter().chain([HOSTS]).map(Into::into).collect();
    tell(global, &ring, &new, command.rewrap, LATER, &notes)
}

/// Tells of new slots, with `notes` after it, and gives them to the backups in the store when that is asked for; `later` says what is
/// otherwise.
///
/// # Errors
/// Not every backup has them.
pub fn tell(
    global: &Global,
    ring: &Keyring,
    new: &[Slot],
    rewrap: bool,
    later: &str,
    notes: &[String],
) -> Result<Option<FailureClass>, CliError> {
    let teller = Teller::plain(global);
    if new.iter().any(is_classic) {
        teller.note(
            "note: who keeps a copy of a manifest can open a slot that is not post-quantum once its kind of key is broken; \
             `age1pq1…` recipients and passphrases are",
        );
    }
    let done = if rewrap { Some(rewrap_with(global, ring, &teller)?) } else { None };
    if global.json {
        report::json(&json!({
            "version": 1,
            "message_type": "slots",
            "epoch": ring.newest().pack.scope.epoch,
            "fingerprint": ring.newest().pack.fingerprint.to_string(),
            "generation": ring.generation,
            "added": new.iter().map(|slot| to_hex(&slot.id)).collect::<Vec<_>>(),
            "rewrapped": done.as_ref().map(to_json),
            "notes": notes,
        }))?;
        return Ok(teller.class());
    }
    let mut text = Vec::new();
    for slot in new {
        let what = describe(slot).map_err(RunError::Key)?;
        text.push(format!("slot {}  {what}", to_hex(&slot.id)));
    }
    text.push(format!("the key file has {}, generation {}", counted(ring.slots.len() as u64, "slot"), ring.generation));
    match &done {
        Some(done) => text.extend(lines(done)),
        None => text.push(later.into()),
    }
    text.extend_from_slice(notes);
    report::lines(&text)?;
    Ok(teller.class())
}
