//! What goes in comes out, for every shape of dump and store, and the parts do not depend on how the run went.

mod common;

use common::world::*;
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
