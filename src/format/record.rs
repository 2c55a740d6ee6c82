//! The records inside the sections of index and catalogue (spec/index.md).

use crate::base::bytes::Cursor;
use crate::base::cutter::Cutter;
use crate::base::id::ChunkId;
use crate::base::limits::{BLOCK_PLAIN_MAX, BLOCK_STORED_MAX, CHUNK_BYTES_MAX};
use crate::format::{FormatError, damaged};

/// A record of fixed size.
pub trait Record: Sized {
    /// Its bytes.
    const BYTES: usize;
    /// Appends its encoding.
    fn encode(&self, bytes: &mut Vec<u8>);
    /// Parses exactly one record.
    ///
    /// # Errors
    /// A field has no legal value.
    fn parse(bytes: &[u8]) -> Result<Self, FormatError>;
}

/// Parses a whole section of records.
///
/// # Errors
/// The section does not consist of whole, legal records.
pub fn parse_all<R: Record>(section: &[u8]) -> Result<Vec<R>, FormatError> {
    if !section.len().is_multiple_of(R::BYTES) {
        return Err(damaged("a section does not consist of whole records"));
    }
    section.chunks_exact(R::BYTES).map(R::parse).collect()
}

/// Encodes a whole section of records.
pub fn encode_all<R: Record>(records: &[R]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(records.len() * R::BYTES);
    records.iter().for_each(|record| record.encode(&mut bytes));
    bytes
}

/// Section 2: exact sizes, and the digest of the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the dump.
    pub plain: u64,
    /// Chunks of the dump, as cut.
    pub chunks: u64,
    /// Keyed BLAKE3 over every (chunk id, length).
    pub ids_digest: [u8; 32],
}

impl Record for Summary {
    const BYTES: usize = 48;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.plain.to_le_bytes());
        bytes.extend_from_slice(&self.chunks.to_le_bytes());
        bytes.extend_from_slice(&self.ids_digest);
    }

    fn parse(bytes: &[u8]) -> Result<Summary, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let plain = cursor.u64("the plain size")?;
        let chunks = cursor.u64("the number of chunks")?;
        let ids_digest = cursor.array("the digest of the ids")?;
        cursor.finish("the summary")?;
        Ok(Summary { plain, chunks, ids_digest })
    }
}

/// Section 3: a block that the recipe uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Ordinal in the part table.
    pub part: u32,
    /// Offset in the part's plaintext.
    pub offset: u32,
    /// Compressed bytes.
    pub stored: u32,
    /// Plain bytes.
    pub plain: u32,
}

impl Block {
    /// Where the next block of the part begins.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.stored)
    }
}

/// Checks the two lengths of a block.
fn check_lengths(stored: u32, plain: u32) -> Result<(), FormatError> {
    let legal =
        (1..=BLOCK_STORED_MAX).contains(&(stored as usize)) && (1..=BLOCK_PLAIN_MAX).contains(&(plain as usize));
    if legal { Ok(()) } else { Err(damaged("a block has no legal length")) }
}

impl Record for Block {
    const BYTES: usize = 20;

    fn encode(&self, bytes: &mut Vec<u8>) {
        for field in [self.part, self.offset, self.stored, self.plain, 0] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn parse(bytes: &[u8]) -> Result<Block, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let part = cursor.u32("the part of a block")?;
        let offset = cursor.u32("the offset of a block")?;
        let stored = cursor.u32("the length of a block")?;
        let plain = cursor.u32("the length of a block")?;
        let kind = cursor.u8("the kind of a block")?;
        let zero = cursor.array::<3>("a block")?;
        cursor.finish("a block")?;
        if kind != 0 {
            return Err(FormatError::Unsupported(format!("a block of kind {kind}")));
        }
        if zero != [0; 3] {
            return Err(damaged("a reserved byte of a block is not zero"));
        }
        check_lengths(stored, plain)?;
        Ok(Block { part, offset, stored, plain })
    }
}

/// Section 4: a stretch of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Ordinal in the block directory.
    pub block: u32,
    /// Offset in the block's plain bytes.
    pub offset: u32,
    /// Bytes, running on through the blocks that follow in the same part.
    pub length: u64,
}

