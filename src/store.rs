//! Stores: where the objects of a backup lie. They implement `pipeline::port::Store` and know nothing of what the bytes mean.
//!
//! - `local`: a directory. The only one that promises durability.
//! - `memory`: a map. For tests, benches and fuzzing, and held to the same contract.
//! - `faulty`: a wrapper that breaks on purpose, for tests that count.
//!
//! `tests/store_contract.rs` runs one suite over all of them. A store never sees plaintext, and never prints.

pub mod faulty;
pub mod local;
pub mod memory;

use std::io;

use crate::pipeline::port::StoreError;

/// 128 bytes: the longest name of the grammar has 60, and a temporary name made of it stays far under the 255 of a file system.
pub const NAME_BYTES_MAX: usize = 128;

/// Whether `name` may name an object: a name that no store reads as a path, as hidden or as two names.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Refuses a name that no object can have.
///
/// # Errors
/// `Failed`, and nothing was touched.
fn check_name(action: &'static str, name: &str) -> Result<(), StoreError> {
    if is_name(name) {
        return Ok(());
    }
    let reason = io::Error::new(io::ErrorKind::InvalidInput, "no object can have this name");
    // A name that is wrong may hold anything, and this goes to a terminal.
    Err(failed(action, format!("{name:?}"), reason))
}

/// What every store reports when the system below it says no.
fn failed(action: &'static str, what: impl Into<String>, reason: impl Into<io::Error>) -> StoreError {
    StoreError::Failed { action, what: what.into(), reason: reason.into() }
}
