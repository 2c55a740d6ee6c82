//! Which chunks are stored already, and where.
//!
//! Two answers, asked in this order by whoever packs: [`run`] knows what this run has stored, [`cache`] what earlier backups
//! of the same guid and epoch have (spec/chunking.md). This room names chunks, blocks and backups by id and ordinal only: it
//! knows no cipher, no store and no manifest, and uses nothing but `base`. Whether a place that it names may be referenced
//! today is for the caller to settle against the store.

pub mod cache;
mod mapped;
pub mod run;
