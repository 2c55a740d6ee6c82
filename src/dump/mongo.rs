//! `mongodump --archive`: a prelude that names every collection, and segments
//! of documents, after which each collection is ended (spec/dump.md).
//!
//! Nothing marks the end of the archive. It is whole when every collection of
//! the prelude was ended and the stream ends after a segment.

mod bson;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::Verdict;
use super::shortfall::{Archive, ArchiveSeen, ArchiveShortfall, Shortfall, Unproven};
use super::versions::{SERVER, TOOL, Versions};
use super::walk::{Astray, Ended, Next, Walker};
use crate::base::limits::{ARCHIVE_MEMBERS_MAX, ARCHIVE_RECORD_BYTES_MAX};
use bson::{Value, fields};

/// The magic, or the length of a document, or what ends a block of them.
pub(super) const WORD_BYTES: usize = 4;
const TERMINATOR: [u8; WORD_BYTES] = [0xff; WORD_BYTES];
/// The length itself and a last zero.
const DOCUMENT_BYTES_MIN: usize = WORD_BYTES + 1;
const FORMAT_VERSION: &[u8] = b"0.1";
/// The prelude calls a time series by its own name, and the segments often by that of its buckets.
const BUCKETS: &[u8] = b"system.buckets.";

const OUT_OF_ORDER: Astray = Astray::Seen(ArchiveSeen::OutOfOrder);

/// What is taken next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Magic,
    /// The length of a document that is looked into, and the rest of it.
    Length(Block),
    Document(Block),
    /// The length of a document of a collection, or the terminator.
    BodyLength,
    /// The last byte of such a document, and what comes behind it.
    BodyEnd,
    /// The terminator behind the end of a collection.
    Ended,
}

/// Which document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// The first one.
    Header,
    /// One that names a collection, or the end of the prelude.
    Prelude,
    /// One that begins a segment. The only place where an archive may end.
    Segment,
}

/// Follows an archive.
#[derive(Clone, Debug)]
pub(super) struct Mongo {
    step: Step,
    /// Collections that were not ended: only what their names are scattered to is kept, with a key that nobody can know.
    awaited: HashSet<u64>,
    key: RandomState,
    expected: u64,
    versions: Versions,
}

impl Mongo {
    /// An archive that has not begun.
    pub(super) fn new() -> Mongo {
        Mongo {
            step: Step::Magic,
            awaited: HashSet::new(),
            key: RandomState::new(),
            expected: 0,
            versions: Versions::default(),
        }
    }

    fn go(&mut self, step: Step) -> Result<Next, Astray> {
        self.step = step;
        Ok(Next::take(WORD_BYTES))
    }

    fn length(&mut self, block: Block, word: [u8; WORD_BYTES]) -> Result<Next, Astray> {
        if word == TERMINATOR {
            return match block {
                Block::Prelude => self.go(Step::Length(Block::Segment)),
                Block::Header | Block::Segment => Err(OUT_OF_ORDER),
            };
        }
        let rest = document_bytes(word)? - WORD_BYTES;
        if rest > ARCHIVE_RECORD_BYTES_MAX {
            return Err(Astray::Unproven(Unproven::TooLarge));
        }
        self.step = Step::Document(block);
        Ok(Next::take(rest))
    }

    fn document(&mut self, block: Block, document: &[u8]) -> Result<Next, Astray> {
        match block {
            Block::Header => self.header(document),
            Block::Prelude => self.collection(document),
            Block::Segment => self.segment(document),
        }
    }

    fn header(&mut self, document: &[u8]) -> Result<Next, Astray> {
        let mut format = None;
        for field in fields(document) {
            match field.ok_or(OUT_OF_ORDER)? {
                (b"version", Value::Text(text)) => format = Some(text),
                (b"server_version", Value::Text(text)) => drop(self.versions.name(SERVER, text, 0)),
                (b"tool_version", Value::Text(text)) => drop(self.versions.name(TOOL, text, 0)),
                _ => {}
            }
        }
        match format {
            Some(FORMAT_VERSION) => self.go(Step::Length(Block::Prelude)),
            Some(_) => Err(Astray::Unproven(Unproven::Version)),
            None => Err(OUT_OF_ORDER),
        }
    }

    fn collection(&mut self, document: &[u8]) -> Result<Next, Astray> {
        let name = Name::of(document)?;
        if self.awaited.len() >= ARCHIVE_MEMBERS_MAX {
            return Err(Astray::Unproven(Unproven::TooLarge));
        }
        self.expected += u64::from(self.awaited.insert(self.scattered(name.database, name.collection)));
        self.go(Step::Length(Block::Prelude))
    }