impl Record for Extent {
    const BYTES: usize = 16;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.block.to_le_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
    }

    fn parse(bytes: &[u8]) -> Result<Extent, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let block = cursor.u32("the block of an extent")?;
        let offset = cursor.u32("the offset of an extent")?;
        let length = cursor.u64("the length of an extent")?;
        cursor.finish("an extent")?;
        if length == 0 {
            return Err(damaged("an extent is empty"));
        }
        Ok(Extent { block, offset, length })
    }
}

/// Section 5: the digest of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub [u8; 16]);

impl Record for Span {
    const BYTES: usize = 16;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0);
    }

    fn parse(bytes: &[u8]) -> Result<Span, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let span = cursor.array("a span digest")?;
        cursor.finish("a span digest")?;
        Ok(Span(span))
    }
}

/// Section 16: parameters of the chunker.
impl Record for Cutter {
    const BYTES: usize = 32;

    fn encode(&self, bytes: &mut Vec<u8>) {
        for field in [self.minimum, self.average, self.maximum, 0] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        for mask in [self.strict, self.loose] {
            bytes.extend_from_slice(&mask.to_le_bytes());
        }
    }

    fn parse(bytes: &[u8]) -> Result<Cutter, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let mut size = || cursor.u32("a parameter of the cutter");
        let (minimum, average, maximum, zero) = (size()?, size()?, size()?, size()?);
        let strict = cursor.u64("a mask of the cutter")?;
        let loose = cursor.u64("a mask of the cutter")?;
        cursor.finish("the cutter")?;
        let cutter = Cutter { minimum, average, maximum, strict, loose };
        if zero != 0 || !cutter.is_legal() {
            return Err(damaged("the cutter has no legal parameters"));
        }
        Ok(cutter)
    }
}

/// Section 17: a block of the backup's own parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBlock {
    /// Ordinal in the part table, own parts only.
    pub part: u32,
    /// Compressed bytes.
    pub stored: u32,
    /// Plain bytes.
    pub plain: u32,
    /// Number of chunks.
    pub chunks: u32,
}

impl Record for OwnBlock {
    const BYTES: usize = 16;

    fn encode(&self, bytes: &mut Vec<u8>) {
        for field in [self.part, self.stored, self.plain, self.chunks] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
    }

    fn parse(bytes: &[u8]) -> Result<OwnBlock, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let mut field = || cursor.u32("an own block");
        let (part, stored, plain, chunks) = (field()?, field()?, field()?, field()?);
        cursor.finish("an own block")?;
        check_lengths(stored, plain)?;
        if chunks == 0 {
            return Err(damaged("an own block has no chunk"));
        }
        Ok(OwnBlock { part, stored, plain, chunks })
    }
}

/// Section 18: a chunk of an own block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Keyed digest of its bytes.
    pub id: ChunkId,
    /// Its bytes.
    pub length: u32,
}

impl Record for Chunk {
    const BYTES: usize = 20;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.length.to_le_bytes());
    }

    fn parse(bytes: &[u8]) -> Result<Chunk, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let id = ChunkId(cursor.array("a chunk id")?);
        let length = cursor.u32("the length of a chunk")?;
        cursor.finish("a chunk")?;
        if !(1..=CHUNK_BYTES_MAX).contains(&(length as usize)) {
            return Err(damaged("a chunk has no legal length"));
        }
        Ok(Chunk { id, length })
    }
}

/// Section 19: how much of a part the recipe uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Plain bytes of the chunks used, each once.
    pub live: u64,
    /// Plain bytes of all its blocks.
    pub plain: u64,
}

impl Record for Usage {
    const BYTES: usize = 16;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.live.to_le_bytes());
        bytes.extend_from_slice(&self.plain.to_le_bytes());
    }

    fn parse(bytes: &[u8]) -> Result<Usage, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let (live, plain) = (cursor.u64("the usage of a part")?, cursor.u64("the size of a part")?);
        cursor.finish("a usage record")?;
        if live > plain {
            return Err(damaged("more of a part is used than it holds"));
        }
        Ok(Usage { live, plain })
    }
}
