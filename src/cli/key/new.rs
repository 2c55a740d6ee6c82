//! `vault key new`: a key file, made once and never overwritten.

use serde_json::json;

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::key::place::{create, new_key_file};
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::world::{OsRandom, SystemClock};
use crate::keys::ring::{file_text, new_guid, new_key};
use crate::pipeline::port::{Clock, Random};

/// Makes the key file.
///
/// # Errors
/// There is one, or it cannot be written.
pub fn run(global: &Global) -> Result<Option<FailureClass>, CliError> {
    let path = new_key_file(global)?;
    let fill = |bytes: &mut [u8]| OsRandom.fill(bytes);
    let key = new_key(new_guid(&fill), &fill);
    let text = file_text(&key, SystemClock.now_ms());
    create(global, "key file", &path, &text)?;
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
