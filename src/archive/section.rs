//! Index and catalogue as sections of frames behind a directory (spec/index.md).

use crate::archive::{ArchiveError, damaged};
use crate::base::limits::{FRAME_PLAIN_MAX, MANIFEST_BYTES_MAX};
use crate::chunk::compress::{BlockCompressor, BlockDecompressor, ZstdError};
use crate::format::frame::{check_header, fits, raw_frame, raw_frame_bytes};
use crate::format::section::{self, FrameRecord, Holder, Section};
use crate::format::{FormatError, check_limit};

/// Level of the frames: they are small and read often.
pub(super) const FRAME_LEVEL: i32 = 3;

/// What a role's sections hold. Called twice: once to lay the frames out, once to write them; so nothing is held in memory.
pub trait Sections {
    /// Pushes every section, ascending.
    ///
    /// # Errors
    /// Those of the framer.
    fn push_all<E: From<SectionError>>(&self, framer: &mut Framer<'_, E>) -> Result<(), E>;
}

/// Plain bytes of a frame that fits in a part of this capacity whatever zstd makes of it.
pub(super) fn frame_plain(capacity: u64) -> usize {
    // A frame that does not shrink is a little longer than its content, and the padding needs room.
    let room = usize::try_from(capacity - capacity / 64).unwrap_or(usize::MAX).saturating_sub(64);
    room.min(FRAME_PLAIN_MAX)
}

type FrameSink<'s, E> = dyn FnMut(Section, u32, &[u8]) -> Result<(), E> + 's;

/// Gathers records into frames of at most 1 MiB and compresses them.
pub struct Framer<'s, E> {
    compressor: BlockCompressor,
    frame_plain: usize,
    open: Vec<u8>,
    section: Section,
    sink: &'s mut FrameSink<'s, E>,
}

