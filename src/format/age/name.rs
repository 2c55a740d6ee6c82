//! Recipients and identities of age as people see them: Bech32 without a limit on the length.

use bech32::primitives::checksum::Checksum;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::format::spelling::to_bech32;

/// Bytes of an X25519 recipient, and of every identity.
pub const X25519_BYTES: usize = 32;
/// Bytes of a recipient of X-Wing: ML-KEM-768 (1184) ‖ X25519 (32).
pub const HYBRID_BYTES: usize = 1216;

/// A recipient that vault seals to by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientName {
    /// `age1…`
    X25519([u8; X25519_BYTES]),
    /// `age1pq1…`
    Hybrid(Box<[u8; HYBRID_BYTES]>),
}

/// An identity that vault opens by itself: which kind, and its 32 secret bytes, on the heap, so that moving it leaves no copy behind.
pub enum IdentityName {
    /// `AGE-SECRET-KEY-1…`
    X25519(Box<Zeroizing<[u8; 32]>>),
    /// `AGE-SECRET-KEY-PQ-1…`
    Hybrid(Box<Zeroizing<[u8; 32]>>),
}

impl RecipientName {
    /// A recipient in lower case. `None` for anything else, also for types that only other programs know.
    pub fn parse(text: &str) -> Option<RecipientName> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        if text.starts_with("age1pq1") {
            let mut bytes = Box::new([0; HYBRID_BYTES]);
            decode("age1pq", text, bytes.as_mut_slice())?;
            return Some(RecipientName::Hybrid(bytes));
        }
        let mut bytes = [0; X25519_BYTES];
        decode("age", text, &mut bytes)?;
        Some(RecipientName::X25519(bytes))
    }
}

impl IdentityName {
    /// An identity in upper case. `None` for anything else.
    pub fn parse(text: &str) -> Option<IdentityName> {
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        if text.starts_with("AGE-SECRET-KEY-PQ-1") {
            decode("age-secret-key-pq-", text, bytes.as_mut_slice())?;
            return Some(IdentityName::Hybrid(bytes));
        }
        decode("age-secret-key-", text, bytes.as_mut_slice())?;
        Some(IdentityName::X25519(bytes))
    }
}

/// Bech32's checksum over texts of any length, as age has it: a hybrid recipient has 1959 characters.
enum Long {}

impl Checksum for Long {
    type MidstateRepr = u32;
    const CODE_LENGTH: usize = 4096;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = Bech32::TARGET_RESIDUE;
}

/// Fills `bytes` from a text of one case. Only the canonical spelling is taken.
fn decode(prefix: &str, text: &str, bytes: &mut [u8]) -> Option<()> {
    let checked = CheckedHrpstring::new::<Long>(text).ok()?;
    if checked.hrp().to_lowercase() != prefix {
        return None;
    }
    let mut found = checked.byte_iter();
    for byte in bytes.iter_mut() {
        *byte = found.next()?;
    }
    if found.next().is_some() {
        return None;
    }
    // The last character may carry padding bits; they are zero in the only spelling.
    let hrp = Hrp::parse(prefix).ok()?;
    to_bech32::<Long>(hrp, bytes).eq_ignore_ascii_case(text).then_some(())
}
