//! Every limit of the format, with its reason: the table of spec/limits.md, held equal by a test.

/// 1 GiB: few objects, and every store takes it in one piece.
pub const PART_BYTES_MAX: u64 = 1_073_741_824;
/// The smallest part size that a writer may be told: a header and one 4 KiB segment fit. The last part of a role may be smaller.
pub const PART_BYTES_MIN: u64 = 8_192;
/// 4 KiB: tests see many segments.
pub const SEGMENT_LOG2_MIN: u8 = 12;
/// 1 MiB: what is held before it is authenticated.
pub const SEGMENT_LOG2_MAX: u8 = 20;
/// Own parts of one backup: 16 TiB stored.
pub const PARTS_MAX: usize = 16_384;
/// Parts under all bases; with the own ones they fit in a manifest.
pub const BASE_PARTS_MAX: usize = 32_768;
/// A restore touches at most 65 backups.
pub const BASES_MAX: usize = 64;
/// 16 MiB: 49152 parts of 300 bytes and the slots.
pub const MANIFEST_BYTES_MAX: usize = 16_777_216;
/// The deepest legal value has 5.
pub const JSON_DEPTH_MAX: usize = 8;
/// Values of a manifest: three times what 49152 parts have, and 32 MiB as a tree.
pub const JSON_VALUES_MAX: usize = 1_048_576;
/// 2^53 − 1: what every JSON reader keeps exact.
pub const INTEGER_MAX: u64 = 9_007_199_254_740_991;
/// People and places that can open a backup.
pub const SLOTS_MAX: usize = 16;
/// An armored age file with many recipients.
pub const AGE_SLOT_BYTES_MAX: usize = 65_536;
/// A note about a run, not a database: with their lengths at most 10 KiB of a manifest.
pub const TAGS_MAX: usize = 32;
/// A word that fits in a column.
pub const TAG_KEY_BYTES_MAX: usize = 64;
/// A host name (253 bytes) or a sentence.
pub const TAG_VALUE_BYTES_MAX: usize = 256;
/// A name and a version.
pub const TOOL_BYTES_MAX: usize = 64;
/// 64 KiB: 64 key lines of about 100 bytes and 16 passphrase slots; a dump named by mistake is not read.
pub const KEY_FILE_BYTES_MAX: usize = 65_536;
/// A new key each quarter for 16 years.
pub const KEY_EPOCHS_MAX: usize = 64;
/// 2^31 − 1: positive in a signed integer of 32 bits, and more than anybody turns over.
pub const EPOCH_MAX: u32 = 2_147_483_647;
/// A long sentence, or a file of random text; one mistaken for a key or a dump is refused.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;
/// 2 GiB: RFC 9106's first choice, what a manifest may make a reader take.
pub const ARGON2_KIB_MAX: u32 = 2_097_152;
/// M·t in KiB passes: no more work than RFC 9106's first choice.
pub const ARGON2_COST_MAX: u64 = 2_097_152;
/// Both choices of RFC 9106.
pub const ARGON2_LANES_MAX: u32 = 4;
/// 2 MiB: memory of one block in a reader.
pub const BLOCK_PLAIN_MAX: usize = 2_097_152;
/// 2 MiB and 64 KiB: zstd's worst case is below it.
pub const BLOCK_STORED_MAX: usize = 2_162_688;
/// A frame never needs more than its block.
pub const WINDOW_BYTES_MAX: usize = 2_097_152;
/// Frames of index and catalogue are fetched one by one.
pub const FRAME_PLAIN_MAX: usize = 1_048_576;
/// A directory of 1 MiB: 64 GiB of index.
pub const FRAMES_MAX: usize = 65_536;
/// 256 KiB: what a restore holds back, and what a range is widened to.
pub const SPAN_BYTES: usize = 262_144;
/// 2^48: no sum of a reader overflows.
pub const DUMP_BYTES_MAX: u64 = 281_474_976_710_656;
/// The largest maximum that a cutter may have.
pub const CHUNK_BYTES_MAX: usize = 1_048_576;
/// Five names in a dump map.
pub const MAP_RECORD_BYTES_MAX: usize = 65_536;
/// A name in a dump map: no database has one of more than some hundred bytes.
pub const MAP_NAME_BYTES_MAX: usize = 4_096;
/// 64 MiB: what a packer holds of a dump map, compressed; five million tables.
pub const MAP_STORED_BYTES_MAX: usize = 67_108_864;
/// A version in a dump map: a number, and what a packager adds to it.
pub const MAP_VERSION_BYTES_MAX: usize = 128;
/// Versions in a dump map: one server and one tool, or the dumps of some of them in a row.
pub const MAP_VERSIONS_MAX: usize = 16;
/// Entries with data, or collections, of an archive whose end is looked for: their numbers take 16 MiB.
pub const ARCHIVE_MEMBERS_MAX: usize = 1_048_576;
/// 1 MiB: a record of an archive that is held to be looked into. Names and options take some KiB.
pub const ARCHIVE_RECORD_BYTES_MAX: usize = 1_048_576;
/// 24 h: how far an earlier backup may lie in the future.
pub const CLOCK_AHEAD_MS_MAX: u64 = 86_400_000;
/// Below it a part is not referenced.
pub const LIVE_PERCENT_MIN: u64 = 5;
/// Backups between two recomputations of `ids_digest`.
pub const AUDIT_EVERY: u64 = 16;

