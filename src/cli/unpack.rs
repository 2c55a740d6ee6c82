//! `vault unpack`: a backup becomes a dump again.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::archive::manifest::OpenManifest;
use crate::base::failure::FailureClass;
use crate::base::time::rfc3339;
use crate::cli::args::{Global, Unpack};
use crate::cli::child::Children;
use crate::cli::control::Patience;
use crate::cli::latest::{LATEST, doubt, latest};
use crate::cli::message::{CliError, say};
use crate::cli::output::{NewFile, Replace, deliver};
use crate::cli::part;
use crate::cli::report;
use crate::cli::secrets::Ask;
use crate::cli::unlock::{Unlocked, Wanted, for_reading};
use crate::cli::world::{Outside, SystemClock, Teller, open_store, threads};
use crate::format::manifest::Manifest;
use crate::keys::ring::Keyring;
use crate::ops::choose::Chosen;
use crate::ops::list::resolve;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Clock, Control, Store};
use crate::pipeline::survey::open_manifest;
use crate::pipeline::unpack::Restore;

/// Unpacks.
///
/// # Errors
/// The dump was not released, or not all of it.
pub fn run(global: &Global, command: &Unpack) -> Result<Option<FailureClass>, CliError> {
    let to_stdout = command.output.is_none() && command.command.is_empty() && !command.part.dry_run;
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(CliError::OutputIsTerminal);
    }
    let began = Instant::now();
    let store = open_store(global)?;
    let (unlocked, open) = choose(global, &store, &command.backup)?;
    let patience = Patience { timeout: command.timeout, stall_timeout: None };
    let (outside, children) = Outside::new(global, store, patience)?;
    let restored = restore(global, &outside, &children, &unlocked.ring, &open, command);
    outside.teller.progress().end();
    let bytes = restored.map_err(|error| match outside.control.stop() {
        Some(stop) => RunError::Stopped(stop).into(),
        None => error,
    })?;
    if global.json && !command.part.dry_run {
        // Standard output is the dump's.
        let seconds = began.elapsed().as_secs_f64();
        let id = open.manifest.id.to_string();
        let time = rfc3339(open.manifest.id.timestamp);
        let age = SystemClock.now_ms().saturating_sub(open.manifest.id.timestamp) / 1000;
        let summary = json!({
            "version": 1,
            "message_type": "summary",
            "id": id,
            "time": time,
            "age_seconds": age,
            "verdict": open.manifest.verdict.name(),
            "bytes": bytes,
            "seconds": seconds,
        });
        say(&summary.to_string());
    }
    Ok(outside.teller.class())
}

/// The key, and the backup that is meant, with its manifest authenticated.
pub(super) fn choose(global: &Global, store: &dyn Store, text: &str) -> Result<(Unlocked, OpenManifest), CliError> {
    let teller = Teller::plain(global);
    if text == LATEST {
        let unlocked = for_reading(global, store, Ask::Allowed, Wanted::Any, &teller)?.ok_or(CliError::NoKey)?;
        let open = latest(store, &unlocked.ring, &teller)?;
        return Ok((unlocked, open));
    }
    let id = resolve(store, text)?;
    let unlocked = for_reading(global, store, Ask::Allowed, Wanted::Backup(id), &teller)?.ok_or(CliError::NoKey)?;
    let open = open_manifest(store, &id, &unlocked.ring)?;
    Ok((unlocked, open))
}

/// Releases the dump to where it is to go; what comes back is its size.
fn restore(
    global: &Global,
    outside: &Outside,
    children: &Children,
    ring: &Keyring,
    open: &OpenManifest,
    command: &Unpack,
) -> Result<u64, CliError> {
    let keys = ring.of_epoch(open.manifest.epoch).map_err(RunError::Key)?;
    let threads = if command.part.dry_run { 1 } else { threads(command.threads) };
    let restore = Restore::prepare(&outside.world(), open, keys, threads)?;
    let chosen = part::chosen(&command.part, outside, open)?;
    if command.part.dry_run {
        warn_of_verdict(&outside.teller, &open.manifest);
        return part::dry_run(global, &open.manifest.id, &restore, chosen.as_ref()).map(|()| 0);
    }
    let file = match &command.output {
        Some(path) if path != Path::new("-") => {
            refuse_inside(path, &outside.store)?;
            Some(NewFile::create(path, replace(command))?)
        }
        _ => None,
    };
    let release = Release { restore, chosen };
    // Also under `--quiet`: whoever asked for `latest` must be able to see what that was.
    announce(global, outside, &open.manifest);
    let bytes = release.bytes();
    outside.teller.progress().expect(bytes * if command.check_first { 2 } else { 1 });
    if command.check_first {
        release.to(&mut std::io::sink())?;
    }
    let control: Arc<dyn Control> = outside.control.clone();
    deliver(file, &command.command, children, control, |sink| Ok(release.to(sink)?))?;
    Ok(bytes)
}

/// A dump in clear text does not belong among what is encrypted, where it would be copied along.
///
/// # Errors
/// The file would lie inside the store.
pub fn refuse_inside(path: &Path, store: &dyn Store) -> Result<(), CliError> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).canonicalize();
    match directory.is_ok_and(|directory| directory.starts_with(store.location())) {
        true => Err(CliError::OutputInStore(path.into())),
        false => Ok(()),
    }
}

fn replace(command: &Unpack) -> Replace {
    if command.force { Replace::Allowed } else { Replace::Never }
}

/// Tells which backup it is, before its first byte. A program that wants nothing but JSON reads it there.
fn announce(global: &Global, outside: &Outside, manifest: &Manifest) {
    let time = manifest.id.timestamp;
    let age = report::age(time, SystemClock.now_ms());
    let text = format!("unpacking {} of {}, {age}", manifest.id, rfc3339(time));
    if global.json {
        outside.teller.note(&text);
    } else {
        outside.teller.tell(&text);
    }
    warn_of_verdict(&outside.teller, manifest);
}

/// Warns when the dump of a backup is in doubt.
pub(super) fn warn_of_verdict(teller: &Teller, manifest: &Manifest) {
    if let Some(doubt) = doubt(manifest.verdict) {
        teller.caution(&format!("{}: {doubt}", manifest.id));
    }
}

/// What goes out: the dump, or a part of it.
struct Release<'a> {
    restore: Restore<'a>,
    chosen: Option<Chosen>,
}

impl Release<'_> {
    fn bytes(&self) -> u64 {
        let of = |chosen: &Chosen| chosen.ranges.iter().map(|range| range.end - range.start).sum();
        self.chosen.as_ref().map_or(self.restore.plain_bytes(), of)
    }

    fn to(&self, sink: &mut dyn Write) -> Result<(), RunError> {
        match &self.chosen {
            None => self.restore.release(sink),
            Some(chosen) => self.restore.release_ranges(&chosen.ranges, sink),
        }
    }
}
