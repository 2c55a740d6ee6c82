//! The dump map of an index: written as the dump passes, read record by record (spec/index.md, "Dump map").

use crate::archive::ArchiveError;
use crate::archive::index::Index;
use crate::archive::section::{FRAME_LEVEL, Fetch, SectionReader, frame_plain};
use crate::base::limits::{FRAMES_MAX, MAP_STORED_BYTES_MAX};
use crate::base::map::{MapEntry, MapKind};
use crate::chunk::compress::BlockCompressor;
use crate::format::manifest::Manifest;
use crate::format::map::{MapParser, encode};
use crate::format::record::{Record, Summary};
use crate::format::section::{FrameRecord, Holder, Section};

/// Gathers a dump map into frames as the dump passes, so that only what is compressed is held.
///
/// A map never ends a backup: one that grows too large ends early, and says where.
pub struct MapWriter {
    frame_plain: usize,
    frames_max: usize,
    compressor: Option<BlockCompressor>,
    open: Vec<u8>,
    frames: Vec<(u32, Vec<u8>)>,
    stored: usize,
    /// Where the last entry ends.
    end: u64,
    unnamed: u64,
    full: bool,
}

impl MapWriter {
    /// A writer of a map whose index has parts of this capacity.
    pub fn new(capacity: u64) -> MapWriter {
        // The directory of the index stands in one part; at most a quarter of it is the map's.
        let records = usize::try_from(capacity).unwrap_or(usize::MAX) / FrameRecord::BYTES;
        let compressor = BlockCompressor::new(FRAME_LEVEL).ok();
        MapWriter {
            frame_plain: frame_plain(capacity),
            frames_max: records.min(FRAMES_MAX) / 4,
            full: compressor.is_none(),
            compressor,
            open: Vec::new(),
            frames: Vec::new(),
            stored: 0,
            end: 0,
            unnamed: 0,
        }
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: &MapEntry) {
        if entry.kind == MapKind::Stop {
            return self.stop(entry);
        }
        if self.full {
            return;
        }
        let fits = encode(entry, &mut self.open);
        self.unnamed += u64::from(!fits);
        self.end = entry.end();
        while self.open.len() >= self.frame_plain {
            self.close_frame(self.frame_plain);
        }
        // Room for the last frame, which ends the map.
        self.full |= self.frames.len() + 2 >= self.frames_max || self.stored >= MAP_STORED_BYTES_MAX;
    }

    /// The frames with their plain lengths, once the map was stopped; none of a dump that has no map.
    pub fn frames(&self) -> &[(u32, Vec<u8>)] {
        &self.frames
    }

    fn stop(&mut self, stop: &MapEntry) {
        let end = if self.full { self.end } else { stop.offset };
        let rows = stop.rows.saturating_add(self.unnamed);
        encode(&MapEntry { rows, ..MapEntry::new(MapKind::Stop, b"", end, end) }, &mut self.open);
        while !self.open.is_empty() {
            self.close_frame(self.frame_plain.min(self.open.len()));
        }
    }

    fn close_frame(&mut self, plain: usize) {
        let frame = self.compressor.as_mut().and_then(|zstd| zstd.compress(&self.open[..plain]).ok());
        match frame {
            Some(frame) => {
                self.stored += frame.len();
                self.frames.push((plain as u32, frame));
                self.open.drain(..plain);
            }
            // Without zstd there is no map, and no backup either.
            None => {
                self.full = true;
                self.frames.clear();
                self.open.clear();
            }
        }
    }
}

/// Reads the map of an index: `take` gets every entry, in order. What comes back is the exact size of the dump, or `None` when there is no map.
///
/// # Errors
/// The map is not legal; those of `fetch`.
pub fn read_map<E: From<ArchiveError>>(
    manifest: &Manifest,
    parts: &[u64],
    fetch: &mut Fetch<'_, E>,
    take: &mut dyn FnMut(MapEntry),
) -> Result<Option<u64>, E> {
    let object = Index::object(manifest);
    let mut reader = SectionReader::open(Holder::Index, &object, parts, fetch)?;
    let summary = reader.read_all(Section::Summary, fetch)?;
    let summary = <Summary as Record>::parse(&summary).map_err(ArchiveError::format(&object))?;
    let mut parser = MapParser::new(summary.plain);
    let mut there = false;
    reader.read(Section::Map, fetch, &mut |content| {
        there = true;
        parser.push(content, take)
    })?;
    if there {
        parser.finish().map_err(ArchiveError::format(&object))?;
    }
    Ok(there.then_some(summary.plain))
}
