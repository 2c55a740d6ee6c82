//! `vault key new`: a key file, made once and never overwritten.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::secrets::{default_key_file, write_secret};
use crate::cli::world::{OsRandom, SystemClock, make_private_directory, store_path, variable};
use crate::keys::ring::{file_text, new_guid, new_key};
use crate::pipeline::port::{Clock, Random};

/// Makes the key file.
///
/// # Errors
/// There is one, or it cannot be written.
pub fn run(global: &Global) -> Result<Option<FailureClass>, CliError> {
    let path = place(global)?;
    let fill = |bytes: &mut [u8]| OsRandom.fill(bytes);
    let key = new_key(new_guid(&fill), &fill);
    let text = file_text(&key, SystemClock.now_ms());
    write_secret(&path, text.as_bytes()).map_err(|reason| match reason.kind() {
        ErrorKind::AlreadyExists => CliError::FileExists(path.clone()),
        _ => CliError::FileWrite { path: path.clone(), reason },
    })?;
    let fingerprint = key.derive().pack.fingerprint;
    if global.json {
        return report::json(&json!({
            "version": 1,
            "message_type": "key",
            "path": path.to_string_lossy(),
            "guid": key.scope.guid.to_string(),
            "epoch": key.scope.epoch,
            "fingerprint": fingerprint.to_string(),
        }));
    }
    report::lines(&[
        format!("made {}", path.display()),
        format!("guid         {}", key.scope.guid),
        format!("fingerprint  {fingerprint}"),
        String::new(),
        "Whoever has this file can read every backup; without it nobody can.".into(),
        "Put a copy into escrow now, away from the store and from this machine, and write the fingerprint beside it."
            .into(),
    ])
}

/// Where the key file goes. Its directory is made where there is none.
fn place(global: &Global) -> Result<PathBuf, CliError> {
    let named = global.key_file.clone().or_else(|| variable("VAULT_KEY_FILE").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None => default_key_file().ok_or(CliError::NoHome)?,
    };
    // The current directory is the store of those who name none, and the right place for a key of those who have not begun.
    let store_is_named = global.store.is_some() || variable("VAULT_STORE").is_some();
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("."), PathBuf::from);
    // What is not there yet will be made below what is.
    let real = directory.ancestors().find_map(|above| match above.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => above.canonicalize().ok(),
    });
    if store_is_named
        && let Ok(store) = store_path(global)?.canonicalize()
        && real.is_some_and(|real| real.starts_with(&store))
    {
        return Err(CliError::SecretInStore { what: "key file", path });
    }
    make_private_directory(&directory).map_err(|reason| CliError::FileWrite { path: directory.clone(), reason })?;
    Ok(path)
}
