//! From the old key to key and initialisation vector, as `openssl enc` does it.

use md5::Md5;
use sha2::Sha256;
use sha2::digest::{Digest, FixedOutputReset};
use zeroize::Zeroizing;

use crate::base::limits::PASSPHRASE_BYTES_MAX;

/// Bytes of an AES-256 key and of an initialisation vector.
const DERIVED_BYTES: usize = 32 + 16;
/// What `openssl enc -pbkdf2` does when it is told no number.
pub const ITERATIONS_DEFAULT: u32 = 10_000;

/// The old key: a passphrase of 1 to 1024 bytes.
pub struct LegacyKey(Zeroizing<Vec<u8>>);

impl LegacyKey {
    /// The first line of `bytes`, as `openssl` takes it from a file. `None` when it is empty or too long.
    pub fn new(mut bytes: Zeroizing<Vec<u8>>) -> Option<LegacyKey> {
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            bytes.truncate(end);
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        (1..=PASSPHRASE_BYTES_MAX).contains(&bytes.len()).then_some(LegacyKey(bytes))
    }
}

/// How the key was derived. The archive does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// EVP_BytesToKey with one round: what `openssl enc` does by default.
    BytesToKey,
    /// PBKDF2, so many times.
    Pbkdf2 {
        /// At least 1.
        iterations: u32,
    },
}

/// With which digest. The archive does not say that either: it depends on the version of OpenSSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDigest {
    /// The default before OpenSSL 1.1.0, and what `-md md5` says.
    Md5,
    /// The default since.
    Sha256,
}

impl KeyDigest {
    /// In the order in which they are tried.
    pub const ALL: [KeyDigest; 2] = [KeyDigest::Md5, KeyDigest::Sha256];
}

/// What AES-256-CBC takes.
pub struct Derived {
    /// The key.
    pub key: Zeroizing<[u8; 32]>,
    /// The initialisation vector, which is no secret.
    pub iv: [u8; 16],
}

/// Derives key and initialisation vector.
pub fn derive(key: &LegacyKey, derivation: Derivation, digest: KeyDigest, salt: &[u8; 8]) -> Derived {
    let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
    match (derivation, digest) {
        (Derivation::BytesToKey, KeyDigest::Md5) => bytes_to_key::<Md5>(&key.0, salt, &mut derived),
        (Derivation::BytesToKey, KeyDigest::Sha256) => bytes_to_key::<Sha256>(&key.0, salt, &mut derived),
        (Derivation::Pbkdf2 { iterations }, KeyDigest::Md5) => {
            pbkdf2::pbkdf2_hmac::<Md5>(&key.0, salt, iterations, &mut *derived);
        }
        (Derivation::Pbkdf2 { iterations }, KeyDigest::Sha256) => {
            pbkdf2::pbkdf2_hmac::<Sha256>(&key.0, salt, iterations, &mut *derived);
        }
    }
    let mut split = Derived { key: Zeroizing::new([0; 32]), iv: [0; 16] };
    split.key.copy_from_slice(&derived[..32]);
    split.iv.copy_from_slice(&derived[32..]);
    split
}

/// D1 = H(key ‖ salt), Dn = H(Dn−1 ‖ key ‖ salt), one after another until there are enough bytes.
fn bytes_to_key<D: Digest + FixedOutputReset>(key: &[u8], salt: &[u8; 8], derived: &mut [u8; DERIVED_BYTES]) {
    let mut digest = D::new();
    let size = <D as Digest>::output_size();
    let mut filled = 0;
    while filled < DERIVED_BYTES {
        if filled > 0 {
            Digest::update(&mut digest, &derived[filled - size..filled]);
        }
        Digest::update(&mut digest, key);
        Digest::update(&mut digest, salt);
        let block = digest.finalize_reset();
        let step = size.min(DERIVED_BYTES - filled);
        derived[filled..filled + step].copy_from_slice(&block[..step]);
        filled += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::to_hex;

    fn key(text: &[u8]) -> Option<LegacyKey> {
        LegacyKey::new(Zeroizing::new(text.to_vec()))
    }

    /// `openssl enc -aes-256-cbc -P -S 0001020304050607 -pass pass:foobar`, with `-md md5` and `-md sha256`, and both again with
    /// `-pbkdf2 -iter 1000`.
    #[test]
    fn derives_what_openssl_prints() {
        let pbkdf2 = Derivation::Pbkdf2 { iterations: 1000 };
        let cases = [
            (
                Derivation::BytesToKey,
                KeyDigest::Md5,
                "56cdced7e20e852095c6a97ecf903f1015590d804fcafbb468ac3562b4514623c4a99480ae27771106d3d2dcf0706543",
            ),
            (
                Derivation::BytesToKey,
                KeyDigest::Sha256,
                "bf14e366031209f22437458d3b3aa142b2471874f6daa45253576e4880a5c0c8aa255683e5b686320126d50c596bd8fc",
            ),
            (
                pbkdf2,
                KeyDigest::Md5,
                "54eae7c8f15c541ea7a7f01027be836da0ffdbed0dbbb059ce5ee6a193f5cbcd60ac89310c43b6d57cbc14a7177ea8da",
            ),
            (
                pbkdf2,
                KeyDigest::Sha256,
                "f716dfabceecb8253a08129ccc0e403fa50faf8b0c06ddd88755aef8d002435aceecc061095174a2a234bf732aa72d75",
            ),
        ];
        let salt = [0, 1, 2, 3, 4, 5, 6, 7];
        for (derivation, digest, expected) in cases {
            let derived = derive(&key(b"foobar").expect("a key"), derivation, digest, &salt);
            assert_eq!(to_hex(&*derived.key) + &to_hex(&derived.iv), expected, "{derivation:?} {digest:?}");
        }
    }

    #[test]
    fn a_key_is_a_line() {
        for text in [&b"foobar"[..], b"foobar\n", b"foobar\r\n", b"foobar\nsecond line"] {
            assert!(key(text).is_some_and(|key| *key.0 == b"foobar"), "{}", text.escape_ascii());
        }
        assert!(key(b" a b ").is_some_and(|key| *key.0 == b" a b "));
        assert!(key(&[b'x'; PASSPHRASE_BYTES_MAX]).is_some());
        for text in [&b""[..], b"\n", b"\nkey", &[b'x'; PASSPHRASE_BYTES_MAX + 1]] {
            assert!(key(text).is_none());
        }
    }
}
