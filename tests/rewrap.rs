//! Slots of existing backups are replaced: at every failing operation each manifest is the old or the new one, the next run goes on, and in
//! the end the removed passphrase opens nothing and the chain is whole.

mod common;

use common::stores::{Snapshot, restored};
use common::world::*;
use vault::base::bytes::to_hex;
use vault::base::id::{BackupId, ObjectName};
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::passphrase::Cost;
use vault::crypto::secret::Secret;
use vault::format::manifest::{Manifest, Verdict};
use vault::format::slot::Slot;
use vault::keys::ring::Keyring;
use vault::keys::slots::{Passphrase, SlotOpener, make};
use vault::ops::accept::accept;
use vault::ops::rewrap::{Rewrapped, rewrap};
use vault::pipeline::error::RunError;
use vault::pipeline::pack::PackOptions;
use vault::pipeline::port::{Random, Silent, Store, StoreError};
use vault::pipeline::verify::verify_full;
use vault::store::faulty::{FaultyStore, Times};
use vault::store::memory::MemoryStore;

const DAY: u64 = 86_400_000;
const CHEAP: Cost = Cost { m: 32, t: 1, p: 4 };

/// Three days of a database under two passphrases, of which one goes.
struct Scene {
    ring: Keyring,
    both: Vec<Slot>,
    left: Vec<Slot>,
    before: Snapshot,
    days: Vec<(BackupId, Vec<u8>)>,
}

fn word(text: &str) -> Passphrase {
    Passphrase::new(zeroize::Zeroizing::new(text.as_bytes().to_vec())).expect("a passphrase")
}

fn options(slots: &[Slot], generation: u64) -> PackOptions {
    PackOptions { slots: slots.to_vec(), generation, ..small(8480) }
}

impl Scene {
    fn new() -> Scene {
        let (random, outside, store) = (Seeded::new("slots"), Outside::new("days"), MemoryStore::new());
        let fill = |bytes: &mut [u8]| random.fill(bytes);
        let key = MasterKey { scope: Scope { guid: GUID, epoch: 1 }, secret: Secret::fill(|bytes| fill(bytes)) };
        let slot = |text| make(&key, &word(text), CHEAP, &fill).expect("a slot");
        let both = vec![slot("goes"), slot("stays")];
        let ring = Keyring::of(&key, both.clone());
        let mut dump = rows(1, 300);
        let mut days = Vec::new();
        for day in 0..3 {
            let packed = pack_bytes(&outside, &store, &ring, options(&both, 1), &dump).expect("packs");
            days.push((packed.manifest.id, dump.clone()));
            outside.later(DAY);
            dump.splice(4000..4000, rows(day + 7, 100));
        }
        Scene { ring, left: both[1..].to_vec(), both, before: store.snapshot(), days }
    }

    fn run(&self, store: &dyn Store) -> Result<Rewrapped, RunError> {
        rewrap(store, &Silent, &self.ring, &self.left, 2)
    }

    /// Each manifest is the old or the new one, and nothing else was touched. Gives how many are new.
    fn look(&self, store: &MemoryStore, case: &str) -> usize {
        let after = store.snapshot();
        assert!(after.keys().eq(self.before.keys()), "{case}: other names");
        let mut new = 0;
        for (name, bytes) in &after {
            let Some(ObjectName::Manifest(id)) = ObjectName::parse(name) else {
                assert_eq!(bytes, &self.before[name], "{case}: {name} was touched");
                continue;
            };
            let manifest = open(store, &self.ring, &id).unwrap_or_else(|error| panic!("{case}: {error}")).manifest;
            match manifest.generation {
                1 => assert_eq!(bytes, &self.before[name], "{case}: {name}"),
                generation => {
                    assert_eq!((generation, &manifest.slots), (2, &self.left), "{case}: {name}");
                    new += 1;
                }
            }
        }
        new
    }

    /// The passphrase that went opens no object, and its wrapped key is nowhere.
    fn is_gone(&self, store: &MemoryStore) {
        let [goes, stays] = ["goes", "stays"].map(|text| {
            let opened = store.snapshot().into_iter().filter(|(name, bytes)| {
                let Some(ObjectName::Manifest(id)) = ObjectName::parse(name) else { return false };
                let manifest = Manifest::parse(&id, bytes).expect("a manifest").manifest;
                let scope = Scope { guid: GUID, epoch: 1 };
                SlotOpener::new(word(text)).open(scope, &manifest.slots).expect("slots").is_some()
            });
            opened.count()
        });
        assert_eq!((goes, stays), (0, 3));
        let id = to_hex(&self.both[0].id);
        for (name, bytes) in store.snapshot() {
            assert!(!bytes.windows(8).any(|window| window == id.as_bytes()), "{name} still has the slot");
        }
    }

