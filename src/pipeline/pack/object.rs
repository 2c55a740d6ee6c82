//! One object on its way to the store, hashed and written by a thread of its own.
//!
//! SHA-256 takes longer than all else that is done to a sealed byte, and sees the bytes of an object one after another: of what does not
//! compress, it is the pace of the run. So it has a thread, and sealing goes on beside it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::archive::part::ObjectDigest;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::POLL;
use crate::pipeline::port::{StoreError, Upload};

/// Segments that are sealed while one is being hashed.
const SEGMENTS_AHEAD: usize = 2;

/// An object whose bytes were all written, and which does not stand yet.
pub struct Whole {
    /// Its digest.
    pub digest: ObjectDigest,
    /// What makes it stand.
    pub upload: Box<dyn Upload>,
}

/// Writes the bytes of one object.
pub struct ObjectWriter {
    /// `None` once the thread was waited for.
    working: Option<Working>,
}

struct Working {
    segments: SyncSender<Vec<u8>>,
    /// Buffers come back.
    used: Receiver<Vec<u8>>,
    thread: JoinHandle<Result<Whole, StoreError>>,
}

impl ObjectWriter {
    /// Begins an object.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn start(upload: Box<dyn Upload>) -> Result<ObjectWriter, RunError> {
        let (segments, coming) = sync_channel(SEGMENTS_AHEAD);
        let (going, used) = channel();
        let thread = Builder::new()
            .name("hash".into())
            .spawn(move || write(upload, &coming, &going))
            .map_err(|_| RunError::Worker)?;
        Ok(ObjectWriter { working: Some(Working { segments, used, thread }) })
    }

    /// Appends the bytes. Another buffer is left in their place; what is in it is of no meaning.
    ///
    /// # Errors
    /// The store failed, now or at an earlier segment.
    pub fn write(&mut self, segment: &mut Vec<u8>) -> Result<(), RunError> {
        let Some(working) = &self.working else {
            return Err(RunError::Worker);
        };
        let empty = working.used.try_recv().unwrap_or_default();
        let full = std::mem::replace(segment, empty);
        match working.segments.send(full) {
            Ok(()) => Ok(()),
            // Only an error ends the thread while there is somebody who writes.
            Err(_) => Err(self.join().err().unwrap_or(RunError::Worker)),
        }
    }

    /// Whether all is well while there is nothing to write.
    ///
    /// # Errors
    /// The store failed.
    pub fn check(&mut self) -> Result<(), RunError> {
        match &self.working {
            Some(working) if !working.thread.is_finished() => Ok(()),
            _ => Err(self.join().err().unwrap_or(RunError::Worker)),
        }
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// The store failed.
    pub fn finish(mut self) -> Result<Whole, RunError> {
        self.join()
    }

    fn join(&mut self) -> Result<Whole, RunError> {
        let Working { segments, thread, .. } = self.working.take().ok_or(RunError::Worker)?;
        drop(segments);
        Ok(thread.join().map_err(|_| RunError::Worker)??)
    }
}

impl Drop for ObjectWriter {
    /// What was begun and not finished is gone when this returns, and not some time later.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

fn write(mut upload: Box<dyn Upload>, coming: &Receiver<Vec<u8>>, used: &Sender<Vec<u8>>) -> Result<Whole, StoreError> {
    let mut digest = ObjectDigest::default();
    loop {
        match coming.recv_timeout(POLL) {
            Ok(segment) => {
                digest.update(&segment);
                upload.write(&segment)?;
                // Nobody may be waiting for it any more.
                let _ = used.send(segment);
            }
            Err(RecvTimeoutError::Timeout) => upload.check()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(Whole { digest, upload }),
        }
    }
}
