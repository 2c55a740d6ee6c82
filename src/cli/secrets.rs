//! Which key file or passphrase a command uses, and how it is read.
//!
//! The first place that has one decides: the command line, the environment, `$CREDENTIALS_DIRECTORY` (systemd), the default key file, a
//! prompt on the terminal. A passphrase is never an argument and never in the environment: both are there for others to see.

mod file;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::termios::{LocalModes, OptionalActions, Termios};
use zeroize::Zeroizing;

use crate::base::limits::{KEY_FILE_BYTES_MAX, PASSPHRASE_BYTES_MAX};
use crate::cli::args::Global;
use crate::cli::identity::Identities;
use crate::cli::message::CliError;
use crate::cli::world::variable;
use crate::format::age::is_age;
use crate::keys::packing::PackRing;
use crate::keys::ring::Keyring;
use crate::keys::slots::Passphrase;
use crate::legacy::derive::LegacyKey;
pub use file::{replace_secret, write_secret};

/// Permissions that nobody but the owner may have.
const OTHERS: u32 = 0o066;
/// A line end that is not part of the passphrase, and one byte that shows that it is too long.
const PASSPHRASE_READ_MAX: usize = PASSPHRASE_BYTES_MAX + 3;

/// The way to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// This key file.
    KeyFile(PathBuf),
    /// The passphrase in this file.
    PassphraseFile(PathBuf),
    /// The passphrase that this command prints.
    PassphraseCommand(OsString),
    /// The age identities in this file.
    Identity(PathBuf),
    /// A passphrase that somebody types.
    Prompt,
}

/// Whether somebody may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// On the terminal, when nothing else gives a key.
    Allowed,
    /// Never: the command can do without.
    Never,
}

/// Refuses a passphrase in the environment, where every process of the user can read it.
///
/// # Errors
/// There is one.
pub fn refuse_passphrase_in_environment() -> Result<(), CliError> {
    match std::env::var_os("VAULT_PASSPHRASE") {
        Some(_) => Err(CliError::PassphraseInEnvironment),
        None => Ok(()),
    }
}

/// The way to the key; `None` when there is none and nobody may be asked.
///
/// # Errors
/// Two are given at once, or there is none and nobody can be asked.
pub fn find(global: &Global, ask: Ask) -> Result<Option<Way>, CliError> {
    let path = |name| variable(name).map(PathBuf::from);
    let flags = [
        ("`--key-file`", global.key_file.clone().map(Way::KeyFile)),
        ("`--passphrase-file`", global.passphrase_file.clone().map(Way::PassphraseFile)),
        ("`--passphrase-command`", global.passphrase_command.clone().map(Way::PassphraseCommand)),
        ("`--identity-file`", global.identity_file.clone().filter(|_| global.key_file.is_none()).map(Way::Identity)),
    ];
    let key_file = path("VAULT_KEY_FILE");
    let environment = [
        ("VAULT_IDENTITY_FILE", path("VAULT_IDENTITY_FILE").filter(|_| key_file.is_none()).map(Way::Identity)),
        ("VAULT_KEY_FILE", key_file.map(Way::KeyFile)),
        ("VAULT_PASSPHRASE_FILE", path("VAULT_PASSPHRASE_FILE").map(Way::PassphraseFile)),
        ("VAULT_PASSPHRASE_COMMAND", variable("VAULT_PASSPHRASE_COMMAND").map(Way::PassphraseCommand)),
    ];
    for ways in [flags, environment] {
        if let Some(way) = only_one(ways)? {
            return Ok(Some(way));
        }
    }
    let credential = |name| credential(name).filter(|path| path.exists());
    let fallback = credential("vault.key")
        .map(Way::KeyFile)
        .or_else(|| credential("vault.passphrase").map(Way::PassphraseFile))
        .or_else(|| default_key_file().filter(|path| path.exists()).map(Way::KeyFile));
    match (fallback, ask) {
        (Some(way), _) => Ok(Some(way)),
        (None, Ask::Never) => Ok(None),
        (None, Ask::Allowed) if has_terminal() => Ok(Some(Way::Prompt)),
        (None, Ask::Allowed) => Err(CliError::NoKey),
    }
}

