//! Unpack: from a manifest to the stream, releasing authenticated bytes only, in order (spec/objects.md, "Order of reading").
//!
//! One thread plans and fetches, workers decompress ahead, and the caller's thread checks every span and releases it. What is in memory: the
//! blocks between the first and the last of these, and the span that is being held back.

mod extract;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;

use crate::archive::ArchiveError;
use crate::archive::index::{Index, Piece};
use crate::archive::manifest::OpenManifest;
use crate::base::id::BackupId;
use crate::base::limits::SPAN_BYTES;
use crate::chunk::compress::BlockDecompressor;
use crate::crypto::keys::VaultKeys;
use crate::crypto::span::SpanKey;
use crate::format::frame::check_header;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{RangeReader, Readers};
use crate::pipeline::pack::POLL;
use crate::pipeline::stage::{Pool, Pooled, Shared, Workers};

pub use extract::Cost;

/// Decompressed blocks that are kept for a recipe that comes back to them.
const BLOCKS_KEPT: usize = 32;
/// Opened segments that are kept, of 1 MiB each.
const SEGMENTS_KEPT: usize = 8;

/// A backup whose every object is there, in full size and with the right header, and whose index is read.
pub struct Restore<'a> {
    world: World<'a>,
    id: BackupId,
    readers: Readers<'a>,
    index: Index,
    spans: SpanKey,
    workers: Workers,
}

type Plain = Result<Arc<Pooled>, Arc<ArchiveError>>;

/// A piece of the dump on its way to be released.
type Item = Result<(Shared<Plain>, Piece), RunError>;

impl<'a> Restore<'a> {
    /// Checks everything that the restore needs. Nothing is released yet.
    ///
    /// # Errors
    /// An object is missing, or not the one that is recorded.
    pub fn prepare(
        world: &World<'a>,
        open: &OpenManifest,
        keys: &VaultKeys,
        threads: usize,
    ) -> Result<Restore<'a>, RunError> {
        let OpenManifest { manifest, archive_key } = open;
        let readers = Readers::open(world.store, manifest, archive_key, keys)?;
        let index = readers.read_index(manifest)?;
        let (spans, workers) = (archive_key.span_key(), Workers::new(threads)?);
        Ok(Restore { world: *world, id: manifest.id, readers, index, spans, workers })
    }

    /// Bytes of the dump.
    pub fn plain_bytes(&self) -> u64 {
        self.index.summary.plain
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The parts that are open.
    pub fn readers(&self) -> &Readers<'a> {
        &self.readers
    }

    /// Decompresses and checks everything, and releases nothing.
    ///
    /// # Errors
    /// Something is not what it should be, or the run is stopped.
    pub fn check(&self) -> Result<(), RunError> {
        self.release(&mut std::io::sink())
    }

    /// Releases the dump. Success means that all of it was released and that every digest agrees.
    ///
    /// # Errors
    /// Something is not what it should be, the sink failed, or the run is stopped.
    pub fn release(&self, sink: &mut dyn Write) -> Result<(), RunError> {
        let ahead = self.workers.threads() + 2;
        std::thread::scope(|scope| {
            let (sender, items) = sync_channel(ahead);
            let plan = move || self.plan(&sender);
            Builder::new().name("plan".into()).spawn_scoped(scope, plan).map_err(|_| RunError::Worker)?;
            let released = self.gather(&items, sink);
            // Dropping the receiver ends the planner, whose next send fails.
            drop(items);
            released
        })?;
        sink.flush().map_err(RunError::Output)
    }

    /// Fetches the blocks of the recipe in order and has them decompressed.
    fn plan(&self, items: &SyncSender<Item>) {
        let mut planner = Planner::new(self, self.index.pieces());
        for piece in self.index.pieces() {
            let item = planner.block(piece.block).map(|job| (job, piece));
            let failed = item.is_err();
            if items.send(item).is_err() || failed {
                return;
            }
        }
    }

    /// Awaits the pieces, checks span after span, and releases them.
    fn gather(&self, items: &Receiver<Item>, sink: &mut dyn Write) -> Result<(), RunError> {
        let mut held = HeldSpan::default();
        loop {
            self.world.check_stop()?;
            let (job, piece) = match items.recv_timeout(POLL) {
                Ok(item) => item?,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let block = self.workers.wait(&job)?.map_err(|error| RunError::Archive((*error).clone()))?;
            let (from, to) = (piece.offset as usize, piece.offset as usize + piece.length as usize);
            let mut rest = block.bytes.get(from..to).ok_or(RunError::Digest { id: self.id })?;
            while !rest.is_empty() {
                match rest.split_at_checked(SPAN_BYTES).filter(|_| held.bytes.is_empty()) {
                    // A whole span is not copied.
                    Some((span, after)) => {
                        self.release_span(held.ordinal, span, sink)?;
                        (held.ordinal, rest) = (held.ordinal + 1, after);
                    }
                    None => {
                        let (now, after) = rest.split_at(rest.len().min(SPAN_BYTES - held.bytes.len()));
                        held.bytes.extend_from_slice(now);
                        rest = after;
                        if held.bytes.len() == SPAN_BYTES {
                            self.release_held(&mut held, sink)?;
                        }
                    }
                }
            }
        }
        if !held.bytes.is_empty() {
            self.release_held(&mut held, sink)?;
        }
        // The lengths of the recipe were summed up when the index was read.
        if held.ordinal == self.index.spans.len() as u64 { Ok(()) } else { Err(RunError::Digest { id: self.id }) }
    }

    fn release_held(&self, held: &mut HeldSpan, sink: &mut dyn Write) -> Result<(), RunError> {
        self.release_span(held.ordinal, &held.bytes, sink)?;
        held.ordinal += 1;
        held.bytes.clear();
        Ok(())
    }

    /// Releases a span whose digest agrees.
    fn release_span(&self, ordinal: u64, span: &[u8], sink: &mut dyn Write) -> Result<(), RunError> {
        self.check_span(ordinal, span)?;
        sink.write_all(span).map_err(RunError::Output)?;
        self.world.observer.advanced(span.len() as u64);
        Ok(())
    }

    fn check_span(&self, ordinal: u64, span: &[u8]) -> Result<(), RunError> {
        let recorded = usize::try_from(ordinal).ok().and_then(|ordinal| self.index.spans.get(ordinal));
        let agrees = recorded.is_some_and(|recorded| self.spans.agrees(ordinal, span, recorded));
        if agrees { Ok(()) } else { Err(RunError::Digest { id: self.id }) }
    }
}

