//! The cut points are a promise: golden ones, and an obviously right chunker, the pseudo-code of spec/chunking.md, as an oracle.

mod common;

use common::world::{SMALL_CUTTER, noise, rows};
use vault::base::cutter::Cutter;
use vault::chunk::chunker::Chunker;

/// A gear table that needs no key: SplitMix64 from a seed.
fn gear(mut seed: u64) -> Box<[u64; 256]> {
    let mut table = Box::new([0; 256]);
    for entry in table.iter_mut() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        *entry = mixed ^ mixed >> 31;
    }
    table
}

/// spec/chunking.md, "Cutting", line by line.
fn naive(s: &[u8], cutter: &Cutter, gear: &[u64; 256]) -> usize {
    let [minimum, average, maximum] = [cutter.minimum, cutter.average, cutter.maximum].map(|size| size as usize);
    let n = s.len().min(maximum);
    let c = average.min(n);
    if s.len() <= minimum {
        return s.len();
    }
    let mut h = 0_u64;
    for i in minimum..c - c % 2 {
        h = (h << 1).wrapping_add(gear[s[i] as usize]);
        if h & cutter.strict == 0 {
            return i;
        }
    }
    for i in c - c % 2..n - n % 2 {
        h = (h << 1).wrapping_add(gear[s[i] as usize]);
        if h & cutter.loose == 0 {
            return i;
        }
    }
    n
}

fn cuts(s: &[u8], cut: impl Fn(&[u8]) -> usize) -> Vec<usize> {
    let (mut at, mut lengths) = (0, Vec::new());
    while at < s.len() {
        let length = cut(&s[at..]);
        assert!(length > 0 && length <= s.len() - at);
        lengths.push(length);
        at += length;
    }
    lengths
}

#[test]
fn golden_cut_points() {
    // A text that anybody can make: the numbers from 0, each on a line.
    let text: String = (0..60_000).map(|number| format!("{number}\n")).collect();
    let lengths = cuts(text.as_bytes(), |rest| Chunker::new(Cutter::DEFAULT, gear(1)).cut(rest));
    assert_eq!(lengths, GOLDEN_DEFAULT);
    let lengths = cuts(&text.as_bytes()[..6001], |rest| Chunker::new(SMALL_CUTTER, gear(1)).cut(rest));
    assert_eq!(lengths, GOLDEN_SMALL);
}

const GOLDEN_DEFAULT: &[usize] = &[
    16443, 17307, 38366, 10477, 13988, 12442, 11526, 24767, 26853, 16535, 9545, 5239, 10671, 19663, 12759, 10594,
    49325, 27369, 15021,
];
const GOLDEN_SMALL: &[usize] = &[
    138, 135, 129, 267, 136, 157, 167, 159, 80, 183, 139, 164, 141, 143, 97, 116, 129, 143, 150, 120, 146, 134, 142,
    163, 165, 140, 175, 142, 90, 150, 274, 125, 126, 176, 169, 180, 176, 136, 158, 141,
];

