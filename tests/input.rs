//! There is a backup only of an input that was whole, and only while the store keeps what it was given.

mod common;

use std::io::{Cursor, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::stores::{Hooked, Snapshot, restored};
use common::world::*;
use vault::base::failure::FailureClass;
use vault::keys::ring::Keyring;
use vault::pipeline::error::RunError;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{PackOptions, pack};
use vault::pipeline::port::{Control, ProducerEnd, SourceFailed, Stop, Store};
use vault::store::faulty::{FaultyStore, Times};
use vault::store::memory::MemoryStore;

/// Stops a run the nth time it asks, or says at the end that the producer failed.
struct Watching {
    asked: AtomicU64,
    stop_at: u64,
    stop: Stop,
    end: Result<(), SourceFailed>,
}

impl Watching {
    fn new(stop_at: u64, stop: Stop, end: Result<(), SourceFailed>) -> Box<Watching> {
        Box::new(Watching { asked: AtomicU64::new(0), stop_at, stop, end })
    }
}

impl Control for Watching {
    fn stop(&self) -> Option<Stop> {
        (self.asked.fetch_add(1, Ordering::SeqCst) + 1 >= self.stop_at).then_some(self.stop)
    }

    fn end_of_input(&self) -> Result<ProducerEnd, SourceFailed> {
        self.end.clone().map(|()| ProducerEnd::Unknown)
    }
}

fn options() -> PackOptions {
    small(8480)
}

fn earlier(ring: &Keyring) -> Snapshot {
    let store = MemoryStore::new();
    pack_bytes(&Outside::new("earlier"), &store, ring, options(), &rows(1, 500)).expect("packs");
    store.snapshot()
}

/// Reads so many bytes and then fails.
struct Breaking(Cursor<Vec<u8>>, std::io::ErrorKind);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(self.1.into()),
            read => Ok(read),
        }
    }
}

#[test]
fn an_input_that_is_not_whole_leaves_nothing() {
    let ring = ring("key");
    let (before, mut cases) = (earlier(&ring), 0);
    let dump = [rows(1, 500), noise("more", 40_000)].concat();
    let postgres = [b"--\n-- PostgreSQL database dump\n--\n\n".to_vec(), dump.clone()].concat();
    for kind in ["broken", "failed", "cut", "empty"] {
        for length in [1, 4096, 30_000, dump.len()] {
            let store = restored(&before);
            let mut outside = Outside::new("later");
            outside.later(86_400_000);
            if kind == "failed" {
                outside.control =
                    Watching::new(u64::MAX, Stop::Interrupted, Err(SourceFailed("pg_dump exited with 7".into())));
            }
            let input: Box<dyn Read + Send> = match kind {
                "broken" => {
                    Box::new(Breaking(Cursor::new(dump[..length].to_vec()), std::io::ErrorKind::ConnectionReset))
                }
                "cut" => Box::new(Cursor::new(postgres[..length.max(45)].to_vec())),
                "empty" => Box::new(Cursor::new(Vec::new())),
                _ => Box::new(Cursor::new(dump[..length].to_vec())),
            };
            let world = outside.world(&store);
            let error = pack(&world, &ring.newest().pack, &CachePlace::None, options(), input).expect_err(kind);
            assert_eq!(error.class(), FailureClass::Source, "{kind}: {error}");
            assert_eq!(store.snapshot(), before, "{kind} after {length} bytes");
            cases += 1;
        }
    }
    assert_eq!(cases, 16);
}

/// Breaks off when all that was read is with the store, which takes nothing any more from then on.
struct BreakingWith(Cursor<Vec<u8>>, FaultyStore);

impl Read for BreakingWith {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        let mut seen = 0;
        while read == 0 && seen != self.1.operations() {
            seen = self.1.operations();
            std::thread::sleep(Duration::from_millis(200));
        }
        if read > 0 { Ok(read) } else { Err(std::io::ErrorKind::ConnectionReset.into()) }
    }
}

#[test]
fn the_first_error_is_the_one_that_is_reported() {
    let ring = ring("key");
    let run = |store: FaultyStore| -> RunError {
        // More than a span, so that blocks are on their way before the input breaks.
        let input = BreakingWith(Cursor::new(noise("first", (16 << 20) + 7)), store.clone());
        let outside = Outside::new("first");
        let error =
            pack(&outside.world(&store), &ring.newest().pack, &CachePlace::None, small(1 << 30), Box::new(input));
        error.expect_err("a broken input")
    };
    let store = FaultyStore::counting(MemoryStore::new());
    let error = run(store.clone());
    assert_eq!(error.class(), FailureClass::Source, "{error}");
    assert_eq!(store.commits(), 0, "a part of a run that has failed is finished");
    // Whatever would come after the last operation fails.
    let next = store.operations() + 1;
    let error = run(FaultyStore::failing(MemoryStore::new(), next, Times::FromThenOn));
    assert_eq!(error.class(), FailureClass::Source, "{error}");
}

