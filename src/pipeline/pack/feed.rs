//! Reads the input in slabs of one span, watches it, cuts it, and has ids and span digests computed by the workers.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use crate::base::id::ChunkId;
use crate::base::limits::{DUMP_BYTES_MAX, SPAN_BYTES};
use crate::chunk::chunker::Chunker;
use crate::crypto::span::SpanHasher;
use crate::dump;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::POLL;
use crate::pipeline::stage::{Job, Workers};

/// Slabs that are read ahead.
const SLABS_AHEAD: usize = 4;

/// One span of the input, behind room for what the slab before left uncut.
type Buffer = Vec<u8>;

/// A slab that is cut into chunks, with their ids.
pub struct Slab {
    bytes: Buffer,
    /// Where the first chunk begins.
    start: usize,
    /// Lengths of the chunks.
    cuts: Vec<u32>,
}

/// What the workers found out about a slab.
struct Hashed {
    slab: Slab,
    ids: Vec<ChunkId>,
    span: [u8; 32],
    /// BLAKE3 of the first span as if it were the whole dump.
    whole: Option<[u8; 32]>,
}

/// The chunks of a slab with their ids, in order.
pub struct Chunks<'a> {
    hashed: &'a Hashed,
}

impl Chunks<'_> {
    /// Calls `take` for every chunk.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn each(&self, mut take: impl FnMut(ChunkId, &[u8]) -> Result<(), RunError>) -> Result<(), RunError> {
        let Slab { bytes, start, cuts } = &self.hashed.slab;
        let mut at = *start;
        for (id, length) in self.hashed.ids.iter().zip(cuts) {
            let end = at + *length as usize;
            take(*id, &bytes[at..end])?;
            at = end;
        }
        Ok(())
    }
}

/// What is known when the input has ended.
pub struct Fed {
    /// Bytes read.
    pub plain: u64,
    /// Chaining value of every span.
    pub spans: Vec<[u8; 32]>,
    /// BLAKE3 of the input.
    pub digest: [u8; 32],
    /// What the input was.
    pub report: dump::Report,
}

/// The input as it is being read.
pub struct Feed {
    slabs: Receiver<std::io::Result<Option<Buffer>>>,
    chunker: Chunker,
    head: usize,
    carry: Vec<u8>,
    chunk_key: Arc<zeroize::Zeroizing<[u8; 32]>>,
    pending: VecDeque<Job<Arc<Hashed>>>,
    observer: dump::Observer,
    plain: u64,
    spans: Vec<[u8; 32]>,
    whole: Option<[u8; 32]>,
}

impl Feed {
    /// Begins to read. The reading thread is on its own: a read that never returns does not hold up the end of the run.
    pub fn start(input: Box<dyn Read + Send>, chunker: Chunker, workers: &Workers, chunk_key: &[u8; 32]) -> Feed {
        let (sender, slabs) = sync_channel(SLABS_AHEAD);
        let head = chunker.maximum();
        std::thread::spawn(move || read_slabs(input, head, &sender));
        Feed {
            slabs,
            chunker,
            head,
            carry: Vec::with_capacity(head),
            chunk_key: Arc::new(zeroize::Zeroizing::new(*chunk_key)),
            pending: VecDeque::with_capacity(workers.threads() + 3),
            observer: dump::Observer::new(),
            plain: 0,
            spans: Vec::new(),
            whole: None,
        }
    }

