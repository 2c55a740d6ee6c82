//! What a person, or a program, reads of the audit.

use serde_json::{Value, json};

use super::dates::Dates;
use super::{Database, is_ahead};
use crate::base::bytes::to_hex;
use crate::base::time::rfc3339;
use crate::cli::args::Global;
use crate::cli::args::key::Check;
use crate::cli::message::CliError;
use crate::cli::report::{self, age, bytes};
use crate::crypto::keys::Fingerprint;
use crate::format::check_record::Way;
use crate::format::slot::{Slot, SlotKind};
use crate::ops::escrow::Audit;
use crate::pipeline::verify::Finding;

const HEADING: [&str; 9] = ["BACKUP", " LEVEL", "KEY", " EPOCH", " GENERATION", "SLOTS", " HEADERS", " READ", "RESULT"];

/// Tells it. `read` is the number of bytes that were read for all of it.
///
/// # Errors
/// Standard output cannot be written.
pub fn tell(global: &Global, command: &Check, databases: &[Database], read: u64, now: u64) -> Result<(), CliError> {
    if global.json {
        report::json(&document(command, databases, read, now))?;
        return Ok(());
    }
    for database in databases {
        let rows: Vec<Vec<String>> = database.audits.iter().map(|audit| row(database, audit)).collect();
        report::table(&HEADING, &rows)?;
        report::lines(&remarks(command, database, now))?;
    }
    report::lines(&[summary(databases, read)])?;
    Ok(())
}

/// What was looked at, in words: a check that looked at less than somebody thinks is worse than none.
const fn level(level: u8) -> &'static str {
    match level {
        0 => "no key was used: manifests and slots are legal as far as that can be told",
        1 => "keys, MACs and the header of every part",
        2 => "keys, MACs, the header of every part, and segments drawn by lot",
        _ => "keys, MACs, the header of every part, and the index",
    }
}

fn summary(databases: &[Database], read: u64) -> String {
    let audits = || databases.iter().flat_map(|database| &database.audits);
    let failed = audits().filter(|audit| audit.failed()).count();
    let opened = audits().filter(|audit| !audit.failed() && audit.level > 0).count();
    let unopened = audits().count() - failed - opened;
    let unvouched: usize = databases.iter().map(|database| database.unvouched.len()).sum();
    let mut verdict = match (failed, opened, unopened) {
        (0, _, 0) => "all open".to_owned(),
        (0, 0, _) => "nothing was opened".to_owned(),
        (failed, opened, 0) => format!("{failed} WOULD NOT OPEN, {opened} open"),
        (0, opened, unopened) => format!("{opened} open, {unopened} not opened"),
        (failed, opened, unopened) => format!("{failed} WOULD NOT OPEN, {opened} open, {unopened} not opened"),
    };
    if unvouched > 0 {
        verdict += &format!(", {unvouched} WITH A KEY THAT NOTHING VOUCHES FOR");
    }
    // Of what was opened, the least.
    let opened = audits().filter(|audit| !audit.failed() && audit.level > 0).map(|audit| audit.level).min();
    let looked = match (opened, unopened) {
        (Some(lowest), _) => level(lowest),
        (None, 0) => "nothing",
        (None, _) => level(0),
    };
    format!("{} looked at, {verdict}; {} read; {looked}", audits().count(), bytes(read))
}

fn row(database: &Database, audit: &Audit) -> Vec<String> {
    let result = match (audit.failed(), audit.level) {
        (true, _) => "FAILS",
        (false, 0) => "not opened",
        _ if database.unvouched.contains(&audit.id) => "opens, not vouched for",
        (false, _) => "opens",
    };
    let mut row = vec![audit.id.to_string(), audit.level.to_string()];
    match &audit.manifest {
        None => row.resize(HEADING.len() - 3, String::new()),
        Some(manifest) => {
            let newest = database.newest_generation(manifest.epoch);
            let generation = match manifest.generation {
                own if own < newest => format!("{own} of {newest}"),
                own => own.to_string(),
            };
            row.extend([
                Fingerprint(manifest.fingerprint).short(),
                manifest.epoch.to_string(),
                generation,
                manifest.slots.iter().map(|slot| slot_text(audit, slot)).collect::<Vec<_>>().join(" "),
            ]);
        }
    }
    row.extend([audit.headers.to_string(), bytes(audit.bytes_read), result.into()]);
    row
}

/// `passphrase:1a2b3c4d:opens`.
fn slot_text(audit: &Audit, slot: &Slot) -> String {
    let opens = if audit.opened.contains(&slot.id) { ":opens" } else { "" };
    format!("{}:{}{opens}", kind(slot), to_hex(&slot.id))
}

const fn kind(slot: &Slot) -> &'static str {
    match slot.kind {
        SlotKind::Passphrase { .. } => "passphrase",
        SlotKind::Age { .. } => "age",
    }
}

/// Findings, and when each way was last seen to work.
fn remarks(command: &Check, database: &Database, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for audit in &database.audits {
        for Finding { class, what, hinders_restore } in &audit.findings {
            let note = if *hinders_restore { "" } else { ", not needed for a restore" };
            lines.push(format!("  {}: {what}{note}", class.name()));
        }
        if audit.manifest.as_ref().is_some_and(|manifest| manifest.slots.is_empty()) {
            lines.push(format!("  {}: no slots, only a key file opens this", audit.id));
        }
        if audit.segments.0 > 0 {
            lines.push(format!("  {}: {} of {} segments opened", audit.id, audit.segments.0, audit.segments.1));
        }
    }
    for audit in database.audits.iter().filter(|audit| database.unvouched.contains(&audit.id)) {
        let found = audit.keys.as_ref().map(|keys| keys.pack.fingerprint.to_string()).unwrap_or_default();
        lines.push(format!("  {} opens with key {found}, not vouched for: anyone can make such a backup", audit.id));
        lines.push("    compare it with the fingerprint in escrow, and give that one as --fingerprint".into());
    }
    lines.extend(behind(database));
    if let Some(epoch) = database.two_keys() {
        lines.push(format!(
            "  backups of epoch {epoch} show two fingerprints: one of them is forged, or of another key"
        ));
    }
    lines.extend(on_top(database));
    lines.extend(database.ways().map(|(dates, way, last)| way_text(database, dates, way, last, command, now)));
    lines
}

