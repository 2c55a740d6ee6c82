//! What the pipeline needs from outside. `store`, `observe` and `cli` implement it; the pipeline never sees a path, a URL or a runtime.

use std::time::Duration;

use crate::base::failure::FailureClass;

/// A name and a size, as a listing shows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// The object's name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why an operation of a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("`{name}` is not in the store")]
    Missing {
        /// The object.
        name: String,
    },
    /// An object of that name exists already.
    #[error("`{name}` is in the store already")]
    Exists {
        /// The object.
        name: String,
    },
    /// The object is not the one that was to be replaced.
    #[error("`{name}` was changed by somebody else meanwhile")]
    Changed {
        /// The object.
        name: String,
    },
    /// There is no such store.
    #[error("there is no store at {place}")]
    NoStore {
        /// Where it was looked for.
        place: String,
    },
    /// The store could not do what it was asked to.
    #[error("cannot {action} {what}: {reason}")]
    Failed {
        /// The operation, as a verb.
        action: &'static str,
        /// The object or the place.
        what: String,
        /// What the system said.
        reason: std::io::Error,
    },
}

impl StoreError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            StoreError::Missing { .. } => FailureClass::Missing,
            StoreError::Exists { .. } => FailureClass::Exists,
            StoreError::NoStore { .. } => FailureClass::NotFound,
            StoreError::Changed { .. } | StoreError::Failed { .. } => FailureClass::Store,
        }
    }
}

/// A flat set of named objects that are written once; only manifests are ever replaced, when their slots or their verdict change.
///
/// Names are UTF-8 without `/`, do not begin with `.` and are at most 128 bytes. All methods may be called from several threads.
pub trait Store: Send + Sync {
    /// Every object whose name begins with `prefix`, ascending by name. Objects that are being written are not among them.
    ///
    /// # Errors
    /// The store cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError>;

    /// The bytes from `offset` on, `length` of them, or fewer where the object ends.
    ///
    /// # Errors
    /// `Missing` when there is no such object.
    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError>;

    /// The same, in place of what is in `bytes`, whose memory a store may use again.
    ///
    /// # Errors
    /// As for `get`; what is in `bytes` is of no meaning then.
    fn get_into(&self, name: &str, offset: u64, length: usize, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        *bytes = self.get(name, offset, length)?;
        Ok(())
    }

    /// Begins to write an object, which appears under its name when it is committed.
    ///
    /// # Errors
    /// The store cannot be written. `Exists` may come here or at the commit.
    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError>;

    /// Puts `new` in the place of an object that holds exactly `old`: the only way in which an object ever changes. At any time there is one
    /// of the two, and `new` is durable when this returns. A store that cannot compare refuses.
    ///
    /// # Errors
    /// `Missing`; `Changed` when the object holds anything else, and then it still does.
    fn replace(&self, name: &str, _old: &[u8], _new: &[u8]) -> Result<(), StoreError> {
        let reason = std::io::Error::new(std::io::ErrorKind::Unsupported, "this store replaces nothing");
        Err(StoreError::Failed { action: "replace", what: name.into(), reason })
    }

    /// Removes an object. That it is gone already is success.
    ///
    /// # Errors
    /// The store cannot be changed.
    fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// Where the store is, in one canonical form; keys the cache.
    fn location(&self) -> String;
}

/// An object that is being written. Dropped without a commit it leaves nothing behind.
pub trait Upload: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// The store cannot be written; the upload must not be used again.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Whether all is well while there is nothing to write: a store that writes behind may have failed meanwhile.
    ///
    /// # Errors
    /// What was written before could not be; the upload must not be used again.
    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes the object durable and visible, unless one of its name exists.
    ///
    /// # Errors
    /// `Exists`, and anything that leaves it unknown whether the object is durable.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Unix time in milliseconds.
    fn now_ms(&self) -> u64;
}

/// A source of random bytes for keys, salts and names.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// What the pipeline tells while it runs. Nothing in it is secret.
pub trait Observer: Send + Sync {
    /// So many more bytes of the dump were read or released.
    fn advanced(&self, bytes: u64);

    /// So many bytes were stored.
    fn stored(&self, bytes: u64);

    /// Something that a person should know and that stops nothing.
    fn warn(&self, message: &str);

    /// Something that a person may like to know: nothing is wrong.
    fn note(&self, message: &str);
}

/// An observer that looks away.
pub struct Silent;

impl Observer for Silent {
    fn advanced(&self, _bytes: u64) {}
    fn stored(&self, _bytes: u64) {}
    fn warn(&self, _message: &str) {}
    fn note(&self, _message: &str) {}
}

/// Why a run was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The whole run took longer than it may.
    Timeout(Duration),
    /// No byte came for longer than it may.
    Stalled(Duration),
}

/// What the pipeline asks about the world while it runs.
pub trait Control: Send + Sync {
    /// Polled several times a second: a reason to stop now.
    fn stop(&self) -> Option<Stop>;

    /// Asked once, after the end of the input and before the backup is committed: did the producer succeed?
    ///
    /// # Errors
    /// It did not; the message says how it ended.
    fn end_of_input(&self) -> Result<ProducerEnd, SourceFailed>;
}

/// What is known, at the end of the input, of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerEnd {
    /// It ran under our eyes, and ended well.
    Succeeded,
    /// It is at the other end of a pipe, or long gone.
    Unknown,
}

/// The producer of the dump failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceFailed(pub String);

/// Nothing stops the run, and of its producer nothing is known.
pub struct Unwatched;

impl Control for Unwatched {
    fn stop(&self) -> Option<Stop> {
        None
    }

    fn end_of_input(&self) -> Result<ProducerEnd, SourceFailed> {
        Ok(ProducerEnd::Unknown)
    }
}
