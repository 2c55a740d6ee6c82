//! The directory of an index or a catalogue: which frame stands where (spec/index.md).

use crate::base::bytes::Cursor;
use crate::base::cutter::Cutter;
use crate::base::limits::{BLOCK_STORED_MAX, FRAME_PLAIN_MAX, FRAMES_MAX};
use crate::format::record::{Block, Chunk, Extent, OwnBlock, Record, Span, Summary, Usage};
use crate::format::{FormatError, check_limit, damaged};

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The manifest as it stood.
    Draft = 1,
    /// Exact sizes, and the digest of the ids.
    Summary = 2,
    /// Every block that the recipe uses.
    Blocks = 3,
    /// The extents that make up the dump.
    Recipe = 4,
    /// The digest of every span.
    Spans = 5,
    /// Where the objects of a recognised dump stand.
    Map = 6,
    /// Parameters of the chunker.
    Cutter = 16,
    /// Blocks of the backup's own parts.
    OwnBlocks = 17,
    /// Their chunks.
    Chunks = 18,
    /// How much of each part the recipe uses.
    Usage = 19,
}

impl Section {
    /// Every section.
    pub const ALL: [Section; 10] = [
        Section::Draft,
        Section::Summary,
        Section::Blocks,
        Section::Recipe,
        Section::Spans,
        Section::Map,
        Section::Cutter,
        Section::OwnBlocks,
        Section::Chunks,
        Section::Usage,
    ];

    /// Whether a catalogue holds it, and whether an index does.
    pub const fn stands_in(self, holder: Holder) -> bool {
        match holder {
            Holder::Index => (self as u32) < Section::Cutter as u32,
            Holder::Catalogue => matches!(self, Section::Draft) || self as u32 >= Section::Cutter as u32,
        }
    }

    /// Bytes of a record, none of which stands in two frames. The text of a draft and the records of a map are cut anywhere.
    const fn record_bytes(self) -> usize {
        match self {
            Section::Draft | Section::Map => 1,
            Section::Summary => Summary::BYTES,
            Section::Blocks => Block::BYTES,
            Section::Recipe => Extent::BYTES,
            Section::Spans => Span::BYTES,
            Section::Cutter => <Cutter as Record>::BYTES,
            Section::OwnBlocks => OwnBlock::BYTES,
            Section::Chunks => Chunk::BYTES,
            Section::Usage => Usage::BYTES,
        }
    }

    fn from_number(number: u32) -> Option<Section> {
        Section::ALL.into_iter().find(|section| *section as u32 == number)
    }
}

/// What consists of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An index.
    Index,
    /// A catalogue.
    Catalogue,
}

/// One frame of an index or a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRecord {
    /// The section it belongs to.
    pub section: Section,
    /// Ordinal of its part within the role.
    pub part: u32,
    /// Compressed bytes.
    pub stored: u32,
    /// Plain bytes.
    pub plain: u32,
}

impl FrameRecord {
    /// Bytes of a record.
    pub const BYTES: usize = 16;
}

/// The content of a directory.
pub fn encode(frames: &[FrameRecord]) -> Vec<u8> {
    let fields = |frame: &FrameRecord| [frame.section as u32, frame.part, frame.stored, frame.plain];
    frames.iter().flat_map(fields).flat_map(u32::to_le_bytes).collect()
}

/// Parses the content of a directory: sections and parts ascend, no frame is empty.
///
/// # Errors
/// `Unsupported` for an unknown section; `Limit`; `Damaged`.
pub fn parse(holder: Holder, content: &[u8]) -> Result<Vec<FrameRecord>, FormatError> {
    let (records, []) = content.as_chunks::<{ FrameRecord::BYTES }>() else {
        return Err(damaged("a directory does not consist of whole records"));
    };
    check_limit("frames of a directory", records.len(), FRAMES_MAX)?;
    let mut frames: Vec<FrameRecord> = Vec::with_capacity(records.len());
    for record in records {
        let frame = parse_record(holder, record)?;
        let (section, part) = frames.last().map_or((frame.section, 0), |last| (last.section, last.part));
        let next_part = frame.part == part || part.checked_add(1) == Some(frame.part);
        if frame.section < section || !next_part {
            return Err(damaged("a directory is out of order"));
        }
        frames.push(frame);
    }
    if frames.is_empty() {
        return Err(damaged("a directory is empty"));
    }
    Ok(frames)
}

fn parse_record(holder: Holder, record: &[u8; FrameRecord::BYTES]) -> Result<FrameRecord, FormatError> {
    let mut cursor = Cursor::new(record);
    let number = cursor.u32("a section")?;
    let section = Section::from_number(number).filter(|section| section.stands_in(holder));
    let section = section.ok_or_else(|| FormatError::Unsupported(format!("a section of type {number}")))?;
    let (part, stored, plain) = (cursor.u32("a part")?, cursor.u32("a length")?, cursor.u32("a length")?);
    if !(plain as usize).is_multiple_of(section.record_bytes()) {
        return Err(damaged("a record stands in two frames"));
    }
    let legal =
        (1..=BLOCK_STORED_MAX).contains(&(stored as usize)) && (1..=FRAME_PLAIN_MAX).contains(&(plain as usize));
    if !legal {
        return Err(damaged("a frame of a directory has no legal length"));
    }
    Ok(FrameRecord { section, part, stored, plain })
}
