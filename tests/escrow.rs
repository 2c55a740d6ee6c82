//! The escrow audit and its records: what each level sees, what it reads, and who believes what it left behind.

mod common;
#[path = "common/python.rs"]
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use common::world::*;
use vault::base::failure::FailureClass;
use vault::base::id::{BackupId, check_record_name};
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::passphrase::Cost;
use vault::format::check_record::{CheckRecord, Way};
use vault::format::header::Role;
use vault::format::manifest::Manifest;
use vault::format::slot::{Slot, SlotKind};
use vault::keys::ring::{Keyring, file_text, new_key};
use vault::keys::slots::{Passphrase, SlotOpener, make};
use vault::ops::checks;
use vault::ops::escrow::{Audit, Depth, Opener, audit};
use vault::pipeline::pack::PackOptions;
use vault::pipeline::port::{ObjectInfo, Store, StoreError, Upload};
use vault::pipeline::survey::Survey;
use vault::store::memory::MemoryStore;

const DAY: u64 = 86_400_000;

/// A chain of two backups with a passphrase slot, the second of which uses parts of the first.
struct Scene {
    outside: Outside,
    store: MemoryStore,
    key: MasterKey,
    ring: Keyring,
    first: Manifest,
    second: Manifest,
}

fn word(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec().into()).expect("a passphrase")
}

impl Scene {
    fn new() -> Scene {
        let (outside, store, seed) = (Outside::new("scene"), MemoryStore::new(), Seeded::new("escrow"));
        let fill = |bytes: &mut [u8]| vault::pipeline::port::Random::fill(&seed, bytes);
        let key = new_key(GUID, &fill);
        // The least that is legal: what a guess costs is not what is tested here.
        let slot = make(&key, &word("right"), Cost { m: 8, t: 1, p: 1 }, &fill).expect("a slot");
        let ring = Keyring::of(&key, vec![slot.clone()]);
        let mut dump = [noise("dump", 1 << 20), rows(1, 2000)].concat();
        let options = || PackOptions { slots: vec![slot.clone()], ..small(1 << 17) };
        let first = pack_bytes(&outside, &store, &ring, options(), &dump).expect("packs").manifest;
        outside.later(DAY);
        dump.extend(rows(2, 800));
        let second = pack_bytes(&outside, &store, &ring, options(), &dump).expect("packs").manifest;
        assert!(second.bases[0].parts.len() > 8);
        Scene { outside, store, key, ring, first, second }
    }

    fn audit(&self, store: &MemoryStore, id: &BackupId, opener: &mut Opener<'_>, depth: Depth) -> Audit {
        let survey = Survey::take(store, "").expect("lists");
        audit(&self.outside.world(store), &survey, id, opener, depth).expect("looks")
    }

    fn copy(&self) -> MemoryStore {
        let store = MemoryStore::new();
        self.store.snapshot().into_iter().for_each(|(name, bytes)| store.insert(name, bytes));
        store
    }

    /// With a byte of an object changed.
    fn changed(&self, name: &str, at: usize) -> MemoryStore {
        let store = self.copy();
        let mut bytes = store.get(name, 0, 1 << 24).expect("an object");
        bytes[at] ^= 1;
        store.insert(name, bytes);
        store
    }
}

fn depth(level: u8) -> Depth {
    match level {
        2 => Depth { probe: 4000, index: false },
        3 => Depth { probe: 0, index: true },
        _ => Depth::default(),
    }
}

#[test]
fn it_reads_kilobytes_and_says_how_many() {
    let scene = Scene::new();
    let manifest = |id: &BackupId| scene.store.get(&id.manifest_name(), 0, 1 << 24).expect("a manifest").len() as u64;
    for of in [&scene.first, &scene.second] {
        let nothing = scene.audit(&scene.store, &of.id, &mut Opener::Nothing, depth(0));
        assert_eq!((nothing.level, nothing.bytes_read, nothing.findings.len()), (0, manifest(&of.id), 0));
        let keyed = scene.audit(&scene.store, &of.id, &mut Opener::KeyFile(&scene.ring), depth(1));
        let parts = of.objects().count() as u64;
        assert_eq!((keyed.level, keyed.headers, keyed.findings.len()), (1, parts, 0));
        assert_eq!(keyed.bytes_read, manifest(&of.id) + 256 * parts, "the manifest and the header of each part");
        let stored: u64 = of.objects().map(|(_, part)| part.bytes).sum();
        assert!(keyed.bytes_read * 50 < stored, "{} of {stored}", keyed.bytes_read);
        let probed =
            scene.audit(&scene.store, &of.id, &mut Opener::KeyFile(&scene.ring), Depth { probe: 5, index: true });
        assert_eq!((probed.level, probed.segments.0, probed.findings.len()), (3, 5, 0));
        assert!(probed.segments.1 > 200 && probed.bytes_read < keyed.bytes_read + 40 * 4096, "{}", probed.bytes_read);
    }
}

