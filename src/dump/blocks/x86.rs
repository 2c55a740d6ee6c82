//! Blocks in the registers of AVX-512, one each, and of AVX2, two each. The only `unsafe` of this room.
//!
//! Sound because: a block is made only of an [`Avx512`] or an [`Avx2`], and there is one only where the processor was asked for the instructions
//! and has them; the loads are of arrays of their size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{BLOCK_BYTES, Block, Scan, Set};

/// Shows that the processor has AVX-512.
#[derive(Clone, Copy, Debug)]
pub(in crate::dump) struct Avx512(());

/// Shows that the processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(in crate::dump) struct Avx2(());

/// What both use beside their registers.
fn has_common() -> bool {
    is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

impl Avx512 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Avx512> {
        let able = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && has_common();
        able.then_some(Avx512(()))
    }

    /// Goes the way of a scan.
    pub(super) fn run<S: Scan>(self, scan: S) -> S::Found {
        // SAFETY: there is an `Avx512` only where the processor has the features of the function.
        unsafe { self.go(scan) }
    }

    /// Here the scan and its blocks are inlined, and so compiled for these features.
    #[target_feature(enable = "avx512f,avx512bw,pclmulqdq,bmi1,bmi2,popcnt")]
    fn go<S: Scan>(self, scan: S) -> S::Found {
        scan.go::<Whole>(self)
    }
}

impl Avx2 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && has_common()).then_some(Avx2(()))
    }

    /// Goes the way of a scan.
    pub(super) fn run<S: Scan>(self, scan: S) -> S::Found {
        // SAFETY: there is an `Avx2` only where the processor has the features of the function.
        unsafe { self.go(scan) }
    }

    /// As above.
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt")]
    fn go<S: Scan>(self, scan: S) -> S::Found {
        scan.go::<Halves>(self)
    }
}

/// A block in one register.
#[derive(Clone, Copy)]
struct Whole(__m512i);

impl Block for Whole {
    type Proof = Avx512;

    #[inline(always)]
    fn new(_: Avx512, bytes: &[u8; BLOCK_BYTES]) -> Whole {
        // SAFETY: the processor has the instruction, and 64 bytes are read from an array of 64 bytes.
        Whole(unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        // SAFETY: the processor has the instructions, or there was no block.
        unsafe { _mm512_cmpeq_epi8_mask(self.0, _mm512_set1_epi8(byte.cast_signed())) }
    }

    #[inline(always)]
    fn find(self, set: &'static Set) -> u64 {
        // SAFETY: as above.
        unsafe {
            // Of a byte beyond ASCII it is zero.
            let own = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table(&set.table)), self.0);
            _mm512_cmpeq_epi8_mask(self.0, own)
        }
    }

    #[inline(always)]
    fn same(self, other: Whole) -> u64 {
        // SAFETY: as above.
        unsafe { _mm512_cmpeq_epi8_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn odd(self, ones: u64) -> u64 {
        // SAFETY: as above.
        unsafe { odd(ones) }
    }
}

/// A block in two registers.
#[derive(Clone, Copy)]
struct Halves(__m256i, __m256i);

impl Block for Halves {
    type Proof = Avx2;

    #[inline(always)]
    fn new(_: Avx2, bytes: &[u8; BLOCK_BYTES]) -> Halves {
        let load = |half: &[u8; 32]| {
            // SAFETY: the processor has the instruction, and 32 bytes are read from an array of 32 bytes.
            unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
        };
        let (halves, _) = bytes.as_chunks();
        Halves(load(&halves[0]), load(&halves[1]))
    }

    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        // SAFETY: the processor has the instructions, or there was no block.
        unsafe {
            let byte = _mm256_set1_epi8(byte.cast_signed());
            Halves(_mm256_cmpeq_epi8(self.0, byte), _mm256_cmpeq_epi8(self.1, byte)).bits()
        }
    }

    #[inline(always)]
    fn find(self, set: &'static Set) -> u64 {
        // SAFETY: as above.
        let own = unsafe {
            let table = _mm256_broadcastsi128_si256(table(&set.table));
            Halves(_mm256_shuffle_epi8(table, self.0), _mm256_shuffle_epi8(table, self.1))
        };
        self.same(own)
    }

    #[inline(always)]
    fn same(self, other: Halves) -> u64 {
        // SAFETY: as above.
        let same = unsafe { (_mm256_cmpeq_epi8(self.0, other.0), _mm256_cmpeq_epi8(self.1, other.1)) };
        Halves(same.0, same.1).bits()
    }

    #[inline(always)]
    fn odd(self, ones: u64) -> u64 {
        // SAFETY: as above.
        unsafe { odd(ones) }
    }
}

impl Halves {
    /// One bit for each byte that has all of its own.
    #[inline(always)]
    fn bits(self) -> u64 {
        // SAFETY: as above.
        let (low, high) = unsafe { (_mm256_movemask_epi8(self.0), _mm256_movemask_epi8(self.1)) };
        u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn table(table: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are read from an array of 16 bytes.
    unsafe { _mm_loadu_si128(table.as_ptr().cast()) }
}

/// Multiplied by all ones, without carries: each bit is the sum of those up to it.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn odd(ones: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(ones.cast_signed()), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product).cast_unsigned()
}
