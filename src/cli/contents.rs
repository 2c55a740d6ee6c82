//! `vault show --contents`: what is inside a dump.

use serde_json::{Value, json};

use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::cli::args::{Global, Show};
use crate::cli::message::CliError;
use crate::cli::part::warn_of_end;
use crate::cli::report::{self, bytes};
use crate::cli::unpack::{self, warn_of_verdict};
use crate::cli::world::{Teller, open_store};
use crate::ops::contents::{Database, Relation, Schema, Tree, tree};
use crate::pipeline::contents::Contents;

/// Shows.
///
/// # Errors
/// There is no such backup, no key for it, or no map in it.
pub fn run(global: &Global, command: &Show) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let (_, open) = unpack::choose(global, &store, &command.backup)?;
    let tree = tree(&Contents::open(&store, &open)?)?;
    let teller = Teller::plain(global);
    match global.json {
        true => report::json(&tree_json(&open.manifest.id, &tree))?,
        false => report::lines(&lines(&open.manifest.id, &tree))?,
    };
    warn_of_verdict(&teller, &open.manifest);
    warn_of_end(&teller, &open, tree.mapped, tree.plain);
    Ok(teller.class())
}

fn lines(id: &BackupId, tree: &Tree) -> Vec<String> {
    let mut lines = vec![id.to_string()];
    for (whose, versions) in [("server", &tree.versions.server), ("dump tool", &tree.versions.tool)] {
        lines.extend(versions.iter().map(|version| line(1, whose, &text(version), "")));
    }
    lines.extend(tree.globals.map(|size| line(1, "globals", "", &bytes(size))));
    for Database { name, bytes: size, schemas } in &tree.databases {
        let name = if name.is_empty() { "the database".into() } else { text(name) };
        lines.push(line(1, &name, "", &bytes(*size)));
        for (name, Schema { bytes: size, relations, others }) in schemas {
            // MySQL has none, and all of its tables are in that.
            let flat = name.is_empty() && !relations.is_empty();
            let depth = if flat { 2 } else { 3 };
            if !flat {
                let name = if name.is_empty() { "(no schema)".into() } else { text(name) };
                lines.push(line(2, &name, "", &bytes(*size)));
            }
            for (name, relation) in relations {
                lines.push(line(depth, &text(name), &rows(relation), &bytes(relation.bytes)));
            }
            if *others > 0 {
                lines.push(line(depth, &format!("({others} other objects)"), "", ""));
            }
        }
    }
    if tree.unnamed > 0 {
        lines.push(format!("{} statements of the dump have no names in its map", tree.unnamed));
    }
    lines
}

/// Columns as wide as most names are; a longer one moves what follows.
fn line(depth: usize, name: &str, middle: &str, size: &str) -> String {
    let width = 48 - 2 * depth;
    format!("{:indent$}{name:<width$} {middle:<34} {size:>10}", "", indent = 2 * depth).trim_end().to_owned()
}

fn rows(relation: &Relation) -> String {
    let class = String::from_utf8_lossy(&relation.class).to_lowercase();
    match relation.data {
        Some(_) => format!("{class:<18} {}", report::counted(relation.rows, "row")).trim_start().to_owned(),
        None => class,
    }
}

pub(super) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

pub(super) fn texts(names: &[Vec<u8>]) -> Vec<String> {
    names.iter().map(|name| text(name)).collect()
}

fn tree_json(id: &BackupId, tree: &Tree) -> Value {
    let relation = |(name, relation): (&Vec<u8>, &Relation)| {
        json!({
            "name": text(name),
            "kind": text(&relation.class).to_lowercase(),
            "bytes": relation.bytes,
            "data_bytes": relation.data,
            "rows": relation.data.map(|_| relation.rows),
        })
    };
    let schema = |(name, schema): (&Vec<u8>, &Schema)| {
        json!({
            "name": text(name),
            "bytes": schema.bytes,
            "other_objects": schema.others,
            "relations": schema.relations.iter().map(relation).collect::<Vec<_>>(),
        })
    };
    let database = |database: &Database| {
        json!({
            "name": text(&database.name),
            "bytes": database.bytes,
            "schemas": database.schemas.iter().map(schema).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": 1,
        "message_type": "contents",
        "id": id.to_string(),
        "server_versions": texts(&tree.versions.server),
        "tool_versions": texts(&tree.versions.tool),
        "mapped_bytes": tree.mapped,
        "unnamed_statements": tree.unnamed,
        "globals_bytes": tree.globals,
        "databases": tree.databases.iter().map(database).collect::<Vec<_>>(),
    })
}