/// What whoever holds an earlier key can make at any time.
fn on_top(database: &Database) -> Option<String> {
    let (earlier, current) = (database.on_top()?, database.current()?);
    let (newest, epoch) = (earlier.newest, earlier.epoch);
    let told = format!("  {newest}, of epoch {epoch}, is newer than every backup of epoch {}", current.epoch);
    Some(told + ": somebody packs with the earlier key")
}

/// When a way was last seen to work.
fn way_text(database: &Database, dates: &Dates, way: &Way, last: Option<u64>, command: &Check, now: u64) -> String {
    let name = match way {
        Way::KeyFile => "key file".to_owned(),
        Way::Slot(_) => format!("slot {way}"),
    };
    let (of, newest) = match database.dates.len() {
        1 => (String::new(), "the newest backup"),
        _ => (format!(" (epoch {})", dates.epoch), "the newest backup of its epoch"),
    };
    let when = last.map_or("never".to_owned(), |last| format!("{}, {}", rfc3339(last), age(last, now)));
    let trust = if last.is_some_and(|last| is_ahead(last, now)) {
        " (that is yet to come, and says nothing)"
    } else if dates.authenticated || last.is_none() {
        ""
    } else {
        " (unauthenticated: no key vouches for it)"
    };
    let overdue = if database.is_overdue(command, dates, last, now) { ": OVERDUE" } else { "" };
    format!("  {name}{of} last opened {newest}: {when}{trust}{overdue}")
}

/// Which backups a change of the slots has not reached.
fn behind(database: &Database) -> Vec<String> {
    let manifests = database.audits.iter().filter_map(|audit| audit.manifest.as_ref());
    let old = manifests.filter(|manifest| manifest.generation < database.newest_generation(manifest.epoch)).count();
    let have = |count: usize| if count == 1 { "has" } else { "have" };
    let mut lines = Vec::new();
    if old > 0 {
        let all = database.audits.len();
        lines
            .push(format!("  {old} of {all} backups {} slots of an earlier generation: `vault key rewrap`", have(old)));
    }
    for (id, count) in database.removed() {
        let backups = if count == 1 { "backup" } else { "backups" };
        let slot = to_hex(&id);
        lines.push(format!(
            "  slot {slot} was removed, and {count} {backups} {} it still: `vault key rewrap`",
            have(count)
        ));
    }
    lines
}

fn document(command: &Check, databases: &[Database], read: u64, now: u64) -> Value {
    let backups = databases.iter().flat_map(|database| database.audits.iter().map(|audit| backup(database, audit)));
    let ways = databases.iter().map(|database| {
        let ways = database.ways().map(|(dates, way, last)| {
            json!({
                "epoch": dates.epoch,
                "way": way.to_string(),
                "authenticated": dates.authenticated,
                "last_opened": last.map(rfc3339),
                "overdue": database.is_overdue(command, dates, last, now),
            })
        });
        json!({
            "guid": database.guid.to_string(),
            "authenticated": database.current().is_some_and(|dates| dates.authenticated),
            "two_keys": database.two_keys().is_some(),
            "earlier_epoch_on_top": database.on_top().map(|dates| dates.newest.to_string()),
            "removed_slots": database.removed().keys().map(|id| to_hex(id)).collect::<Vec<_>>(),
            "bytes_read": database.bytes_read,
            "ways": ways.collect::<Vec<_>>(),
        })
    });
    json!({
        "version": 1,
        "message_type": "key-check",
        "backups": backups.collect::<Vec<_>>(),
        "databases": ways.collect::<Vec<_>>(),
        "bytes_read": read,
    })
}

fn backup(database: &Database, audit: &Audit) -> Value {
    let findings = audit.findings.iter().map(|finding| {
        json!({
            "class": finding.class.name(),
            "what": finding.what,
            "hinders_restore": finding.hinders_restore,
        })
    });
    let manifest = audit.manifest.as_ref();
    let slots = manifest
        .iter()
        .flat_map(|manifest| &manifest.slots)
        .map(|slot| json!({ "id": to_hex(&slot.id), "type": kind(slot), "opened": audit.opened.contains(&slot.id) }));
    json!({
        "id": audit.id.to_string(),
        "level": audit.level,
        "vouched": if audit.level > 0 { json!(!database.unvouched.contains(&audit.id)) } else { Value::Null },
        "opens": if audit.level > 0 || audit.failed() { json!(!audit.failed()) } else { Value::Null },
        "epoch": manifest.map(|manifest| manifest.epoch),
        "fingerprint": manifest.map(|manifest| to_hex(&manifest.fingerprint)),
        "generation": manifest.map(|manifest| manifest.generation),
        "newest_generation": manifest.map(|manifest| database.newest_generation(manifest.epoch)),
        "slots": slots.collect::<Vec<_>>(),
        "headers": audit.headers,
        "segments_opened": audit.segments.0,
        "segments": audit.segments.1,
        "bytes_read": audit.bytes_read,
        "findings": findings.collect::<Vec<_>>(),
    })
}
