//! The header of a part: 256 bytes (spec/part.md, "Header").

use crate::base::bytes::Cursor;
use crate::base::id::{BackupId, Guid};
use crate::base::limits::{HEADER_BYTES, PART_BYTES_MAX, SEGMENT_LOG2_MAX, SEGMENT_LOG2_MIN, TAG_BYTES};
use crate::format::{FormatError, damaged};

/// What every part begins with. The high byte and the line ends catch a transfer in text mode.
pub const MAGIC: [u8; 8] = *b"\x89VLT\r\n\x1a\n";
/// The version that this program writes and reads.
pub const VERSION: u8 = 1;
/// What stands before the commitment, and is bound into the key.
pub const BOUND_BYTES: usize = 224;

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Blocks of the dump.
    Data,
    /// What later backups need to deduplicate.
    Catalogue,
    /// What a restore needs beside the data.
    Index,
}

impl Role {
    /// The word in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Data => "data",
            Role::Catalogue => "catalogue",
            Role::Index => "index",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        [Role::Data, Role::Catalogue, Role::Index].into_iter().find(|role| role.name() == name)
    }
}

/// A segment size: a power of two from 4 KiB to 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSize(u8);

impl SegmentSize {
    /// 1 MiB, the writer's default.
    pub const DEFAULT: SegmentSize = SegmentSize(SEGMENT_LOG2_MAX);

    /// The segment size of 2^`log2` bytes, when it is a legal one.
    pub fn from_log2(log2: u8) -> Option<SegmentSize> {
        (SEGMENT_LOG2_MIN..=SEGMENT_LOG2_MAX).contains(&log2).then_some(SegmentSize(log2))
    }

    /// The writer's choice for parts of at most `part_bytes`.
    pub fn for_part_bytes(part_bytes: u64) -> SegmentSize {
        let log2 = (part_bytes / 16).checked_ilog2().unwrap_or(0);
        SegmentSize(u8::try_from(log2).unwrap_or(SEGMENT_LOG2_MAX).clamp(SEGMENT_LOG2_MIN, SEGMENT_LOG2_MAX))
    }

    /// Plaintext bytes of a full segment.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }

    /// Bytes of a full segment as it is stored.
    pub const fn sealed_bytes(self) -> usize {
        self.bytes() + TAG_BYTES
    }

    /// F: the largest plaintext that fits under a part size.
    pub const fn capacity(self, part_bytes: u64) -> u64 {
        let segments = part_bytes.saturating_sub(HEADER_BYTES as u64) / self.sealed_bytes() as u64;
        segments * self.bytes() as u64
    }

    /// Bytes of the object whose plaintext has that length.
    pub const fn object_bytes(self, plain: u64) -> u64 {
        HEADER_BYTES as u64 + plain + plain.div_ceil(self.bytes() as u64) * TAG_BYTES as u64
    }

    /// Number of segments and plaintext length of an object of that size.
    ///
    /// # Errors
    /// No part has that size.
    pub fn layout(self, object_bytes: u64) -> Result<Layout, FormatError> {
        let sealed = self.sealed_bytes() as u64;
        let body = object_bytes.checked_sub(HEADER_BYTES as u64).filter(|body| *body > TAG_BYTES as u64);
        let body = body.ok_or_else(|| damaged(format!("a part of {object_bytes} bytes is cut short")))?;
        let segments = body.div_ceil(sealed);
        let last = body - (segments - 1) * sealed;
        if last <= TAG_BYTES as u64 || object_bytes > PART_BYTES_MAX {
            return Err(damaged(format!("no part has {object_bytes} bytes")));
        }
        Ok(Layout { segments, plain: body - segments * TAG_BYTES as u64 })
    }
}

/// How a sealed stream of a known size is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number of segments, at least 1.
    pub segments: u64,
    /// Bytes of plaintext, at least 1.
    pub plain: u64,
}

/// The fields of a part header; the commitment is derived from all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the part holds.
    pub role: Role,
    /// Bytes of a segment.
    pub segment: SegmentSize,
    /// Place of the part among the parts of its backup.
    pub index: u32,
    /// The backup.
    pub id: BackupId,
    /// Epoch of the vault key.
    pub epoch: u32,
    /// Fingerprint of the vault key.
    pub fingerprint: [u8; 16],
    /// Fresh for everything that is sealed.
    pub salt: [u8; 24],
    /// The sealed archive key.
    pub sealed_key: [u8; 80],
}

