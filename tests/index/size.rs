//! Large tables: right, and what they cost. The numbers are in the heads of `run` and `cache`.

use std::hint::black_box;
use std::time::Instant;

use vault::index::cache::{Cache, NewBackup, Target, rebuild};
use vault::index::run::RunTable;

use crate::{BINDING, KEY, Numbers, backup};

const PER_BLOCK: u64 = 64;

#[test]
fn a_million_chunks() {
    measure(1_000_000);
}

#[test]
#[ignore = "takes 6 GiB of memory and 2 GiB of disk"]
fn a_tebibyte_of_chunks_of_16_kib() {
    measure(1 << 26);
}

fn report(what: &str, count: u64, since: Instant) {
    println!("{what}: {:.0} ns per chunk", since.elapsed().as_nanos() as f64 / count as f64);
}

fn length(ordinal: u64) -> u32 {
    1 + (ordinal % 16_384) as u32
}

fn measure(count: u64) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cache");
    let table = fill(count);
    println!("run: {:.1} bytes per chunk", table.heap_bytes() as f64 / count as f64);
    let mut new = [known(table)];
    let since = Instant::now();
    let cache = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path)).expect("a cache");
    report("cache: rebuild of new chunks", count, since);
    drop(new);
    let bytes = std::fs::metadata(&path).expect("the file").len();
    println!("cache: {:.1} bytes per chunk", bytes as f64 / count as f64);
    look_up(&path, count);
    let since = Instant::now();
    rebuild(Some(&cache), &|_| true, &mut [], &KEY, &BINDING, Target::File(&path)).expect("a cache");
    report("cache: rebuild of old chunks", count, since);
}

/// A run of that many chunks, found again where they were put.
fn fill(count: u64) -> RunTable {
    let mut table = RunTable::new();
    let (mut numbers, since) = (Numbers(1), Instant::now());
    for ordinal in 0..count {
        if ordinal % PER_BLOCK == 0 {
            table.close_block();
        }
        table.push(numbers.id(), length(ordinal)).expect("room");
    }
    report("run: push", count, since);
    let (mut numbers, since) = (Numbers(1), Instant::now());
    for ordinal in 0..count {
        let place = table.find(&numbers.id(), length(ordinal)).expect("it was pushed");
        assert_eq!(u64::from(place.block), ordinal / PER_BLOCK);
    }
    report("run: find, there", count, since);
    let (mut numbers, since) = (Numbers(2), Instant::now());
    assert!((0..count).all(|_| table.find(&numbers.id(), 1).is_none()));
    report("run: find, not there", count, since);
    table
}

/// The run as a backup.
fn known(table: RunTable) -> NewBackup {
    let mut new = backup(1, &[]);
    let block = |chunks: vault::index::run::BlockChunks<'_>| {
        let plain = chunks.map(|(_, length)| length).sum();
        vault::index::cache::KnownBlock { part: 0, offset: 0, stored: plain, plain }
    };
    new.known.blocks = table.blocks().map(block).collect();
    new.chunks = table.into_chunks();
    new
}

fn look_up(path: &std::path::Path, count: u64) {
    let cache = Cache::open(path, &KEY, &BINDING).expect("sound").expect("there");
    for what in ["first", "again"] {
        let (mut numbers, since) = (Numbers(1), Instant::now());
        for ordinal in 0..count {
            let found = cache.find(&numbers.id(), length(ordinal)).expect("sound").expect("it is there");
            assert_eq!(u64::from(found.block), ordinal / PER_BLOCK);
        }
        report(&format!("cache: find, there, {what}"), count, since);
    }
    let (mut numbers, since) = (Numbers(2), Instant::now());
    for _ in 0..count {
        assert!(black_box(cache.find(&numbers.id(), 1)).expect("sound").is_none());
    }
    report("cache: find, not there", count, since);
}
