//! What has to hold for every input: the properties that fuzzing tries to break (fuzz/README.md).
//!
//! A target is one function over arbitrary bytes. It panics when its property does not hold, and tells whether the input got past the first
//! check, so that a test can see that the committed corpus still reaches what it was made to reach. The programs under `fuzz/fuzz_targets` are
//! three lines each; `tests/corpus.rs` sends the corpus through the same functions in the ordinary test run.
//!
//! | file | what |
//! |---|---|
//! | `formats` | one parser each: one spelling of every value |
//! | `streams` | the same result however a stream is divided |
//! | `legacy` | archives of another service |
//! | `escrow` | check records; what people type from paper |
//! | `caches` | the dedup cache: no wrong answer from wrong bytes |
//! | `backups` | whole backups, damaged from outside or forged with the right keys |
//! | `fixture`, `forge` | the backup that these begin with, and how it is forged |
//! | `input`, `edits` | arbitrary bytes as numbers, and as changes to something sound |
//!
//! This room stands beside `cli`: it may use every other one, and none uses it. It does no I/O.

mod backups;
mod caches;
mod edits;
mod escrow;
mod fixture;
mod forge;
mod formats;
mod input;
mod legacy;
mod streams;

pub use backups::{
    catalogue, forged_catalogue, forged_index, index, pack_unpack, prune_mark, sections, unpack_damaged,
};
pub use caches::{cache_file, cache_record, cache_resealed, seed_cache};
pub use escrow::{check_record, paper};
pub use fixture::{Fixture, fixture};
pub use formats::{
    age_file, draft, dump_map, json, key_file, key_line, manifest, names, part_header, records, sealed_key,
    section_directory, slot, zstd_block, zstd_frame,
};
pub use legacy::{legacy_archive, legacy_gzip};
pub use streams::{chunker, dump_observer, padding, part};

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Names the program, the corpus and the function.
    pub name: &'static str,
    /// Panics when the property does not hold; `true` when the input got past the first check.
    pub run: fn(&[u8]) -> bool,
}

macro_rules! targets {
    ($($name:ident)*) => { [$(Target { name: stringify!($name), run: $name }),*] };
}

/// Every target, by name.
pub const TARGETS: [Target; 34] = targets![
    age_file
    cache_file
    cache_record
    cache_resealed
    catalogue
    check_record
    chunker
    draft
    dump_map
    dump_observer
    forged_catalogue
    forged_index
    index
    json
    key_file
    key_line
    legacy_archive
    legacy_gzip
    manifest
    names
    pack_unpack
    padding
    paper
    part
    part_header
    prune_mark
    records
    sealed_key
    section_directory
    sections
    slot
    unpack_damaged
    zstd_block
    zstd_frame
];
