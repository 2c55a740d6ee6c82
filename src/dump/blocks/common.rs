//! Blocks in the registers that every processor has, of 16 bytes on x86-64.

use wide::u8x16;

use super::{BLOCK_BYTES, Block};

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
        self.gather(|lane| equal(lane, byte))
    }

    #[inline(always)]
    fn is_any<const N: usize>(self, bytes: [u8; N]) -> u64 {
        let either = |lane| bytes.into_iter().fold(u8x16::ZERO, |found, byte| found | equal(lane, byte));
        let found = self.0.map(either);
        match (found[0] | found[1] | found[2] | found[3]).to_bitmask() {
            0 => 0,
            _ => self.gather(either),
        }
    }

    #[inline(always)]
    fn is_digit(self) -> u64 {
        self.gather(|lane| lane.max(u8x16::splat(b'0')).min(u8x16::splat(b'9')).simd_eq(lane))
    }
}

impl Lanes {
    #[inline(always)]
    fn gather(self, found: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = self.0.map(|lane| u64::from(found(lane).to_bitmask()));
        bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
    }
}

/// All bits of the bytes that are this one.
#[inline(always)]
fn equal(lane: u8x16, byte: u8) -> u8x16 {
    lane.simd_eq(u8x16::splat(byte))
}
