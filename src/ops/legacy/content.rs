//! What an archive holds: the dump, looked at while it goes by, and judged at its end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ImportError;
use crate::dump::{DumpKind, Observer, Verdict};
use crate::legacy::Source;
use crate::legacy::decoder::{Decoder, Step, decode};
use crate::legacy::derive::{Derivation, LegacyKey};
use crate::legacy::gzip::{Gunzip, GzipError, begins};
use crate::pipeline::error::RunError;
use crate::pipeline::port::Control;

/// How often a run looks whether it is to stop while nothing comes.
const POLL: Duration = Duration::from_millis(50);
/// What of gzip inside gzip is inflated in one go: at most 4 MiB come of it.
const PIECE_BYTES: usize = 4 << 10;

/// What becomes of content that is gzip once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// It is left as it is, and looked into.
    Keep,
    /// It is inflated.
    Inflate,
}

/// Which dumps are taken, by how they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Those that are not known to be cut short: what somebody restores.
    NotCutShort,
    /// Of these, those that show that they are whole, if their kind can: what becomes a good backup.
    Whole,
    /// All.
    Any,
}

/// How an archive is decoded.
#[derive(Clone)]
pub struct Decoding {
    /// The old key.
    pub key: Arc<LegacyKey>,
    /// How it was used.
    pub derivation: Derivation,
    /// What becomes of gzip inside gzip.
    pub inner: Inner,
    /// Which dumps are taken.
    pub ends: Ends,
    /// Who may stop the run.
    pub control: Arc<dyn Control>,
}

/// What an archive held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes that came out.
    pub bytes: u64,
    /// What the dump is.
    pub kind: DumpKind,
    /// Whether its end was seen.
    pub verdict: Verdict,
    /// Whether the content is gzip once more.
    pub twice: bool,
}

/// An archive whose content is being read.
pub struct Content {
    decoder: Decoder<ImportError>,
    inner: Inner,
    ends: Ends,
    control: Arc<dyn Control>,
    /// Of gzip inside gzip; `None` until the first slab was seen, and for everything else.
    gunzip: Option<Gunzip>,
    /// The first thing that is wrong with what is only looked into.
    inner_error: Option<GzipError>,
    /// What of it is still to be inflated, and from where on.
    compressed: Vec<u8>,
    at: usize,
    observer: Observer,
    ready: VecDeque<Vec<u8>>,
    bytes: u64,
    begun: bool,
    summary: Option<Summary>,
}

impl Content {
    /// Begins to decode.
    ///
    /// # Errors
    /// Threads cannot be started.
    pub fn open<S: Source<Error = ImportError> + 'static>(source: S, how: &Decoding) -> Result<Content, ImportError> {
        Ok(Content {
            decoder: decode(source, Arc::clone(&how.key), how.derivation)?,
            inner: how.inner,
            ends: how.ends,
            control: Arc::clone(&how.control),
            gunzip: None,
            inner_error: None,
            compressed: Vec::new(),
            at: 0,
            observer: Observer::new(),
            ready: VecDeque::new(),
            bytes: 0,
            begun: false,
            summary: None,
        })
    }

    /// The next bytes; `None` at the end, which comes only when everything that can be checked was found right.
    ///
    /// # Errors
    /// The archive cannot be read or is not whole, or its dump is not; or the run is stopped.
    pub fn next_slab(&mut self) -> Result<Option<Vec<u8>>, ImportError> {
        loop {
            if let Some(slab) = self.ready.pop_front() {
                self.bytes += slab.len() as u64;
                return Ok(Some(slab));
            }
            if self.summary.is_some() {
                return Ok(None);
            }
            if self.inflate_piece()? {
                continue;
            }
            if let Some(stop) = self.control.stop() {
                return Err(RunError::Stopped(stop).into());
            }
            match self.decoder.next(POLL)? {
                Step::Slab(slab) => self.take(slab),
                Step::Waiting => {}
                Step::End => self.end()?,
            }
        }
    }

    /// What the archive held, after its end.
    pub fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// Looks at a slab. The first one shows whether it is gzip once more: only the last slab is short.
    fn take(&mut self, slab: Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.gunzip = begins(&slab).then(Gunzip::new);
        }
        match &mut self.gunzip {
            None => {
                self.observer.push(&slab);
                self.ready.push_back(slab);
            }
            Some(_) if self.inner == Inner::Inflate => (self.compressed, self.at) = (slab, 0),
            Some(gunzip) => {
                let observer = &mut self.observer;
                if self.inner_error.is_none() {
                    self.inner_error = gunzip.push(&slab, &mut |slab| observer.push(&slab)).err();
                }
                self.ready.push_back(slab);
            }
        }
    }

    /// Inflates a piece of what is gzip inside gzip; `false` when there is none. In pieces, because each may become a thousand times as long.
    fn inflate_piece(&mut self) -> Result<bool, ImportError> {
        let rest = &self.compressed[self.at..];
        let piece = &rest[..rest.len().min(PIECE_BYTES)];
        let Some(gunzip) = self.gunzip.as_mut().filter(|_| !piece.is_empty()) else {
            return Ok(false);
        };
        self.at += piece.len();
        let (observer, ready) = (&mut self.observer, &mut self.ready);
        let pushed = gunzip.push(piece, &mut |slab| {
            observer.push(&slab);
            ready.push_back(slab);
        });
        pushed.map(|()| true).map_err(ImportError::Inner)
    }

    /// Judges the whole.
    fn end(&mut self) -> Result<(), ImportError> {
        if let Some(error) = self.inner_error.take() {
            return Err(ImportError::Inner(error));
        }
        if let Some(gunzip) = &mut self.gunzip {
            gunzip.finish().map_err(ImportError::Inner)?;
            let rest = gunzip.take();
            self.observer.push(&rest);
            if self.inner == Inner::Inflate && !rest.is_empty() {
                self.ready.push_back(rest);
            }
        }
        let report = std::mem::take(&mut self.observer).finish();
        if report.bytes == 0 {
            return Err(ImportError::Empty);
        }
        match (report.verdict, self.ends) {
            (Verdict::Incomplete(shortfall), Ends::NotCutShort | Ends::Whole) => {
                return Err(ImportError::CutShort(shortfall.to_string()));
            }
            (Verdict::Unproven(why), Ends::Whole) => return Err(ImportError::Unproven(why.to_string())),
            _ => {}
        }
        let left: usize = self.ready.iter().map(Vec::len).sum();
        self.summary = Some(Summary {
            bytes: self.bytes + left as u64,
            kind: report.kind,
            verdict: report.verdict,
            twice: self.gunzip.is_some(),
        });
        Ok(())
    }
}

/// Why the content of an archive could not be read to its end, for whoever reads it through [`ContentReader`].
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<ImportError>>>);

impl Failure {
    /// The error itself, once.
    pub fn take(&self) -> Option<ImportError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The content as a stream, for the one who packs it. It ends only where the content ends; what else happened is in its `Failure`.
pub struct ContentReader {
    content: Content,
    slab: Vec<u8>,
    at: usize,
    failure: Failure,
}

impl ContentReader {
    /// Reads that content.
    pub fn new(content: Content, failure: Failure) -> ContentReader {
        ContentReader { content, slab: Vec::new(), at: 0, failure }
    }
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.slab.len() {
            match self.content.next_slab() {
                Ok(Some(slab)) => (self.slab, self.at) = (slab, 0),
                Ok(None) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    *self.failure.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
        let rest = &self.slab[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}
