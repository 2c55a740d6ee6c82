//! `pg_dump -Fc`: a header, a table of contents, and a block of data for
//! every entry that has data (spec/dump.md).
//!
//! Nothing marks the end. So the blocks are walked, and the archive is whole
//! when every entry has had its block and the stream ends after one.
//!
//! A number is a byte for its sign and then as many as the header says, the
//! lowest first; a string is its length, negative for none, and its bytes.

use std::collections::HashSet;

use super::Verdict;
use super::shortfall::{Archive, ArchiveSeen, ArchiveShortfall, Shortfall, Unproven};
use super::versions::{SERVER, TOOL, Versions};
use super::walk::{Astray, Ended, Next, Walker};
use crate::base::limits::{ARCHIVE_MEMBERS_MAX, MAP_VERSION_BYTES_MAX};

/// `PGDMP`, three bytes of version, the sizes of a number and of an offset, the format.
pub(super) const HEAD_BYTES: usize = 11;
/// Where a table of contents is alone in its file: in a tar archive, or in a directory.
const FORMAT_CUSTOM: u8 = 1;
const FORMAT_TAR: u8 = 3;
/// The minor versions, of 1, whose fields are known: PostgreSQL 9.0 to 18.
const MINORS: std::ops::RangeInclusive<u8> = 12..=16;
/// From here on the header says the algorithm and not the level.
const MINOR_ALGORITHM: u8 = 15;
const MINOR_ACCESS_METHOD: u8 = 14;
const MINOR_RELKIND: u8 = 16;
/// Seconds, minutes, hours, day, month, year and daylight saving time.
const DATE_NUMBERS: u64 = 7;
const BLOCK_DATA: u8 = 1;
const BLOCK_BLOBS: u8 = 3;
/// What stands before the offset of an entry that has no data.
const OFFSET_NONE: u8 = 3;

/// What is taken next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Head,
    Compression,
    /// The length of the name of the database.
    Database,
    /// The length of a version, and the version.
    VersionLength(&'static [u8]),
    Version(&'static [u8]),
    /// The number of entries.
    Count,
    /// A number of an entry, or the length of a string of it: `FIELDS` says what.
    Field(Field),
    /// Where the data of an entry begins.
    Offset,
    /// The type of a block and its entry. The only place where an archive may end.
    Block,
    /// The number of a large object, or zero after the last.
    Blob,
    /// The length of a chunk, or zero after the last.
    Chunk,
}

/// What an entry says of itself, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    HasData,
    /// So many strings before the section.
    Names(u8),
    Section,
    /// So many strings before the owner.
    Texts(u8),
    RelationKind,
    /// The owner, and whether rows have object identifiers.
    Owner(u8),
    /// Strings up to one that is none.
    Dependencies,
}

/// Follows an archive.
#[derive(Clone, Debug)]
pub(super) struct Custom {
    step: Step,
    /// A table of contents that stands alone has no blocks.
    format: u8,
    minor: u8,
    number_bytes: usize,
    offset_bytes: usize,
    compressed: bool,
    versions: Versions,
    entries_left: u64,
    id: u64,
    has_data: bool,
    /// Entries whose block has not come.
    awaited: HashSet<u64>,
    /// How many entries have data.
    expected: u64,
    /// How many blocks have ended.
    found: u64,
    blobs: bool,
}

impl Custom {
    /// An archive that has not begun.
    pub(super) fn new() -> Custom {
        Custom::of(FORMAT_CUSTOM)
    }

    /// The table of contents of a tar archive.
    pub(super) fn of_tar() -> Custom {
        Custom::of(FORMAT_TAR)
    }

    fn of(format: u8) -> Custom {
        Custom {
            step: Step::Head,
            format,
            minor: 0,
            number_bytes: 0,
            offset_bytes: 0,
            compressed: false,
            versions: Versions::default(),
            entries_left: 0,
            id: 0,
            has_data: false,
            awaited: HashSet::new(),
            expected: 0,
            found: 0,
            blobs: false,
        }
    }

