//! Verify: is a backup still whole? Three levels, each with what it takes (README.md, "verify").
//!
//! Findings are collected, not thrown: a report of everything that is wrong serves better than the first thing.

use crate::archive::damaged;
use crate::archive::index::{Index, check_draft};
use crate::archive::manifest::OpenManifest;
use crate::archive::part::{PaddingCheck, PartSecret};
use crate::archive::section::SectionReader;
use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::chunk::compress::BlockDecompressor;
use crate::crypto::chunk_id::ChunkIds;
use crate::crypto::keys::VaultKeys;
use crate::format::header::Role;
use crate::format::manifest::{Manifest, Verdict};
use crate::format::section::Holder;
use crate::pipeline::World;
use crate::pipeline::audit::{ChunkTables, agrees, usage};
use crate::pipeline::contents::Contents;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, RangeReader, check_size, own};
use crate::pipeline::history::check_sha256;
use crate::pipeline::stage::Pool;
use crate::pipeline::survey::Survey;
use crate::pipeline::unpack::{Restore, open_block};

/// How deep a verification goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every object is there and has its size.
    Presence,
    /// And its SHA-256.
    Sha256,
    /// And every segment, block and chunk, the digest of the ids and that of the dump.
    Full,
}

impl Level {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Presence => "presence and size",
            Level::Sha256 => "SHA-256 of every object",
            Level::Full => "every segment, block and chunk, and the digest of the dump",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What is wrong, naming the object.
    pub what: String,
    /// Whether a restore needs what it is about.
    pub hinders_restore: bool,
}

/// What a verification of one backup found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backup.
    pub id: BackupId,
    /// What its manifest says of the dump, as far as it can be read.
    pub verdict: Option<Verdict>,
    /// Whether the manifest was authenticated.
    pub authenticated: bool,
    /// Objects looked at.
    pub objects: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// What is wrong; when there is nothing, everything is as it was written.
    pub findings: Vec<Finding>,
}

impl Report {
    fn new(id: BackupId, verdict: Option<Verdict>) -> Report {
        Report { id, verdict, authenticated: false, objects: 0, bytes_read: 0, findings: Vec::new() }
    }

    fn find(&mut self, error: &RunError, role: Role) {
        self.findings.push(Finding {
            class: error.class(),
            what: error.to_string(),
            hinders_restore: role != Role::Catalogue,
        });
    }

    /// A report of a backup that could not even be opened.
    pub fn failed(id: BackupId, error: &RunError) -> Report {
        let mut report = Report::new(id, None);
        report.find(error, Role::Index);
        report
    }
}

/// Presence, size and, when asked for, SHA-256 of every object that a manifest names. Needs no key.
///
/// # Errors
/// The store cannot be read, or the run is stopped. What is wrong with the backup is in the report.
pub fn verify_objects(world: &World<'_>, manifest: &Manifest, level: Level) -> Result<Report, RunError> {
    let survey = Survey::take(world.store, &format!("{}-", manifest.id.guid))?;
    let mut report = Report::new(manifest.id, Some(manifest.verdict));
    for (id, part) in manifest.objects() {
        world.check_stop()?;
        report.objects += 1;
        let mut checked = check_size(&survey, &id, part).map_err(|problem| problem.into_error(manifest.id));
        if checked.is_ok() && level >= Level::Sha256 {
            report.bytes_read += part.bytes;
            world.observer.advanced(part.bytes);
            checked = check_sha256(world, &id, part);
        }
        match checked {
            Err(error @ RunError::Stopped(_)) => return Err(error),
            Err(error) => report.find(&error, part.role),
            Ok(()) => {}
        }
    }
    Ok(report)
}

/// Everything that can be verified with a key, the objects' SHA-256 included.
///
/// # Errors
/// The run is stopped. What is wrong with the backup is in the report.
pub fn verify_full(
    world: &World<'_>,
    open: &OpenManifest,
    keys: &VaultKeys,
    threads: usize,
) -> Result<Report, RunError> {
    let mut report = verify_objects(world, &open.manifest, Level::Sha256)?;
    report.authenticated = true;
    let restorable = !report.findings.iter().any(|finding| finding.hinders_restore);
    let catalogues = report.findings.is_empty();
    if restorable {
        let restored = Restore::prepare(world, open, keys, threads).and_then(|restore| {
            restore.check()?;
            Ok(restore)
        });
        match restored {
            Ok(restore) => verify_inside(world, open, keys, &restore, catalogues, &mut report)?,
            Err(error @ RunError::Stopped(_)) => return Err(error),
            Err(error) => report.find(&error, Role::Index),
        }
    }
    Ok(report)
}

