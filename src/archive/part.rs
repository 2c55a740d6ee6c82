//! Seals and opens one part (spec/part.md).

use sha2::{Digest, Sha256};

use crate::archive::{ArchiveError, damaged};
use crate::base::id::BackupId;
use crate::base::limits::HEADER_BYTES;
use crate::crypto::keys::{ArchiveKey, PartKey};
use crate::crypto::secret::{Secret, equal};
use crate::crypto::segment::{Position, SegmentCipher};
use crate::format::frame::{PADDING_BYTES_MIN, Place, fits, padded_length, padding_header};
use crate::format::header::{Header, Layout, Role, SegmentSize};
use crate::format::manifest::Part;

/// The secret that a part's key derives from.
#[derive(Clone, Copy)]
pub enum PartSecret<'a> {
    /// AK: data and index parts.
    Archive(&'a ArchiveKey),
    /// CK: catalogue parts.
    Catalogue(&'a Secret<32>),
}

impl PartSecret<'_> {
    fn key(&self, header: &Header) -> PartKey {
        match self {
            PartSecret::Archive(archive_key) => archive_key.part_key(&header.salt, &header.bound()),
            PartSecret::Catalogue(key) => PartKey::derive(key, &header.salt, &header.bound()),
        }
    }
}

/// Counts and hashes the bytes of one object, for the record in its manifest.
#[derive(Clone, Default)]
pub struct ObjectDigest {
    bytes: u64,
    sha256: Sha256,
}

impl ObjectDigest {
    /// That of a whole object.
    pub fn of(object: &[u8]) -> ObjectDigest {
        let mut digest = ObjectDigest::default();
        digest.update(object);
        digest
    }

    /// The next bytes of the object.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }
}

/// A part that was sealed to its end.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    index: u32,
    role: Role,
    commitment: [u8; 32],
}

impl Sealed {
    /// The record of the part, once all bytes of its object are known.
    pub fn record(self, object: ObjectDigest) -> Part {
        let Sealed { index, role, commitment } = self;
        Part { index, role, bytes: object.bytes, sha256: object.sha256.finalize().into(), commitment }
    }
}

/// Seals one part as its plaintext comes.
///
/// The object is the header and then the segments, which the sink gets in order. It may take a segment out of the buffer and leave another buffer
/// in its place; what is in that is of no meaning. `finish` takes the sealer: a part that is not finished has no last segment, and does not open.
pub struct PartSealer {
    header: Header,
    commitment: [u8; 32],
    cipher: SegmentCipher,
    capacity: u64,
    content: u64,
    segment: Vec<u8>,
    segments: u64,
}

impl PartSealer {
    /// Begins a part of at most `part_bytes`.
    pub fn begin(header: Header, secret: PartSecret<'_>, part_bytes: u64) -> PartSealer {
        let PartKey { key, commitment } = secret.key(&header);
        PartSealer {
            commitment,
            cipher: SegmentCipher::new(&key),
            capacity: header.segment.capacity(part_bytes),
            content: 0,
            segment: Vec::with_capacity(header.segment.sealed_bytes()),
            segments: 0,
            header,
        }
    }

    /// The header as it stands at the beginning of the object.
    pub fn header_bytes(&self) -> [u8; HEADER_BYTES] {
        self.header.encode(&self.commitment)
    }

    /// Plaintext bytes so far.
    pub fn content(&self) -> u64 {
        self.content
    }

    /// Whether a frame of `length` bytes still fits.
    pub fn fits(&self, length: usize) -> bool {
        fits(self.content + length as u64, self.capacity)
    }

    /// Appends plaintext.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn push<E>(&mut self, mut plain: &[u8], sink: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.content += plain.len() as u64;
        while !plain.is_empty() {
            // A full segment waits for the byte after it: only then is it known not to be the last.
            if self.segment.len() == self.header.segment.bytes() {
                self.seal(Position::Inner, sink)?;
            }
            let room = self.header.segment.bytes() - self.segment.len();
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.segment.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    /// Pads and ends the part.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish<E>(mut self, place: Place, sink: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<Sealed, E> {
        let padding = padded_length(self.content, self.capacity, place) - self.content;
        if padding > 0 {
            self.push(&padding_header(padding), sink)?;
            let zeros = [0; 4096];
            let mut left = padding - PADDING_BYTES_MIN;
            while left > 0 {
                let step = left.min(zeros.len() as u64);
                self.push(&zeros[..step as usize], sink)?;
                left -= step;
            }
        }
        self.seal(Position::Last, sink)?;
        Ok(Sealed { index: self.header.index, role: self.header.role, commitment: self.commitment })
    }

    fn seal<E>(&mut self, position: Position, sink: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.cipher.seal(self.segments, position, &mut self.segment);
        self.segments += 1;
        let done = sink(&mut self.segment);
        self.segment.clear();
        self.segment.reserve(self.header.segment.sealed_bytes());
        done
    }
}

