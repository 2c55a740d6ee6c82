//! Reads authenticated plaintext out of parts in the store.

use std::ops::Deref;
use std::sync::Arc;

use crate::archive::damaged;
use crate::archive::index::Index;
use crate::archive::manifest::open_key;
use crate::archive::part::{Expected, OpenPart, PartSecret};
use crate::base::id::BackupId;
use crate::base::limits::HEADER_BYTES;
use crate::crypto::keys::{ArchiveKey, VaultKeys};
use crate::format::header::Role;
use crate::format::manifest::{Manifest, Part};
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::stage::{Pool, Pooled};
use crate::pipeline::survey::Survey;

/// A part of a known size whose header and key agree with what is recorded of it.
pub struct PartReader<'a> {
    store: &'a dyn Store,
    open: OpenPart,
}

impl<'a> PartReader<'a> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// The part is missing, or not the one that is recorded.
    pub fn open(
        store: &'a dyn Store,
        expected: &Expected<'_>,
        secret: PartSecret<'_>,
    ) -> Result<PartReader<'a>, RunError> {
        let header = read_header(store, expected)?;
        let open = OpenPart::open(&header, expected, secret)?;
        Ok(PartReader { store, open })
    }

    /// Bytes of plaintext.
    pub fn plain_bytes(&self) -> u64 {
        self.open.plain_bytes()
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.open.name()
    }

    /// Calls `take` with the plaintext from `offset` to the end, segment by segment.
    ///
    /// # Errors
    /// Those of `take`; a segment that does not authenticate.
    pub fn read_from(&self, offset: u64, take: &mut dyn FnMut(&[u8]) -> Result<(), RunError>) -> Result<(), RunError> {
        let (size, mut bytes) = (self.open.segment_bytes() as u64, Vec::new());
        for segment in offset / size..self.open.segments() {
            let from = offset.saturating_sub(segment * size) as usize;
            self.segment(segment, &mut bytes)?;
            take(bytes.get(from..).unwrap_or(&[]))?;
        }
        Ok(())
    }

    /// The segments that hold a range of the plaintext.
    pub fn segments_of(&self, offset: u64, length: u64) -> std::ops::Range<u64> {
        let size = self.open.segment_bytes() as u64;
        offset / size..(offset + length).div_ceil(size)
    }

    /// Bytes of a segment in the store.
    pub fn segment_stored(&self, segment: u64) -> u64 {
        self.open.segment_range(segment).1 as u64
    }

    /// Number of segments.
    pub fn segments(&self) -> u64 {
        self.open.segments()
    }

    /// Reads one segment, and gives nothing of it away.
    ///
    /// # Errors
    /// It does not authenticate.
    pub fn check_segment(&self, segment: u64) -> Result<(), RunError> {
        self.segment(segment, &mut Vec::new())
    }

    /// Puts the plaintext of one segment in place of what is in `bytes`.
    fn segment(&self, segment: u64, bytes: &mut Vec<u8>) -> Result<(), RunError> {
        let (offset, length) = self.open.segment_range(segment);
        self.store.get_into(self.open.name(), offset, length, bytes)?;
        Ok(self.open.open_segment(segment, bytes)?)
    }
}

/// A range of the plaintext of a part.
pub enum Range {
    /// Within one segment: its plaintext, and where in it.
    Within(Arc<Pooled>, std::ops::Range<usize>),
    /// Of several segments.
    Across(Pooled),
}

impl Deref for Range {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Range::Within(segment, range) => segment.bytes.get(range.clone()).unwrap_or(&[]),
            Range::Across(copied) => &copied.bytes,
        }
    }
}

/// Reads ranges out of several parts, and keeps the segments that were opened last: the next block mostly begins in one of them.
pub struct RangeReader<'r, 'a> {
    parts: &'r [PartReader<'a>],
    /// Newest last: part, segment, plaintext.
    recent: Vec<(usize, u64, Arc<Pooled>)>,
    keep: usize,
    buffers: Arc<Pool<Vec<u8>>>,
}