    /// Every day is whole, and the next one follows.
    fn is_whole(&self, store: &MemoryStore) {
        let outside = Outside::new("look");
        outside.later(4 * DAY);
        for (id, dump) in &self.days {
            let open = open(store, &self.ring, id).expect("opens");
            let report = verify_full(&outside.world(store), &open, self.ring.newest(), 1).expect("verifies");
            assert_eq!(report.findings, [], "{id}");
            assert_eq!(&unpack_bytes(&outside, store, &self.ring, id).expect("unpacks"), dump, "{id}");
        }
        let dump = &self.days[2].1;
        let packed = pack_bytes(&outside, store, &self.ring, options(&self.left, 2), dump).expect("packs");
        assert_eq!((packed.manifest.seq, packed.manifest.generation, packed.new), (4, 2, 0));
        assert_eq!(packed.manifest.prev.map(|prev| prev.id), Some(self.days[2].0));
        assert_eq!(outside.warnings(), [] as [String; 0]);
    }
}

#[test]
fn every_failing_operation_leaves_old_or_new_and_the_next_run_goes_on() {
    let scene = Scene::new();
    let (mut runs, mut halves) = (0, 0);
    for times in [Times::Once, Times::FromThenOn] {
        for at in 1.. {
            assert!(at < 100, "a run needs far fewer operations");
            let store = restored(&scene.before);
            let faulty = FaultyStore::failing(store.clone(), at, times);
            let done = scene.run(&faulty);
            let case = format!("operation {at}, {times:?}");
            let new = scene.look(&store, &case);
            if faulty.operations() < at {
                assert_eq!(done.expect("nothing failed").replaced, 3);
                break;
            }
            // A read that fails after the replacement did its work is told as a failure, and costs nothing.
            assert!(matches!(done, Err(RunError::Store(_))), "{case}: {done:?}");
            halves += usize::from((1..3).contains(&new));
            let again = scene.run(&store).expect("goes on");
            assert_eq!((again.replaced, again.current), (3 - new, new), "{case}");
            assert_eq!(scene.look(&store, &case), 3, "{case}");
            scene.is_gone(&store);
            runs += 1;
        }
    }
    assert_eq!((runs, halves), (26, 12), "what was tried");
    let store = restored(&scene.before);
    scene.run(&store).expect("rewraps");
    scene.is_gone(&store);
    scene.is_whole(&store);
}

#[test]
fn a_lost_reply_is_no_failure() {
    let scene = Scene::new();
    for commit in 1..=3 {
        let store = restored(&scene.before);
        let done = scene.run(&FaultyStore::losing_reply(store.clone(), commit)).expect("its bytes are there");
        assert_eq!((done.replaced, scene.look(&store, "lost reply")), (3, 3));
    }
}

#[test]
fn newer_slots_stop_it_before_anything_is_written() {
    let scene = Scene::new();
    let store = restored(&scene.before);
    rewrap(&store, &Silent, &scene.ring, &scene.left, 5).expect("rewraps");
    let before = store.snapshot();
    let refused = scene.run(&store).expect_err("is older");
    assert!(matches!(refused, RunError::Generation { found: 5, given: 2, .. }), "{refused}");
    assert_eq!(store.snapshot(), before);
}

/// Somebody else replaces the manifest between the look and the replacement.
struct Meddled(MemoryStore, String, Vec<u8>);

impl Store for Meddled {
    fn list(&self, prefix: &str) -> Result<Vec<vault::pipeline::port::ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.0.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn vault::pipeline::port::Upload>, StoreError> {
        self.0.create(name)
    }

