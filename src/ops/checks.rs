//! Check records: when each way to a vault key was last seen to open the newest backup (spec/check.md).
//!
//! A record is created, never changed. The next one carries on what it says, and only then it is removed: whoever looks in between sees both.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::check_record_name;
use crate::base::limits::{CHECK_RECORD_BYTES_MAX, CHECK_RECORDS_MAX};
use crate::crypto::kdf::Scope;
use crate::crypto::keys::VaultKeys;
use crate::format::check_record::{CheckRecord, Way};
use crate::format::manifest::Manifest;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::survey::Survey;

/// What the records of one guid and epoch say.
#[derive(Default)]
pub struct Checks {
    /// When each way last opened the newest backup, Unix milliseconds.
    pub opened: BTreeMap<Way, u64>,
    /// Whether a key vouches for it. Without one, whoever can write to the store can have written it.
    pub authenticated: bool,
    /// The records, with what each says.
    records: Vec<CheckRecord>,
}

/// Reads the newest records of a guid and epoch. With a key, those that do not authenticate are warned of and count for nothing.
///
/// # Errors
/// The store cannot be read.
pub fn read(world: &World<'_>, survey: &Survey, scope: Scope, keys: Option<&VaultKeys>) -> Result<Checks, RunError> {
    let keys = keys.filter(|keys| keys.pack.scope == scope);
    let mut checks = Checks { authenticated: keys.is_some(), ..Checks::default() };
    let times = survey.checks.iter().rev().filter(|(guid, _)| *guid == scope.guid).take(CHECK_RECORDS_MAX);
    for (guid, timestamp) in times {
        let name = check_record_name(guid, *timestamp);
        let text = match world.store.get(&name, 0, CHECK_RECORD_BYTES_MAX + 1) {
            // Another check put its own in the place of it.
            Err(StoreError::Missing { .. }) => continue,
            text => text?,
        };
        let unverified = match CheckRecord::parse(*guid, *timestamp, &text) {
            Ok(unverified) => unverified,
            Err(error) => {
                world.observer.warn(&format!("`{name}` is passed over: {error}"));
                continue;
            }
        };
        if unverified.record.epoch != scope.epoch {
            continue;
        }
        if keys.is_some_and(|keys| !keys.check_mac_is(unverified.body, &unverified.mac)) {
            world.observer.warn(&format!("`{name}` is passed over: it does not authenticate"));
            continue;
        }
        for (way, time) in &unverified.record.opened {
            let last = checks.opened.entry(*way).or_insert(*time);
            *last = (*last).max(*time);
        }
        checks.records.push(unverified.record);
    }
    Ok(checks)
}

/// Writes that `ways` opened the newest backup now, with what earlier records say of `current` ways; and removes those records.
///
/// # Errors
/// It cannot be written, or reads back as something else. Earlier records are as they were.
pub fn write(
    world: &World<'_>,
    keys: &VaultKeys,
    earlier: &mut Checks,
    ways: &BTreeSet<Way>,
    current: &BTreeSet<Way>,
) -> Result<(), RunError> {
    let now = world.clock.now_ms();
    earlier.opened.retain(|way, _| current.contains(way));
    earlier.opened.extend(ways.iter().map(|way| (*way, now)));
    // A time of a machine whose clock is ahead stays, and the record is named after it.
    let latest = earlier.opened.values().copied().max().unwrap_or(now).max(now);
    let mut record = CheckRecord {
        guid: keys.pack.scope.guid,
        timestamp: latest,
        epoch: keys.pack.scope.epoch,
        fingerprint: keys.pack.fingerprint.0,
        opened: earlier.opened.clone(),
    };
    while !create(world.store, keys, &record)? {
        record.timestamp += 1;
    }
    for old in &earlier.records {
        // What fails leaves a record that says nothing new.
        let _ = world.store.delete(&check_record_name(&old.guid, old.timestamp));
    }
    Ok(())
}

/// Creates a record and reads it back; `false` when there is another one of its name.
fn create(store: &dyn Store, keys: &VaultKeys, record: &CheckRecord) -> Result<bool, RunError> {
    let name = check_record_name(&record.guid, record.timestamp);
    let body = record.encode();
    let text = Manifest::with_mac(&body, &keys.check_mac(body.as_bytes()));
    let created = store.create(&name).and_then(|mut upload| {
        upload.write(&text)?;
        upload.commit()
    });
    match (created, store.get(&name, 0, text.len() + 1)) {
        // "Exists" with our bytes in it is a lost reply.
        (Ok(()) | Err(StoreError::Exists { .. }), Ok(found)) if found == text => Ok(true),
        (Err(StoreError::Exists { .. }), Ok(_)) => Ok(false),
        (created, found) => {
            created?;
            found?;
            Err(RunError::ReadBack { name })
        }
    }
}
