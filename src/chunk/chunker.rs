//! Content-defined chunking: FastCDC with a keyed gear table (spec/chunking.md).
//!
//! The crate `fastcdc` defines the cut points. They are a promise of the format: `tests/chunker.rs` holds golden ones, and an
//! obviously right one to compare with. Where the processor has the instructions, and the masks are of the shape that the writer's have, a
//! scanner finds the same cuts three times as fast.

use crate::base::cutter::Cutter;
#[cfg(target_arch = "x86_64")]
use crate::chunk::scan::Scanner;

/// Bits of a mask that make a scan worth its while: below, it would stop too often.
#[cfg(target_arch = "x86_64")]
const SCANNED_BITS_MIN: u32 = 8;

/// Places that the scanner finds, and that are no cuts, are near each other when they are nearer than this.
#[cfg(target_arch = "x86_64")]
const NEAR: usize = 64;
/// So many of them in a row end the scan of a chunk.
#[cfg(target_arch = "x86_64")]
const NEAR_MAX: usize = 8;

/// Cuts a stream into chunks. The cuts depend on the bytes, the table and the parameters only.
pub struct Chunker {
    cutter: Cutter,
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
    #[cfg(target_arch = "x86_64")]
    scanner: Option<Scanner>,
}

impl Chunker {
    /// A chunker with that table; `cutter` is legal.
    pub fn new(cutter: Cutter, gear: Box<[u64; 256]>) -> Chunker {
        Chunker {
            #[cfg(target_arch = "x86_64")]
            scanner: scanner(&cutter, &gear),
            gear_shifted: Box::new(gear.map(|entry| entry << 1)),
            cutter,
            gear,
        }
    }

    /// The largest chunk: what `cut` has to see, unless the stream ends.
    pub fn maximum(&self) -> usize {
        self.cutter.maximum as usize
    }

    /// Length of the first chunk of `rest`, which goes on for at least `maximum` bytes or to the end of the stream.
    pub fn cut(&self, rest: &[u8]) -> usize {
        #[cfg(target_arch = "x86_64")]
        if let Some(scanner) = &self.scanner {
            return self.cut_scanned(rest, scanner);
        }
        self.cut_plain(rest)
    }

    /// The same, by the crate.
    pub fn cut_plain(&self, rest: &[u8]) -> usize {
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

    #[cfg(target_arch = "x86_64")]
    fn cut_scanned(&self, rest: &[u8], scanner: &Scanner) -> usize {
        let Cutter { minimum, average, maximum, strict, loose } = self.cutter;
        let (minimum, length) = (minimum as usize, rest.len().min(maximum as usize));
        if rest.len() <= minimum {
            return rest.len();
        }
        let (turn, end) = (length.min(average as usize) & !1, length & !1);
        let is_cut = |hash: u64, at: usize| hash & (if at < turn { strict } else { loose }) == 0;
        // So many bytes have a part in the bits of the masks. Until as many were seen, the hash is of fewer.
        let window = 64 - (strict | loose).leading_zeros() as usize;
        let seen = (minimum + window).min(end);
        let mut hash = 0;
        for (at, byte) in (minimum..seen).zip(&rest[minimum..]) {
            hash = self.roll(hash, *byte);
            if is_cut(hash, at) {
                return at;
            }
        }
        let (mut from, mut near) = (seen, 0);
        while let Some(at) = scanner.first(rest, from, end) {
            hash = rest[at + 1 - window..=at].iter().fold(0, |hash, byte| self.roll(hash, *byte));
            if is_cut(hash, at) {
                return at;
            }
            near = if at - from < NEAR { near + 1 } else { 0 };
            from = at + 1;
            if near == NEAR_MAX {
                break;
            }
        }
        // A byte that is repeated may have none of the low bits at every place: there the plain loop is faster.
        if near == NEAR_MAX {
            for (at, byte) in (from..end).zip(&rest[from..]) {
                hash = self.roll(hash, *byte);
                if is_cut(hash, at) {
                    return at;
                }
            }
        }
        length
    }

    #[cfg(target_arch = "x86_64")]
    fn roll(&self, hash: u64, byte: u8) -> u64 {
        (hash << 1).wrapping_add(self.gear[usize::from(byte)])
    }
}

/// A scanner for the bits that both masks have in common below the 16th, when there are enough of them.
#[cfg(target_arch = "x86_64")]
fn scanner(cutter: &Cutter, gear: &[u64; 256]) -> Option<Scanner> {
    let (strict, loose) = (cutter.strict as u16, cutter.loose as u16);
    let common = strict & loose;
    (common.count_ones() >= SCANNED_BITS_MIN).then(|| Scanner::new(gear, common)).flatten()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_scanned_where_the_processor_can() {
        let able = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi");
        let chunker = Chunker::new(Cutter::DEFAULT, Box::new([1; 256]));
        assert_eq!(chunker.scanner.is_some(), able);
        let few = Cutter { strict: 0x00f0_0fe0, loose: 0x0030_0fe0, ..Cutter::DEFAULT };
        assert!(Chunker::new(few, Box::new([1; 256])).scanner.is_none());
    }
}
