//! What is in the store, by name; and which of it is vault's (spec/objects.md).

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::manifest::{OpenManifest, open};
use crate::base::id::{BackupId, Guid, ObjectName};
use crate::base::limits::MANIFEST_BYTES_MAX;
use crate::crypto::keys::Fingerprint;
use crate::format::header::MAGIC;
use crate::format::json::{self, Json};
use crate::format::manifest::{Manifest, Verdict, is_ours};
use crate::keys::ring::Keyring;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Store, StoreError};

/// How many other databases are named when there is no backup of the one that is meant: as many as fit on a screen.
const OTHERS_MAX: usize = 8;

/// The objects of one id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Bytes of the manifest.
    pub manifest: Option<u64>,
    /// Bytes of each part, by index.
    pub parts: BTreeMap<u32, u64>,
}

/// A listing of the store, sorted by id.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Every id that has an object.
    pub backups: BTreeMap<BackupId, Objects>,
    /// Ids of archives with ten-digit timestamps.
    pub legacy: BTreeSet<(Guid, u64)>,
    /// Names of marks that announce a prune.
    pub marks: Vec<String>,
    /// Check records, by time.
    pub checks: BTreeSet<(Guid, u64)>,
}

/// Whose the objects of an id are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It has a manifest of vault's.
    Vault,
    /// It has parts of vault's and no manifest: a failed or running attempt.
    Attempt,
    /// Somebody else's: protected from every command.
    Legacy,
}

impl Survey {
    /// Lists the objects whose name begins with `prefix`.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn take(store: &dyn Store, prefix: &str) -> Result<Survey, RunError> {
        let mut survey = Survey::default();
        for object in store.list(prefix)? {
            match ObjectName::parse(&object.name) {
                Some(ObjectName::Manifest(id)) => survey.backups.entry(id).or_default().manifest = Some(object.bytes),
                Some(ObjectName::Part(id, index)) => {
                    survey.backups.entry(id).or_default().parts.insert(index, object.bytes);
                }
                Some(ObjectName::Legacy(guid, seconds)) => {
                    survey.legacy.insert((guid, seconds));
                }
                Some(ObjectName::PruneMark(..)) => survey.marks.push(object.name),
                Some(ObjectName::CheckRecord(guid, time)) => {
                    survey.checks.insert((guid, time));
                }
                None => {}
            }
        }
        Ok(survey)
    }

    /// Bytes of a part, when it is there.
    pub fn part_bytes(&self, id: &BackupId, index: u32) -> Option<u64> {
        self.backups.get(id)?.parts.get(&index).copied()
    }

    /// Ids that have an object of a manifest's name, newest first.
    pub fn with_manifest(&self) -> impl Iterator<Item = BackupId> {
        let mut ids: Vec<BackupId> =
            self.backups.iter().filter(|(_, objects)| objects.manifest.is_some()).map(|(id, _)| *id).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.timestamp));
        ids.into_iter()
    }

    /// Whose the objects of an id are. Reads the manifest, or the first bytes of parts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn owner(&self, store: &dyn Store, id: &BackupId) -> Result<Owner, RunError> {
        match self.backups.get(id) {
            Some(Objects { manifest: Some(_), .. }) => {
                let text = read_manifest(store, id)?;
                Ok(if self.is_vaults(store, id, &text)? { Owner::Vault } else { Owner::Legacy })
            }
            Some(_) => {
                // What vanished since the listing is nobody's: an attempt that is being removed.
                let heads = self.part_heads(store, id)?;
                Ok(if heads.is_empty() || heads.contains(&true) { Owner::Attempt } else { Owner::Legacy })
            }
            None => Ok(Owner::Attempt),
        }
    }

    /// Whether a manifest is vault's. One that says something else beside parts of vault's is ours and damaged: a
    /// foreign one would not have them, and to pass it over would hide a backup.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_vaults(&self, store: &dyn Store, id: &BackupId, text: &[u8]) -> Result<bool, RunError> {
        Ok(is_ours(text) || self.has_our_part(store, id)?)
    }

    fn has_our_part(&self, store: &dyn Store, id: &BackupId) -> Result<bool, RunError> {
        Ok(self.part_heads(store, id)?.contains(&true))
    }

    /// Of every part that is still there: whether it begins with vault's magic.
    fn part_heads(&self, store: &dyn Store, id: &BackupId) -> Result<Vec<bool>, RunError> {
        let mut heads = Vec::new();
        for index in self.backups.get(id).iter().flat_map(|objects| objects.parts.keys()) {
            match store.get(&id.part_name(*index), 0, MAGIC.len()) {
                Ok(head) => heads.push(head == MAGIC),
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if heads.last() == Some(&true) {
                break;
            }
        }
        Ok(heads)
    }
}

/// The parts that a prune is going to delete: the candidates of a mark. `None` when the mark cannot be read.
pub fn read_mark(store: &dyn Store, name: &str) -> Option<BTreeSet<String>> {
    let text = store.get(name, 0, MANIFEST_BYTES_MAX).ok()?;
    let Json::Object(members) = json::parse(&text).ok()? else {
        return None;
    };
    let candidates = members.into_iter().find(|(name, _)| name == "candidates");
    let Some((_, Json::Array(candidates))) = candidates else {
        return None;
    };
    let name = |candidate| {
        if let Json::String(name) = candidate { Some(name) } else { None }
    };
    candidates.into_iter().map(name).collect()
}

