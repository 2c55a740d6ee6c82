//! Whole runs in memory: everything but disk and network.

use divan::Bencher;
use divan::counter::BytesCount;
use vault::pipeline::pack::PackOptions;
use vault::store::memory::MemoryStore;

use crate::inputs::{DUMP_BYTES, copy_rows};
use crate::world::{Outside, defaults, pack_bytes, ring, unpack_bytes};

/// Long enough that starting and ending do not count.
const RUN_BYTES: usize = 16 * DUMP_BYTES;

/// A dump that nobody calls cut short, since it lacks its head: it is packed as raw bytes, and not observed.
fn dump() -> Vec<u8> {
    [b"x", &copy_rows(RUN_BYTES + 100)[..RUN_BYTES]].concat()
}

fn options(threads: usize) -> PackOptions {
    PackOptions { threads, ..defaults() }
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn pack_first(bencher: Bencher, threads: usize) {
    let (dump, ring) = (dump(), ring("bench"));
    bencher.counter(BytesCount::of_slice(&dump)).bench(|| {
        let (outside, store) = (Outside::new("bench"), MemoryStore::new());
        let packed = pack_bytes(&outside, &store, &ring, options(threads), &dump).expect("packs");
        assert_eq!((packed.plain, packed.new), (dump.len() as u64, dump.len() as u64));
        store
    });
}

/// The next day: nothing changed, so nothing is compressed.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn pack_again(bencher: Bencher, threads: usize) {
    let (dump, ring, store) = (dump(), ring("bench"), MemoryStore::new());
    pack_bytes(&Outside::new("first"), &store, &ring, options(2), &dump).expect("packs");
    let first = store.snapshot();
    bencher
        .counter(BytesCount::of_slice(&dump))
        .with_inputs(|| {
            let store = MemoryStore::new();
            first.iter().for_each(|(name, bytes)| store.insert(name.as_str(), bytes.as_slice()));
            store
        })
        .bench_values(|store| {
            let outside = Outside::new("again");
            outside.later(86_400_000);
            let packed = pack_bytes(&outside, &store, &ring, options(threads), &dump).expect("packs");
            assert_eq!((packed.plain, packed.new), (dump.len() as u64, 0));
            store
        });
}

/// To the last byte; the options of `unpack_bytes` use two threads.
#[divan::bench(sample_count = 10)]
fn unpack(bencher: Bencher) {
    let (dump, ring, store, outside) = (dump(), ring("bench"), MemoryStore::new(), Outside::new("bench"));
    let packed = pack_bytes(&outside, &store, &ring, options(2), &dump).expect("packs");
    bencher.counter(BytesCount::of_slice(&dump)).bench(|| {
        let restored = unpack_bytes(&outside, &store, &ring, &packed.manifest.id).expect("unpacks");
        assert_eq!(restored.len(), dump.len());
        restored
    });
    assert!(unpack_bytes(&outside, &store, &ring, &packed.manifest.id).is_ok_and(|restored| restored == dump));
}
