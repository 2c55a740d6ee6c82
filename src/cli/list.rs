//! `vault list`: the backups in the store.

use serde_json::{Value, json};

use crate::base::failure::FailureClass;
use crate::base::time::rfc3339;
use crate::cli::args::{Global, List};
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes};
use crate::cli::secrets::Ask;
use crate::cli::unlock::{Wanted, for_reading};
use crate::cli::world::{Teller, open_store};
use crate::format::manifest::Manifest;
use crate::ops::list::{Entry, Standing, list};
use crate::pipeline::port::Observer;

const HEADING: [&str; 10] = ["ID", "TIME", "MANIFEST", "KIND", "VERDICT", " SIZE", " STORED", " SEQ", " EPOCH", "TAGS"];

/// Lists.
///
/// # Errors
/// The store cannot be read, or the key that is given cannot be used.
pub fn run(global: &Global, _command: &List) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let teller = Teller::plain(global);
    let unlocked = for_reading(global, &store, Ask::Never, Wanted::Any, &teller)?;
    let ring = unlocked.as_ref().map(|unlocked| &unlocked.ring);
    let entries = list(&store, ring, global.guid)?;
    if global.json {
        let backups: Vec<Value> = entries.iter().map(entry_json).collect();
        report::json(&json!({ "version": 1, "message_type": "list", "backups": backups }))?;
    } else if entries.is_empty() {
        report::lines(&["no backups".into()])?;
    } else {
        let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
        report::table(&HEADING, &rows)?;
    }
    for entry in &entries {
        if let Standing::Broken(error) = &entry.standing {
            teller.warn(&error.to_string());
        }
    }
    Ok(teller.class())
}

fn row(entry: &Entry) -> Vec<String> {
    let mut row = vec![entry.id.clone(), rfc3339(entry.time), entry.standing.name().into()];
    if let Some(manifest) = entry.standing.manifest() {
        row.extend([
            manifest.kind.clone(),
            manifest.verdict.name().into(),
            bytes(manifest.size),
            bytes(manifest.stored),
            manifest.seq.to_string(),
            manifest.epoch.to_string(),
            tags(manifest),
        ]);
    }
    row.resize(HEADING.len(), String::new());
    row
}

/// `host=db1 nightly=yes`.
pub fn tags(manifest: &Manifest) -> String {
    let tags: Vec<String> = manifest.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tags.join(" ")
}

fn entry_json(entry: &Entry) -> Value {
    let mut value = json!({ "id": entry.id, "time": rfc3339(entry.time), "manifest": entry.standing.name() });
    let more = match &entry.standing {
        Standing::Verified(manifest) | Standing::Unverified(manifest) => manifest_json(manifest),
        Standing::Broken(error) => json!({ "class": error.class().name(), "error": error.to_string() }),
        Standing::Legacy => json!({}),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

/// What a manifest says about its backup.
pub fn manifest_json(manifest: &Manifest) -> Value {
    let tags: serde_json::Map<String, Value> =
        manifest.tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    json!({
        "guid": manifest.id.guid.to_string(),
        "kind": manifest.kind,
        "verdict": manifest.verdict.name(),
        "size": manifest.size,
        "stored": manifest.stored,
        "seq": manifest.seq,
        "epoch": manifest.epoch,
        "rebuilt": manifest.rebuilt,
        "tags": tags,
    })
}
