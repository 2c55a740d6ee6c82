//! Parts of a dump, however it is stored.

use std::time::Instant;

use vault::base::limits::SPAN_BYTES;
use vault::keys::ring::Keyring;
use vault::ops::choose::pattern::table;
use vault::ops::choose::{Chosen, Wanted, choose};
use vault::ops::contents::tree;
use vault::ops::scenes::Scenes;
use vault::pipeline::contents::Contents;
use vault::pipeline::error::RunError;
use vault::pipeline::pack::Packed;
use vault::pipeline::port::{Control, ProducerEnd, SourceFailed, Stop, Store};
use vault::pipeline::unpack::Restore;
use vault::store::memory::MemoryStore;

use crate::common::world::{Outside, open, pack_bytes, ring, rows, small, unpack_bytes};
use crate::{END, HEAD};

/// A script whose table `wanted` stands in the middle of others; `(the script, that table's part of it)`.
fn script(bytes: usize, wanted: usize) -> (Vec<u8>, Vec<u8>) {
    let table = |name: &str, seed: u64, bytes: usize| {
        let begin = format!("COPY public.{name} (id, token, name, since) FROM stdin;\n");
        [begin.as_bytes(), &rows(seed, bytes / 50), b"\\.\n"].concat()
    };
    let mut script = HEAD.as_bytes().to_vec();
    let others = 16;
    let mut part = Vec::new();
    for number in 0..others {
        script.extend(format!("CREATE TABLE public.t{number} (\n    id bigint\n);\n\n\n").bytes());
    }
    for number in 0..others {
        script.extend(table(&format!("t{number}"), number as u64 + 2, bytes / others));
        script.extend_from_slice(b"\n\n");
        if number == others / 2 {
            part = table("wanted", 1, wanted);
            script.extend_from_slice(&part);
        }
    }
    script.extend_from_slice(END.as_bytes());
    (script, part)
}

pub fn wanted(tables: &[&str]) -> Wanted {
    let tables = tables.iter().map(|text| ((*text).to_owned(), table(text).expect("a pattern")));
    Wanted { tables: tables.collect(), ..Wanted::default() }
}

/// Chooses and releases; the script, and what was chosen.
pub fn part(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    packed: &Packed,
    wanted: &Wanted,
) -> Result<(Vec<u8>, Chosen), RunError> {
    let open = open(store, ring, &packed.manifest.id)?;
    let contents = Contents::open(store, &open)?;
    let mut reader = contents.reader();
    let chosen = choose(&Scenes::read(&mut reader)?, &mut reader, wanted).expect("chosen");
    let keys = ring.of_epoch(open.manifest.epoch)?;
    let mut released = Vec::new();
    Restore::prepare(&outside.world(store), &open, keys, 2)?.release_ranges(&chosen.ranges, &mut released)?;
    Ok((released, chosen))
}

#[test]
fn ranges_are_those_of_the_dump_however_it_is_stored() {
    let (outside, key, store) = (Outside::new("ranges"), ring("ranges"), MemoryStore::new());
    let (first, _) = script(4 << 20, 100_000);
    let at = first.len() / 3;
    let second = [&first[..at], b"7\tseven\t\\N\t2026-11-20\n", &first[at..]].concat();
    for dump in [&first, &second] {
        outside.later(1000);
        let packed = pack_bytes(&outside, &store, &key, small(1 << 20), dump).expect("packs");
        let id = packed.manifest.id;
        let open = open(&store, &key, &id).expect("opens");
        let keys = key.of_epoch(1).expect("the key");
        let restore = Restore::prepare(&outside.world(&store), &open, keys, 2).expect("everything is there");
        let end = dump.len() as u64;
        let span = SPAN_BYTES as u64;
        let cases: [&[(u64, u64)]; 6] = [
            &[(0, end)],
            &[(0, 1), (end - 1, end)],
            &[(span - 1, span + 1)],
            &[(span, 2 * span)],
            &[(5, 5), (7, 9), (9, 10), (span - 1, span), (span, span + 3), (end - 3, end)],
            &[],
        ];
        for ranges in cases {
            let ranges: Vec<_> = ranges.iter().map(|(from, to)| *from..*to).collect();
            let mut released = Vec::new();
            restore.release_ranges(&ranges, &mut released).expect("released");
            let expected: Vec<u8> =
                ranges.iter().flat_map(|range| &dump[range.start as usize..range.end as usize]).copied().collect();
            assert!(released == expected, "{ranges:?}");
        }
    }
}

