//! Blocks in the registers that every processor has, of 16 bytes on x86-64.

use wide::u8x16;

use super::{BLOCK_BYTES, Block, Set};

/// Bytes of one register.
const LANE_BYTES: usize = 16;

/// A block in four registers.
#[derive(Clone, Copy)]
pub(super) struct Lanes([u8x16; BLOCK_BYTES / LANE_BYTES]);

impl Block for Lanes {
    /// Nothing is to be shown.
    type Proof = ();

    #[inline(always)]
    fn new((): (), bytes: &[u8; BLOCK_BYTES]) -> Lanes {
        let (lanes, _) = bytes.as_chunks::<LANE_BYTES>();
        Lanes(std::array::from_fn(|at| u8x16::from(lanes[at])))
    }

    #[inline(always)]
    fn is(self, byte: u8) -> u64 {
        bits(self.0.map(|lane| equal(lane, byte)))
    }

    #[inline(always)]
    fn find(self, set: &'static Set) -> u64 {
        let mut lanes = [u8x16::ZERO; BLOCK_BYTES / LANE_BYTES];
        for byte in set.bytes {
            for (lane, found) in self.0.iter().zip(&mut lanes) {
                *found |= equal(*lane, *byte);
            }
        }
        // Of a larger set there is mostly none.
        let none = (lanes[0] | lanes[1] | lanes[2] | lanes[3]).to_bitmask() == 0;
        if none { 0 } else { bits(lanes) }
    }

    #[inline(always)]
    fn same(self, other: Lanes) -> u64 {
        bits(std::array::from_fn(|at| self.0[at].simd_eq(other.0[at])))
    }

    #[inline(always)]
    fn odd(self, ones: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].into_iter().fold(ones, |sum, shift| sum ^ sum << shift)
    }
}

/// One bit for each byte that has all of its own.
#[inline(always)]
fn bits(found: [u8x16; BLOCK_BYTES / LANE_BYTES]) -> u64 {
    let bits = found.map(|lane| u64::from(lane.to_bitmask()));
    bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
}

/// All bits of the bytes that are this one.
#[inline(always)]
fn equal(lane: u8x16, byte: u8) -> u8x16 {
    lane.simd_eq(u8x16::splat(byte))
}
