//! `vault key check`: would what is in escrow open the backups? In kilobytes (spec/check.md).

mod dates;
mod metrics;
mod tell;
mod vouch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::dates::{Dates, Looked, dates};
use crate::base::failure::FailureClass;
use crate::base::id::{BackupId, Guid};
use crate::cli::args::Global;
use crate::cli::args::key::Check;
use crate::cli::control::Patience;
use crate::cli::latest::LATEST;
use crate::cli::message::CliError;
use crate::cli::secrets::{Ask, Way as Source, find, read_key_file};
use crate::cli::unlock::Opener as SlotOpener;
use crate::cli::world::{Outside, SystemClock, Teller, open_store};
use crate::crypto::kdf::Scope;
use crate::format::check_record::Way;
use crate::format::manifest::Manifest;
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::ring::Keyring;
use crate::ops::escrow::{Audit, Depth, Opener, audit};
use crate::ops::list::{Newest, newest_unverified, resolve};
use crate::pipeline::World;
use crate::pipeline::counting::Counting;
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Clock, Store};
use crate::pipeline::survey::{Owner, Survey, none_of};

/// What was given to open backups with.
enum Given {
    Nothing,
    KeyFile(Keyring),
    Slots(SlotOpener),
}

/// What is known of one database after the audit.
struct Database {
    guid: Guid,
    /// Oldest first.
    audits: Vec<Audit>,
    /// When each way was last seen to open the newest backup, by epoch.
    dates: Vec<Dates>,
    /// Backups that opened with a key for which nothing vouches.
    unvouched: BTreeSet<BackupId>,
    /// The slots in the key file that was given.
    of_key_file: Option<SlotsOfNow>,
    /// Bytes that were read for all this, records included.
    bytes_read: u64,
}

/// The slots that every backup of an epoch should have.
struct SlotsOfNow {
    epoch: u32,
    generation: u64,
    ids: BTreeSet<[u8; 4]>,
}

/// What is to be looked at.
struct Subjects {
    survey: Survey,
    /// The only database, when one is meant.
    guid: Option<Guid>,
    /// Whatever has a manifest's name: oldest first, by database.
    ids: BTreeMap<Guid, Vec<BackupId>>,
}

/// Audits.
///
/// # Errors
/// The store cannot be read, or there is nothing to audit. What is wrong with a backup is told by the exit code.
pub fn run(global: &Global, command: &Check) -> Result<Option<FailureClass>, CliError> {
    let store = open_store(global)?;
    let teller = Teller::plain(global);
    let mut given = given(global, command, &store, &teller)?;
    let counting = Counting::new(&store);
    let subjects = subjects(global, &counting, command, &given)?;
    let found_with = counting.bytes();
    let (outside, _) = Outside::new(global, store, Patience::default())?;
    let counting = Counting::new(&outside.store);
    let run = Run { global, command, outside: &outside, counting: &counting, survey: &subjects.survey };
    let mut databases = Vec::new();
    for (guid, ids) in &subjects.ids {
        let database = run.look(*guid, ids, &mut given);
        databases.extend(database.inspect_err(|_| outside.teller.progress().end())?);
    }
    outside.teller.progress().end();
    if databases.is_empty() {
        return Err(nothing(&subjects, &outside.store, &given));
    }
    let now = SystemClock.now_ms();
    if let Some(path) = &command.metrics_file {
        metrics::write(path, &databases, now)?;
    }
    tell::tell(global, command, &databases, found_with + counting.bytes(), now)?;
    let failed = databases.iter().flat_map(|database| &database.audits).any(Audit::failed);
    let doubtful = databases.iter().any(|database| database.is_doubtful(command, now));
    let class = match (failed, doubtful) {
        (true, _) => Some(FailureClass::Escrow),
        (false, true) => Some(FailureClass::Warning),
        (false, false) => None,
    };
    Ok(class.or(teller.class()).or(outside.teller.class()))
}

/// What there is to open backups with. Nobody is asked, but on request.
fn given(global: &Global, command: &Check, store: &dyn Store, teller: &Teller) -> Result<Given, CliError> {
    let place = PathBuf::from(store.location());
    let source = if command.prompt { Some(Source::Prompt) } else { find(global, Ask::Never)? };
    match source {
        None => Ok(Given::Nothing),
        Some(Source::KeyFile(path)) => match read_key_file(global, &path, &place) {
            Err(CliError::KeyFile { reason: KeyError::PackOnly, .. }) => {
                teller.note("a pack-only key opens no backup: only what needs no key is checked");
                Ok(Given::Nothing)
            }
            ring => ring.map(Given::KeyFile),
        },
        Some(source) => Ok(Given::Slots(SlotOpener::read(&source, &place, false)?)),
    }
}

