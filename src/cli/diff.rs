//! `vault diff`: the rows of which tables changed between two backups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::archive::manifest::OpenManifest;
use crate::base::failure::FailureClass;
use crate::cli::args::{Diff, Global};
use crate::cli::control::Patience;
use crate::cli::latest::{LATEST, latest};
use crate::cli::message::CliError;
use crate::cli::part::warn_of_end;
use crate::cli::report::{self, bytes};
use crate::cli::unpack::{choose, warn_of_verdict};
use crate::cli::world::{Outside, Teller, open_store};
use crate::ops::choose::shown;
use crate::ops::diff::{Certainty, Change, Compared, Side, TableName, diff};
use crate::ops::list::resolve;
use crate::pipeline::contents::Contents;
use crate::pipeline::error::RunError;
use crate::pipeline::survey::open_manifest;
use crate::pipeline::unpack::Restore;

/// Compares.
///
/// # Errors
/// One of the backups is not there, cannot be opened, or has no map.
pub fn run(global: &Global, command: &Diff) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let (unlocked, before) = choose(global, &store, &command.before)?;
    let ring = &unlocked.ring;
    let after = match command.after.as_str() {
        LATEST => latest(&store, ring, &Teller::plain(global))?,
        text => open_manifest(&store, &resolve(&store, text)?, ring)?,
    };
    let patience = Patience { timeout: None, stall_timeout: None };
    let (outside, _) = Outside::new(global, store, patience)?;
    let prepare = |open: &OpenManifest| {
        let keys = ring.of_epoch(open.manifest.epoch).map_err(RunError::Key)?;
        Restore::prepare(&outside.world(), open, keys, 1)
    };
    let restores = [prepare(&before)?, prepare(&after)?];
    let contents = [Contents::open(&outside.store, &before)?, Contents::open(&outside.store, &after)?];
    let [mut old, mut new] =
        [Compared::read(&contents[0], restores[0].index())?, Compared::read(&contents[1], restores[1].index())?];
    let changes = diff(&mut old, &mut new)?;
    match global.json {
        true => report::json(&diff_json(&before, &after, &changes))?,
        false => print(&changes)?,
    };
    for (open, scenes) in [(&before, old.scenes), (&after, new.scenes)] {
        warn_of_verdict(&outside.teller, &open.manifest);
        warn_of_end(&outside.teller, open, scenes.end, scenes.plain);
    }
    Ok(outside.teller.class())
}

fn word(change: &Change) -> &'static str {
    match (change.certainty(), change.before, change.after) {
        (Certainty::Same, ..) => "same",
        (Certainty::Perhaps, ..) => "perhaps",
        (Certainty::Changed, None, _) => "new",
        (Certainty::Changed, _, None) => "gone",
        (Certainty::Changed, ..) => "changed",
    }
}

fn print(changes: &BTreeMap<TableName, Change>) -> Result<Option<FailureClass>, CliError> {
    let heading = ["DATABASE", "TABLE", "", " ROWS", " BEFORE", " SIZE", " BEFORE", " STORED ANEW"];
    let side = |side: Option<Side>, text: &dyn Fn(Side) -> String| side.map_or("-".into(), text);
    let row = |((database, table), change): (&TableName, &Change)| {
        let rows = |side: Side| side.rows.to_string();
        let size = |side: Side| bytes(side.bytes);
        vec![
            String::from_utf8_lossy(database).into_owned(),
            shown(table),
            word(change).into(),
            side(change.after, &rows),
            side(change.before, &rows),
            side(change.after, &size),
            side(change.before, &size),
            side(change.after, &|side| bytes(side.alone)),
        ]
    };
    let differing = changes.iter().filter(|(_, change)| change.certainty() != Certainty::Same);
    let rows: Vec<Vec<String>> = differing.map(row).collect();
    let same = changes.len() - rows.len();
    if !rows.is_empty() {
        report::table(&heading, &rows)?;
    }
    report::lines(&[
        format!("{same} tables have the same rows, byte for byte"),
        "tables without rows, and all that is no table, are not compared".into(),
    ])
}

fn diff_json(before: &OpenManifest, after: &OpenManifest, changes: &BTreeMap<TableName, Change>) -> Value {
    let side = |side: Option<Side>| {
        side.map(|side| json!({ "rows": side.rows, "bytes": side.bytes, "alone_bytes": side.alone }))
    };
    let table = |((database, table), change): (&TableName, &Change)| {
        json!({
            "database": String::from_utf8_lossy(database),
            "schema": String::from_utf8_lossy(&table.schema),
            "table": String::from_utf8_lossy(&table.name),
            "change": word(change),
            "before": side(change.before),
            "after": side(change.after),
        })
    };
    json!({
        "version": 1,
        "message_type": "diff",
        "before": before.manifest.id.to_string(),
        "after": after.manifest.id.to_string(),
        "tables": changes.iter().map(table).collect::<Vec<_>>(),
    })
}
