//! Words that every room uses: limits, failure classes, names, byte cursors.
//!
//! No I/O and no cryptography. Everything else in the crate may use this room; it uses nothing.

pub mod bytes;
pub mod cutter;
pub mod failure;
pub mod id;
pub mod limits;
pub mod map;
pub mod size;
pub mod time;
