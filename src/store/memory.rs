//! A store in memory, held to the same contract as the others: tests, benches and fuzzing run on it.
//!
//! Clones share their contents, so that a test keeps one clone and looks at what the pipeline did with the other. `insert` writes
//! past every rule, as somebody with access to a bucket would.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::check_name;
use crate::pipeline::port::{ObjectInfo, Store, StoreError, Upload};

/// Tells the stores of one process apart, as their paths tell directories apart.
static STORES: AtomicU64 = AtomicU64::new(0);

/// Every object with its bytes.
type Objects = BTreeMap<String, Vec<u8>>;

/// A store in memory.
#[derive(Clone)]
pub struct MemoryStore {
    objects: Arc<Mutex<Objects>>,
    number: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore { objects: Arc::default(), number: STORES.fetch_add(1, Ordering::Relaxed) }
    }

    /// Puts an object there, whatever was there before.
    pub fn insert(&self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        lock(&self.objects).insert(name.into(), bytes.into());
    }

    /// Every object with its bytes, as they are now.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.objects).clone()
    }

    /// The names of all objects, ascending.
    pub fn names(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

/// The contents. A thread that panicked left them whole: each change is one call.
fn lock(objects: &Mutex<Objects>) -> MutexGuard<'_, Objects> {
    objects.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let info = |(name, bytes): (&String, &Vec<u8>)| ObjectInfo { name: name.clone(), bytes: bytes.len() as u64 };
        let objects = lock(&self.objects);
        let from = objects.range(prefix.to_owned()..);
        Ok(from.take_while(|(name, _)| name.starts_with(prefix)).map(info).collect())
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        check_name("read", name)?;
        let objects = lock(&self.objects);
        let bytes = objects.get(name).ok_or_else(|| StoreError::Missing { name: name.into() })?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        check_name("write", name)?;
        if lock(&self.objects).contains_key(name) {
            return Err(StoreError::Exists { name: name.into() });
        }
        Ok(Box::new(MemoryUpload { objects: Arc::clone(&self.objects), name: name.into(), bytes: Vec::new() }))
    }

    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        check_name("replace", name)?;
        match lock(&self.objects).get_mut(name) {
            None => Err(StoreError::Missing { name: name.into() }),
            Some(bytes) if bytes.as_slice() == old => {
                *bytes = new.to_vec();
                Ok(())
            }
            Some(_) => Err(StoreError::Changed { name: name.into() }),
        }
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        check_name("delete", name)?;
        lock(&self.objects).remove(name);
        Ok(())
    }

    fn location(&self) -> String {
        format!("memory:{}", self.number)
    }
}

/// An object that nobody sees yet.
struct MemoryUpload {
    objects: Arc<Mutex<Objects>>,
    name: String,
    bytes: Vec<u8>,
}

impl Upload for MemoryUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let MemoryUpload { objects, name, bytes } = *self;
        let mut objects = lock(&objects);
        if objects.contains_key(&name) {
            return Err(StoreError::Exists { name });
        }
        objects.insert(name, bytes);
        Ok(())
    }
}
