//! The steps from a dump to the parts and the manifest of a backup.

use std::collections::BTreeMap;

use vault::base::cutter::Cutter;
use vault::base::id::{BackupId, ChunkId};
use vault::base::limits::SPAN_BYTES;
use vault::base::size::padme;
use vault::chunk::chunker::Chunker;
use vault::crypto::chunk_id::ChunkIds;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::{ArchiveKey, VaultKeys};
use vault::crypto::sealed;
use vault::crypto::secret::Secret;
use vault::crypto::span::SpanKey;
use vault::format::frame::raw_frame;
use vault::format::header::{Header, Role, SegmentSize};
use vault::format::manifest::{Base, Manifest, Part, Verdict};
use vault::pipeline::port::Random;

use super::build::{Block, Built, Hooks, Kit, Stage, master};
use super::container::Objects;
use super::form::{CatalogueForm, Frame, IndexForm};
use super::seal::{Order, seal};
use crate::common::world::Seeded;

/// An archive key from its bytes.
pub fn archive_key(bytes: &[u8; 32], scope: Scope, id: BackupId) -> ArchiveKey {
    ArchiveKey::new(scope, id, Secret::fill(|secret| *secret = *bytes))
}

/// A backup in the making.
pub struct Work {
    pub keys: VaultKeys,
    pub archive_key: [u8; 32],
    random: Seeded,
    pub manifest: Manifest,
    pub objects: Objects,
    pub dump: Vec<u8>,
    pub blocks: Vec<Block>,
    segment: SegmentSize,
}

impl Work {
    /// Draws the archive key and seals it.
    pub fn new(kit: &Kit, id: BackupId, hooks: &mut Hooks) -> Work {
        let keys = master(kit.epoch).derive();
        let random = Seeded::new(&kit.seed);
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let key = archive_key(&secret, keys.pack.scope, id);
        let mut sealed_key = sealed::seal(&keys.pack, &id, &key, &mut |bytes| random.fill(bytes)).expect("seals");
        hooks.run(Stage::Sealed(&mut sealed_key));
        let bases = kit.base.iter().map(|base| base_entry(base)).collect();
        let manifest = Manifest {
            id,
            epoch: kit.epoch,
            fingerprint: keys.pack.fingerprint.0,
            tool: "testkit".into(),
            kind: "raw".into(),
            verdict: Verdict::Unchecked,
            size: 0,
            stored: 0,
            tags: kit.tags.clone(),
            seq: 1,
            prev: None,
            rebuilt: false,
            sealed_key,
            generation: 1,
            slots: kit.slots.clone(),
            parts: Vec::new(),
            bases,
        };
        Work {
            keys,
            archive_key: secret,
            random,
            manifest,
            objects: BTreeMap::new(),
            dump: Vec::new(),
            blocks: Vec::new(),
            segment: SegmentSize::from_log2(kit.segment).expect("a legal size"),
        }
    }

    /// Makes every part, and the manifest that names them.
    pub fn pack(&mut self, kit: &Kit, hooks: &mut Hooks) {
        self.blocks = self.cut(kit);
        hooks.run(Stage::Blocks(&mut self.blocks));
        let parts = self.blocks.last().map_or(0, |block| block.part + 1);
        for part in 0..parts {
            let frames = self.blocks.iter().filter(|block| block.part == part);
            let content = frames.flat_map(|block| block.frame.clone()).collect();
            self.seal(Role::Data, content, hooks);
        }
        let mut index = self.index(kit.base.as_deref());
        self.manifest.size = padme(index.plain);
        let mut catalogue = self.catalogue(kit, kit.base.as_deref());
        hooks.run(Stage::Catalogue(&mut catalogue));
        self.seal_sections(Role::Catalogue, catalogue.sections(), kit.section_parts, hooks);
        index.draft = self.manifest.encode_draft().into_bytes();
        hooks.run(Stage::Index(&mut index));
        self.seal_sections(Role::Index, index.sections(), kit.section_parts, hooks);
        self.manifest.stored = self.manifest.parts.iter().map(|part| part.bytes).sum();
        hooks.run(Stage::Manifest(&mut self.manifest));
    }

