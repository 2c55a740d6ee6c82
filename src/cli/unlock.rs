//! From a key file or a passphrase to the vault key.
//!
//! A key file holds the key. A passphrase or an age identity opens a slot in a manifest of the store, and that manifest must then authenticate under the key:
//! slots are copied into new backups, and nobody else's are. When the store has backups and none opens, there is no key; a new guid is only
//! begun in a store that holds nothing of vault's, or on request.
//!
//! Commands that can do without a key go on without one when the passphrase opens nothing, or more than one guid, and warn.

mod holder;

use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use crate::archive::manifest::open;
use crate::base::failure::FailureClass;
use crate::base::id::{BackupId, Guid};
use crate::cli::args::{Global, HowToPack, Kdf};
use crate::cli::identity::Identities;
use crate::cli::key::slots::cost;
use crate::cli::memory::available;
use crate::cli::message::CliError;
use crate::cli::secrets::{Ask, Way, find, read_key_file, read_pack_file, read_passphrase};
use crate::cli::trust::{check_age, check_given, check_packing, remember};
use crate::cli::world::{OsRandom, Teller};
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{MasterKey, PackKeys};
use crate::format::manifest::{Manifest, is_ours};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::KeyError;
use crate::keys::packing::PackRing;
use crate::keys::ring::{Keyring, new_guid, new_key};
use crate::keys::slots::{Passphrase, SlotOpener, make, open_age};
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Observer, Random, Store};
use crate::pipeline::survey::{Owner, Survey, read_manifest};

pub use holder::{Held, hold, of_holder};

/// The vault key, and what a new backup carries of it.
pub struct Unlocked {
    /// The keys.
    pub ring: Keyring,
    /// Slots for a new backup.
    pub slots: Vec<Slot>,
    /// Their generation.
    pub generation: u64,
    /// Whether the guid is new with this run.
    pub founded: bool,
}

/// What a new backup is packed with.
pub struct Packing {
    /// The keys, and the slots that the backup carries.
    pub ring: PackRing,
    /// Whether the guid is new with this run.
    pub founded: bool,
}

impl From<Unlocked> for Packing {
    fn from(unlocked: Unlocked) -> Packing {
        let Unlocked { ring, slots, generation, founded } = unlocked;
        Packing { ring: PackRing { slots, generation, ..ring.into_packing() }, founded }
    }
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// This backup.
    Backup(BackupId),
    /// Whatever the key opens.
    Any,
}