/// A store that counts what it gives.
struct Counted<'a>(&'a MemoryStore, AtomicU64);

impl Store for Counted<'_> {
    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.0.get(name, offset, length)?;
        self.1.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn create(&self, _name: &str) -> Result<Box<dyn Upload>, StoreError> {
        panic!("an audit writes nothing")
    }

    fn delete(&self, _name: &str) -> Result<(), StoreError> {
        panic!("an audit deletes nothing")
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

#[test]
fn every_byte_that_the_store_gives_is_counted() {
    let scene = Scene::new();
    let survey = Survey::take(&scene.store, "").expect("lists");
    let mut looked = 0;
    for level in 0..=3 {
        for of in [&scene.first.id, &scene.second.id] {
            let store = Counted(&scene.store, AtomicU64::new(0));
            let mut slots = SlotOpener::new(word("right"));
            let mut opens = |scope: Scope, slot: &Slot| slots.open(scope, std::slice::from_ref(slot));
            let openers = [Opener::KeyFile(&scene.ring), Opener::Slots(&mut opens)];
            for mut opener in openers {
                let before = store.1.load(Ordering::SeqCst);
                let audit = audit(&scene.outside.world(&store), &survey, of, &mut opener, depth(level)).expect("looks");
                assert!(!audit.failed());
                assert_eq!(audit.bytes_read, store.1.load(Ordering::SeqCst) - before, "level {level}");
                looked += 1;
            }
        }
    }
    assert_eq!(looked, 16);
}

#[test]
fn every_fault_is_seen_at_its_level() {
    let scene = Scene::new();
    let id = scene.second.id;
    let own = |role: Role| scene.second.parts.iter().find(|part| part.role == role).expect("a part");
    let base = &scene.second.bases[0];
    let of_base = |role: Role| base.id.part_name(base.parts.iter().find(|part| part.role == role).expect("one").index);
    let (data, index) = (id.part_name(own(Role::Data).index), id.part_name(own(Role::Index).index));
    let without = |name: &str| {
        let store = scene.copy();
        store.delete(name).expect("deletes");
        store
    };
    let retold = |from: &str, to: &str| {
        let store = scene.copy();
        let text = String::from_utf8(store.get(&id.manifest_name(), 0, 1 << 24).expect("a manifest")).expect("UTF-8");
        assert!(text.contains(from));
        store.insert(id.manifest_name(), text.replacen(from, to, 1).into_bytes());
        store
    };
    let text = String::from_utf8(scene.store.get(&id.manifest_name(), 0, 1 << 24).expect("a manifest")).expect("UTF-8");
    let mac = text[text.len() - 68..text.len() - 4].to_owned();
    let other_mac = mac.replace('0', "-").replace('1', "0").replace('-', "1");
    assert_ne!(mac, other_mac);
    use FailureClass::{Damaged, Limit, Missing};
    // What is wrong, what the store shows then, the lowest level that sees it, and the class; level 2 does not see what only 3 does.
    let cases = [
        ("manifest cut short", retold("\n}\n", ""), 0, Damaged),
        ("slot over the limits", retold("\"m\": 8,", "\"m\": 4194304,"), 0, Limit),
        ("slot below the limits", retold("\"m\": 8,", "\"m\": 7,"), 0, Limit),
        ("MAC", retold(&mac, &other_mac), 1, Damaged),
        ("a field under the MAC", retold("\"raw\"", "\"tar\""), 1, Damaged),
        ("header of a part", scene.changed(&data, 100), 1, Damaged),
        ("commitment of a part", scene.changed(&index, 240), 1, Damaged),
        ("header of a base's part", scene.changed(&of_base(Role::Data), 100), 1, Damaged),
        ("part gone", without(&data), 1, Missing),
        ("part of a base gone", without(&of_base(Role::Data)), 1, Missing),
        ("segment", scene.changed(&data, 300), 2, Damaged),
        ("segment of a base", scene.changed(&of_base(Role::Data), 300), 2, Damaged),
        ("index", scene.changed(&index, 300), 3, Damaged),
    ];
    let mut tried = 0;
    for (what, store, seen_at, class) in &cases {
        for level in 0..=3 {
            let mut opener = if level == 0 { Opener::Nothing } else { Opener::KeyFile(&scene.ring) };
            let audit = scene.audit(store, &id, &mut opener, depth(level));
            // Levels 2 and 3 each add to 1; a segment of the index is one of the segments.
            let seen = match seen_at {
                2 => level == 2,
                3 => level >= 2,
                seen_at => level >= *seen_at,
            };
            assert_eq!(audit.failed(), seen, "{what} at level {level}: {:?}", audit.findings);
            if seen {
                assert_eq!(audit.findings[0].class, *class, "{what}: {:?}", audit.findings);
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 52);
    for name in [id.part_name(own(Role::Catalogue).index), of_base(Role::Catalogue)] {
        let audit = scene.audit(&without(&name), &id, &mut Opener::KeyFile(&scene.ring), depth(1));
        assert!(
            !audit.failed() && audit.findings.len() == 1,
            "{name} is not needed for a restore: {:?}",
            audit.findings
        );
    }
}

#[test]
fn slots_are_opened_one_by_one() {
    let scene = Scene::new();
    let id = scene.second.id;
    let look = |text: &str, store: &MemoryStore| {
        let mut opener = SlotOpener::new(word(text));
        let mut opens = |scope: Scope, slot: &Slot| opener.open(scope, std::slice::from_ref(slot));
        scene.audit(store, &id, &mut Opener::Slots(&mut opens), depth(1))
    };
    let right = look("right", &scene.store);
    assert_eq!((right.level, right.opened.as_slice(), right.failed()), (1, &[scene.second.slots[0].id][..], false));
    let wrong = look("wrong", &scene.store);
    assert_eq!((wrong.level, wrong.opened.len()), (0, 0));
    assert_eq!(wrong.findings[0].class, FailureClass::WrongKey);
    // The same passphrase, and the key of somebody else in the slot.
    let seed = Seeded::new("thief");
    let fill = |bytes: &mut [u8]| vault::pipeline::port::Random::fill(&seed, bytes);
    let thief = make(&new_key(GUID, &fill), &word("right"), Cost { m: 8, t: 1, p: 1 }, &fill).expect("a slot");
    let store = scene.copy();
    let text = String::from_utf8(store.get(&id.manifest_name(), 0, 1 << 24).expect("a manifest")).expect("UTF-8");
    store.insert(id.manifest_name(), text.replace(&scene.second.slots[0].encode(), &thief.encode()).into_bytes());
    let planted = look("right", &store);
    assert_eq!(planted.findings[0].class, FailureClass::WrongKey, "{:?}", planted.findings);
}

#[test]
fn a_damaged_slot_stands_before_none_that_opens() {
    let scene = Scene::new();
    let good = scene.second.slots[0].clone();
    let SlotKind::Passphrase { m, t, p, salt, commitment, mut wrapped } = good.kind.clone() else {
        panic!("a passphrase slot");
    };
    wrapped[3] ^= 1;
    let bad = Slot { id: [1; 4], kind: SlotKind::Passphrase { m, t, p, salt, commitment, wrapped } };
    let no_age = Slot { id: [2; 4], kind: SlotKind::Age { file: "no armor\n".into() } };
    let packed = |slots: &[Slot]| {
        let (store, options) = (MemoryStore::new(), PackOptions { slots: slots.to_vec(), ..small(1 << 17) });
        let id = pack_bytes(&scene.outside, &store, &scene.ring, options, b"a dump").expect("packs").manifest.id;
        (store, id)
    };
    let scope = Scope { guid: GUID, epoch: 1 };
    let mut opener = SlotOpener::new(word("right"));
    assert!(opener.open(scope, &[bad.clone(), good.clone()]).expect("goes on").is_some());
    assert!(opener.open(scope, &[bad.clone(), no_age.clone()]).is_err(), "what is wrong is told when none opens");
    let mut look = |store: &MemoryStore, id: &BackupId| {
        let mut opens = |scope: Scope, slot: &Slot| opener.open(scope, std::slice::from_ref(slot));
        scene.audit(store, id, &mut Opener::Slots(&mut opens), depth(1))
    };
    let (store, id) = packed(&[bad.clone(), good]);
    let both = look(&store, &id);
    assert_eq!((both.level, both.failed(), both.findings.len()), (1, false, 1), "{:?}", both.findings);
    let (store, id) = packed(&[bad]);
    assert!(look(&store, &id).failed());
    let (store, id) = packed(&[no_age]);
    let unopened = scene.audit(&store, &id, &mut Opener::Nothing, depth(0));
    assert_eq!((unopened.findings.len(), unopened.failed()), (1, false), "an age slot is looked into without a key");
}

#[test]
fn no_segment_is_drawn_twice() {
    let scene = Scene::new();
    let all = scene.audit(&scene.store, &scene.second.id, &mut Opener::KeyFile(&scene.ring), depth(2));
    assert_eq!(all.segments.0, all.segments.1, "4000 were asked for");
}

#[test]
fn a_record_is_believed_under_the_key_only() {
    let scene = Scene::new();
    let keys = scene.ring.newest();
    let (world, scope) = (scene.outside.world(&scene.store), keys.pack.scope);
    let slot = Way::Slot(scene.second.slots[0].id);
    let current = BTreeSet::from([Way::KeyFile, slot]);
    let read = |keys| {
        let survey = Survey::take(&scene.store, "").expect("lists");
        checks::read(&world, &survey, scope, keys).expect("reads")
    };
    let write = |way| {
        let mut earlier = read(Some(keys));
        checks::write(&world, keys, &mut earlier, &BTreeSet::from([way]), &current).expect("writes");
    };
    let records = || scene.store.names().into_iter().filter(|name| name.contains("-check-")).collect::<Vec<String>>();
    let began = 1_760_000_000_000 + DAY;
    write(slot);
    scene.outside.later(DAY);
    write(Way::KeyFile);
    let both = BTreeMap::from([(Way::KeyFile, began + DAY), (slot, began)]);
    assert_eq!((read(Some(keys)).opened, read(None).opened, records().len()), (both.clone(), both.clone(), 1));
    assert!(read(Some(keys)).authenticated && !read(None).authenticated);

    // A store that tells of a check that never was; and one under another key.
    let name = records().remove(0);
    let text = scene.store.get(&name, 0, 1 << 16).expect("a record");
    let time = began + 9 * DAY;
    let forged = CheckRecord {
        timestamp: time,
        opened: BTreeMap::from([(slot, time)]),
        ..CheckRecord::parse(GUID, began + DAY, &text).map(|found| found.record).expect("a record")
    };
    for mac in [[0; 32], ring("thief").newest().check_mac(forged.encode().as_bytes())] {
        scene.store.insert(check_record_name(&GUID, time), Manifest::with_mac(&forged.encode(), &mac));
        scene.outside.warnings();
        assert_eq!(read(Some(keys)).opened, both, "with the key it counts for nothing");
        assert!(scene.outside.warnings()[0].contains("does not authenticate"));
        assert_eq!(read(None).opened[&slot], time, "without a key anybody can say anything");
    }
    // Junk under such a name stops nobody, and is left alone.
    scene.store.insert(check_record_name(&GUID, time), *b"junk");
    assert_eq!(read(Some(keys)).opened, both);
    write(slot);
    assert_eq!(records().len(), 2);
    let mut dump = rows(9, 100);
    dump.push(b'\n');
    let packed = pack_bytes(&scene.outside, &scene.store, &scene.ring, small(1 << 17), &dump).expect("packs");
    assert_eq!(unpack_bytes(&scene.outside, &scene.store, &scene.ring, &packed.manifest.id).expect("unpacks"), dump);
    // A slot that the newest backup does not have any more is forgotten.
    let mut earlier = read(Some(keys));
    checks::write(&world, keys, &mut earlier, &BTreeSet::new(), &BTreeSet::from([Way::KeyFile])).expect("writes");
    assert_eq!(read(Some(keys)).opened.keys().collect::<Vec<_>>(), [&Way::KeyFile]);
    assert_eq!(scene.key.scope.epoch, 1);
}

// The vectors of check records: what the Rust and the Python reader have to say of each file.

const TIME: u64 = 1_795_000_000_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/checks")
}

/// Every record: its name, its bytes, and the class of its refusal.
fn vectors(key: &MasterKey) -> Vec<(&'static str, Vec<u8>, Option<FailureClass>)> {
    let keys = key.derive();
    let record = CheckRecord {
        guid: GUID,
        timestamp: TIME,
        epoch: 1,
        fingerprint: keys.pack.fingerprint.0,
        opened: BTreeMap::from([(Way::KeyFile, TIME), (Way::Slot([0x1a; 4]), TIME - DAY)]),
    };
    let sealed = |body: &str| Manifest::with_mac(body, &keys.check_mac(body.as_bytes()));
    let body = record.encode();
    let edited = |from: &str, to: &str| {
        assert!(body.contains(from), "{from}");
        sealed(&body.replacen(from, to, 1))
    };
    let many = CheckRecord { opened: (0..18).map(|number| (Way::Slot([number; 4]), TIME)).collect(), ..record.clone() };
    let mut changed = sealed(&body);
    changed[40] ^= 1;
    let mut wrong_mac = sealed(&body);
    let at = wrong_mac.len() - 10;
    wrong_mac[at] = if wrong_mac[at] == b'0' { b'1' } else { b'0' };
    use FailureClass::{Damaged, Limit, Unsupported};
    vec![
        ("good", sealed(&body), None),
        ("nothing-opened", sealed(&CheckRecord { opened: BTreeMap::new(), ..record.clone() }.encode()), Some(Damaged)),
        ("mac", wrong_mac, Some(Damaged)),
        ("other-key", Manifest::with_mac(&body, &ring("thief").newest().check_mac(body.as_bytes())), Some(Damaged)),
        ("byte-after-the-end", [sealed(&body), b"\n".to_vec()].concat(), Some(Damaged)),
        ("format", edited("vault-check", "vault-prune"), Some(Damaged)),
        ("version", edited("\"version\": 1", "\"version\": 2"), Some(Unsupported)),
        ("other-guid", edited("3f2b1c44", "3f2b1c45"), Some(Damaged)),
        ("other-time", edited(&TIME.to_string(), &(TIME + 1).to_string()), Some(Damaged)),
        ("epoch-0", edited("\"epoch\": 1", "\"epoch\": 0"), Some(Damaged)),
        ("later-than-itself", edited(&format!("\"time\": {TIME}"), &format!("\"time\": {}", TIME + 1)), Some(Damaged)),
        ("way", edited("key-file", "key file"), Some(Damaged)),
        ("order", edited("\"key-file\"", "\"ffffffff\""), Some(Damaged)),
        ("twice", edited("\"1a1a1a1a\"", "\"key-file\""), Some(Damaged)),
        ("white-space", edited("  \"epoch\"", " \"epoch\""), Some(Damaged)),
        ("unknown-member", edited("\"version\": 1", "\"version\": 1,\n  \"more\": 1"), Some(Damaged)),
        ("too-many", sealed(&many.encode()), Some(Limit)),
        ("changed", changed, Some(Damaged)),
        ("too-long", vec![b' '; 5000], Some(Limit)),
    ]
}

#[test]
fn both_readers_judge_records_alike() {
    let seed = Seeded::new("checks");
    let key = new_key(GUID, &|bytes| vault::pipeline::port::Random::fill(&seed, bytes));
    let keys = key.derive();
    let key_file = file_text(&key, TIME);
    let bless = std::env::var_os("BLESS").is_some();
    if bless {
        let _ = std::fs::remove_dir_all(directory());
        std::fs::create_dir_all(directory()).expect("made");
        std::fs::write(directory().join("key"), key_file.as_bytes()).expect("written");
    }
    assert_eq!(std::fs::read(directory().join("key")).expect("committed"), key_file.as_bytes());
    let vectors = vectors(&key);
    let mut arguments = Vec::new();
    for (name, bytes, expected) in &vectors {
        let path = directory().join(format!("{name}.json"));
        if bless {
            std::fs::write(&path, bytes).expect("written");
        }
        assert!(std::fs::read(&path).expect("committed") == *bytes, "{name} is not what is made");
        let judged = CheckRecord::parse(GUID, TIME, bytes).map_err(|error| error.class());
        let judged = judged.and_then(|found| match keys.check_mac_is(found.body, &found.mac) {
            true => Ok(()),
            false => Err(FailureClass::Damaged),
        });
        assert_eq!(judged.err(), *expected, "{name}");
        arguments.push(path);
    }
    assert_eq!(std::fs::read_dir(directory()).expect("a directory").count(), vectors.len() + 1);
    let mut command = python::command("spec/escrow.py");
    command.arg("checks").arg(directory().join("key")).arg(format!("{GUID}-check-{TIME}.json")).args(arguments);
    let output = command.output().expect("Python runs");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let expected: Vec<String> = vectors
        .iter()
        .map(|(name, _, class)| format!("{name}.json: {}", class.map_or("good", FailureClass::name)))
        .collect();
    let judged: Vec<&str> = told.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(judged, expected, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("  key-file 2026-11-18T"), "{told}");
}
