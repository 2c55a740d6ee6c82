//! Key lines, pack lines and slot lines: the text of a key file (spec/keys.md).

use std::collections::BTreeSet;

use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::base::bytes::Cursor;
use crate::base::id::Guid;
use crate::base::limits::{EPOCH_MAX, INTEGER_MAX, KEY_EPOCHS_MAX, KEY_FILE_BYTES_MAX, SLOTS_MAX};
use crate::format::slot::Slot;
use crate::format::{FormatError, check_limit, damaged, json, spelling};

/// Bytes of a key line: guid (16) ‖ epoch (4) ‖ MK (32).
pub const KEY_BYTES: usize = 52;
/// Bytes of a pack line.
pub const PACK_BYTES: usize = 196;

pub(super) const KEY_PREFIX: &str = "vault-key-";
const PACK_PREFIX: &str = "vault-pack-";

/// What a key line says beside the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFields {
    /// The database.
    pub guid: Guid,
    /// Which of its vault keys.
    pub epoch: u32,
}

/// Splits the bytes of a key line.
///
/// # Errors
/// `Damaged` when the epoch is not legal.
pub fn split_key(bytes: &[u8; KEY_BYTES]) -> Result<(KeyFields, &[u8; 32]), FormatError> {
    let mut cursor = Cursor::new(bytes);
    let guid = Guid(cursor.array("the guid of a key")?);
    let epoch = cursor.u32("the epoch of a key")?;
    let key = bytes.last_chunk().ok_or_else(|| damaged("a key line is cut short"))?;
    if !(1..=EPOCH_MAX).contains(&epoch) {
        return Err(damaged("a key line has no legal epoch"));
    }
    Ok((KeyFields { guid, epoch }, key))
}

/// The bytes of a key line.
pub fn join_key(fields: KeyFields, key: &[u8; 32]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    bytes[..16].copy_from_slice(&fields.guid.0);
    bytes[16..20].copy_from_slice(&fields.epoch.to_le_bytes());
    bytes[20..].copy_from_slice(key);
    bytes
}

/// What a pack line says. The keys stay where they are: no copy of them is made here.
pub struct PackFields<'a> {
    /// Guid and epoch.
    pub of: KeyFields,
    /// X25519 public key.
    pub public_key: &'a [u8; 32],
    /// Pre-shared key of the seal.
    pub psk: &'a [u8; 32],
    /// CK.
    pub catalogue: &'a [u8; 32],
    /// Key of the chunk ids.
    pub chunk_id: &'a [u8; 32],
    /// Seed of the gear table.
    pub gear_seed: &'a [u8; 32],
    /// Which vault key all this is of.
    pub fingerprint: &'a [u8; 16],
}

