//! Indexes and catalogues with arbitrary content, sealed with the right keys: what reaches the parsers behind the encryption.
//!
//! Whoever holds a key could write such objects, and so could a mistake in the writer.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::archive::manifest::{OpenManifest, seal};
use crate::archive::part::{ObjectDigest, PartSealer, PartSecret};
use crate::archive::section::SectionReader;
use crate::base::id::BackupId;
use crate::base::limits::{FRAME_PLAIN_MAX, PART_BYTES_MAX};
use crate::format::frame::{Place, raw_frame, raw_frame_bytes};
use crate::format::header::{Header, Role, SegmentSize};
use crate::format::manifest::{Manifest, Part};
use crate::format::section::{FrameRecord, Holder, Section, encode};
use crate::fuzzing::edits::edit;
use crate::fuzzing::fixture::{Backup, Fixture};
use crate::fuzzing::input::Input;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, RangeReader, own};

/// The sections of a role, and its directory: what is edited before it is sealed again.
#[derive(Clone)]
pub(super) struct Content {
    /// By section, ascending; plain bytes.
    pub sections: Vec<(Section, Vec<u8>)>,
}

impl Content {
    /// Reads what a backup of the fixture holds.
    pub(super) fn of(fixture: &Fixture, backup: &Backup, role: Role) -> Content {
        match Content::read(fixture, backup, role) {
            Ok(content) => content,
            Err(error) => panic!("the fixture is whole: {error}"),
        }
    }

    fn read(fixture: &Fixture, backup: &Backup, role: Role) -> Result<Content, RunError> {
        let (store, open) = (fixture.store(), backup.open(fixture));
        let holder = match role {
            Role::Catalogue => Holder::Catalogue,
            Role::Data | Role::Index => Holder::Index,
        };
        let secret = secret(fixture, &open, role);
        let parts = open.manifest.parts.iter().filter(|part| part.role == role);
        let readers = parts.map(|part| PartReader::open(&store, &own(&open.manifest, part), secret));
        let readers: Vec<PartReader<'_>> = readers.collect::<Result<_, _>>()?;
        let lengths: Vec<u64> = readers.iter().map(PartReader::plain_bytes).collect();
        let mut ranges = RangeReader::new(&readers, 4);
        let mut fetch = |part: u32, offset: u64, length: usize| ranges.read(part as usize, offset, length);
        let mut reader = SectionReader::open::<RunError>(holder, "the fixture", &lengths, &mut fetch)?;
        let mut sections = Vec::new();
        for section in Section::ALL {
            let plain = reader.read_all::<RunError>(section, &mut fetch)?;
            if !plain.is_empty() {
                sections.push((section, plain));
            }
        }
        Ok(Content { sections })
    }

    /// A section, to look at or replace.
    pub(super) fn section(&mut self, wanted: Section) -> Option<&mut Vec<u8>> {
        let found = self.sections.iter_mut().find(|(section, _)| *section == wanted);
        found.map(|(_, plain)| plain)
    }

    /// Changes sections and then the directory above them as the input says; gives the plaintext of the role.
    ///
    /// The first byte says how: with an even one the directory stays right.
    pub(super) fn edited(&self, input: &mut Input<'_>) -> Vec<u8> {
        let mut content = self.clone();
        let spoil = input.u8() % 2 == 1;
        let edits = usize::from(input.u8());
        let mut of_directory = Input::new(if spoil { input.take(edits) } else { &[] });
        let mut pieces: Vec<(usize, &mut Vec<u8>)> =
            content.sections.iter_mut().map(|(section, plain)| (record_bytes(*section), plain)).collect();
        edit(input, &mut pieces);
        content.plaintext(&mut of_directory)
    }

