//! Sets of bytes that are looked for together, as tables that are looked up by halves of a byte.

/// The high halves of the bytes that a set may have: ASCII.
const HIGH: usize = 8;
/// A bit of a class is a set and one of the high halves of its bytes; the highest is left out, so that a class is a positive number.
const BITS_MAX: u32 = 7;

/// Some sets, which have no byte in common.
pub(in crate::dump) struct Classes<const N: usize> {
    /// What is in the sets.
    pub(super) sets: [&'static [u8]; N],
    /// By the low half of a byte, and by its high half: the bits that both have are those of the sets that it is in.
    pub(super) low: [u8; 16],
    pub(super) high: [u8; 16],
    /// The bits of each set.
    pub(super) bits: [u8; N],
}

impl<const N: usize> Classes<N> {
    /// Of these sets.
    pub(in crate::dump) const fn new(sets: [&'static [u8]; N]) -> Self {
        let mut classes = Classes { sets, low: [0; 16], high: [0; 16], bits: [0; N] };
        let (mut used, mut set) = (0, 0);
        while set < N {
            let mut high = 0;
            while high < HIGH {
                let (mut at, mut found) = (0, false);
                while at < sets[set].len() {
                    let byte = sets[set][at];
                    assert!(byte.is_ascii());
                    if (byte >> 4) as usize == high {
                        classes.low[(byte & 15) as usize] |= 1 << used;
                        found = true;
                    }
                    at += 1;
                }
                if found {
                    classes.high[high] |= 1 << used;
                    classes.bits[set] |= 1 << used;
                    used += 1;
                }
                high += 1;
            }
            set += 1;
        }
        assert!(used <= BITS_MAX);
        classes
    }
}
