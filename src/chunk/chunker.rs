//! Content-defined chunking: FastCDC with a keyed gear table (spec/chunking.md).
//!
//! The crate `fastcdc` defines the cut points. They are a promise of the format: `tests/chunker.rs` holds golden ones, and an
//! obviously right one to compare with.

use crate::base::cutter::Cutter;

/// Cuts a stream into chunks. The cuts depend on the bytes, the table and the parameters only.
pub struct Chunker {
    cutter: Cutter,
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
}

impl Chunker {
    /// A chunker with that table; `cutter` is legal.
    pub fn new(cutter: Cutter, gear: Box<[u64; 256]>) -> Chunker {
        let gear_shifted = Box::new(gear.map(|entry| entry << 1));
        Chunker { cutter, gear, gear_shifted }
    }

    /// The largest chunk: what `cut` has to see, unless the stream ends.
    pub fn maximum(&self) -> usize {
        self.cutter.maximum as usize
    }

    /// Length of the first chunk of `rest`, which goes on for at least `maximum` bytes or to the end of the stream.
    pub fn cut(&self, rest: &[u8]) -> usize {
        let Cutter { minimum, average, maximum, strict, loose } = self.cutter;
        let (_, length) = fastcdc::v2020::cut_gear(
            rest,
            minimum as usize,
            average as usize,
            maximum as usize,
            strict,
            loose,
            strict << 1,
            loose << 1,
            self.gear.as_slice(),
            self.gear_shifted.as_slice(),
        );
        length
    }
}