#[test]
fn cuts_are_those_of_the_specification() {
    let smallest = Cutter { minimum: 64, average: 64, maximum: 64, strict: 1, loose: 1 };
    let no_strict = Cutter { minimum: 64, average: 64, maximum: 4096, strict: 1 << 62, loose: 0xff };
    let no_loose = Cutter { minimum: 64, average: 4096, maximum: 4096, strict: 0xff, loose: 1 << 62 };
    let high = Cutter { strict: 0x7f << 56, loose: 0x1f << 58, ..SMALL_CUTTER };
    let cutters = [SMALL_CUTTER, Cutter::DEFAULT, smallest, no_strict, no_loose, high];
    let zeros = vec![0; 300_001];
    let period: Vec<u8> = b"abcdefg".iter().copied().cycle().take(250_003).collect();
    let inputs = [
        noise("a", 400_000),
        noise("b", 77_777),
        rows(3, 8000),
        zeros,
        period,
        [noise("c", 999), vec![0xff; 70_000]].concat(),
    ];
    let mut cases = 0;
    for cutter in &cutters {
        assert!(cutter.is_legal());
        for seed in 0..3 {
            let (chunker, table) = (Chunker::new(*cutter, gear(seed)), gear(seed));
            for input in &inputs {
                assert_eq!(cuts(input, |rest| chunker.cut(rest)), cuts(input, |rest| naive(rest, cutter, &table)));
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 6 * 3 * 6);
}

#[test]
fn every_length_of_a_tail_is_cut_as_specified() {
    let (input, mut cases) = (noise("tail", 2100), 0);
    for cutter in [SMALL_CUTTER, Cutter { strict: 1 << 62, loose: 1 << 61, ..SMALL_CUTTER }] {
        for seed in 0..4 {
            let (chunker, table) = (Chunker::new(cutter, gear(seed)), gear(seed));
            for length in 1..=input.len() {
                assert_eq!(chunker.cut(&input[..length]), naive(&input[..length], &cutter, &table), "{length}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 2 * 4 * 2100);
}

#[test]
fn the_mean_on_random_bytes_is_16_kib() {
    let input = noise("mean", 64 << 20);
    let mut chunks = 0;
    for seed in 0..4 {
        let chunker = Chunker::new(Cutter::DEFAULT, gear(seed));
        chunks += cuts(&input, |rest| chunker.cut(rest)).len();
    }
    let mean = (4 * input.len()) as f64 / chunks as f64;
    println!("mean of {chunks} chunks: {mean:.0} bytes");
    assert!((mean / 16384.0 - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn a_cut_sees_no_further_than_the_maximum() {
    // What comes after the maximum changes nothing: a stream is cut with that much in sight.
    let (input, chunker) = (rows(9, 40_000), Chunker::new(Cutter::DEFAULT, gear(5)));
    let whole = cuts(&input, |rest| chunker.cut(rest));
    let windowed = cuts(&input, |rest| chunker.cut(&rest[..rest.len().min(chunker.maximum())]));
    assert!(whole.len() > 80);
    assert_eq!(whole, windowed);
}

#[test]
fn the_scanner_cuts_as_the_crate_does() {
    let (low, high) = (0x0000_ffe0, [1 << 20, 0xf << 20, 1 << 40 | 1 << 16, 1 << 62]);
    let inputs =
        [noise("scan", 600_000), rows(11, 9000), vec![0; 200_000], [rows(12, 900), noise("mixed", 99_999)].concat()];
    let mut cases = 0;
    for loose in high.map(|high| low | high) {
        for strict in [loose, loose | 1 << 18, loose | 3 << 50] {
            for (minimum, average, maximum) in [(64, 64, 64), (64, 66, 4096), (512, 2048, 8192), (4096, 10_240, 65_536)]
            {
                let cutter = Cutter { minimum, average, maximum, strict, loose };
                assert!(cutter.is_legal());
                let chunker = Chunker::new(cutter, gear(cases));
                for input in &inputs {
                    assert_eq!(
                        cuts(input, |rest| chunker.cut(rest)),
                        cuts(input, |rest| chunker.cut_plain(rest)),
                        "{cutter:?}"
                    );
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 4 * 3 * 4);
}

#[test]
fn runs_of_a_byte_that_looks_like_a_cut_everywhere_are_cut_as_specified() {
    // The hash of a run of zeros is minus the entry of the byte, from the 64th on: here with no bit from 5 to 15, and one of the strict mask.
    let mut table = gear(3);
    table[0] = ((1 << 22) - (1 << 16)) | 7;
    let masks = [(Cutter::DEFAULT.strict, Cutter::DEFAULT.loose), (0x00f0_ffe0, 0x00f0_ffe0)];
    let run = [rows(1, 300), vec![0; 90_000], noise("between", 20_000), vec![0; 200_001], rows(2, 300)].concat();
    for (strict, loose) in masks {
        let cutter = Cutter { strict, loose, ..Cutter::DEFAULT };
        let chunker = Chunker::new(cutter, table.clone());
        assert_eq!(cuts(&run, |rest| chunker.cut(rest)), cuts(&run, |rest| naive(rest, &cutter, &table)));
    }
    let chunker = Chunker::new(Cutter::DEFAULT, table.clone());
    for length in 4096..4096 + 24 + 130 {
        let short = &run[5000..5000 + length];
        assert_eq!(chunker.cut(short), naive(short, &Cutter::DEFAULT, &table), "{length}");
    }
}
