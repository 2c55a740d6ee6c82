//! The manifest: plain JSON that ends in a MAC (spec/manifest.md).

mod parse;

use crate::base::bytes::to_hex;
use crate::base::id::BackupId;
use crate::base::limits::*;
use crate::base::time::rfc3339;
use crate::format::header::Role;
use crate::format::json::{self, Json, quoted, to_base64};
use crate::format::slot::Slot;
use crate::format::{FormatError, check_limit, damaged};

use parse::{Ending, parse_text, split_mac};

/// The kinds of dump that a manifest names.
pub const KINDS: [&str; 7] = ["pg_dumpall", "pg_dump", "pg_dump-custom", "tar", "mysqldump", "mongodump", "raw"];

const MAC_BEGIN: &[u8] = b",\n  \"mac\": \"";
const MAC_END: &[u8] = b"\"\n}\n";
const DRAFT_END: &[u8] = b"\n}\n";
/// Bytes of the suffix that holds the MAC.
pub const SUFFIX_BYTES: usize = MAC_BEGIN.len() + 64 + MAC_END.len();

/// Whether the end of the dump was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its own end marker was there.
    Complete,
    /// Nothing to look for is known for its kind.
    Unchecked,
    /// It is cut short, and was kept on request.
    Incomplete,
    /// It is less than half of the last good one.
    Shrunk,
    /// It was that, and the holder of the key said that it is right.
    Accepted,
}

impl Verdict {
    const ALL: [Verdict; 5] =
        [Verdict::Complete, Verdict::Unchecked, Verdict::Incomplete, Verdict::Shrunk, Verdict::Accepted];

    /// The word in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Complete => "complete",
            Verdict::Unchecked => "unchecked",
            Verdict::Incomplete => "incomplete",
            Verdict::Shrunk => "shrunk",
            Verdict::Accepted => "accepted",
        }
    }

    /// Whether the backup counts: for `latest`, and as what the next dump is compared with.
    pub const fn is_good(self) -> bool {
        matches!(self, Verdict::Complete | Verdict::Unchecked | Verdict::Accepted)
    }

    /// The verdict when the backup was packed.
    pub const fn as_packed(self) -> Verdict {
        match self {
            Verdict::Accepted => Verdict::Shrunk,
            other => other,
        }
    }
}

/// The backup that was the newest when this one began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prev {
    /// Its id.
    pub id: BackupId,
    /// Its number in the chain.
    pub seq: u64,
    /// SHA-256 of its first index part.
    pub sha256: [u8; 32],
}

/// What a manifest records of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Place among the parts of its backup; gives the name.
    pub index: u32,
    /// What it holds.
    pub role: Role,
    /// Bytes of the object.
    pub bytes: u64,
    /// SHA-256 of the object, for scrubbing without a key.
    pub sha256: [u8; 32],
    /// What its header shows of its key.
    pub commitment: [u8; 32],
}

/// An earlier backup whose parts this one uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its id.
    pub id: BackupId,
    /// Its sealed archive key.
    pub sealed_key: [u8; 80],
    /// The data parts that the recipe uses, and its catalogue parts.
    pub parts: Vec<Part>,
}

/// Everything that a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Guid and timestamp.
    pub id: BackupId,
    /// Epoch of the vault key.
    pub epoch: u32,
    /// Fingerprint of the vault key.
    pub fingerprint: [u8; 16],
    /// Writer and version.
    pub tool: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// Whether the end of the dump was seen.
    pub verdict: Verdict,
    /// Plain bytes, rounded up.
    pub size: u64,
    /// Bytes of the own parts; 0 in a draft.
    pub stored: u64,
    /// Clear text of the user's.
    pub tags: Vec<(String, String)>,
    /// Number in the chain, from 1.
    pub seq: u64,
    /// The backup before.
    pub prev: Option<Prev>,
    /// Whether it was rebuilt from parts.
    pub rebuilt: bool,
    /// The sealed archive key.
    pub sealed_key: [u8; 80],
    /// Generation of the slots; 0 in a draft.
    pub generation: u64,
    /// Ways to the vault key.
    pub slots: Vec<Slot>,
    /// Own parts, by index.
    pub parts: Vec<Part>,
    /// Earlier backups that this one uses, by id.
    pub bases: Vec<Base>,
}

/// A manifest whose MAC nobody has verified yet.
pub struct Unverified<'a> {
    /// What it says.
    pub manifest: Manifest,
    /// The bytes under the MAC.
    pub body: &'a [u8],
    /// The MAC.
    pub mac: [u8; 32],
}

impl Manifest {
    /// The data parts that records name by ordinal: own ones, then those of each base. With the backup that each is of.
    pub fn part_table(&self) -> impl Iterator<Item = (BackupId, &Part)> {
        let own = self.parts.iter().map(|part| (self.id, part));
        let foreign = self.bases.iter().flat_map(|base| base.parts.iter().map(|part| (base.id, part)));
        own.chain(foreign).filter(|(_, part)| part.role == Role::Data)
    }

    /// What this manifest says of a base, as a manifest: where its catalogue is, and under which keys.
    pub fn of_base(&self, base: &Base) -> Manifest {
        let Base { id, sealed_key, parts } = base.clone();
        Manifest { id, sealed_key, parts, bases: Vec::new(), ..self.clone() }
    }

    /// Every object that the manifest names, itself excepted.
    pub fn objects(&self) -> impl Iterator<Item = (BackupId, &Part)> {
        let own = self.parts.iter().map(|part| (self.id, part));
        own.chain(self.bases.iter().flat_map(|base| base.parts.iter().map(|part| (base.id, part))))
    }

