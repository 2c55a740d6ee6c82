//! The catalogue of one earlier backup, opened with what a packer holds; and its form in the cache.

use sha2::{Digest, Sha256};

use crate::archive::catalogue::Catalogue;
use crate::archive::damaged;
use crate::archive::part::PartSecret;
use crate::base::bytes::Cursor;
use crate::base::cutter::Cutter;
use crate::base::id::BackupId;
use crate::crypto::keys::PackKeys;
use crate::format::FormatError;
use crate::format::header::Role;
use crate::format::manifest::{Manifest, Part, Prev, Verdict};
use crate::format::record::{Record, Usage, encode_all, parse_all};
use crate::index::cache::{Cache, KnownBackup, KnownBlock, NewBackup, NewChunk};
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, RangeReader, check_size, own, read_header};
use crate::pipeline::survey::{Survey, read_manifest};

/// What one catalogue says.
pub struct Chapter {
    /// The manifest as it stood.
    pub draft: Manifest,
    /// Parameters of the chunker.
    pub cutter: Cutter,
    /// Usage of every part of the draft's part table.
    pub usage: Vec<Usage>,
    /// The catalogue's own parts.
    pub catalogue: Vec<Part>,
    /// What the next backup records of this one; only for the newest.
    pub prev: Option<Prev>,
    /// What the manifest says of the dump, which is not authenticated here.
    pub verdict: Verdict,
    /// Blocks and chunks, unless the cache has them.
    pub table: Option<(Vec<KnownBlock>, Vec<NewChunk>)>,
}

/// Opens the newest backup's catalogue, from the cache where that was made from the same one.
///
/// `None` for what is not a backup of this key: legacy archives and other epochs.
///
/// # Errors
/// The manifest is not legal, or the catalogue cannot be opened.
pub fn newest_candidate(
    world: &World<'_>,
    keys: &PackKeys,
    survey: &Survey,
    id: &BackupId,
    cache: Option<&Cache>,
) -> Result<Option<Chapter>, RunError> {
    let store = world.store;
    let Some(manifest) = ours(world, keys, survey, id)? else {
        return Ok(None);
    };
    // The manifest is not authenticated here, so nothing is taken from it but where to look.
    let parts = catalogue_parts(&manifest);
    let known = cache.and_then(|cache| cache.backups().iter().find(|known| known.id == *id));
    let cached = known.and_then(|known| Chapter::decode(&known.record)).filter(|chapter| chapter.catalogue == parts);
    let mut chapter = match cached {
        Some(chapter) => {
            for part in &chapter.catalogue {
                check_size(survey, id, part).map_err(|problem| problem.into_error(*id))?;
                read_header(store, &own(&chapter.draft, part))?;
            }
            chapter
        }
        None => read_chapter(world, keys, survey, &manifest)?,
    };
    chapter.prev = Some(prev_of(world, &manifest, &chapter.draft)?);
    chapter.verdict = manifest.verdict;
    Ok(Some(chapter))
}

/// A manifest of this key, as it stands: nobody has authenticated it. `None` for legacy archives and other epochs.
///
/// # Errors
/// It cannot be read, or is not legal.
pub fn ours(world: &World<'_>, keys: &PackKeys, survey: &Survey, id: &BackupId) -> Result<Option<Manifest>, RunError> {
    let text = read_manifest(world.store, id)?;
    if !survey.is_vaults(world.store, id, &text)? {
        return Ok(None);
    }
    let name = id.manifest_name();
    let manifest = Manifest::parse(id, &text).map_err(crate::archive::ArchiveError::format(&name))?.manifest;
    let is_ours = manifest.epoch == keys.scope.epoch && manifest.fingerprint == keys.fingerprint.0;
    Ok(is_ours.then_some(manifest))
}

/// Reads the catalogue whose parts `manifest` names; the result is authenticated under CK.
///
/// # Errors
/// A part is missing or not what it should be, or the catalogue contradicts itself.
pub fn read_chapter(
    world: &World<'_>,
    keys: &PackKeys,
    survey: &Survey,
    manifest: &Manifest,
) -> Result<Chapter, RunError> {
    let store = world.store;
    let catalogue = catalogue_parts(manifest);
    let object = manifest.id.part_name(catalogue.first().map_or(0, |part| part.index));
    let mut readers = Vec::with_capacity(catalogue.len());
    for part in &catalogue {
        check_size(survey, &manifest.id, part).map_err(|problem| problem.into_error(manifest.id))?;
        check_sha256(world, &manifest.id, part)?;
        readers.push(PartReader::open(store, &own(manifest, part), PartSecret::Catalogue(&keys.catalogue))?);
    }
    let Catalogue { draft, cutter, blocks, chunks, usage } = open_catalogue(&object, &readers)?;
    check_same(&object, &draft, keys, manifest)?;
    let table = table(&object, blocks, chunks)?;
    Ok(Chapter { draft, cutter, usage, catalogue, prev: None, verdict: manifest.verdict, table: Some(table) })
}

