//! Walks an archive from one length to the next.
//!
//! An archive says how long each of its pieces is, so nearly all of it is
//! passed over unseen. A length comes from the input: it is counted down, and
//! nothing is allocated for it.

use super::Verdict;
use super::shortfall::{ArchiveSeen, Unproven};
use super::versions::Versions;

/// What a walker wants next: that so many bytes are passed over, and then so many given to it at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) skip: u64,
    /// At least one. What a walker takes is held, so it bounds this itself.
    pub(super) take: usize,
}

impl Next {
    /// Nothing is passed over.
    pub(super) const fn take(take: usize) -> Next {
        Next { skip: 0, take }
    }
}

/// Why a walk ended before the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// What stands there cannot stand there.
    Seen(ArchiveSeen),
    /// Nobody here can tell where it ends.
    Unproven(Unproven),
}

/// Where a stream ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended<'a> {
    /// The walk led here; of what was wanted next there are these bytes.
    Here(&'a [u8]),
    /// Inside what was to be passed over.
    Inside,
    /// After the walk had ended.
    Astray(ArchiveSeen),
}

/// Who knows the way through an archive.
pub(super) trait Walker {
    /// Takes what it wanted.
    ///
    /// # Errors
    /// There is no way to go on.
    fn take(&mut self, bytes: &[u8]) -> Result<Next, Astray>;

    /// How far it is from the beginning of what it wanted to the next piece that it would take just so: to rows and documents, of which
    /// there are very many, it has nothing to say.
    fn stride(&self, _bytes: &[u8]) -> Option<usize> {
        None
    }

    /// The judgement, if the stream ended there.
    fn verdict(&self, ended: Ended<'_>) -> Verdict;

    /// The versions that were named on the way.
    fn versions(&self) -> &Versions;
}

/// A walk on its way.
#[derive(Clone, Debug)]
pub(super) struct Walk<W> {
    walker: W,
    next: Next,
    /// The beginning of what is wanted next.
    held: Vec<u8>,
    astray: Option<Astray>,
}

impl<W: Walker> Walk<W> {
    /// A walk whose walker wants so many bytes first.
    pub(super) fn new(walker: W, first: usize) -> Walk<W> {
        Walk { walker, next: Next::take(first), held: Vec::new(), astray: None }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.astray.is_none() {
            let skip = usize::try_from(self.next.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            self.next.skip -= skip as u64;
            bytes = &bytes[skip..];
            let missing = self.next.take - self.held.len();
            if self.held.is_empty() && bytes.len() >= missing {
                bytes = self.stride(bytes);
                if bytes.len() < missing {
                    continue;
                }
                let (piece, rest) = bytes.split_at(missing);
                bytes = rest;
                self.go_on(piece);
            } else {
                let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
                bytes = rest;
                self.held.extend_from_slice(piece);
                if piece.len() == missing {
                    let mut held = std::mem::take(&mut self.held);
                    self.go_on(&held);
                    held.clear();
                    self.held = held;
                }
            }
        }
    }

    /// Passes over pieces that change nothing.
    fn stride<'b>(&self, mut bytes: &'b [u8]) -> &'b [u8] {
        let stride = |bytes: &'b [u8]| bytes.get(..self.next.take).and_then(|piece| self.walker.stride(piece));
        while let Some(rest) = stride(bytes).and_then(|stride| bytes.get(stride..)) {
            bytes = rest;
        }
        bytes
    }

    fn go_on(&mut self, piece: &[u8]) {
        match self.walker.take(piece) {
            Ok(next) => self.next = next,
            Err(astray) => self.astray = Some(astray),
        }
    }

    pub(super) fn walker(&self) -> &W {
        &self.walker
    }

    /// The judgement, if the stream ends here.
    pub(super) fn verdict(&self) -> Verdict {
        match self.astray {
            Some(Astray::Unproven(why)) => Verdict::Unproven(why),
            Some(Astray::Seen(seen)) => self.walker.verdict(Ended::Astray(seen)),
            None if self.next.skip > 0 => self.walker.verdict(Ended::Inside),
            None => self.walker.verdict(Ended::Here(&self.held)),
        }
    }
}
