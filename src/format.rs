//! Bytes of the format and the structs they stand for: parse and encode together, no I/O and no cipher.
//!
//! | file | object | specification |
//! |---|---|---|
//! | `header` | first 256 bytes of a part | spec/part.md |
//! | `frame` | headers of zstd frames, padding | spec/part.md, "Frames", "Padding" |
//! | `section` | directory of index and catalogue | spec/index.md |
//! | `record` | records inside the sections | spec/index.md |
//! | `map` | records of a dump map | spec/index.md, "Dump map" |
//! | `manifest` | the manifest | spec/manifest.md |
//! | `json` | strict JSON below it | spec/manifest.md |
//! | `keyfile` | key lines, pack lines, slot lines | spec/keys.md |
//! | `check_record` | when each way to a key last worked | spec/check.md |
//! | `paper` | keys and shares in groups of letters | spec/paper.md |
//! | `age` | age files: header, armor, names of keys | spec/age.md |

pub mod age;
pub mod check_record;
pub mod frame;
pub mod header;
pub mod json;
pub mod keyfile;
pub mod manifest;
pub mod map;
pub mod paper;
pub mod record;
pub mod section;
pub mod slot;
mod spelling;

use crate::base::bytes::BytesError;
use crate::base::failure::FailureClass;

/// Bytes that are not what the specification says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// They contradict the format.
    #[error("{0}")]
    Damaged(String),
    /// They are of a newer version, or use something this one does not know.
    #[error("{0}")]
    Unsupported(String),
    /// They exceed a limit.
    #[error("{what}: {found} is over the limit of {limit}")]
    Limit {
        /// What exceeds it.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
}

impl FormatError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            FormatError::Damaged(_) => FailureClass::Damaged,
            FormatError::Unsupported(_) => FailureClass::Unsupported,
            FormatError::Limit { .. } => FailureClass::Limit,
        }
    }
}

impl From<BytesError> for FormatError {
    fn from(error: BytesError) -> FormatError {
        FormatError::Damaged(error.to_string())
    }
}

/// Shorthand for the commonest refusal.
pub(crate) fn damaged(what: impl Into<String>) -> FormatError {
    FormatError::Damaged(what.into())
}

/// Refuses when `found` exceeds `limit`.
pub(crate) fn check_limit(what: &'static str, found: usize, limit: usize) -> Result<(), FormatError> {
    if found <= limit {
        return Ok(());
    }
    Err(FormatError::Limit { what, found: found as u64, limit: limit as u64 })
}
