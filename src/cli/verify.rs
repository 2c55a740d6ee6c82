//! `vault verify`: are backups still whole?
//!
//! Three levels. Presence and size of every object, which needs no key; with `--read-data` the SHA-256 of each, which needs none either;
//! with `--read-data` and a key everything, down to the digest of the dump. The first line of the report says which level ran: a check that
//! looked at less than somebody thinks is worse than none.

use serde_json::{Value, json};

use crate::archive::ArchiveError;
use crate::archive::manifest::OpenManifest;
use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::cli::args::{Global, Verify};
use crate::cli::control::Patience;
use crate::cli::latest::{LATEST, doubt};
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes};
use crate::cli::secrets::Ask;
use crate::cli::show::choose;
use crate::cli::unlock::{Unlocked, Wanted, for_reading};
use crate::cli::world::{Outside, Teller, open_store, threads};
use crate::format::manifest::{Manifest, Verdict};
use crate::keys::ring::Keyring;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::port::Store;
use crate::pipeline::survey::{Owner, Survey, open_manifest, read_manifest};
use crate::pipeline::verify::{Finding, Level, Report, verify_full, verify_objects};

/// A backup as far as it can be opened.
enum Subject {
    /// There is a key for it.
    Open(Box<OpenManifest>),
    /// There is none: what its manifest says is compared with the store.
    Unverified(Box<Manifest>),
    /// Its manifest is of no use.
    Failed(Report),
}

/// Verifies.
///
/// # Errors
/// The store cannot be read, or there is nothing to verify. What is wrong with a backup is told by the exit code.
pub fn run(global: &Global, command: &Verify) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let teller = Teller::plain(global);
    let (ids, unlocked) = subjects(global, &store, command, &teller)?;
    let ring = unlocked.as_ref().map(|unlocked| &unlocked.ring);
    let mut subjects = Vec::with_capacity(ids.len());
    for id in &ids {
        subjects.push(subject(&store, id, ring)?);
    }
    let (outside, _) = Outside::new(global, store, Patience::default())?;
    let level = subjects.iter().filter_map(|subject| level(subject, command)).min();
    let level = level.unwrap_or(Level::Presence);
    if !global.json {
        report::lines(&[format!("level: {}", level.name())])?;
    }
    let mut reports = Vec::with_capacity(ids.len());
    let mut levels = Vec::with_capacity(ids.len());
    for subject in subjects {
        levels.push(self::level(&subject, command));
        let report = verify(&outside.world(), subject, ring, command);
        let report = report.inspect_err(|_| outside.teller.progress().end())?;
        if !global.json {
            outside.teller.progress().aside(|| report::lines(&lines(&report, levels.last().copied().flatten())))?;
        }
        reports.push(report);
    }
    outside.teller.progress().end();
    if global.json {
        report::json(&reports_json(level, &levels, &reports))?;
    }
    Ok(worst(&reports).or(teller.class()).or(outside.teller.class()))
}

/// The backups that are meant, and the key to them, if there is one. Nobody is asked.
fn subjects(
    global: &Global,
    store: &dyn Store,
    command: &Verify,
    teller: &Teller,
) -> Result<(Vec<BackupId>, Option<Unlocked>), CliError> {
    if command.all {
        let ids = all(global, store)?;
        return Ok((ids, for_reading(global, store, Ask::Never, Wanted::Any, teller)?));
    }
    let latest = [LATEST.to_owned()];
    let texts = if command.backups.is_empty() { &latest[..] } else { &command.backups[..] };
    let mut ids = Vec::with_capacity(texts.len());
    let mut key = None;
    for text in texts {
        let (id, unlocked) = choose(global, store, text, teller)?;
        ids.push(id);
        key = key.or(unlocked);
    }
    Ok((ids, key))
}

