//! What a packer holds: pack-only keys (spec/keys.md, "Pack-only key"), and the packer's half of a full one.

use zeroize::Zeroizing;

use crate::base::time::rfc3339;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{Fingerprint, PackKeys};
use crate::crypto::secret::Secret;
use crate::format::keyfile::{self, KeyFields, PACK_BYTES, PackFields};
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::ring::Keyring;

/// The keys of one guid and epoch as far as packing needs them.
pub struct PackRing {
    /// The keys.
    pub keys: PackKeys,
    /// Slots that every new backup carries.
    pub slots: Vec<Slot>,
    /// The generation of those slots.
    pub generation: u64,
}

impl PackRing {
    /// The packing keys of a key file, full or pack-only.
    ///
    /// # Errors
    /// The text is not a key file.
    pub fn from_file(text: &[u8]) -> Result<PackRing, KeyError> {
        match Keyring::from_file(text) {
            Err(KeyError::PackOnly) => {}
            full => return full.map(Keyring::into_packing),
        }
        let file = keyfile::parse(text).map_err(KeyError::File)?;
        let line = file.pack.ok_or(KeyError::PackOnly)?;
        Ok(PackRing { keys: pack_keys(&line)?, slots: file.slots, generation: file.generation })
    }
}

/// The text of a pack-only key file: the pack line, and the slots to copy into every backup.
pub fn file_text(keys: &PackKeys, slots: &[Slot], generation: u64, now_ms: u64) -> Zeroizing<String> {
    let line = keyfile::pack_text(&pack_line(keys));
    let lines = [
        "# vault pack-only key: whoever holds this file writes backups of its guid and reads none\n",
        &format!("# guid: {}\n# epoch: {}\n", keys.scope.guid, keys.scope.epoch),
        &format!("# fingerprint: {}\n# made: {}\n", keys.fingerprint, rfc3339(now_ms)),
        line.as_str(),
        "\n",
    ];
    // In one piece: a text that grows leaves copies of the keys behind.
    let mut text = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len()).sum()));
    lines.iter().for_each(|line| text.push_str(line));
    keyfile::with_slots(&text, slots, generation)
}

/// The 196 bytes of a pack line.
fn pack_line(keys: &PackKeys) -> Zeroizing<[u8; PACK_BYTES]> {
    keyfile::join_pack(&PackFields {
        of: KeyFields { guid: keys.scope.guid, epoch: keys.scope.epoch },
        public_key: &keys.public_key,
        psk: keys.psk.expose(),
        catalogue: keys.catalogue.expose(),
        chunk_id: keys.chunk_id.expose(),
        gear_seed: keys.gear_seed.expose(),
        fingerprint: &keys.fingerprint.0,
    })
}

/// The keys that a pack line holds.
fn pack_keys(line: &[u8; PACK_BYTES]) -> Result<PackKeys, KeyError> {
    let fields = keyfile::split_pack(line).map_err(KeyError::File)?;
    let secret = |key: &[u8; 32]| Secret::fill(|bytes| bytes.copy_from_slice(key));
    Ok(PackKeys {
        scope: Scope { guid: fields.of.guid, epoch: fields.of.epoch },
        public_key: *fields.public_key,
        psk: secret(fields.psk),
        catalogue: secret(fields.catalogue),
        chunk_id: secret(fields.chunk_id),
        gear_seed: secret(fields.gear_seed),
        fingerprint: Fingerprint(*fields.fingerprint),
    })
}
