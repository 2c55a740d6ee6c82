//! What is inside a dump, from its index alone.

use crate::archive::manifest::OpenManifest;
use crate::archive::map::read_map;
use crate::archive::part::PartSecret;
use crate::base::map::MapEntry;
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, RangeReader, own};
use crate::pipeline::port::{Control, Store};

/// Opened segments that are kept: a map that fits in them is fetched once, however often it is read.
const SEGMENTS_KEPT: usize = 4;

/// The dump map of a backup.
pub struct Contents<'a> {
    manifest: &'a Manifest,
    parts: Vec<PartReader<'a>>,
    control: Option<&'a dyn Control>,
}

impl<'a> Contents<'a> {
    /// Opens the index parts of a backup.
    ///
    /// # Errors
    /// One is missing, or not the one that is recorded.
    pub fn open(store: &'a dyn Store, open: &'a OpenManifest) -> Result<Contents<'a>, RunError> {
        let OpenManifest { manifest, archive_key } = open;
        let index = manifest.parts.iter().filter(|part| part.role == Role::Index);
        let parts = index.map(|part| PartReader::open(store, &own(manifest, part), PartSecret::Archive(archive_key)));
        Ok(Contents { manifest, parts: parts.collect::<Result<_, _>>()?, control: None })
    }

    /// The same, whose reading ends when someone wants the run to stop: of a million tables it takes seconds.
    pub fn stopped_by(self, control: &'a dyn Control) -> Contents<'a> {
        Contents { control: Some(control), ..self }
    }

    /// Begins to read; what was fetched last is kept until the reader goes.
    pub fn reader(&self) -> ContentsReader<'_, 'a> {
        ContentsReader { contents: self, ranges: RangeReader::new(&self.parts, SEGMENTS_KEPT) }
    }

    /// The manifest.
    pub fn manifest(&self) -> &'a Manifest {
        self.manifest
    }
}

/// Reads a map, as often as it takes. Nothing of it is held but one frame.
pub struct ContentsReader<'c, 'a> {
    contents: &'c Contents<'a>,
    ranges: RangeReader<'c, 'a>,
}

impl ContentsReader<'_, '_> {
    /// That the dump's objects are in no map.
    pub fn no_map(&self) -> RunError {
        let manifest = self.contents.manifest;
        RunError::NoMap { id: manifest.id, kind: manifest.kind.clone() }
    }

    /// Calls `take` with every entry, in order. What comes back is the exact size of the dump.
    ///
    /// # Errors
    /// There is no map, it is not what it should be, or the run is stopped.
    pub fn each(&mut self, take: &mut dyn FnMut(MapEntry)) -> Result<u64, RunError> {
        let manifest = self.contents.manifest;
        let lengths: Vec<u64> = self.contents.parts.iter().map(PartReader::plain_bytes).collect();
        let ranges = &mut self.ranges;
        let stop = || self.contents.control.and_then(Control::stop);
        let mut fetch = |part: u32, offset, length| match stop() {
            Some(stop) => Err(RunError::Stopped(stop)),
            None => ranges.read(part as usize, offset, length),
        };
        read_map::<RunError>(manifest, &lengths, &mut fetch, take)?.ok_or_else(|| self.no_map())
    }
}
