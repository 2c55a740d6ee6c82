//! A store that counts what is read from it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::pipeline::port::{ObjectInfo, Store, StoreError, Upload};

/// Counts the bytes that `get` returns; everything else goes through.
pub struct Counting<'a> {
    store: &'a dyn Store,
    bytes: AtomicU64,
}

impl<'a> Counting<'a> {
    /// Counts from 0.
    pub fn new(store: &'a dyn Store) -> Counting<'a> {
        Counting { store, bytes: AtomicU64::new(0) }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Store for Counting<'_> {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.store.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let read = self.store.get(name, offset, length)?;
        self.bytes.fetch_add(read.len() as u64, Ordering::Relaxed);
        Ok(read)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.store.create(name)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.store.delete(name)
    }

    fn location(&self) -> String {
        self.store.location()
    }
}
