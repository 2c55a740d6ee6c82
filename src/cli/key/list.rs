//! `vault key list`: epochs and slots of the key file.

use serde_json::{Value, json};

use crate::base::bytes::to_hex;
use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::key::file::KeyFile;
use crate::cli::key::slots::describe;
use crate::cli::message::CliError;
use crate::cli::report;
use crate::format::slot::{Slot, SlotKind};
use crate::pipeline::error::RunError;

/// Lists.
///
/// # Errors
/// The key file cannot be used.
pub fn run(global: &Global) -> Result<Option<FailureClass>, CliError> {
    let file = KeyFile::read(global)?;
    let host = file.pack_only()?;
    let (scopes, slots, generation) = match &host {
        Some(host) => (vec![(host.keys.scope, host.keys.fingerprint)], host.slots.clone(), host.generation),
        None => {
            let ring = file.ring()?;
            let scopes = ring.keys().iter().map(|keys| (keys.pack.scope, keys.pack.fingerprint)).collect();
            (scopes, ring.slots, ring.generation)
        }
    };
    // The keys of one file are those of one database.
    let guid = scopes[0].0.guid;
    let kind = |slot: &Slot| if matches!(slot.kind, SlotKind::Age { .. }) { "age" } else { "passphrase" };
    let row = |slot: &Slot| Ok([to_hex(&slot.id), kind(slot).into(), describe(slot)?]);
    let rows: Result<Vec<[String; 3]>, _> = slots.iter().map(row).collect();
    let rows = rows.map_err(RunError::Key)?;
    let epochs = scopes.iter().map(|(scope, found)| (scope.epoch, found));
    if global.json {
        let epochs: Vec<Value> =
            epochs.map(|(epoch, found)| json!({ "epoch": epoch, "fingerprint": found.to_string() })).collect();
        let slots: Vec<Value> =
            rows.iter().map(|[id, kind, what]| json!({ "id": id, "type": kind, "details": what })).collect();
        return report::json(&json!({
            "version": 1,
            "message_type": "key",
            "guid": guid.to_string(),
            "pack_only": host.is_some(),
            "epochs": epochs,
            "generation": generation,
            "slots": slots,
        }));
    }
    let mut lines = vec![format!("guid         {guid}")];
    if host.is_some() {
        lines.push("pack-only    it writes backups, and opens none".into());
    }
    lines.extend(epochs.map(|(epoch, found)| format!("fingerprint  {found}, epoch {epoch}")));
    lines.push(format!("slots        {}, generation {}", rows.len(), generation));
    report::lines(&lines)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.to_vec()).collect();
    report::table(&["SLOT", "TYPE", "DETAILS"], &rows)
}
