//! Wraps a vault key under a passphrase: Argon2id (RFC 9106), HKDF, AES-256-GCM, and a commitment (spec/keys.md).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::base::limits::argon2_is_within_limits;
use crate::crypto::kdf::{SLOT, Scope, derive};
use crate::crypto::secret::{Secret, equal, on_wiped_stack};

/// Plaintext of a slot: guid (16) ‖ epoch (4) ‖ MK (32).
pub const KEY_LINE_BYTES: usize = 52;
/// Wrapped: the plaintext and a tag.
pub const WRAPPED_BYTES: usize = KEY_LINE_BYTES + 16;

/// What one guess costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Memory in KiB.
    pub m: u32,
    /// Passes.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl Cost {
    /// 256 MiB, three passes.
    pub const DEFAULT: Cost = Cost { m: 1 << 18, t: 3, p: 4 };
    /// 64 MiB, three passes: RFC 9106's second recommended option.
    pub const SMALL: Cost = Cost { m: 1 << 16, t: 3, p: 4 };
    /// 2 GiB, one pass: RFC 9106's first recommended option.
    pub const MAX: Cost = Cost { m: 1 << 21, t: 1, p: 4 };

    /// Refuses what needs more than the bytes that are to be had, where that is known.
    ///
    /// # Errors
    /// `Short`
    pub fn fits(&self, available: Option<u64>) -> Result<(), SlotError> {
        match available {
            Some(available) if u64::from(self.m) * 1024 > available => Err(SlotError::Short { cost: *self, available }),
            _ => Ok(()),
        }
    }

    /// Whether a manifest may demand this. Checked before any memory is taken.
    pub fn within_limits(&self) -> bool {
        argon2_is_within_limits(self.m, self.t, self.p)
    }
}

/// Why a slot does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The slot demands more than a manifest may.
    #[error("the slot demands Argon2id with m={}, t={}, p={}", .0.m, .0.t, .0.p)]
    Limit(Cost),
    /// The machine does not have the memory, and none was taken.
    #[error("a guess of this passphrase needs {} MiB of memory, and {} MiB are to be had", .cost.m / 1024, .available >> 20)]
    Short {
        /// What one guess costs.
        cost: Cost,
        /// Bytes that are to be had.
        available: u64,
    },
    /// Argon2id could not have its memory.
    #[error("Argon2id needs {} MiB of memory, which this machine does not give", .0.m / 1024)]
    Memory(Cost),
    /// Another passphrase.
    #[error("the passphrase does not open the slot")]
    WrongPassphrase,
    /// The commitment agrees and the contents do not.
    #[error("the slot is damaged")]
    Damaged,
}

/// Argon2id of a passphrase under one salt and cost; shared by slots that have both in common.
pub struct Root(Secret<32>);

/// A wrapped key line with what is public of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// What one guess costs.
    pub cost: Cost,
    /// Random salt.
    pub salt: [u8; 16],
    /// Commits to the key, so that no slot opens under two passphrases.
    pub commitment: [u8; 32],
    /// The sealed key line.
    pub sealed: [u8; WRAPPED_BYTES],
}

impl Root {
    /// Runs Argon2id.
    ///
    /// # Errors
    /// `Limit` before anything is allocated; `Memory` when the machine does not have it.
    pub fn derive(passphrase: &[u8], salt: &[u8; 16], cost: Cost) -> Result<Root, SlotError> {
        if !cost.within_limits() {
            return Err(SlotError::Limit(cost));
        }
        let params = argon2::Params::new(cost.m, cost.t, cost.p, Some(32)).map_err(|_| SlotError::Limit(cost))?;
        let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut run = Ok(());
        let root = Secret::fill(|bytes| run = argon2.hash_password_into(passphrase, salt, bytes));
        run.map(|()| Root(root)).map_err(|_| SlotError::Memory(cost))
    }

    /// Wraps a key line.
    pub fn wrap(&self, scope: Scope, cost: Cost, salt: [u8; 16], line: &[u8; KEY_LINE_BYTES]) -> Wrapped {
        on_wiped_stack::<4, _>(|| self.wrap_line(context(scope, cost, &salt), cost, salt, line))
    }

    fn wrap_line(&self, context: Vec<u8>, cost: Cost, salt: [u8; 16], line: &[u8; KEY_LINE_BYTES]) -> Wrapped {
        let (cipher, commitment) = self.keys(&context);
        let mut sealed = [0; WRAPPED_BYTES];
        let (text, tag) = sealed.split_at_mut(KEY_LINE_BYTES);
        text.copy_from_slice(line);
        match cipher.encrypt_inout_detached(&[0; 12].into(), &context, text.into()) {
            Ok(sealed) => tag.copy_from_slice(&sealed),
            Err(_) => unreachable!("52 bytes are below the limit of SP 800-38D"),
        }
        Wrapped { cost, salt, commitment, sealed }
    }

    /// Unwraps the key line.
    ///
    /// # Errors
    /// `WrongPassphrase` by the commitment, before anything is decrypted; `Damaged`.
    pub fn unwrap(&self, scope: Scope, slot: &Wrapped) -> Result<Secret<KEY_LINE_BYTES>, SlotError> {
        on_wiped_stack::<4, _>(|| self.unwrap_line(&context(scope, slot.cost, &slot.salt), slot))
    }

    fn unwrap_line(&self, context: &[u8], slot: &Wrapped) -> Result<Secret<KEY_LINE_BYTES>, SlotError> {
        let (cipher, commitment) = self.keys(context);
        if !equal(&commitment, &slot.commitment) {
            return Err(SlotError::WrongPassphrase);
        }
        let (sealed, tag) = slot.sealed.split_at(KEY_LINE_BYTES);
        let tag: [u8; 16] = tag.try_into().map_err(|_| SlotError::Damaged)?;
        let mut opened = Ok(());
        let line = Secret::fill(|line| {
            line.copy_from_slice(sealed);
            opened = cipher.decrypt_inout_detached(&[0; 12].into(), context, line.as_mut_slice().into(), &tag.into());
        });
        opened.map(|()| line).map_err(|_| SlotError::Damaged)
    }

    fn keys(&self, context: &[u8]) -> (Aes256Gcm, [u8; 32]) {
        let both = derive::<64>(self.0.expose(), &[], &[SLOT.as_bytes(), context]);
        let (key, commitment) = both.expose().split_at(32);
        let mut public = [0; 32];
        public.copy_from_slice(commitment);
        let key = Secret::<32>::fill(|bytes| bytes.copy_from_slice(key));
        (Aes256Gcm::new(key.expose().into()), public)
    }
}

/// 0x01 ‖ m ‖ t ‖ p ‖ salt ‖ guid ‖ epoch.
fn context(scope: Scope, cost: Cost, salt: &[u8; 16]) -> Vec<u8> {
    let Cost { m, t, p } = cost;
    [&[1][..], &m.to_le_bytes(), &t.to_le_bytes(), &p.to_le_bytes(), salt, &scope.bytes()].concat()
}
