//! A file that appears under its name when it is whole and durable, or not at all.
//!
//! Written as `.<name>.<process>.<count>.tmp` in the same directory, flushed to the disk, renamed. Each writer has a file of its own, so
//! that writers do not meet but in the rename. Whoever writes holds a lock on it until its process ends: a temporary file
//! without one was left by a crash, and the next writer removes it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::index::cache::error::CacheError;

/// Gathered before a write.
const BUFFER: usize = 1 << 20;

/// Tells the files of one process apart.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The file, removed again unless it is committed.
pub(super) struct Temporary<'a> {
    path: &'a Path,
    directory: &'a Path,
    temporary: PathBuf,
    file: BufWriter<File>,
    committed: bool,
}

impl<'a> Temporary<'a> {
    /// Begins a file that will be `path`. Makes the directories that are not there.
    pub(super) fn beside(path: &'a Path) -> Result<Temporary<'a>, CacheError> {
        let unnamed = || CacheError::io("write", path)(io::ErrorKind::InvalidInput.into());
        let name = path.file_name().ok_or_else(unnamed)?;
        let directory = match path.parent().ok_or_else(unnamed)? {
            here if here.as_os_str().is_empty() => Path::new("."),
            directory => directory,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(directory).map_err(CacheError::io("make", directory))?;
        sweep(directory, name);
        let (temporary, file) = create(directory, name)?;
        Ok(Temporary { path, directory, temporary, file: BufWriter::with_capacity(BUFFER, file), committed: false })
    }

    /// Where to write.
    pub(super) fn writer(&mut self) -> &mut BufWriter<File> {
        &mut self.file
    }

    /// Makes what was written and flushed durable, and gives it its name.
    pub(super) fn commit(mut self) -> Result<File, CacheError> {
        let file = self.file.get_ref();
        file.sync_all().map_err(CacheError::io("write", &self.temporary))?;
        fs::rename(&self.temporary, self.path).map_err(CacheError::io("replace", self.path))?;
        self.committed = true;
        let directory = File::open(self.directory).and_then(|directory| directory.sync_all());
        directory.map_err(CacheError::io("write", self.directory))?;
        self.file.get_ref().try_clone().map_err(CacheError::io("read", self.path))
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // The failure that brought us here is the one to tell.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// How the temporary names of a file begin.
fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// Makes a file of a name of its own, and locks it before any other writer takes it for left over.
fn create(directory: &Path, name: &OsStr) -> Result<(PathBuf, File), CacheError> {
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = prefix(name);
        temporary.push(format!("{}.{count}.tmp", std::process::id()));
        let temporary = directory.join(temporary);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&temporary).map_err(CacheError::io("make", &temporary))?;
        // A sweep may have come between: then it holds the lock, or the file has no name any more. Where a file system knows
        // no locks, no sweep gets one either.
        let is_swept = match file.try_lock() {
            Err(TryLockError::WouldBlock) => true,
            Ok(()) | Err(TryLockError::Error(_)) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
        };
        if !is_swept {
            return Ok((temporary, file));
        }
    }
}

/// Removes what crashed writers left: up to the size of a cache each. What cannot be removed is left to the next one.
fn sweep(directory: &Path, name: &OsStr) {
    let prefix = prefix(name);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
        let is_temporary = rest.is_some_and(|rest| rest.ends_with(b".tmp"));
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_temporary || !is_file {
            continue;
        }
        // The lock is held until the name is gone, or a writer could take the file for its own in between.
        let left = File::open(entry.path()).ok().filter(|file| file.try_lock().is_ok());
        if left.is_some() {
            let _ = fs::remove_file(entry.path());
        }
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sweep_takes_what_is_being_written() {
        const ROUNDS: usize = 4000;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("cache");
        let write = || {
            for _ in 0..ROUNDS {
                let file = Temporary::beside(&path).expect("a file");
                std::thread::yield_now();
                assert!(file.temporary.exists(), "another writer removed it");
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(write);
            }
        });
    }
}
