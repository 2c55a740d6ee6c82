//! Decides for every chunk whether it is known, gathers new ones into blocks, and weaves the recipe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crate::base::id::ChunkId;
use crate::chunk::compress::{BlockCompressor, ZstdError};
use crate::chunk::noise::is_noise;
use crate::crypto::keys::IdsDigest;
use crate::format::frame::Frame;
use crate::index::run::RunTable;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::known::Known;
use crate::pipeline::pack::pace::Pace;
use crate::pipeline::pack::{BLOCK_PLAIN_TARGET, Run};
use crate::pipeline::stage::{Job, Pool, Workers};

/// A block on its way to the writer.
pub enum Block {
    /// It was compressed: the bytes of its frame.
    Compressed(Vec<u8>),
    /// It does not shrink: its plain bytes.
    Raw(Vec<u8>),
}

impl Block {
    /// What is stored of it.
    pub fn frame(&self) -> Frame<'_> {
        match self {
            Block::Compressed(frame) => Frame::Whole(frame),
            Block::Raw(plain) => Frame::Raw(plain),
        }
    }

    /// The memory, for another one.
    pub fn into_buffer(self) -> Vec<u8> {
        let (Block::Compressed(buffer) | Block::Raw(buffer)) = self;
        buffer
    }
}

/// A block that is being compressed.
pub type Pending = Job<Result<Block, ZstdError>>;

/// Where an extent's bytes lie. Own blocks sort before those of earlier backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a block of this run.
    Own,
    /// In a block of an earlier backup, by its ordinal among the known ones.
    Earlier(u32),
}

/// A stretch of the dump, running on through consecutive blocks of its origin.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Whose blocks.
    pub origin: Origin,
    /// Ordinal among the origin's blocks.
    pub block: u32,
    /// Offset in the block's plain bytes.
    pub offset: u32,
    /// Bytes.
    pub length: u64,
}

/// The state of a run between its stages.
pub struct Weaver<'a> {
    world: &'a World<'a>,
    workers: &'a Workers,
    compressors: Arc<Pool<BlockCompressor>>,
    /// Buffers of blocks and of frames: fresh memory is dearer than copying into it.
    buffers: Arc<Pool<Vec<u8>>>,
    pace: Arc<Pace>,
    block_max: usize,
    blocks: Option<SyncSender<Option<Pending>>>,
    block: Vec<u8>,
    /// What earlier backups hold.
    pub known: Known,
    /// The chunks that this run stores.
    pub run: RunTable,
    /// Plain length of every own block.
    pub own_plain: Vec<u32>,
    /// The dump so far.
    pub recipe: Vec<Stretch>,
    /// Where the last stretch ends: origin, block, offset.
    end: Option<(Origin, u32, u32)>,
    /// Digest over every (chunk id, length).
    pub ids: IdsDigest,
    /// Chunks so far.
    pub chunks: u64,
    /// Bytes that were not known.
    pub new: u64,
}

