//! New slots, for people as the command line names them.

use std::ffi::OsStr;
use std::path::Path;

use crate::base::limits::KEY_FILE_BYTES_MAX;
use crate::cli::args::key::NewSlots;
use crate::cli::args::{Global, Kdf};
use crate::cli::identity::run_age;
use crate::cli::memory::available;
use crate::cli::message::CliError;
use crate::cli::secrets::{Way, read_passphrase};
use crate::cli::world::OsRandom;
use crate::crypto::keys::MasterKey;
use crate::crypto::passphrase::Cost;
use crate::format::age::name::RecipientName;
use crate::format::age::{AgeFile, armor};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::KeyError;
use crate::keys::age::AgeError;
use crate::keys::slots::{age_plaintext, age_slot, make, make_age};
use crate::pipeline::error::RunError;
use crate::pipeline::port::Random;

impl NewSlots {
    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        !self.passphrase && self.recipients.is_empty() && self.recipients_file.is_none()
    }

    /// One slot for each.
    ///
    /// # Errors
    /// Nobody is named, somebody is not a recipient, or a passphrase cannot be had.
    pub fn make(&self, global: &Global, store: &Path, key: &MasterKey) -> Result<Vec<Slot>, CliError> {
        if self.is_empty() {
            return Err(CliError::NoNewSlot);
        }
        let fill = |bytes: &mut [u8]| OsRandom.fill(bytes);
        let mut slots = Vec::new();
        for (number, recipient) in (1..).zip(self.recipients()?) {
            slots.push(for_recipient(key, &recipient, number, &fill)?);
        }
        if self.passphrase {
            let way = match (&global.passphrase_file, &global.passphrase_command) {
                (Some(_), Some(_)) => return Err(CliError::TwoKeys("`--passphrase-file`", "`--passphrase-command`")),
                (Some(path), None) => Way::PassphraseFile(path.clone()),
                (None, Some(command)) => Way::PassphraseCommand(command.clone()),
                (None, None) => Way::Prompt,
            };
            // Before somebody thinks of a passphrase in vain.
            cost(self.kdf).fits(available()).map_err(|error| RunError::Key(error.into()))?;
            let passphrase = read_passphrase(&way, store, true)?;
            slots.push(make(key, &passphrase, cost(self.kdf), &fill).map_err(RunError::Key)?);
        }
        Ok(slots)
    }

    /// Those of the command line, then those of the file.
    fn recipients(&self) -> Result<Vec<String>, CliError> {
        let mut recipients = self.recipients.clone();
        if let Some(path) = &self.recipients_file {
            let unreadable =
                |reason| CliError::SecretUnreadable { what: "recipients file", path: path.clone(), reason };
            let text = std::fs::read(path).map_err(unreadable)?;
            if text.len() > KEY_FILE_BYTES_MAX {
                return Err(CliError::KeyFileTooLong(path.clone()));
            }
            let text = String::from_utf8_lossy(&text);
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            recipients.extend(lines.map(str::to_owned));
        }
        if recipients.is_empty() && !self.passphrase { Err(CliError::NoNewSlot) } else { Ok(recipients) }
    }
}

/// What a guess costs.
pub fn cost(kdf: Kdf) -> Cost {
    match kdf {
        Kdf::Default => Cost::DEFAULT,
        Kdf::Small => Cost::SMALL,
        Kdf::Max => Cost::MAX,
    }
}

fn for_recipient(key: &MasterKey, recipient: &str, number: usize, fill: &dyn Fn(&mut [u8])) -> Result<Slot, CliError> {
    if let Some(name) = RecipientName::parse(recipient) {
        return make_age(key, &name, fill).map_err(|_| CliError::Recipient(number));
    }
    if !is_of_age(recipient) {
        return Err(CliError::Recipient(number));
    }
    let arguments = ["--encrypt", "--armor", "--recipient", recipient].map(OsStr::new);
    let failed = |error: AgeError| CliError::Run(RunError::Key(error.into()));
    let file = run_age(&arguments, age_plaintext(key).as_bytes()).map_err(failed)?;
    let file = String::from_utf8_lossy(&file).into_owned();
    let decoded = armor::decode(file.as_bytes()).map_err(|error| failed(error.into()))?;
    AgeFile::parse(&decoded).map_err(|error| failed(error.into()))?;
    Ok(age_slot(file, fill))
}

/// Whether a recipient is of a kind that only `age` or a plugin knows: `ssh-…`, `age1NAME1…`.
fn is_of_age(recipient: &str) -> bool {
    let plugin = recipient.strip_prefix("age1").is_some_and(|rest| rest.contains('1') && !rest.starts_with("pq1"));
    recipient.starts_with("ssh-") || plugin
}

/// What a slot is, in a few words.
pub fn describe(slot: &Slot) -> Result<String, KeyError> {
    Ok(match &slot.kind {
        SlotKind::Passphrase { m, t, p, .. } => format!("Argon2id, {} MiB, {t} passes, {p} lanes", m / 1024),
        SlotKind::Age { file } => {
            let decoded = armor::decode(file.as_bytes()).map_err(AgeError::from)?;
            let file = AgeFile::parse(&decoded).map_err(AgeError::from)?;
            let types: Vec<&str> = file.stanzas.iter().map(|stanza| stanza.arguments[0].as_str()).collect();
            types.join(", ")
        }
    })
}

/// Whether who keeps a copy of a manifest can open the slot once X25519 is broken.
pub fn is_classic(slot: &Slot) -> bool {
    matches!(slot.kind, SlotKind::Age { .. }) && !describe(slot).is_ok_and(|types| types == "mlkem768x25519")
}
