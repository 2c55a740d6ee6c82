//! A directory as a store: each object is a regular file in it.
//!
//! Writing one object, step by step (spec/objects.md, "Order of writing"):
//!
//! 1. open `.vault-<name>-<random>.tmp` in the same directory, mode 0600, only if absent;
//! 2. write, in pieces of 1 MiB, by a thread of its own and past the page cache where the file system can;
//! 3. compare the file's length with what was written, `fsync` it;
//! 4. rename it without replacing; where the file system knows no such rename, hard-link it, which never replaces either;
//! 5. `fsync` the directory, and only then say that the object is stored.
//!
//! Whatever fails, the temporary file is removed; only a crash leaves one, and no listing shows it. Who writes one holds a lock on it
//! until its process ends, so that the first upload of a later run knows what was left behind, and removes it. When step 5 fails the object may
//! be there without being durable: the caller learns of a failure and deletes what it wrote.
//!
//! The directory is opened once and everything happens relative to that handle. A store that is unmounted or moved away while a
//! backup runs therefore makes the run fail, and never puts half of it into the directory underneath.
//!
//! A symbolic link to a regular file is an object, so that old parts may be moved to another disk; deleting it removes the link.
//! Anything else is not an object: directories, pipes, dangling links, names that begin with a dot or are not UTF-8.
//!
//! Not guaranteed: that the disk itself does what `fsync` asks it to.

mod upload;
mod writer;

use std::ffi::CStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock};
use rustix::io::Errno;

use super::{check_name, failed, is_name};
use crate::base::bytes::to_hex;
use crate::pipeline::port::{ObjectInfo, Store, StoreError, Upload};
use upload::LocalUpload;

/// A store in a directory.
#[derive(Clone)]
pub struct LocalStore {
    place: Arc<Place>,
}

/// The directory: a handle to work with and a path to talk about.
struct Place {
    path: PathBuf,
    handle: File,
    /// What crashed writers left is removed once.
    swept: Once,
}

impl LocalStore {
    /// Opens the store in the directory `path`.
    ///
    /// # Errors
    /// `NoStore` when there is nothing at `path`, `Failed` when it is not a directory that can be opened.
    pub fn open(path: &Path) -> Result<LocalStore, StoreError> {
        let shown = || path.display().to_string();
        let canonical = fs::canonicalize(path).map_err(|reason| match reason.kind() {
            io::ErrorKind::NotFound => StoreError::NoStore { place: shown() },
            _ => failed("open the store", shown(), reason),
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(&canonical, flags, Mode::empty())
            .map_err(|reason| failed("open the store", shown(), reason))?;
        Ok(LocalStore { place: Arc::new(Place { path: canonical, handle: handle.into(), swept: Once::new() }) })
    }

    /// Opens the store in the directory `path`, which a writer may find missing: it and its parents are then made, for the owner only.
    ///
    /// # Errors
    /// `Failed` when the directory cannot be made or opened.
    pub fn open_or_create(path: &Path) -> Result<LocalStore, StoreError> {
        create_directories(path).map_err(|reason| failed("make the store", path.display().to_string(), reason))?;
        LocalStore::open(path)
    }
}

/// Makes `path` and what is missing above it, and makes each new name durable: a backup in a directory that a crash undoes is none.
fn create_directories(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in missing {
        let above = match made.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

impl Place {
    /// A failure of an operation on one object.
    fn failed(&self, action: &'static str, name: &str, reason: impl Into<io::Error>) -> StoreError {
        failed(action, self.path.join(name).display().to_string(), reason)
    }

    /// The size of the object with that file name, and `None` for anything that is not an object.
    fn size(&self, name: &CStr) -> Result<Option<u64>, Errno> {
        match rustix::fs::statat(&self.handle, name, AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(u64::try_from(stat.st_size).ok())
            }
            Ok(_) => Ok(None),
            // Gone since the directory was read, or a link that leads nowhere.
            Err(Errno::NOENT | Errno::LOOP) => Ok(None),
            Err(reason) => Err(reason),
        }
    }

    /// The objects, in the order in which the directory has them.
    fn read(&self, prefix: &str) -> Result<Vec<ObjectInfo>, Errno> {
        let mut objects = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !is_name(name) || !name.starts_with(prefix) {
                continue;
            }
            if let Some(bytes) = self.size(entry.file_name())? {
                let name = name.to_owned();
                objects.push(ObjectInfo { name, bytes });
            }
        }
        // A directory that was removed reads as empty, which would say that every backup is gone.
        match rustix::fs::fstat(&self.handle)?.st_nlink {
            0 => Err(Errno::NOENT),
            _ => Ok(objects),
        }
    }

    /// Removes the temporary files that crashed writers left: up to the size of a part each. What cannot be removed harms nothing, and
    /// is left to the next run.
    fn sweep(&self) {
        for entry in Dir::read_from(&self.handle).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_temporary = name.to_bytes().starts_with(b".vault-") && name.to_bytes().ends_with(b".tmp");
            // For writing, because NFS makes of the lock one that a reader cannot have.
            let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if !is_temporary || !matches!(self.size(name), Ok(Some(_))) {
                continue;
            }
            let Ok(left) = rustix::fs::openat(&self.handle, name, flags, Mode::empty()) else {
                continue;
            };
            // The lock is held until the name is gone, or a writer could take the file for its own in between.
            if flock(&left, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = rustix::fs::unlinkat(&self.handle, name, AtFlags::empty());
            }
        }
    }

    /// Makes a temporary file of a name of its own, and locks it before anybody takes it for left over.
    fn temporary(&self, name: &str) -> io::Result<(String, File)> {
        loop {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let temporary = format!(".vault-{name}-{}.tmp", to_hex(&random));
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&self.handle, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
            // A sweep may have come between: then it holds the lock, or the file has no name any more. Where a file system knows no
            // locks, no sweep gets one either.
            let is_swept = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => true,
                _ => rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_nlink == 0),
            };
            if !is_swept {
                return Ok((temporary, file.into()));
            }
        }
    }

    /// Gives the temporary file its name, unless that is taken. The temporary name may be left beside it.
    fn publish(&self, temporary: &str, name: &str) -> Result<(), Errno> {
        let here = &self.handle;
        match rustix::fs::renameat_with(here, temporary, here, name, RenameFlags::NOREPLACE) {
            // NFS and some FUSE file systems know no flags.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::linkat(here, temporary, here, name, AtFlags::empty())
            }
            done => done,
        }
    }
}

