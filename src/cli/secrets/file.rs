//! Files that hold a secret: written whole, for their owner only.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

/// Writes a new file that only its owner can read, durably.
///
/// # Errors
/// There is a file of that name, or it cannot be written.
pub fn write_secret(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would only get in the way.
        let _ = fs::remove_file(path);
    }
    written?;
    sync_directory(path)
}

/// Puts a text in the place of a file that only its owner can read, durably: at any time it is the old one or the new one. Owner and
/// mode stay, and a link still leads there.
///
/// # Errors
/// It cannot be written.
pub fn replace_secret(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = path.canonicalize()?;
    let before = path.metadata()?;
    let temporary = path.with_added_extension("vault-tmp");
    let mut file = begin(&temporary)?;
    let written = file.write_all(text).and_then(|()| {
        fchown(&file, Some(before.uid()), Some(before.gid()))?;
        file.set_permissions(Permissions::from_mode(before.mode() & 0o7700))?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_directory(&path)
}

/// Makes the file in which a replacement is written. It is always of one name, so that the half of a key that a killed run left does not
/// lie about for ever. Whoever writes it holds a lock on it, and the next one waits.
fn begin(path: &Path) -> io::Result<File> {
    loop {
        match File::options().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) if lock(&file, path)? => return Ok(file),
            // Taken for left over before it was locked.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let left = File::options().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path);
                match left {
                    Ok(left) if lock(&left, path)? => fs::remove_file(path)?,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits for whoever has the file. Says whether it still has that name.
fn lock(file: &File, path: &Path) -> io::Result<bool> {
    // A file system that knows no locks has them for nobody.
    let _ = flock(file, FlockOperation::LockExclusive);
    let own = file.metadata()?;
    Ok(path.symlink_metadata().is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())))
}

/// Makes the name of a file durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}
