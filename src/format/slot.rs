//! Key slots as the manifest and the key file carry them (spec/manifest.md, "Slots").

use crate::base::bytes::{from_hex, to_hex};
use crate::base::limits::{AGE_SLOT_BYTES_MAX, ARGON2_COST_MAX, argon2_is_within_limits};
use crate::format::json::{Json, Members, quoted, to_base64};
use crate::format::{FormatError, check_limit, damaged};

/// A way to the vault key that stands in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Random, unique in a manifest.
    pub id: [u8; 4],
    /// How it opens.
    pub kind: SlotKind,
}

/// How a slot opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// Under a passphrase.
    Passphrase {
        /// Argon2id memory in KiB.
        m: u32,
        /// Argon2id passes.
        t: u32,
        /// Argon2id lanes.
        p: u32,
        /// Argon2id salt.
        salt: [u8; 16],
        /// Commits to the key.
        commitment: [u8; 32],
        /// The wrapped key line.
        wrapped: [u8; 68],
    },
    /// As an age file.
    Age {
        /// The armored text.
        file: String,
    },
}

impl Slot {
    /// Parses the JSON object of a slot.
    ///
    /// # Errors
    /// `Unsupported` for an unknown type; `Damaged`; `Limit`.
    pub fn parse(value: Json) -> Result<Slot, FormatError> {
        let mut members = Members::of("a slot", value)?;
        let id = members.string("id")?;
        let id = from_hex(&id).ok_or_else(|| damaged("a slot's id is not 8 hexadecimal digits"))?;
        let kind = match members.string("type")?.as_str() {
            "passphrase" => {
                // What does not fit in 32 bits is over every limit.
                let mut cost = |name| members.number(name).map(|cost| u32::try_from(cost).unwrap_or(u32::MAX));
                let (m, t, p) = (cost("m")?, cost("t")?, cost("p")?);
                if !argon2_is_within_limits(m, t, p) {
                    let found = u64::from(m) * u64::from(t);
                    return Err(FormatError::Limit { what: "Argon2 demands of a slot", found, limit: ARGON2_COST_MAX });
                }
                SlotKind::Passphrase {
                    m,
                    t,
                    p,
                    salt: members.base64("salt")?,
                    commitment: members.base64("commitment")?,
                    wrapped: members.base64("wrapped")?,
                }
            }
            "age" => {
                let file = members.text("file")?;
                if file.chars().any(|char| char.is_control() && char != '\n') {
                    return Err(damaged("an age slot has control characters"));
                }
                check_limit("an age slot", file.len(), AGE_SLOT_BYTES_MAX)?;
                SlotKind::Age { file }
            }
            other => return Err(FormatError::Unsupported(format!("a slot of type {}", quoted(other)))),
        };
        members.finish()?;
        Ok(Slot { id, kind })
    }

    /// The JSON object on one line.
    pub fn encode(&self) -> String {
        let id = to_hex(&self.id);
        match &self.kind {
            SlotKind::Passphrase { m, t, p, salt, commitment, wrapped } => format!(
                r#"{{"id": "{id}", "type": "passphrase", "m": {m}, "t": {t}, "p": {p}, "salt": "{}", "commitment": "{}", "wrapped": "{}"}}"#,
                to_base64(salt),
                to_base64(commitment),
                to_base64(wrapped),
            ),
            SlotKind::Age { file } => format!(r#"{{"id": "{id}", "type": "age", "file": {}}}"#, quoted(file)),
        }
    }
}
