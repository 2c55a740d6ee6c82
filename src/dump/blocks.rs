//! A block of 64 bytes at a time: where those that matter stand, as bits. The first byte is the lowest.

use wide::u8x16;

/// Bytes that are looked at together.
pub(super) const BLOCK_BYTES: usize = 64;

/// Bytes of one register.
const LANE_BYTES: usize = 16;

/// A block in registers.
pub(super) struct Block([u8x16; BLOCK_BYTES / LANE_BYTES]);

impl Block {
    #[inline]
    fn new(bytes: &[u8; BLOCK_BYTES]) -> Block {
        let (lanes, _) = bytes.as_chunks::<LANE_BYTES>();
        Block(std::array::from_fn(|at| u8x16::from(lanes[at])))
    }

    /// Where this byte stands.
    #[inline]
    pub(super) fn is(&self, byte: u8) -> u64 {
        self.gather(|lane| equal(lane, byte))
    }

    /// Where one of these stands. They are rare: that none is there takes less to find out.
    #[inline]
    pub(super) fn is_any<const N: usize>(&self, bytes: [u8; N]) -> u64 {
        let either = |lane| bytes.into_iter().fold(u8x16::ZERO, |found, byte| found | equal(lane, byte));
        let found = self.0.map(either);
        match (found[0] | found[1] | found[2] | found[3]).to_bitmask() {
            0 => 0,
            _ => self.gather(either),
        }
    }

    /// Where digits stand.
    #[inline]
    pub(super) fn is_digit(&self) -> u64 {
        self.gather(|lane| lane.max(u8x16::splat(b'0')).min(u8x16::splat(b'9')).simd_eq(lane))
    }

    #[inline]
    fn gather(&self, found: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = self.0.map(|lane| u64::from(found(lane).to_bitmask()));
        bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
    }
}

/// The block at `base`; where there is less of it, zeros follow.
#[inline]
pub(super) fn block_at(bytes: &[u8], base: usize) -> Block {
    let rest = &bytes[base..];
    match rest.first_chunk() {
        Some(whole) => Block::new(whole),
        None => {
            let mut padded = [0; BLOCK_BYTES];
            padded[..rest.len()].copy_from_slice(rest);
            Block::new(&padded)
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
    if backslashes == 0 {
        return escape;
    }
    // Subtracting carries through each run of backslashes: what comes out behind it tells where it began.
    let begins = backslashes & !escape;
    let behind = ((begins << 1 | ODD).wrapping_sub(begins)) ^ ODD;
    behind ^ (backslashes | escape)
}

/// All bits of the bytes that are this one.
#[inline]
fn equal(lane: u8x16, byte: u8) -> u8x16 {
    lane.simd_eq(u8x16::splat(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_where_it_stands() {
        let mut compared = 0;
        for seed in 0..=255_u8 {
            // Every byte twice, and neighbours that differ in one bit.
            let bytes: [u8; BLOCK_BYTES] = std::array::from_fn(|at| {
                seed.wrapping_add(at as u8 / 32) ^ (1_u8.rotate_left(at as u32) * (at % 3 / 2) as u8)
            });
            for wanted in [0, 1, seed, !seed, seed ^ 0x80, b'\'', b'(', b'\n', 0xff] {
                let slow = |also: u8| {
                    let is = |byte: u8| u64::from(byte == wanted || byte == also);
                    (0..).zip(bytes).fold(0, |all, (at, byte)| all | is(byte) << at)
                };
                let block = Block::new(&bytes);
                assert_eq!(block.is(wanted), slow(wanted), "{wanted} in {bytes:?}");
                assert_eq!(block.is_any([wanted, b'$']), slow(b'$'), "{wanted} in {bytes:?}");
                compared += 1;
            }
        }
        assert_eq!(compared, 256 * 9);
    }
}
