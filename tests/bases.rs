//! Backups that use parts of earlier ones: what they need and what they do not, how many bases there are, when a part is not used any more;
//! sizes that fill things exactly; two writers; clocks that are wrong.

mod common;

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};

use common::world::*;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::format::header::Role;
use vault::format::manifest::Manifest;
use vault::format::record::Usage;
use vault::keys::ring::Keyring;
use vault::pipeline::error::RunError;
use vault::pipeline::history::read_chapter;
use vault::pipeline::known::{CachePlace, Reuse};
use vault::pipeline::pack::{PackOptions, Packed, pack};
use vault::pipeline::port::Store;
use vault::pipeline::survey::Survey;
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn check(outside: &Outside, store: &MemoryStore, ring: &Keyring, id: &BackupId, dump: &[u8]) {
    let open = open(store, ring, id).expect("opens");
    let report = verify_full(&outside.world(store), &open, ring.newest(), 2).expect("verifies");
    assert_eq!(report.findings, [], "{id}");
    assert!(unpack_bytes(outside, store, ring, id).expect("unpacks") == dump, "{id}");
}

/// What the catalogue of a backup says of the use of each part.
fn usage(store: &MemoryStore, ring: &Keyring, manifest: &Manifest) -> Vec<Usage> {
    let survey = Survey::take(store, "").expect("lists");
    read_chapter(&Outside::new("usage").world(store), &ring.newest().pack, &survey, manifest)
        .expect("a catalogue")
        .usage
}

fn base_ids(packed: &Packed) -> Vec<BackupId> {
    packed.manifest.bases.iter().map(|base| base.id).collect()
}

fn count(manifest: &Manifest, role: Role) -> usize {
    manifest.parts.iter().filter(|part| part.role == role).count()
}

#[test]
fn a_restore_needs_what_its_manifest_names_and_no_catalogue() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let mut dump = rows(1, 3000);
    let mut days = Vec::new();
    for day in 0..6 {
        outside.later(DAY);
        let packed = pack_bytes(&outside, &store, &ring, small(8480), &dump).expect("packs");
        days.push((packed.manifest, dump.clone()));
        dump.splice(9000 * day..9000 * day + 200, rows(day as u64 + 9, 60));
    }
    assert_eq!(outside.warnings(), [] as [String; 0]);
    let (mut deleted, whole) = (0, store.snapshot());
    for (manifest, dump) in &days {
        let alone = MemoryStore::new();
        let needed = manifest.objects().filter(|(_, part)| part.role != Role::Catalogue);
        let mut needed: BTreeSet<String> = needed.map(|(id, part)| id.part_name(part.index)).collect();
        needed.insert(manifest.id.manifest_name());
        for (name, bytes) in whole.iter().filter(|(name, _)| needed.contains(*name)) {
            alone.insert(name.clone(), bytes.clone());
        }
        deleted += whole.len() - needed.len();
        assert!(unpack_bytes(&outside, &alone, &ring, &manifest.id).expect("unpacks") == *dump);
        let open = open(&alone, &ring, &manifest.id).expect("opens");
        let report = verify_full(&outside.world(&alone), &open, ring.newest(), 1).expect("verifies");
        let catalogues = manifest.objects().filter(|(_, part)| part.role == Role::Catalogue).count();
        assert_eq!(report.findings.len(), catalogues);
        assert!(
            report.findings.iter().all(|finding| finding.class == FailureClass::Missing && !finding.hinders_restore)
        );
        // And of what it does need, nothing can be spared or cut: that is seen before the first byte is released.
        for name in &needed {
            for (cut, class) in [(false, FailureClass::Missing), (true, FailureClass::Damaged)] {
                match whole[name].split_last() {
                    Some((_, rest)) if cut => alone.insert(name.clone(), rest),
                    _ => Store::delete(&alone, name).expect("deletes"),
                }
                let mut released = Vec::new();
                let error = unpack_into(&outside, &alone, &ring, &manifest.id, &mut released).expect_err(name);
                let class = if name.ends_with(".json") && !cut { FailureClass::NotFound } else { class };
                assert_eq!((error.class(), released.len()), (class, 0), "{name}");
                alone.insert(name.clone(), whole[name].clone());
            }
        }
    }
    let (last, _) = days.last().expect("six days");
    assert!(last.bases.len() >= 4 && count(last, Role::Catalogue) >= 1 && deleted > 60, "{deleted}");
}

