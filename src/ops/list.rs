//! What is in the store, and which backup somebody means.

use std::collections::BTreeSet;

use crate::archive::ArchiveError;
use crate::base::failure::FailureClass;
use crate::base::id::{BackupId, Guid};
use crate::format::manifest::{Manifest, Verdict};
use crate::keys::ring::Keyring;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::survey::{Owner, Survey, open_manifest, read_manifest};

/// How far what an entry says can be trusted.
#[derive(Debug)]
pub enum Standing {
    /// The manifest authenticates under the key at hand.
    Verified(Box<Manifest>),
    /// There is no key for it: whoever can write to the store can have written this.
    Unverified(Box<Manifest>),
    /// It is a manifest of vault's, and not what it should be.
    Broken(RunError),
    /// It is not vault's, and no command touches it.
    Legacy,
}

/// One id in the store.
#[derive(Debug)]
pub struct Entry {
    /// Guid and timestamp; that of a legacy archive may count seconds.
    pub id: String,
    /// Unix milliseconds.
    pub time: u64,
    /// What is known of it.
    pub standing: Standing,
}

impl Standing {
    /// What the manifest says, as far as it can be read.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Standing::Verified(manifest) | Standing::Unverified(manifest) => Some(manifest),
            Standing::Broken(_) | Standing::Legacy => None,
        }
    }

    /// One word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Standing::Verified(_) => "verified",
            Standing::Unverified(_) => "unverified",
            Standing::Broken(_) => "damaged",
            Standing::Legacy => "legacy",
        }
    }
}

/// Every backup and every legacy archive, oldest first; those of one guid, if one is given. Attempts without a manifest are not backups.
///
/// # Errors
/// The store cannot be read.
pub fn list(store: &dyn Store, ring: Option<&Keyring>, guid: Option<Guid>) -> Result<Vec<Entry>, RunError> {
    let survey = Survey::take(store, &prefix(guid))?;
    let mut entries = Vec::new();
    for id in survey.backups.keys() {
        let standing = match survey.owner(store, id) {
            Ok(Owner::Attempt) => continue,
            Ok(Owner::Legacy) => Ok(Standing::Legacy),
            Ok(Owner::Vault) => standing(store, id, ring),
            Err(error) => Err(error),
        };
        let standing = match standing {
            // It was there when the store was listed, and is deleted by now.
            Err(RunError::NotFound { .. } | RunError::Store(StoreError::Missing { .. })) => continue,
            standing => standing?,
        };
        entries.push(Entry { id: id.to_string(), time: id.timestamp, standing });
    }
    entries.extend(survey.legacy.iter().map(|(guid, seconds)| Entry {
        id: format!("{guid}-{seconds}"),
        time: seconds.saturating_mul(1000),
        standing: Standing::Legacy,
    }));
    entries.sort_by(|left, right| (left.time, &left.id).cmp(&(right.time, &right.id)));
    Ok(entries)
}

/// What can be said of one backup with the key at hand, or without one.
///
/// # Errors
/// The store cannot be read.
pub fn standing(store: &dyn Store, id: &BackupId, ring: Option<&Keyring>) -> Result<Standing, RunError> {
    if let Some(ring) = ring.filter(|ring| ring.guid() == id.guid) {
        match open_manifest(store, id, ring) {
            Ok(open) => return Ok(Standing::Verified(Box::new(open.manifest))),
            // Of an epoch that the ring does not have: it can be read, and not be trusted.
            Err(error) if error.class() == FailureClass::WrongKey => {}
            Err(error @ (RunError::Store(_) | RunError::NotFound { .. })) => return Err(error),
            Err(error) => return Ok(Standing::Broken(error)),
        }
    }
    let text = read_manifest(store, id)?;
    Ok(match Manifest::parse(id, &text) {
        Ok(unverified) => Standing::Unverified(Box::new(unverified.manifest)),
        Err(source) => Standing::Broken(ArchiveError::format(&id.manifest_name())(source).into()),
    })
}

