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
use crate::crypto::span::SpanHasher;
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
        Ok(Restore { world: *world, id: manifest.id, readers, index, workers: Workers::new(threads)? })
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

    /// Releases the dump. Success means that all of it was released and that its digest agrees.
    ///
    /// # Errors
    /// Something is not what it should be, the sink failed, or the run is stopped.
    pub fn release(&self, sink: &mut dyn Write) -> Result<(), RunError> {
        let ahead = self.workers.threads() + 2;
        std::thread::scope(|scope| {
            let (sender, items) = sync_channel(ahead);
            let plan = move || self.plan(&sender);
            Builder::new().spawn_scoped(scope, plan).map_err(|_| RunError::Worker)?;
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
        let mut held = HeldSpan::new(0);
        loop {
            self.world.check_stop()?;
            let (job, piece) = match items.recv_timeout(POLL) {
                Ok(item) => item?,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let block = job.wait()?.map_err(|error| RunError::Archive((*error).clone()))?;
            let (mut from, to) = (piece.offset as usize, piece.offset as usize + piece.length as usize);
            while from < to {
                let step = held.room().min(to - from);
                held.push(Arc::clone(&block), from, step);
                from += step;
                if held.room() == 0 {
                    held = self.release_span(held, sink)?;
                }
            }
        }
        if held.bytes > 0 {
            held = self.release_span(held, sink)?;
        }
        self.check_end(&held)
    }

    /// Releases a span whose digest agrees.
    fn release_span(&self, held: HeldSpan, sink: &mut dyn Write) -> Result<HeldSpan, RunError> {
        let recorded = self.index.spans.get(held.ordinal as usize);
        let whole =
            held.whole_digest().is_none_or(|digest| self.index.spans.len() != 1 || digest == self.index.summary.digest);
        if recorded != Some(&held.hasher.finish()) || !whole {
            return Err(RunError::Digest { id: self.id });
        }
        for piece in &held.pieces {
            sink.write_all(piece.bytes()).map_err(RunError::Output)?;
            self.world.observer.advanced(piece.bytes().len() as u64);
        }
        Ok(HeldSpan::new(held.ordinal + 1))
    }

    /// Every span was released: merged they are the digest, which the index was checked against when it was read.
    fn check_end(&self, held: &HeldSpan) -> Result<(), RunError> {
        let all = held.ordinal == self.index.spans.len() as u64 && held.bytes == 0;
        if all { Ok(()) } else { Err(RunError::Digest { id: self.id }) }
    }
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

/// A piece of a span.
enum Held {
    /// A range of a block.
    Shared(Arc<Pooled>, std::ops::Range<usize>),
    /// Held by reference, thousands of small pieces would pin as many whole blocks.
    Copied(Vec<u8>),
}

impl Held {
    fn bytes(&self) -> &[u8] {
        match self {
            Held::Shared(block, range) => block.bytes.get(range.clone()).unwrap_or(&[]),
            Held::Copied(bytes) => bytes,
        }
    }
}

/// The span that is being gathered, held back until its digest agrees.
struct HeldSpan {
    ordinal: u64,
    hasher: SpanHasher,
    bytes: usize,
    pieces: Vec<Held>,
}

impl HeldSpan {
    fn new(ordinal: u64) -> HeldSpan {
        HeldSpan { ordinal, hasher: SpanHasher::new(ordinal), bytes: 0, pieces: Vec::new() }
    }

    fn room(&self) -> usize {
        SPAN_BYTES - self.bytes
    }

    fn push(&mut self, block: Arc<Pooled>, from: usize, length: usize) {
        let small = length < block.bytes.len() / 4;
        let shared = Held::Shared(block, from..from + length);
        let held = if small { Held::Copied(shared.bytes().to_vec()) } else { shared };
        self.hasher.update(held.bytes());
        self.bytes += length;
        self.pieces.push(held);
    }

    /// The digest of the first span as if it were the whole dump.
    fn whole_digest(&self) -> Option<[u8; 32]> {
        (self.ordinal == 0).then(|| self.hasher.whole())
    }
}
