//! The real binary, as a person or a script sees it: for every bad input the exact exit code, one line that says what failed, one that says
//! what to do, and what is left in the store.
//!
//! Every run has a cleared environment and directories of its own. The files in `tests/cli` each count their cases.

#[path = "cli/archives.rs"]
mod archives;
#[path = "cli/audits.rs"]
mod audits;
#[path = "cli/children.rs"]
mod children;
#[path = "cli/cut_short.rs"]
mod cut_short;
#[path = "cli/damage.rs"]
mod damage;
#[path = "cli/differences.rs"]
mod differences;
#[path = "cli/dumps.rs"]
mod dumps;
#[path = "cli/edges.rs"]
mod edges;
#[path = "cli/escrow.rs"]
mod escrow;
#[path = "cli/key_check.rs"]
mod key_check;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/kills.rs"]
mod kills;
#[path = "cli/legacy.rs"]
mod legacy;
#[path = "cli/legacy_damage.rs"]
mod legacy_damage;
#[path = "cli/packers.rs"]
mod packers;
#[path = "cli/paper.rs"]
mod paper;
#[path = "cli/parts.rs"]
mod parts;
#[path = "cli/passphrases.rs"]
mod passphrases;
#[path = "cli/place.rs"]
mod place;
#[path = "cli/reports.rs"]
mod reports;
#[path = "cli/slots.rs"]
mod slots;
#[path = "cli/stores.rs"]
mod stores;
#[path = "cli/streams.rs"]
mod streams;
#[path = "cli/terminals.rs"]
mod terminals;
#[path = "cli/verdicts.rs"]
mod verdicts;
