//! What goes in comes out, for every shape of dump and store, and the parts do not depend on how the run went.

mod common;

use std::io::{Cursor, Read};
use std::time::Duration;

use common::world::*;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Level, PackOptions, pack};
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

#[test]
fn small_dumps_come_back() {
    let ring = ring("key");
    let (seg, part) = (4096, 16_704_u64);
    let mut cases = 0;
    for length in
        [1, 63, 64, 65, 1023, seg - 1, seg, seg + 1, 4 * seg - 8, 4 * seg, 4 * seg + 1, 100_000, 1 << 20, (1 << 20) + 1]
    {
        for dump in [noise("dump", length), rows(7, length / 40 + 1)[..length].to_vec()] {
            let (outside, store) = (Outside::new("run"), MemoryStore::new());
            let packed = pack_bytes(&outside, &store, &ring, small(part), &dump).expect("packs");
            let id = packed.manifest.id;
            assert!(unpack_bytes(&outside, &store, &ring, &id).expect("unpacks") == dump, "{length}");
            let open = open(&store, &ring, &id).expect("opens");
            let report = verify_full(&outside.world(&store), &open, ring.newest(), 2).expect("verifies");
            assert_eq!(report.findings, [], "{length}");
            cases += 1;
        }
    }
    assert_eq!(cases, 28);
}

#[test]
fn later_backups_reference_earlier_ones() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let mut dump = rows(1, 20_000);
    let mut ids = Vec::new();
    for day in 0..5 {
        outside.later(86_400_000);
        let at = dump.len() / 7 * (day + 1);
        dump.splice(at..at, rows(100 + day as u64, 50));
        let packed = pack_bytes(&outside, &store, &ring, defaults(), &dump).expect("packs");
        assert_eq!(outside.warnings(), [] as [String; 0]);
        assert_eq!(packed.manifest.seq, day as u64 + 1);
        if day > 0 {
            assert!(packed.new * 10 < packed.plain, "day {day}: {} of {} new", packed.new, packed.plain);
            assert!(!packed.manifest.bases.is_empty());
        }
        ids.push((packed.manifest.id, dump.clone()));
    }
    for (id, dump) in ids {
        assert!(unpack_bytes(&outside, &store, &ring, &id).expect("unpacks") == dump);
        let open = open(&store, &ring, &id).expect("opens");
        let report = verify_full(&outside.world(&store), &open, ring.newest(), 2).expect("verifies");
        assert_eq!(report.findings, []);
    }
}

/// A producer that takes its time for the first half of its bytes.
struct SlowAtFirst {
    bytes: Cursor<Vec<u8>>,
    slow: u64,
}

impl Read for SlowAtFirst {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes.position() < self.slow {
            std::thread::sleep(Duration::from_millis(20));
        }
        let most = buffer.len().min(1 << 17);
        self.bytes.read(&mut buffer[..most])
    }
}

/// Rows of a few thousand words: what a higher level does better at.
fn phrases(count: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let row = |row| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(row);
        let word = |at: u64| ((state >> (64 - 12 * at)) & 0xfff).wrapping_mul(40503 * 2_654_435_761) & 0xff_ffff;
        format!("{row}\t{:06x} {:06x} {:06x} {:06x}\n", word(1), word(2), word(3), word(4))
    };
    (0..count).map(row).collect::<String>().into_bytes()
}

#[test]
fn a_level_that_changes_on_the_way_uses_the_time_and_comes_back() {
    let (ring, dump) = (ring("key"), phrases(500_000));
    let [fast, slow] = [0, dump.len() as u64 / 2].map(|slow| {
        let level = if slow == 0 { Level::Fixed(1) } else { Level::Auto };
        let (outside, store) = (Outside::new("run"), MemoryStore::new());
        let input = Box::new(SlowAtFirst { bytes: Cursor::new(dump.clone()), slow });
        let options = PackOptions { level, ..defaults() };
        let packed = pack(&outside.world(&store), &ring.newest().pack, &CachePlace::None, options, input);
        let id = packed.expect("packs").manifest.id;
        assert!(unpack_bytes(&outside, &store, &ring, &id).expect("unpacks") == dump);
        store.snapshot().values().map(Vec::len).sum::<usize>()
    });
    assert!(slow < fast, "{slow} bytes are stored of a slow producer, {fast} at level 1");
}
