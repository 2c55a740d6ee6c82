//! Watches a dump stream go by: what it is, and whether it ends where a dump
//! of its kind ends.
//!
//! The observer sees the bytes in slabs of any size and changes none of them.
//! It does no I/O, keeps a bounded amount whatever the stream holds, and
//! its report does not depend on how the stream was cut into slabs.
//!
//! Why it is needed: a `pg_dumpall` whose backend dies in the middle of a
//! table still closes that table properly. What is left is valid SQL that
//! restores without one error and with half of the rows. Only the missing end
//! marker tells, and a text search for it finds the markers of the databases
//! that were finished, or one that somebody stored in a row or a function.
//!
//! Guaranteed: no proper prefix of one `pg_dump` or `pg_dumpall` output is
//! judged [`Verdict::Complete`], but for the prefix that lacks only the blank
//! line with which both tools end. Of one `mysqldump` output, `pg_dump -Fc`, or
//! tar or mongodump archive, that its head gives away, none is; of tar, zeros
//! behind the end may be missing.
//!
//! Not guaranteed: that the rows are right, nor that a sequence of dumps has
//! all its members. A sequence that stops exactly between two of them is a
//! shorter sequence. A dump without `\restrict` lines (PostgreSQL before
//! August 2025) that is cut inside a row block *and followed by another one*
//! reads as one dump, to `psql` as to us.

mod advice;
mod blocks;
mod custom;
mod head;
mod line;
mod mongo;
mod mysql;
mod script;
mod shortfall;
mod tar;
mod versions;
mod walk;
mod words;

use std::fmt;
use std::str::FromStr;

use crate::base::map::MapEntry;
use custom::Custom;
use head::{HEAD_BYTES_MAX, Head};
use mongo::Mongo;
use mysql::Mysql;
use script::Script;
use tar::Tar;
use walk::{Walk, Walker};

pub use advice::Advice;
pub use shortfall::{
    Archive, ArchiveSeen, ArchiveShortfall, EndMarker, MysqlShortfall, ScriptShortfall, Seen, Shortfall, Unproven,
};

/// What the stream is, judged from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DumpKind {
    /// Plain text of `pg_dumpall`.
    PgDumpall,
    /// Plain text of `pg_dump`, or of `pg_restore` writing a script.
    PgDump,
    /// `pg_dump -Fc`.
    PgCustom,
    /// A tar archive, which is what `pg_dump -Ft` writes.
    Tar,
    /// `mysqldump` or `mariadb-dump`.
    Mysql,
    /// `mongodump --archive`.
    Mongo,
    /// Anything else: just bytes.
    Raw,
}

impl DumpKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 7] =
        [Self::PgDumpall, Self::PgDump, Self::PgCustom, Self::Tar, Self::Mysql, Self::Mongo, Self::Raw];

    /// The name used in manifests and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PgDumpall => "pg_dumpall",
            Self::PgDump => "pg_dump",
            Self::PgCustom => "pg_dump-custom",
            Self::Tar => "tar",
            Self::Mysql => "mysqldump",
            Self::Mongo => "mongodump",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for DumpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that [`DumpKind::as_str`] never returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown dump kind")]
pub struct UnknownKind;

impl FromStr for DumpKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

/// Whether the stream ends where a dump of its kind ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every dump that was begun was finished, and nothing follows the last.
    Complete,
    /// It is just bytes, of which nobody knows the end.
    Unchecked,
    /// It is a dump whose bytes cannot show that it is whole: only its producer can say so.
    Unproven(Unproven),
    /// The stream was cut short, or is not what its head says.
    Incomplete(Shortfall),
}

/// What is known once the stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the stream is.
    pub kind: DumpKind,
    /// Whether it is whole.
    pub verdict: Verdict,
    /// How many bytes went by.
    pub bytes: u64,
    /// What would make the next backup smaller.
    pub advice: Option<Advice>,
}

/// Watches one stream from its first byte to its last.
///
/// ```
/// use vault::dump::{DumpKind, Observer, Verdict};
///
/// let mut observer = Observer::new();
/// observer.push(b"--\n-- PostgreSQL database dump\n--\n\n");
/// observer.push(b"COPY t (id) FROM stdin;\n1\n\\.\n");
/// let report = observer.finish();
/// assert_eq!(report.kind, DumpKind::PgDump);
/// assert!(matches!(report.verdict, Verdict::Incomplete(_)));
/// ```
///
/// A clone judges the stream as it is so far while the original watches on.
#[derive(Clone, Debug)]
pub struct Observer {
    bytes: u64,
    stage: Stage,
}

/// An observer first collects the head, then knows what to do with the rest.
#[derive(Clone, Debug)]
enum Stage {
    Head(Head),
    Known(Known),
}

/// A stream whose kind is settled, and its end check if there is one.
#[derive(Clone, Debug)]
struct Known {
    kind: DumpKind,
    /// What the head alone tells.
    advice: Option<Advice>,
    watch: Watch,
}

