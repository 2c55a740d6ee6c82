//! `vault show`: one backup, as its manifest tells of it.

use serde_json::{Value, json};

use crate::base::bytes::to_hex;
use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::base::time::rfc3339;
use crate::cli::args::{Global, Show};
use crate::cli::contents::texts;
use crate::cli::latest::{LATEST, doubt, latest, tell};
use crate::cli::list::{manifest_json, tags};
use crate::cli::message::CliError;
use crate::cli::report::{self, bytes};
use crate::cli::secrets::Ask;
use crate::cli::unlock::{Unlocked, Wanted, for_reading};
use crate::cli::world::{Teller, open_store};
use crate::format::header::Role;
use crate::format::manifest::{Manifest, Verdict};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::ring::Keyring;
use crate::ops::contents::Versions;
use crate::ops::list::{Newest, Standing, newest_unverified, resolve, standing};
use crate::pipeline::contents::Contents;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Observer, Store};
use crate::pipeline::survey::{open_manifest, read_manifest};

/// An object to be downloaded.
struct Object {
    name: String,
    bytes: u64,
    role: &'static str,
    needed: bool,
}

/// Shows.
///
/// # Errors
/// There is no such backup, or its manifest cannot be read.
pub fn run(global: &Global, command: &Show) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let teller = Teller::plain(global);
    let (id, unlocked) = choose(global, &store, &command.backup, &teller)?;
    let ring = unlocked.as_ref().map(|unlocked| &unlocked.ring);
    let standing = standing(&store, &id, ring)?;
    let word = standing.name();
    let versions = match (&standing, ring) {
        (Standing::Verified(_), Some(ring)) => versions(&store, &id, ring, &teller),
        _ => Versions::default(),
    };
    let manifest = match standing {
        Standing::Verified(manifest) | Standing::Unverified(manifest) => *manifest,
        Standing::Broken(error) => return Err(error.into()),
        Standing::Legacy => return Err(RunError::Legacy { id: id.to_string() }.into()),
    };
    let own = read_manifest(&store, &id)?.len() as u64;
    let objects = if command.objects { objects(&manifest, own) } else { Vec::new() };
    if global.json {
        report::json(&show_json(&manifest, word, &versions, &objects))?;
    } else if command.objects {
        let heading = ["OBJECT", " BYTES", "ROLE", "NEEDED FOR RESTORE"];
        let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
        report::lines(&[format!("{id}, manifest {word}")])?;
        report::table(&heading, &rows)?;
    } else {
        report::lines(&lines(&manifest, word, &versions))?;
    }
    Ok(teller.class())
}

/// The versions that the dump names. A backup whose index is not there has a manifest to show all the same.
fn versions(store: &dyn Store, id: &BackupId, ring: &Keyring, teller: &Teller) -> Versions {
    let open = open_manifest(store, id, ring);
    let versions = open.and_then(|open| Versions::read(&mut Contents::open(store, &open)?.reader()));
    versions.unwrap_or_else(|error| {
        teller.warn(&format!("the versions that the dump names cannot be read: {error}"));
        Versions::default()
    })
}

/// The backup that is meant and the key to it, if there is one. Nobody is asked.
pub(super) fn choose(
    global: &Global,
    store: &dyn Store,
    text: &str,
    teller: &Teller,
) -> Result<(BackupId, Option<Unlocked>), CliError> {
    if text != LATEST {
        let id = resolve(store, text)?;
        return Ok((id, for_reading(global, store, Ask::Never, Wanted::Backup(id), teller)?));
    }
    let unlocked = for_reading(global, store, Ask::Never, Wanted::Any, teller)?;
    match &unlocked {
        Some(found) if global.guid.is_none_or(|guid| guid == found.ring.guid()) => {
            Ok((latest(store, &found.ring, teller)?.manifest.id, unlocked))
        }
        _ => match newest_unverified(store, global.guid, None)? {
            Newest::Found(id, passed_over) => {
                tell(teller, &passed_over);
                Ok((id, unlocked))
            }
            Newest::Several(guids) => Err(CliError::WhichGuid(guids)),
        },
    }
}

