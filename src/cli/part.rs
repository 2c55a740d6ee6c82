//! A part of a dump: what is meant, and what it takes to write it.

use serde_json::{Value, json};

use crate::archive::manifest::OpenManifest;
use crate::base::id::BackupId;
use crate::base::map::MapName;
use crate::cli::args::{Global, Part};
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes};
use crate::cli::world::{Outside, Teller};
use crate::ops::choose::pattern;
use crate::ops::choose::{Chosen, ChosenTable, NoRows, Wanted, choose, shown};
use crate::ops::scenes::Scenes;
use crate::pipeline::contents::Contents;
use crate::pipeline::port::Observer;
use crate::pipeline::unpack::{Cost, Restore};

/// How many tables without rows are told one by one.
const WARNINGS_MAX: usize = 20;

/// What of the dump is meant; `None` when it is all of it. What the map cannot know is warned of.
///
/// # Errors
/// Something that is asked for is not there.
pub fn chosen(part: &Part, outside: &Outside, open: &OpenManifest) -> Result<Option<Chosen>, CliError> {
    if part.database.is_empty() && part.table.is_empty() && !part.globals {
        return Ok(None);
    }
    let wanted = wanted(part)?;
    let teller = &outside.teller;
    let contents = Contents::open(&outside.store, open)?.stopped_by(&*outside.control);
    let mut reader = contents.reader();
    let scenes = Scenes::read(&mut reader)?;
    // Before anything is missed that may stand behind it.
    warn_of_end(teller, open, scenes.end, scenes.plain);
    let chosen = choose(&scenes, &mut reader, &wanted)?;
    if chosen.partial {
        teller.warn("some statements of the dump have no names in its map: there may be more of what was asked for");
    }
    warn(teller, &chosen.without);
    warn_of_surroundings(teller, &chosen);
    Ok(Some(chosen))
}

/// Warns when a map ends before its dump of `plain` bytes does.
pub fn warn_of_end(teller: &Teller, open: &OpenManifest, mapped: u64, plain: u64) {
    if mapped < plain {
        teller.warn(&format!(
            "the map of the dump ends after {mapped} of {plain} bytes: what stands behind that, such as rows that were cut short, is not \
             in it; to have it, unpack all of {}",
            open.manifest.id
        ));
    }
}

/// Says what a script cannot know of the database that it goes into, or had to leave out.
fn warn_of_surroundings(teller: &Teller, chosen: &Chosen) {
    if let Some(table) = chosen.unmade.first() {
        let table = shown(table);
        let tables = match chosen.unmade.len() {
            1 => table,
            several => format!("{table} and {} more", several - 1),
        };
        teller.warn(&format!("of {tables} rows alone come back: the dump has nothing that makes the table"));
    }
    if chosen.elsewhere {
        teller.warn(
            "what would reach into the original is left out: subscriptions, and triggers that name their database",
        );
    }
    if chosen.defaults {
        teller.warn(
            "the dump has ALTER DEFAULT PRIVILEGES: what is made anew may be given rights that it did not have; look at what is granted on it",
        );
    }
    if chosen.triggers {
        Observer::note(
            teller,
            "the dump has triggers on these tables: where they are still there, the rows go through them",
        );
    }
}

/// Says which tables come without their rows, or not at all.
fn warn(teller: &Teller, without: &[(MapName, NoRows)]) {
    for (table, reason) in without.iter().take(WARNINGS_MAX) {
        let table = shown(table);
        teller.warn(&match reason {
            NoRows::Hypertable { .. } => {
                format!("{table} is left out: its rows are in chunks of TimescaleDB, which come back with all of the database")
            }
            NoRows::InRoot { root } => {
                format!("{table} comes back without rows: they are among those of {root}, which `--table` would bring")
            }
            NoRows::Unspelled => format!(
                "{table} comes back without rows: {}; `*` and `?` match what is not UTF-8 in a name",
                reason.text()
            ),
            _ => format!(
                "{table} comes back without rows: the dump has none of its own, it was empty, or they were left out"
            ),
        });
    }
    let more = without.len().saturating_sub(WARNINGS_MAX);
    if more > 0 {
        teller.warn(&format!("so it is with {more} more tables; `vault show --contents` lists what has rows"));
    }
}

fn wanted(part: &Part) -> Result<Wanted, CliError> {
    let databases = part.database.iter().map(|text| {
        let pattern = pattern::database(text).ok_or_else(|| CliError::DatabasePattern(text.clone()))?;
        Ok((text.clone(), pattern))
    });
    let tables = part.table.iter().map(|text| {
        let pattern = pattern::table(text).ok_or_else(|| CliError::Pattern(text.clone()))?;
        Ok((text.clone(), pattern))
    });
    Ok(Wanted {
        databases: databases.collect::<Result<_, CliError>>()?,
        tables: tables.collect::<Result<_, CliError>>()?,
        globals: part.globals,
        schema: part.with_schema,
        only: part.only,
        stay: part.no_connect,
    })
}

/// Says what would be written and read.
///
/// # Errors
/// Standard output cannot be written.
pub fn dry_run(global: &Global, id: &BackupId, restore: &Restore<'_>, chosen: Option<&Chosen>) -> Result<(), CliError> {
    let whole = 0..restore.plain_bytes();
    let ranges = chosen.map_or(std::slice::from_ref(&whole), |chosen| &chosen.ranges);
    let cost = restore.cost(ranges);
    let tables = chosen.map_or(&[][..], |chosen| &chosen.tables);
    if global.json {
        report::json(&json_of(id, ranges.len(), cost, tables))?;
        return Ok(());
    }
    let mut lines = vec![
        format!(
            "{id} would give {} in {} of the dump",
            bytes(cost.bytes),
            report::counted(ranges.len() as u64, "range")
        ),
        format!("to check them, {} of the dump are read, {} of the store", bytes(cost.checked), bytes(cost.fetched)),
    ];
    for ChosenTable { database, table, rows, bytes: size } in tables {
        let database = String::from_utf8_lossy(database);
        let place = if database.is_empty() { shown(table) } else { format!("{database}: {}", shown(table)) };
        lines.push(format!("  {place}, {}, {}", report::counted(*rows, "row"), bytes(*size)));
    }
    report::lines(&lines)?;
    Ok(())
}

fn json_of(id: &BackupId, ranges: usize, cost: Cost, tables: &[ChosenTable]) -> Value {
    let tables = tables.iter().map(|ChosenTable { database, table, rows, bytes }| {
        json!({
            "database": String::from_utf8_lossy(database),
            "schema": String::from_utf8_lossy(&table.schema),
            "table": String::from_utf8_lossy(&table.name),
            "rows": rows,
            "bytes": bytes,
        })
    });
    json!({
        "version": 1,
        "message_type": "dry_run",
        "id": id.to_string(),
        "bytes": cost.bytes,
        "ranges": ranges,
        "checked_bytes": cost.checked,
        "fetched_bytes": cost.fetched,
        "tables": tables.collect::<Vec<_>>(),
    })
}
