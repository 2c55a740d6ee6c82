//! Pure transforms of the stream: where it is cut, and how a block is compressed.

pub mod chunker;
pub mod compress;