impl Store for LocalStore {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let place = &self.place;
        let mut objects =
            place.read(prefix).map_err(|reason| failed("list", place.path.display().to_string(), reason))?;
        objects.sort();
        Ok(objects)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.get_into(name, offset, length, &mut bytes).map(|()| bytes)
    }

    fn get_into(&self, name: &str, offset: u64, length: usize, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        check_name("read", name)?;
        let missing = || StoreError::Missing { name: name.into() };
        let failed = |reason: io::Error| self.place.failed("read", name, reason);
        // A pipe of that name must not make the open wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file: File = match rustix::fs::openat(&self.place.handle, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT | Errno::LOOP) => return Err(missing()),
            Err(reason) => return Err(failed(reason.into())),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(missing());
        }
        // What is allocated follows the file, not a length that somebody wrote down.
        let there = metadata.len().saturating_sub(offset).min(length as u64);
        bytes.clear();
        bytes.reserve(usize::try_from(there).unwrap_or(length));
        if there > 0 {
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            file.take(there).read_to_end(bytes).map_err(failed)?;
        }
        Ok(())
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        check_name("write", name)?;
        // The rename decides; asked here, a gigabyte is not written in vain.
        match rustix::fs::statat(&self.place.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(StoreError::Exists { name: name.into() }),
            Err(Errno::NOENT) => {}
            Err(reason) => return Err(self.place.failed("write", name, reason)),
        }
        LocalUpload::begin(&self.place, name).map(|upload| Box::new(upload) as Box<dyn Upload>)
    }

    /// A directory knows no condition: it is compared, and renamed over right after. Two who replace one object within that moment both
    /// succeed, and the later one stands.
    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        check_name("replace", name)?;
        let failed = |reason: io::Error| self.place.failed("replace", name, reason);
        let mut upload = LocalUpload::begin(&self.place, name)?;
        upload.write(new)?;
        upload.finish().map_err(failed)?;
        if self.get(name, 0, old.len() + 1)? != old {
            return Err(StoreError::Changed { name: name.into() });
        }
        let here = &self.place.handle;
        rustix::fs::renameat(here, &upload.temporary, here, name).map_err(|reason| failed(reason.into()))?;
        here.sync_all().map_err(failed)
    }

    /// Durable when it returns: a manifest must be gone for good before its parts are.
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        check_name("delete", name)?;
        match rustix::fs::unlinkat(&self.place.handle, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(reason) => return Err(self.place.failed("delete", name, reason)),
        }
        let synced = self.place.handle.sync_all();
        synced.map_err(|reason| self.place.failed("delete", name, reason))
    }

    /// The canonical path. Another disk mounted there has the same location, and that is enough: the cache is a hint, and before a
    /// part is referenced the store as it is now must show its header and its size (spec/chunking.md).
    fn location(&self) -> String {
        self.place.path.display().to_string()
    }
}
