//! What a restore needs beside the data: blocks, recipe, spans (spec/index.md).

use crate::archive::section::{Fetch, Framer, SectionError, SectionReader, Sections};
use crate::archive::{ArchiveError, damaged};
use crate::base::limits::{DUMP_BYTES_MAX, SPAN_BYTES};
use crate::base::size::padme;
use crate::crypto::span::SpanDigest;
use crate::format::FormatError;
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::format::record::{Block, Extent, Record, Span, Summary, encode_all, parse_all};
use crate::format::section::{Holder, Section};

/// An opened index whose sums agree.
pub struct Index {
    /// Exact sizes, and the digest of the ids.
    pub summary: Summary,
    /// Every block that the recipe uses, ascending by part and offset.
    pub blocks: Vec<Block>,
    /// The dump, as extents.
    pub recipe: Vec<Extent>,
    /// The digest of every span.
    pub spans: Vec<SpanDigest>,
}

/// A stretch of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Ordinal in the block directory.
    pub block: u32,
    /// Offset in its plain bytes.
    pub offset: u32,
    /// Bytes, all of this block.
    pub length: u32,
}

/// An index with its draft, to be written.
pub struct IndexSections<'a> {
    /// The manifest as it stands.
    pub draft: &'a Manifest,
    /// Everything else.
    pub index: &'a Index,
    /// Frames of the dump map, with their plain lengths.
    pub map: &'a [(u32, Vec<u8>)],
}

impl Sections for IndexSections<'_> {
    fn push_all<E: From<SectionError>>(&self, framer: &mut Framer<'_, E>) -> Result<(), E> {
        let Index { summary, blocks, recipe, spans } = self.index;
        framer.push(Section::Draft, self.draft.encode_draft().as_bytes(), 1)?;
        framer.push(Section::Summary, &encode_all(std::slice::from_ref(summary)), Summary::BYTES)?;
        framer.push(Section::Blocks, &encode_all(blocks), Block::BYTES)?;
        framer.push(Section::Recipe, &encode_all(recipe), Extent::BYTES)?;
        framer.push(Section::Spans, spans.as_flattened(), Span::BYTES)?;
        self.map.iter().try_for_each(|(plain, frame)| framer.push_frame(Section::Map, *plain, frame))
    }
}

impl Index {
    /// Reads the index of a backup and checks it against its manifest; `plain_bytes` are the plaintext lengths of the part table.
    ///
    /// # Errors
    /// It is not legal, contradicts itself, or is not the index of this manifest.
    pub fn read<E: From<ArchiveError>>(
        manifest: &Manifest,
        parts: &[u64],
        plain_bytes: &[u64],
        fetch: &mut Fetch<'_, E>,
    ) -> Result<Index, E> {
        let object = Index::object(manifest);
        let mut reader = SectionReader::open(Holder::Index, &object, parts, fetch)?;
        let refused = ArchiveError::format(&object);
        let draft = reader.read_all(Section::Draft, fetch)?;
        let draft = Manifest::parse_draft(&draft).map_err(&refused)?;
        check_draft(&object, &draft, manifest, &[Role::Data, Role::Catalogue])?;
        let summary = reader.read_all(Section::Summary, fetch)?;
        let summary = <Summary as Record>::parse(&summary).map_err(&refused)?;
        let blocks = parse_all(&reader.read_all(Section::Blocks, fetch)?).map_err(&refused)?;
        let recipe = parse_all(&reader.read_all(Section::Recipe, fetch)?).map_err(&refused)?;
        let spans: Vec<Span> = parse_all(&reader.read_all(Section::Spans, fetch)?).map_err(&refused)?;
        let index = Index { summary, blocks, recipe, spans: spans.into_iter().map(|Span(span)| span).collect() };
        index.check(&object, manifest, plain_bytes)?;
        Ok(index)
    }

    /// The draft alone: what a lost manifest is rebuilt from.
    ///
    /// # Errors
    /// It is not legal.
    pub fn read_draft<E: From<ArchiveError>>(
        object: &str,
        parts: &[u64],
        fetch: &mut Fetch<'_, E>,
    ) -> Result<Manifest, E> {
        let mut reader = SectionReader::open(Holder::Index, object, parts, fetch)?;
        let draft = reader.read_all(Section::Draft, fetch)?;
        Ok(Manifest::parse_draft(&draft).map_err(ArchiveError::format(object))?)
    }

    /// The name of the first index part.
    pub fn object(manifest: &Manifest) -> String {
        let first = manifest.parts.iter().find(|part| part.role == Role::Index);
        first.map_or_else(|| manifest.id.to_string(), |part| manifest.id.part_name(part.index))
    }

