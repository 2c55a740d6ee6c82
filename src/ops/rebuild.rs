//! Writes a lost manifest anew (spec/objects.md, "Rebuilding a lost manifest").
//!
//! 1. Every part of the id is listed, and its header read. They have to be of one backup and of the key at hand.
//! 2. The sealed key of a header gives AK; the index parts, told by their role, give the manifest as it stood before they existed.
//! 3. Every part that it names is compared with it: size, header, commitment, SHA-256; and the index is read whole.
//! 4. The manifest is sealed, created only if absent, and read back.
//!
//! That the parts are there does not say that the backup should be: somebody may have deleted it. Only a person can know.

use crate::archive::index::Index;
use crate::archive::manifest::{open_key, seal};
use crate::archive::part::{Expected, PartSecret};
use crate::archive::{ArchiveError, damaged};
use crate::base::id::BackupId;
use crate::base::limits::HEADER_BYTES;
use crate::crypto::keys::{ArchiveKey, Fingerprint, VaultKeys};
use crate::format::header::{Header, Role};
use crate::format::manifest::{Manifest, Part};
use crate::format::slot::Slot;
use crate::keys::ring::Keyring;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, RangeReader, Readers, check_sizes, own};
use crate::pipeline::history::{check_sha256, sha256};
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::survey::{Owner, Survey};

/// What the key holder adds to a rebuilt manifest.
pub struct Slots {
    /// The slots.
    pub slots: Vec<Slot>,
    /// Their generation.
    pub generation: u64,
}

/// A part as it is found: its header, the commitment in it, its size.
struct Found {
    header: Header,
    commitment: [u8; 32],
    bytes: u64,
}

/// Rebuilds the manifest of `id` and writes it.
///
/// # Errors
/// It exists, a part is missing or not what it should be, or the key is another one. Nothing was written then.
pub fn rebuild(world: &World<'_>, id: &BackupId, ring: &Keyring, slots: Slots) -> Result<Manifest, RunError> {
    let found = find_parts(world.store, id)?;
    let keys = key_of(id, &found, ring)?;
    let archive_key = open_key(id, &found[0].header.sealed_key, keys)?;
    let index = index_parts(world, id, &found)?;
    let draft = read_draft(world.store, id, &found, &index, &archive_key)?;
    let manifest = complete(draft, index, slots);
    check(world, &manifest, &archive_key, keys, found.len())?;
    write(world.store, &manifest, &archive_key)?;
    Ok(manifest)
}

/// The headers of every part of the id, which has no manifest.
fn find_parts(store: &dyn Store, id: &BackupId) -> Result<Vec<Found>, RunError> {
    let survey = Survey::take(store, &id.to_string())?;
    let objects = survey.backups.get(id).cloned().unwrap_or_default();
    if objects.manifest.is_some() {
        let name = id.manifest_name();
        return Err(StoreError::Exists { name }.into());
    }
    if objects.parts.is_empty() {
        return Err(RunError::NotFound { what: id.to_string() });
    }
    if survey.owner(store, id)? == Owner::Legacy {
        return Err(RunError::Legacy { id: id.to_string() });
    }
    let parts = objects.parts.iter().zip(0_u32..);
    let parts = parts.map(|((index, bytes), expected)| {
        if *index == expected {
            find_part(store, id, *index, *bytes)
        } else {
            let name = id.part_name(expected);
            Err(RunError::Missing { name, id: *id })
        }
    });
    parts.collect()
}

fn find_part(store: &dyn Store, id: &BackupId, index: u32, bytes: u64) -> Result<Found, RunError> {
    let name = id.part_name(index);
    let text = store.get(&name, 0, HEADER_BYTES)?;
    let (header, commitment) = Header::parse(&text).map_err(ArchiveError::format(&name))?;
    if header.id != *id || header.index != index {
        return Err(damaged(&name, "it is a part of another name").into());
    }
    Ok(Found { header, commitment, bytes })
}

/// The vault key that the parts need, all of them the same.
fn key_of<'r>(id: &BackupId, found: &[Found], ring: &'r Keyring) -> Result<&'r VaultKeys, RunError> {
    let first = &found[0].header;
    for part in found {
        let Header { epoch, fingerprint, sealed_key, .. } = &part.header;
        if (*epoch, *fingerprint, *sealed_key) != (first.epoch, first.fingerprint, first.sealed_key) {
            let name = id.part_name(part.header.index);
            return Err(damaged(&name, "its header names another key than the first part's").into());
        }
    }
    let keys = ring.of_epoch(first.epoch).unwrap_or_else(|_| ring.newest());
    if ring.guid() == id.guid && keys.pack.scope.epoch == first.epoch && keys.pack.fingerprint.0 == first.fingerprint {
        return Ok(keys);
    }
    let wrong = ArchiveError::WrongKey {
        id: *id,
        epoch: first.epoch,
        needed: Fingerprint(first.fingerprint),
        given: keys.pack.fingerprint,
    };
    Err(wrong.into())
}