/// How long a busy machine may take to write a few megabytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the next dump when all of the one before is with the store, or when that has failed; and breaks off in the end, or not.
struct Patient {
    dumps: Vec<Cursor<Vec<u8>>>,
    store: FaultyStore,
    /// Operations after which there is nothing to wait for.
    failed: u64,
    breaks: bool,
    /// Bytes read, and the operations when the first dump was with the store.
    seen: std::sync::Arc<(AtomicU64, AtomicU64)>,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(dump) = self.dumps.first_mut() else {
            return if self.breaks { Err(std::io::ErrorKind::ConnectionReset.into()) } else { Ok(0) };
        };
        let read = dump.read(buffer)?;
        self.seen.0.fetch_add(read as u64, Ordering::SeqCst);
        if read > 0 {
            return Ok(read);
        }
        self.dumps.remove(0);
        let (mut before, begun) = (0, Instant::now());
        while self.store.operations() < self.failed && begun.elapsed() < PATIENCE {
            // Where nothing fails it is all there when nothing more comes.
            if self.failed == u64::MAX && before == self.store.operations() {
                break;
            }
            before = self.store.operations();
            std::thread::sleep(Duration::from_millis(500));
        }
        let now = self.store.operations();
        let _ = self.seen.1.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
        // The writer has time to end.
        std::thread::sleep(Duration::from_millis(300));
        self.read(buffer)
    }
}

/// Of a dump that is known nothing is written: that the store has failed must show itself all the same, and not with the last byte.
#[test]
fn a_store_that_fails_ends_the_reading() {
    let ring = ring("key");
    let (new, known) = (noise("new", 16 << 20), noise("known", 64 << 20));
    let before = MemoryStore::new();
    pack_bytes(&Outside::new("earlier"), &before, &ring, defaults(), &known).expect("packs");
    // Slabs that are under way when the input pauses are known ones, so that nothing more is written.
    let (some, rest) = known.split_at(8 << 20);
    let (first, second) = ([&new[..], some].concat(), rest.to_vec());
    let run = |store: &FaultyStore, failed: u64, dumps: &[&Vec<u8>], breaks: bool| {
        let seen = std::sync::Arc::default();
        let dumps = dumps.iter().map(|dump| Cursor::new((*dump).clone())).collect();
        let input = Patient { dumps, store: store.clone(), failed, breaks, seen: std::sync::Arc::clone(&seen) };
        let outside = Outside::new("later");
        outside.later(86_400_000);
        let world = outside.world(store);
        let ended = pack(&world, &ring.newest().pack, &CachePlace::None, defaults(), Box::new(input));
        (ended, seen.0.load(Ordering::SeqCst), seen.1.load(Ordering::SeqCst))
    };
    let counting = FaultyStore::counting(restored(&before.snapshot()));
    let (ended, read, written) = run(&counting, u64::MAX, &[&first, &second], false);
    let packed = ended.expect("packs");
    assert!(read == 80 << 20 && packed.new < 18 << 20, "{read} bytes, {} of them new", packed.new);
    for (dumps, breaks) in [(&[&first, &second][..], false), (&[&first][..], true)] {
        let failing = FaultyStore::failing(restored(&before.snapshot()), written, Times::Once);
        let (ended, read, _) = run(&failing, written, dumps, breaks);
        let error = ended.expect_err("the store failed");
        assert_eq!(error.class(), FailureClass::Store, "{error}");
        assert!(read < 40 << 20, "{read} bytes were read");
    }
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_whenever_it_is() {
    let ring = ring("key");
    let before = earlier(&ring);
    let dump = [rows(1, 500), noise("more", 3 << 20)].concat();
    let stops = [
        (Stop::Interrupted, FailureClass::Interrupted),
        (Stop::Terminated, FailureClass::Terminated),
        (Stop::Timeout(Duration::from_secs(1)), FailureClass::Source),
        (Stop::Stalled(Duration::from_secs(1)), FailureClass::Source),
    ];
    let mut stopped = 0;
    for (stop, class) in stops {
        for at in 1.. {
            let store = restored(&before);
            let mut outside = Outside::new("later");
            outside.later(86_400_000);
            outside.control = Watching::new(at, stop, Ok(()));
            let outcome = pack_bytes(&outside, &store, &ring, options(), &dump);
            let Err(error) = outcome else { break };
            assert_eq!(error.class(), class, "{error}");
            assert_eq!(store.snapshot(), before, "{stop:?} at {at}");
            stopped += 1;
        }
    }
    assert!(stopped >= 4 * 6, "{stopped}");
}

#[test]
fn what_the_store_changes_on_the_way_is_found() {
    let ring = ring("key");
    let (before, dump) = (earlier(&ring), [rows(1, 500), noise("more", 20_000)].concat());
    let mut found = 0;
    // In headers, which are all read back; and behind them, where all but data parts are.
    for behind_header in [false, true] {
        for commit in 1.. {
            let store = restored(&before);
            let was_data = std::sync::Arc::new(Mutex::new(false));
            let seen = std::sync::Arc::clone(&was_data);
            let hooked = Hooked::new(store.clone(), move |store, number, name| {
                if number == commit {
                    let mut bytes = store.snapshot()[name].clone();
                    *seen.lock().expect("no panic") = bytes[8..10] == [1, 0];
                    let at = if behind_header { bytes.len() - 100 } else { 70 };
                    bytes[at] ^= 8;
                    store.insert(name, bytes);
                }
            });
            let outside = Outside::new("later");
            outside.later(86_400_000);
            let outcome = pack_bytes(&outside, &hooked, &ring, options(), &dump);
            if hooked.commits() < commit {
                assert!(outcome.is_ok());
                break;
            }
            if behind_header && *was_data.lock().expect("no panic") {
                continue;
            }
            let error = outcome.expect_err("the store changed it");
            assert!(matches!(error, RunError::ReadBack { .. }), "commit {commit}: {error}");
            assert_eq!(error.class(), FailureClass::Store);
            let left: Vec<String> = store.names().into_iter().filter(|name| !before.contains_key(name)).collect();
            assert!(left.len() <= 1, "nothing but what is not what was written: {left:?}");
            found += 1;
        }
    }
    assert!(found >= 6 + 3, "{found}");
}

#[test]
fn what_vanishes_before_the_end_takes_the_manifest_with_it() {
    let ring = ring("key");
    let (before, dump) = (earlier(&ring), [rows(1, 500), noise("more", 20_000)].concat());
    let whole = restored(&before);
    let outside = Outside::new("later");
    outside.later(86_400_000);
    let packed = pack_bytes(&outside, &whole, &ring, options(), &dump).expect("packs");
    let named: Vec<String> = packed.manifest.objects().map(|(id, part)| id.part_name(part.index)).collect();
    assert!(!packed.manifest.bases.is_empty() && named.len() > 6);
    for name in &named {
        for cut in [false, true] {
            let (store, victim) = (restored(&before), name.clone());
            let hooked = Hooked::new(store.clone(), move |store, _, committed| {
                if committed.ends_with(".json") {
                    match store.snapshot()[&victim].split_last() {
                        Some((_, rest)) if cut => store.insert(victim.clone(), rest),
                        _ => Store::delete(store, &victim).expect("deletes"),
                    }
                }
            });
            let outside = Outside::new("later");
            outside.later(86_400_000);
            let error = pack_bytes(&outside, &hooked, &ring, options(), &dump).expect_err("a part vanished");
            let class = if cut { FailureClass::Damaged } else { FailureClass::Missing };
            assert_eq!(error.class(), class, "{name}: {error}");
            let left: Vec<String> = store.names().into_iter().filter(|name| !before.contains_key(name)).collect();
            assert_eq!(left, [] as [String; 0], "{name}");
        }
    }
}

/// A dump during which somebody else writes an object of the same name.
struct Rival {
    dump: Cursor<Vec<u8>>,
    store: MemoryStore,
    name: String,
    bytes: Vec<u8>,
}

impl Read for Rival {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.dump.position() == 0 {
            self.store.insert(self.name.clone(), self.bytes.clone());
        }
        self.dump.read(buffer)
    }
}

