//! gzip (RFC 1952), member after member, in whatever pieces it comes. Every CRC and every length is checked.
//!
//! Written here around raw inflation because each way of not being whole has its own error, and `gunzip`'s habits are kept: several members
//! are one stream, and zeros after the last are passed over.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Bytes of a slab of content.
const SLAB_BYTES: usize = 256 << 10;
/// CRC and length behind each member.
const TRAILER_BYTES: usize = 8;
/// Bits of the flags byte that RFC 1952 reserves.
const RESERVED: u8 = 0xe0;

/// What is wrong with a gzip stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GzipError {
    /// It does not begin as gzip does.
    #[error("it is not gzip")]
    NotGzip,
    /// The checksum of a header does not agree.
    #[error("the header of its gzip is not what was written")]
    Header,
    /// No compressor writes that.
    #[error("its gzip cannot be inflated")]
    Deflate,
    /// The content is another one.
    #[error("its gzip does not have the CRC that was recorded")]
    Crc,
    /// The content is longer or shorter.
    #[error("its gzip does not have the length that was recorded")]
    Length,
    /// The stream ends too early.
    #[error("its gzip ends too early")]
    Cut,
    /// Something else follows.
    #[error("something follows its gzip")]
    Trailing,
}

/// Whether the first bytes of something are those of a gzip member.
pub fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, 8, flags, ..] if flags & RESERVED == 0)
}

/// Inflates one stream.
pub struct Gunzip {
    state: State,
    inflate: Decompress,
    crc: Crc,
    slab: Vec<u8>,
    filled: usize,
}

enum State {
    /// Before the first member.
    Start,
    Header(Header),
    Body,
    Trailer {
        bytes: [u8; TRAILER_BYTES],
        filled: usize,
    },
    /// After a member.
    Between,
    Zeros,
}

impl Gunzip {
    /// Before the first byte.
    pub fn new() -> Gunzip {
        Gunzip {
            state: State::Start,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            slab: vec![0; SLAB_BYTES],
            filled: 0,
        }
    }

    /// Takes the next bytes, and gives every slab of content that is full to `sink`.
    ///
    /// # Errors
    /// The stream is not what was written. What was inflated until then can still be had with [`Gunzip::take`].
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut dyn FnMut(Vec<u8>)) -> Result<(), GzipError> {
        while let [first, rest @ ..] = bytes {
            match &mut self.state {
                State::Start => self.state = State::Header(Header::new()),
                State::Between if *first == 0 => self.state = State::Zeros,
                State::Between if *first == 0x1f => self.state = State::Header(Header::new()),
                State::Between => return Err(GzipError::Trailing),
                State::Zeros if bytes.iter().all(|byte| *byte == 0) => return Ok(()),
                State::Zeros => return Err(GzipError::Trailing),
                State::Header(header) => {
                    if header.push(*first)? {
                        self.inflate.reset(false);
                        self.crc.reset();
                        self.state = State::Body;
                    }
                    bytes = rest;
                }
                State::Body => bytes = self.inflate(bytes, sink)?,
                State::Trailer { bytes: trailer, filled } => {
                    trailer[*filled] = *first;
                    *filled += 1;
                    bytes = rest;
                    if *filled == TRAILER_BYTES {
                        let trailer = *trailer;
                        self.check(trailer)?;
                        self.state = State::Between;
                    }
                }
            }
        }
        Ok(())
    }

    /// Inflates as much of a member as `bytes` hold, and returns what follows it.
    fn inflate<'b>(&mut self, mut bytes: &'b [u8], sink: &mut dyn FnMut(Vec<u8>)) -> Result<&'b [u8], GzipError> {
        loop {
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let room = &mut self.slab[self.filled..];
            let status = self.inflate.decompress(bytes, room, FlushDecompress::None);
            // Differences of what is in memory.
            let taken = (self.inflate.total_in() - taken) as usize;
            let given = (self.inflate.total_out() - given) as usize;
            self.crc.update(&self.slab[self.filled..self.filled + given]);
            self.filled += given;
            bytes = &bytes[taken..];
            let full = self.filled == SLAB_BYTES;
            if full {
                sink(std::mem::replace(&mut self.slab, vec![0; SLAB_BYTES]));
                self.filled = 0;
            }
            match status.map_err(|_| GzipError::Deflate)? {
                Status::StreamEnd => {
                    self.state = State::Trailer { bytes: [0; TRAILER_BYTES], filled: 0 };
                    return Ok(bytes);
                }
                // With room left it stopped for want of input.
                _ if bytes.is_empty() && !full => return Ok(bytes),
                _ if taken + given == 0 => return Err(GzipError::Deflate),
                _ => {}
            }
        }
    }

    /// CRC and length of a member, behind it.
    fn check(&self, trailer: [u8; TRAILER_BYTES]) -> Result<(), GzipError> {
        let [a, b, c, d, e, f, g, h] = trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return Err(GzipError::Crc);
        }
        match u32::from_le_bytes([e, f, g, h]) == self.crc.amount() {
            true => Ok(()),
            false => Err(GzipError::Length),
        }
    }

    /// What was inflated and not given yet.
    pub fn take(&mut self) -> Vec<u8> {
        let mut slab = std::mem::take(&mut self.slab);
        slab.truncate(self.filled);
        self.filled = 0;
        slab
    }

    /// The end of the stream.
    ///
    /// # Errors
    /// It is too early.
    pub fn finish(&self) -> Result<(), GzipError> {
        match self.state {
            State::Between | State::Zeros => Ok(()),
            State::Start => Err(GzipError::NotGzip),
            _ => Err(GzipError::Cut),
        }
    }
}

