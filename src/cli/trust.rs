//! Whether the key that came out of an age slot is the right one (spec/keys.md, "age").
//!
//! Whoever knows an age recipient can seal a key of his own to it and build a whole backup around that. So the fingerprint has to be known from
//! elsewhere: from the command line, or from this machine's memory of the keys that it has worked with. That memory is one small file for each
//! guid, `$XDG_STATE_HOME/vault/pins/<guid>`, with a line `<epoch> <fingerprint>` for each epoch. Nothing in it is secret.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;

use crate::base::bytes::from_hex;
use crate::base::id::{BackupId, Guid};
use crate::base::limits::KEY_FILE_BYTES_MAX;
use crate::cli::args::Global;
use crate::cli::message::CliError;
use crate::cli::output::{NewFile, Replace};
use crate::cli::world::{Teller, make_private_directory, variable};
use crate::crypto::keys::{Fingerprint, PackKeys};
use crate::keys::ring::Keyring;

/// Refuses a key that is not the one of `--fingerprint`.
///
/// # Errors
/// There is one.
pub fn check_given(global: &Global, ring: &Keyring) -> Result<(), CliError> {
    let Some(wanted) = global.fingerprint else {
        return Ok(());
    };
    if ring.keys().iter().any(|keys| keys.pack.fingerprint == wanted) {
        return Ok(());
    }
    let found = ring.newest().pack.fingerprint;
    Err(CliError::Fingerprint { what: "the key".into(), found, wanted, by: "`--fingerprint` says" })
}

/// Compares a pack-only key, or the newest of a file, with `--fingerprint`.
///
/// # Errors
/// It is another one.
pub fn check_packing(global: &Global, keys: &PackKeys) -> Result<(), CliError> {
    let found = keys.fingerprint;
    match global.fingerprint {
        Some(wanted) if wanted != found => {
            Err(CliError::Fingerprint { what: "the key".into(), found, wanted, by: "`--fingerprint` says" })
        }
        _ => Ok(()),
    }
}

/// Judges the key that the age slot of a backup gave.
///
/// # Errors
/// It is another one than is known, or none is known and nobody said that it does not matter.
pub fn check_age(global: &Global, id: &BackupId, keys: &PackKeys, teller: &Teller) -> Result<(), CliError> {
    let found = keys.fingerprint;
    let refused = |wanted, by| CliError::Fingerprint { what: format!("the key of {id}"), found, wanted, by };
    if let Some(wanted) = global.fingerprint {
        if wanted != found {
            return Err(refused(wanted, "`--fingerprint` says"));
        }
        remember(keys, teller);
        return Ok(());
    }
    let pins = read(keys.scope.guid)?;
    match pins.get(&keys.scope.epoch) {
        Some(pinned) if *pinned == found => Ok(()),
        Some(pinned) => Err(refused(*pinned, "this machine knows")),
        // Another epoch of a database that this machine knows is no first use.
        None if global.trust_on_first_use && pins.is_empty() => {
            teller.caution(&format!("the key of {id} is trusted unseen: {found}"));
            if !remember(keys, teller) {
                teller.caution("its fingerprint cannot be kept, so that the next use is a first one again");
            }
            Ok(())
        }
        None => Err(CliError::Untrusted { id: *id, found, known: !pins.is_empty() }),
    }
}

/// Keeps the fingerprint of a key that is beyond doubt. That it cannot be kept hinders nobody who has the key; it is told to who asks.
pub fn remember(keys: &PackKeys, teller: &Teller) -> bool {
    let mut pins = match read(keys.scope.guid) {
        Ok(pins) => pins,
        // What it says is not lost to a guess.
        Err(error) => {
            teller.caution(&format!("{error}: it is left as it is"));
            return false;
        }
    };
    match pins.insert(keys.scope.epoch, keys.fingerprint) {
        Some(before) if before == keys.fingerprint => return true,
        Some(before) => teller.caution(&format!(
            "this machine knew another key of epoch {}: {before}; a backup that it trusted may have been forged",
            keys.scope.epoch
        )),
        None => {}
    }
    write(keys.scope.guid, &pins).is_some()
}

fn place(guid: Guid) -> Option<PathBuf> {
    let home = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    Some(home.filter(|home| home.is_absolute())?.join("vault/pins").join(guid.to_string()))
}

/// What is known of a guid: nothing, when there is no file.
///
/// # Errors
/// There is one, and what it says cannot be known: that is not nothing, or who damages it makes the next use a first one.
fn read(guid: Guid) -> Result<BTreeMap<u32, Fingerprint>, CliError> {
    let Some(path) = place(guid) else {
        return Ok(BTreeMap::new());
    };
    let pin = |line: &str| {
        let (epoch, fingerprint) = line.split_once(' ')?;
        Some((epoch.parse().ok()?, Fingerprint(from_hex(fingerprint)?)))
    };
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text));
    let pins: Option<BTreeMap<u32, Fingerprint>> = text.lines().map(pin).collect();
    match (read, pins.filter(|_| text.len() <= KEY_FILE_BYTES_MAX)) {
        (Ok(_), Some(pins)) => Ok(pins),
        (Ok(_), None) => Err(CliError::Pins { path, reason: ErrorKind::InvalidData.into() }),
        (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        (Err(reason), _) => Err(CliError::Pins { path, reason }),
    }
}

/// Replaces the file. `None` when there is no place for it.
fn write(guid: Guid, pins: &BTreeMap<u32, Fingerprint>) -> Option<()> {
    let path = place(guid)?;
    make_private_directory(path.parent()?).ok()?;
    let text: String = pins.iter().map(|(epoch, fingerprint)| format!("{epoch} {fingerprint}\n")).collect();
    let mut file = NewFile::create(&path, Replace::Allowed).ok()?;
    file.write_all(text.as_bytes()).ok()?;
    file.finish().ok()
}