    /// Whether its blocks are compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.compressed
    }

    fn head(&mut self, head: &[u8]) -> Result<Next, Astray> {
        let &[_, _, _, _, _, major, minor, _, number, offset, format] = head else {
            return Err(OUT_OF_ORDER);
        };
        let sizes = 1..=8;
        let known = major == 1 && MINORS.contains(&minor) && format == self.format;
        if !(known && sizes.contains(&number) && sizes.contains(&offset)) {
            return Err(Astray::Unproven(Unproven::Version));
        }
        (self.minor, self.number_bytes, self.offset_bytes) = (minor, number.into(), offset.into());
        self.step = Step::Compression;
        Ok(if minor >= MINOR_ALGORITHM { Next::take(1) } else { self.number(0) })
    }

    /// A number, after so many bytes that are passed over.
    fn number(&self, skip: u64) -> Next {
        Next { skip, take: 1 + self.number_bytes }
    }

    /// Goes to a step that takes a number, over a string of this length.
    fn go(&mut self, step: Step, length: i64) -> Result<Next, Astray> {
        self.step = step;
        Ok(self.number(u64::try_from(length).unwrap_or(0)))
    }

    /// What comes behind the length of a version.
    fn version(&mut self, whose: &'static [u8], length: i64) -> Result<Next, Astray> {
        match usize::try_from(length) {
            Ok(length @ 1..=MAP_VERSION_BYTES_MAX) => {
                self.step = Step::Version(whose);
                Ok(Next::take(length))
            }
            _ => self.go(after_version(whose), length),
        }
    }

    fn field(&mut self, field: Field, value: i64) -> Result<Next, Astray> {
        // Between the tablespace and the owner came the access method.
        let texts = 5 + u8::from(self.minor >= MINOR_ACCESS_METHOD);
        let next = match field {
            Field::Id => {
                self.id = u64::try_from(value).map_err(|_| OUT_OF_ORDER)?;
                return self.go(Step::Field(Field::HasData), 0);
            }
            Field::HasData => {
                self.has_data = value != 0;
                return self.go(Step::Field(Field::Names(4)), 0);
            }
            Field::Section => return self.go(Step::Field(Field::Texts(texts)), 0),
            Field::RelationKind => return self.go(Step::Field(Field::Owner(2)), 0),
            Field::Names(2..) | Field::Texts(2..) | Field::Owner(2..) => field.one_less(),
            Field::Names(_) => Field::Section,
            Field::Texts(_) if self.minor >= MINOR_RELKIND => Field::RelationKind,
            Field::Texts(_) => Field::Owner(2),
            Field::Owner(_) => Field::Dependencies,
            Field::Dependencies if value < 0 => {
                self.step = Step::Offset;
                return Ok(Next::take(1 + self.offset_bytes));
            }
            Field::Dependencies => Field::Dependencies,
        };
        self.go(Step::Field(next), value)
    }

    fn entry_end(&mut self, offset: &[u8]) -> Result<Next, Astray> {
        if self.has_data && offset.first() != Some(&OFFSET_NONE) {
            if self.awaited.len() >= ARCHIVE_MEMBERS_MAX {
                return Err(Astray::Unproven(Unproven::TooLarge));
            }
            self.expected += 1;
            if !self.awaited.insert(self.id) {
                return Err(OUT_OF_ORDER);
            }
        }
        self.entries_left -= 1;
        self.next_entry()
    }

    fn next_entry(&mut self) -> Result<Next, Astray> {
        match self.entries_left {
            0 => self.next_block(),
            _ => self.go(Step::Field(Field::Id), 0),
        }
    }

    fn next_block(&mut self) -> Result<Next, Astray> {
        self.step = Step::Block;
        Ok(Next::take(2 + self.number_bytes))
    }

    fn block_end(&mut self) -> Result<Next, Astray> {
        self.found += 1;
        self.next_block()
    }

    fn block(&mut self, kind: u8, id: i64) -> Result<Next, Astray> {
        let known = u64::try_from(id).is_ok_and(|id| self.awaited.remove(&id));
        self.blobs = kind == BLOCK_BLOBS;
        match kind {
            BLOCK_DATA if known => self.go(Step::Chunk, 0),
            BLOCK_BLOBS if known => self.go(Step::Blob, 0),
            _ => Err(OUT_OF_ORDER),
        }
    }
}

