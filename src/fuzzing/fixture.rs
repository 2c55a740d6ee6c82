//! Two small backups, the newer of which uses parts of the older: what the targets over whole backups begin with.
//!
//! Made once in a process, from a seed: the same bytes every time.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::archive::manifest::OpenManifest;
use crate::base::cutter::Cutter;
use crate::base::id::{BackupId, Guid};
use crate::base::limits::SPAN_BYTES;
use crate::format::header::SegmentSize;
use crate::keys::ring::{Keyring, new_key};
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::known::{CachePlace, Reuse};
use crate::pipeline::pack::{Level, PackOptions, Packed, Shrink, pack};
use crate::pipeline::port::{Clock, Random, Silent, Store, Unwatched};
use crate::pipeline::survey::open_manifest;
use crate::store::memory::MemoryStore;

/// The database.
const GUID: Guid = Guid(*b"\x3f\x2b\x1c\x44\x9a\x57\x4c\x1e\x8d\x20\x5b\x7e\x1f\x6a\x90\xcd");
/// Small chunks, so that a small dump has many.
pub(super) const CUTTER: Cutter = Cutter { minimum: 64, average: 128, maximum: 1024, strict: 0x1fe0, loose: 0x03e0 };
/// A sealed key for parts that no backup owns.
pub(super) const SEALED_KEY: [u8; 80] = [0x5a; 80];
/// Parts of four segments of 4 KiB.
pub(super) const PART_BYTES: u64 = 16_704;

/// One backup of the fixture.
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// What was packed.
    pub dump: Vec<u8>,
}

/// A store with two backups, and the key to them.
pub struct Fixture {
    /// The key.
    pub ring: Keyring,
    /// Every object by name.
    pub objects: BTreeMap<String, Vec<u8>>,
    /// The first backup.
    pub older: Backup,
    /// The second, of more than one span; most of it is in parts of the first.
    pub newer: Backup,
}

impl Backup {
    /// The authenticated manifest.
    pub fn open(&self, fixture: &Fixture) -> OpenManifest {
        match open_manifest(&fixture.store(), &self.id, &fixture.ring) {
            Ok(open) => open,
            Err(error) => panic!("the fixture is whole: {error}"),
        }
    }
}

impl Fixture {
    /// A store that holds the fixture.
    pub fn store(&self) -> MemoryStore {
        store_of(&self.objects)
    }

    fn make() -> Fixture {
        let (outside, store) = (Outside::new(), MemoryStore::new());
        let key = new_key(GUID, &|bytes| outside.random.fill(bytes));
        let ring = Keyring::of(&key, Vec::new());
        let pack = |dump: Vec<u8>| match outside.pack(&store, &ring, options(), &dump) {
            Ok(packed) => Backup { id: packed.manifest.id, dump },
            Err(error) => panic!("the fixture packs: {error}"),
        };
        let first = rows(0..2000);
        let older = pack(first.clone());
        let second = [rows(5000..5500).as_slice(), &first.repeat(13), &rows(7000..7300)].concat();
        assert!(second.len() > SPAN_BYTES, "more than one span");
        let newer = pack(second);
        Fixture { objects: store.snapshot(), ring, older, newer }
    }
}

/// The fixture.
pub fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(Fixture::make)
}

/// A store that holds those objects.
pub(super) fn store_of(objects: &BTreeMap<String, Vec<u8>>) -> MemoryStore {
    let store = MemoryStore::new();
    for (name, bytes) in objects {
        store.insert(name.as_str(), bytes.as_slice());
    }
    store
}

/// Options for small parts and chunks, one thread.
pub(super) fn options() -> PackOptions {
    PackOptions {
        level: Level::Fixed(2),
        part_bytes: PART_BYTES,
        segment: SegmentSize::for_part_bytes(PART_BYTES),
        threads: 1,
        reuse: Reuse::Allowed,
        paranoid: false,
        allow_empty: true,
        allow_incomplete: false,
        shrink: Shrink::Mark,
        tags: vec![("host".into(), "db1".into())],
        tool: "vault fuzz".into(),
        slots: Vec::new(),
        generation: 1,
        cutter: Some(CUTTER),
    }
}

/// Text that looks like rows.
fn rows(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let row = |number: u64| {
        let digest = blake3::hash(&number.to_le_bytes()).to_hex();
        format!("{number}\t{}\tcustomer {}\t2026-11-20\n", &digest[..20], number % 97)
    };
    numbers.map(row).collect::<String>().into_bytes()
}

/// Everything around a run but the store: a clock that moves with every look at it, randomness from a seed.
pub(super) struct Outside {
    clock: Ticking,
    random: Seeded,
}

impl Outside {
    pub(super) fn new() -> Outside {
        Outside {
            clock: Ticking(AtomicU64::new(1_760_000_000_000)),
            random: Seeded(Mutex::new(blake3::Hasher::new().finalize_xof())),
        }
    }

    pub(super) fn world<'a>(&'a self, store: &'a dyn Store) -> World<'a> {
        World { store, clock: &self.clock, random: &self.random, observer: &Silent, control: &Unwatched }
    }

    /// Packs bytes, without a cache.
    pub(super) fn pack(
        &self,
        store: &dyn Store,
        ring: &Keyring,
        options: PackOptions,
        dump: &[u8],
    ) -> Result<Packed, RunError> {
        let input = Box::new(Cursor::new(dump.to_vec()));
        pack(&self.world(store), &ring.newest().pack, &CachePlace::None, options, input)
    }
}

struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        self.0.fetch_add(1000, Ordering::Relaxed)
    }
}

struct Seeded(Mutex<blake3::OutputReader>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}