impl<'a> Weaver<'a> {
    /// A weaver that sends its blocks to `blocks`.
    pub fn new(
        run: &'a Run<'a>,
        known: Known,
        ids: IdsDigest,
        blocks: SyncSender<Option<Pending>>,
        buffers: Arc<Pool<Vec<u8>>>,
    ) -> Weaver<'a> {
        Weaver {
            world: run.world,
            workers: run.workers,
            compressors: Arc::default(),
            buffers,
            pace: Arc::clone(&run.pace),
            block_max: run.block_max,
            blocks: Some(blocks),
            block: Vec::new(),
            known,
            run: RunTable::new(),
            own_plain: Vec::new(),
            recipe: Vec::new(),
            end: None,
            ids,
            chunks: 0,
            new: 0,
        }
    }

    /// Sends the last block.
    ///
    /// # Errors
    /// The writer hung up.
    pub fn finish(&mut self) -> Result<(), RunError> {
        self.close_block()?;
        self.send(None)
    }

    /// Lets go of the writer. When it was not told that the last block came, the run has failed.
    pub fn hang_up(&mut self) {
        self.blocks = None;
    }

    /// The next chunk.
    ///
    /// # Errors
    /// The writer hung up, or a limit is exceeded.
    pub fn chunk(&mut self, id: ChunkId, bytes: &[u8]) -> Result<(), RunError> {
        let length = bytes.len() as u32;
        self.ids.push(&id, length);
        self.chunks += 1;
        if let Some(place) = self.run.find(&id, length) {
            self.extend(Origin::Own, place.block, place.offset, length);
        } else if let Some(found) = self.known.find(self.world, &id, length) {
            self.extend(Origin::Earlier(found.backup), found.block, found.offset, length);
        } else {
            if self.block.len() + bytes.len() > self.block_max {
                self.close_block()?;
            }
            let (block, offset) = (self.own_plain.len() as u32, self.block.len() as u32);
            self.run.push(id, length).map_err(|_| RunError::Limit { what: "the number of chunks", limit: 1 << 32 })?;
            self.block.extend_from_slice(bytes);
            self.new += u64::from(length);
            self.extend(Origin::Own, block, offset, length);
            if self.block.len() >= BLOCK_PLAIN_TARGET {
                self.close_block()?;
            }
        }
        Ok(())
    }

    /// Appends to the recipe; what adjoins the last stretch makes it longer.
    fn extend(&mut self, origin: Origin, block: u32, offset: u32, length: u32) {
        let adjoins = match self.end {
            Some((of, last, end)) if of == origin && last == block => end == offset,
            Some((of, last, end)) if of == origin && last.checked_add(1) == Some(block) => {
                offset == 0 && self.plain_of(of, last) == Some(end)
            }
            _ => false,
        };
        match self.recipe.last_mut().filter(|_| adjoins) {
            Some(stretch) => stretch.length += u64::from(length),
            None => self.recipe.push(Stretch { origin, block, offset, length: u64::from(length) }),
        }
        self.end = Some((origin, block, offset + length));
    }

    /// Plain length of a block that is closed.
    pub fn plain_of(&self, origin: Origin, block: u32) -> Option<u32> {
        match origin {
            Origin::Own => self.own_plain.get(block as usize).copied(),
            Origin::Earlier(backup) => self.known.block(backup, block).map(|block| block.plain),
        }
    }

    fn close_block(&mut self) -> Result<(), RunError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut next = self.buffers.take().unwrap_or_default();
        next.clear();
        next.reserve(self.block_max);
        let plain = std::mem::replace(&mut self.block, next);
        self.own_plain.push(plain.len() as u32);
        self.run.close_block();
        let job = self.compress(plain);
        self.send(Some(job))
    }

    fn send(&self, block: Option<Pending>) -> Result<(), RunError> {
        let sent = self.blocks.as_ref().map(|blocks| blocks.send(block));
        if let Some(Ok(())) = sent { Ok(()) } else { Err(RunError::Worker) }
    }

    /// Has a block compressed.
    fn compress(&self, plain: Vec<u8>) -> Pending {
        let (pace, compressors) = (Arc::clone(&self.pace), Arc::clone(&self.compressors));
        let buffers = Arc::clone(&self.buffers);
        let level = pace.level();
        self.workers.submit(move || {
            let work = |zstd: &mut BlockCompressor| {
                zstd.set_level(level)?;
                pace.work(|| compress(plain, zstd, &buffers))
            };
            compressors.with(|| BlockCompressor::new(level), work)?
        })
    }

    /// Cuts stretches into pieces of one block each: (origin, block, offset, length).
    pub fn pieces(&self) -> impl Iterator<Item = (Origin, u32, u32, u32)> {
        self.recipe.iter().flat_map(move |stretch| {
            let mut rest = *stretch;
            std::iter::from_fn(move || {
                let plain = self.plain_of(rest.origin, rest.block).filter(|_| rest.length > 0)?;
                let length = u64::from(plain - rest.offset).min(rest.length);
                let piece = (rest.origin, rest.block, rest.offset, length as u32);
                rest = Stretch { block: rest.block + 1, offset: 0, length: rest.length - length, ..rest };
                Some(piece)
            })
        })
    }

    /// The blocks of earlier backups that the recipe uses.
    pub fn foreign_blocks(&self) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut used: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (origin, block, _, _) in self.pieces() {
            if let Origin::Earlier(backup) = origin {
                used.entry(backup).or_default().insert(block);
            }
        }
        used
    }

    /// Live plain bytes of every earlier part, each byte once.
    pub fn foreign_live(&self) -> BTreeMap<(u32, u32), u64> {
        let foreign = self.pieces().filter_map(|(origin, block, offset, length)| match origin {
            Origin::Earlier(backup) => Some((backup, block, offset, offset + length)),
            Origin::Own => None,
        });
        let mut ranges: Vec<(u32, u32, u32, u32)> = foreign.collect();
        ranges.sort_unstable();
        let mut live = BTreeMap::new();
        let mut covered = (u32::MAX, u32::MAX, 0);
        for (backup, block, from, to) in ranges {
            if (covered.0, covered.1) != (backup, block) {
                covered = (backup, block, 0);
            }
            let from = from.max(covered.2);
            if let Some(known) = self.known.block(backup, block).filter(|_| from < to) {
                *live.entry((backup, known.part)).or_default() += u64::from(to - from);
                covered.2 = to;
            }
        }
        live
    }
}

fn compress(plain: Vec<u8>, zstd: &mut BlockCompressor, buffers: &Pool<Vec<u8>>) -> Result<Block, ZstdError> {
    let mut frame = buffers.take().unwrap_or_default();
    if is_noise(&plain, zstd, &mut frame)? {
        buffers.give(frame);
        return Ok(Block::Raw(plain));
    }
    zstd.compress_into(&plain, &mut frame)?;
    buffers.give(plain);
    Ok(Block::Compressed(frame))
}