#[test]
fn there_are_64_bases_at_most() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let (mut dump, mut days) = (Vec::new(), Vec::new());
    for day in 0..70 {
        outside.later(DAY);
        dump.extend_from_slice(&noise(&format!("day {day}"), 2000 + 8 * day));
        let packed = pack_bytes(&outside, &store, &ring, small(60_000), &dump).expect("packs");
        assert_eq!(packed.manifest.bases.len(), day.min(64), "day {day}");
        days.push((packed, dump.clone()));
    }
    // Those with the fewest live bytes went; what they held was stored again, and used again from there.
    let again: Vec<u64> = days.iter().map(|(packed, _)| packed.new).collect();
    assert!(again[65] > 3500, "a day and what the base that went held: {}", again[65]);
    let before: BTreeSet<BackupId> = base_ids(&days[64].0).into_iter().collect();
    let after: BTreeSet<BackupId> = base_ids(&days[65].0).into_iter().collect();
    assert_eq!(before.difference(&after).count(), 1);
    for (packed, dump) in days.iter().step_by(9).chain(days.last()) {
        check(&outside, &store, &ring, &packed.manifest.id, dump);
    }
}

#[test]
fn a_part_that_is_hardly_used_is_let_go() {
    let mut cases = 0;
    // Of 100 000 bytes, so many are kept; the chunk in which they end is not.
    for (kept, stays) in [(4000, false), (4990, false), (6200, true), (30_000, true)] {
        let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
        let first = noise("first", 100_000);
        let second = [&first[..kept], &noise("second", 100_000)].concat();
        let options = || small(300_000);
        let one = pack_bytes(&outside, &store, &ring, options(), &first).expect("packs");
        assert_eq!(usage(&store, &ring, &one.manifest), [Usage { live: 100_000, plain: 100_000 }]);
        outside.later(DAY);
        let two = pack_bytes(&outside, &store, &ring, options(), &second).expect("packs");
        assert_eq!(base_ids(&two), [one.manifest.id]);
        let used = usage(&store, &ring, &two.manifest);
        assert_eq!(used[0], Usage { live: two.new, plain: two.new });
        assert_eq!(used[1], Usage { live: two.plain - two.new, plain: 100_000 });
        assert!((kept as u64 - 1024..=kept as u64).contains(&used[1].live), "{used:?}");
        assert_eq!(used[1].live * 100 >= used[1].plain * 5, stays, "{used:?}");
        outside.later(DAY);
        let three = pack_bytes(&outside, &store, &ring, options(), &second).expect("packs");
        let expected = if stays { vec![one.manifest.id, two.manifest.id] } else { vec![two.manifest.id] };
        assert_eq!(base_ids(&three), expected, "{kept}");
        assert_eq!(three.new, if stays { 0 } else { used[1].live });
        for (packed, dump) in [(one, &first), (two, &second), (three, &second)] {
            check(&outside, &store, &ring, &packed.manifest.id, dump);
        }
        cases += 1;
    }
    assert_eq!(cases, 4);
}

#[test]
fn a_full_backup_references_nothing_and_is_what_the_next_one_references() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let dump = rows(1, 2000);
    let mut packed = Vec::new();
    for reuse in [Reuse::Allowed, Reuse::Allowed, Reuse::Full, Reuse::Allowed] {
        outside.later(DAY);
        let options = PackOptions { reuse, ..small(60_000) };
        packed.push(pack_bytes(&outside, &store, &ring, options, &dump).expect("packs"));
    }
    let id = |at: usize| packed[at].manifest.id;
    assert_eq!((base_ids(&packed[1]), packed[1].new), (vec![id(0)], 0));
    assert_eq!((base_ids(&packed[2]), packed[2].new), (vec![], dump.len() as u64));
    assert_eq!((base_ids(&packed[3]), packed[3].new), (vec![id(2)], 0));
    assert_eq!(packed[2].manifest.prev.as_ref().map(|prev| prev.id), Some(id(1)), "it is of the same chain");
    (0..4).for_each(|at| check(&outside, &store, &ring, &id(at), &dump));
}

