//! Blocks and frames of zstd, with contexts that are reused: a new one for each block costs a third of the speed.

use zstd::bulk::{Compressor, Decompressor};

/// zstd gave up: out of memory, or bytes that are not a frame of the promised length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZstdError {
    /// The compressor failed.
    #[error("zstd cannot compress")]
    Compress,
    /// The frame does not decode to the promised length.
    #[error("a zstd frame does not decode to its recorded length")]
    Decompress,
}

/// Compression levels that the writer takes.
pub const LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// Compresses blocks at one level.
pub struct BlockCompressor(Compressor<'static>);

impl BlockCompressor {
    /// A context of that level.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(level: i32) -> Result<BlockCompressor, ZstdError> {
        Compressor::new(level).map(BlockCompressor).map_err(|_| ZstdError::Compress)
    }

    /// One frame that holds `plain`. What does not shrink becomes raw blocks.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, ZstdError> {
        self.0.compress(plain).map_err(|_| ZstdError::Compress)
    }
}

/// Decompresses frames whose plain length is known from elsewhere.
pub struct BlockDecompressor(Decompressor<'static>);

impl BlockDecompressor {
    /// A context.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> Result<BlockDecompressor, ZstdError> {
        Decompressor::new().map(BlockDecompressor).map_err(|_| ZstdError::Decompress)
    }

    /// The plain bytes of `frame`, `length` of them; the caller has checked that length against a limit.
    ///
    /// # Errors
    /// The frame does not decode to exactly that.
    pub fn decompress(&mut self, frame: &[u8], length: usize) -> Result<Vec<u8>, ZstdError> {
        // libzstd goes on into a second frame and over skippable ones; a record speaks of exactly one frame.
        if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(ZstdError::Decompress);
        }
        let plain = self.0.decompress(frame, length).map_err(|_| ZstdError::Decompress)?;
        if plain.len() == length { Ok(plain) } else { Err(ZstdError::Decompress) }
    }
}
