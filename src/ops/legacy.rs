//! Reads archives of the service that vault replaces (spec/legacy.md): finds their parts, decodes them, and looks at what they hold.
//!
//! The bytes themselves are `crate::legacy`'s. Here they come from objects, and the dump inside is judged by the observer that judges every
//! dump.

pub mod content;
pub mod parts;

use crate::base::failure::FailureClass;
use crate::legacy::gzip::GzipError;
use crate::legacy::{DecodeError, LegacyError};
use crate::pipeline::error::RunError;
use crate::pipeline::port::StoreError;

/// Why a legacy archive was not read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store failed, or the run was stopped.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The archive is not whole, or the key is not its own.
    #[error(transparent)]
    Archive(#[from] LegacyError),
    /// There is no such archive.
    #[error("there is no legacy archive {0}")]
    NotFound(String),
    /// Several archives match.
    #[error("{} legacy archives match: {}", .0.len(), .0.join(", "))]
    Ambiguous(Vec<String>),
    /// A part is not there.
    #[error("part {index} of {archive} is missing: there are others with higher numbers")]
    Gap {
        /// What the names of its parts begin with.
        archive: String,
        /// The number that is missing.
        index: u64,
    },
    /// A number stands twice.
    #[error("part {index} of {archive} is given twice")]
    Twice {
        /// What the names of its parts begin with.
        archive: String,
        /// The number.
        index: u64,
    },
    /// The archive is there as one object and as parts.
    #[error("{0} is there as one object and as parts")]
    WholeAndParts(String),
    /// Two objects are the beginning of an archive.
    #[error("`{first}` and `{second}` are both the beginning of an archive")]
    TwoBeginnings {
        /// The first part.
        first: String,
        /// A later one.
        second: String,
    },
    /// It is a part of vault's.
    #[error("`{0}` belongs to a backup of vault's, not to a legacy archive")]
    Vaults(String),
    /// Standard input broke off.
    #[error("cannot read the archive: {0}")]
    Unreadable(std::io::Error),
    /// What comes once cannot be kept to be read again.
    #[error("cannot keep a copy of the archive in `{place}`: {reason}")]
    Spool {
        /// The directory.
        place: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// There is nothing in it.
    #[error("the dump in the archive is empty")]
    Empty,
    /// The dump has no proper end.
    #[error("the dump in the archive is cut short: {0}")]
    CutShort(String),
    /// Its bytes cannot show that it is whole, and who wrote it is long gone.
    #[error("nothing shows that the dump in the archive is whole: {0}")]
    Unproven(String),
    /// The content is gzip once more, and not whole.
    #[error("the archive holds gzip inside gzip, and the inner one is damaged: {0}")]
    Inner(GzipError),
}

impl ImportError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            ImportError::Run(source) => source.class(),
            ImportError::Archive(source) => source.class(),
            ImportError::NotFound(_) | ImportError::Vaults(_) => FailureClass::NotFound,
            ImportError::Gap { .. } => FailureClass::Missing,
            ImportError::Ambiguous(_)
            | ImportError::Twice { .. }
            | ImportError::WholeAndParts(_)
            | ImportError::TwoBeginnings { .. } => FailureClass::Usage,
            // The archive is as it was written: what was put into it was not whole.
            ImportError::Empty | ImportError::CutShort(_) | ImportError::Unproven(_) => FailureClass::Source,
            ImportError::Inner(_) | ImportError::Unreadable(_) => FailureClass::Source,
            ImportError::Spool { .. } => FailureClass::Failure,
        }
    }
}

impl From<StoreError> for ImportError {
    fn from(source: StoreError) -> ImportError {
        ImportError::Run(source.into())
    }
}

impl From<DecodeError<ImportError>> for ImportError {
    fn from(source: DecodeError<ImportError>) -> ImportError {
        match source {
            DecodeError::Source(error) => error,
            DecodeError::Archive(error) => error.into(),
        }
    }
}
