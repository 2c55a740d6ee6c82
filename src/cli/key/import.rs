//! `vault key import`: a key file from paper, or from shares (spec/paper.md).

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use serde_json::json;
use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::base::limits::KEY_FILE_BYTES_MAX;
use crate::cli::args::Global;
use crate::cli::args::key::Import;
use crate::cli::key::place::{create, new_key_file};
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::secrets::{read_limited, read_secret};
use crate::cli::world::{SystemClock, Teller, named_store};
use crate::keys::paper;
use crate::keys::ring::files_text;
use crate::pipeline::port::Clock;

/// For whoever sits there and sees nothing happen.
const PROMPT: &str = "type the groups from the sheet, or those of enough shares, each with its line VAULT-SHARE-1 before it; \
                      then Enter and Ctrl-D";

/// Makes a key file of what was typed.
///
/// # Errors
/// It gives no key, or there is a key file.
pub fn run(global: &Global, command: &Import) -> Result<Option<FailureClass>, CliError> {
    let text = read(global, command)?;
    let keys = paper::read(&text).map_err(CliError::Paper)?;
    let path = new_key_file(global)?;
    let now = SystemClock.now_ms();
    create(global, "key file", &path, &files_text(&keys.iter().collect::<Vec<_>>(), now))?;
    let epochs = keys.iter().map(|key| (key.scope.epoch, key.derive().pack.fingerprint.to_string()));
    if global.json {
        return report::json(&json!({
            "version": 1,
            "message_type": "key",
            "path": path.to_string_lossy(),
            "guid": keys[0].scope.guid.to_string(),
            "epochs": epochs.map(|(epoch, print)| json!({ "epoch": epoch, "fingerprint": print })).collect::<Vec<_>>(),
        }));
    }
    let mut lines = vec![format!("made {}", path.display()), format!("guid         {}", keys[0].scope.guid)];
    lines.extend(epochs.map(|(epoch, print)| format!("fingerprint  {print} of epoch {epoch}")));
    lines.push("Slots are not on paper: `vault key add` gives later backups other ways to open them.".into());
    lines.push("Compare the fingerprint with the sheet, then see what it opens: `vault key check`.".into());
    report::lines(&lines)
}

/// Everything that was typed: the files one after another, or standard input.
fn read(global: &Global, command: &Import) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    if command.files.is_empty() {
        if std::io::stdin().is_terminal() {
            Teller::plain(global).note(PROMPT);
        }
        // Past the buffer of the standard library, where a copy would stay.
        let input = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let typed = input.and_then(|mut input| read_limited(&mut input, KEY_FILE_BYTES_MAX + 1));
        let typed = typed.map_err(CliError::Typing)?;
        // What is cut off is not what was typed.
        if typed.len() > KEY_FILE_BYTES_MAX {
            return Err(CliError::TypedTooLong);
        }
        text.extend_from_slice(&typed);
    }
    let store = named_store(global)?;
    for path in &command.files {
        let file = read_secret("sheet", path, &store, KEY_FILE_BYTES_MAX + 1)?;
        if text.len() + file.len() >= KEY_FILE_BYTES_MAX {
            return Err(CliError::SheetsTooLong(path.clone()));
        }
        text.extend_from_slice(&file);
        text.push(b'\n');
    }
    Ok(text)
}
