//! Operation 1 of the store fails, then 2, then 3, until a run needs fewer than that; and after each run one looks at what is left.
//!
//! What must hold: earlier backups are what they were. A new backup is there when pack said so, and whole. When pack said that it failed, its
//! manifest is not there; or, where the store was gone before it could be taken back, it is there with everything that it names. Nothing
//! of a failed run is left, unless the cleanup itself could not reach the store. Readers release a beginning of the dump and nothing else.

mod common;

use std::path::PathBuf;

use common::stores::{Outage, Retrying, Same, Snapshot, restored};
use common::world::*;
use vault::base::failure::FailureClass;
use vault::base::id::{BackupId, ObjectName};
use vault::keys::ring::Keyring;
use vault::pipeline::error::RunError;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{PackOptions, Packed};
use vault::pipeline::port::Store;
use vault::pipeline::verify::verify_full;
use vault::store::faulty::{FaultyStore, Times};
use vault::store::memory::MemoryStore;

const DAY: u64 = 86_400_000;
/// Far more operations than any run here needs.
const MANY: u64 = 2000;

/// Two days in the store, and a third dump.
struct Scene {
    ring: Keyring,
    before: Snapshot,
    days: Vec<(BackupId, Vec<u8>)>,
    third: Vec<u8>,
    cache: Option<Vec<u8>>,
}

fn options() -> PackOptions {
    small(8480)
}

impl Scene {
    fn new(place: &CachePlace) -> Scene {
        let (ring, outside, store) = (ring("key"), Outside::new("before"), MemoryStore::new());
        let mut dump = rows(1, 400);
        let mut days = Vec::new();
        for day in 0..2 {
            let packed = pack_with(&outside, &Same(store.clone()), &ring, options(), &dump, place).expect("packs");
            days.push((packed.manifest.id, dump.clone()));
            outside.later(DAY);
            dump.splice(4000..4000, rows(day + 7, 150));
            dump.extend_from_slice(&noise("more", 30_000 * day as usize));
        }
        assert_eq!(outside.warnings(), [] as [String; 0]);
        let cache = match place {
            CachePlace::File(path) => Some(std::fs::read(path).expect("a cache")),
            CachePlace::None => None,
        };
        Scene { ring, before: store.snapshot(), days, third: dump, cache }
    }

    /// An outside two days later.
    fn outside(&self) -> Outside {
        let outside = Outside::new("third");
        outside.later(2 * DAY);
        outside
    }

    fn pack(&self, outside: &Outside, store: &dyn Store, place: &CachePlace) -> Result<Packed, RunError> {
        if let (CachePlace::File(path), Some(bytes)) = (place, &self.cache) {
            std::fs::write(path, bytes).expect("the directory is ours");
        }
        pack_with(outside, store, &self.ring, options(), &self.third, place)
    }

    /// Looks at the store after a run. Gives the names that were not there before.
    fn look(&self, store: &MemoryStore, outcome: &Result<Packed, RunError>, case: &str) -> Vec<String> {
        let after = store.snapshot();
        for (name, bytes) in &self.before {
            assert_eq!(after.get(name), Some(bytes), "{case}: {name} is not what it was");
        }
        let outside = self.outside();
        for (id, dump) in &self.days {
            assert!(is_whole(&outside, store, &self.ring, id, dump), "{case}: {id}");
        }
        let new: Vec<String> = after.keys().filter(|name| !self.before.contains_key(*name)).cloned().collect();
        match outcome {
            Ok(packed) => {
                assert!(is_whole(&outside, store, &self.ring, &packed.manifest.id, &self.third), "{case}");
                let own = packed.manifest.parts.len() + 1;
                assert_eq!(new.len(), own, "{case}: strays among {new:?}");
            }
            Err(error) => assert!(!matches!(error, RunError::Worker), "{case}: {error}"),
        }
        new
    }

    /// The manifest that a failed run left behind is whole, if there is one.
    fn look_at_manifest(&self, store: &MemoryStore, new: &[String], case: &str) -> bool {
        let manifest = new.iter().find_map(|name| match ObjectName::parse(name) {
            Some(ObjectName::Manifest(id)) => Some(id),
            _ => None,
        });
        if let Some(id) = manifest {
            assert!(
                is_whole(&self.outside(), store, &self.ring, &id, &self.third),
                "{case}: a manifest without its parts"
            );
        }
        manifest.is_some()
    }
}

fn is_whole(outside: &Outside, store: &MemoryStore, ring: &Keyring, id: &BackupId, dump: &[u8]) -> bool {
    let open = open(store, ring, id).expect("opens");
    let report = verify_full(&outside.world(store), &open, ring.newest(), 1).expect("verifies");
    assert_eq!(report.findings, [], "{id}");
    unpack_bytes(outside, store, ring, id).expect("unpacks") == dump
}