    /// The dump, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        self.pieces_from(0)
    }

    /// The dump from an extent on, piece by piece.
    pub fn pieces_from(&self, extent: usize) -> impl Iterator<Item = Piece> {
        let extents = self.recipe.get(extent..).unwrap_or(&[]);
        extents.iter().flat_map(|extent| Pieces { blocks: &self.blocks, rest: *extent })
    }

    /// What a reader is going to check, before the index is written; where the parts end, the writer knows best.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn check_writable(&self, draft: &Manifest) -> Result<(), ArchiveError> {
        let parts = vec![u64::MAX; draft.part_table().count()];
        self.check(&draft.id.to_string(), draft, &parts)
    }

    fn check(&self, object: &str, manifest: &Manifest, plain_bytes: &[u64]) -> Result<(), ArchiveError> {
        let refused = |what: &str| Err(damaged(object, what));
        let plain = self.summary.plain;
        if plain > DUMP_BYTES_MAX {
            let source = FormatError::Limit { what: "bytes of the dump", found: plain, limit: DUMP_BYTES_MAX };
            return Err(ArchiveError::Format { object: object.into(), source });
        }
        if manifest.size != padme(plain) {
            return refused("its size is not that of the manifest");
        }
        if self.spans.len() as u64 != plain.div_ceil(SPAN_BYTES as u64) {
            return refused("it does not have a digest for every span");
        }
        self.check_blocks(object, plain_bytes)?;
        self.check_recipe(object)
    }

    /// Blocks ascend, do not overlap, lie inside their parts, and use every part.
    fn check_blocks(&self, object: &str, plain_bytes: &[u64]) -> Result<(), ArchiveError> {
        let mut used = vec![false; plain_bytes.len()];
        for block in &self.blocks {
            match (used.get_mut(block.part as usize), plain_bytes.get(block.part as usize)) {
                (Some(used), Some(length)) if block.end() <= *length => *used = true,
                _ => return Err(damaged(object, "a block lies outside its part")),
            }
        }
        let apart = |left: &Block, right: &Block| {
            left.part < right.part || (left.part == right.part && left.end() <= u64::from(right.offset))
        };
        if !self.blocks.is_sorted_by(apart) {
            return Err(damaged(object, "its blocks are out of order"));
        }
        if used.contains(&false) {
            return Err(damaged(object, "a part is named that no block uses"));
        }
        Ok(())
    }

    /// Extents lie inside their blocks, run on only where blocks adjoin, use every block, and sum up to the dump.
    fn check_recipe(&self, object: &str) -> Result<(), ArchiveError> {
        let mut used = vec![false; self.blocks.len()];
        let mut total = 0_u64;
        for extent in &self.recipe {
            let mut pieces = Pieces { blocks: &self.blocks, rest: *extent };
            for piece in &mut pieces {
                used[piece.block as usize] = true;
                total = total.saturating_add(u64::from(piece.length));
            }
            if pieces.rest.length != 0 {
                return Err(damaged(object, "an extent goes where no block follows"));
            }
            // Enough is known: a forged recipe may have more pieces than anyone wants to count.
            if total > self.summary.plain {
                break;
            }
        }
        if total != self.summary.plain {
            return Err(damaged(object, "its extents do not sum up to the dump"));
        }
        if used.contains(&false) {
            return Err(damaged(object, "a block is named that no extent uses"));
        }
        Ok(())
    }
}

/// The pieces of one extent. Ends early, with a rest, where the extent leaves the blocks that adjoin.
struct Pieces<'a> {
    blocks: &'a [Block],
    rest: Extent,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let Extent { block, offset, length } = self.rest;
        if length == 0 {
            return None;
        }
        let here = self.blocks.get(block as usize)?;
        let room = here.plain.checked_sub(offset).filter(|room| *room > 0)?;
        let taken = u32::try_from(length).unwrap_or(u32::MAX).min(room);
        let left = length - u64::from(taken);
        if left > 0 {
            let next = self.blocks.get(block as usize + 1)?;
            if next.part != here.part || u64::from(next.offset) != here.end() {
                return None;
            }
        }
        self.rest = Extent { block: block.saturating_add(1), offset: 0, length: left };
        Some(Piece { block, offset, length: taken })
    }
}

/// The draft is the manifest as it stood when only parts of these roles existed.
///
/// # Errors
/// It is that of another manifest.
pub fn check_draft(object: &str, draft: &Manifest, manifest: &Manifest, roles: &[Role]) -> Result<(), ArchiveError> {
    let stood = Manifest {
        generation: 0,
        slots: Vec::new(),
        stored: 0,
        rebuilt: false,
        verdict: manifest.verdict.as_packed(),
        parts: manifest.parts.iter().filter(|part| roles.contains(&part.role)).cloned().collect(),
        ..manifest.clone()
    };
    if stood == *draft { Ok(()) } else { Err(damaged(object, "its draft is that of another manifest")) }
}
