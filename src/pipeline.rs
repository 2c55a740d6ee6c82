//! Pack, unpack and verify, as stages, and the port to the outside.
//!
//! ```text
//! pack    read ─ observe ─ cut ─┬─ ids, span digests (workers) ─ look up ─ block ─┬─ zstd (workers) ─ seal ─ store
//! unpack  index ─ plan ─ fetch ─ open ─┬─ zstd (workers) ─ check span ─ release
//! ```
//!
//! Every queue is bounded, so memory does not grow with the dump but for the deduplication index. What comes out does not depend on the
//! number of threads: jobs run in parallel and are awaited in order. The first error stops a run and is the one reported.

pub mod audit;
pub mod contents;
pub mod counting;
pub mod error;
pub mod fetch;
pub mod history;
pub mod known;
pub mod pack;
pub mod port;
pub mod stage;
pub mod survey;
pub mod unpack;
pub mod verify;

use error::RunError;
use port::{Clock, Control, Observer, Random, Store};

/// The outside, as a run sees it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Where objects are kept.
    pub store: &'a dyn Store,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Random bytes.
    pub random: &'a dyn Random,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// Who may stop the run.
    pub control: &'a dyn Control,
}

impl World<'_> {
    /// Stops when someone wants the run to stop.
    ///
    /// # Errors
    /// Someone does.
    pub fn check_stop(&self) -> Result<(), RunError> {
        match self.control.stop() {
            Some(stop) => Err(RunError::Stopped(stop)),
            None => Ok(()),
        }
    }
}
