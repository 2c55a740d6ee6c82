//! Who can do what: the table of spec/threat-model.md, each cell tried; and the host that packs and cannot read.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use common::world::*;
use vault::archive::manifest::{OpenManifest, seal};
use vault::archive::part::{ObjectDigest, PartSealer, PartSecret};
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::{ArchiveKey, MasterKey, PackKeys, VaultKeys, chunk_id};
use vault::crypto::sealed;
use vault::crypto::secret::Secret;
use vault::format::frame::Place;
use vault::format::header::{Header, Role};
use vault::format::manifest::{Manifest, Part};
use vault::format::slot::{Slot, SlotKind};
use vault::keys::packing::{self, PackRing};
use vault::keys::ring::Keyring;
use vault::pipeline::error::RunError;
use vault::pipeline::fetch::{PartReader, own};
use vault::pipeline::history::read_chapter;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Packed, pack};
use vault::pipeline::port::Store;
use vault::pipeline::survey::{Survey, latest};
use vault::pipeline::verify::{Level, verify_objects};
use vault::store::memory::MemoryStore;

const DAY: u64 = 86_400_000;
/// A dump that is one chunk, so that somebody can guess it.
const GUESS: &[u8] = b"the salary of the head of accounting is 123456 a year";

/// The pack-only key of a ring, through its file.
fn pack_only(ring: &Keyring) -> PackRing {
    let text = packing::file_text(&ring.newest().pack, &ring.slots, ring.generation, 0);
    assert!(matches!(Keyring::from_file(text.as_bytes()), Err(error) if error.class() == FailureClass::WrongKey));
    PackRing::from_file(text.as_bytes()).expect("a pack-only key file")
}

fn pack_as(
    outside: &Outside,
    store: &dyn Store,
    keys: &PackKeys,
    dump: &[u8],
    place: &CachePlace,
) -> Result<Packed, RunError> {
    pack(&outside.world(store), keys, place, small(1 << 17), Box::new(std::io::Cursor::new(dump.to_vec())))
}

#[test]
fn a_pack_only_host_and_the_full_holder_take_turns() {
    let holder = ring("mk");
    let host = pack_only(&holder);
    let directory = tempfile::tempdir().expect("a directory");
    let run = |turns: bool| {
        let (outside, store) = (Outside::new("turns"), MemoryStore::new());
        let place = CachePlace::File(directory.path().join(turns.to_string()));
        let mut days = Vec::new();
        for day in 0..8_u64 {
            let mut dump = rows(5, 3000);
            dump.extend(rows(100 + day, 60));
            // On the fifth day the cache is lost, and on the sixth there is none.
            match day {
                4 => std::fs::remove_file(directory.path().join(turns.to_string())).expect("a cache"),
                _ => outside.later(DAY),
            }
            let keys = if turns && day % 3 != 1 { &host.keys } else { &holder.newest().pack };
            let place = if day == 5 { &CachePlace::None } else { &place };
            let packed = pack_as(&outside, &store, keys, &dump, place).expect("packs");
            assert_eq!(outside.warnings(), [""; 0], "day {day}");
            days.push((packed, dump));
        }
        for (packed, dump) in &days {
            let back = unpack_bytes(&outside, &store, &holder, &packed.manifest.id).expect("unpacks");
            assert!(back == *dump, "{}", packed.manifest.id);
        }
        days.iter()
            .map(|(packed, _)| (packed.new, packed.manifest.bases.len(), packed.manifest.seq))
            .collect::<Vec<_>>()
    };
    let (alone, in_turns) = (run(false), run(true));
    assert_eq!(alone, in_turns, "what is new, what is used and how it is counted does not depend on who packs");
    assert!(in_turns[1..].iter().all(|(new, _, _)| *new < in_turns[0].0 / 20), "{in_turns:?}");
}

