//! What stops a run: a signal, a run that takes too long, a producer that falls silent. Implements `pipeline::port::Control`.
//!
//! - The time without a byte counts only while a byte is waited for: a slow store is not a silent producer.
//! - The first reason to stop is the one that is reported; what breaks because of it does not replace it.
//!
//! Rust ignores SIGPIPE, so that a reader who goes away is an error of a write; children get its default back.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{ChildError, Producer};
use super::signals::Signals;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Control, ProducerEnd, SourceFailed, Stop};

/// How often the producer is looked at after its output ended.
const POLL: Duration = Duration::from_millis(10);
/// Instead of a time: no byte is waited for.
const NOT_WAITING: u64 = u64::MAX;

/// How long things may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// The whole run.
    pub timeout: Option<Duration>,
    /// The wait for one more byte, or for the producer to exit after its last.
    pub stall_timeout: Option<Duration>,
}

/// Where the dump comes from, and how that ended.
enum Source {
    /// Its writer is not ours: that it failed cannot be known.
    StandardInput,
    Producer(Producer),
    Succeeded,
    Failed(SourceFailed),
}

/// The control of one run.
pub struct RunControl {
    started: Instant,
    patience: Patience,
    signals: Arc<Signals>,
    source: Mutex<Source>,
    /// When the wait for the next byte began, in milliseconds of the run.
    waiting_since: AtomicU64,
    reason: OnceLock<Stop>,
}

impl RunControl {
    /// The run begins now. Without a producer the dump comes from standard input.
    pub fn new(patience: Patience, signals: Arc<Signals>, producer: Option<Producer>) -> RunControl {
        RunControl {
            started: Instant::now(),
            patience,
            signals,
            source: Mutex::new(producer.map_or(Source::StandardInput, Source::Producer)),
            waiting_since: AtomicU64::new(NOT_WAITING),
            reason: OnceLock::new(),
        }
    }

    /// Ends the producer if it still runs, and all that it started. For every run that failed.
    pub fn kill_producer(&self) {
        self.fail_producer(SourceFailed("the producer was killed".into()));
    }

    /// The same, for a reason. The lock is not held while the producer takes its time to end.
    fn fail_producer(&self, reason: SourceFailed) {
        let mut source = self.source();
        if let Source::Producer(_) = *source {
            let running = std::mem::replace(&mut *source, Source::Failed(reason));
            drop(source);
            if let Source::Producer(producer) = running {
                producer.kill_group();
            }
        }
    }

    /// A thread that panicked left it whole.
    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole number of milliseconds, which lasts for half a billion years.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(NOT_WAITING - 1)
    }

    pub(super) fn wait_begins(&self) {
        self.waiting_since.store(self.now_ms(), Ordering::SeqCst);
    }

    pub(super) fn wait_ends(&self) {
        self.waiting_since.store(NOT_WAITING, Ordering::SeqCst);
    }

    /// A reason to stop that holds at this moment.
    fn reason_now(&self) -> Option<Stop> {
        if let Some(stop) = self.signals.stop() {
            return Some(stop);
        }
        let Patience { timeout, stall_timeout } = self.patience;
        if let Some(timeout) = timeout.filter(|timeout| self.started.elapsed() >= *timeout) {
            return Some(Stop::Timeout(timeout));
        }
        let since = Duration::from_millis(self.waiting_since.load(Ordering::SeqCst));
        let silent = self.started.elapsed().saturating_sub(since);
        let stall_timeout = stall_timeout.filter(|patience| silent >= *patience);
        stall_timeout.map(Stop::Stalled)
    }

    /// What a read fails with when the run was told to stop.
    pub(super) fn check_stop(&self) -> io::Result<()> {
        self.stop().map_or(Ok(()), |stop| Err(io::Error::other(RunError::Stopped(stop))))
    }

    /// What a read that waits fails with, if it must not wait any longer.
    pub(super) fn check_wait(&self) -> io::Result<()> {
        self.check_stop()?;
        match &*self.source() {
            Source::Producer(producer) => match producer.try_wait() {
                // It will write nothing. All other ends show themselves at the end of its output.
                Err(reason @ ChildError::WantsTerminal { .. }) => Err(io::Error::other(reason)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Whether the source has ended well.
    fn source_succeeded(&self) -> Result<bool, SourceFailed> {
        if let Some(stop) = self.stop() {
            return Err(SourceFailed(RunError::Stopped(stop).to_string()));
        }
        match &*self.source() {
            Source::Producer(producer) => producer.try_wait().map_err(|reason| SourceFailed(reason.to_string())),
            Source::StandardInput | Source::Succeeded => Ok(true),
            Source::Failed(reason) => Err(reason.clone()),
        }
    }

    /// Lets go of a producer that ended well, if there was one.
    fn accept_producer(&self) -> ProducerEnd {
        let mut source = self.source();
        if let Source::Producer(_) = *source
            && let Source::Producer(producer) = std::mem::replace(&mut *source, Source::Succeeded)
        {
            producer.accept();
        }
        match *source {
            Source::Succeeded => ProducerEnd::Succeeded,
            _ => ProducerEnd::Unknown,
        }
    }
}

impl Control for RunControl {
    fn stop(&self) -> Option<Stop> {
        if self.reason.get().is_none()
            && let Some(stop) = self.reason_now()
        {
            // Another thread may have been first, and then it is right.
            let _ = self.reason.set(stop);
        }
        self.reason.get().copied()
    }

    /// Waits for the producer's exit, as long as nothing stops the run. A producer that did not end well is killed with all that it
    /// started.
    fn end_of_input(&self) -> Result<ProducerEnd, SourceFailed> {
        self.wait_begins();
        let done = loop {
            match self.source_succeeded() {
                Ok(true) => break Ok(()),
                Ok(false) => thread::sleep(POLL),
                Err(reason) => break Err(reason),
            }
        };
        self.wait_ends();
        match done {
            Ok(()) => Ok(self.accept_producer()),
            Err(reason) => {
                self.fail_producer(reason.clone());
                Err(reason)
            }
        }
    }
}