/// Everything that a downloader fetches: the manifest, own parts, parts of earlier backups.
fn objects(manifest: &Manifest, manifest_bytes: u64) -> Vec<Object> {
    let own = Object { name: manifest.id.manifest_name(), bytes: manifest_bytes, role: "manifest", needed: true };
    let parts = manifest.objects().map(|(id, part)| Object {
        name: id.part_name(part.index),
        bytes: part.bytes,
        role: part.role.name(),
        needed: part.role != Role::Catalogue,
    });
    std::iter::once(own).chain(parts).collect()
}

fn row(object: &Object) -> Vec<String> {
    let needed = if object.needed { "yes" } else { "no" };
    vec![object.name.clone(), object.bytes.to_string(), object.role.into(), needed.into()]
}

fn lines(manifest: &Manifest, word: &str, versions: &Versions) -> Vec<String> {
    let prev = manifest.prev.as_ref().map_or("none".into(), |prev| prev.id.to_string());
    let bases = match manifest.bases.len() {
        0 => "none".to_owned(),
        _ => {
            let ids: Vec<String> = manifest.bases.iter().map(|base| base.id.to_string()).collect();
            ids.join(" ")
        }
    };
    let fields = [
        ("id", manifest.id.to_string()),
        ("manifest", word.to_owned()),
        ("time", rfc3339(manifest.id.timestamp)),
        ("kind", manifest.kind.clone()),
        ("verdict", verdict(manifest.verdict)),
        ("size", format!("{}, rounded up", bytes(manifest.size))),
        ("stored", format!("{} in {} own parts", bytes(manifest.stored), manifest.parts.len())),
        ("uses", bases),
        ("seq", manifest.seq.to_string()),
        ("previous", prev),
        ("epoch", manifest.epoch.to_string()),
        ("fingerprint", to_hex(&manifest.fingerprint)),
        ("slots", slots(&manifest.slots)),
        ("rebuilt", if manifest.rebuilt { "yes" } else { "no" }.to_owned()),
        ("tool", manifest.tool.clone()),
        ("tags", tags(manifest)),
    ];
    let server = texts(&versions.server).into_iter().map(|version| ("server", version));
    let tool = texts(&versions.tool).into_iter().map(|version| ("dump tool", version));
    let fields = fields
        .into_iter()
        .chain(server)
        .chain(tool)
        .map(|(name, value)| format!("{name:<11} {value}").trim_end().to_owned());
    fields.collect()
}

/// The word, and what it means where that is bad news.
fn verdict(verdict: Verdict) -> String {
    let word = verdict.name();
    doubt(verdict).map_or_else(|| word.into(), |doubt| format!("{word}: {doubt}"))
}

/// `passphrase 1a2b3c4d, age 5e6f7081`.
fn slots(slots: &[Slot]) -> String {
    let slots: Vec<String> = slots
        .iter()
        .map(|slot| match slot.kind {
            SlotKind::Passphrase { .. } => format!("passphrase {}", to_hex(&slot.id)),
            SlotKind::Age { .. } => format!("age {}", to_hex(&slot.id)),
        })
        .collect();
    if slots.is_empty() { "none".into() } else { slots.join(", ") }
}

fn show_json(manifest: &Manifest, word: &str, versions: &Versions, objects: &[Object]) -> Value {
    let mut value = json!({
        "version": 1,
        "message_type": "show",
        "id": manifest.id.to_string(),
        "time": rfc3339(manifest.id.timestamp),
        "manifest": word,
        "fingerprint": to_hex(&manifest.fingerprint),
        "tool": manifest.tool,
        "prev": manifest.prev.as_ref().map(|prev| prev.id.to_string()),
        "bases": manifest.bases.iter().map(|base| base.id.to_string()).collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, manifest_json(manifest)) {
        value.extend(more);
    }
    for (name, versions) in [("server_versions", &versions.server), ("tool_versions", &versions.tool)] {
        if !versions.is_empty() {
            value[name] = json!(texts(versions));
        }
    }
    if !objects.is_empty() {
        let objects = objects.iter().map(|object| {
            json!({ "name": object.name, "bytes": object.bytes, "role": object.role, "needed": object.needed })
        });
        value["objects"] = objects.collect();
    }
    value
}