/// What everybody in the table is let loose on: two backups, the second of which uses parts of the first.
struct Scene {
    outside: Outside,
    store: MemoryStore,
    holder: Keyring,
    host: PackRing,
    first: Packed,
    second: Packed,
    secret: Vec<u8>,
    /// A backup that is one chunk, in a store of its own.
    small: (MemoryStore, Packed),
}

impl Scene {
    fn new() -> Scene {
        let (outside, store, holder) = (Outside::new("scene"), MemoryStore::new(), ring("mk"));
        let host = pack_only(&holder);
        let secret = noise("secret", 4096);
        let dump = [rows(1, 2000), secret.clone()].concat();
        let first = pack_as(&outside, &store, &holder.newest().pack, &dump, &CachePlace::None).expect("packs");
        outside.later(DAY);
        let second = [dump, rows(2, 400)].concat();
        let second = pack_as(&outside, &store, &host.keys, &second, &CachePlace::None).expect("packs");
        assert_eq!(second.manifest.bases.len(), 1);
        let other = MemoryStore::new();
        let small = pack_as(&outside, &other, &host.keys, GUESS, &CachePlace::None).expect("packs");
        Scene { outside, store, holder, host, first, second, secret, small: (other, small) }
    }

    fn both(&self) -> [&Manifest; 2] {
        [&self.first.manifest, &self.second.manifest]
    }

    /// A store of its own with the same objects.
    fn copy(&self) -> MemoryStore {
        let store = MemoryStore::new();
        self.store.snapshot().into_iter().for_each(|(name, bytes)| store.insert(name, bytes));
        store
    }

    fn open(&self, id: &BackupId) -> OpenManifest {
        open(&self.store, &self.holder, id).expect("opens")
    }

    /// Whether a reader with the full key takes the backup for whole, and what it is refused for.
    fn judged(&self, store: &MemoryStore, id: &BackupId) -> Result<(), FailureClass> {
        let open = open(store, &self.holder, id).map_err(|error| error.class())?;
        let report = verify_objects(&self.outside.world(store), &open.manifest, Level::Sha256).expect("verifies");
        match report.findings.first() {
            Some(finding) => Err(finding.class),
            None => unpack_bytes(&self.outside, store, &self.holder, id).map(|_| ()).map_err(|error| error.class()),
        }
    }

    /// The keys that stand in the pack-only key, under their names.
    fn host_secrets(&self) -> BTreeMap<&'static str, [u8; 32]> {
        let keys = &self.host.keys;
        BTreeMap::from([
            ("public key", keys.public_key),
            ("psk", *keys.psk.expose()),
            ("catalogue key", *keys.catalogue.expose()),
            ("chunk-id key", *keys.chunk_id.expose()),
            ("gear seed", *keys.gear_seed.expose()),
        ])
    }
}

fn copied(bytes: &[u8; 32]) -> Secret<32> {
    Secret::fill(|copy| copy.copy_from_slice(bytes))
}

