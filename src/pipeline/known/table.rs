//! The cache file of a run: opened, made again where it lacks something, dropped.

use std::path::{Path, PathBuf};

use crate::crypto::keys::PackKeys;
use crate::index::cache::{Cache, CacheError, KnownBackup, NewBackup, Target, rebuild};
use crate::pipeline::World;
use crate::pipeline::known::CachePlace;
use crate::pipeline::known::source::{Source, is_of};

/// Drops the cache, since what it says does not agree with the store, and has the next run reference nothing.
pub fn forget(world: &World<'_>, place: &CachePlace) {
    let CachePlace::File(path) = place else { return };
    for done in [std::fs::write(distrust(path), ""), remove(path)] {
        if let Err(error) = done {
            world.observer.warn(&format!("the cache cannot be dropped: {error}"));
        }
    }
}

/// Whether an earlier run dropped the cache, and no backup was made since.
pub(super) fn is_distrusted(place: &CachePlace) -> bool {
    matches!(place, CachePlace::File(path) if distrust(path).exists())
}

/// A full backup was made.
pub(super) fn trust_again(world: &World<'_>, path: &Path) {
    if let Err(error) = remove(&distrust(path)) {
        world.observer.warn(&format!("the next backup will be a full one again: {error}"));
    }
}

/// An empty file beside the cache.
fn distrust(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".distrusted");
    name.into()
}

/// Removes a file; that it is gone already is success.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn binding(world: &World<'_>, keys: &PackKeys) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&keys.scope.bytes());
    hasher.update(world.store.location().as_bytes());
    *hasher.finalize().as_bytes()
}

pub(super) fn open_cache(world: &World<'_>, keys: &PackKeys, place: &CachePlace) -> Option<Cache> {
    let CachePlace::File(path) = place else { return None };
    match Cache::open(path, &keys.cache_key(), &binding(world, keys)) {
        Ok(cache) => cache,
        Err(error) => {
            world.observer.warn(&format!("the cache is not used, catalogues are read again: {error}"));
            None
        }
    }
}

/// One cache of all sources: the old one where it has everything, otherwise a new one.
pub(super) fn assemble(
    world: &World<'_>,
    keys: &PackKeys,
    place: &CachePlace,
    old: Option<Cache>,
    sources: &[Source],
    mut fresh: Vec<NewBackup>,
) -> Option<Cache> {
    if fresh.is_empty() && old.is_some() {
        return old;
    }
    let keep = |known: &KnownBackup| sources.iter().any(|source| is_of(known, source));
    let (key, binding) = (keys.cache_key(), binding(world, keys));
    let mut build = |target| rebuild(old.as_ref(), &keep, &mut fresh, &key, &binding, target);
    let built = match place {
        CachePlace::File(path) => build(Target::File(path)).or_else(|error| {
            world.observer.warn(&format!("the cache cannot be written: {error}"));
            build(Target::Heap)
        }),
        CachePlace::None => build(Target::Heap),
    };
    let refused = |error: CacheError| world.observer.warn(&format!("known chunks are stored again: {error}"));
    built.map_err(refused).ok()
}