/// The file of age identities, which a key file may need beside it: one that is encrypted with age.
pub fn identity_file(global: &Global) -> Option<PathBuf> {
    global.identity_file.clone().or_else(|| variable("VAULT_IDENTITY_FILE").map(PathBuf::from))
}

/// Of ways that are given at one place there may be one.
fn only_one(ways: [(&'static str, Option<Way>); 4]) -> Result<Option<Way>, CliError> {
    let mut given = ways.into_iter().filter_map(|(name, way)| Some((name, way?)));
    match (given.next(), given.next()) {
        (Some((first, _)), Some((second, _))) => Err(CliError::TwoKeys(first, second)),
        (first, _) => Ok(first.map(|(_, way)| way)),
    }
}

fn credential(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(variable("CREDENTIALS_DIRECTORY")?).join(name))
}

/// `$XDG_CONFIG_HOME/vault/key`, for root `/etc/vault/key`, for others `~/.config/vault/key`.
pub fn default_key_file() -> Option<PathBuf> {
    if let Some(home) = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|home| home.is_absolute()) {
        return Some(home.join("vault/key"));
    }
    if rustix::process::geteuid().is_root() {
        return Some("/etc/vault/key".into());
    }
    Some(PathBuf::from(variable("HOME")?).join(".config/vault/key"))
}

fn has_terminal() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

/// The keys of a key file that is fit to be used with the store at `store`.
///
/// # Errors
/// It cannot be read, others can read it, it lies inside the store, or it is not a key file.
pub fn read_key_file(global: &Global, path: &Path, store: &Path) -> Result<Keyring, CliError> {
    let text = read_opened(global, path, store)?;
    Keyring::from_file(&text).map_err(|reason| CliError::KeyFile { path: path.into(), reason })
}

/// The packing keys of a key file, full or pack-only, that is fit to be used with the store at `store`.
///
/// # Errors
/// As for [`read_key_file`].
pub fn read_pack_file(global: &Global, path: &Path, store: &Path) -> Result<PackRing, CliError> {
    let text = read_opened(global, path, store)?;
    PackRing::from_file(&text).map_err(|reason| CliError::KeyFile { path: path.into(), reason })
}

/// The text of a key file, decrypted when it is encrypted with age and there is an identity.
///
/// # Errors
/// It cannot be read or decrypted.
pub fn read_opened(global: &Global, path: &Path, store: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let text = read_key_text(path, store)?;
    match identity_file(global).filter(|_| is_age(&text)) {
        Some(identities) => {
            let opened = Identities::read(&identities, store)?.decrypt(&text);
            opened.map_err(|error| CliError::KeyFile { path: path.into(), reason: error.into() })
        }
        None => Ok(text),
    }
}

/// The text of a key file.
///
/// # Errors
/// As for [`read_key_file`].
pub fn read_key_text(path: &Path, store: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let text = read_secret("key file", path, store, KEY_FILE_BYTES_MAX + 1)?;
    if text.len() > KEY_FILE_BYTES_MAX {
        return Err(CliError::KeyFileTooLong(path.into()));
    }
    Ok(text)
}

/// Reads the passphrase. `None` for the prompt, which is not a thing to be read.
///
/// # Errors
/// It cannot be had, or is none.
pub fn read_passphrase(way: &Way, store: &Path, twice: bool) -> Result<Passphrase, CliError> {
    let bytes = match way {
        Way::PassphraseFile(path) => read_secret("passphrase file", path, store, PASSPHRASE_READ_MAX)?,
        Way::PassphraseCommand(command) => run_command(command)?,
        Way::Prompt | Way::KeyFile(_) | Way::Identity(_) => return prompt(twice),
    };
    Passphrase::new(bytes).ok_or(CliError::PassphraseLength)
}