/// A manifest's text with its seal of another time or key.
fn retold(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

// The store: it has every object, and no key.

fn store_reads_nothing(scene: &Scene) {
    for (name, bytes) in scene.store.snapshot() {
        for window in scene.secret.chunks(16) {
            assert!(!bytes.windows(window.len()).any(|found| found == window), "{name} shows the dump");
        }
        if !name.ends_with(".json") {
            let squeezed = zstd::bulk::compress(&bytes[256..], 3).expect("zstd");
            assert!(squeezed.len() >= bytes.len() - 256, "{name} has a structure that can be seen");
        }
    }
}

fn store_forges_nothing(scene: &Scene) {
    // The newest backup under a name of tomorrow.
    let (id, store) = (scene.second.manifest.id, scene.copy());
    let tomorrow = BackupId::new(id.guid, id.timestamp + DAY).expect("an id");
    for (name, bytes) in scene.store.snapshot().iter().filter(|(name, _)| name.starts_with(&id.to_string())) {
        let bytes = if name.ends_with(".json") {
            let text = retold(bytes, &id.timestamp.to_string(), &tomorrow.timestamp.to_string());
            let day = |id: &BackupId| vault::base::time::rfc3339(id.timestamp);
            retold(&text, &day(&id), &day(&tomorrow))
        } else {
            bytes.clone()
        };
        store.insert(name.replace(&id.to_string(), &tomorrow.to_string()), bytes);
    }
    assert_eq!(scene.judged(&store, &tomorrow), Err(FailureClass::Damaged));
    // A backup under a key of its own, shown as one under ours.
    let thief = pack_as(&scene.outside, &store, &ring("thief").newest().pack, b"forged", &CachePlace::None);
    let thief = thief.expect("packs").manifest;
    assert_eq!(scene.judged(&store, &thief.id), Err(FailureClass::WrongKey));
    let print = |manifest: &Manifest| vault::base::bytes::to_hex(&manifest.fingerprint);
    let text = store.get(&thief.id.manifest_name(), 0, 1 << 20).expect("a manifest");
    store.insert(thief.id.manifest_name(), retold(&text, &print(&thief), &print(&scene.first.manifest)));
    assert_eq!(scene.judged(&store, &thief.id), Err(FailureClass::Damaged));
}

fn store_changes_nothing_unseen(scene: &Scene) {
    let id = scene.second.manifest.id;
    let mut tried = 0;
    for (name, bytes) in scene.store.snapshot() {
        let is_needed = name.starts_with(&id.to_string()) || name.ends_with("-0");
        for at in [bytes.len() / 3, bytes.len() - 3].into_iter().filter(|_| is_needed) {
            let (store, mut bytes) = (scene.copy(), bytes.clone());
            bytes[at] ^= 1;
            store.insert(name.clone(), bytes);
            assert!(scene.judged(&store, &id).is_err(), "{name}: byte {at} was changed, and nobody saw it");
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} were tried");
}

fn store_deletes_and_rolls_back(scene: &Scene) {
    let store = scene.copy();
    store.delete(&scene.second.manifest.id.manifest_name()).expect("no key is asked for");
    let newest = latest(&store, &scene.holder).expect("an older backup").manifest.id;
    assert_eq!(newest, scene.first.manifest.id, "a bare machine cannot see it");
}

fn store_tests_no_guess(scene: &Scene) {
    let (store, _) = &scene.small;
    let right = chunk_id(scene.host.keys.chunk_id.expose(), GUESS).0;
    let plain = *blake3::hash(GUESS).as_bytes();
    for (name, bytes) in store.snapshot() {
        for id in [&right[..], &plain[..16]] {
            assert!(!bytes.windows(16).any(|found| found == id), "{name} shows the id of a chunk");
        }
    }
}

// A pack-only host: everything in its key file, tried on everything.

fn host_reads_nothing(scene: &Scene) {
    let world = scene.outside.world(&scene.store);
    let scope = scene.host.keys.scope;
    let mut tried = 0;
    for (name, secret) in scene.host_secrets() {
        let master = MasterKey { scope, secret: copied(&secret) }.derive();
        let private =
            VaultKeys { private_key: copied(&secret), check: copied(&secret), pack: pack_only(&scene.holder).keys };
        for manifest in scene.both() {
            let text = scene.store.get(&manifest.id.manifest_name(), 0, 1 << 20).expect("a manifest");
            for keys in [&master, &private] {
                assert!(
                    sealed::open(keys, &manifest.id, &manifest.sealed_key).is_err(),
                    "{name} opens {}",
                    manifest.id
                );
                assert!(vault::archive::manifest::open(&manifest.id, &text, keys).is_err(), "{name}");
            }
            let archive_key = ArchiveKey::new(scope, manifest.id, copied(&secret));
            for part in manifest.parts.iter().filter(|part| part.role != Role::Catalogue) {
                for secret in [PartSecret::Archive(&archive_key), PartSecret::Catalogue(&copied(&secret))] {
                    let opened = PartReader::open(&scene.store, &own(manifest, part), secret);
                    assert!(opened.is_err(), "{name} opens {}", manifest.id.part_name(part.index));
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 40, "only {tried} were tried");
    // The catalogues do open: ids and lengths, and nothing of the dump, whoever packed it.
    let survey = Survey::take(&scene.store, "").expect("lists");
    for manifest in scene.both() {
        read_chapter(&world, &scene.host.keys, &survey, manifest).expect("opens");
        for part in manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
            let secret = PartSecret::Catalogue(&scene.host.keys.catalogue);
            let reader = PartReader::open(&scene.store, &own(manifest, part), secret).expect("opens");
            let mut plain = Vec::new();
            let mut take = |bytes: &[u8]| {
                plain.extend_from_slice(bytes);
                Ok(())
            };
            reader.read_from(0, &mut take).expect("reads");
            assert!(!plain.windows(16).any(|window| window == &scene.secret[..16]));
        }
    }
}

fn host_forges_with_any_time(scene: &Scene) {
    for time in [BackupId::TIMESTAMPS.start, scene.second.manifest.id.timestamp - 1, BackupId::TIMESTAMPS.end - DAY] {
        let (outside, store) = (Outside::new("forger"), MemoryStore::new());
        outside.clock.0.store(time, Ordering::SeqCst);
        let forged = pack_as(&outside, &store, &scene.host.keys, b"forged", &CachePlace::None).expect("packs");
        assert_eq!(forged.manifest.id.timestamp, time);
        assert_eq!(scene.judged(&store, &forged.manifest.id), Ok(()), "of {time}");
    }
    // Of its epoch, and of no other.
    let mut keys = pack_only(&scene.holder).keys;
    keys.scope.epoch = 2;
    let next = MasterKey { scope: Scope { epoch: 2, ..keys.scope }, secret: Secret::fill(|bytes| bytes.fill(9)) };
    keys.fingerprint = next.derive().pack.fingerprint;
    let store = MemoryStore::new();
    let forged = pack_as(&scene.outside, &store, &keys, b"forged", &CachePlace::None).expect("packs").manifest;
    let opened = open(&store, &Keyring::of(&next, Vec::new()), &forged.id).map(|_| ()).map_err(|error| error.class());
    assert_eq!(opened, Err(FailureClass::Damaged));
}

fn host_changes_nothing_unseen(scene: &Scene) {
    let manifest = &scene.first.manifest;
    // A manifest: its MAC needs AK. The host has that of no backup any more, its own included.
    for manifest in scene.both() {
        let store = scene.copy();
        let text = store.get(&manifest.id.manifest_name(), 0, 1 << 20).expect("a manifest");
        store.insert(manifest.id.manifest_name(), retold(&text, "\"raw\"", "\"tar\""));
        assert_eq!(scene.judged(&store, &manifest.id), Err(FailureClass::Damaged));
    }
    // A catalogue under its own header: only the SHA-256 in the manifest tells.
    let store = scene.copy();
    let part = manifest.parts.iter().find(|part| part.role == Role::Catalogue).expect("a catalogue");
    let name = manifest.id.part_name(part.index);
    let (header, _) = Header::parse(&store.get(&name, 0, 256).expect("a part")).expect("a header");
    let plain = header.segment.layout(part.bytes).expect("a layout").plain as usize;
    let mut sealer = PartSealer::begin(header, PartSecret::Catalogue(&scene.host.keys.catalogue), 1 << 17);
    let mut forged = sealer.header_bytes().to_vec();
    let mut sink = |segment: &mut Vec<u8>| -> Result<(), ()> {
        forged.extend_from_slice(segment);
        Ok(())
    };
    sealer.push(&vec![0; plain], &mut sink).expect("takes it");
    let sealed = sealer.finish(Place::Last, &mut sink).expect("ends");
    let made: Part = sealed.record(ObjectDigest::of(&forged));
    assert_eq!(made.commitment, part.commitment, "the host can seal under the header of a catalogue");
    store.insert(name, forged);
    assert_eq!(scene.judged(&store, &manifest.id), Err(FailureClass::Damaged));
}

fn guess_is_tested_with(scene: &Scene, keys: &PackKeys) {
    let (store, packed) = &scene.small;
    let survey = Survey::take(store, "").expect("lists");
    let chapter = read_chapter(&scene.outside.world(store), keys, &survey, &packed.manifest).expect("opens");
    let (_, chunks) = chapter.table.expect("it was read");
    let holds = |guess: &[u8]| chunks.iter().any(|chunk| chunk.id == chunk_id(keys.chunk_id.expose(), guess));
    assert!(holds(GUESS) && !holds(b"the salary of the head of accounting is 123457 a year"));
}

// Who holds one archive key, that of the second backup.

fn one_ak_reads_its_own_parts(scene: &Scene) {
    let archive_key = scene.open(&scene.second.manifest.id).archive_key;
    let mut opened = BTreeMap::new();
    for manifest in scene.both() {
        for part in manifest.parts.iter().filter(|part| part.role != Role::Catalogue) {
            let secret = PartSecret::Archive(&archive_key);
            let reads = PartReader::open(&scene.store, &own(manifest, part), secret).is_ok();
            *opened.entry((manifest.id, reads)).or_insert(0) += 1;
        }
    }
    let expected = [((scene.first.manifest.id, false), 2), ((scene.second.manifest.id, true), 2)];
    assert_eq!(opened, BTreeMap::from(expected), "its own data and index, and not what it uses of others");
}

fn one_ak_forges_nothing(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.second.manifest.id);
    let id = BackupId::new(manifest.id.guid, manifest.id.timestamp + DAY).expect("an id");
    let store = scene.copy();
    for part in &manifest.parts {
        let bytes = store.get(&manifest.id.part_name(part.index), 0, 1 << 20).expect("a part");
        store.insert(id.part_name(part.index), bytes);
    }
    store.insert(id.manifest_name(), seal(&Manifest { id, ..manifest }, &archive_key));
    assert_eq!(scene.judged(&store, &id), Err(FailureClass::Damaged));
}

fn one_ak_changes_its_backup(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.second.manifest.id);
    let (id, store) = (manifest.id, scene.copy());
    store.insert(id.manifest_name(), seal(&Manifest { generation: 9, rebuilt: true, ..manifest }, &archive_key));
    assert_eq!(scene.judged(&store, &id), Ok(()), "nobody can see it");
    let other = Manifest { generation: 9, ..scene.first.manifest.clone() };
    store.insert(other.id.manifest_name(), seal(&other, &archive_key));
    assert_eq!(scene.judged(&store, &other.id), Err(FailureClass::Damaged), "that of no other");
}

fn one_ak_tests_no_guess(scene: &Scene) {
    let (store, packed) = &scene.small;
    let archive_key = open(store, &scene.holder, &packed.manifest.id).expect("opens").archive_key;
    for part in packed.manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
        let secret = PartSecret::Archive(&archive_key);
        assert!(PartReader::open(store, &own(&packed.manifest, part), secret).is_err());
    }
}

// Who holds MK.

fn mk_reads_all(scene: &Scene) {
    for manifest in scene.both() {
        let back = unpack_bytes(&scene.outside, &scene.store, &scene.holder, &manifest.id).expect("unpacks");
        assert!(back.windows(scene.secret.len()).any(|window| window == scene.secret));
    }
}

fn mk_forges(scene: &Scene) {
    let keys = scene.holder.newest();
    let (store, manifest) = (scene.copy(), &scene.first.manifest);
    let archive_key = sealed::open(keys, &manifest.id, &manifest.sealed_key).expect("opens");
    let text = seal(&Manifest { generation: 9, rebuilt: true, ..manifest.clone() }, &archive_key);
    store.insert(manifest.id.manifest_name(), text);
    assert_eq!(scene.judged(&store, &manifest.id), Ok(()), "and changes");
    let forged = pack_as(&scene.outside, &store, &keys.pack, b"forged", &CachePlace::None).expect("packs");
    assert_eq!(scene.judged(&store, &forged.manifest.id), Ok(()));
}

// Who knows the recipient of an age slot.

fn recipient_forges_another_fingerprint(scene: &Scene) {
    let store = scene.copy();
    let file = "-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n".into();
    let slots = vec![Slot { id: [1; 4], kind: SlotKind::Age { file } }];
    let options = vault::pipeline::pack::PackOptions { slots, ..small(1 << 17) };
    let forged = pack_bytes(&scene.outside, &store, &ring("forger"), options, b"forged").expect("packs");
    assert_ne!(forged.manifest.fingerprint, scene.first.manifest.fingerprint);
    assert_eq!(scene.judged(&store, &forged.manifest.id), Err(FailureClass::WrongKey));
}

/// What the rights to the store give is not a matter of keys: no operation of a store takes one.
fn rights_are_not_keys(_: &Scene) {
    let _delete: fn(&MemoryStore, &str) -> Result<(), vault::pipeline::port::StoreError> =
        |store, name| store.delete(name);
}

type Try = fn(&Scene);

/// The table as the page has it, and how each cell is tried.
const TABLE: [(&str, [(&str, Try); 5]); 5] = [
    (
        "the store",
        [
            ("no", store_reads_nothing),
            ("no", store_forges_nothing),
            ("no", store_changes_nothing_unseen),
            ("**yes**", store_deletes_and_rolls_back),
            ("no", store_tests_no_guess),
        ],
    ),
    (
        "a pack-only host",
        [
            ("only what it is packing", host_reads_nothing),
            ("**of its epoch, with any time**", host_forges_with_any_time),
            ("no", host_changes_nothing_unseen),
            ("with the store's rights", store_deletes_and_rolls_back),
            ("**yes**", |scene| guess_is_tested_with(scene, &scene.host.keys)),
        ],
    ),
    (
        "the holder of one AK",
        [
            ("**that one**", one_ak_reads_its_own_parts),
            ("no", one_ak_forges_nothing),
            ("**that one**", one_ak_changes_its_backup),
            ("no", rights_are_not_keys),
            ("no", one_ak_tests_no_guess),
        ],
    ),
    (
        "the holder of MK",
        [
            ("**all of the epoch**", mk_reads_all),
            ("**yes**", mk_forges),
            ("**yes**", mk_forges),
            ("with the store's rights", store_deletes_and_rolls_back),
            ("**yes**", |scene| guess_is_tested_with(scene, &scene.holder.newest().pack)),
        ],
    ),
    (
        "who knows an age recipient",
        [
            ("no", store_reads_nothing),
            (
                "only one that opens through the age slot, and shows another fingerprint",
                recipient_forges_another_fingerprint,
            ),
            ("no", store_changes_nothing_unseen),
            ("no", rights_are_not_keys),
            ("no", store_tests_no_guess),
        ],
    ),
];

#[test]
fn every_cell_of_the_table_is_so() {
    let page = include_str!("../spec/threat-model.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), TABLE.len(), "rows of the page");
    let scene = Scene::new();
    let mut tried = 0;
    for (row, (who, cells)) in rows.iter().zip(&TABLE) {
        assert_eq!(row.len(), 6, "{row:?}");
        assert_eq!(row[0], *who);
        for (said, (cell, attempt)) in row[1..].iter().zip(cells) {
            assert_eq!(said, cell, "{who}");
            attempt(&scene);
            tried += 1;
        }
    }
    assert_eq!(tried, 25);
}
