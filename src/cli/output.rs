//! Where a restored dump goes: standard output, a file, or the input of a command.
//!
//! Whatever goes wrong must not look like success: the file appears under its name when it is whole, and the command is killed before its
//! input ends. Standard output cannot be taken back; there the exit code tells.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::base::bytes::to_hex;
use crate::cli::child::{Children, Consumer};
use crate::cli::message::CliError;
use crate::cli::world::OsRandom;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Control, Random};

/// Bytes that go out in one call.
const BUFFER_BYTES: usize = 1 << 20;
/// How often a write that waits looks whether the run is to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Standard output. A write to a pipe that nobody reads still ends when the run is to stop.
pub struct Standard {
    output: OwnedFd,
    /// A file keeps what is written only once it is synced: over NFS, or with a quota, an error may come as late as that.
    is_file: bool,
    control: Arc<dyn Control>,
}

impl Standard {
    /// Standard output under the control of a run. One that was closed when vault was started is /dev/null by now, since Rust opens
    /// the three standard descriptors before anything else runs; it cannot be told from one that was sent there.
    ///
    /// # Errors
    /// The system does not say what it is.
    pub fn open(control: Arc<dyn Control>) -> io::Result<Standard> {
        let stdout = io::stdout();
        let kind = FileType::from_raw_mode(rustix::fs::fstat(stdout.as_fd())?.st_mode);
        // Opened anew, it can be told not to block without telling everyone who shares it.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let anew = match kind {
            FileType::Fifo | FileType::CharacterDevice => {
                rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()).ok()
            }
            _ => None,
        };
        let output = match anew {
            Some(output) => output,
            None => stdout.as_fd().try_clone_to_owned()?,
        };
        Ok(Standard { output, is_file: kind == FileType::RegularFile, control })
    }

    /// Makes a file durable.
    ///
    /// # Errors
    /// What was written is not all there.
    pub fn finish(self) -> io::Result<()> {
        if !self.is_file {
            return Ok(());
        }
        match rustix::fs::fsync(&self.output) {
            // A file system that has nothing to make durable.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP | Errno::ROFS) => Ok(()),
            Err(reason) => Err(reason.into()),
        }
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.output, bytes) {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let mut wait = [PollFd::new(&self.output, PollFlags::OUT)];
                    match rustix::event::poll(&mut wait, Some(&TICK)) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if self.control.stop().is_some() {
                return Err(io::Error::other("the run was told to stop"));
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Brings what `release` writes to where it is to go: the file, the command, or standard output.
///
/// # Errors
/// Those of `release`, or it did not arrive whole.
pub fn deliver(
    file: Option<NewFile>,
    command: &[OsString],
    children: &Children,
    control: Arc<dyn Control>,
    release: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    match file {
        Some(mut file) => {
            release(&mut file)?;
            file.finish()
        }
        None if command.is_empty() => {
            let mut output = Standard::open(control).map_err(RunError::Output)?;
            release(&mut output)?;
            Ok(output.finish().map_err(RunError::Output)?)
        }
        None => feed(command, Consumer::spawn(command, children, control)?, release),
    }
}

/// Feeds the consumer. It sees the end of its input only after the whole dump.
fn feed(
    command: &[OsString],
    mut consumer: Consumer,
    release: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
) -> Result<(), CliError> {
    match release(&mut consumer) {
        Ok(()) => Ok(consumer.finish()?),
        Err(error) => Err(match (consumer.kill(), error) {
            (Some(died), CliError::Run(RunError::Output(_))) => died.into(),
            (None, CliError::Run(RunError::Output(_))) => {
                let program = command.first().map(|program| program.to_string_lossy().into_owned());
                CliError::ConsumerClosed(program.unwrap_or_default())
            }
            (_, error) => error,
        }),
    }
}

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// It may.
    Allowed,
    /// It must not.
    Never,
}

/// A file that appears under its name when it is whole. Dropped before, it leaves nothing.
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    replace: Replace,
    file: BufWriter<File>,
}

impl NewFile {
    /// Begins the file beside its place.
    ///
    /// # Errors
    /// There is a file of that name, or none can be written there.
    pub fn create(path: &Path, replace: Replace) -> Result<NewFile, CliError> {
        match path.metadata() {
            Ok(metadata) if !metadata.is_file() => return Err(CliError::NotAFile(path.into())),
            Ok(_) if replace == Replace::Never => return Err(CliError::FileExists(path.into())),
            _ => {}
        }
        let Some(name) = path.file_name() else {
            return Err(CliError::NotAFile(path.into()));
        };
        let mut random = [0; 8];
        OsRandom.fill(&mut random);
        let temporary = path.with_file_name(format!(".{}-{}.tmp", name.to_string_lossy(), to_hex(&random)));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|reason| CliError::FileWrite { path: path.into(), reason })?;
        Ok(NewFile { path: path.into(), temporary, replace, file: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// Lets others than the owner read it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.file.get_ref().set_permissions(Permissions::from_mode(mode))
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// It cannot be written, or there is a file of that name by now.
    pub fn finish(mut self) -> Result<(), CliError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        let failed = |reason: io::Error| match reason.kind() {
            io::ErrorKind::AlreadyExists => CliError::FileExists(self.path.clone()),
            _ => CliError::FileWrite { path: self.path.clone(), reason },
        };
        synced.and_then(|()| self.publish()).map_err(failed)
    }

    fn publish(&self) -> io::Result<()> {
        let (from, to) = (&self.temporary, &self.path);
        if self.replace == Replace::Allowed {
            std::fs::rename(from, to)?;
        } else {
            match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
                // NFS and some FUSE file systems know no flags; a hard link never replaces either.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => std::fs::hard_link(from, to)?,
                done => done?,
            }
        }
        let directory = to.parent().filter(|directory| !directory.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already after a rename.
        let _ = std::fs::remove_file(&self.temporary);
    }
}
