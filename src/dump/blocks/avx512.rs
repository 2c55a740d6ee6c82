//! Blocks in one register each, on processors with AVX-512. The only `unsafe` of this room.
//!
//! Sound because: a block is made only of an [`Avx512`], and there is one only where the processor was asked for the instructions and has them;
//! the one load is of an array of its size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{BLOCK_BYTES, Block, Scan};

/// Shows that the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(in crate::dump) struct Avx512(());

impl Avx512 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Avx512> {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        able.then_some(Avx512(()))
    }

    /// Goes the way of a scan.
    pub(super) fn run<S: Scan>(self, scan: S) -> S::Found {
        // SAFETY: there is an `Avx512` only where the processor has the features of the function.
        unsafe { self.go(scan) }
    }

    /// Here the scan and its blocks are inlined, and so compiled for these features.
    #[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,popcnt")]
    fn go<S: Scan>(self, scan: S) -> S::Found {
        scan.go::<Whole>(self)
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
    fn is_any<const N: usize>(self, bytes: [u8; N]) -> u64 {
        let mut found = 0;
        for byte in bytes {
            found |= self.is(byte);
        }
        found
    }

    #[inline(always)]
    fn is_digit(self) -> u64 {
        // SAFETY: as above.
        unsafe {
            let above = _mm512_sub_epi8(self.0, _mm512_set1_epi8(b'0'.cast_signed()));
            _mm512_cmplt_epu8_mask(above, _mm512_set1_epi8(10))
        }
    }
}