/// Splits the bytes of a pack line.
///
/// # Errors
/// `Damaged` when the epoch is not legal.
pub fn split_pack(bytes: &[u8; PACK_BYTES]) -> Result<PackFields<'_>, FormatError> {
    let short = || damaged("a pack line is cut short");
    let (guid, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let (epoch, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (keys, fingerprint) = rest.split_last_chunk().ok_or_else(short)?;
    let of = KeyFields { guid: Guid(*guid), epoch: u32::from_le_bytes(*epoch) };
    if !(1..=EPOCH_MAX).contains(&of.epoch) {
        return Err(damaged("a pack line has no legal epoch"));
    }
    match keys.as_chunks().0 {
        [public_key, psk, catalogue, chunk_id, gear_seed] => {
            Ok(PackFields { of, public_key, psk, catalogue, chunk_id, gear_seed, fingerprint })
        }
        _ => Err(short()),
    }
}

/// The bytes of a pack line.
pub fn join_pack(fields: &PackFields<'_>) -> Zeroizing<[u8; PACK_BYTES]> {
    let PackFields { of, public_key, psk, catalogue, chunk_id, gear_seed, fingerprint } = fields;
    let mut bytes = Zeroizing::new([0; PACK_BYTES]);
    bytes[..16].copy_from_slice(&of.guid.0);
    bytes[16..20].copy_from_slice(&of.epoch.to_le_bytes());
    let keys = [public_key, psk, catalogue, chunk_id, gear_seed];
    for (place, key) in bytes[20..180].as_chunks_mut::<32>().0.iter_mut().zip(keys) {
        place.copy_from_slice(*key);
    }
    bytes[180..].copy_from_slice(*fingerprint);
    bytes
}

/// The text of a key line, without its line end.
pub fn key_text(bytes: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    to_bech32(KEY_PREFIX, bytes)
}

/// The text of a pack line, without its line end.
pub fn pack_text(bytes: &[u8; PACK_BYTES]) -> Zeroizing<String> {
    to_bech32(PACK_PREFIX, bytes)
}

/// What a key file says, line by line.
pub struct KeyFile {
    /// Key lines, ascending by epoch, all of one guid.
    pub keys: Vec<Zeroizing<[u8; KEY_BYTES]>>,
    /// The pack line.
    pub pack: Option<Zeroizing<[u8; PACK_BYTES]>>,
    /// Slots to copy into every backup.
    pub slots: Vec<Slot>,
    /// Their generation: 1 where the file does not say.
    pub generation: u64,
}

/// Parses the text of a key file. No message quotes a line.
///
/// # Errors
/// `Damaged` with the number of the line; `Limit`; `Unsupported` for an unknown slot.
pub fn parse(text: &[u8]) -> Result<KeyFile, FormatError> {
    check_limit("a key file", text.len(), KEY_FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(text).map_err(|_| damaged("the key file is not text"))?;
    // Room for one too many: keys that are moved leave copies behind.
    let mut file =
        KeyFile { keys: Vec::with_capacity(KEY_EPOCHS_MAX + 1), pack: None, slots: Vec::new(), generation: 1 };
    let mut generation = None;
    for (number, line) in (1..).zip(text.split('\n')) {
        let refused = |()| damaged(format!("line {number} of the key file is not one that vault writes"));
        if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(slot) = line.strip_prefix("slot ") {
            file.slots.push(Slot::parse(json::parse(slot.as_bytes()).map_err(|_| refused(()))?)?);
        } else if let Some(number) = line.strip_prefix("generation ") {
            let known = generation.replace(parse_generation(number).ok_or(()).map_err(refused)?);
            if known.is_some() {
                return Err(refused(()));
            }
        } else if line.starts_with("VAULT-PACK-1") && file.pack.is_none() {
            let pack = file.pack.insert(Zeroizing::new([0; PACK_BYTES]));
            from_bech32(PACK_PREFIX, line, pack.as_mut_slice()).map_err(|_| refused(()))?;
        } else {
            check_limit("epochs of a key file", file.keys.len() + 1, KEY_EPOCHS_MAX)?;
            file.keys.push(Zeroizing::new([0; KEY_BYTES]));
            let key = file.keys.last_mut().ok_or_else(|| refused(()))?;
            from_bech32(KEY_PREFIX, line, key.as_mut_slice()).map_err(|_| refused(()))?;
            split_key(key).map_err(|_| refused(()))?;
        }
    }
    file.generation = generation.unwrap_or(1);
    check_limit("slots of a key file", file.slots.len(), SLOTS_MAX)?;
    check_consistent(&mut file)?;
    let ids: BTreeSet<_> = file.slots.iter().map(|slot| slot.id).collect();
    if ids.len() < file.slots.len() {
        return Err(damaged("two slots of the key file have one id"));
    }
    Ok(file)
}

/// A decimal number from 1, in its one spelling.
fn parse_generation(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|number| (1..=INTEGER_MAX).contains(number))?;
    (number.to_string() == text).then_some(number)
}

/// The text of a key file with other slots: key lines, comments and their order stay.
pub fn with_slots(text: &str, slots: &[Slot], generation: u64) -> Zeroizing<String> {
    let is_slot = |line: &&str| line.starts_with("slot ") || line.starts_with("generation ");
    let lines: Vec<String> = slots.iter().map(|slot| format!("slot {}\n", slot.encode())).collect();
    // In one piece: a text that grows leaves copies of the key behind.
    let room = text.len() + 64 + lines.iter().map(String::len).sum::<usize>();
    let mut file = Zeroizing::new(String::with_capacity(room));
    for line in text.trim_end_matches('\n').split('\n').filter(|line| !is_slot(line)) {
        file.push_str(line);
        file.push('\n');
    }
    file.push_str(&format!("generation {generation}\n"));
    lines.iter().for_each(|line| file.push_str(line));
    file
}

/// One guid, each epoch once, keys or a pack line.
fn check_consistent(file: &mut KeyFile) -> Result<(), FormatError> {
    file.keys.sort_by_key(|key| split_key(key).map_or(0, |(fields, _)| fields.epoch));
    for pair in file.keys.windows(2) {
        let ((left, _), (right, _)) = (split_key(&pair[0])?, split_key(&pair[1])?);
        if left.guid != right.guid || left.epoch == right.epoch {
            return Err(damaged("the key file holds keys that do not belong together"));
        }
    }
    match (file.keys.is_empty(), file.pack.is_some()) {
        (true, false) => Err(damaged("the key file holds no key")),
        (false, true) => Err(damaged("the key file holds a key and a pack-only key")),
        _ => Ok(()),
    }
}

/// The line of those bytes.
pub(super) fn to_bech32(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    match Hrp::parse(prefix) {
        Ok(hrp) => spelling::to_bech32::<Bech32>(hrp, bytes),
        Err(_) => unreachable!("both prefixes are legal"),
    }
}

/// Fills `bytes` in place.
///
/// # Errors
/// It is not the one spelling of such a line.
pub(super) fn from_bech32(prefix: &str, text: &str, bytes: &mut [u8]) -> Result<(), FormatError> {
    let refused = || damaged("not a key of vault's");
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(refused());
    }
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).map_err(|_| refused())?;
    if checked.hrp().to_lowercase() != prefix {
        return Err(refused());
    }
    let mut found = checked.byte_iter();
    for byte in bytes.iter_mut() {
        *byte = found.next().ok_or_else(refused)?;
    }
    // The last character may carry padding bits; they are zero in the only spelling.
    if found.next().is_some() || *to_bech32(prefix, bytes) != text {
        return Err(refused());
    }
    Ok(())
}