#[test]
fn what_a_prune_has_announced_is_not_referenced() {
    let mut cases = 0;
    for mark in ["one part", "unreadable", "nothing", "another guid"] {
        let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
        let dump = rows(1, 3000);
        let one = pack_bytes(&outside, &store, &ring, small(12_592), &dump).expect("packs");
        assert!(count(&one.manifest, Role::Data) >= 3);
        let marked = one.manifest.id.part_name(1);
        let candidates = if mark == "nothing" { String::new() } else { format!("\"{marked}\"") };
        let text = format!(
            r#"{{"format": "vault-prune", "version": 1, "guid": "{GUID}", "time": 0, "candidates": [{candidates}]}}"#
        );
        let guid =
            if mark == "another guid" { "00000000-0000-4000-8000-000000000000".into() } else { GUID.to_string() };
        let text = if mark == "unreadable" { &text[..text.len() - 1] } else { &text };
        store.insert(format!("{guid}-prune-1760000000001.json"), text);
        outside.later(DAY);
        let two = pack_bytes(&outside, &store, &ring, small(12_592), &dump).expect("packs");
        let names = |packed: &Packed| packed.manifest.objects().any(|(id, part)| id.part_name(part.index) == marked);
        assert_eq!(names(&two), matches!(mark, "nothing" | "another guid"), "{mark}");
        match mark {
            "unreadable" => assert_eq!((two.manifest.bases.len(), outside.warnings().len()), (0, 1)),
            "one part" => assert!(two.new > 0 && two.new * 2 < two.plain && !two.manifest.bases.is_empty()),
            _ => assert_eq!(two.new, 0),
        }
        // The prune does what it announced.
        if mark == "one part" {
            Store::delete(&store, &marked).expect("deletes");
        }
        check(&outside, &store, &ring, &two.manifest.id, &dump);
        cases += 1;
    }
    assert_eq!(cases, 4);
}

#[test]
fn index_and_catalogue_go_over_many_parts() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let mut dump = noise("dump", 1_500_000);
    let mut days = Vec::new();
    for day in 0..3 {
        outside.later(DAY);
        let packed = pack_bytes(&outside, &store, &ring, small(8480), &dump).expect("packs");
        days.push((packed.manifest, dump.clone()));
        dump.splice(70_000..90_000, noise(&format!("day {day}"), 300_000));
    }
    assert_eq!(outside.warnings(), [] as [String; 0]);
    for (manifest, dump) in &days {
        let (catalogues, indexes) = (count(manifest, Role::Catalogue), count(manifest, Role::Index));
        assert!(catalogues >= 3 && indexes >= 3, "{catalogues} catalogue parts and {indexes} index parts");
        check(&outside, &store, &ring, &manifest.id, dump);
    }
}

#[test]
fn exact_multiples_of_segments_blocks_and_parts() {
    let ring = ring("key");
    // F is 8192 here, two segments; a block has 8000 bytes at most. zstd adds some 9 bytes to what it cannot compress.
    let options = || small(8480);
    let lengths = [4096, 8000, 8192, 16_000, 16_384].iter().flat_map(|length| length - 36..length + 6);
    let (mut cases, mut exact) = (0, BTreeSet::new());
    for length in lengths {
        let (outside, store, dump) = (Outside::new("run"), MemoryStore::new(), noise("exact", length));
        let packed = pack_bytes(&outside, &store, &ring, options(), &dump).expect("packs");
        check(&outside, &store, &ring, &packed.manifest.id, &dump);
        exact.extend(packed.manifest.parts.iter().map(|part| part.bytes).filter(|bytes| (bytes - 256) % 4112 == 0));
        cases += 1;
    }
    assert_eq!(cases, 5 * 42);
    assert_eq!(exact, BTreeSet::from([256 + 4112, 256 + 2 * 4112]), "both were filled to their last byte");
    for length in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1, 3 << 20] {
        let (outside, store, dump) = (Outside::new("run"), MemoryStore::new(), noise("exact", length));
        let packed = pack_bytes(&outside, &store, &ring, defaults(), &dump).expect("packs");
        check(&outside, &store, &ring, &packed.manifest.id, &dump);
    }
}

