//! The audit for Prometheus: a file that its node exporter reads.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::{Database, is_ahead};
use crate::cli::message::CliError;
use crate::cli::output::{NewFile, Replace};
use crate::ops::escrow::Audit;

/// Writes the file: whoever reads it sees the old one or the new one.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, databases: &[Database], now: u64) -> Result<(), CliError> {
    let failed = |reason| CliError::FileWrite { path: path.into(), reason };
    let mut file = NewFile::create(path, Replace::Allowed)?;
    // Another user reads it: the exporter's.
    file.set_mode(0o644).and_then(|()| file.write_all(text(databases, now).as_bytes())).map_err(failed)?;
    file.finish()
}

/// The Prometheus text format.
fn text(databases: &[Database], now: u64) -> String {
    let count = |database: &Database, which: fn(&Database, &Audit) -> bool| {
        database.audits.iter().filter(|audit| which(database, audit)).count() as u64
    };
    let old_slots = |database: &Database, audit: &Audit| {
        audit.manifest.as_ref().is_some_and(|found| found.generation < database.newest_generation(found.epoch))
    };
    let seconds = |milliseconds: u64| milliseconds / 1000;
    type Value<'v> = (&'static str, &'static str, &'v dyn Fn(&Database) -> u64);
    let values: [Value<'_>; 7] = [
        ("backups", "Backups that were looked at.", &|database| database.audits.len() as u64),
        ("failed_backups", "Backups that would not open.", &|database| count(database, |_, audit| audit.failed())),
        ("opened_backups", "Backups that were opened.", &|database| count(database, |_, audit| audit.level > 0)),
        ("unvouched_backups", "Backups whose key nothing vouches for.", &|database| database.unvouched.len() as u64),
        ("old_slots_backups", "Backups below the newest generation of slots.", &|database| count(database, old_slots)),
        ("read_bytes", "Bytes that were read.", &|database| database.bytes_read),
        ("checked_timestamp_seconds", "When this was looked at.", &|_| seconds(now)),
    ];
    let mut text = String::new();
    for (name, help, value) in values {
        let _ = writeln!(text, "# HELP vault_escrow_{name} {help}\n# TYPE vault_escrow_{name} gauge");
        for database in databases {
            let _ = writeln!(text, "vault_escrow_{name}{{guid=\"{}\"}} {}", database.guid, value(database));
        }
    }
    let name = "vault_escrow_verified_timestamp_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} When a slot or key file last opened the newest backup of its epoch; 0 for never, or for a time to come."
    );
    let _ = writeln!(text, "# TYPE {name} gauge");
    for database in databases {
        for (dates, way, last) in database.ways() {
            let last = seconds(last.filter(|last| !is_ahead(*last, now)).unwrap_or(0));
            let (guid, epoch, authenticated) = (database.guid, dates.epoch, u8::from(dates.authenticated));
            let labels = format!("guid=\"{guid}\",epoch=\"{epoch}\",way=\"{way}\",authenticated=\"{authenticated}\"");
            let _ = writeln!(text, "{name}{{{labels}}} {last}");
        }
    }
    text
}
