//! What is stored depends on the dump alone: not on how its bytes come in, and not on the number of threads. Everything else stands still:
//! level, clock, and randomness from a seed.

mod common;

use std::io::{Cursor, ErrorKind, Read};

use common::stores::Snapshot;
use common::world::*;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Level, PackOptions, pack};
use vault::store::memory::MemoryStore;

/// How a dump comes in.
#[derive(Clone, Copy, Debug)]
enum Split {
    Whole,
    Bytes,
    Random,
    /// Random sizes, and every other read is interrupted by a signal.
    Interrupted,
    /// Just below and above what a slab takes.
    Slabs,
}

const SPLITS: [Split; 5] = [Split::Whole, Split::Bytes, Split::Random, Split::Interrupted, Split::Slabs];

struct Splitting {
    dump: Cursor<Vec<u8>>,
    split: Split,
    sizes: std::vec::IntoIter<u8>,
    interrupted: bool,
}

impl Splitting {
    fn new(dump: &[u8], split: Split) -> Splitting {
        Splitting {
            dump: Cursor::new(dump.to_vec()),
            split,
            sizes: noise("sizes", 1 << 16).into_iter(),
            interrupted: false,
        }
    }

    /// Mostly small numbers, now and then a large one.
    fn draw(&mut self) -> usize {
        let byte = self.sizes.next().unwrap_or(128) as usize;
        1 + (byte << (byte % 12))
    }
}

impl Read for Splitting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = match self.split {
            Split::Whole => buffer.len(),
            Split::Bytes => 1,
            Split::Random => self.draw(),
            Split::Interrupted => {
                self.interrupted = !self.interrupted;
                if self.interrupted {
                    return Err(ErrorKind::Interrupted.into());
                }
                self.draw()
            }
            Split::Slabs => (1 << 20) - 1,
        };
        let size = size.min(buffer.len());
        self.dump.read(&mut buffer[..size])
    }
}

/// Three days, the later ones with bases.
fn three_days(split: Split, options: &dyn Fn() -> PackOptions) -> (Snapshot, Vec<(u64, u64, u64)>) {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let mut dump = [rows(1, 30_000), noise("blob", 700_000), rows(1, 10_000)].concat();
    let mut counts = Vec::new();
    for day in 0..3 {
        let input = Box::new(Splitting::new(&dump, split));
        let packed = pack(&outside.world(&store), &ring.newest().pack, &CachePlace::None, options(), input);
        let packed = packed.expect("packs");
        counts.push((packed.plain, packed.new, packed.chunks));
        assert_eq!(packed.manifest.bases.is_empty(), day == 0);
        outside.later(86_400_000);
        let at = dump.len() / 3 * day + 1001;
        dump.splice(at..at + 500, rows(day as u64 + 50, 700));
    }
    assert_eq!(outside.warnings(), [] as [String; 0]);
    (store.snapshot(), counts)
}

fn compare(options: &dyn Fn(usize) -> PackOptions) {
    let (expected, counts) = three_days(Split::Whole, &|| options(1));
    assert!(counts[1].1 * 4 < counts[1].0, "the second day refers to the first: {counts:?}");
    let mut cases = 0;
    for split in SPLITS {
        for threads in [1, 2, 3, 8] {
            let (found, found_counts) = three_days(split, &|| options(threads));
            assert_eq!(found_counts, counts, "{split:?}, {threads} threads");
            assert!(found.keys().eq(expected.keys()), "{split:?}, {threads} threads: other objects");
            let differ = found.iter().find(|(name, bytes)| expected[*name] != **bytes);
            assert!(differ.is_none(), "{split:?}, {threads} threads: {} differs", differ.expect("some").0);
            cases += 1;
        }
    }
    assert_eq!(cases, 20);
}

#[test]
fn neither_splits_nor_threads_show() {
    compare(&|threads| PackOptions { threads, ..defaults() });
}

#[test]
fn neither_splits_nor_threads_show_in_small_parts_and_chunks() {
    compare(&|threads| PackOptions { threads, ..small(100_000) });
}

#[test]
fn neither_splits_nor_threads_show_at_another_level() {
    compare(&|threads| PackOptions { threads, level: Level::Fixed(3), ..defaults() });
}

#[test]
fn another_level_changes_sizes_and_no_cut() {
    let counts =
        [1, 3, 9].map(|level| three_days(Split::Whole, &|| PackOptions { level: Level::Fixed(level), ..defaults() }).1);
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[1], counts[2]);
}