/// The span that is being gathered, of several pieces.
#[derive(Default)]
struct HeldSpan {
    ordinal: u64,
    bytes: Vec<u8>,
}

/// Fetches blocks, each once while it is among the recent ones.
struct Planner<'r, 'a> {
    restore: &'r Restore<'a>,
    ranges: RangeReader<'r, 'a>,
    recent: VecDeque<(u32, Shared<Plain>)>,
    /// For each block, how many pieces of it are still to come.
    uses: Vec<u32>,
    decompressors: Arc<Pool<BlockDecompressor>>,
    buffers: Arc<Pool<Vec<u8>>>,
}

impl<'r, 'a> Planner<'r, 'a> {
    /// A planner for these pieces.
    fn new(restore: &'r Restore<'a>, pieces: impl Iterator<Item = Piece>) -> Planner<'r, 'a> {
        let mut uses = vec![0; restore.index.blocks.len()];
        for piece in pieces {
            uses[piece.block as usize] += 1;
        }
        Planner {
            restore,
            ranges: RangeReader::new(&restore.readers.data, SEGMENTS_KEPT),
            recent: VecDeque::with_capacity(BLOCKS_KEPT),
            uses,
            decompressors: Arc::default(),
            buffers: Arc::default(),
        }
    }

    /// The next piece's block. What no later piece is of is not kept.
    fn block(&mut self, ordinal: u32) -> Result<Shared<Plain>, RunError> {
        let place = self.recent.iter().position(|(known, _)| *known == ordinal);
        let job = match place.and_then(|place| self.recent.remove(place)) {
            Some((_, found)) => found,
            None => self.fetch(ordinal)?,
        };
        let uses = &mut self.uses[ordinal as usize];
        *uses -= 1;
        if *uses > 0 {
            if self.recent.len() == BLOCKS_KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back((ordinal, job.clone()));
        }
        Ok(job)
    }

    fn fetch(&mut self, ordinal: u32) -> Result<Shared<Plain>, RunError> {
        let block = self.restore.index.blocks[ordinal as usize];
        let frame = self.ranges.range(block.part as usize, u64::from(block.offset), block.stored as usize)?;
        let object = self.restore.readers.data[block.part as usize].name().to_owned();
        let (decompressors, buffers) = (Arc::clone(&self.decompressors), Arc::clone(&self.buffers));
        let job = self.restore.workers.submit(move || {
            let mut plain = Pooled::of(&buffers);
            open_block(&object, &frame, block.plain as usize, &decompressors, &mut plain.bytes).map_err(Arc::new)?;
            Ok(Arc::new(plain))
        });
        Ok(job.share())
    }
}

/// Puts the plain bytes of a block in place of what is in `bytes`.
///
/// # Errors
/// The frame is not one of vault's, or of another length.
pub fn open_block(
    object: &str,
    frame: &[u8],
    plain: usize,
    decompressors: &Pool<BlockDecompressor>,
    bytes: &mut Vec<u8>,
) -> Result<(), ArchiveError> {
    check_header(frame, plain).map_err(ArchiveError::format(object))?;
    let opened = decompressors.with(BlockDecompressor::new, |zstd| zstd.decompress_into(frame, plain, bytes));
    opened.and_then(|opened| opened).map_err(|source| ArchiveError::Zstd { object: object.into(), source })
}
