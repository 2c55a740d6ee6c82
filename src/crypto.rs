//! Which key protects what, over slices and arrays only (spec/keys.md).
//!
//! ```text
//! MasterKey (MK, 32 random bytes per guid and epoch)
//!  └─ VaultKeys: private key, and PackKeys: public key, PSK, catalogue key, chunk-id key, gear seed, fingerprint
//!      └─ sealed::seal / open (HPKE mode_psk): ArchiveKey (AK, 32 random bytes per backup)
//!          └─ manifest MAC key, ids-digest key, span-digest key, and with a salt and a header: PartKey and its commitment
//! ```
//!
//! The room knows no file layout: callers hand it the bytes that a key is bound to.

pub mod age;
pub mod chunk_id;
mod gcm;
pub mod kdf;
pub mod keys;
#[cfg(test)]
mod known;
pub mod passphrase;
mod random;
pub mod sealed;
pub mod secret;
pub mod segment;
pub mod shares;
pub mod span;
