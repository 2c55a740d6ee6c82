//! One segment of a sealed stream: AES-256-GCM with a counter nonce and a last flag (spec/part.md, "Segments").
//!
//! Stateless, so that segments can be sealed and opened in parallel; `archive::part` keeps the count.

use crate::base::limits::TAG_BYTES;
use crate::crypto::gcm::Gcm;
use crate::crypto::secret::Secret;

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

/// Seals and opens the segments of one part.
pub struct SegmentCipher(Gcm);

impl SegmentCipher {
    /// A cipher under the key of one part.
    pub fn new(key: &Secret<32>) -> SegmentCipher {
        SegmentCipher(Gcm::new(key))
    }

    /// Encrypts the buffer in place and appends the tag.
    pub fn seal(&self, index: u64, position: Position, buffer: &mut Vec<u8>) {
        let tag = self.0.seal(nonce(index, position), buffer);
        buffer.extend_from_slice(&tag);
    }

    /// Decrypts a sealed segment in place; the result is the plaintext, the tag gone.
    ///
    /// # Errors
    /// The segment is too short or does not authenticate; the buffer is emptied.
    pub fn open(&self, index: u64, position: Position, buffer: &mut Vec<u8>) -> Result<(), SegmentError> {
        let opened = self.0.open(nonce(index, position), buffer);
        // What failed to authenticate may hold plaintext: nobody gets to see it.
        buffer.truncate(if opened { buffer.len().saturating_sub(TAG_BYTES) } else { 0 });
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