    fn replace(&self, name: &str, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        if name == self.1 {
            self.0.insert(name, self.2.clone());
        }
        self.0.replace(name, old, new)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

#[test]
fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let scene = Scene::new();
    let others = restored(&scene.before);
    rewrap(&others, &Silent, &scene.ring, &scene.both[..1], 3).expect("rewraps");
    let name = scene.days[1].0.manifest_name();
    let theirs = others.get(&name, 0, 100_000).expect("a manifest");
    let store = restored(&scene.before);
    let refused = scene.run(&Meddled(store.clone(), name.clone(), theirs.clone())).expect_err("meets theirs");
    assert!(matches!(&refused, RunError::Store(StoreError::Changed { name: found }) if *found == name), "{refused}");
    assert_eq!(store.get(&name, 0, 100_000).expect("a manifest"), theirs);
}

/// The newest day is marked as shrunk.
fn shrunk() -> (Scene, BackupId) {
    let scene = Scene::new();
    let store = restored(&scene.before);
    let outside = Outside::new("shrunk");
    outside.later(4 * DAY);
    let packed = pack_bytes(&outside, &store, &scene.ring, options(&scene.both, 1), &rows(2, 20)).expect("packs");
    assert_eq!(packed.manifest.verdict, Verdict::Shrunk);
    (Scene { before: store.snapshot(), ..scene }, packed.manifest.id)
}

#[test]
fn accepting_replaces_one_manifest_or_none() {
    let (scene, id) = shrunk();
    let name = id.manifest_name();
    let mut runs = 0;
    for times in [Times::Once, Times::FromThenOn] {
        for at in 1.. {
            let store = restored(&scene.before);
            let faulty = FaultyStore::failing(store.clone(), at, times);
            let done = accept(&faulty, &id, &scene.ring);
            let verdict = open(&store, &scene.ring, &id).expect("opens").manifest.verdict;
            let others = |snapshot: &Snapshot| snapshot.iter().filter(|(other, _)| **other != name).count();
            assert!(store.snapshot().iter().all(|(other, bytes)| *other == name || scene.before[other] == *bytes));
            assert_eq!(others(&store.snapshot()), others(&scene.before));
            if faulty.operations() < at {
                assert_eq!(done.expect("nothing failed").verdict, Verdict::Accepted);
                break;
            }
            assert!(matches!(done, Err(RunError::Store(_))), "operation {at}: {done:?}");
            assert!(matches!(verdict, Verdict::Shrunk | Verdict::Accepted), "operation {at}");
            runs += 1;
        }
    }
    assert_eq!(runs, 8, "what was tried");
}

#[test]
fn who_accepts_and_who_changes_slots_lose_nothing_of_each_other() {
    let (scene, id) = shrunk();
    let name = id.manifest_name();
    // Slots are changed while somebody accepts.
    let rewrapped = restored(&scene.before);
    rewrap(&rewrapped, &Silent, &scene.ring, &scene.left, 2).expect("rewraps");
    let theirs = rewrapped.get(&name, 0, 100_000).expect("a manifest");
    let store = restored(&scene.before);
    let met =
        accept(&Meddled(store.clone(), name.clone(), theirs.clone()), &id, &scene.ring).expect_err("meets theirs");
    assert!(matches!(&met, RunError::Store(StoreError::Changed { name: found }) if *found == name), "{met}");
    assert_eq!(store.get(&name, 0, 100_000).expect("a manifest"), theirs);
    let both = accept(&store, &id, &scene.ring).expect("the next try");
    assert_eq!((both.verdict, both.generation, &both.slots), (Verdict::Accepted, 2, &scene.left));
    // Somebody accepts while slots are changed.
    let accepted = restored(&scene.before);
    accept(&accepted, &id, &scene.ring).expect("accepts");
    let theirs = accepted.get(&name, 0, 100_000).expect("a manifest");
    let store = restored(&scene.before);
    scene.run(&Meddled(store.clone(), name.clone(), theirs.clone())).expect_err("meets theirs");
    assert_eq!(store.get(&name, 0, 100_000).expect("a manifest"), theirs);
    scene.run(&store).expect("the next run");
    let manifest = open(&store, &scene.ring, &id).expect("opens").manifest;
    assert_eq!((manifest.verdict, manifest.generation, &manifest.slots), (Verdict::Accepted, 2, &scene.left));
    let report = verify_full(
        &Outside::new("look").world(&store),
        &open(&store, &scene.ring, &id).expect("opens"),
        scene.ring.newest(),
        1,
    );
    assert_eq!(report.expect("verifies").findings, []);
}

#[test]
fn damaged_and_foreign_manifests_keep_what_they_have() {
    let scene = Scene::new();
    let store = restored(&scene.before);
    let name = scene.days[0].0.manifest_name();
    let mut damaged = scene.before[&name].clone();
    let at = damaged.len() - 20;
    damaged[at] ^= 1;
    store.insert(name.clone(), damaged.clone());
    let foreign = format!("{GUID}-1750000000000.json");
    store.insert(foreign.clone(), b"{}".to_vec());
    let outside = Outside::new("look");
    let done = rewrap(&store, &outside.observer, &scene.ring, &scene.left, 2).expect("goes on");
    assert_eq!((done.replaced, done.refused), (2, 1));
    assert_eq!(outside.warnings().len(), 1);
    assert_eq!(
        (store.get(&name, 0, 100_000).expect("there"), store.get(&foreign, 0, 9).expect("there")),
        (damaged, b"{}".to_vec())
    );
}
