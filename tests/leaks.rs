//! No plaintext byte, no name and no secret where it does not belong: not in an object, not in the cache, not in a warning or an error. And
//! what sizes tell of a dump is what padding leaves of its length.

mod common;

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::stores::{Change, Changed, restored};
use common::world::*;
use vault::base::bytes::to_hex;
use vault::base::id::BackupId;
use vault::base::size::padme;
use vault::crypto::keys::{ArchiveKey, VaultKeys};
use vault::crypto::passphrase::Cost;
use vault::crypto::secret::Secret;
use vault::format::header::{Header, Role};
use vault::format::manifest::Manifest;
use vault::keys::ring::{Keyring, file_text, new_key};
use vault::keys::slots::{Passphrase, SlotOpener, make};
use vault::pipeline::history::read_chapter;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Level, PackOptions};
use vault::pipeline::survey::Survey;
use vault::pipeline::verify::verify_full;
use vault::store::faulty::{FaultyStore, Times};
use vault::store::memory::MemoryStore;

const PASSPHRASE: &str = "correct horse battery staple of a leak test";

/// What must not be seen, by what it is.
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, what: impl Into<String>, bytes: &[u8]) {
        self.0.push((what.into(), bytes.to_vec()));
    }

    /// Every secret as it is, in hexadecimal of either case, in base64 at each of the three places it may begin at, and as Rust prints bytes.
    fn needles(&self) -> Vec<(String, Vec<u8>)> {
        let mut needles = Vec::new();
        for (what, bytes) in &self.0 {
            let hex = to_hex(bytes);
            let mut add = |form: &str, needle: Vec<u8>| needles.push((format!("{what} {form}"), needle));
            add("as it is", bytes.clone());
            add("in upper case", hex.to_uppercase().into_bytes());
            add("in hexadecimal", hex.into_bytes());
            add("in a list", format!("{bytes:?}").trim_matches(['[', ']']).into());
            add("reversed", bytes.iter().rev().copied().collect());
            for skipped in 0..3 {
                // The characters that the bytes before and behind have no part in.
                let padded = STANDARD.encode([&vec![0; skipped], bytes.as_slice()].concat());
                let whole = (skipped + bytes.len()) / 3 * 4;
                let from = if skipped == 0 { 0 } else { 4 };
                add("in base64", padded[from..whole].into());
            }
        }
        needles
    }
}

/// The first needle that stands in a place, and where.
fn find(needles: &[(String, Vec<u8>)], places: &[(String, Vec<u8>)]) -> Option<String> {
    needles.iter().find_map(|(what, needle)| {
        assert!(needle.len() >= 12, "{what} would be found by chance");
        let finder = memchr::memmem::Finder::new(needle);
        let place = places.iter().find(|(_, bytes)| finder.find(bytes).is_some());
        place.map(|(place, _)| format!("{what} stands in {place}"))
    })
}

/// A dump of PostgreSQL's in which every name and every field is a marker.
fn marked(day: u64) -> (Vec<u8>, Secrets) {
    let (mut secrets, mut dump) = (Secrets(Vec::new()), b"--\n-- PostgreSQL database dump\n--\n\n".to_vec());
    let mut draws = noise(&format!("markers {day}"), 16 * 600).into_iter();
    let mut marker = |what: &str, secrets: &mut Secrets| {
        let random: Vec<u8> = draws.by_ref().take(10).collect();
        let marker = format!("{what}{}", to_hex(&random));
        secrets.add(marker.clone(), marker.as_bytes());
        marker
    };
    for _ in 0..20 {
        let (schema, table, column) =
            (marker("schema", &mut secrets), marker("table", &mut secrets), marker("column", &mut secrets));
        dump.extend_from_slice(format!("COPY {schema}.{table} (id, {column}) FROM stdin;\n").as_bytes());
        for row in 0..20 {
            dump.extend_from_slice(format!("{row}\t{}\n", marker("secret", &mut secrets)).as_bytes());
        }
        dump.extend_from_slice(b"\\.\n\n");
    }
    dump.extend_from_slice(b"--\n-- PostgreSQL database dump complete\n--\n\n");
    (dump, secrets)
}

