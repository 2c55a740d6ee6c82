//! Why a run failed, and whose fault it is.

use crate::archive::ArchiveError;
use crate::archive::section::SectionError;
use crate::base::failure::FailureClass;
use crate::base::id::{BackupId, Guid};
use crate::base::time::rfc3339;
use crate::chunk::compress::ZstdError;
use crate::format::manifest::Verdict;
use crate::keys::KeyError;
use crate::pipeline::port::{SourceFailed, Stop, StoreError};

/// A run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object is not what it should be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no key for it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// zstd gave up.
    #[error(transparent)]
    Zstd(#[from] ZstdError),
    /// Index or catalogue cannot be written.
    #[error(transparent)]
    Section(#[from] SectionError),
    /// What is in escrow is of no use for it.
    #[error("none of the {slots} slots of {id} opens with what was given")]
    NoSlotOpens {
        /// The backup.
        id: BackupId,
        /// How many slots it has.
        slots: usize,
    },
    /// There is no such backup.
    #[error("there is no backup {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The key that is at hand opens none of those that are there.
    #[error("there is no backup of {guid} {held}")]
    NoneOfKey {
        /// The database of the key.
        guid: Guid,
        /// Of what the key is, and what the store holds instead.
        held: String,
        /// Whether it holds backups of the same database, of earlier epochs.
        earlier: bool,
    },
    /// Several backups match.
    #[error("{} backups match: {}", found.len(), found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// Those that match.
        found: Vec<BackupId>,
    },
    /// An object that the backup needs is not there.
    #[error("`{name}` is missing, and {id} needs it")]
    Missing {
        /// The object.
        name: String,
        /// The backup.
        id: BackupId,
    },
    /// An object has another size than was recorded.
    #[error("`{name}` has {found} bytes instead of {expected}")]
    Size {
        /// The object.
        name: String,
        /// Recorded.
        expected: u64,
        /// In the store.
        found: u64,
    },
    /// An object has another SHA-256 than was recorded.
    #[error("`{name}` does not have the SHA-256 that was recorded")]
    Sha256 {
        /// The object.
        name: String,
    },
    /// What was written reads back as something else.
    #[error("`{name}` reads back as something else than was written")]
    ReadBack {
        /// The object.
        name: String,
    },
    /// The objects of the id are not vault's.
    #[error("{id} is a legacy archive, not a backup of vault's")]
    Legacy {
        /// The id.
        id: String,
    },
    /// Nothing tells what is inside a dump.
    #[error("{id} has no dump map: it is of kind {kind}, or older than maps are")]
    NoMap {
        /// The backup.
        id: BackupId,
        /// The kind of its dump.
        kind: String,
    },
    /// The input is cut short.
    #[error("the dump is cut short: {0}")]
    CutShort(String),
    /// The bytes of the input cannot show that it is whole, and nobody vouches for it.
    #[error("nothing shows that the dump is whole: {0}, and how the program that wrote it ended was not seen")]
    Unproven(String),
    /// The input is less than half of the last good backup.
    #[error("the dump has {bytes} bytes, less than half of the {before} (rounded up) of {id}")]
    Shrunk {
        /// Bytes read.
        bytes: u64,
        /// Rounded size of the last good backup.
        before: u64,
        /// The last good backup.
        id: BackupId,
    },
    /// A backup that nobody has accepted stands above the newest good one.
    #[error("the newest backup, {id}, is marked as shrunk{}", good_text(.good.as_ref()))]
    Doubtful {
        /// The one that is marked.
        id: BackupId,
        /// The newest good one.
        good: Option<BackupId>,
    },
    /// There is nothing to accept.
    #[error("{id} is not marked as shrunk: its verdict is {}", verdict.name())]
    NotShrunk {
        /// The backup.
        id: BackupId,
        /// What it is.
        verdict: Verdict,
    },
    /// The input is empty.
    #[error("the dump is empty")]
    Empty,
    /// The input broke off.
    #[error("cannot read the dump: {0}")]
    Input(std::io::Error),
    /// The producer failed.
    #[error(transparent)]
    Source(#[from] SourceFailed),
    /// Where the dump goes cannot be written.
    #[error("cannot write the dump: {0}")]
    Output(std::io::Error),
    /// The run was stopped.
    #[error("{}", stopped(.0))]
    Stopped(Stop),
    /// The newest backup lies in the future.
    #[error("the clock shows {}{}", rfc3339(*now), newest_text(.newest.as_ref()))]
    Clock {
        /// This machine's time.
        now: u64,
        /// The newest backup.
        newest: Option<BackupId>,
    },
    /// The deduplication index does not agree with the catalogues.
    #[error("the deduplication index does not agree with the catalogues in the store")]
    Audit,
    /// A limit of the format.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What exceeds it.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// The dump does not have the digest that was recorded.
    #[error("what was restored does not have the digest of {id}")]
    Digest {
        /// The backup.
        id: BackupId,
    },
    /// The slots of a backup are newer than those at hand.
    #[error("{id} has slots of generation {found}, the key file of generation {given}")]
    Generation {
        /// The backup.
        id: BackupId,
        /// The generation of its slots.
        found: u64,
        /// That of the key file.
        given: u64,
    },
    /// An option that cannot be.
    #[error("{0}")]
    Option(String),
    /// A worker died.
    #[error("a worker thread died: please report this")]
    Worker,
}

fn good_text(good: Option<&BackupId>) -> String {
    good.map_or_else(|| ", and none before it is good".into(), |good| format!("; the newest good one is {good}"))
}

fn newest_text(newest: Option<&BackupId>) -> String {
    let text = |id: &BackupId| format!(", and the newest backup, {id}, is of {}", rfc3339(id.timestamp));
    newest.map_or_else(String::new, text)
}

fn stopped(stop: &Stop) -> String {
    match stop {
        Stop::Interrupted => "interrupted".into(),
        Stop::Terminated => "terminated".into(),
        Stop::Timeout(limit) => format!("the run took longer than its {} s", limit.as_secs_f64()),
        Stop::Stalled(limit) => format!("no byte came for {} s", limit.as_secs_f64()),
    }
}

impl RunError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            RunError::Store(source) => source.class(),
            RunError::Archive(source) => source.class(),
            RunError::Key(source) => source.class(),
            RunError::NoSlotOpens { .. } => FailureClass::WrongKey,
            RunError::NotFound { .. } | RunError::NoneOfKey { .. } | RunError::Legacy { .. } => FailureClass::NotFound,
            RunError::Ambiguous { .. } | RunError::Doubtful { .. } | RunError::NotShrunk { .. } => FailureClass::Usage,
            RunError::Generation { .. } | RunError::NoMap { .. } | RunError::Option(_) => FailureClass::Usage,
            RunError::Missing { .. } => FailureClass::Missing,
            RunError::Size { .. } | RunError::Sha256 { .. } | RunError::Digest { .. } => FailureClass::Damaged,
            RunError::ReadBack { .. } => FailureClass::Store,
            RunError::CutShort(_) | RunError::Unproven(_) | RunError::Shrunk { .. } => FailureClass::Source,
            RunError::Empty | RunError::Input(_) | RunError::Source(_) => FailureClass::Source,
            RunError::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => FailureClass::Pipe,
            RunError::Stopped(Stop::Interrupted) => FailureClass::Interrupted,
            RunError::Stopped(Stop::Terminated) => FailureClass::Terminated,
            RunError::Stopped(Stop::Timeout(_) | Stop::Stalled(_)) => FailureClass::Source,
            RunError::Limit { .. } | RunError::Section(SectionError::TooLarge) => FailureClass::Limit,
            RunError::Zstd(_)
            | RunError::Section(_)
            | RunError::Output(_)
            | RunError::Clock { .. }
            | RunError::Audit
            | RunError::Worker => FailureClass::Failure,
        }
    }
}