/// Reads the draft alone out of the catalogue whose parts `manifest` names: some kilobytes, authenticated under CK.
///
/// # Errors
/// A part is missing or not what it should be, or the draft is of another backup.
pub fn read_draft(
    world: &World<'_>,
    keys: &PackKeys,
    survey: &Survey,
    manifest: &Manifest,
) -> Result<Manifest, RunError> {
    let catalogue = catalogue_parts(manifest);
    let object = manifest.id.part_name(catalogue.first().map_or(0, |part| part.index));
    let mut readers = Vec::with_capacity(catalogue.len());
    for part in &catalogue {
        check_size(survey, &manifest.id, part).map_err(|problem| problem.into_error(manifest.id))?;
        readers.push(PartReader::open(world.store, &own(manifest, part), PartSecret::Catalogue(&keys.catalogue))?);
    }
    let lengths: Vec<u64> = readers.iter().map(PartReader::plain_bytes).collect();
    let mut ranges = RangeReader::new(&readers, 2);
    let draft = Catalogue::read_draft::<RunError>(&object, &lengths, &mut |part, offset, length| {
        ranges.read(part as usize, offset, length)
    })?;
    check_same(&object, &draft, keys, manifest)?;
    Ok(draft)
}

/// Whether a draft is of the backup in whose catalogue it stands.
fn check_same(object: &str, draft: &Manifest, keys: &PackKeys, manifest: &Manifest) -> Result<(), RunError> {
    let same = draft.id == manifest.id
        && draft.epoch == manifest.epoch
        && draft.fingerprint == manifest.fingerprint
        && draft.sealed_key == manifest.sealed_key;
    if same && draft.id.guid == keys.scope.guid {
        return Ok(());
    }
    Err(damaged(object, "it is the catalogue of another backup").into())
}

