//! age identities: read from their file, and tried on age files. What vault does not know by itself is left to the program `age`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::base::limits::KEY_FILE_BYTES_MAX;
use crate::cli::message::CliError;
use crate::cli::secrets::{read_limited, read_secret};
use crate::format::age::is_age;
use crate::keys::age::{AgeError, Identity, open};

/// What an identity of age's own begins with.
const NATIVE: &str = "AGE-SECRET-KEY-";

/// What an identity file holds.
pub struct Identities {
    native: Vec<Identity>,
    /// The file, when something in it is for `age` or a plugin: SSH keys, hardware tokens, a file under a passphrase.
    others: Option<Others>,
}

/// What a person is asked for by `age`, and not by vault: once for each age file.
struct Others {
    path: PathBuf,
    /// Whether the file is itself an age file: then it can hold identities of any kind.
    sealed: bool,
    /// What came of each age file.
    tried: RefCell<HashMap<Vec<u8>, Tried>>,
}

type Tried = Result<Zeroizing<Vec<u8>>, AgeError>;

impl Identities {
    /// Reads an identity file that is fit to be used with the store at `store`.
    ///
    /// # Errors
    /// It cannot be read, others can read it, it lies inside the store, or holds no identity.
    pub fn read(path: &Path, store: &Path) -> Result<Identities, CliError> {
        let text = read_secret("identity file", path, store, KEY_FILE_BYTES_MAX)?;
        let foreign = |sealed| {
            let path = path.canonicalize().unwrap_or_else(|_| path.into());
            Some(Others { path, sealed, tried: RefCell::default() })
        };
        let mut native = Vec::new();
        let mut others = if is_age(&text) { foreign(true) } else { None };
        let lines = if others.is_some() { "" } else { std::str::from_utf8(&text).unwrap_or_default() };
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.trim_end_matches('\r');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Identity::parse(line) {
                Some(identity) => native.push(identity),
                None if line.starts_with(NATIVE) => {
                    let path = path.into();
                    return Err(CliError::Identity { path, number });
                }
                None => others = foreign(false),
            }
        }
        if native.is_empty() && others.is_none() {
            return Err(CliError::NoIdentity(path.into()));
        }
        Ok(Identities { native, others })
    }

    /// Opens an age file. `age` is asked only where it can know more: backups carry the same slots, and a person may have to answer.
    ///
    /// # Errors
    /// It is for somebody else, or not what it should be.
    pub fn decrypt(&self, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
        match (open(&self.native, text), &self.others) {
            (Err(AgeError::NoMatch(types)), Some(others)) if others.sealed || !types.are_known() => {
                others.decrypt(text)
            }
            (opened, _) => opened,
        }
    }
}

impl Others {
    fn decrypt(&self, text: &[u8]) -> Tried {
        let mut tried = self.tried.borrow_mut();
        let run = || run_age(&["--decrypt".as_ref(), "--identity".as_ref(), self.path.as_os_str()], text);
        tried.entry(text.to_vec()).or_insert_with(run).clone()
    }
}

/// Runs `age` with that input. Whatever it has to say or to ask, it says to the person at the terminal.
///
/// # Errors
/// It is not installed, or fails.
pub fn run_age(arguments: &[&std::ffi::OsStr], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let failed = |what: String| AgeError::Program(what);
    let spawned = Command::new("age").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("is not installed, and it is needed for this kind of key".into()),
        _ => failed(format!("cannot be run: {error}")),
    })?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let read = std::thread::scope(|scope| {
        scope.spawn(|| {
            // A child that does not read to the end says why.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        stdout.map(|mut output| read_limited(&mut output, 2 * KEY_FILE_BYTES_MAX))
    });
    let status = child.wait().map_err(|error| failed(format!("was lost: {error}")))?;
    match read {
        Some(Ok(bytes)) if status.success() => Ok(bytes),
        Some(Err(error)) => Err(failed(format!("cannot be read: {error}"))),
        _ => Err(failed(format!("failed: {status}"))),
    }
}