/// Reads the old key of a legacy archive: the first line of a file or of what a command prints, or what somebody types.
///
/// # Errors
/// It cannot be had, or is none; or its file lies inside the store, if there is one.
pub fn read_legacy_key(
    file: Option<&Path>,
    command: Option<&OsStr>,
    store: Option<&Path>,
) -> Result<LegacyKey, CliError> {
    let what = "old key's file";
    let bytes = match (file, command) {
        (Some(path), _) => {
            let mut file = open_private(what, path)?;
            if let Some(store) = store {
                refuse_in_store(what, path, store)?;
            }
            let unreadable = |reason| CliError::SecretUnreadable { what, path: path.into(), reason };
            read_limited(&mut file, PASSPHRASE_READ_MAX).map_err(unreadable)?
        }
        (None, Some(command)) => run_command(command).map_err(|error| match error {
            CliError::PassphraseCommand(how) => CliError::LegacyKeyCommand(how),
            other => other,
        })?,
        (None, None) if has_terminal() => {
            let _silence = Silence::begin().map_err(CliError::Prompt)?;
            let typed = rpassword::prompt_password("old key: ").map(Zeroizing::new).map_err(CliError::Prompt)?;
            Zeroizing::new(typed.as_bytes().to_vec())
        }
        (None, None) => return Err(CliError::NoLegacyKey),
    };
    LegacyKey::new(bytes).ok_or(CliError::LegacyKeyLength)
}

/// Reads a file that nobody else may read and that is not part of the store.
///
/// # Errors
/// It cannot be read, others can read it, or it lies inside the store.
pub fn read_secret(
    what: &'static str,
    path: &Path,
    store: &Path,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let mut file = open_private(what, path)?;
    refuse_in_store(what, path, store)?;
    let unreadable = |reason| CliError::SecretUnreadable { what, path: path.into(), reason };
    read_limited(&mut file, limit).map_err(unreadable)
}

/// Opens a file that nobody else may read.
fn open_private(what: &'static str, path: &Path) -> Result<File, CliError> {
    let unreadable = |reason| CliError::SecretUnreadable { what, path: path.into(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    // systemd grants the service its credentials by an ACL, whose mask looks like a group that may read.
    let granted = match variable("CREDENTIALS_DIRECTORY") {
        Some(directory) if path.starts_with(&directory) => 0o040,
        _ => 0,
    };
    if mode & OTHERS & !granted != 0 {
        let path = path.into();
        return Err(CliError::SecretExposed { what, path, mode });
    }
    Ok(file)
}

/// A secret does not belong beside what it opens.
fn refuse_in_store(what: &'static str, path: &Path, store: &Path) -> Result<(), CliError> {
    match path.canonicalize().is_ok_and(|path| path.starts_with(store)) {
        true => Err(CliError::SecretInStore { what, path: path.into() }),
        false => Ok(()),
    }
}

/// Reads up to `limit` bytes into memory that is wiped, and that is not moved, which would leave a copy.
///
/// # Errors
/// It cannot be read.
pub fn read_limited(source: &mut dyn Read, limit: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    source.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What `sh -c COMMAND` prints. Its input is empty, since ours is the dump.
fn run_command(command: &OsStr) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let failed = |what: String| CliError::PassphraseCommand(what);
    let mut shell = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let read = shell.stdout.take().map(|mut output| read_limited(&mut output, PASSPHRASE_READ_MAX));
    let status = shell.wait().map_err(|error| failed(format!("was lost: {error}")))?;
    match read {
        Some(Ok(bytes)) if status.success() => Ok(bytes),
        Some(Err(error)) => Err(failed(format!("cannot be read: {error}"))),
        _ => Err(failed(format!("failed: {status}"))),
    }
}

/// Asks on the terminal, twice for a passphrase that is new.
fn prompt(twice: bool) -> Result<Passphrase, CliError> {
    let _silence = Silence::begin().map_err(CliError::Prompt)?;
    let ask = |text: &str| rpassword::prompt_password(text).map(Zeroizing::new).map_err(CliError::Prompt);
    let typed = ask(if twice { "new passphrase: " } else { "passphrase: " })?;
    if twice && *typed != *ask("the same again: ")? {
        return Err(CliError::PassphrasesDiffer);
    }
    Passphrase::new(Zeroizing::new(typed.as_bytes().to_vec())).ok_or(CliError::PassphraseLength)
}

/// The terminal shows nothing of what is typed, before the prompt already: `rpassword` silences it only after, and who types fast would see
/// the passphrase. Dropped, it is as it was.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn begin() -> std::io::Result<Silence> {
        let terminal = File::open("/dev/tty")?;
        let before = rustix::termios::tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes &= !LocalModes::ECHO;
        rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Silence { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = rustix::termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
