//! The cache is never needed: whatever happens to it, or to the store behind its back, costs space or a warning and never data. And one that
//! lies under valid checksums is found out by the audit.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::stores::{Same, restored};
use common::world::*;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::format::header::Role;
use vault::format::manifest::Manifest;
use vault::index::cache::{NewBackup, NewChunk, Target, rebuild};
use vault::keys::ring::Keyring;
use vault::pipeline::error::RunError;
use vault::pipeline::history::{catalogue_parts, read_chapter};
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{PackOptions, Packed};
use vault::pipeline::port::Store;
use vault::pipeline::survey::Survey;
use vault::pipeline::unpack::Restore;
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

const DAY: u64 = 86_400_000;

/// A machine with its cache, and a store.
struct Machine {
    ring: Keyring,
    outside: Outside,
    store: MemoryStore,
    directory: tempfile::TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine {
            ring: ring("key"),
            outside: Outside::new("run"),
            store: MemoryStore::new(),
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// A machine with so many days behind it.
    fn after(days: usize) -> (Machine, Vec<Packed>) {
        let machine = Machine::new();
        let packed = (0..days).map(|day| machine.pack(&dump(day))).collect();
        assert_eq!(machine.outside.warnings(), [] as [String; 0]);
        (machine, packed)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn pack(&self, dump: &[u8]) -> Packed {
        self.pack_at(dump, self.path())
    }

    fn pack_at(&self, dump: &[u8], cache: PathBuf) -> Packed {
        let packed = self.try_pack(dump, cache, options()).expect("packs");
        self.check(&packed.manifest.id, dump);
        packed
    }

    fn try_pack(&self, dump: &[u8], cache: PathBuf, options: PackOptions) -> Result<Packed, RunError> {
        self.outside.later(DAY);
        pack_with(&self.outside, &Same(self.store.clone()), &self.ring, options, dump, &CachePlace::File(cache))
    }

    /// The backup is whole, and is that dump.
    fn check(&self, id: &BackupId, dump: &[u8]) {
        check(&self.outside, &self.store, &self.ring, id, dump);
    }

    /// The warnings since the last time, one of which says that.
    fn warned(&self, what: &str) {
        let warnings = self.outside.warnings();
        assert!(warnings.iter().any(|warning| warning.contains(what)), "{what:?} is not in {warnings:#?}");
    }

    fn silent(&self) {
        assert_eq!(self.outside.warnings(), [] as [String; 0]);
    }

    fn first_data(&self, manifest: &Manifest) -> String {
        manifest.id.part_name(manifest.parts.iter().find(|part| part.role == Role::Data).expect("a data part").index)
    }

    fn first_catalogue(&self, manifest: &Manifest) -> String {
        manifest.id.part_name(catalogue_parts(manifest).first().expect("a catalogue part").index)
    }

    /// A cache of one backup as an honest run would make it, but for what `change` does to its chunks.
    fn forge(&self, manifest: &Manifest, change: impl Fn(&mut [NewChunk])) {
        let (store, keys) = (Same(self.store.clone()), &self.ring.newest().pack);
        let survey = Survey::take(&store, "").expect("lists");
        let chapter = read_chapter(&Outside::new("forge").world(&store), keys, &survey, manifest).expect("a catalogue");
        let backup: Option<NewBackup> = chapter.into_new_backup(&catalogue_parts(manifest));
        let mut backup = backup.expect("it was read from the store");
        change(&mut backup.chunks);
        let mut binding = blake3::Hasher::new();
        binding.update(&keys.scope.bytes()).update(store.location().as_bytes());
        let (key, binding) = (keys.cache_key(), *binding.finalize().as_bytes());
        let path = self.path();
        rebuild(None, &|_| false, &mut [backup], &key, &binding, Target::File(&path)).expect("a cache");
    }
}

fn options() -> PackOptions {
    small(60_000)
}

fn check(outside: &Outside, store: &MemoryStore, ring: &Keyring, id: &BackupId, dump: &[u8]) {
    let open = open(store, ring, id).expect("opens");
    let report = verify_full(&outside.world(store), &open, ring.newest(), 1).expect("verifies");
    assert_eq!(report.findings, [], "{id}");
    assert!(unpack_bytes(outside, store, ring, id).expect("unpacks") == dump, "{id}");
}

/// Each day a little is added in the middle.
fn dump(day: usize) -> Vec<u8> {
    let mut dump = rows(1, 1500);
    for day in 0..day as u64 {
        let at = 3000 + 4000 * day as usize;
        dump.splice(at..at + 100, rows(50 + day, 20));
    }
    dump
}

fn deduplicated(packed: &Packed) {
    assert!(packed.new * 4 < packed.plain, "{} of {} bytes are new", packed.new, packed.plain);
}

#[test]
fn a_cache_that_is_missing_costs_nothing() {
    let (machine, _) = Machine::after(2);
    std::fs::remove_file(machine.path()).expect("there is one");
    deduplicated(&machine.pack(&dump(2)));
    machine.silent();
    assert!(machine.path().exists(), "there is one again");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let (machine, _) = Machine::after(2);
    let file = machine.directory.path().join("file");
    std::fs::write(&file, "not a directory").expect("ours");
    deduplicated(&machine.pack_at(&dump(2), file.join("cache")));
    machine.warned("the cache cannot be written");
    // A directory in its place.
    let directory = machine.directory.path().join("directory");
    std::fs::create_dir(&directory).expect("ours");
    deduplicated(&machine.pack_at(&dump(3), directory));
    machine.warned("the cache");
}

#[test]
fn a_cache_that_is_older_than_the_store_is_caught_up() {
    let (machine, _) = Machine::after(1);
    let old = std::fs::read(machine.path()).expect("a cache");
    for day in 1..4 {
        machine.pack(&dump(day));
    }
    std::fs::write(machine.path(), old).expect("ours");
    deduplicated(&machine.pack(&dump(4)));
    machine.silent();
    deduplicated(&machine.pack(&dump(5)));
    machine.silent();
}

#[test]
fn the_cache_of_another_store_or_key_is_a_warning() {
    let (machine, _) = Machine::after(2);
    let own = std::fs::read(machine.path()).expect("a cache");
    pack_with(
        &Outside::new("x"),
        &MemoryStore::new(),
        &machine.ring,
        options(),
        &dump(0),
        &CachePlace::File(machine.path()),
    )
    .expect("packs");
    deduplicated(&machine.pack(&dump(2)));
    machine.warned("belongs to another");
    let other = ring("another key");
    std::fs::write(machine.path(), own).expect("ours");
    let outside = Outside::new("y");
    let place = CachePlace::File(machine.path());
    pack_with(&outside, &Same(MemoryStore::new()), &other, options(), &dump(0), &place).expect("packs");
    assert!(outside.warnings().iter().any(|warning| warning.contains("does not agree with its checksum")));
    deduplicated(&machine.pack(&dump(3)));
    machine.warned("the cache is not used");
    std::fs::write(machine.path(), "something else").expect("ours");
    deduplicated(&machine.pack(&dump(4)));
    machine.warned("this is not a dedup cache");
}

#[test]
fn no_bit_and_no_length_of_the_cache_matters() {
    let (machine, packed) = Machine::after(2);
    let (cache, snapshot) = (std::fs::read(machine.path()).expect("a cache"), machine.store.snapshot());
    assert_eq!(packed.len(), 2);
    let mut changed: Vec<Vec<u8>> = (0..cache.len() * 8)
        .step_by(97)
        .map(|bit| {
            let mut changed = cache.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        })
        .collect();
    changed.extend((0..cache.len()).step_by(499).map(|length| cache[..length].to_vec()));
    assert!(changed.len() > 2000, "{}", changed.len());
    let (next, warned, third) = (AtomicUsize::new(0), AtomicUsize::new(0), dump(2));
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let path = machine.directory.path().join(format!("changed {thread}"));
            let (machine, snapshot, third, changed, next, warned, wrong) =
                (&machine, &snapshot, &third, &changed, &next, &warned, &wrong);
            scope.spawn(move || {
                while let Some(bytes) = changed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::fs::write(&path, bytes).expect("ours");
                    let (outside, store) = (Outside::new("third"), restored(snapshot));
                    outside.later(9 * DAY);
                    let place = CachePlace::File(path.clone());
                    match pack_with(&outside, &Same(store.clone()), &machine.ring, options(), third, &place) {
                        Ok(packed) => check(&outside, &store, &machine.ring, &packed.manifest.id, third),
                        Err(error) => wrong.lock().expect("no thread panics").push(error.to_string()),
                    }
                    warned.fetch_add(usize::from(!outside.warnings().is_empty()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(wrong.into_inner().expect("no thread panicked"), [] as [String; 0]);
    // A page that no lookup came by is never looked at.
    let warned = warned.into_inner();
    assert!(warned * 100 > changed.len() * 90, "{warned} of {}", changed.len());
}

#[test]
fn what_a_store_restored_from_a_copy_lacks_is_not_referenced() {
    for later in [0, DAY] {
        let (machine, _) = Machine::after(2);
        let copy = machine.store.snapshot();
        let lost = machine.pack(&dump(3));
        for name in machine.store.names().iter().filter(|name| !copy.contains_key(*name)) {
            Store::delete(&machine.store, name).expect("deletes");
        }
        assert_eq!(machine.store.snapshot(), copy);
        // The third day again, in the same millisecond as the lost one or later, with all that it had and a little more.
        let now = lost.manifest.id.timestamp + later;
        machine.outside.clock.0.store(now - DAY, Ordering::SeqCst);
        let packed = machine.pack(&[dump(3), rows(77, 30)].concat());
        assert_eq!(packed.manifest.id.timestamp, now);
        deduplicated(&packed);
        machine.warned("remembers a newer backup");
        assert!(packed.manifest.bases.iter().all(|base| base.id < lost.manifest.id));
        deduplicated(&machine.pack(&[dump(4), rows(77, 30)].concat()));
    }
}

#[test]
fn another_backup_of_the_same_id_is_another_backup() {
    let (machine, _) = Machine::after(2);
    let copy = machine.store.snapshot();
    let lost = machine.pack(&dump(3));
    for name in machine.store.names().iter().filter(|name| !copy.contains_key(*name)) {
        Store::delete(&machine.store, name).expect("deletes");
    }
    // Another machine packs in the same millisecond. This one remembers what it packed then itself, under the same id.
    let other = Machine { outside: Outside::new("another machine"), store: machine.store.clone(), ..Machine::new() };
    other.outside.clock.0.store(lost.manifest.id.timestamp - DAY, Ordering::SeqCst);
    let shifted = [rows(88, 40), dump(3)].concat();
    let theirs = other.pack(&shifted);
    assert_eq!(theirs.manifest.id, lost.manifest.id);
    let packed = machine.pack(&dump(3));
    deduplicated(&packed);
    assert!(packed.manifest.bases.iter().any(|base| base.id == lost.manifest.id));
}

#[test]
fn parts_that_are_replaced_cut_or_gone_are_not_referenced() {
    let mut cases = 0;
    for cached in [true, false] {
        for damage in ["another part", "noise", "cut", "gone"] {
            let (machine, packed) = Machine::after(2);
            let name = machine.first_data(&packed[0].manifest);
            let whole = machine.store.snapshot()[&name].clone();
            match damage {
                "another part" => {
                    // The same dump under the same key, packed elsewhere: equal in size, and not the same part.
                    let other = Machine::new();
                    let twin = Outside::new("another run");
                    let twin = Machine { outside: twin, ..other };
                    let packed = twin.pack(&dump(0));
                    let bytes = twin.store.snapshot()[&packed.manifest.id.part_name(0)].clone();
                    assert!(bytes.len() == whole.len() && bytes != whole);
                    machine.store.insert(name.clone(), bytes);
                }
                "noise" => machine.store.insert(name.clone(), noise("x", whole.len())),
                "cut" => machine.store.insert(name.clone(), &whole[..whole.len() - 1]),
                _ => Store::delete(&machine.store, &name).expect("deletes"),
            }
            if !cached {
                std::fs::remove_file(machine.path()).expect("there is one");
            }
            let packed = machine.pack(&dump(2));
            machine.warned("an earlier part cannot be used");
            assert!(!packed.manifest.objects().any(|(id, part)| id.part_name(part.index) == name), "{damage}");
            machine.pack(&dump(3));
            cases += 1;
        }
    }
    assert_eq!(cases, 8);
}

#[test]
fn catalogues_that_are_damaged_or_gone_cost_space() {
    let mut cases = 0;
    for cached in [true, false] {
        for day in [0, 1] {
            for gone in [true, false] {
                let (machine, packed) = Machine::after(2);
                let name = machine.first_catalogue(&packed[day].manifest);
                if gone {
                    Store::delete(&machine.store, &name).expect("deletes");
                } else {
                    let mut bytes = machine.store.snapshot()[&name].clone();
                    bytes[300] ^= 4;
                    machine.store.insert(name.clone(), bytes);
                }
                if !cached {
                    std::fs::remove_file(machine.path()).expect("there is one");
                }
                // A cache has what a damaged catalogue said, and damage behind the header is for a verification to find. So the
                // backup is checked as a restore sees it.
                let packed = machine.try_pack(&dump(2), machine.path(), options()).expect("packs");
                let back = unpack_bytes(&machine.outside, &machine.store, &machine.ring, &packed.manifest.id);
                assert!(back.expect("unpacks") == dump(2));
                let warnings = machine.outside.warnings();
                assert!((cached && !gone) || !warnings.is_empty(), "cached {cached}, day {day}, gone {gone}");
                let names_it = packed.manifest.objects().any(|(id, part)| id.part_name(part.index) == name);
                assert!(!(names_it && gone), "a manifest names a catalogue that is gone");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 8);
}

/// Every chunk is said to be where another one of its length is.
fn swap(chunks: &mut [NewChunk]) {
    chunks.sort_by_key(|chunk| (chunk.length, chunk.id));
    let mut swapped = 0;
    for at in 1..chunks.len() {
        let (left, right) = chunks.split_at_mut(at);
        if left[at - 1].length == right[0].length {
            std::mem::swap(&mut left[at - 1].block, &mut right[0].block);
            std::mem::swap(&mut left[at - 1].offset, &mut right[0].offset);
            swapped += 1;
        }
    }
    assert!(swapped > 100, "{swapped}");
}

fn exists(path: &Path) -> bool {
    path.try_exists().expect("the directory is ours")
}

#[test]
fn a_cache_that_lies_is_found_out_by_the_audit() {
    let (machine, packed) = Machine::after(1);
    let manifest = &packed[0].manifest;
    // What is forged without a lie serves.
    machine.forge(manifest, |_| ());
    let paranoid = || PackOptions { paranoid: true, ..options() };
    let packed = machine.try_pack(&dump(1), machine.path(), paranoid()).expect("packs");
    deduplicated(&packed);
    machine.check(&packed.manifest.id, &dump(1));
    machine.silent();
    let before = machine.store.snapshot();
    machine.forge(manifest, swap);
    let error = machine.try_pack(&dump(2), machine.path(), paranoid()).expect_err("the cache lies");
    assert!(matches!(error, RunError::Audit), "{error}");
    assert_eq!(error.class(), FailureClass::Failure);
    assert_eq!(machine.store.snapshot(), before, "nothing is left");
    assert!(!exists(&machine.path()), "the cache is dropped");
    machine.silent();
    // The next backup is a full one, whoever asks for it, and the one after that is not.
    let next = machine.pack(&dump(2));
    machine.warned("everything is stored again");
    assert!(next.manifest.bases.is_empty());
    let after = machine.pack(&dump(3));
    machine.silent();
    deduplicated(&after);
}

#[test]
fn the_sixteenth_backup_is_audited_without_being_asked() {
    let (machine, packed) = Machine::after(15);
    let last = &packed[14].manifest;
    assert_eq!(last.seq, 15);
    // The newest backup has little of its own, so it is the first one about which the cache has to lie.
    machine.forge(&packed[0].manifest, swap);
    let error = machine.try_pack(&dump(15), machine.path(), options()).expect_err("the cache lies");
    assert!(matches!(error, RunError::Audit), "{error}");
    // A run that fails leaves the mark; the next one that succeeds takes it away.
    let cut = machine.try_pack(&[], machine.path(), options()).expect_err("an empty dump");
    assert!(matches!(cut, RunError::Empty));
    machine.warned("everything is stored again");
    let next = machine.pack(&dump(15));
    machine.warned("everything is stored again");
    assert_eq!((next.manifest.seq, next.manifest.bases.len()), (16, 0));
    deduplicated(&machine.pack(&dump(16)));
    machine.silent();
}

#[test]
fn what_a_lie_made_is_refused_by_every_reader() {
    let (machine, packed) = Machine::after(1);
    machine.forge(&packed[0].manifest, swap);
    // Nobody looked: the backup is there, and is not the dump. What is restored is held against the digests of what was read.
    let packed = machine.try_pack(&dump(1), machine.path(), options()).expect("packs");
    let id = packed.manifest.id;
    let mut released = Vec::new();
    let error = unpack_into(&machine.outside, &machine.store, &machine.ring, &id, &mut released).expect_err("a lie");
    assert!(matches!(error, RunError::Digest { .. }), "{error}");
    assert_eq!(released, [] as [u8; 0], "its first span is wrong already");
    let opened = open(&machine.store, &machine.ring, &id).expect("opens");
    let world = machine.outside.world(&machine.store);
    let restore = Restore::prepare(&world, &opened, machine.ring.newest(), 1).expect("everything is there");
    let error = restore.release_ranges(std::slice::from_ref(&(100..200)), &mut released).expect_err("a lie");
    assert!(matches!(error, RunError::Digest { .. }) && released.is_empty(), "{error}");
    let report = verify_full(&world, &opened, machine.ring.newest(), 1).expect("verifies");
    assert!(report.findings.iter().any(|finding| finding.class == FailureClass::Damaged && finding.hinders_restore));
}
