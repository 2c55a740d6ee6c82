//! Stores for tests that break one thing: a snapshot of which one object is changed, and one that fails for a while.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vault::pipeline::port::{ObjectInfo, Store, StoreError, Upload};
use vault::store::memory::MemoryStore;

/// Every object with its bytes.
pub type Snapshot = BTreeMap<String, Vec<u8>>;

/// A store in memory that holds what a snapshot does.
pub fn restored(snapshot: &Snapshot) -> MemoryStore {
    let store = MemoryStore::new();
    for (name, bytes) in snapshot {
        store.insert(name.clone(), bytes.clone());
    }
    store
}

/// A store in memory that says of itself what every copy of it says, so that one cache serves them all.
#[derive(Clone)]
pub struct Same(pub MemoryStore);

impl Store for Same {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.0.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.0.create(name)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }

    fn location(&self) -> String {
        "memory:same".into()
    }
}

/// What is done to an object.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The bits of the mask are changed in one byte.
    Flip(usize, u8),
    /// Everything from there on is gone.
    Cut(usize),
    /// It is gone.
    Gone,
}

/// A snapshot of which one object is changed, without a copy of anything. Nothing can be written to it.
pub struct Changed<'a> {
    pub snapshot: &'a Snapshot,
    pub name: &'a str,
    pub change: Change,
}

impl Changed<'_> {
    fn length(&self, name: &str, bytes: &[u8]) -> Option<usize> {
        match self.change {
            _ if name != self.name => Some(bytes.len()),
            Change::Flip(..) => Some(bytes.len()),
            Change::Cut(length) => Some(length),
            Change::Gone => None,
        }
    }
}

impl Store for Changed<'_> {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let named = self.snapshot.iter().filter(|(name, _)| name.starts_with(prefix));
        let infos = named.filter_map(|(name, bytes)| {
            let bytes = self.length(name, bytes)? as u64;
            Some(ObjectInfo { name: name.clone(), bytes })
        });
        Ok(infos.collect())
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let found = self.snapshot.get(name).and_then(|bytes| bytes.get(..self.length(name, bytes)?));
        let bytes = found.ok_or_else(|| StoreError::Missing { name: name.into() })?;
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        let mut range = bytes[start..end].to_vec();
        if let Change::Flip(at, mask) = self.change
            && name == self.name
            && (start..end).contains(&at)
        {
            range[at - start] ^= mask;
        }
        Ok(range)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        Err(failed("write", name))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        Err(failed("delete", name))
    }

    fn location(&self) -> String {
        "changed".into()
    }
}

/// A store whose operations fail from number `from` (from 1) to before `to`, and work again after that; counted as `store::faulty` counts.
#[derive(Clone)]
pub struct Outage {
    inner: Arc<dyn Store>,
    from: u64,
    to: u64,
    operations: Arc<AtomicU64>,
}

impl Outage {
    pub fn new(inner: impl Store + 'static, from: u64, to: u64) -> Outage {
        Outage { inner: Arc::new(inner), from, to, operations: Arc::default() }
    }

    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    fn count(&self, action: &'static str, name: &str) -> Result<(), StoreError> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        if (self.from..self.to).contains(&number) { Err(failed(action, name)) } else { Ok(()) }
    }
}

impl Store for Outage {
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
        let upload = Some(self.inner.create(name)?);
        Ok(Box::new(OutageUpload { store: self.clone(), name: name.into(), upload }))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.count("delete", name)?;
        self.inner.delete(name)
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

struct OutageUpload {
    store: Outage,
    name: String,
    upload: Option<Box<dyn Upload>>,
}

impl Upload for OutageUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let counted = self.store.count("write", &self.name);
        if counted.is_err() {
            self.upload = None;
        }
        counted?;
        self.upload.as_mut().ok_or_else(|| failed("write", &self.name))?.write(bytes)
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.store.count("write", &self.name)?;
        self.upload.ok_or_else(|| failed("write", &self.name))?.commit()
    }
}

/// What happens behind the back of a writer: called after each commit with the number of it, from 1, and the name.
pub type Hook = dyn Fn(&MemoryStore, u64, &str) + Send + Sync;

/// A store in which something happens after a commit, and that sees no earlier than at the commit whether an object exists.
#[derive(Clone)]
pub struct Hooked {
    pub inner: MemoryStore,
    hook: Arc<Hook>,
    commits: Arc<AtomicU64>,
}

impl Hooked {
    pub fn new(inner: MemoryStore, hook: impl Fn(&MemoryStore, u64, &str) + Send + Sync + 'static) -> Hooked {
        Hooked { inner, hook: Arc::new(hook), commits: Arc::default() }
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Store for Hooked {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.inner.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.inner.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(HookedUpload { store: self.clone(), name: name.into(), bytes: Vec::new() }))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.inner.delete(name)
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

struct HookedUpload {
    store: Hooked,
    name: String,
    bytes: Vec<u8>,
}

impl Upload for HookedUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut upload = self.store.inner.create(&self.name)?;
        upload.write(&self.bytes)?;
        upload.commit()?;
        let number = self.store.commits.fetch_add(1, Ordering::SeqCst) + 1;
        (self.store.hook)(&self.store.inner, number, &self.name);
        Ok(())
    }
}

/// A store whose commit number `commit` does its work and answers that the object existed before: a retry behind the caller's back.
#[derive(Clone)]
pub struct Retrying {
    inner: Arc<dyn Store>,
    commit: u64,
    commits: Arc<AtomicU64>,
}

impl Retrying {
    pub fn new(inner: impl Store + 'static, commit: u64) -> Retrying {
        Retrying { inner: Arc::new(inner), commit, commits: Arc::default() }
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Store for Retrying {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.inner.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.inner.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        let upload = self.inner.create(name)?;
        Ok(Box::new(RetryingUpload { store: self.clone(), name: name.into(), upload }))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.inner.delete(name)
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

struct RetryingUpload {
    store: Retrying,
    name: String,
    upload: Box<dyn Upload>,
}

impl Upload for RetryingUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.upload.write(bytes)
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.upload.commit()?;
        if self.store.commits.fetch_add(1, Ordering::SeqCst) + 1 == self.store.commit {
            return Err(StoreError::Exists { name: self.name });
        }
        Ok(())
    }
}

fn failed(action: &'static str, name: &str) -> StoreError {
    StoreError::Failed { action, what: name.into(), reason: io::Error::other("made to fail") }
}