/// Who follows a stream of a known kind to its end.
#[derive(Clone, Debug)]
enum Watch {
    Script(Box<Script>),
    Custom(Box<Walk<Custom>>),
    Tar(Box<Walk<Tar>>),
    Mongo(Box<Walk<Mongo>>),
    Mysql(Box<Mysql>),
    Nobody,
}

impl Observer {
    /// An observer of a stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: 0, stage: Stage::Head(Head::new()) }
    }

    /// Looks at the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match &mut self.stage {
            Stage::Known(known) => known.push(bytes),
            Stage::Head(head) => {
                let rest = head.take(bytes);
                if head.bytes().len() == HEAD_BYTES_MAX {
                    let mut known = Known::after(head);
                    known.push(rest);
                    self.stage = Stage::Known(known);
                }
            }
        }
    }

    /// What the stream is, as far as it has been seen.
    #[must_use]
    pub fn kind(&self) -> DumpKind {
        match &self.stage {
            Stage::Head(head) => head.judge(),
            Stage::Known(known) => known.kind,
        }
    }

    /// How many bytes have been seen.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The entries of the dump map that are final since the last time.
    #[must_use]
    pub fn take_map(&mut self) -> Vec<MapEntry> {
        match &mut self.stage {
            Stage::Known(known) => known.take_map(),
            Stage::Head(_) => Vec::new(),
        }
    }

    /// The rest of the dump map, once the stream has ended; none of a stream that has no map.
    #[must_use]
    pub fn finish_map(&mut self) -> Vec<MapEntry> {
        // A stream that is not longer than the head is known only now.
        if let Stage::Head(head) = &self.stage {
            self.stage = Stage::Known(Known::after(head));
        }
        match &mut self.stage {
            Stage::Known(known) => known.finish_map(self.bytes),
            Stage::Head(_) => Vec::new(),
        }
    }

    /// The judgement, once the stream has ended.
    #[must_use]
    pub fn finish(self) -> Report {
        let known = match self.stage {
            Stage::Head(head) => Known::after(&head),
            Stage::Known(known) => known,
        };
        Report { kind: known.kind, verdict: known.verdict(), bytes: self.bytes, advice: known.advice() }
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self::new()
    }
}

impl Known {
    /// Settles the kind; the head's bytes are watched too.
    fn after(head: &Head) -> Self {
        let kind = head.judge();
        let watch = match kind {
            DumpKind::PgDump => Watch::Script(Box::new(Script::new(EndMarker::Database))),
            DumpKind::PgDumpall => Watch::Script(Box::new(Script::new(EndMarker::Cluster))),
            DumpKind::PgCustom => Watch::Custom(Box::new(Walk::new(Custom::new(), custom::HEAD_BYTES))),
            DumpKind::Tar => Watch::Tar(Box::new(Walk::new(Tar::new(), tar::BLOCK_BYTES))),
            DumpKind::Mongo => Watch::Mongo(Box::new(Walk::new(Mongo::new(), mongo::WORD_BYTES))),
            DumpKind::Mysql => Watch::Mysql(Box::default()),
            DumpKind::Raw => Watch::Nobody,
        };
        let advice = Advice::of_head(kind, head.bytes());
        let mut known = Self { kind, advice, watch };
        known.push(head.bytes());
        known
    }

    fn push(&mut self, bytes: &[u8]) {
        match &mut self.watch {
            Watch::Script(script) => script.push(bytes),
            Watch::Custom(walk) => walk.push(bytes),
            Watch::Tar(walk) => walk.push(bytes),
            Watch::Mongo(walk) => walk.push(bytes),
            Watch::Mysql(mysql) => mysql.push(bytes),
            Watch::Nobody => {}
        }
    }

    fn verdict(&self) -> Verdict {
        match &self.watch {
            Watch::Script(script) => script.verdict(),
            Watch::Custom(walk) => walk.verdict(),
            Watch::Tar(walk) => walk.verdict(),
            Watch::Mongo(walk) => walk.verdict(),
            Watch::Mysql(mysql) => mysql.verdict(),
            Watch::Nobody => Verdict::Unchecked,
        }
    }

    fn take_map(&mut self) -> Vec<MapEntry> {
        match &mut self.watch {
            Watch::Script(script) => script.take_map(),
            Watch::Mysql(mysql) => mysql.take_map(),
            Watch::Custom(_) | Watch::Tar(_) | Watch::Mongo(_) | Watch::Nobody => Vec::new(),
        }
    }

    fn finish_map(&mut self, bytes: u64) -> Vec<MapEntry> {
        let versions = match &mut self.watch {
            Watch::Script(script) => return script.finish_map(bytes),
            Watch::Mysql(mysql) => return mysql.finish_map(bytes),
            Watch::Custom(walk) => walk.walker().versions(),
            Watch::Tar(walk) => walk.walker().versions(),
            Watch::Mongo(walk) => walk.walker().versions(),
            Watch::Nobody => return Vec::new(),
        };
        versions.map()
    }

    fn advice(&self) -> Option<Advice> {
        match &self.watch {
            Watch::Custom(walk) if walk.walker().is_compressed() => Some(Advice::Custom),
            _ => self.advice,
        }
    }
}

#[cfg(test)]
mod tests;