impl<'r, 'a> RangeReader<'r, 'a> {
    /// A reader that keeps up to `keep` segments, each of the segment size.
    pub fn new(parts: &'r [PartReader<'a>], keep: usize) -> RangeReader<'r, 'a> {
        RangeReader { parts, recent: Vec::new(), keep: keep.max(1), buffers: Arc::default() }
    }

    /// A range of the plaintext of a part; every segment that it touches is authenticated.
    ///
    /// # Errors
    /// A segment does not authenticate, or the range goes beyond the part.
    pub fn read(&mut self, part: usize, offset: u64, length: usize) -> Result<Vec<u8>, RunError> {
        self.range(part, offset, length).map(|range| range.to_vec())
    }

    /// The same, not copied where it lies within one segment.
    ///
    /// # Errors
    /// As for `read`.
    pub fn range(&mut self, part: usize, offset: u64, length: usize) -> Result<Range, RunError> {
        let beyond = |name: &str| damaged(name, "a range goes beyond it");
        let reader = self.parts.get(part).ok_or_else(|| beyond("a part"))?;
        let end = offset.checked_add(length as u64).filter(|end| *end <= reader.plain_bytes());
        let end = end.ok_or_else(|| beyond(reader.name()))?;
        let size = reader.open.segment_bytes() as u64;
        let from = (offset % size) as usize;
        if from + length <= size as usize && length > 0 {
            return Ok(Range::Within(self.segment(part, offset / size)?, from..from + length));
        }
        let mut copied = Pooled::of(&self.buffers);
        copied.bytes.clear();
        while offset + (copied.bytes.len() as u64) < end {
            let at = offset + copied.bytes.len() as u64;
            let from = (at % size) as usize;
            let opened = self.segment(part, at / size)?;
            let to = opened.bytes.len().min(from + (end - at) as usize);
            copied.bytes.extend_from_slice(&opened.bytes[from..to]);
        }
        Ok(Range::Across(copied))
    }

    fn segment(&mut self, part: usize, segment: u64) -> Result<Arc<Pooled>, RunError> {
        let found = self.recent.iter().position(|(of, at, _)| (*of, *at) == (part, segment));
        let entry = match found {
            Some(place) => self.recent.remove(place),
            None => {
                if self.recent.len() == self.keep {
                    self.recent.remove(0);
                }
                let mut opened = Pooled::of(&self.buffers);
                self.parts[part].segment(segment, &mut opened.bytes)?;
                (part, segment, Arc::new(opened))
            }
        };
        let opened = Arc::clone(&entry.2);
        self.recent.push(entry);
        Ok(opened)
    }
}

/// Reads the header of a part and compares it with what is recorded.
///
/// # Errors
/// The part is missing, or not the one that is recorded.
pub fn read_header(store: &dyn Store, expected: &Expected<'_>) -> Result<Vec<u8>, RunError> {
    let name = expected.id.part_name(expected.part.index);
    let header = match store.get(&name, 0, HEADER_BYTES) {
        Err(StoreError::Missing { name }) => return Err(RunError::Missing { name, id: expected.id }),
        other => other?,
    };
    expected.check(&header)?;
    Ok(header)
}

/// Everything that a restore of one backup reads, present, of the recorded size, and with the right headers.
pub struct Readers<'a> {
    /// Index parts, in order.
    pub index: Vec<PartReader<'a>>,
    /// The part table: own data parts, then those of each base.
    pub data: Vec<PartReader<'a>>,
}

