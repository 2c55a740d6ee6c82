//! Check records: when each way to a vault key was last seen to work (spec/check.md).

use std::collections::BTreeMap;

use crate::base::bytes::{from_hex, to_hex};
use crate::base::id::{BackupId, Guid};
use crate::base::limits::{CHECK_RECORD_BYTES_MAX, EPOCH_MAX, SLOTS_MAX};
use crate::format::json::{self, Json, Members, quoted};
use crate::format::manifest::Manifest;
use crate::format::{FormatError, check_limit, damaged};

/// A way to the vault key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// A key file.
    KeyFile,
    /// The slot of that id.
    Slot([u8; 4]),
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Way::KeyFile => f.write_str("key-file"),
            Way::Slot(id) => f.write_str(&to_hex(id)),
        }
    }
}

impl std::str::FromStr for Way {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Way, FormatError> {
        match (text, from_hex(text)) {
            ("key-file", _) => Ok(Way::KeyFile),
            (_, Some(id)) => Ok(Way::Slot(id)),
            _ => Err(damaged("a check record names no way to a key")),
        }
    }
}

/// What a check record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRecord {
    /// The database.
    pub guid: Guid,
    /// When it was written, Unix milliseconds; gives the name.
    pub timestamp: u64,
    /// Epoch of the vault key.
    pub epoch: u32,
    /// Fingerprint of the vault key.
    pub fingerprint: [u8; 16],
    /// When each way last opened the newest backup, Unix milliseconds.
    pub opened: BTreeMap<Way, u64>,
}

/// A record whose MAC nobody has verified yet.
pub struct Unverified<'a> {
    /// What it says.
    pub record: CheckRecord,
    /// The bytes under the MAC.
    pub body: &'a [u8],
    /// The MAC.
    pub mac: [u8; 32],
}

impl CheckRecord {
    /// The text up to the MAC's suffix: what the MAC is over.
    pub fn encode(&self) -> String {
        let ways = self.opened.iter().map(|(way, time)| format!("\n    {{\"way\": \"{way}\", \"time\": {time}}}"));
        let ways: Vec<String> = ways.collect();
        let members = [
            ("format", quoted("vault-check")),
            ("version", "1".into()),
            ("guid", format!("\"{}\"", self.guid)),
            ("timestamp", self.timestamp.to_string()),
            ("epoch", self.epoch.to_string()),
            ("fingerprint", format!("\"{}\"", to_hex(&self.fingerprint))),
            ("opened", format!("[{}\n  ]", ways.join(","))),
        ];
        let members: Vec<String> = members.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
        format!("{{\n{}", members.join(",\n"))
    }

    /// Parses a record; guid and timestamp are those of the object's name.
    ///
    /// # Errors
    /// `Limit`, `Unsupported` for another version, `Damaged` for anything but the one spelling.
    pub fn parse(guid: Guid, timestamp: u64, text: &[u8]) -> Result<Unverified<'_>, FormatError> {
        check_limit("bytes of a check record", text.len(), CHECK_RECORD_BYTES_MAX)?;
        let mut members = Members::of("a check record", json::parse(text)?)?;
        if members.string("format")? != "vault-check" {
            return Err(damaged("it is no check record"));
        }
        if members.number("version")? != 1 {
            return Err(FormatError::Unsupported("a check record of another version".into()));
        }
        let named = members.string("guid")? == guid.to_string() && members.number("timestamp")? == timestamp;
        if !named {
            return Err(damaged("the check record is that of another name"));
        }
        let epoch = u32::try_from(members.number("epoch")?).ok().filter(|epoch| (1..=EPOCH_MAX).contains(epoch));
        let epoch = epoch.ok_or_else(|| damaged("a check record has no legal epoch"))?;
        let fingerprint = members.hex("fingerprint")?;
        let opened = parse_opened(members.array("opened")?)?;
        members.string("mac")?;
        members.finish()?;
        let record = CheckRecord { guid, timestamp, epoch, fingerprint, opened };
        let latest = record.opened.values().max().copied().unwrap_or(u64::MAX);
        let (body, mac) = Manifest::split_mac(text)?;
        if latest > timestamp || !BackupId::TIMESTAMPS.contains(&timestamp) || body != record.encode().as_bytes() {
            return Err(damaged("a check record is not of its one spelling"));
        }
        Ok(Unverified { record, body, mac })
    }
}

fn parse_opened(values: Vec<Json>) -> Result<BTreeMap<Way, u64>, FormatError> {
    check_limit("entries of a check record", values.len(), SLOTS_MAX + 1)?;
    let entries = values.into_iter().map(|value| {
        let mut members = Members::of("an entry of a check record", value)?;
        let entry = (members.string("way")?.parse()?, members.number("time")?);
        members.finish().map(|()| entry)
    });
    entries.collect()
}
