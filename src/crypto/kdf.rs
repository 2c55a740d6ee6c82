//! Every label of the key hierarchy, and HKDF-SHA256 (RFC 5869) over them (spec/keys.md, "Labels").

use hkdf::Hkdf;
use sha2::Sha256;

use crate::base::id::Guid;
use crate::crypto::secret::{Secret, on_wiped_stack};

/// X25519 private key of a guid and epoch.
pub const X25519: &str = "vault/v1/x25519";
/// Pre-shared key of the HPKE seal.
pub const PSK: &str = "vault/v1/psk";
/// Catalogue key.
pub const CATALOGUE: &str = "vault/v1/catalogue";
/// Key of the chunk ids.
pub const CHUNK_ID: &str = "vault/v1/chunk-id";
/// Seed of the gear table.
pub const GEAR_SEED: &str = "vault/v1/gear-seed";
/// Fingerprint of a vault key.
pub const FINGERPRINT: &str = "vault/v1/fingerprint";
/// The gear table itself.
pub const GEAR_TABLE: &str = "vault/v1/gear-table";
/// `info` of the HPKE seal.
pub const ARCHIVE_KEY: &str = "vault/v1/archive-key";
/// `psk_id` of the HPKE seal.
pub const PSK_ID: &str = "vault/v1/psk-id";
/// Key of the manifest's MAC.
pub const MANIFEST_MAC: &str = "vault/v1/manifest-mac";
/// Key of `ids_digest`.
pub const IDS_DIGEST: &str = "vault/v1/ids-digest";
/// Key of the span digests.
pub const SPAN_DIGEST: &str = "vault/v1/span-digest";
/// Key and commitment of a part.
pub const PART: &str = "vault/v1/part";
/// Key and commitment of a passphrase slot.
pub const SLOT: &str = "vault/v1/slot";
/// Checksum key of the local cache.
pub const CACHE: &str = "vault/v1/cache";

/// Key of the MAC of check records.
pub const CHECK_MAC: &str = "vault/v1/check-mac";

/// Every label, in the order of the specification.
pub const LABELS: [&str; 16] = [
    X25519,
    PSK,
    CATALOGUE,
    CHUNK_ID,
    GEAR_SEED,
    FINGERPRINT,
    GEAR_TABLE,
    ARCHIVE_KEY,
    PSK_ID,
    MANIFEST_MAC,
    IDS_DIGEST,
    SPAN_DIGEST,
    PART,
    SLOT,
    CACHE,
    CHECK_MAC,
];

/// A guid and one of its epochs: what every key is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The database.
    pub guid: Guid,
    /// Which of its vault keys, from 1.
    pub epoch: u32,
}

impl Scope {
    /// guid (16) ‖ epoch (u32).
    pub fn bytes(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&self.guid.0);
        bytes[16..].copy_from_slice(&self.epoch.to_le_bytes());
        bytes
    }
}

/// `N` bytes of HKDF-SHA256; `info` is concatenated.
pub fn derive<const N: usize>(key: &[u8], salt: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "RFC 5869: at most 255 hashes") };
    on_wiped_stack::<4, _>(|| {
        Secret::fill(|bytes| {
            let filled = Hkdf::<Sha256>::new(Some(salt), key).expand_multi_info(info, bytes);
            // The only error is a length over the limit, which the assertion above excludes.
            debug_assert!(filled.is_ok());
        })
    })
}