    fn cut(&self, kit: &Kit) -> Vec<Block> {
        let chunker = Chunker::new(kit.cutter, self.keys.pack.gear_table());
        let ids = ChunkIds::new(&self.keys.pack.chunk_id);
        let mut blocks: Vec<Block> = Vec::new();
        let mut rest = kit.dump.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunker.cut(rest));
            rest = after;
            if blocks.last().is_none_or(|block| block.plain.len() >= kit.block_bytes) {
                blocks.push(Block {
                    part: (blocks.len() / kit.part_blocks) as u32,
                    plain: Vec::new(),
                    frame: Vec::new(),
                    chunks: Vec::new(),
                });
            }
            if let Some(block) = blocks.last_mut() {
                let id = ids.id(chunk).0;
                block.chunks.push((id, chunk.len() as u32));
                block.plain.extend_from_slice(chunk);
            }
        }
        for block in &mut blocks {
            block.frame = zstd::bulk::compress(&block.plain, 3).expect("zstd compresses");
        }
        blocks
    }

    /// The index as it should be; its draft is made when the catalogue is sealed.
    fn index(&mut self, base: Option<&Built>) -> IndexForm {
        let own_parts = self.manifest.parts.len() as u32;
        let mut blocks = Vec::new();
        let (mut recipe, mut offsets) = (Vec::new(), BTreeMap::<u32, u32>::new());
        let of_base = base.into_iter().flat_map(|base| base.blocks.iter().filter(|block| block.part == 0));
        for (block, part) in
            self.blocks.iter().map(|block| (block, block.part)).chain(of_base.clone().map(|block| (block, own_parts)))
        {
            let offset = offsets.entry(part).or_default();
            let (stored, plain) = (block.frame.len() as u32, block.plain.len() as u32);
            if *offset == 0 {
                recipe.push((blocks.len() as u32, 0, 0));
            }
            recipe.last_mut().expect("an extent").2 += u64::from(plain);
            blocks.push([part, *offset, stored, plain, 0]);
            *offset += stored;
        }
        // The part of the base comes first in the dump.
        let last = recipe.len().saturating_sub(1);
        recipe.rotate_right(usize::from(base.is_some() && last > 0));
        let in_order = of_base.chain(&self.blocks);
        let archive_key = archive_key(&self.archive_key, self.keys.pack.scope, self.manifest.id);
        let span_key = archive_key.span_key();
        let mut ids = archive_key.ids_digest();
        let mut chunks = 0;
        for block in in_order {
            self.dump.extend_from_slice(&block.plain);
            for (id, length) in &block.chunks {
                ids.push(&ChunkId(*id), *length);
                chunks += 1;
            }
        }
        IndexForm {
            draft: Vec::new(),
            plain: self.dump.len() as u64,
            chunks,
            ids_digest: ids.finish(),
            blocks,
            recipe,
            spans: spans(&self.dump, &span_key),
            span_key,
            map: Vec::new(),
        }
    }

    fn catalogue(&self, kit: &Kit, base: Option<&Built>) -> CatalogueForm {
        let Cutter { minimum, average, maximum, strict, loose } = kit.cutter;
        let row =
            |block: &Block| [block.part, block.frame.len() as u32, block.plain.len() as u32, block.chunks.len() as u32];
        let plain = |blocks: &[Block], part| {
            blocks.iter().filter(|block| block.part == part).map(|block| block.plain.len() as u64).sum::<u64>()
        };
        let own = self.blocks.last().map_or(0, |block| block.part + 1);
        let mut usage: Vec<_> = (0..own).map(|part| plain(&self.blocks, part)).collect();
        usage.extend(base.map(|base| plain(&base.blocks, 0)));
        CatalogueForm {
            draft: self.manifest.encode_draft().into_bytes(),
            cutter: [minimum.into(), average.into(), maximum.into(), 0, strict, loose],
            blocks: self.blocks.iter().map(row).collect(),
            chunks: self.blocks.iter().flat_map(|block| block.chunks.clone()).collect(),
            usage: usage.into_iter().map(|plain| (plain, plain)).collect(),
        }
    }

    fn seal_sections(&mut self, role: Role, sections: Vec<(u32, Vec<u8>)>, parts: u32, hooks: &mut Hooks) {
        // The draft stands in the first part, everything else in the last.
        let mut frames: Vec<Frame> = Vec::new();
        for (section, content) in sections {
            let part = if section == 1 { 0 } else { parts - 1 };
            frames.extend(content.chunks((1 << 20) / 20 * 20).map(|piece| Frame::of(section, part, piece)));
        }
        hooks.run(Stage::Frames(role, &mut frames));
        let fields = |frame: &Frame| [frame.section, frame.part, frame.stored, frame.plain];
        let mut records = frames.iter().flat_map(fields).flat_map(u32::to_le_bytes).collect();
        hooks.run(Stage::Records(role, &mut records));
        let mut directory = raw_frame(&records);
        hooks.run(Stage::Directory(role, &mut directory));
        for part in 0..parts {
            let mut content = if part == 0 { directory.clone() } else { Vec::new() };
            content.extend(frames.iter().filter(|frame| frame.part == part).flat_map(|frame| frame.bytes.clone()));
            self.seal(role, content, hooks);
        }
    }

    fn seal(&mut self, role: Role, content: Vec<u8>, hooks: &mut Hooks) {
        let mut salt = [0; 24];
        self.random.fill(&mut salt);
        let index = self.manifest.parts.len() as u32;
        let header = Header {
            role,
            segment: self.segment,
            index,
            id: self.manifest.id,
            epoch: self.manifest.epoch,
            fingerprint: self.manifest.fingerprint,
            salt,
            sealed_key: self.manifest.sealed_key,
        };
        let secret = if role == Role::Catalogue { *self.keys.pack.catalogue.expose() } else { self.archive_key };
        let (object, part) = seal(Order { header, secret, content }, hooks);
        self.objects.insert(self.manifest.id.part_name(index), object);
        self.manifest.parts.push(part);
    }
}

/// What a manifest says of its base: the first data part, and the catalogue.
fn base_entry(base: &Built) -> Base {
    let wanted = |part: &&Part| part.index == 0 || part.role == Role::Catalogue;
    Base {
        id: base.id,
        sealed_key: base.manifest.sealed_key,
        parts: base.manifest.parts.iter().filter(wanted).cloned().collect(),
    }
}

/// The digest of every span.
pub fn spans(dump: &[u8], key: &SpanKey) -> Vec<[u8; 16]> {
    (0..).zip(dump.chunks(SPAN_BYTES)).map(|(ordinal, span)| key.digest(ordinal, span)).collect()
}
