//! Segments, parts, and what a guess of a passphrase costs.

use std::convert::Infallible;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vault::archive::part::{ObjectDigest, PartSealer, PartSecret};
use vault::base::id::BackupId;
use vault::base::limits::PART_BYTES_MAX;
use vault::crypto::kdf::Scope;
use vault::crypto::passphrase::{Cost, Root};
use vault::crypto::secret::Secret;
use vault::crypto::segment::{Position, SegmentCipher};
use vault::format::frame::Place;
use vault::format::header::{Header, Role, SegmentSize};

use crate::inputs::noise;
use crate::world::GUID;

const SEGMENT_BYTES: usize = 1 << 20;
/// The profiles of spec/keys.md.
const COSTS: [(&str, Cost); 3] = [("small", Cost::SMALL), ("default", Cost::DEFAULT), ("max", Cost::MAX)];

/// One guess: Argon2id, with as many threads as it has lanes or the machine processors.
#[divan::bench(args = ["small", "default", "max"], sample_count = 3, sample_size = 1)]
fn guess(bencher: Bencher, profile: &str) {
    let (_, cost) = COSTS.into_iter().find(|(name, _)| *name == profile).expect("a profile");
    let guess = || Root::derive(black_box(b"a passphrase"), &[7; 16], cost).expect("the machine has the memory");
    let scope = Scope { guid: GUID, epoch: 1 };
    let wrapped = guess().wrap(scope, cost, [7; 16], &[1; 52]);
    bencher.bench_local(|| assert!(guess().unwrap(scope, &wrapped).is_ok()));
}

/// Of a part: two segments.
const CONTENT_BYTES: usize = 2 * SEGMENT_BYTES;

fn cipher() -> SegmentCipher {
    SegmentCipher::new(&Secret::fill(|key| key.fill(5)))
}

#[divan::bench]
fn segment_seal(bencher: Bencher) {
    let (plain, cipher) = (noise(SEGMENT_BYTES), cipher());
    let mut sealed = Vec::with_capacity(SEGMENT_BYTES + 16);
    bencher.counter(BytesCount::of_slice(&plain)).bench_local(|| {
        sealed.clear();
        sealed.extend_from_slice(black_box(&plain));
        cipher.seal(3, Position::Inner, &mut sealed);
        assert_eq!(sealed.len(), SEGMENT_BYTES + 16);
    });
    assert_eq!(cipher.open(3, Position::Inner, &mut sealed), Ok(()));
    assert_eq!(sealed, plain);
}

#[divan::bench]
fn segment_open(bencher: Bencher) {
    let (plain, cipher) = (noise(SEGMENT_BYTES), cipher());
    let mut sealed = plain.clone();
    cipher.seal(3, Position::Last, &mut sealed);
    let mut opened = Vec::with_capacity(SEGMENT_BYTES + 16);
    bencher.counter(BytesCount::of_slice(&plain)).bench_local(|| {
        opened.clear();
        opened.extend_from_slice(black_box(&sealed));
        assert_eq!(cipher.open(3, Position::Last, &mut opened), Ok(()));
    });
    assert_eq!(opened, plain);
}

/// Sealed, and the SHA-256 of the object taken.
#[divan::bench]
fn part_seal(bencher: Bencher) {
    let content = noise(CONTENT_BYTES);
    let header = Header {
        role: Role::Data,
        segment: SegmentSize::DEFAULT,
        index: 0,
        id: BackupId::new(GUID, 1_760_000_000_000).expect("13 digits"),
        epoch: 1,
        fingerprint: [1; 16],
        salt: [2; 24],
        sealed_key: [3; 80],
    };
    let secret = Secret::fill(|key| key.fill(5));
    bencher.counter(BytesCount::of_slice(&content)).bench(|| {
        let mut sealer = PartSealer::begin(header.clone(), PartSecret::Catalogue(&secret), PART_BYTES_MAX);
        let mut digest = ObjectDigest::of(&sealer.header_bytes());
        let mut bytes = 256;
        let mut sink = |segment: &mut Vec<u8>| -> Result<(), Infallible> {
            digest.update(black_box(segment));
            bytes += segment.len() as u64;
            Ok(())
        };
        let Ok(()) = sealer.push(black_box(&content), &mut sink);
        let Ok(sealed) = sealer.finish(Place::Last, &mut sink);
        let part = sealed.record(digest);
        assert_eq!((part.bytes, bytes), (256 + CONTENT_BYTES as u64 + 2 * 16, part.bytes));
    });
}