/// Begins when everybody is there.
struct Together(Arc<Barrier>, Option<Cursor<Vec<u8>>>, Vec<u8>);

impl Read for Together {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Together(barrier, begun, dump) = self;
        begun
            .get_or_insert_with(|| {
                barrier.wait();
                Cursor::new(std::mem::take(dump))
            })
            .read(buffer)
    }
}

#[test]
fn of_two_writers_in_the_same_millisecond_one_wins() {
    let ring = ring("key");
    for round in 0..40 {
        let store = MemoryStore::new();
        let earlier = Outside::new("earlier");
        pack_bytes(&earlier, &store, &ring, small(16_704), &rows(1, 600)).expect("packs");
        let before = store.snapshot();
        // When the input is first read, both have chosen their id, and it is the same.
        let barrier = Arc::new(Barrier::new(2));
        let run = |writer: u64| {
            let outside = Outside::new(&format!("writer {writer} of round {round}"));
            outside.later(DAY);
            let dump = [rows(1, 600), rows(writer + 2, 300)].concat();
            let input = Box::new(Together(Arc::clone(&barrier), None, dump.clone()));
            let packed = pack(&outside.world(&store), &ring.newest().pack, &CachePlace::None, small(16_704), input);
            (outside, packed, dump)
        };
        let outcomes = std::thread::scope(|scope| {
            let runs = [0, 1].map(|writer| scope.spawn(move || run(writer)));
            runs.map(|run| run.join().expect("no writer panics"))
        });
        let mut named: BTreeSet<String> = before.keys().cloned().collect();
        let mut won = 0;
        for (outside, packed, dump) in outcomes {
            match packed {
                Ok(packed) => {
                    check(&outside, &store, &ring, &packed.manifest.id, &dump);
                    named.extend(packed.manifest.parts.iter().map(|part| packed.manifest.id.part_name(part.index)));
                    named.insert(packed.manifest.id.manifest_name());
                    won += 1;
                }
                Err(error) => assert_eq!(error.class(), FailureClass::Exists, "{error}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
        assert!(store.names().iter().eq(named.iter()), "round {round}: the loser left something behind");
    }
}

#[test]
fn clocks_that_are_wrong() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let (now, dump) = (1_760_000_000_000, rows(1, 100));
    let at = |clock: u64| {
        outside.clock.0.store(clock, Ordering::SeqCst);
        pack_bytes(&outside, &store, &ring, small(60_000), &dump).map(|packed| packed.manifest)
    };
    let one = at(now).expect("packs");
    // Backwards, by an hour and by 23: one millisecond after the newest.
    for back in [HOUR, 23 * HOUR, 24 * HOUR - 2] {
        let next = at(now - back).expect("packs");
        assert!(next.id > one.id && next.id.timestamp <= now + 3, "{}", next.id);
        assert_eq!(next.prev.map(|prev| prev.id.timestamp), Some(next.id.timestamp - 1));
    }
    let newest = at(now + 365 * DAY).expect("packs").id.timestamp;
    assert_eq!(newest, now + 365 * DAY);
    // The clock is put right.
    let before = store.snapshot();
    let error = at(now + DAY).expect_err("the newest backup is a year ahead");
    assert!(matches!(error, RunError::Clock { .. }));
    assert_eq!(error.class(), FailureClass::Failure);
    let text = error.to_string();
    let newest_id = BackupId::new(GUID, newest).expect("an id");
    let said = "the clock shows 2025-10-10T08:53:20.000Z, and the newest backup";
    assert_eq!(text, format!("{said}, {newest_id}, is of 2026-10-09T08:53:20.000Z"));
    assert_eq!(store.snapshot(), before);
    assert!(at(newest - DAY - 1).is_err());
    assert_eq!(at(newest - DAY).expect("24 hours are allowed").id.timestamp, newest + 1);
    assert_eq!(at(newest + 1).expect("packs").id.timestamp, newest + 2);
    for name in store.names().iter().filter(|name| name.ends_with(".json")) {
        let id: BackupId = name.trim_end_matches(".json").parse().expect("an id");
        check(&outside, &store, &ring, &id, &dump);
    }
}