    /// Directory and frames, of raw blocks.
    pub(super) fn plaintext(&self, of_directory: &mut Input<'_>) -> Vec<u8> {
        let frames: Vec<(Section, &[u8])> = self
            .sections
            .iter()
            .flat_map(|(section, plain)| plain.chunks(FRAME_PLAIN_MAX).map(|frame| (*section, frame)))
            .collect();
        let records: Vec<FrameRecord> = frames
            .iter()
            .map(|(section, plain)| FrameRecord {
                section: *section,
                part: 0,
                stored: u32::try_from(raw_frame_bytes(plain.len())).unwrap_or(u32::MAX),
                plain: u32::try_from(plain.len()).unwrap_or(u32::MAX),
            })
            .collect();
        let mut directory = encode(&records);
        edit(of_directory, &mut [(FrameRecord::BYTES, &mut directory)]);
        directory.truncate(FRAME_PLAIN_MAX);
        let mut bytes = raw_frame(&directory);
        frames.iter().for_each(|(_, plain)| bytes.extend(raw_frame(plain)));
        bytes
    }
}

/// Bytes of the records of a section: what edits move about whole.
fn record_bytes(section: Section) -> usize {
    match section {
        Section::Draft | Section::Map => 1,
        Section::Summary => 8,
        Section::Cutter => 32,
        Section::Blocks | Section::Chunks => 20,
        Section::Recipe | Section::Spans | Section::OwnBlocks | Section::Usage => 16,
    }
}

fn secret<'a>(fixture: &'a Fixture, open: &'a OpenManifest, role: Role) -> PartSecret<'a> {
    match role {
        Role::Catalogue => PartSecret::Catalogue(&fixture.ring.newest().pack.catalogue),
        Role::Data | Role::Index => PartSecret::Archive(&open.archive_key),
    }
}

/// Puts one part with that plaintext in the place of a role's parts, and numbers those behind it anew in the manifest.
///
/// The manifest is not written: [`commit`] does, once every role is what it should be.
pub(super) fn replace(
    fixture: &Fixture,
    open: &mut OpenManifest,
    role: Role,
    plain: &[u8],
    objects: &mut BTreeMap<String, Vec<u8>>,
) {
    let id = open.manifest.id;
    let (before, rest): (Vec<Part>, Vec<Part>) = open.manifest.parts.drain(..).partition(|part| part.role < role);
    let index = before.len() as u32;
    let (gone, behind): (Vec<Part>, Vec<Part>) = rest.into_iter().partition(|part| part.role == role);
    for part in gone.iter().chain(&behind) {
        objects.remove(&id.part_name(part.index));
    }
    let header = Header {
        role,
        segment: SegmentSize::for_part_bytes(0),
        index,
        id,
        epoch: open.manifest.epoch,
        fingerprint: open.manifest.fingerprint,
        salt: [0x77; 24],
        sealed_key: open.manifest.sealed_key,
    };
    let mut pieces = std::iter::once(plain);
    let (part, object) = seal_part(header, secret(fixture, open, role), PART_BYTES_MAX, Place::Last, &mut pieces);
    objects.insert(id.part_name(index), object);
    open.manifest.parts = before;
    open.manifest.parts.push(part);
}

/// Seals one part, whose plaintext comes in pieces.
pub(super) fn seal_part(
    header: Header,
    secret: PartSecret<'_>,
    part_bytes: u64,
    place: Place,
    pieces: &mut dyn Iterator<Item = &[u8]>,
) -> (Part, Vec<u8>) {
    let mut sealer = PartSealer::begin(header, secret, part_bytes);
    let mut object = sealer.header_bytes().to_vec();
    let mut sink = |segment: &mut Vec<u8>| -> Result<(), Infallible> {
        object.extend_from_slice(segment);
        Ok(())
    };
    for piece in pieces {
        let Ok(()) = sealer.push(piece, &mut sink);
    }
    let Ok(sealed) = sealer.finish(place, &mut sink);
    (sealed.record(ObjectDigest::of(&object)), object)
}

/// Seals the manifest and puts it in its place.
pub(super) fn commit(open: &mut OpenManifest, objects: &mut BTreeMap<String, Vec<u8>>) -> BackupId {
    let manifest: &mut Manifest = &mut open.manifest;
    manifest.stored = manifest.parts.iter().map(|part| part.bytes).sum();
    let id = manifest.id;
    objects.insert(id.manifest_name(), seal(manifest, &open.archive_key));
    id
}
