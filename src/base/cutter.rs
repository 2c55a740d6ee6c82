//! Parameters of the chunker: part of the format, recorded per epoch (spec/chunking.md).

use crate::base::limits::CHUNK_BYTES_MAX;

/// Where FastCDC looks for cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutter {
    /// No cut before.
    pub minimum: u32,
    /// From here on the loose mask decides.
    pub average: u32,
    /// A cut here at the latest.
    pub maximum: u32,
    /// Mask below the average.
    pub strict: u64,
    /// Mask from the average on.
    pub loose: u64,
}

impl Cutter {
    /// The writer's parameters: 16 KiB actual mean.
    pub const DEFAULT: Cutter =
        Cutter { minimum: 4096, average: 10_240, maximum: 65_536, strict: 0x00f0_ffe0, loose: 0x0030_ffe0 };

    /// Whether these are parameters that a chunker can use: even, ascending, masks that leave the top bit alone.
    pub fn is_legal(&self) -> bool {
        let even = [self.minimum, self.average, self.maximum].iter().all(|size| size.is_multiple_of(2));
        let masks = [self.strict, self.loose].iter().all(|mask| (1..1 << 63).contains(mask));
        let ascending = 64 <= self.minimum && self.minimum <= self.average && self.average <= self.maximum;
        even && masks && ascending && self.maximum as usize <= CHUNK_BYTES_MAX
    }
}
