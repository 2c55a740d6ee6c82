//! A block of 64 bytes at a time: where those that matter stand, as bits. The first byte is the lowest.
//!
//! A scan is written once, for any `Block`, and compiled for the registers that every processor has and for those of AVX-512, which hold a whole
//! block. What it finds is the same.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod common;

#[cfg(target_arch = "x86_64")]
use avx512::Avx512;
use common::Lanes;

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

    /// Where one of these stands. They are rare: that none is there may take less to find out.
    fn is_any<const N: usize>(self, bytes: [u8; N]) -> u64;

    /// Where digits stand.
    fn is_digit(self) -> u64;
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
    /// Those of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Default for Registers {
    fn default() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(proof) = Avx512::detect() {
            return Registers::Avx512(proof);
        }
        Registers::Common
    }
}

impl Registers {
    /// Goes the way of a scan.
    pub(super) fn run<S: Scan>(self, scan: S) -> S::Found {
        match self {
            Registers::Common => scan.go::<Lanes>(()),
            #[cfg(target_arch = "x86_64")]
            Registers::Avx512(proof) => proof.run(scan),
        }
    }
}

/// The block at `base`; where there is less of it, zeros follow.
#[inline(always)]
pub(super) fn block_at<B: Block>(proof: B::Proof, bytes: &[u8], base: usize) -> B {
    let rest = &bytes[base..];
    match rest.first_chunk() {
        Some(whole) => B::new(proof, whole),
        None => {
            let mut padded = [0; BLOCK_BYTES];
            padded[..rest.len()].copy_from_slice(rest);
            B::new(proof, &padded)
        }
    }
}

/// Of each bit, whether the number of ones up to it is odd: what is between quotes.
#[inline]
pub(super) fn odd(ones: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(ones, |sum, shift| sum ^ sum << shift)
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

/// Where a byte stands behind an odd number of backslashes, of which `escape` says whether the last is at the end of the block before.
#[inline]
pub(super) fn escaped(backslashes: u64, escape: bool) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let escape = u64::from(escape);
    // Subtracting carries through each run of backslashes: what comes out behind it tells where it began.
    let begins = backslashes & !escape;
    let behind = ((begins << 1 | ODD).wrapping_sub(begins)) ^ ODD;
    behind ^ (backslashes | escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a block.
    struct Find<'a>(&'a [u8; BLOCK_BYTES], u8);

    impl Scan for Find<'_> {
        type Found = [u64; 4];

        #[inline(always)]
        fn go<B: Block>(self, proof: B::Proof) -> [u64; 4] {
            let block = B::new(proof, self.0);
            let five = block.is_any([b'$', 7, self.1, 0xfe, b'#']);
            [block.is(self.1), block.is_any([self.1, b'$']), five, block.is_digit()]
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
                let expected = [
                    slow(&|byte| byte == wanted),
                    slow(&|byte| [wanted, b'$'].contains(&byte)),
                    slow(&|byte| [b'$', 7, wanted, 0xfe, b'#'].contains(&byte)),
                    slow(&|byte| byte.is_ascii_digit()),
                ];
                for registers in [Registers::Common, Registers::default()] {
                    assert_eq!(registers.run(Find(&bytes, wanted)), expected, "{wanted} in {bytes:?}, {registers:?}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 256 * 9 * 2);
    }
}
