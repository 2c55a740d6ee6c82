//! When each way to a vault key was last seen to open the newest backup of its epoch (spec/check.md, "Check record").

use std::collections::{BTreeMap, BTreeSet};

use super::Given;
use crate::archive::manifest::open;
use crate::base::id::{BackupId, Guid};
use crate::cli::message::CliError;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::VaultKeys;
use crate::format::check_record::Way;
use crate::format::manifest::Manifest;
use crate::ops::checks::{self, Checks};
use crate::ops::escrow::Audit;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::survey::{Survey, read_manifest};

/// What is known of the ways to the key of one epoch.
pub struct Dates {
    /// The epoch.
    pub epoch: u32,
    /// Its newest backup.
    pub newest: BackupId,
    /// Every way to its key, and when that was last seen to open the newest backup, Unix milliseconds.
    pub ways: BTreeMap<Way, Option<u64>>,
    /// Whether a key vouches for these times.
    pub authenticated: bool,
    /// Whether it is the epoch whose ways have to be tried: the highest, or the highest that the key file has.
    pub current: bool,
}

/// What was looked at in one database, and with what.
pub struct Looked<'a> {
    /// The database.
    pub guid: Guid,
    /// Whatever was to be looked at.
    pub ids: &'a [BackupId],
    /// What came of those that are vault's.
    pub audits: &'a [Audit],
    /// Those among them for whose key nothing vouches.
    pub unvouched: &'a BTreeSet<BackupId>,
    /// What there was to open them with.
    pub given: &'a Given,
}

/// The newest backup of an epoch.
struct Tip<'a> {
    manifest: Manifest,
    seen: Seen<'a>,
}

/// How it was seen.
enum Seen<'a> {
    Audited(&'a Audit),
    /// Another backup was asked for: only the manifest was read.
    Read(Vec<u8>),
}

/// Reads what earlier checks found, by ascending epoch; and adds this one to it when everything opened, the newest backup included.
///
/// # Errors
/// The store cannot be read.
pub fn dates(world: &World<'_>, survey: &Survey, looked: &Looked<'_>, keep: bool) -> Result<Vec<Dates>, CliError> {
    let (tips, unread) = tips(world, survey, looked)?;
    let highest = match looked.given {
        Given::KeyFile(ring) => ring.newest().pack.scope.epoch,
        Given::Nothing | Given::Slots(_) => u32::MAX,
    };
    let current = tips.range(..=highest).next_back().map(|(epoch, _)| *epoch);
    let all_open = looked.unvouched.is_empty() && looked.audits.iter().all(|audit| !audit.failed() && audit.level > 0);
    let mut dates = Vec::new();
    for (epoch, tip) in tips {
        let newest = tip.manifest.id;
        let keys = looked.keys(epoch).filter(|keys| looked.is_verified(&tip, keys));
        let mut checks = checks::read(world, survey, Scope { guid: looked.guid, epoch }, keys)?;
        // One that nobody could read may be of this epoch, and newer.
        let is_newest = current == Some(epoch) && unread.is_none_or(|unread| unread < newest.timestamp);
        if let (Some(keys), Seen::Audited(audit), true) = (keys, &tip.seen, keep && all_open && is_newest) {
            remember(world, &tip.manifest, audit, keys, &mut checks);
        }
        let (ways, authenticated) = (last_opened(&tip.manifest, &checks), checks.authenticated);
        dates.push(Dates { epoch, newest, ways, authenticated, current: current == Some(epoch) });
    }
    Ok(dates)
}

/// The newest backup of each epoch, and the time of the newest one whose manifest cannot be read.
fn tips<'a>(
    world: &World<'_>,
    survey: &Survey,
    looked: &Looked<'a>,
) -> Result<(BTreeMap<u32, Tip<'a>>, Option<u64>), RunError> {
    let audits: BTreeMap<BackupId, &Audit> = looked.audits.iter().map(|audit| (audit.id, audit)).collect();
    let passed_over: BTreeSet<&BackupId> = looked.ids.iter().filter(|id| !audits.contains_key(id)).collect();
    let (mut tips, mut unread) = (BTreeMap::new(), None);
    for id in survey.with_manifest().filter(|id| id.guid == looked.guid && !passed_over.contains(id)) {
        let (manifest, seen) = match audits.get(&id) {
            Some(audit) => (audit.manifest.clone(), Seen::Audited(audit)),
            None => match read_manifest(world.store, &id) {
                Err(RunError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
                Ok(text) if !survey.is_vaults(world.store, &id, &text)? => continue,
                Ok(text) => (Manifest::parse(&id, &text).ok().map(|parsed| parsed.manifest), Seen::Read(text)),
            },
        };
        match manifest {
            Some(manifest) => drop(tips.entry(manifest.epoch).or_insert(Tip { manifest, seen })),
            None => unread = unread.or(Some(id.timestamp)),
        }
    }
    Ok((tips, unread))
}

impl Looked<'_> {
    fn vouches(&self, audit: &Audit) -> bool {
        audit.level > 0 && !self.unvouched.contains(&audit.id)
    }

    /// The keys of an epoch. Those that anybody can have made vouch for nothing.
    fn keys(&self, epoch: u32) -> Option<&VaultKeys> {
        match self.given {
            Given::KeyFile(ring) => ring.of_epoch(epoch).ok(),
            Given::Nothing | Given::Slots(_) => {
                let mut keys =
                    self.audits.iter().filter(|audit| self.vouches(audit)).filter_map(|audit| audit.keys.as_ref());
                keys.find(|keys| keys.pack.scope.epoch == epoch)
            }
        }
    }

    /// Whether what the newest backup says of its slots is under the key.
    fn is_verified(&self, tip: &Tip<'_>, keys: &VaultKeys) -> bool {
        match &tip.seen {
            Seen::Audited(audit) => self.vouches(audit),
            Seen::Read(text) => open(&tip.manifest.id, text, keys).is_ok(),
        }
    }
}

/// Keeps that the newest backup opened, and with it everything else that was looked at.
fn remember(world: &World<'_>, manifest: &Manifest, audit: &Audit, keys: &VaultKeys, checks: &mut Checks) {
    let mut ways: BTreeSet<Way> = audit.opened.iter().map(|id| Way::Slot(*id)).collect();
    if ways.is_empty() {
        ways.insert(Way::KeyFile);
    }
    let mut current: BTreeSet<Way> = manifest.slots.iter().map(|slot| Way::Slot(slot.id)).collect();
    current.insert(Way::KeyFile);
    if let Err(error) = checks::write(world, keys, checks, &ways, &current) {
        world.observer.warn(&format!("the store does not keep that this was checked: {error}"));
    }
}

/// Every slot of the newest backup, and when it last opened; a backup without slots is opened by a key file.
fn last_opened(newest: &Manifest, checks: &Checks) -> BTreeMap<Way, Option<u64>> {
    let mut ways: BTreeSet<Way> = newest.slots.iter().map(|slot| Way::Slot(slot.id)).collect();
    if ways.is_empty() || checks.opened.contains_key(&Way::KeyFile) {
        ways.insert(Way::KeyFile);
    }
    ways.into_iter().map(|way| (way, checks.opened.get(&way).copied())).collect()
}
