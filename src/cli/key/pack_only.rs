//! `vault key pack-only`: a key that writes backups and reads none, for the host of the database.

use std::path::{Path, PathBuf};

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::key::place::deliver;
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::unlock::of_holder;
use crate::cli::world::{SystemClock, Teller};
use crate::keys::packing::file_text;
use crate::pipeline::port::Clock;

/// Makes the pack-only key of the newest epoch.
///
/// # Errors
/// There is no full key at hand, or it cannot be written.
pub fn run(global: &Global, output: Option<&PathBuf>) -> Result<Option<FailureClass>, CliError> {
    let unlocked = of_holder(global, &Teller::plain(global))?;
    let keys = &unlocked.ring.newest().pack;
    let text = file_text(keys, &unlocked.slots, unlocked.generation, SystemClock.now_ms());
    let output = output.map(PathBuf::as_path);
    deliver(global, "pack-only key", output, &text)?;
    match output {
        Some(path) if path != Path::new("-") => report::lines(&[
            format!("made {}", path.display()),
            format!("guid         {}", keys.scope.guid),
            format!("fingerprint  {}", keys.fingerprint),
            format!("slots        {}", unlocked.slots.len()),
            String::new(),
            "Whoever has this file can write backups of this guid, and read none. The full key stays away from that machine.".into(),
        ]),
        _ => Ok(None),
    }
}
