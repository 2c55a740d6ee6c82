//! Dumps that nobody wrote by accident.

use std::io::Read;

use vault::archive::map::MapWriter;
use vault::base::limits::MAP_STORED_BYTES_MAX;
use vault::base::map::{MapEntry, MapKind, MapName};
use vault::ops::contents::tree;
use vault::pipeline::contents::Contents;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Packed, pack};
use vault::store::local::LocalStore;

use crate::common::world::{Outside, defaults, noise, open, ring};
use crate::cost::Generated;
use crate::{END, HEAD};

#[test]
fn a_hundred_thousand_tables_are_some_bytes_each() {
    let mut writer = MapWriter::new(1 << 30);
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

#[test]
fn a_map_that_grows_too_large_ends_early_and_says_where() {
    let mut writer = MapWriter::new(1 << 30);
    // Names that do not shrink.
    let noise = noise("names", 4096 * 4);
    let mut at = 0;
    for number in 0..60_000_usize {
        let own = MapName { schema: Vec::new(), name: noise[number % 12_000..][..3000].to_vec() };
        let on = MapName {
            schema: number.to_le_bytes().to_vec(),
            name: blake3::hash(&number.to_le_bytes()).as_bytes().repeat(9),
        };
        let on = MapName { name: on.name.iter().zip(&own.name).map(|(one, other)| one ^ other).collect(), ..on };
        writer.push(&MapEntry { own, on, ..MapEntry::new(MapKind::Object, b"RULE", at, at + 7) });
        at += 7;
    }
    writer.push(&MapEntry::new(MapKind::Stop, b"", at, at));
    let stored: usize = writer.frames().iter().map(|(_, frame)| frame.len()).sum();
    assert!(stored < MAP_STORED_BYTES_MAX + (2 << 20), "{stored} bytes are held");
}

/// Packs a dump that is made as it goes by; the backup, and up to where it is in the map.
fn packed(pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> (Packed, u64) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (outside, key, store) = (Outside::new("hostile"), ring("hostile"), LocalStore::open(folder.path()));
    let (store, dump): (_, Box<dyn Read + Send>) = (store.expect("a store"), Box::new(Generated::of(pieces)));
    let packed = pack(&outside.world(&store), &key.newest().pack, &CachePlace::None, defaults(), dump).expect("packs");
    let open = open(&store, &key, &packed.manifest.id).expect("opens");
    let mapped = tree(&Contents::open(&store, &open).expect("opens")).expect("a map").mapped;
    (packed, mapped)
}

#[test]
#[ignore = "long"]
fn a_million_tables() {
    let table = |number: u64| {
        format!(
            "CREATE TABLE public.t{number} (\n    a int\n);\n\n\nCOPY public.t{number} (a) FROM stdin;\n1\n\\.\n\n\n"
        )
    };
    let thousand = move |from: u64| (from * 1000..(from + 1) * 1000).map(table).collect::<String>().into_bytes();
    let (packed, mapped) = packed([HEAD.into()].into_iter().chain((0..1000).map(thousand)).chain([END.into()]));
    assert_eq!(mapped, packed.plain, "all of it is in the map");
}

#[test]
#[ignore = "long"]
fn a_row_of_a_gibibyte() {
    for begin in ["COPY public.t (a) FROM stdin;\n", "INSERT INTO public.t VALUES ('"] {
        let end = if begin.starts_with("COPY") { "\n\\.\n" } else { "');\n" };
        let row = (0..1024).map(|_| vec![b'x'; 1 << 20]);
        let head = [HEAD, begin].concat().into_bytes();
        let (packed, mapped) = packed([head].into_iter().chain(row).chain([[end, END].concat().into_bytes()]));
        assert!(packed.plain > 1 << 30 && mapped == packed.plain, "all of it is in the map");
    }
}
