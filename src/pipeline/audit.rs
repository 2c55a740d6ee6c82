//! Recomputes the digest of the ids from recipe and catalogues, without reading data (spec/chunking.md).
//!
//! Nothing here looks at the cache: it is what the audit is about.

use std::collections::HashMap;

use crate::archive::damaged;
use crate::archive::index::{Index, Piece};
use crate::base::id::{BackupId, ChunkId};
use crate::crypto::keys::{ArchiveKey, PackKeys};
use crate::format::header::Role;
use crate::format::manifest::{Base, Manifest};
use crate::format::record::Usage;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::history::{Chapter, read_chapter};
use crate::pipeline::survey::Survey;

/// The chunks of every block of every part that a manifest names.
pub struct ChunkTables {
    /// By ordinal in the part table and offset of the block: stored and plain length, first chunk and the one after the last.
    blocks: HashMap<(u32, u32), Entry>,
    chunks: Vec<(ChunkId, u32)>,
    /// Plain bytes of all blocks of every part of the part table.
    plain: Vec<u64>,
    /// The draft of the backup's own catalogue.
    pub draft: Manifest,
    /// What the backup's own catalogue says is used of every part of the part table.
    pub usage: Vec<Usage>,
}

#[derive(Clone, Copy)]
struct Entry {
    stored: u32,
    plain: u32,
    from: usize,
    to: usize,
}

impl ChunkTables {
    /// Reads the catalogues of a backup and of its bases.
    ///
    /// # Errors
    /// One of them is missing or not what it should be.
    pub fn read(world: &World<'_>, keys: &PackKeys, manifest: &Manifest) -> Result<ChunkTables, RunError> {
        let survey = Survey::take(world.store, &format!("{}-", manifest.id.guid))?;
        let mut own = read_chapter(world, keys, &survey, manifest)?;
        let mut tables = ChunkTables {
            blocks: HashMap::new(),
            chunks: Vec::new(),
            plain: vec![0; manifest.part_table().count()],
            draft: own.draft.clone(),
            usage: std::mem::take(&mut own.usage),
        };
        tables.add(manifest, &manifest.id, own);
        for base in &manifest.bases {
            let chapter = read_chapter(world, keys, &survey, &manifest.of_base(base))?;
            check_base(base, &chapter)?;
            tables.add(manifest, &base.id, chapter);
        }
        Ok(tables)
    }

    /// The chunks of a block of the index; `None` when the catalogues do not have it.
    pub fn block(&self, index: &Index, block: u32) -> Option<&[(ChunkId, u32)]> {
        let block = index.blocks.get(block as usize)?;
        let entry = self.blocks.get(&(block.part, block.offset))?;
        let same = entry.stored == block.stored && entry.plain == block.plain;
        self.chunks.get(entry.from..entry.to).filter(|_| same)
    }

    fn add(&mut self, manifest: &Manifest, id: &BackupId, chapter: Chapter) {
        let ordinals: HashMap<u32, u32> = (0..)
            .zip(manifest.part_table())
            .filter(|(_, (of, _))| of == id)
            .map(|(ordinal, (_, part))| (part.index, ordinal))
            .collect();
        let Some((blocks, chunks)) = chapter.table else { return };
        let mut chunks = chunks.into_iter().peekable();
        for (number, block) in (0_u32..).zip(blocks) {
            let from = self.chunks.len();
            while let Some(chunk) = chunks.next_if(|chunk| chunk.block == number) {
                self.chunks.push((chunk.id, chunk.length));
            }
            if let Some(ordinal) = ordinals.get(&block.part) {
                self.plain[*ordinal as usize] += u64::from(block.plain);
                let entry = Entry { stored: block.stored, plain: block.plain, from, to: self.chunks.len() };
                self.blocks.insert((*ordinal, block.offset), entry);
            } else {
                self.chunks.truncate(from);
            }
        }
    }
}

/// What a manifest says of a base's parts was copied from that base's catalogue.
fn check_base(base: &Base, chapter: &Chapter) -> Result<(), RunError> {
    let data = base.parts.iter().filter(|part| part.role == Role::Data);
    match data.into_iter().find(|part| !chapter.draft.parts.contains(part)) {
        None => Ok(()),
        Some(part) => Err(damaged(&base.id.part_name(part.index), "its catalogue tells something else of it").into()),
    }
}

/// Whether recipe and catalogues give the digest that the index records.
pub fn agrees(index: &Index, tables: &ChunkTables, archive_key: &ArchiveKey) -> bool {
    let mut ids = archive_key.ids_digest();
    let mut count = 0;
    for piece in index.pieces() {
        let Some(chunks) = tables.block(index, piece.block).and_then(|chunks| chunks_of(chunks, &piece)) else {
            return false;
        };
        count += chunks.len() as u64;
        chunks.iter().for_each(|(id, length)| ids.push(id, *length));
    }
    count == index.summary.chunks && ids.finish() == index.summary.ids_digest
}

/// What the recipe uses of every part: each plain byte once, however many extents use it.
pub fn usage(index: &Index, tables: &ChunkTables) -> Vec<Usage> {
    let mut usage: Vec<Usage> = tables.plain.iter().map(|plain| Usage { live: 0, plain: *plain }).collect();
    let mut pieces: Vec<Piece> = index.pieces().collect();
    pieces.sort_unstable_by_key(|piece| (piece.block, piece.offset));
    let (mut block, mut seen) = (None, 0);
    for piece in pieces {
        if block != Some(piece.block) {
            (block, seen) = (Some(piece.block), 0);
        }
        let end = piece.offset + piece.length;
        let part = index.blocks[piece.block as usize].part;
        if let Some(usage) = usage.get_mut(part as usize) {
            usage.live += u64::from(end.saturating_sub(seen.max(piece.offset)));
        }
        seen = seen.max(end);
    }
    usage
}

/// The whole chunks that a piece consists of; `None` when it does not begin and end between chunks.
fn chunks_of<'c>(chunks: &'c [(ChunkId, u32)], piece: &Piece) -> Option<&'c [(ChunkId, u32)]> {
    let (mut from, mut at) = (0, 0);
    while at < piece.offset {
        at += chunks.get(from)?.1;
        from += 1;
    }
    let (mut to, mut end) = (from, at);
    while end < piece.offset.checked_add(piece.length)? {
        end += chunks.get(to)?.1;
        to += 1;
    }
    (at == piece.offset && end == piece.offset + piece.length).then(|| &chunks[from..to])
}

/// The check before a commit: of an index that is not in use yet, and of a manifest without its index parts.
///
/// # Errors
/// `Audit` when they do not agree.
pub fn audit_before_commit(
    world: &World<'_>,
    keys: &PackKeys,
    archive_key: &ArchiveKey,
    manifest: &Manifest,
    index: &Index,
) -> Result<(), RunError> {
    let tables = match ChunkTables::read(world, keys, manifest) {
        Ok(tables) => tables,
        Err(error @ (RunError::Store(_) | RunError::Stopped(_))) => return Err(error),
        // A catalogue that the cache still knew is gone or damaged: the next backup has to do without.
        Err(error) => {
            world.observer.warn(&format!("a catalogue cannot be read for the audit: {error}"));
            return Err(RunError::Audit);
        }
    };
    if agrees(index, &tables, archive_key) { Ok(()) } else { Err(RunError::Audit) }
}
