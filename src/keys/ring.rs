//! The keys of one guid, by epoch: what a key file holds, or a slot gave.

use zeroize::Zeroizing;

use crate::base::bytes::to_hex;
use crate::base::id::Guid;
use crate::base::time::rfc3339;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{MasterKey, VaultKeys};
use crate::crypto::secret::Secret;
use crate::format::keyfile::{self, KEY_BYTES, KeyFields};
use crate::format::slot::Slot;
use crate::keys::KeyError;

const AGE_BINARY: &[u8] = b"age-encryption.org/v1";
const AGE_ARMORED: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The keys of one guid.
pub struct Keyring {
    /// Ascending by epoch, at least one.
    keys: Vec<VaultKeys>,
    /// Slots that every new backup carries.
    pub slots: Vec<Slot>,
}

impl Keyring {
    /// The keys of a key file.
    ///
    /// # Errors
    /// The text is not a key file, or not one that opens backups.
    pub fn from_file(text: &[u8]) -> Result<Keyring, KeyError> {
        if text.starts_with(AGE_BINARY) || text.starts_with(AGE_ARMORED) {
            return Err(KeyError::Encrypted);
        }
        let file = keyfile::parse(text).map_err(KeyError::File)?;
        let keys = file.keys.iter().map(|line| Ok(master_key(line)?.derive()));
        let keys: Vec<VaultKeys> = keys.collect::<Result<_, KeyError>>()?;
        if keys.is_empty() { Err(KeyError::PackOnly) } else { Ok(Keyring { keys, slots: file.slots }) }
    }

    /// A ring of one key.
    pub fn of(key: &MasterKey, slots: Vec<Slot>) -> Keyring {
        Keyring { keys: vec![key.derive()], slots }
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

/// The text of a key file that holds one key.
pub fn file_text(key: &MasterKey, now_ms: u64) -> Zeroizing<String> {
    let fingerprint = to_hex(&key.derive().pack.fingerprint.0);
    let line = keyfile::key_text(&key_line(key));
    let lines = [
        "# vault key: whoever holds this file can read every backup of its guid\n",
        &format!("# guid: {}\n# epoch: {}\n", key.scope.guid, key.scope.epoch),
        &format!("# fingerprint: {fingerprint}\n# created: {}\n", rfc3339(now_ms)),
        line.as_str(),
        "\n",
    ];
    // In one piece: a text that grows leaves copies of the key behind.
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