/// Parts to their last byte, and every chunk against the catalogues.
fn verify_inside(
    world: &World<'_>,
    open: &OpenManifest,
    keys: &VaultKeys,
    restore: &Restore<'_>,
    catalogues: bool,
    report: &mut Report,
) -> Result<(), RunError> {
    match verify_ends(world, &open.manifest, restore) {
        Err(error @ RunError::Stopped(_)) => return Err(error),
        Err(error) => report.find(&error, Role::Index),
        Ok(()) => {}
    }
    // Nothing but a restore of a part needs the map.
    match Contents::open(world.store, open).and_then(|contents| contents.reader().each(&mut |_| {})) {
        Err(RunError::NoMap { .. }) | Ok(_) => {}
        Err(error) => report.find(&error, Role::Catalogue),
    }
    if !catalogues {
        return Ok(());
    }
    match verify_chunks(world, open, keys, restore) {
        Err(error @ RunError::Stopped(_)) => Err(error),
        Err(error) => {
            report.find(&error, Role::Catalogue);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Every segment of every part opens, and after the last frame there is padding and nothing else.
fn verify_ends(world: &World<'_>, manifest: &Manifest, restore: &Restore<'_>) -> Result<(), RunError> {
    let mut ends = vec![0; restore.readers().data.len()];
    for block in &restore.index().blocks {
        ends[block.part as usize] = block.end();
    }
    let own = manifest.parts.iter().filter(|part| part.role == Role::Data).count();
    for (ordinal, (reader, end)) in restore.readers().data.iter().zip(ends).enumerate() {
        world.check_stop()?;
        // Of a base's part not every block is used, so where its content ends is its own backup's affair.
        if ordinal < own {
            check_padding(reader, end)?;
        } else {
            reader.read_from(0, &mut |_| Ok(()))?;
        }
    }
    check_section_ends(Holder::Index, &Index::object(manifest), &restore.readers().index)
}

fn check_section_ends(holder: Holder, object: &str, readers: &[PartReader<'_>]) -> Result<(), RunError> {
    let lengths: Vec<u64> = readers.iter().map(PartReader::plain_bytes).collect();
    let mut ranges = RangeReader::new(readers, 2);
    let mut fetch = |part: u32, offset: u64, length: usize| ranges.read(part as usize, offset, length);
    let sections = SectionReader::open::<RunError>(holder, object, &lengths, &mut fetch)?;
    for (reader, end) in readers.iter().zip(sections.content_ends()) {
        // Every segment, those of sections that a restore does not read included.
        reader.read_from(0, &mut |_| Ok(()))?;
        check_padding(reader, *end)?;
    }
    Ok(())
}

fn check_padding(reader: &PartReader<'_>, end: u64) -> Result<(), RunError> {
    let padding = reader.plain_bytes().saturating_sub(end);
    let mut check = PaddingCheck::new(padding);
    reader.read_from(end, &mut |bytes| Ok(check.push(reader.name(), bytes)?))
}

/// Every chunk of every block has the id that a catalogue records, and the ids have the digest that the index records.
fn verify_chunks(
    world: &World<'_>,
    open: &OpenManifest,
    keys: &VaultKeys,
    restore: &Restore<'_>,
) -> Result<(), RunError> {
    let manifest = &open.manifest;
    let tables = ChunkTables::read(world, &keys.pack, manifest)?;
    let index = restore.index();
    let object = tables.draft.id.part_name(tables.draft.parts.len() as u32);
    let refused = |what: &str| RunError::from(damaged(&object, what));
    check_draft(&object, &tables.draft, manifest, &[Role::Data])?;
    if !agrees(index, &tables, &open.archive_key) {
        return Err(refused("its chunks do not give the digest of the ids"));
    }
    if tables.usage != usage(index, &tables) {
        return Err(refused("its usage is not that of the recipe"));
    }
    let ids = ChunkIds::new(&keys.pack.chunk_id);
    let mut ranges = RangeReader::new(&restore.readers().data, 2);
    let (decompressors, mut plain) = (Pool::<BlockDecompressor>::default(), Vec::new());
    for (ordinal, block) in (0..).zip(&index.blocks) {
        world.check_stop()?;
        let frame = ranges.read(block.part as usize, u64::from(block.offset), block.stored as usize)?;
        let name = restore.readers().data[block.part as usize].name();
        open_block(name, &frame, block.plain as usize, &decompressors, &mut plain)?;
        let recorded = tables.block(index, ordinal).unwrap_or(&[]);
        let mut rest = plain.as_slice();
        let chunks = recorded.iter().map(|(_, length)| rest.split_off(..*length as usize).unwrap_or_default());
        let chunks: Vec<&[u8]> = chunks.collect();
        if !ids.ids(&chunks).iter().eq(recorded.iter().map(|(id, _)| id)) {
            return Err(damaged(name, "a chunk does not have its id").into());
        }
    }
    verify_catalogue_ends(world, manifest, keys)
}

/// The padding of the own catalogue's parts.
fn verify_catalogue_ends(world: &World<'_>, manifest: &Manifest, keys: &VaultKeys) -> Result<(), RunError> {
    let mut readers = Vec::new();
    for part in manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
        readers.push(PartReader::open(world.store, &own(manifest, part), PartSecret::Catalogue(&keys.pack.catalogue))?);
    }
    let object = readers.first().map_or(String::new(), |reader| reader.name().to_owned());
    check_section_ends(Holder::Catalogue, &object, &readers)
}
