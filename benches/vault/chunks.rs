//! From stream to blocks: the observer, the cuts, the ids, the digests, zstd.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vault::base::cutter::Cutter;
use vault::base::id::ChunkId;
use vault::base::limits::SPAN_BYTES;
use vault::chunk::chunker::Chunker;
use vault::chunk::compress::{BlockCompressor, BlockDecompressor};
use vault::chunk::noise::is_noise;
use vault::crypto::chunk_id::ChunkIds;
use vault::crypto::secret::Secret;
use vault::crypto::span::SpanKey;
use vault::dump::{DumpKind, Observer};

use crate::inputs::{DUMP_BYTES, copy_rows, insert_rows, mysqldump_rows, noise};
use crate::world::ring;

const SLAB_BYTES: usize = 1 << 20;

/// The least that looking at every byte takes: counting newlines.
#[divan::bench]
fn baseline_count_newlines(bencher: Bencher) {
    let dump = copy_rows(DUMP_BYTES);
    bencher.counter(BytesCount::of_slice(&dump)).bench(|| {
        let lines = memchr::memchr_iter(b'\n', black_box(&dump)).count();
        assert_eq!(lines, LINES);
    });
}

const LINES: usize = 61_162;
const CUTS_OF_ROWS: usize = 229;
const CUTS_OF_NOISE: usize = 257;

fn observe(bencher: Bencher, dump: &[u8], kind: DumpKind) {
    bencher.counter(BytesCount::of_slice(dump)).bench(|| {
        let mut observer = Observer::new();
        dump.chunks(SLAB_BYTES).for_each(|slab| observer.push(black_box(slab)));
        let report = observer.finish();
        assert_eq!((report.kind, report.bytes), (kind, dump.len() as u64));
    });
}

#[divan::bench]
fn observe_copy_rows(bencher: Bencher) {
    observe(bencher, &copy_rows(DUMP_BYTES), DumpKind::PgDump);
}

#[divan::bench]
fn observe_inserts(bencher: Bencher) {
    observe(bencher, &insert_rows(DUMP_BYTES), DumpKind::PgDump);
}

#[divan::bench]
fn observe_mysqldump(bencher: Bencher) {
    observe(bencher, &mysqldump_rows(DUMP_BYTES), DumpKind::Mysql);
}

fn cut(bencher: Bencher, dump: &[u8], expected: usize, cut: fn(&Chunker, &[u8]) -> usize) {
    let chunker = Chunker::new(Cutter::DEFAULT, ring("bench").newest().pack.gear_table());
    bencher.counter(BytesCount::of_slice(dump)).bench(|| {
        let (mut rest, mut cuts) = (black_box(dump), 0);
        while !rest.is_empty() {
            rest = &rest[cut(&chunker, rest)..];
            cuts += 1;
        }
        assert_eq!(cuts, expected);
    });
}

#[divan::bench]
fn cut_copy_rows(bencher: Bencher) {
    cut(bencher, &copy_rows(DUMP_BYTES), CUTS_OF_ROWS, Chunker::cut);
}

#[divan::bench]
fn cut_noise(bencher: Bencher) {
    cut(bencher, &noise(DUMP_BYTES), CUTS_OF_NOISE, Chunker::cut);
}

/// What the crate takes for the same.
#[divan::bench]
fn baseline_cut_copy_rows_plain(bencher: Bencher) {
    cut(bencher, &copy_rows(DUMP_BYTES), CUTS_OF_ROWS, Chunker::cut_plain);
}

/// What a block costs that is compressed already, or only looks so.
#[divan::bench(args = [true, false])]
fn tell_noise(bencher: Bencher, expected: bool) {
    let block = if expected { noise(1 << 20) } else { block() };
    let (mut zstd, mut scratch) = (BlockCompressor::new(2).expect("memory"), Vec::new());
    bencher.counter(BytesCount::of_slice(&block)).bench_local(|| {
        assert_eq!(is_noise(black_box(&block), &mut zstd, &mut scratch), Ok(expected));
    });
}

