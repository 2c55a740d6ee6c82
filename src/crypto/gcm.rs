//! AES-256-GCM (NIST SP 800-38D) of AWS-LC, for whatever there is much of: it takes a third of the time that the crate `aes-gcm` takes, and
//! where it only authenticates a fifth (benches/README.md). `aes-gcm` says what is right: the tests seal with it what is opened here.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::base::limits::TAG_BYTES;
use crate::crypto::secret::{Secret, on_wiped_stack};

/// KiB of the stack that AWS-LC may have left something in.
const STACK_KIB: usize = 8;

/// What authenticates a message.
pub type Tag = [u8; TAG_BYTES];

/// A key, expanded. It lies on the heap of AWS-LC, which zeroises what it frees.
pub struct Gcm(LessSafeKey);

impl Gcm {
    /// Expands a key.
    pub fn new(key: &Secret<32>) -> Gcm {
        match on_wiped_stack::<STACK_KIB, _>(|| UnboundKey::new(&AES_256_GCM, key.expose())) {
            Ok(key) => Gcm(LessSafeKey::new(key)),
            Err(_) => unreachable!("a key of AES-256 has 32 bytes"),
        }
    }

    /// Encrypts in place. A nonce is used once under a key.
    pub fn seal(&self, nonce: [u8; 12], text: &mut [u8]) -> Tag {
        self.tag_of(nonce, &[], text)
    }

    /// Authenticates without encrypting (GMAC). A nonce is used once under a key.
    pub fn authenticate(&self, nonce: [u8; 12], data: &[u8]) -> Tag {
        self.tag_of(nonce, data, &mut [])
    }

    /// Decrypts a text, with its tag at the end, in place. Nobody may look at it unless the result is `true`.
    #[must_use]
    pub fn open(&self, nonce: [u8; 12], sealed: &mut [u8]) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        on_wiped_stack::<STACK_KIB, _>(|| self.0.open_in_place(nonce, Aad::empty(), sealed).is_ok())
    }

    fn tag_of(&self, nonce: [u8; 12], data: &[u8], text: &mut [u8]) -> Tag {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let seal = || self.0.seal_in_place_separate_tag(nonce, Aad::from(data), text);
        let sealed = on_wiped_stack::<STACK_KIB, _>(seal).ok();
        // GCM refuses only what is longer than 2^36 bytes; a segment or a span has at most 2^20.
        let tag = sealed.and_then(|tag| tag.as_ref().try_into().ok());
        tag.unwrap_or_else(|| unreachable!("a message is far below the limit of SP 800-38D"))
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::aead::{Aead, Payload};
    use aes_gcm::{Aes256Gcm, KeyInit};

    use super::*;

    #[test]
    fn both_libraries_agree() {
        let key = Secret::fill(|key| (0..).zip(key).for_each(|(at, byte)| *byte = at * 7));
        let (ours, theirs) = (Gcm::new(&key), Aes256Gcm::new(key.expose().into()));
        // The edges of blocks, of what is done at once, and of a segment.
        for length in [0, 1, 15, 16, 17, 255, 256, 257, 767, 768, 769, 4095, 65_536, (1 << 20) - 1, 1 << 20] {
            let bytes: Vec<u8> = (0..length).map(|at: usize| ((at * 31) >> 3) as u8).collect();
            let nonce = [length as u8; 12];
            let expected = theirs.encrypt(&nonce.into(), bytes.as_slice()).expect("is short");
            let mut text = bytes.clone();
            let tag = ours.seal(nonce, &mut text);
            let mut sealed = [text.as_slice(), &tag].concat();
            assert!(sealed == expected, "{length}");
            assert!(ours.open(nonce, &mut sealed) && sealed.starts_with(&bytes), "{length}");
            for wrong in [0, length / 2, length, length + 15] {
                let mut changed = expected.clone();
                changed[wrong] ^= 1;
                assert!(!ours.open(nonce, &mut changed), "byte {wrong} of {length}");
            }
            let expected = theirs.encrypt(&nonce.into(), Payload { msg: &[], aad: &bytes }).expect("is short");
            assert!(ours.authenticate(nonce, &bytes) == *expected, "{length}");
        }
    }
}
