//! The sealed archive key: HPKE (RFC 9180) in mode_psk, one message, 80 bytes (spec/keys.md).

use hpke::aead::{AeadCtxR, AeadCtxS, AesGcm256};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, HpkeError, OpModeR, OpModeS, PskBundle, Serializable};
use zeroize::Zeroizing;

use crate::base::id::BackupId;
use crate::crypto::kdf::{ARCHIVE_KEY, PSK_ID, Scope};
use crate::crypto::keys::{ArchiveKey, Fingerprint, PackKeys, VaultKeys};
use crate::crypto::random::Rng;
use crate::crypto::secret::{Secret, on_wiped_stack};

/// enc (32) ‖ ciphertext (32) ‖ tag (16).
pub const SEALED_BYTES: usize = 80;

type Enc = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;
type Sender = AeadCtxS<AesGcm256, HkdfSha256, X25519HkdfSha256>;
type Receiver = AeadCtxR<AesGcm256, HkdfSha256, X25519HkdfSha256>;

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
    let psk = (keys.psk.expose(), psk_id(&keys.fingerprint));
    let seal = || {
        let (enc, mut context) = sender(&keys.public_key, &psk, &info(&keys.scope, id), random)?;
        Ok((enc, context.seal(archive_key.expose(), &[])?))
    };
    let (enc, sealed) = on_wiped_stack::<16, _>(seal).map_err(|_: HpkeError| SealedKeyError)?;
    let mut bytes = [0; SEALED_BYTES];
    bytes[..32].copy_from_slice(&enc);
    bytes[32..].copy_from_slice(&sealed);
    Ok(bytes)
}

/// Opens the archive key of `id`.
///
/// # Errors
/// It was sealed for another backup, to another key, or was changed.
pub fn open(keys: &VaultKeys, id: &BackupId, sealed: &[u8; SEALED_BYTES]) -> Result<ArchiveKey, SealedKeyError> {
    let (enc, message) = sealed.split_first_chunk::<32>().ok_or(SealedKeyError)?;
    let psk = (keys.pack.psk.expose(), psk_id(&keys.pack.fingerprint));
    let open = || receiver(&keys.private_key, &psk, &info(&keys.pack.scope, id), enc)?.open(message, &[]);
    let plain = on_wiped_stack::<16, _>(open).map(Zeroizing::new).map_err(|_| SealedKeyError)?;
    let plain: &[u8; 32] = plain.as_slice().try_into().map_err(|_| SealedKeyError)?;
    Ok(ArchiveKey::new(keys.pack.scope, *id, Secret::fill(|bytes| bytes.copy_from_slice(plain))))
}

/// A PSK and its id.
pub(super) type Psk<'a> = (&'a [u8; 32], Vec<u8>);

/// The end that seals: what it encapsulated, and its context. Both ends take any `info`, so that the RFC's vectors can be told to them.
pub(super) fn sender(
    public_key: &[u8; 32],
    psk: &Psk,
    info: &[u8],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<([u8; 32], Sender), HpkeError> {
    let mode = OpModeS::Psk(PskBundle::new(psk.0, &psk.1)?);
    let public_key = Deserializable::from_bytes(public_key)?;
    let (enc, context): (Enc, Sender) = hpke::setup_sender_with_rng(&mode, &public_key, info, &mut Rng(random))?;
    Ok((enc.to_bytes().into(), context))
}

/// The end that opens.
pub(super) fn receiver(
    private_key: &Secret<32>,
    psk: &Psk,
    info: &[u8],
    enc: &[u8; 32],
) -> Result<Receiver, HpkeError> {
    let mode = OpModeR::Psk(PskBundle::new(psk.0, &psk.1)?);
    let private_key = Deserializable::from_bytes(private_key.expose())?;
    hpke::setup_receiver(&mode, &private_key, &Enc::from_bytes(enc)?, info)
}

fn info(scope: &Scope, id: &BackupId) -> Vec<u8> {
    [ARCHIVE_KEY.as_bytes(), &scope.bytes(), id.to_string().as_bytes()].concat()
}

fn psk_id(fingerprint: &Fingerprint) -> Vec<u8> {
    [PSK_ID.as_bytes(), &fingerprint.0].concat()
}