/// The chunks of some rows, as they are cut, a span of them; and their ids by the crate that defines them.
fn ids(bencher: Bencher, compute: fn(&ChunkIds, &[&[u8]]) -> Vec<ChunkId>) {
    let (rows, keys) = (copy_rows(SPAN_BYTES), ring("bench"));
    let chunker = Chunker::new(Cutter::DEFAULT, keys.newest().pack.gear_table());
    let (mut chunks, mut rest) = (Vec::new(), rows.as_slice());
    while let Some(chunk) = rest.split_off(..chunker.cut(rest)).filter(|chunk| !chunk.is_empty()) {
        chunks.push(chunk);
    }
    let key = &keys.newest().pack.chunk_id;
    let expected: Vec<ChunkId> = chunks.iter().map(|chunk| id_by_the_crate(key, chunk)).collect();
    let ids = ChunkIds::new(key);
    bencher.counter(BytesCount::of_slice(&rows)).bench(|| assert!(compute(&ids, black_box(&chunks)) == expected));
}

fn id_by_the_crate(key: &Secret<32>, chunk: &[u8]) -> ChunkId {
    let hash = blake3::keyed_hash(key.expose(), chunk);
    ChunkId(std::array::from_fn(|at| hash.as_bytes()[at]))
}

#[divan::bench]
fn ids_of_chunks(bencher: Bencher) {
    ids(bencher, |ids, chunks| ids.ids(chunks));
}

#[divan::bench]
fn ids_of_chunks_one_by_one(bencher: Bencher) {
    ids(bencher, |ids, chunks| chunks.iter().map(|chunk| ids.id(chunk)).collect());
}

#[divan::bench]
fn digest_of_a_span(bencher: Bencher) {
    let (span, key) = (noise(SPAN_BYTES), Secret::fill(|key| key.fill(7)));
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let expected = Aes256Gcm::new(key.expose().into()).encrypt(&nonce.into(), Payload { msg: &[], aad: &span });
    let (spans, expected) = (SpanKey::new(&key), expected.expect("is short"));
    bencher.counter(BytesCount::of_slice(&span)).bench(|| {
        assert_eq!(spans.digest(9, black_box(&span)), *expected);
    });
}

/// A block as the writer makes them.
fn block() -> Vec<u8> {
    copy_rows(3 << 20).split_off(2 << 20)
}

/// Stored bytes of the block, in thousands: another version of zstd may give a few bytes more or less.
const STORED: [(i32, std::ops::RangeInclusive<usize>); 3] = [(1, 302..=309), (2, 302..=309), (3, 310..=317)];

#[divan::bench(args = [1, 2, 3])]
fn zstd_compress(bencher: Bencher, level: i32) {
    let block = block();
    let mut zstd = BlockCompressor::new(level).expect("memory");
    let expected = STORED.iter().find(|(of, _)| *of == level).expect("a level").1.clone();
    bencher.counter(BytesCount::of_slice(&block)).bench_local(|| {
        let frame = zstd.compress(black_box(&block)).expect("memory");
        assert!(expected.contains(&(frame.len() / 1000)), "{} bytes", frame.len());
    });
}

#[divan::bench(args = [1, 2, 3])]
fn zstd_decompress(bencher: Bencher, level: i32) {
    let block = block();
    let frame = BlockCompressor::new(level).and_then(|mut zstd| zstd.compress(&block)).expect("memory");
    let mut zstd = BlockDecompressor::new().expect("memory");
    bencher.counter(BytesCount::of_slice(&block)).bench_local(|| {
        let plain = zstd.decompress(black_box(&frame), block.len()).expect("a frame");
        assert_eq!(plain.len(), block.len());
    });
    assert_eq!(zstd.decompress(&frame, block.len()).expect("a frame"), block);
}
