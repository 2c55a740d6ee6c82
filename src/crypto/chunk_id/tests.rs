//! The ids of many against those of the crate.

use proptest::prelude::*;

use super::*;

fn compare(key: u8, lengths: &[usize]) {
    let ids = ChunkIds::new(&Secret::fill(|bytes| bytes.fill(key)));
    let mut bytes = vec![0; lengths.iter().sum()];
    blake3::Hasher::new().update(&[key]).finalize_xof().fill(&mut bytes);
    let mut rest = bytes.as_slice();
    let chunks: Vec<&[u8]> = lengths.iter().map(|length| rest.split_off(..*length).unwrap_or_default()).collect();
    let expected: Vec<ChunkId> = chunks.iter().map(|chunk| ids.id(chunk)).collect();
    assert!(ids.ids(&chunks) == expected, "chunks of {lengths:?}");
}

#[test]
fn chunks_of_every_shape_have_the_ids_of_the_crate() {
    compare(0, &[]);
    // The edges of blocks, leaves and trees, each alone and all together.
    let edges = [0, 1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073, 4096, 5121, 7 * 1024];
    let larger = [15, 16, 17, 31, 32, 33, 63, 64, 65, 1024].map(|leaves| leaves * 1024 + 1);
    let all: Vec<usize> = edges.into_iter().chain(larger).collect();
    all.iter().for_each(|length| compare(1, &[*length]));
    compare(2, &all);
    // So many that a batch begins and ends anywhere.
    (1..=48).for_each(|count| compare(3, &vec![700; count]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_of_any_lengths_have_the_ids_of_the_crate(
        key in any::<u8>(),
        lengths in prop::collection::vec(0_usize..70_000, 0..40),
    ) {
        compare(key, &lengths);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn lanes_are_used_where_the_processor_can() {
    let ids = ChunkIds::new(&Secret::zeros());
    assert_eq!(ids.lanes.is_some(), is_x86_feature_detected!("avx512f"));
}
