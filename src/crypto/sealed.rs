//! The sealed archive key: HPKE (RFC 9180) in mode_psk, one message, 80 bytes (spec/keys.md).

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, OpModeR, OpModeS, PskBundle, Serializable};
use zeroize::Zeroizing;

use crate::base::id::BackupId;
use crate::crypto::kdf::{ARCHIVE_KEY, PSK_ID, Scope};
use crate::crypto::keys::{ArchiveKey, Fingerprint, PackKeys, VaultKeys};
use crate::crypto::random::Rng;
use crate::crypto::secret::Secret;

/// enc (32) ‖ ciphertext (32) ‖ tag (16).
pub const SEALED_BYTES: usize = 80;

type Enc = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// The sealed key was not made for this backup with this vault key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed archive key does not open")]
pub struct SealedKeyError;

/// Seals the archive key of `id` to the public key of the vault.
///
/// # Errors
/// The public key is not a point that can be sealed to.
pub fn seal(
    keys: &PackKeys,
    id: &BackupId,
    archive_key: &ArchiveKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<[u8; SEALED_BYTES], SealedKeyError> {
    let psk_id = psk_id(&keys.fingerprint);
    let mode = OpModeS::Psk(PskBundle::new(keys.psk.expose(), &psk_id).map_err(|_| SealedKeyError)?);
    let public_key = Deserializable::from_bytes(&keys.public_key).map_err(|_| SealedKeyError)?;
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &public_key,
        &info(&keys.scope, id),
        archive_key.expose(),
        &[],
        &mut Rng(random),
    )
    .map_err(|_| SealedKeyError)?;
    let mut bytes = [0; SEALED_BYTES];
    bytes[..32].copy_from_slice(&enc.to_bytes());
    bytes[32..].copy_from_slice(&sealed);
    Ok(bytes)
}

/// Opens the archive key of `id`.
///
/// # Errors
/// It was sealed for another backup, to another key, or was changed.
pub fn open(keys: &VaultKeys, id: &BackupId, sealed: &[u8; SEALED_BYTES]) -> Result<ArchiveKey, SealedKeyError> {
    let psk_id = psk_id(&keys.pack.fingerprint);
    let mode = OpModeR::Psk(PskBundle::new(keys.pack.psk.expose(), &psk_id).map_err(|_| SealedKeyError)?);
    let private_key = Deserializable::from_bytes(keys.private_key.expose()).map_err(|_| SealedKeyError)?;
    let enc = Enc::from_bytes(&sealed[..32]).map_err(|_| SealedKeyError)?;
    let plain = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &private_key,
        &enc,
        &info(&keys.pack.scope, id),
        &sealed[32..],
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| SealedKeyError)?;
    let plain: &[u8; 32] = plain.as_slice().try_into().map_err(|_| SealedKeyError)?;
    Ok(ArchiveKey::new(keys.pack.scope, *id, Secret::fill(|bytes| bytes.copy_from_slice(plain))))
}

fn info(scope: &Scope, id: &BackupId) -> Vec<u8> {
    [ARCHIVE_KEY.as_bytes(), &scope.bytes(), id.to_string().as_bytes()].concat()
}

fn psk_id(fingerprint: &Fingerprint) -> Vec<u8> {
    [PSK_ID.as_bytes(), &fingerprint.0].concat()
}
