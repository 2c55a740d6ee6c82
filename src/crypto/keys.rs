//! The vault key and what derives from it; the archive key and what derives from that (spec/keys.md).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::base::bytes::to_hex;
use crate::base::id::{BackupId, ChunkId};
use crate::crypto::kdf::{self, Scope, derive};
use crate::crypto::secret::{Secret, equal, on_wiped_stack};
use crate::crypto::span::SpanKey;

/// Says which vault key a backup needs. Public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl Fingerprint {
    /// The first 8 digits: what messages show.
    pub fn short(&self) -> String {
        to_hex(&self.0[..4])
    }
}

/// MK: the vault key of one guid and epoch.
pub struct MasterKey {
    /// What it is the key of.
    pub scope: Scope,
    /// The 32 bytes.
    pub secret: Secret<32>,
}

/// What a packer needs: it writes and deduplicates, and reads nothing.
pub struct PackKeys {
    /// Guid and epoch.
    pub scope: Scope,
    /// X25519 public key to which archive keys are sealed.
    pub public_key: [u8; 32],
    /// Pre-shared key of the seal.
    pub psk: Secret<32>,
    /// CK, under which catalogues are sealed.
    pub catalogue: Secret<32>,
    /// Key of the chunk ids.
    pub chunk_id: Secret<32>,
    /// Seed of the gear table.
    pub gear_seed: Secret<32>,
    /// Which vault key all this is of.
    pub fingerprint: Fingerprint,
}

/// Everything that derives from one vault key: opens every backup of its scope.
pub struct VaultKeys {
    /// The packer's half.
    pub pack: PackKeys,
    /// X25519 private key.
    pub private_key: Secret<32>,
    /// Key of the MAC of check records.
    pub check: Secret<32>,
}

impl VaultKeys {
    /// HMAC-SHA256 over a check record up to its suffix.
    pub fn check_mac(&self, body: &[u8]) -> [u8; 32] {
        hmac(&self.check, body)
    }

    /// Whether `mac` is that of the check record up to its suffix.
    pub fn check_mac_is(&self, body: &[u8], mac: &[u8; 32]) -> bool {
        equal(&self.check_mac(body), mac)
    }
}

fn hmac(key: &Secret<32>, body: &[u8]) -> [u8; 32] {
    on_wiped_stack::<4, _>(|| match <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()) {
        Ok(mac) => mac.chain_update(body).finalize().into_bytes().into(),
        Err(_) => unreachable!("HMAC takes keys of any length (RFC 2104)"),
    })
}

impl MasterKey {
    /// Derives all keys of the scope.
    pub fn derive(&self) -> VaultKeys {
        let scope = self.scope.bytes();
        let key = |label: &str| derive::<32>(self.secret.expose(), &[], &[label.as_bytes(), &scope]);
        let private_key = key(kdf::X25519);
        let public_key = || PublicKey::from(&StaticSecret::from(*private_key.expose())).to_bytes();
        let public_key = on_wiped_stack::<8, _>(public_key);
        let fingerprint = derive::<16>(self.secret.expose(), &[], &[kdf::FINGERPRINT.as_bytes(), &scope]);
        VaultKeys {
            pack: PackKeys {
                scope: self.scope,
                public_key,
                psk: key(kdf::PSK),
                catalogue: key(kdf::CATALOGUE),
                chunk_id: key(kdf::CHUNK_ID),
                gear_seed: key(kdf::GEAR_SEED),
                fingerprint: Fingerprint(*fingerprint.expose()),
            },
            private_key,
            check: key(kdf::CHECK_MAC),
        }
    }
}

impl PackKeys {
    /// The gear table of the chunker.
    pub fn gear_table(&self) -> Box<[u64; 256]> {
        let bytes = derive::<2048>(self.gear_seed.expose(), &[], &[kdf::GEAR_TABLE.as_bytes()]);
        let mut table = Box::new([0; 256]);
        for (entry, bytes) in table.iter_mut().zip(bytes.expose().as_chunks::<8>().0) {
            *entry = u64::from_le_bytes(*bytes);
        }
        table
    }

    /// Checksum key of the local cache.
    pub fn cache_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(kdf::CACHE, self.chunk_id.expose()))
    }
}

/// AK: the key of one backup. Never leaves the process.
pub struct ArchiveKey {
    scope: Scope,
    id: BackupId,
    secret: Secret<32>,
}

impl ArchiveKey {
    /// The archive key of `id`.
    pub fn new(scope: Scope, id: BackupId, secret: Secret<32>) -> ArchiveKey {
        ArchiveKey { scope, id, secret }
    }

    /// The bytes, to be sealed.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    fn derive(&self, label: &str) -> Secret<32> {
        derive(self.secret.expose(), &[], &[label.as_bytes(), &self.scope.bytes(), self.id.to_string().as_bytes()])
    }

    /// HMAC-SHA256 over the manifest up to its suffix.
    pub fn manifest_mac(&self, body: &[u8]) -> [u8; 32] {
        hmac(&self.derive(kdf::MANIFEST_MAC), body)
    }

    /// Whether `mac` is that of the manifest up to its suffix.
    pub fn manifest_mac_is(&self, body: &[u8], mac: &[u8; 32]) -> bool {
        equal(&self.manifest_mac(body), mac)
    }

    /// The keyed BLAKE3 into which the sequence of (chunk id, length) goes.
    pub fn ids_digest(&self) -> IdsDigest {
        IdsDigest(blake3::Hasher::new_keyed(self.derive(kdf::IDS_DIGEST).expose()))
    }

    /// The key of the span digests.
    pub fn span_key(&self) -> SpanKey {
        SpanKey::new(&self.derive(kdf::SPAN_DIGEST))
    }

    /// Key and commitment of a data or index part; `header` is what stands before the commitment.
    pub fn part_key(&self, salt: &[u8; 24], header: &[u8]) -> PartKey {
        PartKey::derive(&self.secret, salt, header)
    }
}

/// The key of one part, and the 32 bytes that commit to it.
pub struct PartKey {
    /// The AES-256-GCM key.
    pub key: Secret<32>,
    /// What the header and the manifest show of it.
    pub commitment: [u8; 32],
}

impl PartKey {
    /// Key and commitment of a part from AK, or from CK for a catalogue.
    pub fn derive(secret: &Secret<32>, salt: &[u8; 24], header: &[u8]) -> PartKey {
        let both = derive::<64>(secret.expose(), salt, &[kdf::PART.as_bytes(), header]);
        let (key, commitment) = both.expose().split_at(32);
        let mut public = [0; 32];
        public.copy_from_slice(commitment);
        PartKey { key: Secret::fill(|bytes| bytes.copy_from_slice(key)), commitment: public }
    }
}

/// Digest over every (chunk id, length) of a dump, in order. It holds its key as long as it lives.
pub struct IdsDigest(blake3::Hasher);

impl Drop for IdsDigest {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl IdsDigest {
    /// The next chunk.
    pub fn push(&mut self, id: &ChunkId, length: u32) {
        let mut record = [0; 20];
        record[..16].copy_from_slice(&id.0);
        record[16..].copy_from_slice(&length.to_le_bytes());
        self.0.update(&record);
    }

    /// The digest of what was pushed.
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}
