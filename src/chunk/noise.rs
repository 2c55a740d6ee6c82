//! Tells a block that will not shrink, such as one of a dump that is compressed already, by looking at a little of it.
//!
//! Two questions, the second only where the first one leaves a doubt: are all byte values about equally frequent, and does a piece from the
//! middle resist the compressor? What repeats itself only over more than [`PROBE_BYTES`], or shrinks only elsewhere, and looks random otherwise,
//! is taken for noise and stored as it is.

use crate::chunk::compress::{BlockCompressor, ZstdError};

/// Bytes that are counted: this many, from as many places.
const SAMPLE: usize = 64;
/// Bytes that are compressed for a try.
const PROBE_BYTES: usize = 32 << 10;

/// Whether compression is not worth its while for `plain`.
///
/// # Errors
/// There is no memory for the compressor.
pub fn is_noise(plain: &[u8], zstd: &mut BlockCompressor, scratch: &mut Vec<u8>) -> Result<bool, ZstdError> {
    if plain.len() < 2 * PROBE_BYTES || !is_even(plain) {
        return Ok(false);
    }
    let from = (plain.len() - PROBE_BYTES) / 2;
    zstd.compress_into(&plain[from..from + PROBE_BYTES], scratch)?;
    Ok(scratch.len() > PROBE_BYTES - PROBE_BYTES / 32)
}

/// Whether the byte values of a sample are about equally frequent, by the number of equal pairs: text has ten times as many, base64 four times.
fn is_even(plain: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    let mut sampled = 0;
    for place in plain.chunks(plain.len().div_ceil(SAMPLE)) {
        for byte in place.iter().take(SAMPLE) {
            counts[usize::from(*byte)] += 1;
            sampled += 1;
        }
    }
    let pairs: u32 = counts.iter().map(|count| count * count).sum();
    // Of equally frequent values: n + n (n - 1) / 256.
    let expected = sampled + sampled * (sampled - 1) / 256;
    pairs < expected + expected / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shrinks_is_not_taken_for_noise() {
        let mut random = vec![0; 1 << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut random);
        let zstd = |plain: &[u8]| BlockCompressor::new(3).and_then(|mut zstd| zstd.compress(plain)).expect("memory");
        let text: Vec<u8> = (0..120_000).flat_map(|number: u32| format!("{number}\n").into_bytes()).collect();
        let hexadecimal: Vec<u8> = random.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
        let mut half = text.clone();
        half[..text.len() / 2].copy_from_slice(&random[..text.len() / 2]);
        let cases = [
            ("random", random.clone(), true),
            ("compressed", zstd(&hexadecimal), true),
            ("text", text, false),
            ("hexadecimal", hexadecimal, false),
            ("half of it random", half, false),
            ("64 random bits in 72", random.chunks(8).flat_map(|eight| [eight, &[0]].concat()).collect(), false),
            ("a random KiB, again and again", random[..1024].repeat(1000), false),
            ("short", random[..PROBE_BYTES].to_vec(), false),
        ];
        let mut zstd = BlockCompressor::new(2).expect("memory");
        for (what, plain, expected) in cases {
            assert_eq!(is_noise(&plain, &mut zstd, &mut Vec::new()), Ok(expected), "{what}");
        }
    }
}
