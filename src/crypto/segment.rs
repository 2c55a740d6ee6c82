//! One segment of a sealed stream: AES-256-GCM with a counter nonce and a last flag (spec/part.md, "Segments").
//!
//! Stateless, so that segments can be sealed and opened in parallel; `archive::part` keeps the count.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::base::limits::TAG_BYTES;
use crate::crypto::secret::{Secret, on_wiped_stack};

/// Whether a segment is the last of its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// More segments follow.
    Inner,
    /// The part ends here.
    Last,
}

/// The segment is not what was sealed at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {index} does not authenticate")]
pub struct SegmentError {
    /// Which segment, from 0.
    pub index: u64,
}

/// Seals and opens the segments of one part. The expanded key is zeroised when dropped, and does not move, which would leave copies.
pub struct SegmentCipher(Box<Aes256Gcm>);

impl SegmentCipher {
    /// A cipher under the key of one part.
    pub fn new(key: &Secret<32>) -> SegmentCipher {
        SegmentCipher(on_wiped_stack::<4, _>(|| Box::new(Aes256Gcm::new(key.expose().into()))))
    }

    /// Encrypts the buffer in place and appends the tag.
    pub fn seal(&self, index: u64, position: Position, buffer: &mut Vec<u8>) {
        let text = buffer.as_mut_slice().into();
        let seal = || self.0.encrypt_inout_detached(&nonce(index, position).into(), &[], text);
        match on_wiped_stack::<4, _>(seal) {
            Ok(tag) => buffer.extend_from_slice(&tag),
            // GCM refuses only what is longer than 2^36 bytes; a segment has at most 2^20.
            Err(_) => unreachable!("a segment is far below the limit of SP 800-38D"),
        }
    }

    /// Decrypts a sealed segment in place; the result is the plaintext, the tag gone.
    ///
    /// # Errors
    /// The segment is too short or does not authenticate; the buffer is emptied.
    pub fn open(&self, index: u64, position: Position, buffer: &mut Vec<u8>) -> Result<(), SegmentError> {
        let opened = match buffer.split_last_chunk_mut::<TAG_BYTES>() {
            Some((text, tag)) => {
                let tag = (*tag).into();
                let open = || self.0.decrypt_inout_detached(&nonce(index, position).into(), &[], text.into(), &tag);
                on_wiped_stack::<4, _>(open).is_ok()
            }
            None => false,
        };
        // What failed to authenticate may hold plaintext: nobody gets to see it.
        buffer.truncate(if opened { buffer.len() - TAG_BYTES } else { 0 });
        if opened { Ok(()) } else { Err(SegmentError { index }) }
    }
}

/// 11-byte big-endian counter ‖ last flag.
fn nonce(index: u64, position: Position) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(position == Position::Last);
    nonce
}