/// The key for a command that reads; `None` when there is none and nobody may be asked, or nothing that it opens.
///
/// # Errors
/// A key that is given cannot be used, or there is none and a key is needed.
pub fn for_reading(
    global: &Global,
    store: &dyn Store,
    ask: Ask,
    wanted: Wanted,
    teller: &Teller,
) -> Result<Option<Unlocked>, CliError> {
    let place = PathBuf::from(store.location());
    let way = match find(global, ask)? {
        None => return Ok(None),
        Some(Way::KeyFile(path)) => {
            let unlocked = match of_key_file(global, &path, &place) {
                Err(CliError::KeyFile { reason: KeyError::PackOnly, .. }) if ask == Ask::Never => {
                    teller.note("a pack-only key opens no manifest: manifests are read and not verified");
                    return Ok(None);
                }
                unlocked => unlocked?,
            };
            if ask == Ask::Allowed {
                check_guid(global, unlocked.ring.guid())?;
                remember(&unlocked.ring.newest().pack, teller);
            }
            return Ok(Some(unlocked));
        }
        Some(way) => way,
    };
    let (guid, first) = match wanted {
        Wanted::Backup(id) => (Some(id.guid), Some(id)),
        Wanted::Any => (global.guid, None),
    };
    if let (Some(given), Some(guid)) = (global.guid, guid)
        && given != guid
    {
        return Err(CliError::OtherGuid { given, wanted: guid });
    }
    let candidates = candidates(store, guid, first)?;
    if candidates.is_empty() && ask == Ask::Never {
        return Ok(None);
    }
    if candidates.is_empty() {
        return Err(no_slots(&way));
    }
    let mut opener = Opener::read(&way, &place, false)?;
    match open_one(global, &mut opener, &candidates, teller) {
        Err(error) if ask == Ask::Never => {
            teller.warn(&format!("without a key, manifests are read and not verified: {error}"));
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// The key for a new backup. Only here a guid is ever begun.
///
/// # Errors
/// There is no key, or the one that is given cannot be used.
pub fn for_packing(
    global: &Global,
    way: &Way,
    store: &dyn Store,
    how: &HowToPack,
    teller: &Teller,
) -> Result<Packing, CliError> {
    let place = PathBuf::from(store.location());
    if let Way::KeyFile(path) = way {
        if how.new_guid {
            return Err(CliError::NewGuidWithKeyFile);
        }
        let ring = read_pack_file(global, path, &place)?;
        check_packing(global, &ring.keys)?;
        check_guid(global, ring.keys.scope.guid)?;
        remember(&ring.keys, teller);
        return Ok(Packing { ring, founded: false });
    }
    let candidates = candidates(store, global.guid, None)?;
    if let (Some(guid), true) = (global.guid, candidates.is_empty()) {
        let what = format!("of {guid}");
        return Err(RunError::NotFound { what }.into());
    }
    if candidates.is_empty() && !how.new_guid && holds_parts(store)? {
        return Err(CliError::OnlyParts);
    }
    let founding = how.new_guid || candidates.is_empty();
    if founding && matches!(way, Way::Identity(_)) {
        return Err(no_slots(way));
    }
    if founding {
        let refused = |error| RunError::Key(KeyError::Slot(error));
        cost(how.kdf).fits(available()).map_err(refused)?;
        return found(&read_passphrase(way, &place, founding)?, how.kdf).map(Packing::from);
    }
    open_one(global, &mut Opener::read(way, &place, false)?, &candidates, teller).map(Packing::from)
}

/// What opens slots.
pub enum Opener {
    /// A passphrase.
    Passphrase(SlotOpener),
    /// age identities.
    Identity(Identities),
}

impl Opener {
    /// Reads what the way leads to.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(way: &Way, store: &Path, twice: bool) -> Result<Opener, CliError> {
        Ok(match way {
            Way::Identity(path) => Opener::Identity(Identities::read(path, store)?),
            _ => Opener::Passphrase(SlotOpener::new(read_passphrase(way, store, twice)?).within(available)),
        })
    }

    /// Whether it could open such a slot.
    fn fits(&self, slot: &Slot) -> bool {
        match self {
            Opener::Passphrase(_) => matches!(slot.kind, SlotKind::Passphrase { .. }),
            Opener::Identity(_) => matches!(slot.kind, SlotKind::Age { .. }),
        }
    }

    /// The key of `scope`, when one of the slots opens.
    ///
    /// # Errors
    /// A slot is damaged or over a limit.
    pub fn open(&mut self, scope: Scope, slots: &[Slot]) -> Result<Option<MasterKey>, KeyError> {
        match self {
            Opener::Passphrase(opener) => opener.open(scope, slots),
            Opener::Identity(identities) => open_age(scope, slots, &|file| identities.decrypt(file)),
        }
    }

    /// Judges the key that it gave. Who knows the passphrase of a slot is who made it; who sealed an age file is nobody.
    ///
    /// # Errors
    /// It is another one than is known, or none is known.
    pub fn judge(&self, global: &Global, id: &BackupId, keys: &PackKeys, teller: &Teller) -> Result<(), CliError> {
        match self {
            Opener::Passphrase(_) => {
                check_packing(global, keys)?;
                remember(keys, teller);
                Ok(())
            }
            Opener::Identity(_) => check_age(global, id, keys, teller),
        }
    }
}

/// There is no slot for the way.
fn no_slots(way: &Way) -> CliError {
    if matches!(way, Way::Identity(_)) { CliError::NoAgeSlots } else { CliError::NoSlots }
}

fn of_key_file(global: &Global, path: &Path, store: &Path) -> Result<Unlocked, CliError> {
    let ring = read_key_file(global, path, store)?;
    check_given(global, &ring)?;
    Ok(Unlocked { slots: ring.slots.clone(), generation: ring.generation, founded: false, ring })
}

/// A key file is the key of one guid, whatever was asked for.
fn check_guid(global: &Global, given: Guid) -> Result<(), CliError> {
    match global.guid {
        Some(wanted) if wanted != given => Err(CliError::OtherGuid { given, wanted }),
        _ => Ok(()),
    }
}

/// A new guid and its key, wrapped under the passphrase.
fn found(passphrase: &Passphrase, kdf: Kdf) -> Result<Unlocked, CliError> {
    let fill = |bytes: &mut [u8]| OsRandom.fill(bytes);
    let key = new_key(new_guid(&fill), &fill);
    let slots = vec![make(&key, passphrase, cost(kdf), &fill).map_err(RunError::Key)?];
    Ok(Unlocked { ring: Keyring::of(&key, slots.clone()), slots, generation: 1, founded: true })
}

/// Whether there is anything of vault's. In a store that lost its manifests, the slots that the passphrase opens are lost as well: they
/// are to be brought back, and not to be replaced.
fn holds_parts(store: &dyn Store) -> Result<bool, CliError> {
    let survey = Survey::take(store, "")?;
    for id in survey.backups.keys() {
        match survey.owner(store, id) {
            Ok(Owner::Legacy) | Err(RunError::NotFound { .. }) => {}
            Ok(Owner::Vault | Owner::Attempt) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Manifests of vault's that could hold a slot: the wanted one first, then newest first.
fn candidates(
    store: &dyn Store,
    guid: Option<Guid>,
    first: Option<BackupId>,
) -> Result<Vec<(BackupId, Vec<u8>)>, CliError> {
    let survey = Survey::take(store, &guid.map_or_else(String::new, |guid| format!("{guid}-")))?;
    let rest = survey.with_manifest().filter(|id| Some(*id) != first);
    let mut candidates = Vec::new();
    for id in first.into_iter().chain(rest) {
        match read_manifest(store, &id) {
            Ok(text) if is_ours(&text) => candidates.push((id, text)),
            Ok(_) | Err(RunError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(candidates)
}

/// Opens the slots of every guid, and takes the one guid that opens. A manifest that cannot be read is warned of: nothing opens it, whatever the
/// passphrase.
fn open_one(
    global: &Global,
    opener: &mut Opener,
    candidates: &[(BackupId, Vec<u8>)],
    teller: &Teller,
) -> Result<Unlocked, CliError> {
    let mut opened: Vec<Unlocked> = Vec::new();
    let (mut refused, mut failed, mut untrusted) = (false, None, None);
    for (id, text) in candidates {
        if opened.iter().any(|opened| opened.ring.guid() == id.guid) {
            continue;
        }
        match open_slots(opener, id, text) {
            Ok(Slots::Opened(unlocked)) => match opener.judge(global, id, &unlocked.ring.newest().pack, teller) {
                Ok(()) => opened.push(unlocked),
                Err(error) => untrusted = untrusted.or(Some(error)),
            },
            Ok(Slots::Refused) => refused = true,
            Ok(Slots::None) => {}
            Ok(Slots::Unreadable(error)) => {
                refused = true;
                teller.warn(&error.to_string());
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match (opened.pop(), opened.is_empty()) {
        (Some(unlocked), true) => {
            untrusted.inspect(|error| teller.warn(&error.to_string()));
            Ok(unlocked)
        }
        (Some(last), false) => {
            opened.push(last);
            let mut guids: Vec<Guid> = opened.iter().map(|opened| opened.ring.guid()).collect();
            guids.sort();
            Err(CliError::WhichGuid(guids))
        }
        (None, _) => Err(match (untrusted, opener) {
            (Some(error), _) => error,
            (None, Opener::Passphrase(_)) if refused => CliError::WrongPassphrase,
            (None, Opener::Passphrase(_)) => failed.map_or(CliError::NoSlots, CliError::Run),
            // What a file of age's own or the program says is more than that nothing opened.
            (None, Opener::Identity(_)) if failed.is_some() => failed.map_or(CliError::NoAgeSlots, CliError::Run),
            (None, Opener::Identity(_)) if refused => CliError::WrongIdentity,
            (None, Opener::Identity(_)) => CliError::NoAgeSlots,
        }),
    }
}

/// What came of the slots of one manifest.
enum Slots {
    /// One opened, and the manifest authenticates under the key in it.
    Opened(Unlocked),
    /// They are those of another passphrase or identity.
    Refused,
    /// None is of the kind that is wanted.
    None,
    /// The manifest is damaged, and its slots with it.
    Unreadable(RunError),
}

fn open_slots(opener: &mut Opener, id: &BackupId, text: &[u8]) -> Result<Slots, RunError> {
    let name = id.manifest_name();
    let manifest = match Manifest::parse(id, text).map_err(ArchiveError::format(&name)) {
        Ok(unverified) => unverified.manifest,
        Err(error) if error.class() == FailureClass::Damaged => return Ok(Slots::Unreadable(error.into())),
        Err(error) => return Err(error.into()),
    };
    if !manifest.slots.iter().any(|slot| opener.fits(slot)) {
        return Ok(Slots::None);
    }
    let scope = Scope { guid: id.guid, epoch: manifest.epoch };
    let Some(key) = opener.open(scope, &manifest.slots)? else {
        return Ok(Slots::Refused);
    };
    authenticated(&key, id, text).map(Slots::Opened)
}

/// The key of a slot, when the manifest around it is one that the holder of the key wrote.
fn authenticated(key: &MasterKey, id: &BackupId, text: &[u8]) -> Result<Unlocked, RunError> {
    let manifest = open(id, text, &key.derive())?.manifest;
    Ok(Unlocked {
        ring: Keyring::of(key, manifest.slots.clone()),
        slots: manifest.slots,
        generation: manifest.generation,
        founded: false,
    })
}