    fn segment(&mut self, document: &[u8]) -> Result<Next, Astray> {
        let name = Name::of(document)?;
        let own = self.scattered(name.database, name.collection);
        let series = name.collection.strip_prefix(BUCKETS).map(|series| self.scattered(name.database, series));
        let found = [Some(own), series].into_iter().flatten().find(|name| self.awaited.contains(name));
        match found {
            Some(found) if name.ends => {
                self.awaited.remove(&found);
                self.go(Step::Ended)
            }
            Some(_) => self.go(Step::BodyLength),
            None => Err(OUT_OF_ORDER),
        }
    }

    fn body(&mut self, word: [u8; WORD_BYTES]) -> Result<Next, Astray> {
        if word == TERMINATOR {
            return self.go(Step::Length(Block::Segment));
        }
        let skip = document_bytes(word)? - DOCUMENT_BYTES_MIN;
        self.step = Step::BodyEnd;
        Ok(Next { skip: skip as u64, take: 1 + WORD_BYTES })
    }

    fn scattered(&self, database: &[u8], collection: &[u8]) -> u64 {
        self.key.hash_one((database, collection))
    }
}

impl Walker for Mongo {
    fn take(&mut self, bytes: &[u8]) -> Result<Next, Astray> {
        let word = || bytes.last_chunk().copied().ok_or(OUT_OF_ORDER);
        match self.step {
            Step::BodyEnd if bytes[0] == 0 => self.body(word()?),
            Step::BodyEnd => Err(OUT_OF_ORDER),
            Step::BodyLength => self.body(word()?),
            Step::Length(block) => self.length(block, word()?),
            Step::Document(block) => self.document(block, bytes),
            Step::Ended if bytes == TERMINATOR => self.go(Step::Length(Block::Segment)),
            Step::Ended => Err(OUT_OF_ORDER),
            Step::Magic => self.go(Step::Length(Block::Header)),
        }
    }

    fn stride(&self, bytes: &[u8]) -> Option<usize> {
        match (self.step, bytes) {
            // From the end of one document to that of the next.
            (Step::BodyEnd, [0, word @ ..]) => document_bytes(*word.first_chunk()?).ok(),
            _ => None,
        }
    }

    fn verdict(&self, ended: Ended<'_>) -> Verdict {
        let seen = match (ended, self.step) {
            (Ended::Astray(seen), _) => seen,
            (Ended::Here([]), Step::Length(Block::Segment)) if self.awaited.is_empty() => return Verdict::Complete,
            (Ended::Here([]), Step::Length(Block::Segment)) => ArchiveSeen::Missing,
            (_, Step::Magic | Step::Length(Block::Header | Block::Prelude)) => ArchiveSeen::Head,
            (_, Step::Document(Block::Header | Block::Prelude)) => ArchiveSeen::Head,
            _ => ArchiveSeen::Data,
        };
        // One whose end is being written has not ended.
        let open = u64::from(self.step == Step::Ended);
        let found = self.expected - self.awaited.len() as u64 - open;
        let of = Archive::Mongo;
        Verdict::Incomplete(Shortfall::Archive(ArchiveShortfall { of, seen, found, expected: self.expected }))
    }

    fn versions(&self) -> &Versions {
        &self.versions
    }
}

/// The length of a document, with the length itself.
fn document_bytes(word: [u8; WORD_BYTES]) -> Result<usize, Astray> {
    let length = usize::try_from(i32::from_le_bytes(word)).ok();
    length.filter(|length| *length >= DOCUMENT_BYTES_MIN).ok_or(OUT_OF_ORDER)
}

/// What a document of the prelude, or the header of a segment, names.
struct Name<'a> {
    database: &'a [u8],
    collection: &'a [u8],
    /// Whether it says that the collection ends.
    ends: bool,
}

impl<'a> Name<'a> {
    fn of(document: &'a [u8]) -> Result<Name<'a>, Astray> {
        let (mut database, mut collection, mut ends) = (None, None, false);
        for field in fields(document) {
            match field.ok_or(OUT_OF_ORDER)? {
                (b"db", Value::Text(text)) => database = Some(text),
                (b"collection", Value::Text(text)) => collection = Some(text),
                (b"EOF", Value::Flag(flag)) => ends = flag,
                _ => {}
            }
        }
        match (database, collection) {
            (Some(database), Some(collection)) => Ok(Name { database, collection, ends }),
            _ => Err(OUT_OF_ORDER),
        }
    }
}