const OUT_OF_ORDER: Astray = Astray::Seen(ArchiveSeen::OutOfOrder);

impl Field {
    fn one_less(self) -> Field {
        match self {
            Field::Names(left) => Field::Names(left - 1),
            Field::Texts(left) => Field::Texts(left - 1),
            Field::Owner(left) => Field::Owner(left - 1),
            other => other,
        }
    }
}

fn after_version(whose: &'static [u8]) -> Step {
    if whose == SERVER { Step::VersionLength(TOOL) } else { Step::Count }
}

/// A number: its sign, and its bytes, of which there are eight at most. What is over 2^63 is as far away as that.
fn number(bytes: &[u8]) -> i64 {
    let (sign, value) = match *bytes {
        // As every pg_dump writes them: the number of a chunk, which is a row, should cost next to nothing.
        [sign, a, b, c, d] => (sign, i64::from(u32::from_le_bytes([a, b, c, d]))),
        [sign, ref digits @ ..] => {
            let value = digits.iter().rev().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
            (sign, i64::try_from(value).unwrap_or(i64::MAX))
        }
        [] => (0, 0),
    };
    if sign == 0 { value } else { -value }
}

impl Walker for Custom {
    fn take(&mut self, bytes: &[u8]) -> Result<Next, Astray> {
        match self.step {
            Step::Chunk => match number(bytes) {
                0 if self.blobs => self.go(Step::Blob, 0),
                0 => self.block_end(),
                length @ 1.. => self.go(Step::Chunk, length),
                _ => Err(OUT_OF_ORDER),
            },
            Step::Blob => match number(bytes) {
                0 => self.block_end(),
                _ => self.go(Step::Chunk, 0),
            },
            Step::Block => self.block(bytes[0], number(&bytes[1..])),
            Step::Field(field) => self.field(field, number(bytes)),
            Step::Offset => self.entry_end(bytes),
            Step::Head => self.head(bytes),
            Step::Compression => {
                // As a number or as a byte, zero is none.
                self.compressed = bytes.iter().any(|byte| *byte != 0);
                self.step = Step::Database;
                Ok(self.number(DATE_NUMBERS * (1 + self.number_bytes as u64)))
            }
            Step::Database => self.go(Step::VersionLength(SERVER), number(bytes)),
            Step::VersionLength(whose) => self.version(whose, number(bytes)),
            Step::Version(whose) => {
                self.versions.name(whose, bytes, 0);
                self.go(after_version(whose), 0)
            }
            Step::Count => {
                self.entries_left = u64::try_from(number(bytes)).map_err(|_| OUT_OF_ORDER)?;
                self.next_entry()
            }
        }
    }

    fn stride(&self, bytes: &[u8]) -> Option<usize> {
        match number(bytes) {
            length @ 1.. if self.step == Step::Chunk => usize::try_from(length).ok()?.checked_add(bytes.len()),
            _ => None,
        }
    }

    fn verdict(&self, ended: Ended<'_>) -> Verdict {
        let seen = match (ended, self.step) {
            (Ended::Astray(seen), _) => seen,
            (Ended::Here([]), Step::Block) if self.awaited.is_empty() => return Verdict::Complete,
            (Ended::Here([]), Step::Block) => ArchiveSeen::Missing,
            // Not even the head of one more block, and none is awaited.
            (Ended::Here(_), Step::Block) if self.awaited.is_empty() => ArchiveSeen::After,
            (_, Step::Block | Step::Chunk | Step::Blob) => ArchiveSeen::Data,
            _ => ArchiveSeen::Head,
        };
        let of = Archive::Custom;
        Verdict::Incomplete(Shortfall::Archive(ArchiveShortfall {
            of,
            seen,
            found: self.found,
            expected: self.expected,
        }))
    }

    fn versions(&self) -> &Versions {
        &self.versions
    }
}
