//! Two threads around cipher and gzip, so that neither waits for the other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::cipher::decrypt;
use super::derive::{Derivation, LegacyKey};
use super::gzip::Gunzip;
use super::{DecodeError, LegacyError, Source};

/// Slabs of up to 1 MiB that are decrypted ahead.
const DECRYPTED_AHEAD: usize = 4;
/// Slabs of 256 KiB that are inflated ahead.
const INFLATED_AHEAD: usize = 8;

/// What goes from thread to thread: slabs, and at last an end or an error. The end is said, never inferred from a sender that is gone.
type Sent<E> = Result<Option<Vec<u8>>, DecodeError<E>>;

/// What comes out of a decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The next bytes of the content.
    Slab(Vec<u8>),
    /// Nothing yet.
    Waiting,
    /// The archive is whole as far as that can be checked.
    End,
}

/// An archive that is being decoded. Dropped, it stops as soon as its source returns.
pub struct Decoder<E> {
    slabs: Receiver<Sent<E>>,
}

/// Begins to decode.
///
/// # Errors
/// Threads cannot be started.
pub fn decode<S: Source + 'static>(
    mut source: S,
    key: Arc<LegacyKey>,
    derivation: Derivation,
) -> Result<Decoder<S::Error>, LegacyError> {
    let (decrypted, to_inflate) = sync_channel(DECRYPTED_AHEAD);
    let (inflated, slabs) = sync_channel(INFLATED_AHEAD);
    let decrypting = move || {
        let done = decrypt(&mut source, &key, derivation, &mut |slab| decrypted.send(Ok(Some(slab))).is_ok());
        // Nobody listens when the other thread has failed already.
        let _ = decrypted.send(done.map(|()| None));
    };
    spawn("decrypt", decrypting)?;
    spawn("inflate", move || {
        let done = inflate(&to_inflate, &inflated);
        let _ = inflated.send(done.map(|()| None));
    })?;
    Ok(Decoder { slabs })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), LegacyError> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(work);
    spawned.map(|_| ()).map_err(|_| LegacyError::Worker)
}

/// Inflates what comes until it ends. What comes before an error is handed on, too.
fn inflate<E>(compressed: &Receiver<Sent<E>>, slabs: &SyncSender<Sent<E>>) -> Result<(), DecodeError<E>> {
    let mut gunzip = Gunzip::new();
    // When nobody takes the slabs, the next receive fails, too: the threads end one after the other.
    let mut listening = true;
    let done = loop {
        let received = compressed.recv().map_err(|_| LegacyError::Worker);
        let pushed = match received {
            Ok(Ok(Some(bytes))) => gunzip.push(&bytes, &mut |slab| listening &= slabs.send(Ok(Some(slab))).is_ok()),
            Ok(Ok(None)) => break gunzip.finish().map_err(|error| LegacyError::Gzip(error).into()),
            Ok(Err(error)) => break Err(error),
            Err(error) => break Err(error.into()),
        };
        match pushed {
            Err(error) => break Err(LegacyError::Gzip(error).into()),
            Ok(()) if !listening => return Ok(()),
            Ok(()) => {}
        }
    };
    let rest = gunzip.take();
    if !rest.is_empty() {
        let _ = slabs.send(Ok(Some(rest)));
    }
    done
}

impl<E> Decoder<E> {
    /// The next step, after at most `patience`. After an error or the end there is none.
    ///
    /// # Errors
    /// The archive cannot be read, or is not whole.
    pub fn next(&mut self, patience: Duration) -> Result<Step, DecodeError<E>> {
        match self.slabs.recv_timeout(patience) {
            Ok(Ok(Some(slab))) => Ok(Step::Slab(slab)),
            Ok(Ok(None)) => Ok(Step::End),
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => Ok(Step::Waiting),
            Err(RecvTimeoutError::Disconnected) => Err(LegacyError::Worker.into()),
        }
    }
}
