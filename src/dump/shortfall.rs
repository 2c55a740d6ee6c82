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

/// Why a dump is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// PostgreSQL text.
    Script(ScriptShortfall),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(script) => script.fmt(f),
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
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEnd => "this dump writes no end that could be looked for",
            Self::Version => "this archive is of a version whose end is not known",
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
        let seen = match self.seen {
            Seen::Rows => "the stream ends inside the rows of a COPY block",
            Seen::Literal => "the stream ends inside a quoted text",
            Seen::Line => "the stream ends in the middle of a line",
            Seen::CommentBlock => "the stream ends inside a comment block",
            Seen::OutOfOrder => "its begin and end markers do not nest",
            Seen::NoEndMarker => "the stream ends without it",
            Seen::Restricted => "the stream ends before the \\unrestrict line",
            Seen::TextAfterEnd => "something follows it",
        };
        write!(
            f,
            "expected `{}` at the end, but {seen}; {} of {} database dumps begun were completed",
            self.expected.as_str(),
            self.completed,
            self.begun,
        )
    }
}
