//! Blocks and frames of zstd, with contexts that are reused: a new one for each block costs a third of the speed.

use zstd::bulk::{Compressor, Decompressor};
use zstd_safe::CParameter;

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

/// Compresses blocks at one level after another.
pub struct BlockCompressor {
    zstd: Compressor<'static>,
    level: i32,
}

impl BlockCompressor {
    /// A context of that level.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(level: i32) -> Result<BlockCompressor, ZstdError> {
        let zstd = Compressor::new(level).map_err(|_| ZstdError::Compress)?;
        let mut compressor = BlockCompressor { zstd, level };
        compressor.tune().map_err(|_| ZstdError::Compress)?;
        Ok(compressor)
    }

    /// The level from the next block on.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn set_level(&mut self, level: i32) -> Result<(), ZstdError> {
        if self.level != level {
            *self = BlockCompressor::new(level)?;
        }
        Ok(())
    }

    /// On dumps, short matches cost more to write down than they save. Level 2 with matches of 7 bytes, and level 3 with those of 6 and
    /// a smaller table, are as fast or faster, no larger, and decompress a tenth faster. On programs they are 3 % larger.
    fn tune(&mut self) -> std::io::Result<()> {
        match self.level {
            2 => self.zstd.set_parameter(CParameter::MinMatch(7)),
            3 => {
                self.zstd.set_parameter(CParameter::MinMatch(6))?;
                self.zstd.set_parameter(CParameter::ChainLog(15))
            }
            _ => Ok(()),
        }
    }

    /// One frame that holds `plain`. What does not shrink becomes raw blocks.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>, ZstdError> {
        let mut frame = Vec::new();
        self.compress_into(plain, &mut frame).map(|()| frame)
    }

    /// The same, in place of what is in `frame`.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn compress_into(&mut self, plain: &[u8], frame: &mut Vec<u8>) -> Result<(), ZstdError> {
        frame.clear();
        frame.reserve(zstd_safe::compress_bound(plain.len()));
        self.zstd.compress_to_buffer(plain, frame).map(|_| ()).map_err(|_| ZstdError::Compress)
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
        let mut plain = Vec::new();
        self.decompress_into(frame, length, &mut plain).map(|()| plain)
    }

    /// The same, in place of what is in `plain`.
    ///
    /// # Errors
    /// The frame does not decode to exactly that.
    pub fn decompress_into(&mut self, frame: &[u8], length: usize, plain: &mut Vec<u8>) -> Result<(), ZstdError> {
        // libzstd goes on into a second frame and over skippable ones; a record speaks of exactly one frame.
        if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(ZstdError::Decompress);
        }
        plain.clear();
        plain.reserve(length);
        self.0.decompress_to_buffer(frame, plain).map_err(|_| ZstdError::Decompress)?;
        if plain.len() == length { Ok(()) } else { Err(ZstdError::Decompress) }
    }
}