/// 17 entries of 60 bytes, and what stands before them.
pub const CHECK_RECORD_BYTES_MAX: usize = 4_096;
/// Shares of a key: people who know of each other.
pub const SHARES_MAX: usize = 16;
/// Check records of a guid that are read, the newest: each new one takes the place of those before.
pub const CHECK_RECORDS_MAX: usize = 64;
/// Manifests, the newest, whose slots and epoch a packer compares with its own: a month of daily warnings.
pub const MANIFESTS_COMPARED: usize = 32;

/// Whether a manifest may demand an Argon2id run of `m` KiB, `t` passes and `p` lanes (spec/keys.md).
pub const fn argon2_is_within_limits(m: u32, t: u32, p: u32) -> bool {
    let lanes = 1 <= p && p <= ARGON2_LANES_MAX;
    lanes && 8 * p <= m && m <= ARGON2_KIB_MAX && 1 <= t && m as u64 * t as u64 <= ARGON2_COST_MAX
}

/// Bytes of a part header (spec/part.md).
pub const HEADER_BYTES: usize = 256;
/// Bytes of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;

// A writer's block has to fit in the smallest part that the command line allows, and a segment in the smallest part of all.
const _: () = assert!(PART_BYTES_MIN as usize > HEADER_BYTES + (1 << SEGMENT_LOG2_MIN) + TAG_BYTES);
// A chunk has to fit in a block, a block in its stored limit, and a window in a block.
const _: () = assert!(CHUNK_BYTES_MAX <= BLOCK_PLAIN_MAX && BLOCK_PLAIN_MAX < BLOCK_STORED_MAX);
const _: () = assert!(WINDOW_BYTES_MAX <= BLOCK_PLAIN_MAX);
// RFC 9106's choices are within what a manifest may demand.
const _: () = assert!(1 << 21 <= ARGON2_KIB_MAX && (1 << 21) <= ARGON2_COST_MAX && 3 * (1 << 18) <= ARGON2_COST_MAX);
// The largest directory is one frame.
const _: () = assert!(FRAMES_MAX * 16 <= FRAME_PLAIN_MAX);
// Five names, their lengths and the fields before them fit in a record of a dump map.
const _: () = assert!(32 + 5 * (2 + MAP_NAME_BYTES_MAX) <= MAP_RECORD_BYTES_MAX);
// SP 800-38D: invocations under one key, far below 2^32.
const _: () = assert!((PART_BYTES_MAX >> SEGMENT_LOG2_MIN) <= 1 << 18);