impl<'a> Readers<'a> {
    /// Checks every object that the restore needs, before a byte of it is read.
    ///
    /// # Errors
    /// The first object that is missing, of another size, or not the one that is recorded.
    pub fn open(
        store: &'a dyn Store,
        manifest: &Manifest,
        archive_key: &ArchiveKey,
        keys: &VaultKeys,
    ) -> Result<Readers<'a>, RunError> {
        let survey = Survey::take(store, &format!("{}-", manifest.id.guid))?;
        Readers::open_listed(store, &survey, manifest, archive_key, keys)
    }

    /// The same, by a listing of the guid that is there already.
    ///
    /// # Errors
    /// As for [`Readers::open`].
    pub fn open_listed(
        store: &'a dyn Store,
        survey: &Survey,
        manifest: &Manifest,
        archive_key: &ArchiveKey,
        keys: &VaultKeys,
    ) -> Result<Readers<'a>, RunError> {
        check_sizes(survey, manifest, |role| role != Role::Catalogue)?;
        let mut readers = Readers { index: Vec::new(), data: Vec::new() };
        for part in &manifest.parts {
            let expected = own(manifest, part);
            match part.role {
                Role::Data => readers.data.push(PartReader::open(store, &expected, PartSecret::Archive(archive_key))?),
                Role::Index => {
                    readers.index.push(PartReader::open(store, &expected, PartSecret::Archive(archive_key))?)
                }
                Role::Catalogue => {}
            }
        }
        for base in &manifest.bases {
            let base_key = open_key(&base.id, &base.sealed_key, keys)?;
            for part in base.parts.iter().filter(|part| part.role == Role::Data) {
                let expected = Expected { id: base.id, part, sealed_key: &base.sealed_key, ..own(manifest, part) };
                readers.data.push(PartReader::open(store, &expected, PartSecret::Archive(&base_key))?);
            }
        }
        Ok(readers)
    }

    /// The index of the backup.
    ///
    /// # Errors
    /// It is not legal, or not that of the manifest.
    pub fn read_index(&self, manifest: &Manifest) -> Result<Index, RunError> {
        let lengths = |parts: &[PartReader]| parts.iter().map(PartReader::plain_bytes).collect::<Vec<u64>>();
        let mut ranges = RangeReader::new(&self.index, 2);
        Index::read(manifest, &lengths(&self.index), &lengths(&self.data), &mut |part, offset, length| {
            ranges.read(part as usize, offset, length)
        })
    }
}

/// What is recorded of an own part.
pub fn own<'m>(manifest: &'m Manifest, part: &'m Part) -> Expected<'m> {
    Expected {
        id: manifest.id,
        part,
        epoch: manifest.epoch,
        fingerprint: manifest.fingerprint,
        sealed_key: &manifest.sealed_key,
    }
}

/// Compares presence and sizes with the manifest, for the roles that are asked for.
///
/// # Errors
/// The first object that is missing or of another size.
pub fn check_sizes(survey: &Survey, manifest: &Manifest, wanted: impl Fn(Role) -> bool) -> Result<(), RunError> {
    for (id, part) in manifest.objects().filter(|(_, part)| wanted(part.role)) {
        check_size(survey, &id, part).map_err(|problem| problem.into_error(manifest.id))?;
    }
    Ok(())
}

/// What is wrong with an object by the listing alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SizeProblem {
    /// It is not there.
    Missing {
        /// The object.
        name: String,
    },
    /// It has another size.
    Size {
        /// The object.
        name: String,
        /// Recorded.
        expected: u64,
        /// In the store.
        found: u64,
    },
}

impl SizeProblem {
    /// The error of a run that needs the object for `id`.
    pub fn into_error(self, id: BackupId) -> RunError {
        match self {
            SizeProblem::Missing { name } => RunError::Missing { name, id },
            SizeProblem::Size { name, expected, found } => RunError::Size { name, expected, found },
        }
    }
}

/// Compares one object with the listing.
///
/// # Errors
/// It is missing or of another size.
pub fn check_size(survey: &Survey, id: &BackupId, part: &Part) -> Result<(), SizeProblem> {
    let name = id.part_name(part.index);
    match survey.part_bytes(id, part.index) {
        None => Err(SizeProblem::Missing { name }),
        Some(found) if found != part.bytes => Err(SizeProblem::Size { name, expected: part.bytes, found }),
        Some(_) => Ok(()),
    }
}
