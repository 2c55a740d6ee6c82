//! Pure transforms of the stream: where it is cut, and how a block is compressed.

pub mod chunker;
pub mod compress;
pub mod noise;
#[cfg(target_arch = "x86_64")]
mod scan;
