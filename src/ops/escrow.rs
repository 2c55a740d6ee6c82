//! The escrow audit of one backup: would what is in escrow open it, all of it? In kilobytes (spec/check.md).
//!
//! | level | what it takes | what it shows |
//! |---|---|---|
//! | 0 | no key | the manifest is legal, and so are its slots |
//! | 1 | a key, or what opens a slot | slot, commitment, fingerprint, MAC; every sealed archive key; the header of every part |
//! | 2 | and `probe` | so many segments, drawn from all parts, open |
//! | 3 | and `index` | the index opens, and its recipe covers the dump without a gap |

use std::collections::BTreeSet;

use crate::archive::ArchiveError;
use crate::archive::manifest::{OpenManifest, open};
use crate::archive::part::PartSecret;
use crate::base::failure::FailureClass;
use crate::base::id::BackupId;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{MasterKey, VaultKeys};
use crate::format::header::Role;
use crate::format::manifest::Manifest;
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::age::AgeError;
use crate::keys::ring::Keyring;
use crate::keys::slots::check_form;
use crate::pipeline::World;
use crate::pipeline::counting::Counting;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{PartReader, Readers, own};
use crate::pipeline::survey::{Survey, read_manifest};
use crate::pipeline::verify::Finding;

/// Opens a slot of a scope; `None` says that it is somebody else's.
pub type OpensSlot<'o> = dyn FnMut(Scope, &Slot) -> Result<Option<MasterKey>, KeyError> + 'o;

/// What is tried on a backup.
pub enum Opener<'o> {
    /// Nothing: level 0.
    Nothing,
    /// A key file.
    KeyFile(&'o Keyring),
    /// Something that opens slots: it is asked for each slot by itself.
    Slots(&'o mut OpensSlot<'o>),
}

/// How far an audit goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Segments to open, drawn from all parts.
    pub probe: u32,
    /// Whether the index is read.
    pub index: bool,
}

/// What the audit of one backup found.
pub struct Audit {
    /// The backup.
    pub id: BackupId,
    /// Its manifest, authenticated at level 1 and above; `None` when it cannot be read.
    pub manifest: Option<Manifest>,
    /// The level that was reached.
    pub level: u8,
    /// Slots that opened.
    pub opened: Vec<[u8; 4]>,
    /// The keys that it opened with.
    pub keys: Option<VaultKeys>,
    /// Parts whose header agreed.
    pub headers: u64,
    /// Segments that were opened, and how many there are.
    pub segments: (u64, u64),
    /// Bytes read from the store.
    pub bytes_read: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Audit {
    fn new(id: BackupId) -> Audit {
        Audit {
            id,
            manifest: None,
            level: 0,
            opened: Vec::new(),
            keys: None,
            headers: 0,
            segments: (0, 0),
            bytes_read: 0,
            findings: Vec::new(),
        }
    }

    /// Whether the backup would not open.
    pub fn failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.hinders_restore)
    }

    /// The backup opened with a key that is not the right one.
    pub fn refuse(&mut self, class: FailureClass, what: String) {
        self.level = 0;
        self.keys = None;
        self.findings.push(Finding { class, what, hinders_restore: true });
    }

    fn find(&mut self, error: &RunError, hinders_restore: bool) {
        self.findings.push(Finding { class: error.class(), what: error.to_string(), hinders_restore });
    }
}

/// Audits one backup. `survey` lists the objects of its guid.
///
/// # Errors
/// The store cannot be read, or the run is stopped. What is wrong with the backup is in the audit.
pub fn audit(
    world: &World<'_>,
    survey: &Survey,
    id: &BackupId,
    opener: &mut Opener<'_>,
    depth: Depth,
) -> Result<Audit, RunError> {
    let counting = Counting::new(world.store);
    let world = World { store: &counting, ..*world };
    let mut audit = Audit::new(*id);
    match look(&world, survey, &mut audit, opener, depth) {
        // Nobody learns from these whether the backup is good.
        Err(error)
            if matches!(error.class(), FailureClass::Store | FailureClass::Interrupted | FailureClass::Terminated) =>
        {
            return Err(error);
        }
        Err(error) => audit.find(&error, true),
        Ok(()) => {}
    }
    audit.bytes_read = counting.bytes();
    Ok(audit)
}

/// What hinders a restore ends the look, and comes back as the error.
fn look(
    world: &World<'_>,
    survey: &Survey,
    audit: &mut Audit,
    opener: &mut Opener<'_>,
    depth: Depth,
) -> Result<(), RunError> {
    let id = audit.id;
    world.check_stop()?;
    let text = read_manifest(world.store, &id)?;
    let manifest = Manifest::parse(&id, &text).map_err(ArchiveError::format(&id.manifest_name()))?.manifest;
    audit.manifest = Some(manifest.clone());
    for slot in &manifest.slots {
        if let Err(error) = check_form(slot) {
            audit.find(&error.into(), false);
        }
    }
    match opener {
        Opener::Nothing => Ok(()),
        Opener::KeyFile(ring) => {
            let keys = ring.of_epoch(manifest.epoch).unwrap_or(ring.newest());
            look_inside(world, survey, audit, &text, keys, depth)
        }
        Opener::Slots(opens) => {
            let keys = open_slots(&manifest, *opens, audit)?;
            look_inside(world, survey, audit, &text, &keys, depth)?;
            audit.keys = Some(keys);
            Ok(())
        }
    }
}