    /// Reads to the end, and gives every slab's chunks to `take`, in order.
    ///
    /// # Errors
    /// The input broke off, its producer failed, or the run was stopped; and those of `take`.
    pub fn run(
        &mut self,
        world: &World<'_>,
        workers: &Workers,
        take: &mut dyn FnMut(Chunks<'_>) -> Result<(), RunError>,
    ) -> Result<Fed, RunError> {
        // A slab waits until the next one is there: only the last may be cut to its end.
        let mut waiting: Option<Buffer> = None;
        loop {
            world.check_stop()?;
            match self.slabs.recv_timeout(POLL) {
                Ok(read) => {
                    let read = read.map_err(|error| match world.control.stop() {
                        // A read that was interrupted on purpose is not an input that broke off.
                        Some(stop) => RunError::Stopped(stop),
                        None => RunError::Input(error),
                    })?;
                    let Some(slab) = read else { break };
                    self.watch(world, &slab)?;
                    if let Some(before) = waiting.replace(slab) {
                        self.hash(workers, before, End::Open);
                        self.hand_on(workers.threads() + 2, take)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The end of the input is said, never inferred from a reader that is gone.
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Worker),
            }
        }
        if let Some(last) = waiting {
            self.hash(workers, last, End::Here);
        }
        self.hand_on(0, take)?;
        world.control.end_of_input().map_err(|error| match world.control.stop() {
            Some(stop) => RunError::Stopped(stop),
            None => RunError::Source(error),
        })?;
        Ok(self.fed())
    }

    /// What passes is counted and looked at, and never changed.
    fn watch(&mut self, world: &World<'_>, slab: &Buffer) -> Result<(), RunError> {
        let bytes = &slab[self.head..];
        self.observer.push(bytes);
        self.plain += bytes.len() as u64;
        world.observer.advanced(bytes.len() as u64);
        if self.plain > DUMP_BYTES_MAX {
            return Err(RunError::Limit { what: "the dump", limit: DUMP_BYTES_MAX });
        }
        Ok(())
    }

    /// Cuts a slab and submits it. What is too short to be cut is carried to the next slab.
    fn hash(&mut self, workers: &Workers, mut bytes: Buffer, end: End) {
        let start = self.head - self.carry.len();
        bytes[start..self.head].copy_from_slice(&self.carry);
        self.carry.clear();
        let mut at = start;
        let mut cuts = Vec::with_capacity(bytes.len() / 8192 + 1);
        while at < bytes.len() && (end == End::Here || bytes.len() - at >= self.chunker.maximum()) {
            let length = self.chunker.cut(&bytes[at..]);
            // A cut is at most the maximum, which is below 2^21.
            cuts.push(length as u32);
            at += length;
        }
        self.carry.extend_from_slice(&bytes[at..]);
        let (head, ordinal) = (self.head, self.spans.len() as u64 + self.pending.len() as u64);
        let key = Arc::clone(&self.chunk_key);
        let slab = Slab { bytes, start, cuts };
        self.pending.push_back(workers.submit(move || Arc::new(hash_slab(slab, head, ordinal, &key))));
    }

    /// Awaits slabs in order until at most `ahead` are under way.
    fn hand_on(
        &mut self,
        ahead: usize,
        take: &mut dyn FnMut(Chunks<'_>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        while self.pending.len() > ahead {
            let Some(job) = self.pending.pop_front() else { break };
            let hashed = job.wait()?;
            self.spans.push(hashed.span);
            self.whole = self.whole.or(hashed.whole);
            take(Chunks { hashed: &hashed })?;
        }
        Ok(())
    }

    fn fed(&mut self) -> Fed {
        let spans = std::mem::take(&mut self.spans);
        let digest = match spans.len() {
            0 => *blake3::hash(b"").as_bytes(),
            1 => self.whole.unwrap_or_default(),
            _ => crate::crypto::span::merge(&spans).unwrap_or_default(),
        };
        Fed { plain: self.plain, spans, digest, report: std::mem::take(&mut self.observer).finish() }
    }
}

/// Whether the stream ends with a slab.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// More follows.
    Open,
    /// It ends here.
    Here,
}

fn hash_slab(slab: Slab, head: usize, ordinal: u64, key: &[u8; 32]) -> Hashed {
    let mut ids = Vec::with_capacity(slab.cuts.len());
    let mut at = slab.start;
    for length in &slab.cuts {
        let end = at + *length as usize;
        ids.push(crate::crypto::keys::chunk_id(key, &slab.bytes[at..end]));
        at = end;
    }
    let mut span = SpanHasher::new(ordinal);
    span.update(&slab.bytes[head..]);
    let whole = (ordinal == 0).then(|| span.whole());
    Hashed { ids, span: span.finish(), whole, slab }
}

/// Fills slabs until the input ends, which it says with a last `None`, or nobody takes them.
fn read_slabs(mut input: Box<dyn Read + Send>, head: usize, slabs: &SyncSender<std::io::Result<Option<Buffer>>>) {
    loop {
        let mut buffer = vec![0; head + SPAN_BYTES];
        let read = read_full(&mut input, &mut buffer[head..]).map(|filled| {
            buffer.truncate(head + filled);
            (filled > 0).then_some(buffer)
        });
        let ended = !matches!(read, Ok(Some(_)));
        if slabs.send(read).is_err() || ended {
            return;
        }
    }
}

/// Reads until the buffer is full or the input ends.
fn read_full(input: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