/// Every backup of vault's, oldest first.
fn all(global: &Global, store: &dyn Store) -> Result<Vec<BackupId>, RunError> {
    let prefix = global.guid.map_or_else(String::new, |guid| format!("{guid}-"));
    let survey = Survey::take(store, &prefix)?;
    let mut ids = Vec::new();
    for id in survey.with_manifest() {
        if survey.owner(store, &id)? == Owner::Vault {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        let what = format!("in {}", store.location());
        return Err(RunError::NotFound { what });
    }
    ids.sort_by_key(|id| id.timestamp);
    Ok(ids)
}

/// Opens the manifest with the key at hand, or reads it without.
fn subject(store: &dyn Store, id: &BackupId, ring: Option<&Keyring>) -> Result<Subject, RunError> {
    let opened = match ring.filter(|ring| ring.guid() == id.guid) {
        Some(ring) => open_manifest(store, id, ring).map(|open| Subject::Open(Box::new(open))),
        None => read_manifest(store, id).and_then(|text| match Manifest::parse(id, &text) {
            Ok(unverified) => Ok(Subject::Unverified(Box::new(unverified.manifest))),
            Err(source) => Err(ArchiveError::format(&id.manifest_name())(source).into()),
        }),
    };
    match opened {
        Err(error @ (RunError::Store(_) | RunError::NotFound { .. })) => Err(error),
        Err(error) => Ok(Subject::Failed(Report::failed(*id, &error))),
        Ok(subject) => Ok(subject),
    }
}

/// How deep a backup is verified.
fn level(subject: &Subject, command: &Verify) -> Option<Level> {
    match subject {
        Subject::Failed(_) => None,
        _ if !command.read_data => Some(Level::Presence),
        Subject::Open(_) => Some(Level::Full),
        Subject::Unverified(_) => Some(Level::Sha256),
    }
}

fn verify(world: &World<'_>, subject: Subject, ring: Option<&Keyring>, command: &Verify) -> Result<Report, RunError> {
    match (subject, ring) {
        (Subject::Failed(report), _) => Ok(report),
        (Subject::Open(open), Some(ring)) if command.read_data => {
            let keys = ring.of_epoch(open.manifest.epoch)?;
            verify_full(world, &open, keys, threads(command.threads))
        }
        (Subject::Open(open), _) => {
            let report = verify_objects(world, &open.manifest, Level::Presence)?;
            Ok(Report { authenticated: true, ..report })
        }
        (Subject::Unverified(manifest), _) if command.read_data => verify_objects(world, &manifest, Level::Sha256),
        (Subject::Unverified(manifest), _) => verify_objects(world, &manifest, Level::Presence),
    }
}

fn lines(report: &Report, level: Option<Level>) -> Vec<String> {
    let manifest = if report.authenticated { "verified" } else { "unverified" };
    let doubt = report.verdict.and_then(doubt);
    let verdict = match (report.findings.len(), hindered(report), doubt) {
        (0, _, None) => "good".to_owned(),
        (0, _, Some(_)) => "as it was packed, and not counted as good".to_owned(),
        (findings, true, _) => format!("BAD, {findings} found"),
        (findings, false, _) => format!("BAD, {findings} found, none of which hinders a restore"),
    };
    let looked = format!("{} objects, {} read", report.objects, bytes(report.bytes_read));
    let level = level.map_or("nothing but the manifest", Level::name);
    let mut lines = vec![format!("{}: {verdict} (manifest {manifest}, {looked}; {level})", report.id)];
    if let (Some(verdict), Some(doubt)) = (report.verdict, doubt) {
        lines.push(format!("  {}: {doubt}", verdict.name()));
    }
    for Finding { class, what, hinders_restore } in &report.findings {
        let note = if *hinders_restore { "" } else { ", not needed for a restore" };
        lines.push(format!("  {}: {what}{note}", class.name()));
    }
    lines
}

fn hindered(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.hinders_restore)
}

/// The class of the worst finding: what hinders a restore before what does not, and what is wrong before what is not there.
fn worst(reports: &[Report]) -> Option<FailureClass> {
    let rank = |finding: &&Finding| {
        let rank = match finding.class {
            FailureClass::Damaged => 3,
            FailureClass::Missing => 2,
            _ => 1,
        };
        (finding.hinders_restore, rank)
    };
    let findings = reports.iter().flat_map(|report| &report.findings);
    findings.max_by_key(rank).map(|finding| finding.class)
}

fn reports_json(level: Level, levels: &[Option<Level>], reports: &[Report]) -> Value {
    let backups: Vec<Value> = reports
        .iter()
        .zip(levels)
        .map(|(report, level)| {
            let findings: Vec<Value> = report
                .findings
                .iter()
                .map(|finding| {
                    json!({
                        "class": finding.class.name(),
                        "what": finding.what,
                        "hinders_restore": finding.hinders_restore,
                    })
                })
                .collect();
            json!({
                "id": report.id.to_string(),
                "level": level.map(Level::name),
                "verdict": report.verdict.map(Verdict::name),
                "good": report.findings.is_empty() && report.verdict.and_then(doubt).is_none(),
                "intact": report.findings.is_empty(),
                "restorable": !hindered(report),
                "authenticated": report.authenticated,
                "objects": report.objects,
                "bytes_read": report.bytes_read,
                "findings": findings,
            })
        })
        .collect();
    json!({ "version": 1, "message_type": "verify", "level": level.name(), "backups": backups })
}
