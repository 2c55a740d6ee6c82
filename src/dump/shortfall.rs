//! Why a dump is not complete, as data and as a sentence.
//!
//! The sentence goes to logs and mail. It says what was expected and what was
//! seen, with counts, and never quotes the stream: no row, no table, no
//! database name.

use std::fmt;

/// The line that ends a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndMarker {
    /// The end of `pg_dump`, also inside `pg_dumpall`.
    Database,
    /// The end of `pg_dumpall`.
    Cluster,
}

impl EndMarker {
    /// The line itself, without its newline.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "-- PostgreSQL database dump complete",
            Self::Cluster => "-- PostgreSQL database cluster dump complete",
        }
    }
}

/// How the stream ended instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Inside the rows of a `COPY` block.
    Rows,
    /// Inside a string, a quoted name or a dollar-quoted body.
    Literal,
    /// In the middle of a line.
    Line,
    /// Inside a statement, between two of its lines.
    Statement,
    /// Inside a comment block, of which the end markers are one.
    CommentBlock,
    /// Begin and end markers do not nest: a dump begins before the one before
    /// it is finished, or an end has no beginning.
    OutOfOrder,
    /// Between two statements, with a dump begun and not finished.
    NoEndMarker,
    /// After the marker, but a `\restrict` was never lifted.
    Restricted,
    /// The marker is there and something other than comments follows it.
    TextAfterEnd,
}

impl Seen {
    fn text(self) -> &'static str {
        match self {
            Self::Rows => "the stream ends inside the rows of a COPY block",
            Self::Literal => "the stream ends inside a quoted text",
            Self::Line => "the stream ends in the middle of a line",
            Self::Statement => "the stream ends inside a statement",
            Self::CommentBlock => "the stream ends inside a comment block",
            Self::OutOfOrder => "its begin and end markers do not nest",
            Self::NoEndMarker => "the stream ends without it",
            Self::Restricted => "the stream ends before the \\unrestrict line",
            Self::TextAfterEnd => "something follows it",
        }
    }
}

/// Why a dump is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// PostgreSQL text.
    Script(ScriptShortfall),
    /// An archive that is walked by its lengths.
    Archive(ArchiveShortfall),
    /// SQL of mysqldump.
    Mysql(MysqlShortfall),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(script) => script.fmt(f),
            Self::Archive(archive) => archive.fmt(f),
            Self::Mysql(mysql) => mysql.fmt(f),
        }
    }
}

/// Why the bytes of a dump cannot show that it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Its dialect writes no end, as `mysqldump --compact`.
    NoEnd,
    /// An archive of a version that is not known here.
    Version,
    /// An archive with more members than are kept in mind, or with a larger record.
    TooLarge,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEnd => "this dump writes no end that could be looked for",
            Self::Version => "this archive is of a version whose end is not known",
            Self::TooLarge => "this archive is too large to be followed to its end",
        })
    }
}

/// Why a PostgreSQL script is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptShortfall {
    /// The marker that the head of the stream promises.
    pub expected: EndMarker,
    /// How the stream ended instead.
    pub seen: Seen,
    /// How many database dumps were begun.
    pub begun: u64,
    /// How many of them were completed.
    pub completed: u64,
}

impl fmt::Display for ScriptShortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected `{}` at the end, but {}; {} of {} database dumps begun were completed",
            self.expected.as_str(),
            self.seen.text(),
            self.completed,
            self.begun,
        )
    }
}

/// What kind of archive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// `pg_dump -Fc`.
    Custom,
    /// tar.
    Tar,
    /// `mongodump --archive`.
    Mongo,
}

/// How an archive ended instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveSeen {
    /// Before the first byte of data, or inside a header.
    Head,
    /// Inside data.
    Data,
    /// Between two pieces, and not all have come.
    Missing,
    /// Something stands where it cannot.
    OutOfOrder,
    /// Something follows the end.
    After,
}

/// Why an archive is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveShortfall {
    /// Of what kind it is.
    pub of: Archive,
    /// How the stream ended instead.
    pub seen: ArchiveSeen,
    /// How many blocks, members or collections came whole.
    pub found: u64,
    /// How many were announced; of tar, begun.
    pub expected: u64,
}

impl fmt::Display for ArchiveShortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (end, head, piece, pieces) = match self.of {
            Archive::Custom => {
                ("a block of data for every entry that has data", "its table of contents", "a block", "blocks of data")
            }
            Archive::Tar => ("two blocks of zeros at the end", "a header", "a member", "members begun"),
            Archive::Mongo => {
                ("the end of every collection of its prelude", "its prelude", "a segment", "collections announced")
            }
        };
        write!(f, "expected {end}, but ")?;
        match self.seen {
            ArchiveSeen::Head => write!(f, "the stream ends inside {head}"),
            ArchiveSeen::Data => write!(f, "the stream ends inside {piece}"),
            ArchiveSeen::Missing => write!(f, "the stream ends too early"),
            ArchiveSeen::OutOfOrder => write!(f, "something stands where it cannot"),
            ArchiveSeen::After => write!(f, "something follows it"),
        }?;
        write!(f, "; {} of {} {pieces} are whole", self.found, self.expected)
    }
}

/// Why what mysqldump writes is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MysqlShortfall {
    /// How the stream ended instead.
    pub seen: Seen,
    /// How many dumps were begun that promise an end.
    pub begun: u64,
    /// How many of them were completed.
    pub completed: u64,
}

impl fmt::Display for MysqlShortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, begun, completed } = self;
        match begun {
            // It would have been cut short even if it had no end to promise.
            0 => f.write_str(seen.text()),
            _ => write!(
                f,
                "expected `-- Dump completed` at the end, but {}; {completed} of {begun} dumps begun were completed",
                seen.text()
            ),
        }
    }
}
