//! `vault key rotate`: other slots, or another key.

use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::args::key::Rotate;
use crate::cli::key::add::{HOSTS, LATER, tell};
use crate::cli::key::file::KeyFile;
use crate::cli::message::CliError;
use crate::cli::world::{OsRandom, SystemClock, open_store};
use crate::keys::ring::{key_block, next_epoch};
use crate::pipeline::port::{Clock, Random};

/// Rotates.
///
/// # Errors
/// The key file is as it was; or it is changed, and not every backup.
pub fn run(global: &Global, command: &Rotate) -> Result<Option<FailureClass>, CliError> {
    if command.rewrap {
        // A store that is not there must not be found out when the key file is changed.
        open_store(global)?;
    }
    let mut file = KeyFile::read(global)?;
    let before = file.ring()?;
    let fill = |bytes: &mut [u8]| OsRandom.fill(bytes);
    let (key, more) = if command.new_epoch {
        let key = next_epoch(&file.newest_key()?, &fill);
        let more = key_block(&key, SystemClock.now_ms());
        (key, more)
    } else {
        (file.newest_key()?, Zeroizing::new(String::new()))
    };
    // A key file without slots stays one: whoever has none relies on the file itself.
    let slots = match command.new_epoch && before.slots.is_empty() && command.slots.is_empty() {
        true => Vec::new(),
        false => command.slots.make(global, &file.store, &key)?,
    };
    let ring = file.replace(&more, &slots, before.generation + 1)?;
    let notes = truth(command, &ring.newest().pack.fingerprint.to_string());
    // Those of earlier epochs keep the slots that they have.
    let later = match command.new_epoch {
        true if slots.is_empty() => "backups of the new key carry none: only the key file opens them",
        true => "backups of the new key carry them",
        false => LATER,
    };
    tell(global, &ring, &slots, command.rewrap, later, &notes)
}

/// What rotation does, and what it does not: a sentence or two each.
fn truth(command: &Rotate, fingerprint: &str) -> Vec<String> {
    let sentences: &[&str] = match command.new_epoch {
        true => &[
            "The next backup is a full one under the new key; until then `latest` finds none.",
            "Earlier backups open with the earlier key, which is still in the key file. Put the new file into escrow, with the fingerprint beside it.",
            "What the earlier key could open stays open to whoever has it, until those backups are gone from every store.",
            HOSTS,
        ],
        false => &[
            "The key is the same. Whoever opened an old slot, or kept an old manifest and the passphrase or identity to it, can read every backup \
             of this epoch, also those to come: `vault key rotate --new-epoch` ends that.",
            HOSTS,
        ],
    };
    let print = command.new_epoch.then(|| format!("fingerprint  {fingerprint}"));
    print.into_iter().chain(sentences.iter().map(|sentence| (*sentence).to_owned())).collect()
}