    /// The text up to the MAC's suffix: what the MAC is over.
    pub fn encode(&self) -> String {
        let prev = self.prev.as_ref().map_or("null".into(), |prev| {
            format!(r#"{{"id": "{}", "seq": {}, "sha256": "{}"}}"#, prev.id, prev.seq, to_hex(&prev.sha256))
        });
        let tags = self.tags.iter().map(|(key, value)| format!("{}: {}", quoted(key), quoted(value)));
        let members = [
            ("format", quoted("vault")),
            ("version", "1".into()),
            ("features", "[]".into()),
            ("id", format!("\"{}\"", self.id)),
            ("guid", format!("\"{}\"", self.id.guid)),
            ("timestamp", self.id.timestamp.to_string()),
            ("epoch", self.epoch.to_string()),
            ("fingerprint", format!("\"{}\"", to_hex(&self.fingerprint))),
            ("time", format!("\"{}\"", rfc3339(self.id.timestamp))),
            ("tool", quoted(&self.tool)),
            ("kind", quoted(&self.kind)),
            ("verdict", quoted(self.verdict.name())),
            ("size", self.size.to_string()),
            ("stored", self.stored.to_string()),
            ("tags", list('{', tags, '}', 2)),
            ("seq", self.seq.to_string()),
            ("prev", prev),
            ("rebuilt", self.rebuilt.to_string()),
            ("sealed_key", format!("\"{}\"", to_base64(&self.sealed_key))),
            ("generation", self.generation.to_string()),
            ("slots", list('[', self.slots.iter().map(Slot::encode), ']', 2)),
            ("parts", list('[', self.parts.iter().map(|part| encode_part(&self.id, part)), ']', 2)),
            ("bases", list('[', self.bases.iter().map(encode_base), ']', 2)),
        ];
        let members: Vec<String> = members.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
        format!("{{\n{}", members.join(",\n"))
    }

    /// The text of the file.
    pub fn with_mac(body: &str, mac: &[u8; 32]) -> Vec<u8> {
        [body.as_bytes(), MAC_BEGIN, to_hex(mac).as_bytes(), MAC_END].concat()
    }

    /// The text of a draft: what index and catalogue carry.
    pub fn encode_draft(&self) -> String {
        let draft = Manifest { generation: 0, slots: Vec::new(), stored: 0, rebuilt: false, ..self.clone() };
        draft.encode() + "\n}\n"
    }

    /// Parses a file; `id` is that of the object's name.
    ///
    /// # Errors
    /// See spec/manifest.md, "What a reader refuses".
    pub fn parse<'a>(id: &BackupId, text: &'a [u8]) -> Result<Unverified<'a>, FormatError> {
        check_limit("bytes of the manifest", text.len(), MANIFEST_BYTES_MAX)?;
        // Version and features are judged first: a later version may end otherwise.
        let manifest = parse_text(text, Ending::Mac)?;
        let (body, mac) = split_mac(text)?;
        if manifest.id != *id {
            return Err(damaged(format!("the manifest is that of {}", manifest.id)));
        }
        Ok(Unverified { manifest, body, mac })
    }

    /// The bytes under the MAC at the end of a text, and the MAC.
    ///
    /// # Errors
    /// The text does not end in one.
    pub fn split_mac(text: &[u8]) -> Result<(&[u8], [u8; 32]), FormatError> {
        split_mac(text)
    }

    /// Parses a draft.
    ///
    /// # Errors
    /// As for a file.
    pub fn parse_draft(text: &[u8]) -> Result<Manifest, FormatError> {
        let draft = parse_text(text, Ending::Draft)?;
        if !text.ends_with(DRAFT_END) {
            return Err(damaged("a draft does not end as it should"));
        }
        let as_packed = draft.verdict == draft.verdict.as_packed();
        let as_drafted =
            draft.generation == 0 && draft.slots.is_empty() && draft.stored == 0 && !draft.rebuilt && as_packed;
        if as_drafted { Ok(draft) } else { Err(damaged("a draft says what only a manifest can")) }
    }
}

/// Whether an object of a manifest's name is vault's: its `format` says so, or it is a damaged one that begins as ours do.
pub fn is_ours(text: &[u8]) -> bool {
    let head = &text[..text.len().min(64)];
    match json::parse(text) {
        Ok(Json::Object(members)) => {
            members.iter().any(|(name, value)| name == "format" && *value == Json::String("vault".into()))
        }
        Ok(_) => false,
        Err(_) => head.windows(17).any(|window| window == b"\"format\": \"vault\""),
    }
}

fn encode_part(id: &BackupId, part: &Part) -> String {
    format!(
        r#"{{"name": "{}", "role": "{}", "bytes": {}, "sha256": "{}", "commitment": "{}"}}"#,
        id.part_name(part.index),
        part.role.name(),
        part.bytes,
        to_hex(&part.sha256),
        to_hex(&part.commitment)
    )
}

fn encode_base(base: &Base) -> String {
    let parts = list('[', base.parts.iter().map(|part| encode_part(&base.id, part)), ']', 4);
    format!(r#"{{"id": "{}", "sealed_key": "{}", "parts": {parts}}}"#, base.id, to_base64(&base.sealed_key))
}

/// One element a line, indented below `indent`.
fn list(open: char, elements: impl Iterator<Item = String>, close: char, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let lines: Vec<String> = elements.map(|element| format!("\n{pad}  {element}")).collect();
    if lines.is_empty() { format!("{open}{close}") } else { format!("{open}{}\n{pad}{close}", lines.join(",")) }
}