impl Default for Gunzip {
    fn default() -> Gunzip {
        Gunzip::new()
    }
}

/// The header of a member, byte by byte: ten of them, and what the flags in the fourth announce.
struct Header {
    field: Field,
    /// Bytes of the field that were seen.
    seen: usize,
    flags: u8,
    extra: usize,
    crc: Crc,
    recorded: [u8; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    Crc,
    End,
}

impl Header {
    fn new() -> Header {
        Header { field: Field::Fixed, seen: 0, flags: 0, extra: 0, crc: Crc::new(), recorded: [0; 2] }
    }

    /// Takes a byte; `true` after the last.
    fn push(&mut self, byte: u8) -> Result<bool, GzipError> {
        if self.field == Field::Crc {
            self.recorded[self.seen] = byte;
        } else {
            self.crc.update(&[byte]);
        }
        let wrong = match (self.field, self.seen) {
            (Field::Fixed, 0) => byte != 0x1f,
            (Field::Fixed, 1) => byte != 0x8b,
            (Field::Fixed, 2) => byte != 8,
            (Field::Fixed, 3) => byte & RESERVED != 0,
            _ => false,
        };
        if wrong {
            return Err(GzipError::NotGzip);
        }
        match (self.field, self.seen) {
            (Field::Fixed, 3) => self.flags = byte,
            (Field::ExtraLength, at) => self.extra |= usize::from(byte) << (8 * at),
            _ => {}
        }
        self.seen += 1;
        let ended = match self.field {
            Field::Fixed => self.seen == 10,
            Field::ExtraLength | Field::Crc => self.seen == 2,
            Field::Extra => self.seen == self.extra,
            Field::Name | Field::Comment => byte == 0,
            Field::End => true,
        };
        if ended {
            self.next_field()?;
        }
        Ok(self.field == Field::End)
    }

    /// Goes on to the next field that is there.
    fn next_field(&mut self) -> Result<(), GzipError> {
        let has = |bit: u8| self.flags & bit != 0;
        self.field = match self.field {
            Field::Fixed if has(4) => Field::ExtraLength,
            Field::ExtraLength if self.extra > 0 => Field::Extra,
            Field::Fixed | Field::ExtraLength | Field::Extra if has(8) => Field::Name,
            Field::Fixed | Field::ExtraLength | Field::Extra | Field::Name if has(16) => Field::Comment,
            Field::Crc if u16::from_le_bytes(self.recorded) != self.crc.sum() as u16 => return Err(GzipError::Header),
            Field::Crc | Field::End => Field::End,
            _ if has(2) => Field::Crc,
            _ => Field::End,
        };
        self.seen = 0;
        Ok(())
    }
}
