//! What later backups need to deduplicate: own blocks, their chunks, and how much of each part is used (spec/index.md).

use crate::archive::section::{Fetch, SectionReader};
use crate::archive::{ArchiveError, damaged};
use crate::base::cutter::Cutter;
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::format::record::{Chunk, OwnBlock, Record, Usage, parse_all};
use crate::format::section::{Holder, Section};

/// An opened catalogue.
pub struct Catalogue {
    /// The manifest as it stood: data parts and bases.
    pub draft: Manifest,
    /// Parameters of the chunker.
    pub cutter: Cutter,
    /// Own blocks, in stream order.
    pub blocks: Vec<OwnBlock>,
    /// Their chunks, in the same order.
    pub chunks: Vec<Chunk>,
    /// Usage of every part of the part table.
    pub usage: Vec<Usage>,
}

impl Catalogue {
    /// Reads a catalogue and checks that it agrees with itself; `object` names its first part.
    ///
    /// # Errors
    /// It is not legal, or contradicts itself.
    pub fn read<E: From<ArchiveError>>(object: &str, parts: &[u64], fetch: &mut Fetch<'_, E>) -> Result<Catalogue, E> {
        let mut reader = SectionReader::open(Holder::Catalogue, object, parts, fetch)?;
        let refused = ArchiveError::format(object);
        let draft = reader.read_all(Section::Draft, fetch)?;
        let draft = Manifest::parse_draft(&draft).map_err(&refused)?;
        let cutter = reader.read_all(Section::Cutter, fetch)?;
        let cutter = <Cutter as Record>::parse(&cutter).map_err(&refused)?;
        let blocks = parse_all::<OwnBlock>(&reader.read_all(Section::OwnBlocks, fetch)?).map_err(&refused)?;
        let mut chunks = Vec::new();
        reader.read(Section::Chunks, fetch, &mut |content| {
            chunks.extend(parse_all::<Chunk>(content)?);
            Ok(())
        })?;
        let usage = parse_all::<Usage>(&reader.read_all(Section::Usage, fetch)?).map_err(&refused)?;
        let catalogue = Catalogue { draft, cutter, blocks, chunks, usage };
        catalogue.check(object)?;
        Ok(catalogue)
    }

    /// The draft alone.
    ///
    /// # Errors
    /// It is not legal.
    pub fn read_draft<E: From<ArchiveError>>(
        object: &str,
        parts: &[u64],
        fetch: &mut Fetch<'_, E>,
    ) -> Result<Manifest, E> {
        let mut reader = SectionReader::open(Holder::Catalogue, object, parts, fetch)?;
        let draft = reader.read_all(Section::Draft, fetch)?;
        Ok(Manifest::parse_draft(&draft).map_err(ArchiveError::format(object))?)
    }

    /// The chunks of every own block, in order.
    pub fn chunks_by_block(&self) -> impl Iterator<Item = (&OwnBlock, &[Chunk])> {
        let mut rest = self.chunks.as_slice();
        self.blocks.iter().map(move |block| {
            let (chunks, after) = rest.split_at((block.chunks as usize).min(rest.len()));
            rest = after;
            (block, chunks)
        })
    }

    fn check(&self, object: &str) -> Result<(), ArchiveError> {
        let own = self.draft.parts.iter().filter(|part| part.role == Role::Data).count();
        if self.draft.parts.len() != own {
            return Err(damaged(object, "the draft of a catalogue names more than data parts"));
        }
        if self.usage.len() != self.draft.part_table().count() {
            return Err(damaged(object, "its usage is not that of its parts"));
        }
        let total: u64 = self.blocks.iter().map(|block| u64::from(block.chunks)).sum();
        if total != self.chunks.len() as u64 {
            return Err(damaged(object, "its chunks are not those of its blocks"));
        }
        // Every part has a block, and they stand in the order of the parts.
        let mut parts: Vec<u32> = self.blocks.iter().map(|block| block.part).collect();
        parts.dedup();
        if !parts.into_iter().eq(0..own as u32) {
            return Err(damaged(object, "its blocks are not those of its parts"));
        }
        for (block, chunks) in self.chunks_by_block() {
            let plain: u64 = chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
            if plain != u64::from(block.plain) || chunks.iter().any(|chunk| chunk.length > self.cutter.maximum) {
                return Err(damaged(object, "the chunks of a block are not its length"));
            }
        }
        Ok(())
    }
}
