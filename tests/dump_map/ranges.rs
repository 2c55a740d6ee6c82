//! Parts of a dump out of a store that counts what is read of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use vault::format::header::SegmentSize;
use vault::keys::ring::Keyring;
use vault::ops::choose::pattern::table;
use vault::ops::choose::{Chosen, Wanted, choose};
use vault::ops::contents::tree;
use vault::pipeline::contents::Contents;
use vault::pipeline::error::RunError;
use vault::pipeline::pack::{Level, PackOptions, Packed};
use vault::pipeline::port::{ObjectInfo, Store, StoreError, Upload};
use vault::pipeline::unpack::Restore;
use vault::store::memory::MemoryStore;

use crate::common::world::{Outside, defaults, open, pack_bytes, ring, rows, small, unpack_bytes};
use crate::{END, HEAD};

/// A store that counts what is read.
struct Counting(MemoryStore, Arc<AtomicU64>);

impl Store for Counting {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.0.get(name, offset, length)?;
        self.1.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(bytes)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.0.create(name)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

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

fn wanted(tables: &[&str]) -> Wanted {
    let tables = tables.iter().map(|text| ((*text).to_owned(), table(text).expect("a pattern")));
    Wanted { tables: tables.collect(), ..Wanted::default() }
}

/// Chooses and releases; the script, and what was chosen.
fn part(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    packed: &Packed,
    wanted: &Wanted,
) -> Result<(Vec<u8>, Chosen), RunError> {
    let open = open(store, ring, &packed.manifest.id)?;
    let chosen = choose(&Contents::open(store, &open)?, wanted).expect("chosen");
    let keys = ring.of_epoch(open.manifest.epoch)?;
    let mut released = Vec::new();
    Restore::prepare(&outside.world(store), &open, keys, 2)?.release_ranges(&chosen.ranges, &mut released)?;
    Ok((released, chosen))
}

/// What one table takes, in hundredths of a per cent of the bytes and of the time that all of it takes.
fn cost(options: PackOptions, bytes: usize, wanted_bytes: usize) -> (u64, u64) {
    let (outside, key) = (Outside::new("cost"), ring("cost"));
    let counting = Counting(MemoryStore::new(), Arc::default());
    let (script, expected) = script(bytes, wanted_bytes);
    let packed = pack_bytes(&outside, &counting, &key, options, &script).expect("packs");
    counting.1.store(0, Ordering::SeqCst);
    let began = Instant::now();
    let (released, chosen) = part(&outside, &counting, &key, &packed, &wanted(&["public.wanted"])).expect("a part");
    let (took, read) = (began.elapsed(), counting.1.swap(0, Ordering::SeqCst));
    assert!(released.ends_with(&[&expected[..], b"\\unrestrict Key1\n"].concat()), "the rows of the table");
    assert!(released.starts_with(b"\\restrict Key1\nSET statement_timeout = 0;\n"));
    assert_eq!(chosen.tables.len(), 1);
    assert_eq!(chosen.tables[0].rows, (wanted_bytes / 50) as u64);
    let began = Instant::now();
    assert!(unpack_bytes(&outside, &counting, &key, &packed.manifest.id).expect("all of it") == script);
    let (all_took, all) = (began.elapsed(), counting.1.load(Ordering::SeqCst));
    println!("{bytes} bytes: {read} of {all} read, {took:?} of {all_took:?}");
    (read * 10_000 / all, (took.as_micros() * 10_000 / all_took.as_micros()) as u64)
}

#[test]
fn a_table_costs_what_its_spans_cost() {
    // An eighth of 1 GiB. What is read are the blocks of the first span and of those of the table, whatever the size of the dump: out of
    // 1 GiB it is an eighth of this.
    let segment = SegmentSize::from_log2(16).expect("64 KiB");
    let (bytes, _) = cost(PackOptions { segment, level: Level::Fixed(1), ..defaults() }, 128 << 20, 64 << 10);
    assert!(bytes < 600, "{bytes} hundredths of a per cent");
}

fn a_mebibyte_out_of(gibibytes: usize, limit: u64, time_limit: u64) {
    let (bytes, time) = cost(defaults(), gibibytes << 30, 1 << 20);
    assert!(bytes < limit && time < time_limit, "{gibibytes} GiB: {bytes} and {time} hundredths of a per cent");
}

#[test]
#[ignore = "long, and takes 4 GiB of memory"]
fn a_mebibyte_out_of_one_gibibyte() {
    a_mebibyte_out_of(1, 300, 1_000);
}

#[test]
#[ignore = "long, and takes 32 GiB of memory"]
fn a_mebibyte_out_of_eight_gibibytes() {
    a_mebibyte_out_of(8, 100, 100);
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
        let mib = 1_u64 << 20;
        let cases: [&[(u64, u64)]; 6] = [
            &[(0, end)],
            &[(0, 1), (end - 1, end)],
            &[(mib - 1, mib + 1)],
            &[(mib, 2 * mib)],
            &[(5, 5), (7, 9), (9, 10), (mib - 1, mib), (mib, mib + 3), (end - 3, end)],
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
fn a_hundred_thousand_tables_are_some_bytes_each() {
    let mut writer = vault::archive::map::MapWriter::new(1 << 30);
    let mut observer = vault::dump::Observer::new();
    observer.push(HEAD.as_bytes());
    for number in 0..100_000 {
        let name = format!("public.customer_orders_of_{number}");
        observer.push(format!("CREATE TABLE {name} (\n    a int\n);\n\n\nALTER TABLE {name} OWNER TO app;\n\nCOPY {name} (a) FROM stdin;\n1\n2\n\\.\n\n\nALTER TABLE ONLY {name}\n    ADD CONSTRAINT c{number} PRIMARY KEY (a);\n\n").as_bytes());
        let entries = observer.take_map();
        assert!(entries.len() <= 12);
        entries.iter().for_each(|entry| writer.push(entry));
    }
    observer.push(END.as_bytes());
    observer.finish_map().iter().for_each(|entry| writer.push(entry));
    let stored: usize = writer.frames().iter().map(|(_, frame)| frame.len()).sum();
    println!("{stored} bytes");
    assert!(stored < 100_000 * 40, "{stored} bytes for 100000 tables");
}

#[test]
fn a_gigabyte_without_a_newline_is_not_held() {
    let mut observer = vault::dump::Observer::new();
    observer.push(HEAD.as_bytes());
    let megabyte = vec![b'x'; 1 << 20];
    for begin in [
        "COPY public.t (a) FROM stdin;\n",
        "CREATE TABLE public.\"",
        "SELECT '",
        "SELECT ",
        "INSERT INTO public.t VALUES ('",
    ] {
        observer.push(begin.as_bytes());
        let _ = observer.take_map();
        for _ in 0..64 {
            observer.push(&megabyte);
            // Cloned as it is: a clone is as large as what is held.
            assert!(observer.take_map().len() <= 2);
        }
        let held = format!("{observer:?}").len();
        assert!(held < 100_000, "{held} bytes are held after {begin}");
        observer.push(b"\n\\.\n;\n';\n\";\n");
    }
}
