//! Where secrets of a key go: a key file, or what was asked for with `--output`.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::args::Global;
use crate::cli::message::CliError;
use crate::cli::secrets::{default_key_file, write_secret};
use crate::cli::world::{make_private_directory, named_store, variable};

/// Where a new key file goes. Its directory is made where there is none.
///
/// # Errors
/// There is no such place, or it lies inside the store.
pub fn new_key_file(global: &Global) -> Result<PathBuf, CliError> {
    let named = global.key_file.clone().or_else(|| variable("VAULT_KEY_FILE").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None => default_key_file().ok_or(CliError::NoHome)?,
    };
    refuse_in_store(global, "key file", &path)?;
    let directory = directory_of(&path);
    make_private_directory(&directory).map_err(|reason| CliError::FileWrite { path: directory.clone(), reason })?;
    Ok(path)
}

/// Whether a secret may go where [`deliver`] would write it.
///
/// # Errors
/// There is such a file, it would lie inside the store, or standard output is a terminal.
pub fn may_deliver(global: &Global, what: &'static str, output: Option<&Path>) -> Result<(), CliError> {
    match output {
        Some(path) if path != Path::new("-") => match path.symlink_metadata() {
            Ok(_) => Err(CliError::SecretExists(path.into())),
            Err(_) => refuse_in_store(global, what, path),
        },
        None if std::io::stdout().is_terminal() => Err(CliError::SecretToTerminal(what)),
        _ => Ok(()),
    }
}

/// Writes a secret to a new file of its owner's; or to standard output, which is a terminal only when `-` asks for it.
///
/// # Errors
/// There is such a file, it would lie inside the store, it cannot be written, or standard output is a terminal.
pub fn deliver(global: &Global, what: &'static str, output: Option<&Path>, text: &str) -> Result<(), CliError> {
    may_deliver(global, what, output)?;
    match output {
        Some(path) if path != Path::new("-") => create(global, what, path, text),
        _ => {
            // Past the buffer of the standard library, where a copy would stay.
            let out = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
            out.and_then(|mut out| out.write_all(text.as_bytes())).map_err(CliError::Report)
        }
    }
}

/// Writes a secret to a new file of its owner's.
///
/// # Errors
/// There is such a file, it would lie inside the store, or it cannot be written.
pub fn create(global: &Global, what: &'static str, path: &Path, text: &str) -> Result<(), CliError> {
    refuse_in_store(global, what, path)?;
    write_secret(path, text.as_bytes()).map_err(|reason| match reason.kind() {
        ErrorKind::AlreadyExists => CliError::SecretExists(path.into()),
        _ => CliError::FileWrite { path: path.into(), reason },
    })
}

fn refuse_in_store(global: &Global, what: &'static str, path: &Path) -> Result<(), CliError> {
    // What is not there yet will be made below what is.
    let directory = directory_of(path);
    let real = directory.ancestors().find_map(|above| match above.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => above.canonicalize().ok(),
    });
    let store = named_store(global)?;
    match real.is_some_and(|real| real.starts_with(&store)) {
        true => Err(CliError::SecretInStore { what, path: path.into() }),
        false => Ok(()),
    }
}

fn directory_of(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    directory.map_or_else(|| PathBuf::from("."), PathBuf::from)
}
