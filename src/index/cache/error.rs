//! What can be wrong with a cache. None of it costs data: the catalogues have it all.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::index::cache::layout;

/// The part of the file that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The first page, or the length of the file.
    Header,
    /// Backups and their blocks.
    Tables,
    /// The chunk page of that number.
    Page(usize),
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Region::Header => write!(f, "header"),
            Region::Tables => write!(f, "tables"),
            Region::Page(number) => write!(f, "chunk page {number}"),
        }
    }
}

/// Why a cache cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system could not do what it was asked to.
    #[error("cannot {action} `{}`: {reason}", .path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is something else.
    #[error("this is not a dedup cache")]
    NotACache,
    /// Another vault wrote it.
    #[error("the dedup cache has layout {found}, this is for {}", layout::VERSION)]
    Version {
        /// The version in the file.
        found: u32,
    },
    /// It is of another guid, epoch or store.
    #[error("the dedup cache belongs to another database, epoch or store")]
    Binding,
    /// The file is not what was written, or the key is not the one.
    #[error("the {region} of the dedup cache does not agree with its checksum")]
    Damaged {
        /// Where.
        region: Region,
    },
    /// A backup was given twice, or a chunk lies outside the block that it is said to be in.
    #[error("the chunks of {id} are not a catalogue's")]
    Refused {
        /// The backup.
        id: BackupId,
    },
    /// A count does not fit in its 32 bits.
    #[error("there are too many {what} for the dedup cache")]
    Limit {
        /// Of what.
        what: &'static str,
    },
}

impl CacheError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            CacheError::Io { .. } => FailureClass::Failure,
            CacheError::Version { .. } => FailureClass::Unsupported,
            CacheError::Limit { .. } => FailureClass::Limit,
            CacheError::NotACache | CacheError::Binding | CacheError::Damaged { .. } | CacheError::Refused { .. } => {
                FailureClass::Damaged
            }
        }
    }

    /// An error of the system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
        move |reason| CacheError::Io { action, path: path.to_owned(), reason }
    }
}

/// The error for a region that is not as it was written.
pub(super) fn damaged(region: Region) -> CacheError {
    CacheError::Damaged { region }
}