/// Fails every operation of a pack in turn. Gives how many there were.
fn fail_each(scene: &Scene, place: &CachePlace, times: Times) -> u64 {
    for at in 1..MANY {
        let (outside, store) = (scene.outside(), restored(&scene.before));
        let faulty = FaultyStore::failing(Same(store.clone()), at, times);
        let outcome = scene.pack(&outside, &faulty, place);
        let case = format!("{times:?} at {at}: {:?}", outcome.as_ref().map(|_| ()).map_err(ToString::to_string));
        let new = scene.look(&store, &outcome, &case);
        if let Err(error) = &outcome {
            assert_eq!(error.class(), FailureClass::Store, "{case}");
            let left = scene.look_at_manifest(&store, &new, &case);
            let warnings = outside.warnings();
            assert!(!left || warnings.iter().any(|warning| warning.contains("manifest")), "{case}: {warnings:?}");
            match times {
                Times::Once => assert_eq!(new, [] as [String; 0], "{case}"),
                Times::FromThenOn => assert!(new.is_empty() || !warnings.is_empty(), "{case}: left without a word"),
            }
        }
        // Whatever is left, the next run goes through.
        outside.later(DAY);
        outside.warnings();
        let next = pack_with(&outside, &Same(store.clone()), &scene.ring, options(), &scene.third, place)
            .expect("the next run packs");
        assert!(is_whole(&outside, &store, &scene.ring, &next.manifest.id, &scene.third), "{case}: the next run");
        assert_eq!(outside.warnings(), [] as [String; 0], "{case}: the next run");
        if faulty.operations() < at {
            assert!(outcome.is_ok(), "{case}");
            return at - 1;
        }
    }
    panic!("a run needs more than {MANY} operations");
}

#[test]
fn pack_survives_the_failure_of_every_operation() {
    let scene = Scene::new(&CachePlace::None);
    let (once, always) =
        (fail_each(&scene, &CachePlace::None, Times::Once), fail_each(&scene, &CachePlace::None, Times::FromThenOn));
    println!("{once} operations");
    assert!(once >= 50 && always >= 50, "{once} and {always} operations");
}

#[test]
fn pack_with_a_cache_survives_the_failure_of_every_operation() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = CachePlace::File(directory.path().join("cache"));
    let scene = Scene::new(&place);
    let (once, always) = (fail_each(&scene, &place, Times::Once), fail_each(&scene, &place, Times::FromThenOn));
    assert!(once >= 50 && always >= 50, "{once} and {always} operations");
}

#[test]
fn pack_survives_outages_of_every_length() {
    let scene = Scene::new(&CachePlace::None);
    let mut cases = 0;
    for length in 2..=7 {
        for from in 1..MANY {
            let (outside, store) = (scene.outside(), restored(&scene.before));
            let outage = Outage::new(store.clone(), from, from + length);
            let outcome = scene.pack(&outside, &outage, &CachePlace::None);
            let case =
                format!("{from} to {}: {:?}", from + length, outcome.as_ref().map(|_| ()).map_err(ToString::to_string));
            let new = scene.look(&store, &outcome, &case);
            if outcome.is_err() {
                scene.look_at_manifest(&store, &new, &case);
                assert!(new.is_empty() || !outside.warnings().is_empty(), "{case}: left without a word: {new:?}");
            }
            cases += 1;
            if outage.operations() < from {
                break;
            }
        }
    }
    assert!(cases > 6 * 50, "{cases}");
}

#[test]
fn a_lost_reply_is_a_failure_or_a_success_and_never_half() {
    let scene = Scene::new(&CachePlace::None);
    let mut commits = 0;
    for commit in 1..MANY {
        let (outside, store) = (scene.outside(), restored(&scene.before));
        let losing = FaultyStore::losing_reply(store.clone(), commit);
        let outcome = scene.pack(&outside, &losing, &CachePlace::None);
        let new = scene.look(&store, &outcome, &format!("reply {commit} lost"));
        if losing.commits() < commit {
            assert!(outcome.is_ok());
            break;
        }
        let error = outcome.expect_err("nobody knows whether the object is durable");
        assert_eq!(error.class(), FailureClass::Store);
        assert_eq!(new, [] as [String; 0], "reply {commit} lost: {error}");
        let (outside, store) = (scene.outside(), restored(&scene.before));
        let retrying = Retrying::new(store.clone(), commit);
        let outcome = scene.pack(&outside, &retrying, &CachePlace::None);
        assert!(outcome.is_ok(), "commit {commit} was retried: {outcome:?}");
        scene.look(&store, &outcome, &format!("commit {commit} retried"));
        commits += 1;
    }
    assert!(commits >= 4, "data part, catalogue, index, manifest: {commits}");
}