impl<'s, E: From<SectionError>> Framer<'s, E> {
    fn new(capacity: u64, sink: &'s mut FrameSink<'s, E>) -> Result<Framer<'s, E>, E> {
        Ok(Framer {
            compressor: BlockCompressor::new(FRAME_LEVEL).map_err(SectionError::Zstd)?,
            frame_plain: frame_plain(capacity),
            open: Vec::new(),
            section: Section::Draft,
            sink,
        })
    }

    /// Appends records of `record_bytes` each to a section; sections come in ascending order.
    ///
    /// # Errors
    /// zstd gave up, or the sink did.
    pub fn push(&mut self, section: Section, records: &[u8], record_bytes: usize) -> Result<(), E> {
        if section != self.section {
            self.close_frame()?;
            self.section = section;
        }
        let mut rest = records;
        while !rest.is_empty() {
            let room = self.frame_plain.saturating_sub(self.open.len()) / record_bytes * record_bytes;
            if room == 0 {
                self.close_frame()?;
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.open.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Appends a frame that is compressed already.
    ///
    /// # Errors
    /// zstd gave up, or the sink did.
    pub fn push_frame(&mut self, section: Section, plain: u32, frame: &[u8]) -> Result<(), E> {
        self.close_frame()?;
        self.section = section;
        (self.sink)(section, plain, frame)
    }

    fn close_frame(&mut self) -> Result<(), E> {
        if !self.open.is_empty() {
            let frame = self.compressor.compress(&self.open).map_err(SectionError::Zstd)?;
            (self.sink)(self.section, self.open.len() as u32, &frame)?;
            self.open.clear();
        }
        Ok(())
    }
}

/// Takes frames: the ordinal of the part within the role, and the frame.
pub type PartSink<'s, E> = dyn FnMut(u32, &[u8]) -> Result<(), E> + 's;

/// Writes the directory and every frame: `sink` gets the ordinal of the part within the role, and the frame.
///
/// # Errors
/// zstd gave up, there are more frames than a directory holds, or the sink failed.
pub fn write<E: From<SectionError>>(
    sections: &impl Sections,
    capacity: u64,
    sink: &mut PartSink<'_, E>,
) -> Result<(), E> {
    let records = plan(sections, capacity)?;
    sink(0, &raw_frame(&section::encode(&records)))?;
    let mut records = records.into_iter();
    let mut emit = |_, _, frame: &[u8]| sink(records.next().map_or(0, |record| record.part), frame);
    let mut framer = Framer::new(capacity, &mut emit)?;
    sections.push_all(&mut framer)?;
    framer.close_frame()
}

/// Lays the frames out: compressing is deterministic, so the second pass gives the same lengths.
fn plan<E: From<SectionError>>(sections: &impl Sections, capacity: u64) -> Result<Vec<FrameRecord>, E> {
    let mut records = Vec::new();
    let mut note = |section, plain, frame: &[u8]| {
        records.push(FrameRecord { section, part: 0, stored: frame.len() as u32, plain });
        Ok(())
    };
    let mut framer = Framer::new(capacity, &mut note)?;
    sections.push_all(&mut framer)?;
    framer.close_frame()?;
    let directory = records.len() * FrameRecord::BYTES;
    let mut used = raw_frame_bytes(directory) as u64;
    if directory > FRAME_PLAIN_MAX || !fits(used, capacity) {
        return Err(SectionError::TooLarge.into());
    }
    let mut part = 0;
    for record in &mut records {
        if !fits(used + u64::from(record.stored), capacity) {
            part += 1;
            used = 0;
        }
        used += u64::from(record.stored);
        record.part = part;
    }
    Ok(records)
}

/// Why sections cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    /// zstd gave up.
    #[error(transparent)]
    Zstd(#[from] ZstdError),
    /// More frames than a directory holds.
    #[error("the directory does not fit: the part size is too small for this backup")]
    TooLarge,
}

/// Bytes of a role's plaintext: ordinal of the part within the role, offset, length.
pub type Fetch<'a, E> = dyn FnMut(u32, u64, usize) -> Result<Vec<u8>, E> + 'a;

/// Reads sections frame by frame.
pub struct SectionReader {
    /// Name of the first part, for messages.
    object: String,
    frames: Vec<(FrameRecord, u64)>,
    /// Where the content of each part ends and its padding begins.
    ends: Vec<u64>,
    decompressor: BlockDecompressor,
}

impl SectionReader {
    /// Reads the directory; `parts` are the plaintext lengths of the role's parts.
    ///
    /// # Errors
    /// The directory is not legal, or does not agree with the parts.
    pub fn open<E: From<ArchiveError>>(
        holder: Holder,
        object: &str,
        parts: &[u64],
        fetch: &mut Fetch<'_, E>,
    ) -> Result<SectionReader, E> {
        let first = parts.first().copied().unwrap_or(0);
        let head = fetch(0, 0, first.min(9) as usize)?;
        let refused = || damaged(object, "it does not begin with a directory");
        let plain = match head.as_slice() {
            [0x28, 0xb5, 0x2f, 0xfd, 0xa0, length @ ..] if length.len() == 4 => {
                length.first_chunk().map_or(0, |length| u32::from_le_bytes(*length)) as usize
            }
            _ => return Err(refused().into()),
        };
        check_limit("bytes of a directory", plain, FRAME_PLAIN_MAX).map_err(ArchiveError::format(object))?;
        let stored = raw_frame_bytes(plain);
        if plain == 0 || stored as u64 > first {
            return Err(refused().into());
        }
        let frame = fetch(0, 0, stored)?;
        let content = BlockDecompressor::new().and_then(|mut zstd| zstd.decompress(&frame, plain));
        let content = content.map_err(|_| refused())?;
        // One encoding: raw blocks of full size.
        if raw_frame(&content) != frame {
            return Err(refused().into());
        }
        let records = section::parse(holder, &content).map_err(ArchiveError::format(object))?;
        let (frames, ends) = place(object, records, stored as u64, parts)?;
        let decompressor = BlockDecompressor::new();
        let decompressor = decompressor.map_err(|source| ArchiveError::Zstd { object: object.into(), source })?;
        Ok(SectionReader { object: object.into(), frames, ends, decompressor })
    }

    /// Where the content of each part ends; what follows is padding.
    pub fn content_ends(&self) -> &[u64] {
        &self.ends
    }

    /// Calls `take` with the plain bytes of every frame of a section, in order.
    ///
    /// # Errors
    /// Those of `fetch` and `take`; a frame that does not decode to its recorded length.
    pub fn read<E: From<ArchiveError>>(
        &mut self,
        section: Section,
        fetch: &mut Fetch<'_, E>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), FormatError>,
    ) -> Result<(), E> {
        for (record, offset) in self.frames.iter().filter(|(record, _)| record.section == section) {
            let frame = fetch(record.part, *offset, record.stored as usize)?;
            let plain = record.plain as usize;
            check_header(&frame, plain).map_err(ArchiveError::format(&self.object))?;
            let content = self.decompressor.decompress(&frame, plain);
            let content = content.map_err(|source| ArchiveError::Zstd { object: self.object.clone(), source })?;
            take(&content).map_err(ArchiveError::format(&self.object))?;
        }
        Ok(())
    }

    /// A whole section.
    ///
    /// # Errors
    /// As for [`SectionReader::read`].
    pub fn read_all<E: From<ArchiveError>>(
        &mut self,
        section: Section,
        fetch: &mut Fetch<'_, E>,
    ) -> Result<Vec<u8>, E> {
        let total = self.frames.iter().filter(|(record, _)| record.section == section);
        let total: u64 = total.map(|(record, _)| u64::from(record.plain)).sum();
        if section == Section::Draft && total > MANIFEST_BYTES_MAX as u64 {
            let limit = MANIFEST_BYTES_MAX as u64;
            let source = FormatError::Limit { what: "bytes of a draft", found: total, limit };
            return Err(ArchiveError::Format { object: self.object.clone(), source }.into());
        }
        let mut all = Vec::new();
        self.read(section, fetch, &mut |content| {
            all.extend_from_slice(content);
            Ok(())
        })?;
        Ok(all)
    }
}

type Placed = (Vec<(FrameRecord, u64)>, Vec<u64>);

/// Gives every frame its offset, and checks that the parts hold them all.
fn place(object: &str, records: Vec<FrameRecord>, directory: u64, parts: &[u64]) -> Result<Placed, ArchiveError> {
    let mut ends = vec![0; parts.len()];
    if let Some(first) = ends.first_mut() {
        *first = directory;
    }
    let mut frames = Vec::with_capacity(records.len());
    for record in records {
        let part = record.part as usize;
        let (Some(end), Some(length)) = (ends.get_mut(part), parts.get(part)) else {
            return Err(damaged(object, "its directory names a part that is not there"));
        };
        frames.push((record, *end));
        *end += u64::from(record.stored);
        if *end > *length {
            return Err(damaged(object, "its directory goes beyond a part"));
        }
    }
    if ends.contains(&0) {
        return Err(damaged(object, "its directory does not use every part"));
    }
    Ok((frames, ends))
}