/// The listing of the store, and the backups that are meant.
fn subjects(global: &Global, store: &dyn Store, command: &Check, given: &Given) -> Result<Subjects, CliError> {
    let (of_key, epoch) = match given {
        Given::KeyFile(ring) => (Some(ring.guid()), Some(ring.newest().pack.scope.epoch)),
        Given::Nothing | Given::Slots(_) => (None, None),
    };
    let only = match command.backup.as_deref() {
        None => None,
        Some(LATEST) => match newest_unverified(store, global.guid.or(of_key), epoch)? {
            Newest::Found(id, _) => Some(id),
            Newest::Several(guids) => return Err(CliError::WhichGuid(guids)),
        },
        Some(text) => Some(resolve(store, text)?),
    };
    // A key file is the key of one guid: what is not named is another's.
    let guid = only.map(|id| id.guid).or(global.guid).or(of_key);
    let survey = Survey::take(store, &guid.map_or_else(String::new, |guid| format!("{guid}-")))?;
    let mut ids: BTreeMap<Guid, Vec<BackupId>> = BTreeMap::new();
    for id in survey.with_manifest().filter(|id| only.is_none_or(|only| only == *id)) {
        ids.entry(id.guid).or_default().insert(0, id);
    }
    Ok(Subjects { survey, guid, ids })
}

/// There is no backup; of a key file's database, what there is instead.
fn nothing(subjects: &Subjects, store: &dyn Store, given: &Given) -> CliError {
    let what = match (subjects.guid, given) {
        (Some(guid), Given::KeyFile(ring)) if guid == ring.guid() => {
            return none_of(store, ring, 0).unwrap_or_else(|error| error).into();
        }
        (Some(guid), _) => format!("of {guid} in {}", store.location()),
        (None, _) => format!("in {}", store.location()),
    };
    RunError::NotFound { what }.into()
}

/// A check, and all that it works with.
struct Run<'a> {
    global: &'a Global,
    command: &'a Check,
    outside: &'a Outside,
    counting: &'a Counting<'a>,
    survey: &'a Survey,
}

impl Run<'_> {
    /// Audits backups of one database, and keeps the record of it. `None` when none of them is vault's.
    fn look(&self, guid: Guid, ids: &[BackupId], given: &mut Given) -> Result<Option<Database>, CliError> {
        let Run { global, command, outside, counting, survey } = *self;
        let (world, began) = (&World { store: counting, ..outside.world() }, counting.bytes());
        let depth = Depth { probe: command.probe.unwrap_or(0), index: command.index };
        let mut unvouched = BTreeSet::new();
        let mut audits = Vec::with_capacity(ids.len());
        for id in ids {
            let before = counting.bytes();
            if survey.owner(world.store, id)? != Owner::Vault {
                continue;
            }
            let mut open_slot;
            let mut opener = match given {
                Given::Nothing => Opener::Nothing,
                Given::KeyFile(ring) => Opener::KeyFile(ring),
                Given::Slots(opener) => {
                    open_slot = |scope: Scope, slot: &Slot| opener.open(scope, std::slice::from_ref(slot));
                    Opener::Slots(&mut open_slot)
                }
            };
            let mut audit = audit(world, survey, id, &mut opener, depth)?;
            audit.bytes_read = counting.bytes() - before;
            world.observer.advanced(audit.bytes_read);
            if !vouch::vouch(global, given, &mut audit, &outside.teller)? {
                unvouched.insert(*id);
            }
            audits.push(audit);
        }
        if audits.is_empty() {
            return Ok(None);
        }
        let looked = Looked { guid, ids, audits: &audits, unvouched: &unvouched, given };
        let dates = dates(world, survey, &looked, !command.no_record)?;
        let of_key_file = match given {
            Given::KeyFile(ring) => Some(SlotsOfNow {
                epoch: ring.newest().pack.scope.epoch,
                generation: ring.generation,
                ids: ring.slots.iter().map(|slot| slot.id).collect(),
            }),
            Given::Nothing | Given::Slots(_) => None,
        };
        let bytes_read = counting.bytes() - began;
        Ok(Some(Database { guid, audits, dates, unvouched, of_key_file, bytes_read }))
    }
}

