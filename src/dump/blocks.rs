//! A block of 64 bytes at a time: where those that matter stand, as bits. The first byte is the lowest.
//!
//! A scan is written once, for any `Block`, and compiled for the registers that every processor has, for those of AVX2, and for those of AVX-512,
//! which hold a whole block. What it finds is the same.

mod common;
mod set;
#[cfg(target_arch = "x86_64")]
mod x86;

use common::Lanes;
pub(super) use set::Set;
#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Avx512};

/// Bytes that are looked at together.
pub(super) const BLOCK_BYTES: usize = 64;

/// A block in registers. All that implements it is inlined, so that it is compiled for the registers of the scan.
pub(super) trait Block: Copy {
    /// What shows that the processor has the registers.
    type Proof: Copy;

    /// The block of these bytes.
    fn new(proof: Self::Proof, bytes: &[u8; BLOCK_BYTES]) -> Self;

    /// Where this byte stands.
    fn is(self, byte: u8) -> u64;

    /// Where a byte of this set stands.
    fn find(self, set: &'static Set) -> u64;

    /// Where it is the same as another one.
    fn same(self, other: Self) -> u64;

    /// Of each bit, whether the number of ones up to it is odd: what is between quotes.
    fn odd(self, ones: u64) -> u64;
}

/// A way through bytes, block by block.
pub(super) trait Scan {
    /// What comes of it.
    type Found;

    /// Goes the way. To be `#[inline(always)]`, as all is that it uses blocks in.
    fn go<B: Block>(self, proof: B::Proof) -> Self::Found;
}

/// The registers that scans use: by default the largest that this processor has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Registers {
    /// Those that every processor has.
    Common,
    /// Those of AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// Those of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Default for Registers {
    fn default() -> Self {
        Registers::all().last().unwrap_or(Registers::Common)
    }
}

impl Registers {
    /// All that this processor has, the largest last.
    pub(super) fn all() -> impl Iterator<Item = Registers> {
        let common = std::iter::once(Registers::Common);
        #[cfg(target_arch = "x86_64")]
        let common = common.chain(Avx2::detect().map(Registers::Avx2)).chain(Avx512::detect().map(Registers::Avx512));
        common
    }

    /// Goes the way of a scan.
    pub(super) fn run<S: Scan>(self, scan: S) -> S::Found {
        match self {
            Registers::Common => scan.go::<Lanes>(()),
            #[cfg(target_arch = "x86_64")]
            Registers::Avx2(proof) => proof.run(scan),
            #[cfg(target_arch = "x86_64")]
            Registers::Avx512(proof) => proof.run(scan),
        }
    }
}

/// A block at most, and zeros behind it.
pub(super) fn padded(rest: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut padded = [0; BLOCK_BYTES];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// The last bit, for all those of the next block.
#[inline]
pub(super) fn last(bits: u64) -> u64 {
    (bits.cast_signed() >> 63).cast_unsigned()
}

/// The bits before this one.
#[inline]
pub(super) fn below(bits: u64, bit: u32) -> u64 {
    bits & ((1 << bit) - 1)
}

/// How many bits there are.
#[inline]
pub(super) fn ones(bits: u64) -> u64 {
    u64::from(bits.count_ones())
}

/// Where a byte stands behind an odd number of backslashes; `escape` is 1 when the last byte of the block before is the last one of such a number.
#[inline]
pub(super) fn escaped(backslashes: u64, escape: u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    // Subtracting carries through each run of backslashes: what comes out behind it tells where it began.
    let begins = backslashes & !escape;
    let behind = ((begins << 1 | ODD).wrapping_sub(begins)) ^ ODD;
    behind ^ (backslashes | escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    static SET: Set = Set::new(b"\n$#`\x7f'");
    static TWO: Set = Set::new(b"\0!");

    /// What is found in a block.
    struct Find<'a>(&'a [u8; BLOCK_BYTES], u8);

    impl Scan for Find<'_> {
        type Found = [u64; 4];

        #[inline(always)]
        fn go<B: Block>(self, proof: B::Proof) -> [u64; 4] {
            let block = B::new(proof, self.0);
            let one = block.is(self.1);
            let all = B::new(proof, &[self.1; BLOCK_BYTES]);
            assert_eq!(block.same(all), one);
            [one, block.find(&SET), block.find(&TWO), block.odd(one)]
        }
    }

    #[test]
    fn every_byte_is_found_where_it_stands() {
        let mut compared = 0;
        for seed in 0..=255_u8 {
            // Every byte twice, and neighbours that differ in one bit.
            let bytes: [u8; BLOCK_BYTES] = std::array::from_fn(|at| {
                seed.wrapping_add(at as u8 / 32) ^ (1_u8.rotate_left(at as u32) * (at % 3 / 2) as u8)
            });
            for wanted in [0, 1, seed, !seed, seed ^ 0x80, b'\'', b'(', b'\n', 0xff] {
                let slow = |is: &dyn Fn(u8) -> bool| {
                    (0..).zip(bytes).fold(0, |all, (at, byte)| all | u64::from(is(byte)) << at)
                };
                let one = slow(&|byte| byte == wanted);
                let expected = [
                    one,
                    slow(&|byte| SET.bytes.contains(&byte)),
                    slow(&|byte| TWO.bytes.contains(&byte)),
                    (0..64).fold(0, |odd, at| odd | u64::from((one << (63 - at)).count_ones() % 2) << at),
                ];
                for registers in Registers::all() {
                    assert_eq!(registers.run(Find(&bytes, wanted)), expected, "{wanted} in {bytes:?}, {registers:?}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 256 * 9 * Registers::all().count());
    }
}
