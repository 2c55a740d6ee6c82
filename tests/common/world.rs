//! The outside for tests in the process: a store in memory, a clock that stands, randomness from a seed.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::io::Cursor;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use vault::archive::manifest::OpenManifest;
use vault::base::cutter::Cutter;
use vault::base::id::{BackupId, Guid};
use vault::format::header::SegmentSize;
use vault::keys::ring::{Keyring, file_text, new_key};
use vault::pipeline::World;
use vault::pipeline::error::RunError;
use vault::pipeline::known::{CachePlace, Reuse};
use vault::pipeline::pack::{Level, PackOptions, Packed, Shrink, pack};
use vault::pipeline::port::{Clock, Control, Observer, Random, Store, Unwatched};
use vault::pipeline::survey::open_manifest;
use vault::pipeline::unpack::Restore;

/// The guid that tests pack under.
pub const GUID: Guid =
    Guid([0x3f, 0x2b, 0x1c, 0x44, 0x9a, 0x57, 0x4c, 0x1e, 0x8d, 0x20, 0x5b, 0x7e, 0x1f, 0x6a, 0x90, 0xcd]);

/// Small chunks, so that a small dump has many: 64 to 1024 bytes.
pub const SMALL_CUTTER: Cutter = Cutter { minimum: 64, average: 128, maximum: 1024, strict: 0x1fe0, loose: 0x03e0 };

/// Random bytes from a seed: BLAKE3 in counter mode, so that every run draws the same.
pub struct Seeded(Mutex<blake3::OutputReader>);

impl Seeded {
    pub fn new(seed: &str) -> Seeded {
        Seeded(Mutex::new(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof()))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("no test panics while it draws").fill(bytes);
    }
}

/// A clock that shows what it is told.
pub struct Stopped(pub AtomicU64);

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Listening(pub Mutex<Vec<String>>);

impl Observer for Listening {
    fn advanced(&self, _bytes: u64) {}
    fn stored(&self, _bytes: u64) {}
    fn warn(&self, message: &str) {
        self.0.lock().expect("no test panics while it listens").push(message.into());
    }
    fn note(&self, _message: &str) {}
}

/// Everything around a run but the store.
pub struct Outside {
    pub clock: Stopped,
    pub random: Seeded,
    pub observer: Listening,
    pub control: Box<dyn Control>,
}

impl Outside {
    pub fn new(seed: &str) -> Outside {
        Outside {
            clock: Stopped(AtomicU64::new(1_760_000_000_000)),
            random: Seeded::new(seed),
            observer: Listening::default(),
            control: Box::new(Unwatched),
        }
    }

    pub fn world<'a>(&'a self, store: &'a dyn Store) -> World<'a> {
        World {
            store,
            clock: &self.clock,
            random: &self.random,
            observer: &self.observer,
            control: self.control.as_ref(),
        }
    }

    /// Lets time pass.
    pub fn later(&self, milliseconds: u64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// What was warned of since the last time.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.observer.0.lock().expect("no test panics while it listens"))
    }
}

/// A ring with one key, the same for every test of that seed.
pub fn ring(seed: &str) -> Keyring {
    let random = Seeded::new(seed);
    let key = new_key(GUID, &|bytes| random.fill(bytes));
    Keyring::from_file(file_text(&key, 0).as_bytes()).expect("a key file that was just written")
}

/// Options for small parts of 4 KiB segments and small chunks.
pub fn small(part_bytes: u64) -> PackOptions {
    PackOptions {
        level: Level::Fixed(2),
        part_bytes,
        segment: SegmentSize::from_log2(12).expect("4 KiB"),
        threads: 2,
        reuse: Reuse::Allowed,
        paranoid: false,
        allow_empty: false,
        allow_incomplete: false,
        shrink: Shrink::Mark,
        tags: Vec::new(),
        tool: "vault test".into(),
        slots: Vec::new(),
        generation: 1,
        cutter: Some(SMALL_CUTTER),
    }
}

/// Options as the command line has them by default.
pub fn defaults() -> PackOptions {
    PackOptions { part_bytes: 1 << 30, segment: SegmentSize::DEFAULT, cutter: None, ..small(1 << 30) }
}

/// Packs bytes, without a cache.
pub fn pack_bytes(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    options: PackOptions,
    dump: &[u8],
) -> Result<Packed, RunError> {
    pack_with(outside, store, ring, options, dump, &CachePlace::None)
}

/// Packs bytes.
pub fn pack_with(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    options: PackOptions,
    dump: &[u8],
    place: &CachePlace,
) -> Result<Packed, RunError> {
    pack(&outside.world(store), &ring.newest().pack, place, options, Box::new(Cursor::new(dump.to_vec())))
}

/// Opens a backup.
pub fn open(store: &dyn Store, ring: &Keyring, id: &BackupId) -> Result<OpenManifest, RunError> {
    open_manifest(store, id, ring)
}

/// Unpacks a backup into `released`, which holds what was released before an error, too.
pub fn unpack_into(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    id: &BackupId,
    released: &mut Vec<u8>,
) -> Result<(), RunError> {
    let open = open(store, ring, id)?;
    let keys = ring.of_epoch(open.manifest.epoch)?;
    Restore::prepare(&outside.world(store), &open, keys, 2)?.release(released)
}

/// Unpacks a backup.
pub fn unpack_bytes(outside: &Outside, store: &dyn Store, ring: &Keyring, id: &BackupId) -> Result<Vec<u8>, RunError> {
    let mut released = Vec::new();
    unpack_into(outside, store, ring, id, &mut released).map(|()| released)
}

/// Text that looks like rows: compressible, and never twice the same.
pub fn rows(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = Vec::new();
    for row in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(format!("{row}\t{state:016x}\tcustomer {}\t2026-11-20\n", state % 977).as_bytes());
    }
    text
}

/// Bytes that do not compress.
pub fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Seeded::new(seed).fill(&mut bytes);
    bytes
}
