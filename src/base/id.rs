//! Names in the store: guids, backup ids, object names (spec/objects.md).

use std::fmt;
use std::str::FromStr;

use crate::base::limits::PARTS_MAX;

/// Text that is not a name of the grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {expected}")]
pub struct NameError {
    /// What was given.
    pub text: String,
    /// What it should have been.
    pub expected: &'static str,
}

/// Names one database for its life: 16 bytes, printed as RFC 9562 does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Guid, NameError> {
        let refused = || NameError { text: text.into(), expected: "guid" };
        let guid = Guid(*uuid::Uuid::try_parse(text).map_err(|_| refused())?.as_bytes());
        // The uuid crate takes upper case, braces and urn: forms too; there is one spelling of a name.
        if guid.to_string() == text { Ok(guid) } else { Err(refused()) }
    }
}

/// A backup id: a guid and Unix time in milliseconds, 13 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId {
    /// The database.
    pub guid: Guid,
    /// When its backup began, Unix milliseconds.
    pub timestamp: u64,
}

impl BackupId {
    /// The timestamps that have 13 digits.
    pub const TIMESTAMPS: std::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;

    /// The id of the backup of `guid` at `timestamp`.
    ///
    /// # Errors
    /// The timestamp does not have 13 digits.
    pub fn new(guid: Guid, timestamp: u64) -> Result<BackupId, NameError> {
        if BackupId::TIMESTAMPS.contains(&timestamp) {
            Ok(BackupId { guid, timestamp })
        } else {
            Err(NameError { text: timestamp.to_string(), expected: "timestamp of 13 digits" })
        }
    }

    /// The name of the manifest.
    pub fn manifest_name(&self) -> String {
        format!("{self}.json")
    }

    /// The name of the part with that index.
    pub fn part_name(&self, index: u32) -> String {
        format!("{self}-{index}")
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.guid, self.timestamp)
    }
}

impl fmt::Debug for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BackupId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<BackupId, NameError> {
        let refused = || NameError { text: text.into(), expected: "backup id" };
        let (guid, timestamp) = split_guid(text).ok_or_else(refused)?;
        let timestamp = number(timestamp).ok_or_else(refused)?;
        BackupId::new(guid, timestamp).map_err(|_| refused())
    }
}

/// Names a chunk: keyed BLAKE3 cut to 16 bytes (spec/chunking.md). Seen in catalogues and the cache only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub [u8; 16]);

/// What an object is by its name alone; its content decides whether it is vault's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectName {
    /// `<guid>-<timestamp>.json`
    Manifest(BackupId),
    /// `<guid>-<timestamp>-<index>`
    Part(BackupId, u32),
    /// `<guid>-prune-<timestamp>.json`
    PruneMark(Guid, u64),
    /// `<guid>-check-<timestamp>.json`
    CheckRecord(Guid, u64),
    /// A name with a ten-digit timestamp: an archive of an older service.
    Legacy(Guid, u64),
}

impl ObjectName {
    /// Parses a name; `None` for a name outside the grammar, which is nobody's business.
    pub fn parse(name: &str) -> Option<ObjectName> {
        let (guid, rest) = split_guid(name)?;
        for (word, name) in
            [("prune-", ObjectName::PruneMark as fn(Guid, u64) -> _), ("check-", ObjectName::CheckRecord)]
        {
            if let Some(time) = rest.strip_prefix(word) {
                let time = number(time.strip_suffix(".json")?)?;
                return BackupId::TIMESTAMPS.contains(&time).then_some(name(guid, time));
            }
        }
        let (timestamp, index) = match rest.strip_suffix(".json") {
            Some(timestamp) => (timestamp, None),
            None => match rest.split_once('-') {
                Some((timestamp, index)) => (timestamp, Some(index)),
                None => (rest, None),
            },
        };
        let seconds = number(timestamp)?;
        if timestamp.len() == 10 {
            return Some(ObjectName::Legacy(guid, seconds));
        }
        let id = BackupId::new(guid, seconds).ok()?;
        match index {
            Some(index) => {
                let index = u32::try_from(number(index)?).ok()?;
                (usize::try_from(index).ok()? < PARTS_MAX).then_some(ObjectName::Part(id, index))
            }
            None if rest.ends_with(".json") => Some(ObjectName::Manifest(id)),
            None => None,
        }
    }
}

/// The name of the check record of that time.
pub fn check_record_name(guid: &Guid, timestamp: u64) -> String {
    format!("{guid}-check-{timestamp}.json")
}

/// Splits `<guid>-<rest>`.
fn split_guid(text: &str) -> Option<(Guid, &str)> {
    let (guid, rest) = text.split_at_checked(36)?;
    Some((guid.parse().ok()?, rest.strip_prefix('-')?))
}

/// A decimal number in its only spelling: digits, no leading zero.
fn number(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd";

    #[test]
    fn names_have_one_spelling() {
        let id: BackupId = format!("{GUID}-1718020800123").parse().expect("an id");
        assert_eq!(id.to_string(), format!("{GUID}-1718020800123"));
        assert_eq!(ObjectName::parse(&id.manifest_name()), Some(ObjectName::Manifest(id)));
        assert_eq!(ObjectName::parse(&id.part_name(16_383)), Some(ObjectName::Part(id, 16_383)));
        assert_eq!(
            ObjectName::parse(&format!("{GUID}-1718020800-3")),
            Some(ObjectName::Legacy(id.guid, 1_718_020_800))
        );
        assert_eq!(
            ObjectName::parse(&format!("{GUID}-prune-1718020800123.json")),
            Some(ObjectName::PruneMark(id.guid, 1_718_020_800_123))
        );
        assert_eq!(
            ObjectName::parse(&check_record_name(&id.guid, 1_718_020_800_123)),
            Some(ObjectName::CheckRecord(id.guid, 1_718_020_800_123))
        );
        let refused = [
            format!("{GUID}-check-1718020800.json"),
            format!("{GUID}-check-1718020800123"),
            format!("{GUID}-1718020800123-01"),
            format!("{GUID}-1718020800123-16384"),
            format!("{GUID}-1718020800123-+1"),
            format!("{GUID}-0718020800123.json"),
            format!("{GUID}-1718020800123"),
            format!("{GUID}-1718020800123.json.tmp"),
            format!("{}-1718020800123.json", GUID.to_uppercase()),
            format!("{GUID}-17180208001234.json"),
            "é".repeat(30),
            String::new(),
        ];
        for name in &refused {
            assert_eq!(ObjectName::parse(name), None, "{name}");
        }
    }
}