impl Header {
    /// The bytes before the commitment.
    pub fn bound(&self) -> [u8; BOUND_BYTES] {
        let role = match self.role {
            Role::Data => 0,
            Role::Catalogue => 1,
            Role::Index => 2,
        };
        let fields: [&[u8]; 12] = [
            &MAGIC,
            &[VERSION, role, self.segment.0, 0],
            &self.index.to_le_bytes(),
            &self.id.guid.0,
            &self.id.timestamp.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &[0; 4],
            &self.fingerprint,
            &self.salt,
            &self.sealed_key,
            &[0; 32],
            &[0; 24],
        ];
        let mut bytes = [0; BOUND_BYTES];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        bytes
    }

    /// The whole header.
    pub fn encode(&self, commitment: &[u8; 32]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..BOUND_BYTES].copy_from_slice(&self.bound());
        bytes[BOUND_BYTES..].copy_from_slice(commitment);
        bytes
    }

    /// Parses a header and the commitment that ends it.
    ///
    /// # Errors
    /// `Unsupported` for another version or role; `Damaged` for everything else that is not legal.
    pub fn parse(bytes: &[u8]) -> Result<(Header, [u8; 32]), FormatError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array("the part header")? != MAGIC {
            return Err(damaged("a part does not begin with vault's magic"));
        }
        let version = cursor.u8("the part version")?;
        if version != VERSION {
            return Err(FormatError::Unsupported(format!("a part of format version {version}")));
        }
        let role = match cursor.u8("the part role")? {
            0 => Role::Data,
            1 => Role::Catalogue,
            2 => Role::Index,
            other => return Err(FormatError::Unsupported(format!("a part of role {other}"))),
        };
        let segment = SegmentSize::from_log2(cursor.u8("the segment size")?);
        let segment = segment.ok_or_else(|| damaged("a part header has no legal segment size"))?;
        zero(cursor.array::<1>("the part header")?)?;
        let index = cursor.u32("the part index")?;
        let guid = Guid(cursor.array("the guid")?);
        let id = BackupId::new(guid, cursor.u64("the timestamp")?).map_err(|error| damaged(error.to_string()))?;
        let epoch = cursor.u32("the epoch")?;
        zero(cursor.array::<4>("the part header")?)?;
        let fingerprint = cursor.array("the fingerprint")?;
        let salt = cursor.array("the salt")?;
        let sealed_key = cursor.array("the sealed key")?;
        zero(cursor.array::<56>("the part header")?)?;
        let commitment = cursor.array("the commitment")?;
        cursor.finish("the part header")?;
        Ok((Header { role, segment, index, id, epoch, fingerprint, salt, sealed_key }, commitment))
    }
}

fn zero<const N: usize>(bytes: [u8; N]) -> Result<(), FormatError> {
    if bytes == [0; N] { Ok(()) } else { Err(damaged("a reserved byte of a part header is not zero")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_the_specification() {
        let gib = PART_BYTES_MAX;
        assert_eq!(SegmentSize::DEFAULT.capacity(gib), 1_072_693_248);
        assert_eq!(SegmentSize::DEFAULT.object_bytes(1_072_693_248), 1_072_709_872);
        assert_eq!(SegmentSize::DEFAULT.object_bytes(1024), 1296);
        assert_eq!(SegmentSize::DEFAULT.object_bytes(1088), 1360);
        let small = SegmentSize::for_part_bytes(16_704);
        assert_eq!((small.bytes(), small.capacity(16_704), small.object_bytes(16_384)), (4096, 16_384, 16_704));
        assert_eq!(small.object_bytes(5120), 5408);
    }

    #[test]
    fn layout_is_the_inverse_of_object_bytes() {
        let segment = SegmentSize::for_part_bytes(0);
        for plain in 1..20_000 {
            let layout = segment.layout(segment.object_bytes(plain)).expect("a legal size");
            assert_eq!(layout, Layout { segments: plain.div_ceil(4096), plain });
        }
        for cut in [0, 255, 256, 272, 256 + 4112 + 1, 256 + 4112 + 16] {
            assert!(segment.layout(cut).is_err(), "{cut}");
        }
    }
}