#[test]
fn an_object_of_another_writer_is_left_alone() {
    let ring = ring("key");
    let (before, dump) = (earlier(&ring), [rows(1, 500), noise("more", 20_000)].concat());
    let pack_beside = |seed: &str, store: &MemoryStore, rival: Option<(&str, &[u8])>| {
        let outside = Outside::new(seed);
        outside.later(86_400_000);
        let (name, bytes) = rival.unwrap_or(("nobody", &[]));
        let input =
            Rival { dump: Cursor::new(dump.clone()), store: store.clone(), name: name.into(), bytes: bytes.into() };
        let hooked = Hooked::new(store.clone(), |_, _, _| ());
        pack(&outside.world(&hooked), &ring.newest().pack, &CachePlace::None, options(), Box::new(input))
    };
    // What another writer makes of the same dump in the same millisecond: the same names and sizes.
    let other = restored(&before);
    pack_beside("the other", &other, None).expect("packs");
    let theirs: Snapshot =
        other.snapshot().into_iter().filter(|(name, _)| !before.contains_key(name) && name != "nobody").collect();
    assert!(theirs.len() > 5, "{:?}", theirs.keys());
    for (name, bytes) in &theirs {
        let store = restored(&before);
        let error = pack_beside("this one", &store, Some((name, bytes))).expect_err("somebody else was faster");
        assert_eq!(error.class(), FailureClass::Exists, "{name}: {error}");
        let mut expected = before.clone();
        expected.insert(name.clone(), bytes.clone());
        assert!(store.snapshot() == expected, "{name}: its own objects are gone, and nothing else");
    }
}
