//! What is looked up: the chunks of this run, those of earlier ones, and the manifest.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use vault::base::id::{BackupId, ChunkId};
use vault::format::header::Role;
use vault::format::manifest::{Manifest, Part, Verdict};
use vault::index::cache::{Cache, KnownBackup, KnownBlock, NewBackup, NewChunk, Target, rebuild};
use vault::index::run::RunTable;

use crate::inputs::Numbers;
use crate::world::GUID;

/// 4 GiB of dump at 16 KiB a chunk.
const CHUNKS: usize = 1 << 18;
/// Pushes of one measurement.
const PUSHES: usize = 1 << 16;
const PER_BLOCK: usize = 64;
const LENGTH: u32 = 16 << 10;
/// Lookups of one measurement.
const LOOKUPS: usize = 4096;
const PARTS: u32 = 1000;

fn ids(seed: u64, count: usize) -> Vec<ChunkId> {
    let mut numbers = Numbers(seed);
    let mut id = || ChunkId((u128::from(numbers.next()) << 64 | u128::from(numbers.next())).to_be_bytes());
    (0..count).map(|_| id()).collect()
}

fn fill(ids: &[ChunkId]) -> RunTable {
    let mut table = RunTable::new();
    for block in ids.chunks(PER_BLOCK) {
        block.iter().for_each(|id| table.push(*id, LENGTH).expect("room"));
        table.close_block();
    }
    table
}

#[divan::bench]
fn run_push(bencher: Bencher) {
    let ids = ids(1, PUSHES);
    bencher.counter(ItemsCount::new(PUSHES)).bench(|| {
        let table = fill(black_box(&ids));
        assert_eq!(table.chunks(), PUSHES as u64);
        table
    });
}

/// One of `LOOKUPS` after the other, all over the table; `found` of them are there.
fn look_up(bencher: Bencher, ids: &[ChunkId], found: usize, find: impl Fn(&ChunkId) -> bool + Sync) {
    let step = ids.len() / LOOKUPS;
    bencher.counter(ItemsCount::new(LOOKUPS)).bench(|| {
        let count = ids.iter().step_by(step).filter(|id| find(black_box(id))).count();
        assert_eq!(count, found);
    });
}

#[divan::bench]
fn run_find(bencher: Bencher) {
    let ids = ids(1, CHUNKS);
    let table = fill(&ids);
    look_up(bencher, &ids, LOOKUPS, |id| table.find(id, LENGTH).is_some());
}

#[divan::bench]
fn run_find_nothing(bencher: Bencher) {
    let table = fill(&ids(1, CHUNKS));
    look_up(bencher, &ids(2, CHUNKS), 0, |id| table.find(id, LENGTH).is_some());
}

fn cache(ids: &[ChunkId]) -> Cache {
    let block =
        |number: usize| KnownBlock { part: 0, offset: number as u32, stored: 1, plain: PER_BLOCK as u32 * LENGTH };
    let chunk = |(at, id): (usize, &ChunkId)| NewChunk {
        id: *id,
        length: LENGTH,
        block: (at / PER_BLOCK) as u32,
        offset: (at % PER_BLOCK) as u32 * LENGTH,
    };
    let known = KnownBackup {
        id: BackupId::new(GUID, 1_760_000_000_000).expect("13 digits"),
        record: Vec::new(),
        blocks: (0..ids.len() / PER_BLOCK).map(block).collect(),
    };
    let mut new = [NewBackup { known, chunks: ids.iter().enumerate().map(chunk).collect() }];
    rebuild(None, &|_| true, &mut new, &[7; 32], &[9; 32], Target::Heap).expect("a cache")
}

#[divan::bench]
fn cache_find(bencher: Bencher) {
    let ids = ids(1, CHUNKS);
    let cache = cache(&ids);
    look_up(bencher, &ids, LOOKUPS, |id| cache.find(id, LENGTH).expect("sound").is_some());
}

#[divan::bench]
fn cache_find_nothing(bencher: Bencher) {
    let cache = cache(&ids(1, CHUNKS));
    look_up(bencher, &ids(2, CHUNKS), 0, |id| cache.find(id, LENGTH).expect("sound").is_some());
}

/// A manifest of a terabyte in parts of 1 GiB.
fn manifest() -> Manifest {
    let role = |index| match index {
        0..990 => Role::Data,
        990..998 => Role::Catalogue,
        _ => Role::Index,
    };
    let part = |index| Part {
        index,
        role: role(index),
        bytes: 1 << 30,
        sha256: *blake3::hash(&[1, index as u8]).as_bytes(),
        commitment: *blake3::hash(&[2, index as u8]).as_bytes(),
    };
    Manifest {
        id: BackupId::new(GUID, 1_760_000_000_000).expect("13 digits"),
        epoch: 1,
        fingerprint: [1; 16],
        tool: "vault bench".into(),
        kind: "pg_dump".into(),
        verdict: Verdict::Complete,
        size: 1 << 41,
        stored: u64::from(PARTS) << 30,
        tags: Vec::new(),
        seq: 1,
        prev: None,
        rebuilt: false,
        sealed_key: [3; 80],
        generation: 1,
        slots: Vec::new(),
        parts: (0..PARTS).map(part).collect(),
        bases: Vec::new(),
    }
}

#[divan::bench]
fn manifest_parse(bencher: Bencher) {
    let manifest = manifest();
    let text = Manifest::with_mac(&manifest.encode(), &[4; 32]);
    bencher.counter(BytesCount::of_slice(&text)).bench(|| {
        let parsed = Manifest::parse(&manifest.id, black_box(&text)).expect("a manifest");
        assert_eq!(parsed.manifest.parts.len(), PARTS as usize);
    });
    assert!(Manifest::parse(&manifest.id, &text).is_ok_and(|parsed| parsed.manifest == manifest));
}

/// What a parser that checks nothing takes for the same text.
#[divan::bench]
fn baseline_serde_json(bencher: Bencher) {
    let text = Manifest::with_mac(&manifest().encode(), &[4; 32]);
    bencher.counter(BytesCount::of_slice(&text)).bench(|| {
        let value: serde_json::Value = serde_json::from_slice(black_box(&text)).expect("JSON");
        assert_eq!(value["parts"].as_array().map(Vec::len), Some(PARTS as usize));
    });
}