/// The key that the slots hold, and which of them opened.
fn open_slots(manifest: &Manifest, opens: &mut OpensSlot<'_>, audit: &mut Audit) -> Result<VaultKeys, RunError> {
    let scope = Scope { guid: manifest.id.guid, epoch: manifest.epoch };
    let mut found: Option<VaultKeys> = None;
    let mut failed = Vec::new();
    for slot in &manifest.slots {
        let key = match opens(scope, slot) {
            Ok(Some(key)) => key,
            Ok(None) => continue,
            Err(error) => {
                failed.push(RunError::from(error));
                continue;
            }
        };
        let keys = key.derive();
        // Slots of one manifest wrap one key.
        if found.as_ref().is_some_and(|found| found.pack.fingerprint != keys.pack.fingerprint) {
            return Err(KeyError::ForeignSlot.into());
        }
        audit.opened.push(slot.id);
        found = Some(keys);
    }
    // One that opens opens the backup, whatever became of the others.
    if found.is_some() {
        // That `age` fails is all it says of a slot that is somebody else's.
        failed.retain(|error| !matches!(error, RunError::Key(KeyError::Age(AgeError::Program(_)))));
        failed.iter().for_each(|error| audit.find(error, false));
    }
    let none = || failed.pop().unwrap_or(RunError::NoSlotOpens { id: manifest.id, slots: manifest.slots.len() });
    found.ok_or_else(none)
}

/// Everything behind the vault key.
fn look_inside(
    world: &World<'_>,
    survey: &Survey,
    audit: &mut Audit,
    text: &[u8],
    keys: &VaultKeys,
    depth: Depth,
) -> Result<(), RunError> {
    let OpenManifest { manifest, archive_key } = open(&audit.id, text, keys)?;
    let readers = Readers::open_listed(world.store, survey, &manifest, &archive_key, keys)?;
    let catalogues = open_catalogues(world, audit, &manifest, keys);
    let parts: Vec<&PartReader<'_>> = readers.data.iter().chain(&readers.index).chain(&catalogues).collect();
    audit.headers = parts.len() as u64;
    audit.level = 1;
    audit.manifest = Some(manifest);
    if depth.probe > 0 {
        probe(world, audit, &parts, depth.probe)?;
        audit.level = 2;
    }
    if let (true, Some(manifest)) = (depth.index, &audit.manifest) {
        readers.read_index(manifest)?;
        audit.level = 3;
    }
    Ok(())
}

/// The catalogues, own ones and those of bases. A restore needs none of them, so that one is gone hinders none.
fn open_catalogues<'s>(
    world: &World<'s>,
    audit: &mut Audit,
    manifest: &Manifest,
    keys: &VaultKeys,
) -> Vec<PartReader<'s>> {
    let bases = manifest.bases.iter().map(|base| manifest.of_base(base));
    let mut readers = Vec::new();
    for of in std::iter::once(manifest.clone()).chain(bases) {
        for part in of.parts.iter().filter(|part| part.role == Role::Catalogue) {
            match PartReader::open(world.store, &own(&of, part), PartSecret::Catalogue(&keys.pack.catalogue)) {
                Ok(reader) => readers.push(reader),
                Err(error) => audit.find(&error, false),
            }
        }
    }
    readers
}

/// Opens segments, each as likely as any other, and none twice.
fn probe(world: &World<'_>, audit: &mut Audit, parts: &[&PartReader<'_>], count: u32) -> Result<(), RunError> {
    let all: u64 = parts.iter().map(|part| part.segments()).sum();
    audit.segments = (0, all);
    for mut at in draw(world, u64::from(count), all) {
        world.check_stop()?;
        for part in parts {
            if at < part.segments() {
                part.check_segment(at)?;
                audit.segments.0 += 1;
                break;
            }
            at -= part.segments();
        }
    }
    Ok(())
}

/// So many different numbers below `all`, or all of them (Floyd).
fn draw(world: &World<'_>, count: u64, all: u64) -> BTreeSet<u64> {
    let mut drawn = BTreeSet::new();
    for last in all.saturating_sub(count)..all {
        let mut random = [0; 8];
        world.random.fill(&mut random);
        if !drawn.insert(u64::from_le_bytes(random) % (last + 1)) {
            drawn.insert(last);
        }
    }
    drawn
}
