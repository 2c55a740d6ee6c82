//! Where the vault key comes from: key files and the slots of manifests (spec/keys.md).

pub mod age;
pub mod packing;
pub mod paper;
pub mod ring;
pub mod slots;

use crate::base::failure::FailureClass;
use crate::base::id::Guid;
use crate::crypto::passphrase::SlotError;
use crate::format::FormatError;
use crate::keys::age::AgeError;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key file is not one.
    #[error("{0}")]
    File(FormatError),
    /// The file holds a pack-only key where a full one is needed.
    #[error("it holds a pack-only key, which writes backups and opens none")]
    PackOnly,
    /// The key file is an age file.
    #[error("the key file is encrypted with age")]
    Encrypted,
    /// The key file does not have the epoch.
    #[error("the key file has no key of epoch {epoch} of {guid}")]
    NoEpoch {
        /// The database.
        guid: Guid,
        /// The epoch that is needed.
        epoch: u32,
    },
    /// The slot does not open.
    #[error("{0}")]
    Slot(SlotError),
    /// An age file does not open.
    #[error("{0}")]
    Age(AgeError),
    /// The slot opens, and holds something that is no key line.
    #[error("a slot holds something else than a key")]
    SlotContents,
    /// The slot opens, and holds the key of something else.
    #[error("a slot holds the key of another guid or epoch")]
    ForeignSlot,
}

impl KeyError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            KeyError::File(source) => source.class(),
            KeyError::PackOnly | KeyError::NoEpoch { .. } => FailureClass::WrongKey,
            KeyError::Encrypted => FailureClass::Usage,
            KeyError::Slot(SlotError::Limit(_)) => FailureClass::Limit,
            KeyError::Slot(SlotError::Memory(_) | SlotError::Short { .. }) => FailureClass::Failure,
            KeyError::Slot(SlotError::WrongPassphrase) => FailureClass::WrongKey,
            KeyError::Age(source) => source.class(),
            KeyError::Slot(SlotError::Damaged) | KeyError::SlotContents | KeyError::ForeignSlot => {
                FailureClass::Damaged
            }
        }
    }
}

impl From<SlotError> for KeyError {
    fn from(source: SlotError) -> KeyError {
        KeyError::Slot(source)
    }
}

impl From<AgeError> for KeyError {
    fn from(source: AgeError) -> KeyError {
        KeyError::Age(source)
    }
}
