//! The key for whoever does something with the key itself: no backup is read, but for its slots.

use std::path::Path;

use super::{Opener, Unlocked, Wanted, candidates, check_guid, for_reading, no_slots, of_key_file, open_one};
use crate::cli::args::Global;
use crate::cli::message::CliError;
use crate::cli::secrets::{Ask, Way, find, read_opened};
use crate::cli::trust::check_given;
use crate::cli::world::{Teller, named_store, open_store};
use crate::crypto::keys::MasterKey;
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::ring::{Keyring, keys_of};
use crate::pipeline::error::RunError;
use crate::pipeline::port::Store;

/// The key of whoever asks for something about the key itself. A key file needs no store for that; a passphrase opens a slot of one.
///
/// # Errors
/// There is no full key, or the one that is given cannot be used.
pub fn of_holder(global: &Global, teller: &Teller) -> Result<Unlocked, CliError> {
    if let Some(Way::KeyFile(path)) = find(global, Ask::Allowed)? {
        let unlocked = of_key_file(global, &path, &named_store(global)?)?;
        check_guid(global, unlocked.ring.guid())?;
        return Ok(unlocked);
    }
    for_reading(global, &open_store(global)?, Ask::Allowed, Wanted::Any, teller)?.ok_or(CliError::NoKey)
}

/// The vault key itself, for paper or for a new key file.
pub struct Held {
    /// The key.
    pub key: MasterKey,
    /// Slots of its epoch.
    pub slots: Vec<Slot>,
    /// Their generation.
    pub generation: u64,
    /// Those of other epochs that are at hand, ascending.
    pub others: Vec<MasterKey>,
}

/// The key of that epoch, or the newest: out of a key file, or out of the slot of a backup, judged as for a restore.
///
/// # Errors
/// There is no full key, it is not of that epoch, or it cannot be used.
pub fn hold(global: &Global, epoch: Option<u32>, teller: &Teller) -> Result<Held, CliError> {
    let way = find(global, Ask::Allowed)?.ok_or(CliError::NoKey)?;
    let Way::KeyFile(path) = way else {
        return of_slot(global, &way, epoch, teller);
    };
    let text = read_opened(global, &path, &named_store(global)?)?;
    let refused = |reason| CliError::KeyFile { path: path.clone(), reason };
    let ring = Keyring::from_file(&text).map_err(refused)?;
    check_given(global, &ring)?;
    check_guid(global, ring.guid())?;
    let newest = ring.newest().pack.scope;
    let wanted = epoch.unwrap_or(newest.epoch);
    let mut others = keys_of(&text).map_err(refused)?;
    let place = others.iter().position(|key| key.scope.epoch == wanted);
    let no_epoch = || refused(KeyError::NoEpoch { guid: newest.guid, epoch: wanted });
    let key = others.remove(place.ok_or_else(no_epoch)?);
    // The slots of a key file wrap its newest key.
    let (slots, generation) = if key.scope == newest { (ring.slots, ring.generation) } else { (Vec::new(), 1) };
    Ok(Held { key, slots, generation, others })
}

fn of_slot(global: &Global, way: &Way, epoch: Option<u32>, teller: &Teller) -> Result<Held, CliError> {
    let store = open_store(global)?;
    let candidates = candidates(&store, global.guid, None)?;
    if candidates.is_empty() {
        return Err(no_slots(way));
    }
    let mut opener = Opener::read(way, Path::new(&store.location()), false)?;
    let Unlocked { ring, slots, generation, .. } = open_one(global, &mut opener, &candidates, teller)?;
    let scope = ring.newest().pack.scope;
    if let Some(epoch) = epoch.filter(|epoch| *epoch != scope.epoch) {
        return Err(RunError::Key(KeyError::NoEpoch { guid: scope.guid, epoch }).into());
    }
    // The slots that were judged, once more: what is opened for reading holds no vault key.
    let key = opener.open(scope, &slots).map_err(RunError::Key)?.ok_or_else(|| no_slots(way))?;
    Ok(Held { key, slots, generation, others: Vec::new() })
}
