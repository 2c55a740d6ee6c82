//! What age files are sealed with (spec/age.md): X25519 or X-Wing around the file key, HKDF, HMAC, ChaCha20-Poly1305 in STREAM.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hmac::{Hmac, Mac};
use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305 as HpkeChaCha};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::crypto::kdf::derive;
use crate::crypto::random::Rng;
use crate::crypto::secret::{Secret, equal};

/// Plaintext of a chunk of the payload.
const CHUNK_BYTES: usize = 1 << 16;
const TAG_BYTES: usize = 16;
/// A wrapped file key: 16 bytes and a tag.
pub const BODY_BYTES: usize = 32;
/// What X-Wing encapsulates to: ML-KEM-768 (1088) ‖ X25519 (32).
pub const HYBRID_SHARE_BYTES: usize = 1120;

const X25519_INFO: &[u8] = b"age-encryption.org/v1/X25519";
const HYBRID_INFO: &[u8] = b"age-encryption.org/mlkem768x25519";

type HybridSender = AeadCtxS<HpkeChaCha, HkdfSha256, XWing>;
type HybridReceiver = AeadCtxR<HpkeChaCha, HkdfSha256, XWing>;

/// Why an age file does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeCryptoError {
    /// A point that gives every sender the same secret.
    #[error("an age key is a point of low order")]
    LowOrder,
    /// A public key that is none.
    #[error("an age recipient is not a public key")]
    Recipient,
    /// The payload was cut, changed or continued.
    #[error("the payload of the age file does not authenticate")]
    Payload,
}

/// The key of one age file.
pub struct FileKey(Secret<16>);

impl FileKey {
    /// A fresh one.
    pub fn random(fill: &dyn Fn(&mut [u8])) -> FileKey {
        FileKey(Secret::fill(|bytes| fill(bytes)))
    }

