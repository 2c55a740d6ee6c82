//! The keys of one guid, by epoch: what a key file holds, or a slot gave.

use zeroize::Zeroizing;

use crate::base::bytes::to_hex;
use crate::base::id::Guid;
use crate::base::time::rfc3339;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{MasterKey, VaultKeys};
use crate::crypto::secret::Secret;
use crate::format::age::is_age;
use crate::format::keyfile::{self, KEY_BYTES, KeyFields};
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::packing::PackRing;

/// The keys of one guid.
pub struct Keyring {
    /// Ascending by epoch, at least one.
    keys: Vec<VaultKeys>,
    /// Slots that every new backup carries.
    pub slots: Vec<Slot>,
    /// The generation of those slots.
    pub generation: u64,
}

impl Keyring {
    /// The keys of a key file.
    ///
    /// # Errors
    /// The text is not a key file, or not one that opens backups.
    pub fn from_file(text: &[u8]) -> Result<Keyring, KeyError> {
        if is_age(text) {
            return Err(KeyError::Encrypted);
        }
        let file = keyfile::parse(text).map_err(KeyError::File)?;
        let keys = file.keys.iter().map(|line| Ok(master_key(line)?.derive()));
        let keys: Vec<VaultKeys> = keys.collect::<Result<_, KeyError>>()?;
        if keys.is_empty() {
            Err(KeyError::PackOnly)
        } else {
            Ok(Keyring { keys, slots: file.slots, generation: file.generation })
        }
    }

    /// A ring of one key, with slots of the first generation.
    pub fn of(key: &MasterKey, slots: Vec<Slot>) -> Keyring {
        Keyring { keys: vec![key.derive()], slots, generation: 1 }
    }

    /// What packs with the key of the highest epoch: the rest of the ring is wiped.
    pub fn into_packing(mut self) -> PackRing {
        match self.keys.pop() {
            Some(newest) => PackRing { keys: newest.pack, slots: self.slots, generation: self.generation },
            None => unreachable!("a ring has at least one key"),
        }
    }

    /// The database.
    pub fn guid(&self) -> Guid {
        self.newest().pack.scope.guid
    }

    /// The key of the highest epoch: the one that packs.
    pub fn newest(&self) -> &VaultKeys {
        match self.keys.last() {
            Some(keys) => keys,
            None => unreachable!("a ring has at least one key"),
        }
    }

    /// The keys, ascending by epoch.
    pub fn keys(&self) -> &[VaultKeys] {
        &self.keys
    }

    /// The key of an epoch.
    ///
    /// # Errors
    /// The ring does not have it.
    pub fn of_epoch(&self, epoch: u32) -> Result<&VaultKeys, KeyError> {
        let found = self.keys.iter().find(|keys| keys.pack.scope.epoch == epoch);
        found.ok_or(KeyError::NoEpoch { guid: self.guid(), epoch })
    }
}

/// A fresh vault key, epoch 1.
pub fn new_key(guid: Guid, fill: &dyn Fn(&mut [u8])) -> MasterKey {
    MasterKey { scope: Scope { guid, epoch: 1 }, secret: Secret::fill(|bytes| fill(bytes)) }
}

/// A fresh guid (RFC 9562, version 4).
pub fn new_guid(fill: &dyn Fn(&mut [u8])) -> Guid {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    Guid(*uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes())
}

/// The keys of a key file themselves, ascending by epoch; at least one.
///
/// # Errors
/// As for [`Keyring::from_file`].
pub fn keys_of(text: &[u8]) -> Result<Vec<MasterKey>, KeyError> {
    // What is wrong with a file as a whole is said first.
    Keyring::from_file(text)?;
    let file = keyfile::parse(text).map_err(KeyError::File)?;
    file.keys.iter().map(|line| master_key(line)).collect()
}

/// A fresh vault key of the epoch after that of `key`.
pub fn next_epoch(key: &MasterKey, fill: &dyn Fn(&mut [u8])) -> MasterKey {
    let scope = Scope { epoch: key.scope.epoch.saturating_add(1), ..key.scope };
    MasterKey { scope, secret: Secret::fill(|bytes| fill(bytes)) }
}

/// The key of the highest epoch of a key file.
///
/// # Errors
/// As for [`Keyring::from_file`].
pub fn newest_key(text: &[u8]) -> Result<MasterKey, KeyError> {
    if is_age(text) {
        return Err(KeyError::Encrypted);
    }
    let file = keyfile::parse(text).map_err(KeyError::File)?;
    master_key(file.keys.last().ok_or(KeyError::PackOnly)?)
}

/// The text of a key file that holds keys of one guid.
pub fn files_text(keys: &[&MasterKey], now_ms: u64) -> Zeroizing<String> {
    let files: Vec<Zeroizing<String>> = keys.iter().map(|key| file_text(key, now_ms)).collect();
    joined(&files.iter().map(|file| file.as_str()).collect::<Vec<_>>())
}

/// The text of a key file that holds one key.
pub fn file_text(key: &MasterKey, now_ms: u64) -> Zeroizing<String> {
    let block = key_block(key, now_ms);
    let lines = [
        "# vault key: whoever holds this file can read every backup of its guid\n",
        &format!("# guid: {}\n", key.scope.guid),
        block.as_str(),
    ];
    joined(&lines)
}

/// The lines of a key file about one key.
pub fn key_block(key: &MasterKey, now_ms: u64) -> Zeroizing<String> {
    let fingerprint = to_hex(&key.derive().pack.fingerprint.0);
    let line = keyfile::key_text(&key_line(key));
    let lines = [
        &format!("# epoch: {}\n", key.scope.epoch),
        &format!("# fingerprint: {fingerprint}\n# created: {}\n", rfc3339(now_ms)),
        line.as_str(),
        "\n",
    ];
    joined(&lines)
}

/// In one piece: a text that grows leaves copies of the key behind.
fn joined(lines: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len()).sum()));
    lines.iter().for_each(|line| text.push_str(line));
    text
}

/// The 52 bytes of a key line.
pub(crate) fn key_line(key: &MasterKey) -> Zeroizing<[u8; KEY_BYTES]> {
    keyfile::join_key(KeyFields { guid: key.scope.guid, epoch: key.scope.epoch }, key.secret.expose())
}

/// The key that a key line holds.
pub(crate) fn master_key(line: &[u8; KEY_BYTES]) -> Result<MasterKey, KeyError> {
    let (KeyFields { guid, epoch }, key) = keyfile::split_key(line).map_err(KeyError::File)?;
    Ok(MasterKey { scope: Scope { guid, epoch }, secret: Secret::fill(|bytes| bytes.copy_from_slice(key)) })
}
