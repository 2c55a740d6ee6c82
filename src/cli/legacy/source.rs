//! Where the bytes of a legacy archive are, and how they are read once, or twice.
//!
//! Objects and files are there for a second reading. Standard input is not: it is kept meanwhile in a file without a name, as it is,
//! encrypted. Whatever becomes of the run, nothing is left of that.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::base::bytes::to_hex;
use crate::base::id::ObjectName;
use crate::cli::control::RunControl;
use crate::cli::message::CliError;
use crate::cli::watched::Watched;
use crate::legacy::Source;
use crate::legacy::cipher::SALTED;
use crate::ops::legacy::ImportError;
use crate::ops::legacy::parts::{Parts, PartsReader, check_head, find, sort_by_number};
use crate::pipeline::port::StoreError;
use crate::store::local::LocalStore;

/// What standard input is called.
const STANDARD_INPUT: &str = "standard input";

/// Where an archive is.
pub enum Place {
    /// In a store.
    Store(LocalStore, Parts),
    /// In files, of what name, in order.
    Files(String, Vec<PathBuf>),
    /// It comes once.
    StandardInput,
}

impl Place {
    /// The archive in the store that `text` means.
    pub fn of_store(store: &LocalStore, text: &str) -> Result<Place, CliError> {
        Ok(Place::Store(store.clone(), find(store, text)?))
    }

    /// The archive that these files are.
    pub fn of_files(paths: &[PathBuf]) -> Result<Place, CliError> {
        let mut named = Vec::new();
        for path in paths {
            let shown = path.display().to_string();
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => return Err(CliError::ArchiveNotAFile(path.clone())),
                Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
                    return Err(ImportError::NotFound(format!("`{shown}`")).into());
                }
                Err(reason) => return Err(unreadable(path, reason).into()),
            }
            let name = path.file_name().map_or(shown, |name| name.to_string_lossy().into_owned());
            named.push((name, path.clone()));
        }
        let (archive, paths) = sort_by_number(named)?;
        Ok(Place::Files(archive, paths))
    }

    /// What it is called.
    fn name(&self) -> &str {
        match self {
            Place::Store(_, parts) => &parts.archive,
            Place::Files(archive, _) => archive,
            Place::StandardInput => STANDARD_INPUT,
        }
    }

    /// The id of the archive, when its name is one. Any other name may say more than it should, and is not shown to the store.
    pub fn archive_id(&self) -> String {
        match ObjectName::parse(self.name()) {
            Some(ObjectName::Legacy(guid, seconds)) => format!("{guid}-{seconds}"),
            _ => "unnamed".into(),
        }
    }
}

/// An archive that is read.
pub struct Archive {
    place: Place,
    control: Arc<RunControl>,
    spool: Option<Arc<File>>,
}

impl Archive {
    /// The archive at that place.
    pub fn new(place: Place, control: Arc<RunControl>) -> Archive {
        Archive { place, control, spool: None }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.place.name()
    }

    /// Its bytes, for one reading.
    pub fn once(&self) -> Result<Box<dyn Source<Error = ImportError>>, CliError> {
        Ok(match &self.place {
            Place::Store(store, parts) => Box::new(PartsReader::of_store(Arc::new(store.clone()), parts.clone())),
            Place::Files(_, paths) => Box::new(of_files(paths.clone())),
            Place::StandardInput => Box::new(StandardInput::open(&self.control, None)?),
        })
    }

    /// Its bytes, for the first of two readings.
    pub fn first(&mut self) -> Result<Box<dyn Source<Error = ImportError>>, CliError> {
        if !matches!(self.place, Place::StandardInput) {
            return self.once();
        }
        let spool = Arc::new(make_spool()?);
        self.spool = Some(Arc::clone(&spool));
        Ok(Box::new(StandardInput::open(&self.control, Some(spool))?))
    }

    /// Its bytes, for the second reading.
    pub fn again(&self) -> Result<Box<dyn Source<Error = ImportError>>, CliError> {
        match &self.spool {
            None => self.once(),
            Some(spool) => {
                let spool = Arc::clone(spool);
                let get = move |_: usize, offset: u64, length: usize| {
                    read_at(&spool, offset, length).map_err(|reason| unreadable(&temporary_directory(), reason))
                };
                Ok(Box::new(PartsReader::new(vec![STANDARD_INPUT.into()], Arc::new(get))))
            }
        }
    }
}

/// Files as parts. Each is opened when it is read, since there may be more of them than a process may have open.
fn of_files(paths: Vec<PathBuf>) -> PartsReader {
    let names = paths.iter().map(|path| path.display().to_string()).collect();
    let get = move |part: usize, offset: u64, length: usize| match paths.get(part) {
        Some(path) => {
            let read = File::open(path).and_then(|file| read_at(&file, offset, length));
            read.map_err(|reason| unreadable(path, reason))
        }
        None => Ok(Vec::new()),
    };
    PartsReader::new(names, Arc::new(get))
}

fn unreadable(path: &Path, reason: io::Error) -> StoreError {
    StoreError::Failed { action: "read", what: path.display().to_string(), reason }
}

/// The bytes from `offset` on, fewer where the file ends.
fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().saturating_sub(offset).min(length as u64);
    let mut bytes = vec![0; usize::try_from(there).unwrap_or(length)];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn temporary_directory() -> PathBuf {
    std::env::temp_dir()
}

fn spool_error(reason: impl Into<io::Error>) -> ImportError {
    ImportError::Spool { place: temporary_directory().display().to_string(), reason: reason.into() }
}

/// A file for the owner only, which never has a name, or loses it at once where the file system wants one.
fn make_spool() -> Result<File, ImportError> {
    let directory = temporary_directory();
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    if let Ok(file) = rustix::fs::open(&directory, flags | OFlags::TMPFILE, mode) {
        return Ok(file.into());
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| spool_error(io::Error::other(error)))?;
    let path = directory.join(format!(".vault-{}.tmp", to_hex(&random)));
    let file = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode).map_err(spool_error)?;
    std::fs::remove_file(&path).map_err(spool_error)?;
    Ok(file.into())
}

/// Standard input, copied while it is read when it is needed again.
struct StandardInput {
    input: Watched<File>,
    spool: Option<Arc<File>>,
    begun: bool,
}

impl StandardInput {
    fn open(control: &Arc<RunControl>, spool: Option<Arc<File>>) -> Result<StandardInput, CliError> {
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(ImportError::Unreadable)?;
        let input = Watched::new(File::from(input), Arc::clone(control));
        Ok(StandardInput { input, spool, begun: false })
    }
}

impl Source for StandardInput {
    type Error = ImportError;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ImportError> {
        let mut filled = 0;
        // The magic is looked at in one piece.
        let least = if self.begun { 1 } else { SALTED.len().min(buffer.len()) };
        while filled < least {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ImportError::Unreadable(error)),
            }
        }
        if !self.begun {
            self.begun = true;
            check_head(STANDARD_INPUT, STANDARD_INPUT, &buffer[..filled])?;
        }
        if let Some(spool) = &self.spool {
            (&**spool).write_all(&buffer[..filled]).map_err(spool_error)?;
        }
        Ok(filled)
    }
}