/// What is known of a part before it is opened: from an authenticated manifest or catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The backup that the part is of.
    pub id: BackupId,
    /// What is recorded of it.
    pub part: &'a Part,
    /// Epoch of the vault key.
    pub epoch: u32,
    /// Fingerprint of the vault key.
    pub fingerprint: [u8; 16],
    /// The sealed archive key of its backup.
    pub sealed_key: &'a [u8; 80],
}

impl Expected<'_> {
    /// Compares a header with everything that is known of it.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn check(&self, bytes: &[u8]) -> Result<Header, ArchiveError> {
        let object = self.id.part_name(self.part.index);
        let (header, commitment) = Header::parse(bytes).map_err(ArchiveError::format(&object))?;
        let fields = [
            ("commitment", equal(&commitment, &self.part.commitment)),
            ("guid", header.id.guid == self.id.guid),
            ("timestamp", header.id.timestamp == self.id.timestamp),
            ("index", header.index == self.part.index),
            ("role", header.role == self.part.role),
            ("epoch", header.epoch == self.epoch),
            ("fingerprint", header.fingerprint == self.fingerprint),
            ("sealed key", header.sealed_key == *self.sealed_key),
        ];
        match fields.into_iter().find(|(_, agrees)| !agrees) {
            None => Ok(header),
            Some((field, _)) => Err(ArchiveError::Header { object, field }),
        }
    }
}

/// A part whose header agrees with the manifest and whose key agrees with its commitment: obtained no other way.
pub struct OpenPart {
    name: String,
    role: Role,
    segment: SegmentSize,
    layout: Layout,
    cipher: SegmentCipher,
}

impl OpenPart {
    /// Checks the header and derives the key.
    ///
    /// # Errors
    /// A field, the commitment or the size is not what it should be.
    pub fn open(header: &[u8], expected: &Expected<'_>, secret: PartSecret<'_>) -> Result<OpenPart, ArchiveError> {
        let header = expected.check(header)?;
        let name = expected.id.part_name(header.index);
        let PartKey { key, commitment } = secret.key(&header);
        if !equal(&commitment, &expected.part.commitment) {
            return Err(ArchiveError::Header { object: name, field: "key" });
        }
        let layout = header.segment.layout(expected.part.bytes).map_err(ArchiveError::format(&name))?;
        Ok(OpenPart { name, role: header.role, segment: header.segment, layout, cipher: SegmentCipher::new(&key) })
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Bytes of plaintext, padding included.
    pub fn plain_bytes(&self) -> u64 {
        self.layout.plain
    }

    /// Number of segments.
    pub fn segments(&self) -> u64 {
        self.layout.segments
    }

    /// Plaintext bytes of a full segment.
    pub fn segment_bytes(&self) -> usize {
        self.segment.bytes()
    }

    /// Where a segment stands in the object: offset and length.
    pub fn segment_range(&self, segment: u64) -> (u64, usize) {
        let sealed = self.segment.sealed_bytes() as u64;
        let offset = HEADER_BYTES as u64 + segment * sealed;
        let end = HEADER_BYTES as u64 + self.layout.plain + self.layout.segments * 16;
        (offset, (end - offset).min(sealed) as usize)
    }

    /// Opens a segment in place.
    ///
    /// # Errors
    /// It is not the segment of that place, or not whole.
    pub fn open_segment(&self, segment: u64, bytes: &mut Vec<u8>) -> Result<(), ArchiveError> {
        let position = if segment + 1 == self.layout.segments { Position::Last } else { Position::Inner };
        let whole = bytes.len() == self.segment_range(segment).1;
        let refused = || ArchiveError::Segment { object: self.name.clone(), segment };
        if !whole {
            return Err(refused());
        }
        self.cipher.open(segment, position, bytes).map_err(|_| refused())
    }
}

/// Follows the plaintext of a part after its last frame: nothing, or one frame of zeros to the end.
pub struct PaddingCheck {
    length: u64,
    seen: u64,
}

impl PaddingCheck {
    /// The padding is to have `length` bytes.
    pub fn new(length: u64) -> PaddingCheck {
        PaddingCheck { length, seen: 0 }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// They are not those of a padding frame.
    pub fn push(&mut self, object: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.length < PADDING_BYTES_MIN {
            return Err(damaged(object, "there is something after the last frame"));
        }
        let header = padding_header(self.length);
        let byte_at = |at: u64| usize::try_from(at).ok().and_then(|at| header.get(at)).copied().unwrap_or(0);
        if !(self.seen..).zip(bytes).all(|(at, byte)| *byte == byte_at(at)) {
            return Err(damaged(object, "there is something after the last frame that is not padding"));
        }
        self.seen += bytes.len() as u64;
        Ok(())
    }
}