    /// The MAC of a header.
    pub fn mac(&self, maced: &[u8]) -> [u8; 32] {
        let key = derive::<32>(self.0.expose(), &[], &[b"header"]);
        match <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key.expose()) {
            Ok(mac) => mac.chain_update(maced).finalize().into_bytes().into(),
            Err(_) => unreachable!("HMAC takes keys of any length (RFC 2104)"),
        }
    }

    /// Whether `mac` is that of the header.
    pub fn mac_is(&self, maced: &[u8], mac: &[u8; 32]) -> bool {
        equal(&self.mac(maced), mac)
    }

    /// Seals a payload.
    pub fn seal(&self, nonce: &[u8; 16], plain: &[u8]) -> Vec<u8> {
        let cipher = self.cipher(nonce);
        let mut sealed = Vec::with_capacity(plain.len() + (plain.len() / CHUNK_BYTES + 1) * TAG_BYTES);
        let mut left = plain;
        for counter in 0_u64.. {
            let (chunk, rest) = left.split_at(left.len().min(CHUNK_BYTES));
            let start = sealed.len();
            sealed.extend_from_slice(chunk);
            let nonce = chunk_nonce(counter, rest.is_empty());
            match cipher.encrypt_inout_detached(&nonce.into(), &[], (&mut sealed[start..]).into()) {
                Ok(tag) => sealed.extend_from_slice(&tag),
                Err(_) => unreachable!("64 KiB are below the limit of RFC 8439"),
            }
            if rest.is_empty() {
                break;
            }
            left = rest;
        }
        sealed
    }

    /// Opens a payload, whole or not at all.
    ///
    /// # Errors
    /// `Payload`
    pub fn open(&self, nonce: &[u8; 16], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeCryptoError> {
        let cipher = self.cipher(nonce);
        // Of its final size: a buffer that grows leaves copies behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        let mut left = sealed;
        for counter in 0_u64.. {
            let (chunk, rest) = left.split_at(left.len().min(CHUNK_BYTES + TAG_BYTES));
            let (text, tag) = chunk.split_last_chunk::<TAG_BYTES>().ok_or(AgeCryptoError::Payload)?;
            // Only an empty payload has an empty chunk.
            if text.is_empty() && counter > 0 {
                return Err(AgeCryptoError::Payload);
            }
            let start = plain.len();
            plain.extend_from_slice(text);
            let nonce = chunk_nonce(counter, rest.is_empty());
            let opened = cipher.decrypt_inout_detached(&nonce.into(), &[], (&mut plain[start..]).into(), tag.into());
            opened.map_err(|_| AgeCryptoError::Payload)?;
            if rest.is_empty() {
                break;
            }
            left = rest;
        }
        Ok(plain)
    }

    fn cipher(&self, nonce: &[u8; 16]) -> ChaCha20Poly1305 {
        let key = derive::<32>(self.0.expose(), nonce, &[b"payload"]);
        ChaCha20Poly1305::new(key.expose().into())
    }

    /// Wraps the key for an X25519 recipient: the share of the sender, and the body.
    ///
    /// # Errors
    /// `LowOrder`
    pub fn wrap_x25519(
        &self,
        recipient: &[u8; 32],
        fill: &dyn Fn(&mut [u8]),
    ) -> Result<([u8; 32], [u8; BODY_BYTES]), AgeCryptoError> {
        let secret = Secret::<32>::fill(|bytes| fill(bytes));
        let secret = StaticSecret::from(*secret.expose());
        let share = PublicKey::from(&secret).to_bytes();
        let key = x25519_key(&secret, recipient, &share, recipient)?;
        let mut body = [0; BODY_BYTES];
        let (text, tag) = body.split_at_mut(16);
        text.copy_from_slice(self.0.expose());
        match ChaCha20Poly1305::new(key.expose().into()).encrypt_inout_detached(&[0; 12].into(), &[], text.into()) {
            Ok(sealed) => tag.copy_from_slice(&sealed),
            Err(_) => unreachable!("16 bytes are below the limit of RFC 8439"),
        }
        Ok((share, body))
    }

    /// Unwraps the key with an X25519 identity. `None` when it is wrapped for another one.
    ///
    /// # Errors
    /// `LowOrder`
    pub fn unwrap_x25519(
        identity: &Secret<32>,
        share: &[u8; 32],
        body: &[u8; BODY_BYTES],
    ) -> Result<Option<FileKey>, AgeCryptoError> {
        let secret = StaticSecret::from(*identity.expose());
        let recipient = PublicKey::from(&secret).to_bytes();
        let key = x25519_key(&secret, share, share, &recipient)?;
        let (sealed, tag) = body.split_at(16);
        let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| AgeCryptoError::Payload)?;
        let cipher = ChaCha20Poly1305::new(key.expose().into());
        let mut opened = Ok(());
        let file_key = Secret::fill(|bytes| {
            bytes.copy_from_slice(sealed);
            opened = cipher.decrypt_inout_detached(&[0; 12].into(), &[], bytes.as_mut_slice().into(), &tag.into());
        });
        Ok(opened.is_ok().then_some(FileKey(file_key)))
    }

    /// Wraps the key for a recipient of X-Wing: what it encapsulates to, and the body.
    ///
    /// # Errors
    /// `Recipient`
    pub fn wrap_hybrid(
        &self,
        recipient: &[u8],
        fill: &dyn Fn(&mut [u8]),
    ) -> Result<(Vec<u8>, Vec<u8>), AgeCryptoError> {
        let mut fill = |bytes: &mut [u8]| fill(bytes);
        let sent = hybrid_sender(recipient, HYBRID_INFO, &mut fill);
        let wrapped = sent.and_then(|(share, mut context)| Ok((share, context.seal(self.0.expose(), &[])?)));
        wrapped.map_err(|_| AgeCryptoError::Recipient)
    }

    /// Unwraps the key with an identity of X-Wing. `None` when it is wrapped for another one.
    ///
    /// # Errors
    /// `LowOrder`
    pub fn unwrap_hybrid(
        identity: &Secret<32>,
        share: &[u8; HYBRID_SHARE_BYTES],
        body: &[u8; BODY_BYTES],
    ) -> Result<Option<FileKey>, AgeCryptoError> {
        // A clamped scalar is a multiple of the cofactor: every one shows what is of low order.
        let point = PublicKey::from(*share.last_chunk::<32>().unwrap_or(&[0; 32]));
        if !StaticSecret::from([0; 32]).diffie_hellman(&point).was_contributory() {
            return Err(AgeCryptoError::LowOrder);
        }
        let received = hybrid_receiver(identity, share, HYBRID_INFO);
        let opened = received.and_then(|mut context| context.open(body, &[]));
        let opened = opened.ok().map(Zeroizing::new);
        Ok(opened.and_then(|plain| {
            let plain: &[u8; 16] = plain.as_slice().try_into().ok()?;
            Some(FileKey(Secret::fill(|bytes| bytes.copy_from_slice(plain))))
        }))
    }
}

/// The end of HPKE that seals: what it encapsulated, and its context. Both ends take any `info`, so that published vectors can be told to
/// them.
pub(super) fn hybrid_sender(
    recipient: &[u8],
    info: &[u8],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<(Vec<u8>, HybridSender), HpkeError> {
    let public_key = <XWing as Kem>::PublicKey::from_bytes(recipient)?;
    let sent = hpke::setup_sender_with_rng(&OpModeS::Base, &public_key, info, &mut Rng(random));
    let (share, context): (<XWing as Kem>::EncappedKey, HybridSender) = sent?;
    Ok((share.to_bytes().to_vec(), context))
}

/// The end that opens.
pub(super) fn hybrid_receiver(
    identity: &Secret<32>,
    share: &[u8; HYBRID_SHARE_BYTES],
    info: &[u8],
) -> Result<HybridReceiver, HpkeError> {
    let private_key = <XWing as Kem>::PrivateKey::from_bytes(identity.expose())?;
    hpke::setup_receiver(&OpModeR::Base, &private_key, &Deserializable::from_bytes(share)?, info)
}

/// The key that wraps the file key.
fn x25519_key(
    secret: &StaticSecret,
    point: &[u8; 32],
    share: &[u8; 32],
    recipient: &[u8; 32],
) -> Result<Secret<32>, AgeCryptoError> {
    let shared = secret.diffie_hellman(&PublicKey::from(*point));
    if !shared.was_contributory() {
        return Err(AgeCryptoError::LowOrder);
    }
    let salt = [share.as_slice(), recipient].concat();
    Ok(derive(shared.as_bytes(), &salt, &[X25519_INFO]))
}

/// 11 bytes of a counter, big-endian, and one that says whether the chunk is the last.
fn chunk_nonce(counter: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}