/// The backup that `text` means: an id, or as much of one as is unique.
///
/// # Errors
/// There is none, several match, or it is not vault's.
pub fn resolve(store: &dyn Store, text: &str) -> Result<BackupId, RunError> {
    let what = || text.to_owned();
    if text.is_empty() {
        return Err(RunError::NotFound { what: what() });
    }
    let survey = Survey::take(store, text)?;
    // The ten digits of a legacy archive are also the beginning of somebody's thirteen: written out, it is the archive that is meant.
    if survey.legacy.iter().any(|(guid, seconds)| format!("{guid}-{seconds}") == text) {
        return Err(RunError::Legacy { id: what() });
    }
    let found: Vec<BackupId> = survey.with_manifest().collect();
    match found.as_slice() {
        [id] => match survey.owner(store, id)? {
            Owner::Vault => Ok(*id),
            _ => Err(RunError::Legacy { id: id.to_string() }),
        },
        [] => match survey.legacy.first() {
            Some((guid, seconds)) => {
                let id = format!("{guid}-{seconds}");
                Err(RunError::Legacy { id })
            }
            None => Err(RunError::NotFound { what: what() }),
        },
        _ => Err(RunError::Ambiguous { found }),
    }
}

/// What manifests say, which nobody verified, of the newest good backup.
pub enum Newest {
    /// It is this one; newer ones were passed over, since their dumps are cut short.
    Found(BackupId, Vec<BackupId>),
    /// There are several databases, and none is given.
    Several(Vec<Guid>),
}

/// The newest good backup by what the manifests say: of the highest epoch, or of the highest up to `epoch_max`. Whoever holds an earlier key could
/// make a newer one of that.
///
/// # Errors
/// There is none, one that is marked as shrunk stands above it, or the store cannot be read.
pub fn newest_unverified(store: &dyn Store, guid: Option<Guid>, epoch_max: Option<u32>) -> Result<Newest, RunError> {
    let entries = list(store, None, guid)?;
    let mut manifests: Vec<&Manifest> = entries.iter().rev().filter_map(|entry| entry.standing.manifest()).collect();
    let is_whole = |manifest: &&&Manifest| manifest.verdict != Verdict::Incomplete;
    let guids: BTreeSet<Guid> = manifests.iter().filter(is_whole).map(|manifest| manifest.id.guid).collect();
    if guids.len() > 1 {
        return Ok(Newest::Several(guids.into_iter().collect()));
    }
    manifests.retain(|manifest| guids.contains(&manifest.id.guid));
    let epochs = manifests.iter().map(|manifest| manifest.epoch);
    let epoch = epochs.filter(|epoch| epoch_max.is_none_or(|max| *epoch <= max)).max();
    manifests.retain(|manifest| Some(manifest.epoch) == epoch);
    let mut whole = manifests.iter().filter(is_whole);
    match whole.next() {
        None => {
            let what = guid.map_or_else(|| format!("in {}", store.location()), |guid| format!("of {guid}"));
            Err(RunError::NotFound { what })
        }
        Some(newest) if newest.verdict.is_good() => {
            let newer = manifests.iter().take_while(|manifest| manifest.id != newest.id);
            Ok(Newest::Found(newest.id, newer.map(|manifest| manifest.id).collect()))
        }
        Some(newest) => {
            let good = whole.find(|manifest| manifest.verdict.is_good()).map(|manifest| manifest.id);
            Err(RunError::Doubtful { id: newest.id, good })
        }
    }
}

/// What the names of one guid begin with.
fn prefix(guid: Option<Guid>) -> String {
    guid.map_or_else(String::new, |guid| format!("{guid}-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::port::{ObjectInfo, Upload};

    /// A store whose one backup is deleted right after every listing.
    struct Fleeting(&'static str);

    impl Store for Fleeting {
        fn list(&self, _prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
            let name = self.0.into();
            Ok(vec![ObjectInfo { name, bytes: 1000 }])
        }

        fn get(&self, name: &str, _offset: u64, _length: usize) -> Result<Vec<u8>, StoreError> {
            Err(StoreError::Missing { name: name.into() })
        }

        fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
            Err(StoreError::Exists { name: name.into() })
        }

        fn delete(&self, _name: &str) -> Result<(), StoreError> {
            Ok(())
        }

        fn location(&self) -> String {
            "nowhere".into()
        }
    }

    #[test]
    fn what_is_deleted_while_it_is_listed_is_no_backup() {
        let store = Fleeting("3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd-1700000000000.json");
        assert!(matches!(list(&store, None, None), Ok(entries) if entries.is_empty()));
    }
}