/// Reads a catalogue out of its opened parts.
///
/// # Errors
/// It is not legal.
pub fn open_catalogue(object: &str, readers: &[PartReader<'_>]) -> Result<Catalogue, RunError> {
    let lengths: Vec<u64> = readers.iter().map(PartReader::plain_bytes).collect();
    let mut ranges = RangeReader::new(readers, 2);
    Catalogue::read(object, &lengths, &mut |part, offset, length| ranges.read(part as usize, offset, length))
}

/// The catalogue parts of a backup, own ones only.
pub fn catalogue_parts(manifest: &Manifest) -> Vec<Part> {
    manifest.parts.iter().filter(|part| part.role == Role::Catalogue).cloned().collect()
}

/// Compares the SHA-256 of an object.
///
/// # Errors
/// It is another one, or the run is stopped.
pub fn check_sha256(world: &World<'_>, id: &BackupId, part: &Part) -> Result<(), RunError> {
    let name = id.part_name(part.index);
    if sha256(world, &name, part.bytes)? == part.sha256 { Ok(()) } else { Err(RunError::Sha256 { name }) }
}

/// The SHA-256 of an object of `bytes` bytes.
///
/// # Errors
/// It is shorter, or the run is stopped.
pub fn sha256(world: &World<'_>, name: &str, bytes: u64) -> Result<[u8; 32], RunError> {
    let mut sha256 = Sha256::new();
    let mut at = 0;
    while at < bytes {
        world.check_stop()?;
        let read = world.store.get(name, at, (bytes - at).min(1 << 20) as usize)?;
        if read.is_empty() {
            return Err(RunError::Size { name: name.into(), expected: bytes, found: at });
        }
        at += read.len() as u64;
        sha256.update(&read);
    }
    Ok(sha256.finalize().into())
}

/// id, seq and the SHA-256 of the first index part, which is read: the manifest may not be authentic.
fn prev_of(world: &World<'_>, manifest: &Manifest, draft: &Manifest) -> Result<Prev, RunError> {
    let index = manifest.parts.iter().find(|part| part.role == Role::Index);
    let index = index.ok_or_else(|| damaged(&manifest.id.manifest_name(), "it names no index part"))?;
    read_header(world.store, &own(draft, index))?;
    check_sha256(world, &manifest.id, index)?;
    Ok(Prev { id: draft.id, seq: draft.seq, sha256: index.sha256 })
}

/// Blocks with their places, and chunks with theirs.
fn table(
    object: &str,
    blocks: Vec<crate::format::record::OwnBlock>,
    chunks: Vec<crate::format::record::Chunk>,
) -> Result<(Vec<KnownBlock>, Vec<NewChunk>), RunError> {
    let mut places: Vec<KnownBlock> = Vec::with_capacity(blocks.len());
    let mut entries = Vec::with_capacity(chunks.len());
    let mut rest = chunks.into_iter();
    for (ordinal, block) in (0_u32..).zip(&blocks) {
        let begin = places.last().filter(|last| last.part == block.part);
        let offset = begin.map_or(Some(0), |last| last.offset.checked_add(last.stored));
        let offset = offset.ok_or_else(|| damaged(object, "a block lies outside its part"))?;
        places.push(KnownBlock { part: block.part, offset, stored: block.stored, plain: block.plain });
        let mut within = 0;
        for chunk in rest.by_ref().take(block.chunks as usize) {
            entries.push(NewChunk { id: chunk.id, length: chunk.length, block: ordinal, offset: within });
            within += chunk.length;
        }
    }
    Ok((places, entries))
}

impl Chapter {
    /// The form in which it enters the cache; `None` when its table came from there.
    pub fn into_new_backup(self, catalogue: &[Part]) -> Option<NewBackup> {
        let (blocks, chunks) = self.table?;
        let record = encode(&self.draft, self.cutter, &self.usage, catalogue);
        Some(NewBackup { known: KnownBackup { id: self.draft.id, record, blocks }, chunks })
    }

    /// The catalogue's parts that a cache record was made from.
    pub fn catalogue_of(record: &[u8]) -> Option<Vec<Part>> {
        let [.., catalogue] = sections(record)?;
        let parts = parse_all::<CachedPart>(catalogue).ok()?;
        Some(parts.into_iter().map(|CachedPart(part)| part).collect())
    }

    fn decode(record: &[u8]) -> Option<Chapter> {
        let [draft, cutter, usage, _] = sections(record)?;
        let draft = Manifest::parse_draft(draft).ok()?;
        Some(Chapter {
            verdict: draft.verdict,
            draft,
            cutter: <Cutter as Record>::parse(cutter).ok()?,
            usage: parse_all(usage).ok()?,
            catalogue: Chapter::catalogue_of(record)?,
            prev: None,
            table: None,
        })
    }
}

/// Draft, cutter, usage and catalogue parts of a cache record.
fn sections(record: &[u8]) -> Option<[&[u8]; 4]> {
    let mut cursor = Cursor::new(record);
    let mut section = || -> Option<&[u8]> {
        let length = cursor.u32("a length").ok()?;
        cursor.take(length as usize, "a section").ok()
    };
    Some([section()?, section()?, section()?, section()?])
}

/// The record of a backup in the cache.
pub fn encode(draft: &Manifest, cutter: Cutter, usage: &[Usage], catalogue: &[Part]) -> Vec<u8> {
    let parts: Vec<CachedPart> = catalogue.iter().cloned().map(CachedPart).collect();
    let sections = [draft.encode_draft().into_bytes(), encode_all(&[cutter]), encode_all(usage), encode_all(&parts)];
    let mut record = Vec::new();
    for section in sections {
        record.extend_from_slice(&(section.len() as u32).to_le_bytes());
        record.extend_from_slice(&section);
    }
    record
}

/// A catalogue part in the cache.
struct CachedPart(Part);

impl Record for CachedPart {
    const BYTES: usize = 76;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0.index.to_le_bytes());
        bytes.extend_from_slice(&self.0.bytes.to_le_bytes());
        bytes.extend_from_slice(&self.0.sha256);
        bytes.extend_from_slice(&self.0.commitment);
    }

    fn parse(bytes: &[u8]) -> Result<CachedPart, FormatError> {
        let mut cursor = Cursor::new(bytes);
        let index = cursor.u32("a part")?;
        let bytes = cursor.u64("a part")?;
        let (sha256, commitment) = (cursor.array("a part")?, cursor.array("a part")?);
        cursor.finish("a part")?;
        Ok(CachedPart(Part { index, role: Role::Catalogue, bytes, sha256, commitment }))
    }
}
