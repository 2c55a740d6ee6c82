//! `vault pack`: a command's output, or standard input, becomes a backup.

use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::base::failure::FailureClass;
use crate::cli::args::{Global, HowToPack, Pack};
use crate::cli::child::{Children, Producer};
use crate::cli::control::{Patience, RunControl};
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes};
use crate::cli::secrets::{Ask, Way, find};
use crate::cli::signals::Signals;
use crate::cli::unlock::{Packing, for_packing};
use crate::cli::watched::Watched;
use crate::cli::world::{Outside, Teller, cache_place, store_path, threads};
use crate::format::header::SegmentSize;
use crate::pipeline::error::RunError;
use crate::pipeline::known::{CachePlace, LastGood, Reuse};
use crate::pipeline::pack::{Doubt, PackOptions, Packed, Shrink, check_tags, pack};
use crate::pipeline::port::Observer;
use crate::store::local::LocalStore;

/// Packs.
///
/// # Errors
/// There is no new backup.
pub fn run(global: &Global, command: Pack) -> Result<Option<FailureClass>, CliError> {
    if command.command.is_empty() && std::io::stdin().is_terminal() {
        return Err(CliError::InputIsTerminal);
    }
    let way = prepare(global, &command.how)?;
    let Pack { how, allow_empty, command } = command;
    let patience = Patience { timeout: how.timeout, stall_timeout: how.stall_timeout };
    pack_from(global, how, &way, allow_empty, |store, teller| start(store, teller, patience, &command))
}

/// The way to the key, once what is asked for is found to be possible: before the dump is begun, and before the store is made.
///
/// # Errors
/// A tag or a size that cannot be, or there is no key.
pub fn prepare(global: &Global, how: &HowToPack) -> Result<Way, CliError> {
    check_tags(&how.tags)?;
    segment_size(how)?;
    // Whoever has no key leaves nothing behind.
    find(global, Ask::Allowed)?.ok_or(CliError::NoKey)
}

/// Packs the input that `begin` starts.
///
/// # Errors
/// There is no new backup.
pub fn pack_from(
    global: &Global,
    how: HowToPack,
    way: &Way,
    allow_empty: bool,
    begin: impl FnOnce(LocalStore, Teller) -> Result<(Outside, Box<dyn Read + Send>), CliError>,
) -> Result<Option<FailureClass>, CliError> {
    let segment = segment_size(&how)?;
    let store = LocalStore::open_or_create(&store_path(global)?)?;
    let unlocking = Teller::plain(global);
    let packing = for_packing(global, way, &store, &how, &unlocking)?;
    let teller = Teller::new(global);
    let keys = &packing.ring.keys;
    let place = match how.no_cache {
        true => CachePlace::None,
        false => cache_place(&store, keys.scope, &teller),
    };
    let began = Instant::now();
    let (outside, input) = begin(store, teller)?;
    let options = PackOptions { allow_empty, ..options(how, segment, &packing) };
    let packed = pack(&outside.world(), keys, &place, options, input);
    outside.teller.progress().end();
    let packed = packed.inspect_err(|_| outside.control.kill_producer())?;
    if packing.founded {
        outside.teller.note(&format!(
            "a new database: guid {}, key {}: keep the passphrase in escrow, and the fingerprint beside it",
            keys.scope.guid, keys.fingerprint
        ));
    }
    let class = summary(global, &packed, began.elapsed(), &outside.teller)?;
    Ok(class.or(unlocking.class()))
}

/// Starts the producer, if there is one, and the clock of the run.
fn start(
    store: LocalStore,
    teller: Teller,
    patience: Patience,
    command: &[OsString],
) -> Result<(Outside, Box<dyn Read + Send>), CliError> {
    let children = Children::default();
    let signals = Signals::install(&children).map_err(CliError::Signals)?;
    let (control, input): (_, Box<dyn Read + Send>) = if command.is_empty() {
        let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(RunError::Input)?;
        let control = Arc::new(RunControl::new(patience, signals, None));
        (Arc::clone(&control), Box::new(Watched::new(File::from(input), control)))
    } else {
        let (producer, output) = Producer::spawn(command, &children)?;
        let control = Arc::new(RunControl::new(patience, signals, Some(producer)));
        (Arc::clone(&control), Box::new(Watched::new(output, control)))
    };
    let outside = Outside { store, teller, control };
    Ok((outside, input))
}

