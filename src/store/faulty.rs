//! A store that breaks on purpose, around another one. A test counts: it lets operation 1 fail, then 2, 3 … until a run needs fewer
//! operations than that, and looks after each run at what is left.
//!
//! The fault model:
//!
//! - Every call of `list`, `get`, `create`, `write`, `commit`, `replace` and `delete` is one operation, numbered from 1 across all threads, clones
//!   and uploads. `location` is none.
//! - `failing`: the Nth operation fails, once or from then on. It fails *before* it does anything: a failed `delete` deletes nothing, and
//!   a failed `commit` leaves nothing behind. An upload of which a write failed is dead.
//! - `losing_reply`: the Nth commit or replacement (they have a count of their own) puts its object there and reports an error. This is what a
//!   client sees of a bucket whose answer was lost on the way.
//! - `overwriting`: the store does not know create-if-absent, and says nothing about it: what is committed last is there.
//!
//! Not modelled: bytes that change (a test inserts those itself), slowness, listings that lag behind.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{check_name, failed};
use crate::pipeline::port::{ObjectInfo, Store, StoreError, Upload};

/// How often an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// That one operation.
    Once,
    /// That one and all that follow.
    FromThenOn,
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Fails { at: u64, times: Times },
    LosesReply { commit: u64 },
    Overwrites,
}

/// A store around another one, with at most one fault. Clones share their counts.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: Fault,
    counts: Arc<Counts>,
}

/// What happened so far.
#[derive(Default)]
struct Counts {
    operations: AtomicU64,
    commits: AtomicU64,
}

impl FaultyStore {
    /// Only counts.
    pub fn counting(inner: impl Store + 'static) -> FaultyStore {
        FaultyStore::with(inner, Fault::None)
    }

    /// The operation number `at` fails.
    pub fn failing(inner: impl Store + 'static, at: u64, times: Times) -> FaultyStore {
        FaultyStore::with(inner, Fault::Fails { at, times })
    }

    /// The commit number `commit` does its work and reports an error.
    pub fn losing_reply(inner: impl Store + 'static, commit: u64) -> FaultyStore {
        FaultyStore::with(inner, Fault::LosesReply { commit })
    }

    /// Objects replace each other silently.
    pub fn overwriting(inner: impl Store + 'static) -> FaultyStore {
        FaultyStore::with(inner, Fault::Overwrites)
    }

    fn with(inner: impl Store + 'static, fault: Fault) -> FaultyStore {
        FaultyStore { inner: Arc::new(inner), fault, counts: Arc::default() }
    }

    /// How many operations were asked for, those that failed included.
    pub fn operations(&self) -> u64 {
        self.counts.operations.load(Ordering::SeqCst)
    }

    /// How many commits were asked for and not made to fail.
    pub fn commits(&self) -> u64 {
        self.counts.commits.load(Ordering::SeqCst)
    }

    /// Counts one operation, and fails it when its turn has come.
    fn count(&self, action: &'static str, what: &str) -> Result<(), StoreError> {
        let number = self.counts.operations.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = match self.fault {
            Fault::Fails { at, times } => number == at || (number > at && times == Times::FromThenOn),
            _ => false,
        };
        if fails {
            return Err(injected(action, what, &format!("operation {number} was made to fail")));
        }
        Ok(())
    }

    /// The error of a commit that did its work.
    fn lost_reply(&self, number: u64, name: &str) -> Result<(), StoreError> {
        match self.fault {
            Fault::LosesReply { commit } if commit == number => Err(injected("write", name, "the reply was lost")),
            _ => Ok(()),
        }
    }
}

/// The error of a fault.
fn injected(action: &'static str, what: &str, text: &str) -> StoreError {
    failed(action, what, io::Error::other(text))
}

impl Store for FaultyStore {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.count("list", prefix)?;
        self.inner.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.count("read", name)?;
        self.inner.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.count("write", name)?;
        let state = match self.fault {
            Fault::Overwrites => {
                check_name("write", name)?;
                State::Held(Vec::new())
            }
            _ => State::Open(self.inner.create(name)?),
        };
        Ok(Box::new(FaultyUpload { store: self.clone(), name: name.into(), state }))
    }

    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        self.count("replace", name)?;
        let number = self.counts.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.inner.replace(name, old, new)?;
        self.lost_reply(number, name)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.count("delete", name)?;
        self.inner.delete(name)
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

/// An upload into the store around which the faults are.
struct FaultyUpload {
    store: FaultyStore,
    name: String,
    state: State,
}

/// Where the bytes are.
enum State {
    /// In the inner upload.
    Open(Box<dyn Upload>),
    /// Here, until the commit clears the place for them.
    Held(Vec<u8>),
    /// Gone: a write failed.
    Dead,
}

impl Upload for FaultyUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let counted = self.store.count("write", &self.name);
        let done = counted.and_then(|()| match &mut self.state {
            State::Open(upload) => upload.write(bytes),
            State::Held(held) => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            State::Dead => Err(injected("write", &self.name, "an earlier write failed")),
        });
        if done.is_err() {
            self.state = State::Dead;
        }
        done
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let FaultyUpload { store, name, state } = *self;
        store.count("write", &name)?;
        let number = store.counts.commits.fetch_add(1, Ordering::SeqCst) + 1;
        match state {
            State::Open(upload) => upload.commit()?,
            State::Held(bytes) => replace(&*store.inner, &name, &bytes)?,
            State::Dead => return Err(injected("write", &name, "an earlier write failed")),
        }
        store.lost_reply(number, &name)
    }
}

/// Writes over whatever has that name. Two of them may meet; the later one wins, as it would in a bucket.
fn replace(store: &dyn Store, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    loop {
        store.delete(name)?;
        let written = store.create(name).and_then(|mut upload| {
            upload.write(bytes)?;
            upload.commit()
        });
        match written {
            Err(StoreError::Exists { .. }) => {}
            done => return done,
        }
    }
}