/// Everything that derives from the vault key and the archive key, and the digests of what is secret.
fn add_keys(secrets: &mut Secrets, keys: &VaultKeys, store: &MemoryStore, manifest: &Manifest, dump: &[u8]) {
    let pack = &keys.pack;
    let derived = [
        ("MK", Seeded32::draw("key")),
        ("private key", *keys.private_key.expose()),
        ("PSK", *pack.psk.expose()),
        ("CK", *pack.catalogue.expose()),
        ("chunk-id key", *pack.chunk_id.expose()),
        ("gear seed", *pack.gear_seed.expose()),
        ("digest of the dump", *blake3::hash(dump).as_bytes()),
        ("cache key", *pack.cache_key()),
    ];
    derived.iter().for_each(|(what, bytes)| secrets.add(*what, bytes));
    let gear = pack.gear_table();
    gear.chunks(4).take(8).for_each(|entries| {
        secrets.add("gear table", &entries.iter().flat_map(|entry| entry.to_le_bytes()).collect::<Vec<u8>>())
    });
    // AK is what the run drew first. That it is shows by the commitments that it derives.
    let drawn = Seeded32::draw("run");
    let archive_key = ArchiveKey::new(pack.scope, manifest.id, Secret::fill(|bytes| *bytes = drawn));
    secrets.add("AK", &drawn);
    let snapshot = store.snapshot();
    for part in &manifest.parts {
        let (header, commitment) =
            Header::parse(&snapshot[&manifest.id.part_name(part.index)][..256]).expect("a header");
        let key = match part.role {
            Role::Catalogue => vault::crypto::keys::PartKey::derive(&pack.catalogue, &header.salt, &header.bound()),
            _ => archive_key.part_key(&header.salt, &header.bound()),
        };
        assert_eq!(key.commitment, commitment, "AK is another one");
        secrets.add(format!("key of part {}", part.index), key.key.expose());
    }
    let survey = Survey::take(store, "").expect("lists");
    let outside = Outside::new("keys");
    let chapter = read_chapter(&outside.world(store), pack, &survey, manifest).expect("a catalogue");
    let (_, chunks) = chapter.table.expect("read from the store");
    assert!(chunks.len() > 50);
    for chunk in chunks {
        secrets.add("a chunk id", &chunk.id.0);
    }
}

/// The first 32 bytes of a seed.
struct Seeded32;

impl Seeded32 {
    fn draw(seed: &str) -> [u8; 32] {
        noise(seed, 32).try_into().expect("32 bytes")
    }
}

/// All that a run says: its warnings and its error, as shown and as printed for programmers.
fn heard<T: Debug>(outside: &Outside, outcome: &Result<T, impl Debug + ToString>, all: &mut Vec<u8>) -> bool {
    if let Err(error) = outcome {
        all.extend_from_slice(format!("{}\n{error:?}\n", error.to_string()).as_bytes());
    }
    for warning in outside.warnings() {
        all.extend_from_slice(warning.as_bytes());
    }
    outcome.is_err()
}

fn with_slot() -> PackOptions {
    let random = Seeded::new("slot");
    let passphrase = Passphrase::new(PASSPHRASE.as_bytes().to_vec().into()).expect("a passphrase");
    let key = new_key(GUID, &|bytes| Seeded::new("key").fill_from(bytes));
    let slot = make(&key, &passphrase, Cost { m: 64, t: 1, p: 1 }, &|bytes| random.fill_from(bytes)).expect("a slot");
    PackOptions { slots: vec![slot], ..small(16_704) }
}

/// `Random` for seeds, without the trait in scope everywhere.
trait FillFrom {
    fn fill_from(&self, bytes: &mut [u8]);
}

impl FillFrom for Seeded {
    fn fill_from(&self, bytes: &mut [u8]) {
        vault::pipeline::port::Random::fill(self, bytes);
    }
}