fn segment_size(how: &HowToPack) -> Result<SegmentSize, CliError> {
    let Some(bytes) = how.segment_size else {
        return Ok(SegmentSize::for_part_bytes(how.part_size));
    };
    let log2 = bytes.is_power_of_two().then(|| bytes.trailing_zeros() as u8);
    log2.and_then(SegmentSize::from_log2).ok_or(CliError::SegmentSize)
}

fn options(how: HowToPack, segment: SegmentSize, packing: &Packing) -> PackOptions {
    PackOptions {
        level: how.level,
        part_bytes: how.part_size,
        segment,
        threads: threads(how.threads),
        reuse: if how.full { Reuse::Full } else { Reuse::Allowed },
        paranoid: how.paranoid,
        allow_empty: false,
        allow_incomplete: how.allow_incomplete,
        shrink: match (how.allow_shrink, how.refuse_shrink) {
            (true, _) => Shrink::Allow,
            (false, true) => Shrink::Refuse,
            (false, false) => Shrink::Mark,
        },
        tags: how.tags,
        tool: format!("vault {}", env!("CARGO_PKG_VERSION")),
        slots: packing.ring.slots.clone(),
        generation: packing.ring.generation,
        cutter: None,
    }
}

/// The id of the backup, and what it cost.
fn summary(
    global: &Global,
    packed: &Packed,
    took: Duration,
    teller: &Teller,
) -> Result<Option<FailureClass>, CliError> {
    let Packed { manifest, plain, new, chunks, doubt } = packed;
    let ratio = *plain as f64 / manifest.stored.max(1) as f64;
    if let Some(doubt) = doubt {
        teller.warn(&told(doubt, packed));
    }
    let printed = if global.json {
        report::json(&json!({
            "version": 1,
            "message_type": "summary",
            "id": manifest.id.to_string(),
            "kind": manifest.kind,
            "verdict": manifest.verdict.name(),
            "seq": manifest.seq,
            "bytes": plain,
            "new_bytes": new,
            "stored_bytes": manifest.stored,
            "parts": manifest.parts.len(),
            "chunks": chunks,
            "ratio": ratio,
            "seconds": took.as_secs_f64(),
            "shrunk_from": shrunk_from(doubt.as_ref()),
        }))
    } else if global.quiet {
        report::lines(&[manifest.id.to_string()])
    } else {
        let parts = report::counted(manifest.parts.len() as u64, "part");
        report::lines(&[
            manifest.id.to_string(),
            format!("{} of {}, {}", bytes(*plain), manifest.kind, manifest.verdict.name()),
            format!("{} new, {} stored in {parts}: 1/{ratio:.1}", bytes(*new), bytes(manifest.stored)),
            format!("{} at {}/s", report::duration(took), bytes(rate(*plain, took))),
        ])
    };
    // The backup stands, whatever became of the report.
    if let Err(error) = printed {
        teller.warn(&format!("{} is packed, but that cannot be told: {error}", manifest.id));
    }
    Ok(teller.class())
}

/// Why the backup does not count as good.
fn told(doubt: &Doubt, packed: &Packed) -> String {
    let id = packed.manifest.id;
    match doubt {
        Doubt::CutShort(why) => format!("the dump is cut short: {why}; {id} is kept, marked as incomplete for ever"),
        Doubt::Unproven(why) => format!(
            "nothing shows that the dump is whole: {why}; {id} is kept, marked as incomplete for ever; run the program as a child, \
             `vault pack -- COMMAND`, and its exit status tells"
        ),
        Doubt::Shrunk(last) => format!(
            "the dump has {}, less than half of the {} (rounded up) of {}: {id} is kept, marked as shrunk, and `latest` is in doubt; \
             when it is right, `vault accept {id}`, or give `--allow-shrink` the next time",
            bytes(packed.plain),
            bytes(last.size),
            last.id
        ),
    }
}

fn shrunk_from(doubt: Option<&Doubt>) -> Value {
    match doubt {
        Some(Doubt::Shrunk(LastGood { id, size })) => json!({ "id": id.to_string(), "size": size }),
        _ => Value::Null,
    }
}

fn rate(bytes: u64, took: Duration) -> u64 {
    (bytes as f64 / took.as_secs_f64().max(0.001)) as u64
}
