//! Finds where a chunk may end, 64 bytes at a time, on processors with AVX-512 VBMI. The only `unsafe` of this room.
//!
//! The gear hash of FastCDC adds, at every byte, an entry of a table to the doubled hash. Its low 16 bits are therefore a sum over the last 16
//! bytes, `Σ gear[byte i − k] << k`, and can be computed for all positions at once: look up, then add what is 1, 2, 4 and 8 positions back,
//! shifted by as much (the 16 bits of each position in one lane). Where the low bits of the mask are all zero, once in 2048 bytes, the caller
//! looks at the rest of the hash. So the answer is that of the plain loop, which `tests/chunker.rs` compares it with.
//!
//! Sound because: the instructions are used only after the processor was asked for them, and every load is of an array of its size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Bytes that are looked at together.
const STEP: usize = 64;

/// The table of the gear hash as the instructions want it.
pub struct Scanner {
    /// The low bytes of all 256 entries, and their second lowest.
    low: [[u8; STEP]; 4],
    high: [[u8; STEP]; 4],
    mask: u16,
}

/// What the next 32 positions need of the 32 before: sums over 1, 2, 4 and 8 bytes.
type Sums = [__m512i; 4];

impl Scanner {
    /// A scanner for the low bits of a mask, where the processor has the instructions.
    pub fn new(gear: &[u64; 256], mask: u16) -> Option<Scanner> {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        let byte =
            |shift: u32| std::array::from_fn(|row| std::array::from_fn(|at| (gear[row * STEP + at] >> shift) as u8));
        able.then(|| Scanner { low: byte(0), high: byte(8), mask })
    }

    /// The first position of `from..to` at which the hash has no bit of the mask. `from` is 64 at least, `to` at most the length.
    pub fn first(&self, bytes: &[u8], from: usize, to: usize) -> Option<usize> {
        // SAFETY: there is a `Scanner` only where the processor has the features of the function.
        unsafe { self.scan(bytes, from, to) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn scan(&self, bytes: &[u8], from: usize, to: usize) -> Option<usize> {
        let tables =
            Tables { low: self.low.each_ref().map(|row| load(row)), high: self.high.each_ref().map(|row| load(row)) };
        let mask = _mm512_set1_epi16(self.mask.cast_signed());
        let mut sums = [_mm512_setzero_si512(); 4];
        let mut at = from - STEP;
        // The block before `from` is there for its sums only: of its second half they are right.
        while at < to {
            let (now, later) = tables.look_up(block(bytes, at));
            let now = _mm512_testn_epi16_mask(step(now, &mut sums), mask);
            let later = _mm512_testn_epi16_mask(step(later, &mut sums), mask);
            let found = u64::from(now) | u64::from(later) << 32;
            if found != 0 && at >= from {
                let place = at + found.trailing_zeros() as usize;
                return (place < to).then_some(place);
            }
            at += STEP;
        }
        None
    }
}

/// The tables in registers.
struct Tables {
    low: [__m512i; 4],
    high: [__m512i; 4],
}

impl Tables {
    /// The 16-bit entries of 64 bytes, in order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn look_up(&self, bytes: __m512i) -> (__m512i, __m512i) {
        let upper = _mm512_movepi8_mask(bytes);
        let pick = |table: &[__m512i; 4]| {
            let below = _mm512_permutex2var_epi8(table[0], bytes, table[1]);
            let above = _mm512_permutex2var_epi8(table[2], bytes, table[3]);
            _mm512_mask_blend_epi8(upper, below, above)
        };
        let (low, high) = (pick(&self.low), pick(&self.high));
        // Byte 2i from `low`, byte 2i + 1 from `high`.
        let pairs = |first: usize| load(&std::array::from_fn(|at| (first + at / 2 + at % 2 * STEP) as u8));
        let join = |order: __m512i| _mm512_permutex2var_epi8(low, order, high);
        (join(pairs(0)), join(pairs(STEP / 2)))
    }
}

/// From the entries of 32 positions to their sums over 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn step(entries: __m512i, sums: &mut Sums) -> __m512i {
    let one = entries;
    let two = _mm512_add_epi16(one, _mm512_slli_epi16::<1>(back::<1>(sums[0], one)));
    let four = _mm512_add_epi16(two, _mm512_slli_epi16::<2>(back::<2>(sums[1], two)));
    let eight = _mm512_add_epi16(four, _mm512_slli_epi16::<4>(back::<4>(sums[2], four)));
    let sixteen = _mm512_add_epi16(eight, _mm512_slli_epi16::<8>(back::<8>(sums[3], eight)));
    *sums = [one, two, four, eight];
    sixteen
}

/// What stands `K` lanes back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn back<const K: usize>(before: __m512i, now: __m512i) -> __m512i {
    let order: [u16; 32] = std::array::from_fn(|lane| (32 + lane - K) as u16);
    // SAFETY: 64 bytes are read from an array of 64 bytes.
    let order = unsafe { _mm512_loadu_epi16(order.as_ptr().cast()) };
    _mm512_permutex2var_epi16(before, order, now)
}

/// 64 bytes from `at` on, with zeros where there are fewer.
#[inline]
#[target_feature(enable = "avx512f")]
fn block(bytes: &[u8], at: usize) -> __m512i {
    match bytes[at..].first_chunk::<STEP>() {
        Some(whole) => load(whole),
        None => {
            let mut padded = [0; STEP];
            padded[..bytes.len() - at].copy_from_slice(&bytes[at..]);
            load(&padded)
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; STEP]) -> __m512i {
    // SAFETY: 64 bytes are read from an array of 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