/// Someone who wants the run to stop.
struct Stopping;

impl Control for Stopping {
    fn stop(&self) -> Option<Stop> {
        Some(Stop::Interrupted)
    }

    fn end_of_input(&self) -> Result<ProducerEnd, SourceFailed> {
        Ok(ProducerEnd::Unknown)
    }
}

#[test]
fn whoever_chooses_among_many_tables_can_be_stopped() {
    let (outside, key, store) = (Outside::new("stopped"), ring("stopped"), MemoryStore::new());
    let packed = pack_bytes(&outside, &store, &key, small(1 << 20), &script(100_000, 1000).0).expect("packs");
    let open = open(&store, &key, &packed.manifest.id).expect("opens");
    let contents = Contents::open(&store, &open).expect("opens").stopped_by(&Stopping);
    let read = Scenes::read(&mut contents.reader());
    assert!(matches!(read, Err(RunError::Stopped(Stop::Interrupted))), "{read:?}");
}

#[test]
fn nothing_of_a_damaged_span_is_released() {
    let (outside, key, store) = (Outside::new("damage"), ring("damage"), MemoryStore::new());
    let (script, _) = script(6 << 20, 100_000);
    let packed = pack_bytes(&outside, &store, &key, small(1 << 20), &script).expect("packs");
    // Not in the first part, which holds the settings that every script begins with.
    let name = packed.manifest.id.part_name(1);
    let mut bytes = store.snapshot()[&name].clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    store.insert(name, bytes);
    let mut failed = 0;
    for number in 0..16 {
        let wanted = wanted(&[&format!("t{number}")]);
        match part(&outside, &store, &key, &packed, &wanted) {
            Ok((released, chosen)) => {
                let expected: Vec<u8> = chosen
                    .ranges
                    .iter()
                    .flat_map(|range| &script[range.start as usize..range.end as usize])
                    .copied()
                    .collect();
                assert!(released == expected, "t{number}");
            }
            Err(_) => failed += 1,
        }
    }
    assert!((1..12).contains(&failed), "{failed} tables cannot be had");
}

#[test]
fn a_map_that_does_not_fit_is_partial_and_the_backup_whole() {
    let (outside, key, store) = (Outside::new("partial"), ring("partial"), MemoryStore::new());
    let mut script = HEAD.to_owned();
    for number in 0..20_000 {
        script.push_str(&format!("CREATE TABLE public.\"table number {number}\" (\n    a int\n);\n"));
    }
    script.push_str(END);
    let packed = pack_bytes(&outside, &store, &key, small(8_192), script.as_bytes()).expect("packs");
    let back = unpack_bytes(&outside, &store, &key, &packed.manifest.id).expect("unpacks");
    assert!(back == script.as_bytes());
    let open = open(&store, &key, &packed.manifest.id).expect("opens");
    let tree = tree(&Contents::open(&store, &open).expect("opens")).expect("a map");
    assert!(tree.mapped < script.len() as u64, "all of {} bytes are in the map", tree.mapped);
    let tables = tree.databases[0].schemas[&b"public"[..]].relations.len();
    assert!((1_000..20_000).contains(&tables), "{tables} tables");
}

#[test]
fn a_pattern_that_matches_every_table_is_no_square() {
    let (outside, key, store) = (Outside::new("glob"), ring("glob"), MemoryStore::new());
    let mut script = [HEAD, "CREATE TABLE public.p (\n    a int\n)\nPARTITION BY LIST (a);\n"].concat();
    for number in 0..20_000 {
        script.push_str(&format!("CREATE TABLE public.t{number} (\n    a int\n);\n"));
        script.push_str(&format!(
            "ALTER TABLE ONLY public.p ATTACH PARTITION public.t{number} FOR VALUES IN ({number});\n"
        ));
    }
    for number in 0..20_000 {
        script.push_str(&format!("COPY public.t{number} (a) FROM stdin;\n{number}\n\\.\n"));
    }
    script.push_str(END);
    let packed = pack_bytes(&outside, &store, &key, small(16 << 20), script.as_bytes()).expect("packs");
    let began = Instant::now();
    let (_, chosen) = part(&outside, &store, &key, &packed, &wanted(&["public.*", "t*"])).expect("released");
    assert_eq!(chosen.tables.len(), 20_000);
    let seconds = began.elapsed().as_secs();
    assert!(seconds < 10, "{seconds} s");
}