#[test]
fn nothing_secret_is_stored_or_said() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (ring, store, path) = (ring("key"), MemoryStore::new(), directory.path().join("cache"));
    let (first, mut secrets) = marked(1);
    let (second, more) = marked(2);
    let markers = secrets.0.len() + more.0.len();
    assert_eq!(markers, 2 * 20 * 23);
    let second = [second, first.clone()].concat();
    secrets.0.extend(more.0);
    let outside = Outside::new("run");
    let place = CachePlace::File(path.clone());
    let one = pack_with(&outside, &store, &ring, with_slot(), &first, &place).expect("packs").manifest;
    outside.later(1);
    let two = pack_with(&outside, &store, &ring, with_slot(), &second, &place).expect("packs").manifest;
    assert!(!two.bases.is_empty() && one.kind == "pg_dump");
    assert_eq!(unpack_bytes(&outside, &store, &ring, &two.id).expect("unpacks"), second);

    add_keys(&mut secrets, ring.newest(), &store, &one, &first);
    secrets.add("digest of the dump", blake3::hash(&second).as_bytes());
    let key = new_key(GUID, &|bytes| Seeded::new("key").fill_from(bytes));
    let line = file_text(&key, 0).lines().last().expect("a key line").to_owned();
    assert!(line.starts_with("VAULT-KEY-1"));
    secrets.add("the key line", &line.as_bytes()["VAULT-KEY-1".len()..]);
    secrets.add("the passphrase", PASSPHRASE.as_bytes());

    let (said, failures) = failing_runs(&ring, &store, [one.id, two.id], &second, &place);
    assert!(failures > 200, "only {failures} runs failed");
    assert!(said.len() > 20_000, "they said {} bytes", said.len());
    let objects: Vec<(String, Vec<u8>)> = store.snapshot().into_iter().collect();
    let mut places = objects.clone();
    places.push(("what runs said".into(), said));
    places.push(("the output for programmers".into(), format!("{one:?}{two:?}").into_bytes()));
    let needles = secrets.needles();
    assert_eq!(find(&needles, &places), None);
    let compared = needles.len() * places.len();
    // The cache holds chunk ids, which are keyed, and nothing else.
    let others = Secrets(secrets.0.iter().filter(|(what, _)| what != "a chunk id").cloned().collect());
    let cache = std::fs::read(&path).expect("a cache");
    assert_eq!(find(&others.needles(), &[("the cache".into(), cache)]), None);
    assert!(compared > 60_000, "{compared}");
    // The exact length is sealed: the manifest shows another number.
    for (id, dump) in [(one.id, &first), (two.id, &second)] {
        let text = String::from_utf8(store.snapshot()[&id.manifest_name()].clone()).expect("text");
        assert_ne!(padme(dump.len() as u64), dump.len() as u64);
        assert!(
            !text.contains(&format!(" {},", dump.len()))
                && text.contains(&format!("\"size\": {},", padme(dump.len() as u64)))
        );
    }
    // That the search finds what is there.
    assert!(find(&needles, &[("the dump".into(), second)]).is_some());
}

