//! Headers of zstd frames, frames of raw blocks, and padding (spec/part.md, "Frames" and "Padding").

use crate::base::limits::{BLOCK_PLAIN_MAX, WINDOW_BYTES_MAX};
use crate::base::size::padme;
use crate::format::{FormatError, damaged};

/// What a zstd frame begins with (RFC 8878, section 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a padding frame begins with: a skippable frame (RFC 8878, section 3.1.2).
pub const PADDING_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// The smallest padding: magic and length.
pub const PADDING_BYTES_MIN: u64 = 8;

const RAW_BLOCK_BYTES: usize = 1 << 17;
const RAW_HEADER_BYTES: usize = 9;

/// Checks the header of a frame that is to give `plain` bytes.
///
/// # Errors
/// `Damaged` when the header is not one that a writer of vault's makes, or promises another length.
pub fn check_header(frame: &[u8], plain: usize) -> Result<(), FormatError> {
    match read_header(frame) {
        Some(content) if content == plain as u64 => Ok(()),
        Some(_) => Err(damaged("a zstd frame promises another length than its record")),
        None => Err(damaged("a zstd frame does not have the header that it should")),
    }
}

/// The content size, when the header is legal.
fn read_header(frame: &[u8]) -> Option<u64> {
    let rest = frame.strip_prefix(&MAGIC)?;
    let (descriptor, mut rest) = rest.split_first()?;
    // Bits 0 to 4: dictionary id, checksum, reserved, unused.
    if descriptor & 0b1_1111 != 0 {
        return None;
    }
    let single_segment = descriptor & 0b10_0000 != 0;
    if !single_segment {
        let (window, after) = rest.split_first()?;
        let base = 1_u64.checked_shl(10 + u32::from(window >> 3))?;
        if base + base / 8 * u64::from(window & 7) > WINDOW_BYTES_MAX as u64 {
            return None;
        }
        rest = after;
    }
    let content = match (descriptor >> 6, single_segment) {
        (0, true) => u64::from(*rest.first()?),
        (0, false) => return None,
        (1, _) => u64::from(u16::from_le_bytes(*rest.first_chunk()?)) + 256,
        (2, _) => u64::from(u32::from_le_bytes(*rest.first_chunk()?)),
        _ => u64::from_le_bytes(*rest.first_chunk()?),
    };
    (1..=BLOCK_PLAIN_MAX as u64).contains(&content).then_some(content)
}

/// Bytes of the frame of raw blocks that holds `plain` bytes.
pub const fn raw_frame_bytes(plain: usize) -> usize {
    RAW_HEADER_BYTES + plain + 3 * plain.div_ceil(RAW_BLOCK_BYTES)
}

/// A frame on its way into a part.
#[derive(Clone, Copy)]
pub enum Frame<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// The plain bytes, 1 byte to 2 MiB, of a frame of raw blocks: its length is known before it is written, and it need not be put together.
    Raw(&'a [u8]),
}

impl Frame<'_> {
    /// Bytes of the frame.
    pub fn length(&self) -> usize {
        match self {
            Frame::Whole(bytes) => bytes.len(),
            Frame::Raw(plain) => raw_frame_bytes(plain.len()),
        }
    }

    /// Gives its bytes to `sink`, piece by piece.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn write<E>(&self, sink: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let plain = match self {
            Frame::Whole(bytes) => return sink(bytes),
            Frame::Raw(plain) => plain,
        };
        sink(&MAGIC)?;
        // A content size of four bytes, one segment.
        sink(&[0b1010_0000])?;
        sink(&word(plain.len()))?;
        let blocks = plain.len().div_ceil(RAW_BLOCK_BYTES);
        for (at, block) in plain.chunks(RAW_BLOCK_BYTES).enumerate() {
            let last = usize::from(at + 1 == blocks);
            sink(&word(last | block.len() << 3)[..3])?;
            sink(block)?;
        }
        Ok(())
    }
}

/// A frame of raw blocks, put together; `plain` has 1 byte to 2 MiB.
pub fn raw_frame(plain: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(raw_frame_bytes(plain.len()));
    let Ok(()) = Frame::Raw(plain).write(&mut |bytes| {
        frame.extend_from_slice(bytes);
        Ok::<(), std::convert::Infallible>(())
    });
    frame
}

/// The low 32 bits; every length here is below 2^22.
fn word(value: usize) -> [u8; 4] {
    (value as u32).to_le_bytes()
}

/// Whether more parts of its role follow a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// More parts of the role follow.
    Inner,
    /// The last part of its role.
    Last,
}

/// Whether `content` bytes can stand in a part of that capacity, padded.
pub const fn fits(content: u64, capacity: u64) -> bool {
    content == capacity || content + PADDING_BYTES_MIN <= capacity
}

/// The plaintext length to which a part is padded; `fits(content, capacity)` holds.
pub const fn padded_length(content: u64, capacity: u64, place: Place) -> u64 {
    if matches!(place, Place::Inner) {
        return capacity;
    }
    let mut padded = padme(content);
    if padded != content && padded - content < PADDING_BYTES_MIN {
        padded = padme(content + PADDING_BYTES_MIN);
    }
    if padded > capacity { capacity } else { padded }
}

/// The first bytes of a padding frame of `length` bytes, 8 at least; zeros follow.
pub fn padding_header(length: u64) -> [u8; 8] {
    let mut header = [0; 8];
    header[..4].copy_from_slice(&PADDING_MAGIC);
    header[4..].copy_from_slice(&((length - PADDING_BYTES_MIN) as u32).to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_frames_are_zstd_frames_of_a_known_length() {
        for length in [1, 255, 256, RAW_BLOCK_BYTES, RAW_BLOCK_BYTES + 1, 3 * RAW_BLOCK_BYTES, BLOCK_PLAIN_MAX] {
            let plain: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
            let frame = raw_frame(&plain);
            assert_eq!(frame.len(), raw_frame_bytes(length));
            assert_eq!(check_header(&frame, length), Ok(()));
            assert_eq!(zstd::bulk::decompress(&frame, length).ok(), Some(plain));
        }
    }

    #[test]
    fn padding_is_none_or_at_least_eight_bytes() {
        let capacity = 16_384;
        for content in 1..=capacity {
            if !fits(content, capacity) {
                continue;
            }
            let padded = padded_length(content, capacity, Place::Last);
            assert!(padded == content || padded >= content + PADDING_BYTES_MIN, "{content} to {padded}");
            assert!(padded <= capacity);
        }
        assert_eq!(padded_length(1000, capacity, Place::Last), 1024);
        assert_eq!(padded_length(1023, capacity, Place::Last), 1088);
        assert_eq!(padded_length(1024, capacity, Place::Last), 1024);
        assert_eq!(padded_length(1, capacity, Place::Inner), capacity);
    }

    #[test]
    fn refuses_headers_that_libzstd_would_take() {
        let frame = raw_frame(b"some plain bytes");
        for descriptor in [0b1010_0001, 0b1010_0100, 0b1010_1000, 0b1011_0000, 0b0000_0000, 0b1000_0000] {
            let mut wrong = frame.clone();
            wrong[4] = descriptor;
            assert!(check_header(&wrong, 16).is_err(), "{descriptor:#b}");
        }
        assert!(check_header(&frame, 17).is_err());
    }
}
