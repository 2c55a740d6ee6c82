//! The objects of one backup: where `format` and `crypto` meet.
//!
//! No I/O: writers hand sealed bytes to a sink, readers ask a closure for ranges. Everything that comes out of a reader is authenticated.
//!
//! | file | object |
//! |---|---|
//! | `part` | seals and opens one part |
//! | `section` | index and catalogue as sections of frames |
//! | `catalogue` | what later backups need |
//! | `index` | what a restore needs: blocks, recipe, spans |
//! | `map` | the dump map of an index |
//! | `manifest` | seals and opens the manifest |

pub mod catalogue;
pub mod index;
pub mod manifest;
pub mod map;
pub mod part;
pub mod section;

use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::chunk::compress::ZstdError;
use crate::crypto::keys::Fingerprint;
use crate::format::FormatError;

/// An object that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Its bytes are not what the format says.
    #[error("`{object}`: {source}")]
    Format {
        /// The object.
        object: String,
        /// What is wrong.
        source: FormatError,
    },
    /// A segment does not authenticate.
    #[error("`{object}`: segment {segment} does not authenticate")]
    Segment {
        /// The part.
        object: String,
        /// Which segment, from 0.
        segment: u64,
    },
    /// The header is not the one that the manifest tells of.
    #[error("`{object}`: its {field} is not the one that it should have")]
    Header {
        /// The part.
        object: String,
        /// The field that differs.
        field: &'static str,
    },
    /// The sealed archive key does not open.
    #[error("the archive key of {id} does not open")]
    SealedKey {
        /// The backup.
        id: BackupId,
    },
    /// The MAC does not verify.
    #[error("the manifest of {id} does not authenticate")]
    Mac {
        /// The backup.
        id: BackupId,
    },
    /// The manifest tells of another vault key.
    #[error("{id} needs key {} of epoch {epoch}, the given one is {}", needed.short(), given.short())]
    WrongKey {
        /// The backup.
        id: BackupId,
        /// Its epoch.
        epoch: u32,
        /// The fingerprint it shows.
        needed: Fingerprint,
        /// That of the key at hand.
        given: Fingerprint,
    },
    /// zstd failed.
    #[error("`{object}`: {source}")]
    Zstd {
        /// The part.
        object: String,
        /// How.
        source: ZstdError,
    },
}

impl ArchiveError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            ArchiveError::Format { source, .. } => source.class(),
            ArchiveError::WrongKey { .. } => FailureClass::WrongKey,
            ArchiveError::Zstd { source: ZstdError::Compress, .. } => FailureClass::Failure,
            ArchiveError::Segment { .. }
            | ArchiveError::Header { .. }
            | ArchiveError::SealedKey { .. }
            | ArchiveError::Mac { .. }
            | ArchiveError::Zstd { .. } => FailureClass::Damaged,
        }
    }

    /// Names the object that a format error is about.
    pub fn format(object: &str) -> impl Fn(FormatError) -> ArchiveError + '_ {
        move |source| ArchiveError::Format { object: object.into(), source }
    }
}

/// A refusal in the words of the format.
pub(crate) fn damaged(object: &str, what: impl Into<String>) -> ArchiveError {
    ArchiveError::Format { object: object.into(), source: FormatError::Damaged(what.into()) }
}