/// How far the clocks of two machines may differ, milliseconds.
const CLOCK_SKEW_MAX: u64 = 24 * 60 * 60 * 1000;

/// Whether a time is too far ahead to have been. Such a one would not get overdue for as long.
const fn is_ahead(last: u64, now: u64) -> bool {
    last > now.saturating_add(CLOCK_SKEW_MAX)
}

impl Database {
    /// The epoch whose ways have to be tried.
    fn current(&self) -> Option<&Dates> {
        self.dates.iter().find(|dates| dates.current)
    }

    /// Every way, with what is known of its epoch.
    fn ways(&self) -> impl Iterator<Item = (&Dates, &Way, Option<u64>)> {
        self.dates.iter().flat_map(|dates| dates.ways.iter().map(move |(way, last)| (dates, way, *last)))
    }

    /// An earlier epoch with a backup that is newer than every one of the current.
    fn on_top(&self) -> Option<&Dates> {
        let current = self.current()?;
        let mut earlier = self.dates.iter().filter(|dates| dates.epoch < current.epoch);
        earlier.find(|dates| dates.newest.timestamp > current.newest.timestamp)
    }

    /// Slots that backups of the current epoch have and should not, and how many have each.
    fn removed(&self) -> BTreeMap<[u8; 4], usize> {
        let epoch = self.current().map(|dates| dates.epoch);
        let newest = epoch.map_or(0, |epoch| self.newest_generation(epoch));
        let all = self.audits.iter().filter_map(|audit| audit.manifest.as_ref());
        let manifests: Vec<&Manifest> = all.filter(|manifest| Some(manifest.epoch) == epoch).collect();
        let key_file = self.of_key_file.iter().filter(|key| Some(key.epoch) == epoch && key.generation == newest);
        let mut now: BTreeSet<[u8; 4]> = key_file.flat_map(|key| &key.ids).copied().collect();
        let kept = manifests.iter().filter(|manifest| manifest.generation == newest);
        now.extend(kept.flat_map(|manifest| &manifest.slots).map(|slot| slot.id));
        let mut removed = BTreeMap::new();
        let old = manifests.iter().filter(|manifest| manifest.generation < newest);
        for slot in old.flat_map(|manifest| &manifest.slots).filter(|slot| !now.contains(&slot.id)) {
            *removed.entry(slot.id).or_insert(0) += 1;
        }
        removed
    }

    /// Whether a way of the current epoch has not been seen to open the newest backup for longer than it may, or at a time that nobody can
    /// have seen. Ways to an earlier key need not be tried.
    fn is_overdue(&self, command: &Check, dates: &Dates, last: Option<u64>, now: u64) -> bool {
        if !dates.current {
            return false;
        }
        if last.is_some_and(|last| is_ahead(last, now)) {
            return true;
        }
        let age = |max: std::time::Duration| u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        command.max_age.map(age).is_some_and(|max| last.is_none_or(|last| now.saturating_sub(last) > max))
    }

    /// The highest generation of slots under an epoch: in the store, or in the key file.
    fn newest_generation(&self, epoch: u32) -> u64 {
        let manifests = self.audits.iter().filter_map(|audit| audit.manifest.as_ref());
        let of_store = manifests.filter(|manifest| manifest.epoch == epoch).map(|manifest| manifest.generation);
        let of_key_file = self.of_key_file.iter().filter(|key| key.epoch == epoch).map(|key| key.generation);
        of_store.chain(of_key_file).max().unwrap_or(0)
    }

    /// Whether there is something that a person should see to, though every backup opens as far as it was looked at.
    fn is_doubtful(&self, command: &Check, now: u64) -> bool {
        let findings = !self.unvouched.is_empty() || self.audits.iter().any(|audit| !audit.findings.is_empty());
        let slots = self.on_top().is_some() || !self.removed().is_empty();
        let overdue = self.ways().any(|(dates, _, last)| self.is_overdue(command, dates, last, now));
        findings || slots || overdue || self.two_keys().is_some()
    }

    /// An epoch under which backups show two fingerprints: one of them is not what it says.
    fn two_keys(&self) -> Option<u32> {
        let mut known = BTreeMap::new();
        let mut manifests = self.audits.iter().filter_map(|audit| audit.manifest.as_ref());
        manifests
            .find(|manifest| *known.entry(manifest.epoch).or_insert(manifest.fingerprint) != manifest.fingerprint)
            .map(|manifest| manifest.epoch)
    }
}
