//! The outside of one run: store, clock, randomness, observer, control.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::bytes::to_hex;
use crate::base::failure::FailureClass;
use crate::cli::args::{Global, When};
use crate::cli::child::Children;
use crate::cli::control::{Patience, RunControl};
use crate::cli::message::{CliError, tell};
use crate::cli::signals::Signals;
use crate::crypto::kdf::Scope;
use crate::observe::progress::{Canvas, Progress};
use crate::pipeline::World;
use crate::pipeline::known::CachePlace;
use crate::pipeline::port::{Clock, Observer, Random, Store};
use crate::store::local::LocalStore;

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // Before 1970 is as wrong as 1970; the check against the newest backup tells.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The system's random bytes.
pub struct OsRandom;

impl Random for OsRandom {
    /// A system without random bytes must not seal anything: the process ends.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tell(&format!("error: the system gives no random bytes: {error}"));
            tell("hint: mend the system: nothing can be encrypted without them");
            std::process::abort();
        }
    }
}

/// Tells a person on standard error.
pub struct Teller {
    progress: Progress,
    quiet: bool,
    warnings: AtomicU64,
}

impl Teller {
    /// What the command line asks for.
    pub fn new(global: &Global) -> Teller {
        let terminal = std::io::stderr().is_terminal();
        let canvas = match global.progress {
            When::Always if !terminal => Canvas::Log,
            When::Always => Canvas::Terminal,
            When::Auto if terminal && !global.quiet => Canvas::Terminal,
            When::Auto | When::Never => Canvas::Hidden,
        };
        Teller { progress: Progress::begin(canvas), quiet: global.quiet, warnings: AtomicU64::new(0) }
    }

    /// One that draws nothing: for what takes no time, and while somebody may be asked for a passphrase.
    pub fn plain(global: &Global) -> Teller {
        Teller { progress: Progress::begin(Canvas::Hidden), quiet: global.quiet, warnings: AtomicU64::new(0) }
    }

    /// The progress line.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// A line that is told whoever listens.
    pub fn tell(&self, text: &str) {
        self.progress.aside(|| tell(text));
    }

    /// A line for whoever sits there.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// A warning about this machine, which does not concern the backup.
    pub fn caution(&self, text: &str) {
        self.tell(&format!("warning: {text}"));
    }

    /// The class of a command that did all it was asked to.
    pub fn class(&self) -> Option<FailureClass> {
        (self.warnings.load(Ordering::SeqCst) > 0).then_some(FailureClass::Warning)
    }
}

impl Observer for Teller {
    fn advanced(&self, bytes: u64) {
        self.progress.advanced(bytes);
    }

    fn stored(&self, bytes: u64) {
        self.progress.stored(bytes);
    }

    fn warn(&self, message: &str) {
        self.warnings.fetch_add(1, Ordering::SeqCst);
        self.caution(message);
    }

    fn note(&self, message: &str) {
        Teller::note(self, &format!("note: {message}"));
    }
}

/// What a run needs of the process around it.
pub struct Outside {
    /// The store.
    pub store: LocalStore,
    /// Who is told.
    pub teller: Teller,
    /// Who may stop the run.
    pub control: Arc<RunControl>,
}

impl Outside {
    /// A run that no producer feeds.
    ///
    /// # Errors
    /// Signals cannot be handled.
    pub fn new(global: &Global, store: LocalStore, patience: Patience) -> Result<(Outside, Children), CliError> {
        let children = Children::default();
        let signals = Signals::install(&children).map_err(CliError::Signals)?;
        let outside =
            Outside { store, teller: Teller::new(global), control: Arc::new(RunControl::new(patience, signals, None)) };
        Ok((outside, children))
    }

    /// As the library sees it.
    pub fn world(&self) -> World<'_> {
        World {
            store: &self.store,
            clock: &SystemClock,
            random: &OsRandom,
            observer: &self.teller,
            control: &*self.control,
        }
    }
}

/// A variable of the environment; an empty one counts as none.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where the store is.
///
/// # Errors
/// It is a URL of something that is not a directory.
pub fn store_path(global: &Global) -> Result<PathBuf, CliError> {
    let given = global.store.clone().filter(|store| !store.is_empty());
    let given = given.or_else(|| variable("VAULT_STORE"));
    given.map_or_else(|| Ok(PathBuf::from(".")), path_of)
}

/// The directory that a path or a file:// URL names.
fn path_of(given: OsString) -> Result<PathBuf, CliError> {
    let refused = || CliError::StoreUrl(given.to_string_lossy().into_owned());
    match given.as_bytes().strip_prefix(b"file://") {
        Some(path) if path.starts_with(b"/") && !path.contains(&b'%') => Ok(PathBuf::from(OsStr::from_bytes(path))),
        Some(_) => Err(refused()),
        None if given.to_string_lossy().contains("://") => Err(refused()),
        None => Ok(PathBuf::from(given)),
    }
}

/// Where nothing secret may lie: the store, when one is named. The current directory is the store of those who name none, and the right place
/// for a key of those who have not begun; nothing lies below what is returned then.
///
/// # Errors
/// The name is not one of a store.
pub fn named_store(global: &Global) -> Result<PathBuf, CliError> {
    let is_named = global.store.is_some() || variable("VAULT_STORE").is_some();
    let store = if is_named { store_path(global)?.canonicalize().ok() } else { None };
    Ok(store.unwrap_or_else(|| PathBuf::from("/dev/null")))
}

/// Opens the store, which is there.
///
/// # Errors
/// It is not.
pub fn open_store(global: &Global) -> Result<LocalStore, CliError> {
    Ok(LocalStore::open(&store_path(global)?)?)
}

/// Opens another store than that of the run.
///
/// # Errors
/// It is not there.
pub fn open_store_at(place: &OsStr) -> Result<LocalStore, CliError> {
    Ok(LocalStore::open(&path_of(place.to_owned())?)?)
}

/// Where this store's cache of one guid and epoch is kept: `$XDG_CACHE_HOME/vault/<store>/<guid>-<epoch>`.
pub fn cache_place(store: &dyn Store, scope: Scope, teller: &Teller) -> CachePlace {
    let home = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
    let Some(home) = home.filter(|home| home.is_absolute()) else {
        teller.caution(
            "no cache is kept, since neither XDG_CACHE_HOME nor HOME is set: catalogues are read from the store",
        );
        return CachePlace::None;
    };
    let of_store = to_hex(&blake3::hash(store.location().as_bytes()).as_bytes()[..16]);
    let directory = home.join("vault").join(of_store);
    match make_private_directory(&directory) {
        Ok(()) => CachePlace::File(directory.join(format!("{}-{}", scope.guid, scope.epoch))),
        Err(error) => {
            teller.caution(&format!("no cache is kept, `{}` cannot be made: {error}", directory.display()));
            CachePlace::None
        }
    }
}

/// Makes a directory and what is missing above it, for the owner only.
///
/// # Errors
/// It cannot be made.
pub fn make_private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Threads that nobody asked for. Each holds blocks of its own, and at the default level the one thread that reads a dump keeps few more of them busy.
const THREADS_MAX: usize = 16;

/// How many threads: as many as were asked for, or one for each processor, up to a limit.
pub fn threads(asked: Option<u16>) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map_or_else(|| processors().min(THREADS_MAX), usize::from)
}