#[test]
fn a_store_that_ignores_create_if_absent_is_written_once() {
    let scene = Scene::new(&CachePlace::None);
    let (outside, store) = (scene.outside(), restored(&scene.before));
    let outcome = scene.pack(&outside, &FaultyStore::overwriting(store.clone()), &CachePlace::None);
    assert!(outcome.is_ok());
    scene.look(&store, &outcome, "overwriting");
    // The same moment again: another id is taken, and nothing is written over.
    let again = pack_bytes(&outside, &FaultyStore::overwriting(store.clone()), &scene.ring, options(), &rows(99, 100));
    let again = again.expect("packs");
    scene.look_at_both(&store, &outcome.expect("packed"), &again);
}

impl Scene {
    fn look_at_both(&self, store: &MemoryStore, one: &Packed, other: &Packed) {
        assert_ne!(one.manifest.id, other.manifest.id);
        let outside = self.outside();
        assert!(is_whole(&outside, store, &self.ring, &one.manifest.id, &self.third));
        assert!(is_whole(&outside, store, &self.ring, &other.manifest.id, &rows(99, 100)));
    }
}

#[test]
fn readers_release_a_beginning_or_all_of_it() {
    let scene = Scene::new(&CachePlace::None);
    let store = restored(&scene.before);
    let (id, dump) = &scene.days[1];
    let opened = open(&store, &scene.ring, id).expect("opens");
    let outside = scene.outside();
    let (mut unpacks, mut verifies) = (0, 0);
    for times in [Times::Once, Times::FromThenOn] {
        for at in 1..MANY {
            let faulty = FaultyStore::failing(store.clone(), at, times);
            let mut released = Vec::new();
            let outcome = unpack_into(&outside, &faulty, &scene.ring, id, &mut released);
            assert!(dump.starts_with(&released), "{times:?} at {at}");
            if faulty.operations() < at {
                assert!(outcome.is_ok() && released.len() == dump.len());
                break;
            }
            // A block that is fetched ahead may fail when nobody needs it any more: then all of the dump is there.
            let error = outcome.expect_err("an operation failed");
            assert_eq!(error.class(), FailureClass::Store, "{times:?} at {at}: {error}");
            unpacks += 1;
        }
        for at in 1..MANY {
            let faulty = FaultyStore::failing(store.clone(), at, times);
            let outcome = verify_full(&outside.world(&faulty), &opened, scene.ring.newest(), 1);
            if faulty.operations() < at {
                assert_eq!(outcome.expect("verifies").findings, []);
                break;
            }
            match outcome {
                Ok(report) => {
                    let classes: Vec<FailureClass> = report.findings.iter().map(|finding| finding.class).collect();
                    assert!(
                        !classes.is_empty() && classes.iter().all(|class| *class == FailureClass::Store),
                        "{classes:?}"
                    );
                }
                Err(error) => assert_eq!(error.class(), FailureClass::Store),
            }
            verifies += 1;
        }
    }
    assert!(unpacks >= 2 * 8 && verifies >= 2 * 20, "{unpacks} and {verifies}");
    assert_eq!(store.snapshot(), scene.before, "readers change nothing");
}

#[test]
fn a_cache_of_a_run_that_failed_is_right_for_the_next() {
    // One store all along, so that the cache is bound to it: every failing run comes before one that succeeds.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path: PathBuf = directory.path().join("cache");
    let place = CachePlace::File(path);
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let mut dump = rows(1, 300);
    pack_with(&outside, &store, &ring, options(), &dump, &place).expect("packs");
    let mut cases = 0;
    for at in 1..60 {
        outside.later(DAY);
        let faulty = FaultyStore::failing(store.clone(), at, Times::FromThenOn);
        dump.splice(2000..2000, rows(at + 100, 3));
        let failed = pack_with(&outside, &faulty, &ring, options(), &dump, &place);
        dump.splice(5000..5040, rows(at + 200, 2));
        let packed = pack_with(&outside, &store, &ring, options(), &dump, &place).expect("packs");
        assert!(packed.new * 4 < packed.plain, "at {at}: {} of {}", packed.new, packed.plain);
        assert!(is_whole(&outside, &store, &ring, &packed.manifest.id, &dump), "at {at}");
        cases += usize::from(failed.is_err());
    }
    assert!(cases > 20, "{cases}");
}
