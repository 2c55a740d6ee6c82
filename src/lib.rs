//! vault: an encrypted, deduplicating archiver for database dumps.
//!
//! A dump goes in as a stream, is cut by content, and only what earlier backups of the same database do not hold is compressed, sealed and
//! stored. It comes back as the same bytes, or not at all. `ARCHITECTURE.md` is the tour; `spec/` is the format.
//!
//! ```text
//! main → cli → { ops, store, observe } → pipeline → { archive, keys, index } → { crypto, format, chunk, dump, legacy } → base
//! ```
//!
//! An arrow means "may use anything to its right"; rooms in one brace do not use each other. `tests/tidy.rs` holds this. `fuzzing` stands
//! beside `cli`: it uses any room but that one, and nothing uses it.
#![deny(unsafe_code)]
#![warn(missing_docs)]

// In reading order, from the words that everything uses to what the user sees.
pub mod base;

pub mod chunk;
pub mod crypto;
pub mod dump;
pub mod format;
pub mod legacy;

pub mod archive;
pub mod index;
pub mod keys;

pub mod pipeline;

pub mod observe;
pub mod ops;
pub mod store;

pub mod cli;
#[doc(hidden)]
pub mod fuzzing;
