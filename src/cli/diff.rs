//! `vault diff`: which databases and tables changed between two backups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::archive::manifest::OpenManifest;
use crate::base::failure::FailureClass;
use crate::base::map::MapName;
use crate::cli::args::{Diff, Global};
use crate::cli::control::Patience;
use crate::cli::latest::{LATEST, latest};
use crate::cli::message::CliError;
use crate::cli::part::warn_of_end;
use crate::cli::report::{self, bytes};
use crate::cli::unpack::{choose, warn_of_verdict};
use crate::cli::world::{Outside, Teller, open_store};
use crate::ops::choose::shown;
use crate::ops::diff::{Change, Compared, Item, Likeness, Side, Verdict, diff, settle};
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
    let contents = |open| Contents::open(&outside.store, open).map(|contents| contents.stopped_by(&*outside.control));
    let contents = [contents(&before)?, contents(&after)?];
    let [mut old, mut new] =
        [Compared::read(&contents[0], restores[0].index())?, Compared::read(&contents[1], restores[1].index())?];
    let mut changes = diff(&mut old, &mut new)?;
    if command.exact {
        let settled = settle(&mut changes, [&restores[0], &restores[1]]);
        outside.teller.progress().end();
        settled?;
    }
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
    match change.verdict() {
        Verdict::Same => "same",
        Verdict::Perhaps => "perhaps",
        Verdict::Altered => "altered",
        Verdict::Changed => "changed",
        Verdict::New => "new",
        Verdict::Gone => "gone",
    }
}

fn print(changes: &BTreeMap<Item, Change>) -> Result<Option<FailureClass>, CliError> {
    let heading = ["DATABASE", "TABLE", "", " ROWS", " BEFORE", " SIZE", " BEFORE", " STORED ANEW"];
    let row = |(item, change): (&Item, &Change)| {
        let side = |side: Option<Side>, text: &dyn Fn(Side) -> String| side.map_or("-".into(), text);
        let rows = |side: Side| item.relation.as_ref().map_or(String::new(), |_| side.rows.to_string());
        let size = |side: Side| bytes(side.bytes);
        vec![
            item.database.as_ref().map_or("(globals)".into(), |name| String::from_utf8_lossy(name).into_owned()),
            item.relation.as_ref().map_or("(statements)".into(), shown),
            word(change).into(),
            side(change.after, &rows),
            side(change.before, &rows),
            side(change.after, &size),
            side(change.before, &size),
            side(change.after, &|side| bytes(side.alone)),
        ]
    };
    let differing = changes.iter().filter(|(_, change)| change.verdict() != Verdict::Same);
    let rows: Vec<Vec<String>> = differing.map(row).collect();
    if !rows.is_empty() {
        report::table(&heading, &rows)?;
    }
    let same = |(item, change): &(&Item, &Change)| {
        change.verdict() == Verdict::Same && item.relation.is_some() && change.after.is_some_and(|side| side.rows > 0)
    };
    let same = changes.iter().filter(same).count();
    let has = if same == 1 { "has" } else { "have" };
    let mut lines = vec![format!("{} {has} the same rows, byte for byte", report::counted(same as u64, "table"))];
    if changes.values().any(|change| change.verdict() == Verdict::Perhaps) {
        lines.push("`--exact` reads what is perhaps the same, as far as the two do not share it".into());
    }
    report::lines(&lines)
}

fn diff_json(before: &OpenManifest, after: &OpenManifest, changes: &BTreeMap<Item, Change>) -> Value {
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let table = |database: &[u8], table: &MapName, change: &Change| {
        let side = |side: Option<Side>| {
            side.map(|Side { rows, bytes, alone, definition }| {
                json!({ "rows": rows, "bytes": bytes, "alone_bytes": alone, "definition_bytes": definition })
            })
        };
        json!({
            "database": text(database),
            "schema": text(&table.schema),
            "table": text(&table.name),
            "change": word(change),
            "definition": match &change.definition {
                Likeness::Same => "same",
                Likeness::Open(_) => "perhaps",
                Likeness::Different => "changed",
            },
            "before": side(change.before),
            "after": side(change.after),
        })
    };
    let statements = |database: Option<&[u8]>, change: &Change| {
        let side = |side: Option<Side>| side.map(|side| json!({ "bytes": side.bytes, "alone_bytes": side.alone }));
        json!({
            "database": database.map(text),
            "change": word(change),
            "before": side(change.before),
            "after": side(change.after),
        })
    };
    let (mut tables, mut others) = (Vec::new(), Vec::new());
    for (Item { database, relation }, change) in changes {
        match (database, relation) {
            (Some(database), Some(name)) => tables.push(table(database, name, change)),
            (database, _) => others.push(statements(database.as_deref(), change)),
        }
    }
    json!({
        "version": 1,
        "message_type": "diff",
        "before": before.manifest.id.to_string(),
        "after": after.manifest.id.to_string(),
        "statements": others,
        "tables": tables,
    })
}