/// Runs that fail in every way, and what they say.
fn failing_runs(
    ring: &Keyring,
    store: &MemoryStore,
    ids: [BackupId; 2],
    dump: &[u8],
    place: &CachePlace,
) -> (Vec<u8>, usize) {
    let (snapshot, mut said, mut failures) = (store.snapshot(), Vec::new(), 0);
    let mut hear = |failed: bool| failures += usize::from(failed);
    let outside = Outside::new("failing");
    for at in (1..70).chain([200, 300]) {
        let faulty = FaultyStore::failing(restored(&snapshot), at, Times::Once);
        outside.later(86_400_000);
        hear(heard(&outside, &pack_with(&outside, &faulty, ring, with_slot(), dump, place), &mut said));
        hear(heard(&outside, &unpack_bytes(&outside, &faulty, ring, &ids[1]), &mut said));
    }
    for cut in [0, 10, 40, dump.len() / 3, dump.len() - 30] {
        hear(heard(&outside, &pack_bytes(&outside, &restored(&snapshot), ring, with_slot(), &dump[..cut]), &mut said));
    }
    let bad = PackOptions { level: Level::Fixed(99), ..small(16_704) };
    hear(heard(&outside, &pack_bytes(&outside, store, ring, bad, dump), &mut said));
    let keys = ring.newest();
    for (name, bytes) in &snapshot {
        for change in [Change::Gone, Change::Cut(bytes.len() / 2)]
            .into_iter()
            .chain((0..40).map(|at| Change::Flip(at * bytes.len() / 40, 4)))
        {
            let changed = Changed { snapshot: &snapshot, name, change };
            hear(heard(&outside, &unpack_bytes(&outside, &changed, ring, &ids[1]), &mut said));
            if let Ok(opened) = open(&changed, ring, &ids[1]) {
                let report = verify_full(&outside.world(&changed), &opened, keys, 1).expect("verifies");
                said.extend_from_slice(format!("{report:?}").as_bytes());
            }
        }
    }
    let stranger = common::world::ring("a stranger");
    hear(heard(&outside, &unpack_bytes(&outside, store, &stranger, &ids[0]), &mut said));
    let wrong = Passphrase::new(b"wrong".to_vec().into()).expect("a passphrase");
    let opened = SlotOpener::new(wrong).open(keys.pack.scope, &with_slot().slots);
    hear(heard(&outside, &opened.map(|key| assert!(key.is_none())), &mut said));
    let shown =
        (Keyring::from_file(b"VAULT-KEY-1QQQ").map(|_| ()), Keyring::from_file(PASSPHRASE.as_bytes()).map(|_| ()));
    hear(heard(&outside, &shown.0, &mut said));
    hear(heard(&outside, &shown.1, &mut said));
    (said, failures)
}

#[test]
fn sizes_tell_no_more_than_padding_leaves() {
    let ring = ring("key");
    let sizes = |seed: &str, length: usize| -> Vec<(Role, u64)> {
        let packed = pack_bytes(&Outside::new(seed), &MemoryStore::new(), &ring, defaults(), &noise(seed, length))
            .expect("packs");
        packed.manifest.parts.iter().map(|part| (part.role, part.bytes)).collect()
    };
    let data =
        |sizes: &[(Role, u64)]| sizes.iter().filter(|(role, _)| *role == Role::Data).copied().collect::<Vec<_>>();
    let mut cases = 0;
    for class in [100_352_u64, 1_015_808, 3_014_656] {
        assert_eq!(padme(class), class);
        let first = data(&sizes("first", class as usize - 500));
        for (seed, below) in [("second", 500), ("third", 300), ("fourth", 900)] {
            assert_eq!(data(&sizes(seed, (class - below) as usize)), first, "{class} - {below}");
            cases += 1;
        }
        assert_ne!(data(&sizes("larger", class as usize + 1000)), first);
    }
    assert_eq!(cases, 9);
}

#[test]
fn every_last_part_is_padded() {
    let (ring, mut parts) = (ring("key"), 0);
    for (part_bytes, length) in [(8480, 30_000), (16_704, 777), (60_000, 54_321), (1 << 30, 200_001)] {
        for dump in [noise("padded", length), rows(5, length / 40)] {
            let packed =
                pack_bytes(&Outside::new("run"), &MemoryStore::new(), &ring, small(part_bytes), &dump).expect("packs");
            let full = (part_bytes - 256) / 4112 * 4096;
            let roles: Vec<Role> = packed.manifest.parts.iter().map(|part| part.role).chain([Role::Data]).collect();
            for (part, next) in packed.manifest.parts.iter().zip(&roles[1..]) {
                let plain = part.bytes - 256 - (part.bytes - 256).div_ceil(4112) * 16;
                assert!(plain == full || (part.role != *next && padme(plain) == plain), "{part:?}");
                parts += 1;
            }
        }
    }
    assert!(parts > 25, "{parts}");
}