/// What a manifest records of the index parts. Their SHA-256 is that of what is there: nobody recorded another.
fn index_parts(world: &World<'_>, id: &BackupId, found: &[Found]) -> Result<Vec<Part>, RunError> {
    let index = found.iter().filter(|part| part.header.role == Role::Index);
    let parts: Result<Vec<Part>, RunError> = index
        .map(|part| {
            Ok(Part {
                index: part.header.index,
                role: Role::Index,
                bytes: part.bytes,
                sha256: sha256(world, &id.part_name(part.header.index), part.bytes)?,
                commitment: part.commitment,
            })
        })
        .collect();
    let parts = parts?;
    if parts.is_empty() {
        // The next name after the last part: the index comes last.
        let name = id.part_name(found.len() as u32);
        return Err(RunError::Missing { name, id: *id });
    }
    Ok(parts)
}

/// The manifest as it stood before the index parts existed, and whether it is that of this backup.
fn read_draft(
    store: &dyn Store,
    id: &BackupId,
    found: &[Found],
    index: &[Part],
    archive_key: &ArchiveKey,
) -> Result<Manifest, RunError> {
    let Header { epoch, fingerprint, sealed_key, .. } = &found[0].header;
    let mut readers = Vec::with_capacity(index.len());
    for part in index {
        let expected = Expected { id: *id, part, epoch: *epoch, fingerprint: *fingerprint, sealed_key };
        readers.push(PartReader::open(store, &expected, PartSecret::Archive(archive_key))?);
    }
    let object = id.part_name(index[0].index);
    let lengths: Vec<u64> = readers.iter().map(PartReader::plain_bytes).collect();
    let mut ranges = RangeReader::new(&readers, 2);
    let draft = Index::read_draft::<RunError>(&object, &lengths, &mut |part, offset, length| {
        ranges.read(part as usize, offset, length)
    })?;
    let same = draft.id == *id
        && draft.epoch == *epoch
        && draft.fingerprint == *fingerprint
        && draft.sealed_key == *sealed_key;
    if same { Ok(draft) } else { Err(damaged(&object, "it is the index of another backup").into()) }
}

fn complete(draft: Manifest, index: Vec<Part>, Slots { slots, generation }: Slots) -> Manifest {
    let mut parts = draft.parts;
    parts.extend(index);
    Manifest { stored: parts.iter().map(|part| part.bytes).sum(), parts, rebuilt: true, slots, generation, ..draft }
}

/// Compares every object with the manifest that is going to name it.
fn check(
    world: &World<'_>,
    manifest: &Manifest,
    archive_key: &ArchiveKey,
    keys: &VaultKeys,
    found: usize,
) -> Result<(), RunError> {
    let survey = Survey::take(world.store, &format!("{}-", manifest.id.guid))?;
    check_sizes(&survey, manifest, |_| true)?;
    if manifest.parts.len() != found {
        let name = manifest.id.part_name(manifest.parts.len() as u32);
        return Err(damaged(&name, "the index does not know this part").into());
    }
    let readers = Readers::open(world.store, manifest, archive_key, keys)?;
    readers.read_index(manifest)?;
    for part in manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
        let secret = PartSecret::Catalogue(&keys.pack.catalogue);
        PartReader::open(world.store, &own(manifest, part), secret)?;
    }
    for (id, part) in manifest.objects() {
        world.check_stop()?;
        check_sha256(world, &id, part)?;
        world.observer.advanced(part.bytes);
    }
    Ok(())
}

/// Creates the manifest only if there is none, and reads it back.
fn write(store: &dyn Store, manifest: &Manifest, archive_key: &ArchiveKey) -> Result<(), RunError> {
    let name = manifest.id.manifest_name();
    let text = seal(manifest, archive_key);
    // What a reader would refuse is not written.
    Manifest::parse(&manifest.id, &text).map_err(ArchiveError::format(&name))?;
    let mut upload = store.create(&name)?;
    upload.write(&text)?;
    upload.commit()?;
    if store.get(&name, 0, text.len() + 1)? == text { Ok(()) } else { Err(RunError::ReadBack { name }) }
}
