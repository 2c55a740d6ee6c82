//! Whose key it is that opened a backup (spec/check.md, "Whose key").

use super::Given;
use crate::cli::args::Global;
use crate::cli::message::CliError;
use crate::cli::trust::check_given;
use crate::cli::world::Teller;
use crate::ops::escrow::Audit;

/// Judges the key that a backup opened with. Another one than is known makes the audit a failed one; `false` says that none is known.
///
/// # Errors
/// What this machine knows cannot be read.
pub fn vouch(global: &Global, given: &Given, audit: &mut Audit, teller: &Teller) -> Result<bool, CliError> {
    let judged = match (given, &audit.keys) {
        (Given::KeyFile(ring), _) if audit.level > 0 => check_given(global, ring),
        (Given::Slots(opener), Some(keys)) => opener.judge(global, &audit.id, &keys.pack, teller),
        _ => Ok(()),
    };
    match judged {
        Ok(()) => Ok(true),
        Err(CliError::Untrusted { .. }) => Ok(false),
        Err(error @ CliError::Fingerprint { .. }) => {
            audit.refuse(error.class(), error.to_string());
            Ok(true)
        }
        Err(error) => Err(error),
    }
}