/// The bytes of a manifest; one byte more than the limit at most, so that its parser sees that it is too long.
///
/// # Errors
/// There is none, or the store cannot be read.
pub fn read_manifest(store: &dyn Store, id: &BackupId) -> Result<Vec<u8>, RunError> {
    match store.get(&id.manifest_name(), 0, MANIFEST_BYTES_MAX + 1) {
        Err(StoreError::Missing { .. }) => Err(RunError::NotFound { what: id.to_string() }),
        other => Ok(other?),
    }
}

/// Reads a manifest and verifies it with the key of its epoch.
///
/// # Errors
/// There is none, it is not vault's, of another key, or does not authenticate.
pub fn open_manifest(store: &dyn Store, id: &BackupId, ring: &Keyring) -> Result<OpenManifest, RunError> {
    let text = read_manifest(store, id)?;
    if !is_ours(&text) && !Survey::take(store, &id.to_string())?.is_vaults(store, id, &text)? {
        return Err(RunError::Legacy { id: id.to_string() });
    }
    let name = id.manifest_name();
    let unverified = Manifest::parse(id, &text);
    let epoch = unverified.map_err(crate::archive::ArchiveError::format(&name))?.manifest.epoch;
    let keys = match ring.of_epoch(epoch) {
        Ok(keys) => keys,
        // Of another guid, or of an epoch that the ring does not have: `open` says which key it needs.
        Err(_) => ring.newest(),
    };
    Ok(open(id, &text, keys)?)
}

/// The newest good backup, and what stands above it.
pub struct Latest {
    /// The backup, verified.
    pub open: OpenManifest,
    /// Newer ones whose dumps are cut short, newest first.
    pub passed_over: Vec<BackupId>,
}

/// The newest good backup of the ring's guid, verified.
///
/// A manifest that cannot be verified stops the search: older is not what was asked for. So does one that is marked as shrunk: whether it is right,
/// or the one before, only a person knows.
///
/// # Errors
/// There is none, the newest one does not verify, or it is marked as shrunk.
pub fn latest(store: &dyn Store, ring: &Keyring) -> Result<Latest, RunError> {
    let survey = Survey::take(store, &format!("{}-", ring.guid()))?;
    let (mut shrunk, mut passed_over, mut earlier) = (None, Vec::new(), 0);
    for id in survey.with_manifest() {
        let open = match open_manifest(store, &id, ring) {
            Ok(open) => open,
            Err(RunError::Legacy { .. }) => continue,
            // That there is a choice is the news, whatever stands below.
            Err(_) if shrunk.is_some() => continue,
            Err(error) => return Err(error),
        };
        // A leaked key of an earlier epoch could forge a newer backup of it.
        if open.manifest.epoch != ring.newest().pack.scope.epoch {
            earlier += 1;
            continue;
        }
        match (open.manifest.verdict, shrunk) {
            (verdict, None) if verdict.is_good() => return Ok(Latest { open, passed_over }),
            (verdict, Some(shrunk)) if verdict.is_good() => {
                return Err(RunError::Doubtful { id: shrunk, good: Some(id) });
            }
            (Verdict::Shrunk, None) => shrunk = Some(id),
            _ => passed_over.push(id),
        }
    }
    Err(match shrunk {
        Some(id) => RunError::Doubtful { id, good: None },
        None if passed_over.is_empty() => none_of(store, ring, earlier)?,
        None => RunError::NotFound { what: format!("of {} whose dump is whole", ring.guid()) },
    })
}

/// There is no backup of the newest key of a ring: says what is there instead, `earlier` backups of earlier epochs or those of other databases.
///
/// # Errors
/// The store cannot be read.
pub fn none_of(store: &dyn Store, ring: &Keyring, earlier: usize) -> Result<RunError, RunError> {
    let (guid, epoch) = (ring.guid(), ring.newest().pack.scope.epoch);
    if earlier > 0 {
        let held = format!("of epoch {epoch}, and {earlier} of earlier epochs");
        return Ok(RunError::NoneOfKey { guid, held, earlier: true });
    }
    let survey = Survey::take(store, "")?;
    let mut others: BTreeMap<Guid, String> = BTreeMap::new();
    for id in survey.with_manifest().filter(|id| id.guid != guid) {
        if others.len() < OTHERS_MAX && !others.contains_key(&id.guid) {
            // What nobody verified is enough to tell a mix-up; what cannot be read tells nothing.
            if let Ok(unverified) = Manifest::parse(&id, &read_manifest(store, &id)?) {
                others.insert(id.guid, format!("{} (key {})", id.guid, Fingerprint(unverified.manifest.fingerprint)));
            }
        }
    }
    if others.is_empty() {
        return Ok(RunError::NotFound { what: format!("of {guid}") });
    }
    let others: Vec<String> = others.into_values().collect();
    let held = format!("(key {}); the store holds those of {}", ring.newest().pack.fingerprint, others.join(", "));
    Ok(RunError::NoneOfKey { guid, held, earlier: false })
}
