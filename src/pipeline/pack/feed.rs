//! Reads the input in slabs, watches it, and has the workers cut and hash it.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Instant;

use crate::archive::map::MapWriter;
use crate::base::limits::DUMP_BYTES_MAX;
use crate::crypto::span::SpanDigest;
use crate::dump;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::POLL;
use crate::pipeline::pack::pace::Pace;
use crate::pipeline::pack::slab::{Cutting, Guess, SLAB_BYTES, Slab, Take};
use crate::pipeline::port::ProducerEnd;
use crate::pipeline::stage::{Job, Pool, Workers};

/// Slabs that are read ahead.
const SLABS_AHEAD: usize = 4;

/// What is known when the input has ended.
pub struct Fed {
    /// Bytes read.
    pub plain: u64,
    /// The digest of every span.
    pub spans: Vec<SpanDigest>,
    /// What the input was.
    pub report: dump::Report,
    /// What is known of whoever wrote it.
    pub producer: ProducerEnd,
    /// Where its objects stand.
    pub map: MapWriter,
}

/// The input as it is being read.
pub struct Feed {
    slabs: Receiver<std::io::Result<Option<Slab>>>,
    /// Buffers go back to the reader. The last one that was used comes first: it may be in a cache yet.
    buffers: Arc<Pool<Vec<u8>>>,
    cutting: Arc<Cutting>,
    /// Slabs behind which something is missing yet.
    waiting: VecDeque<Slab>,
    pending: VecDeque<Job<Guess>>,
    /// Slabs that were submitted.
    submitted: u64,
    /// Where the next chunk begins in the next slab.
    begins: usize,
    observer: dump::Observer,
    map: MapWriter,
    plain: u64,
    spans: Vec<SpanDigest>,
}

impl Feed {
    /// Begins to read. The reading thread is on its own: a read that never returns does not hold up the end of the run.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn start(input: Box<dyn Read + Send>, cutting: Cutting, map: MapWriter) -> Result<Feed, RunError> {
        let (sender, slabs) = sync_channel(SLABS_AHEAD);
        let buffers = Arc::<Pool<Vec<u8>>>::default();
        let idle = Arc::clone(&buffers);
        let room = Slab::room(cutting.chunker.maximum());
        let read = move || read_slabs(input, room, &idle, &sender);
        std::thread::Builder::new().name("read".into()).spawn(read).map_err(|_| RunError::Worker)?;
        Ok(Feed {
            slabs,
            buffers,
            cutting: Arc::new(cutting),
            waiting: VecDeque::new(),
            pending: VecDeque::new(),
            submitted: 0,
            begins: 0,
            observer: dump::Observer::new(),
            map,
            plain: 0,
            spans: Vec::new(),
        })
    }

    /// Reads to the end, and gives every chunk to `take`, in order, as long as somebody `writes` what comes of it.
    ///
    /// # Errors
    /// The input broke off, its producer failed, nobody writes any more, or the run was stopped; and those of `take`.
    pub fn run(
        mut self,
        world: &World<'_>,
        workers: &Workers,
        pace: &Arc<Pace>,
        writes: &dyn Fn() -> bool,
        take: &mut Take<'_>,
    ) -> Result<Fed, RunError> {
        let mut waits = Instant::now();
        loop {
            world.check_stop()?;
            // Of a dump that is known nothing is sent to the writer, whose end would show itself only with the last byte.
            if !writes() {
                return Err(RunError::Worker);
            }
            match self.slabs.recv_timeout(POLL) {
                Ok(read) => {
                    let read = read.map_err(|error| match world.control.stop() {
                        // A read that was interrupted on purpose is not an input that broke off.
                        Some(stop) => RunError::Stopped(stop),
                        None => RunError::Input(error),
                    })?;
                    let Some(slab) = read else { break };
                    pace.came(slab.own().len(), waits.elapsed());
                    self.watch(world, slab.own())?;
                    self.line_up(slab);
                    self.submit(workers, pace, Slab::is_full);
                    self.settle(workers, workers.threads() + 2, take)?;
                    waits = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The end of the input is said, never inferred from a reader that is gone.
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Worker),
            }
        }
        self.submit(workers, pace, |_| true);
        self.settle(workers, 0, take)?;
        let producer = world.control.end_of_input().map_err(|error| match world.control.stop() {
            Some(stop) => RunError::Stopped(stop),
            None => RunError::Source(error),
        })?;
        Ok(self.fed(producer))
    }

    /// What passes is counted and looked at, and never changed.
    fn watch(&mut self, world: &World<'_>, bytes: &[u8]) -> Result<(), RunError> {
        self.observer.push(bytes);
        self.observer.take_map().iter().for_each(|entry| self.map.push(entry));
        self.plain += bytes.len() as u64;
        world.observer.advanced(bytes.len() as u64);
        if self.plain > DUMP_BYTES_MAX {
            return Err(RunError::Limit { what: "the dump", limit: DUMP_BYTES_MAX });
        }
        Ok(())
    }

    /// Slabs wait until enough follows them: only the last ones may be cut to their end.
    fn line_up(&mut self, slab: Slab) {
        for before in &mut self.waiting {
            before.follow(slab.own());
        }
        self.waiting.push_back(slab);
    }

    /// Submits the foremost slabs that are ready.
    fn submit(&mut self, workers: &Workers, pace: &Arc<Pace>, is_ready: impl Fn(&Slab) -> bool) {
        while let Some(slab) = self.waiting.pop_front_if(|slab| is_ready(slab)) {
            let (ordinal, cutting, pace) = (self.submitted, Arc::clone(&self.cutting), Arc::clone(pace));
            let guess = move || pace.work(|| slab.guess(ordinal, &cutting));
            self.pending.push_back(workers.submit(guess));
            self.submitted += 1;
        }
    }

    /// Awaits slabs in order until at most `ahead` are under way.
    fn settle(&mut self, workers: &Workers, ahead: usize, take: &mut Take<'_>) -> Result<(), RunError> {
        while self.pending.len() > ahead {
            let Some(job) = self.pending.pop_front() else { break };
            let guess = workers.take(job)?;
            self.spans.extend_from_slice(&guess.digests);
            self.begins = guess.settle(self.begins, &self.cutting, take)?;
            self.buffers.give(guess.into_buffer());
        }
        Ok(())
    }

    fn fed(mut self, producer: ProducerEnd) -> Fed {
        self.observer.finish_map().iter().for_each(|entry| self.map.push(entry));
        Fed { plain: self.plain, spans: self.spans, report: self.observer.finish(), producer, map: self.map }
    }
}

/// Fills slabs until the input ends, which it says with a last `None`, or nobody takes them. Fresh memory costs as much as the reading, so
/// buffers are used again.
fn read_slabs(
    mut input: Box<dyn Read + Send>,
    room: usize,
    buffers: &Pool<Vec<u8>>,
    slabs: &SyncSender<std::io::Result<Option<Slab>>>,
) {
    loop {
        let mut buffer = buffers.take().unwrap_or_else(|| vec![0; room]);
        let read = read_full(&mut input, &mut buffer[..SLAB_BYTES]);
        let read = read.map(|filled| (filled > 0).then(|| Slab::new(buffer, filled)));
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
