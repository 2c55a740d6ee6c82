//! `vault key export`: a key on paper, whole or in shares (spec/paper.md).

use std::path::Path;

use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use serde_json::json;
use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::base::time::rfc3339;
use crate::cli::args::Global;
use crate::cli::args::key::Export;
use crate::cli::key::place::{create, deliver, may_deliver};
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::unlock::{Held, hold};
use crate::cli::world::{OsRandom, SystemClock, Teller};
use crate::crypto::keys::MasterKey;
use crate::format::keyfile::with_slots;
use crate::format::paper::grouped;
use crate::keys::paper::{line, share_lines};
use crate::keys::ring::files_text;
use crate::pipeline::port::{Clock, Random};

/// What a printer takes for the end of a page.
const PAGE: &str = "\u{c}\n";

/// Exports.
///
/// # Errors
/// There is no full key at hand, or the sheets cannot be written.
pub fn run(global: &Global, command: &Export) -> Result<Option<FailureClass>, CliError> {
    let teller = Teller::plain(global);
    let held = hold(global, command.epoch, &teller)?;
    let key = &held.key;
    let (what, text) = match (command.shares, command.threshold) {
        (Some(count), Some(threshold)) if threshold > count => return Err(CliError::Threshold { threshold, count }),
        (Some(count), Some(threshold)) => ("key", share_sheets(&held, threshold, count)?),
        _ if command.as_file => {
            let text = files_text(&in_file(command, &held), SystemClock.now_ms());
            ("key file", with_slots(&text, &held.slots, held.generation))
        }
        _ => ("key", key_sheet(&held, &line(key))?),
    };
    let output = command.output.as_deref();
    // Before a code is on disk that has to be removed again.
    may_deliver(global, what, output)?;
    if let Some(path) = &command.svg {
        create(global, "code", path, &svg_of(&line(key))?)?;
    }
    deliver(global, what, output, &text).inspect_err(|_| {
        // The code is the key, and nobody is told that it is there.
        let _ = command.svg.as_ref().map(std::fs::remove_file);
    })?;
    let exported = if command.as_file { in_file(command, &held) } else { vec![key] };
    let missing = held.others.iter().filter(|other| !exported.iter().any(|key| key.scope == other.scope));
    let missing: Vec<u32> = missing.map(|key| key.scope.epoch).collect();
    if !missing.is_empty() {
        teller.note(&format!(
            "this is the key of epoch {} alone; `--epoch` gives those of other epochs, which are at hand too: {}",
            key.scope.epoch,
            list(&missing)
        ));
    }
    match output {
        Some(path) if path != Path::new("-") => tell(global, command, path, &exported, &missing)?,
        _ => {}
    }
    Ok(teller.class())
}

/// The keys of a key file to be: all that are at hand, or the one that is asked for. Ascending by epoch.
fn in_file<'h>(command: &Export, held: &'h Held) -> Vec<&'h MasterKey> {
    let others = held.others.iter().filter(|_| command.epoch.is_none());
    let mut keys: Vec<&MasterKey> = others.chain([&held.key]).collect();
    keys.sort_by_key(|key| key.scope.epoch);
    keys
}

fn list(epochs: &[u32]) -> String {
    epochs.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Tells what was written to a file, and what not.
fn tell(global: &Global, command: &Export, path: &Path, keys: &[&MasterKey], missing: &[u32]) -> Result<(), CliError> {
    if !global.json {
        let next = if command.as_file { KEEP } else { PRINT };
        return report::lines(&[format!("made {}", path.display()), next.into()]).map(drop);
    }
    let epochs = keys
        .iter()
        .map(|key| json!({ "epoch": key.scope.epoch, "fingerprint": key.derive().pack.fingerprint.to_string() }));
    report::json(&json!({
        "version": 1,
        "message_type": "key-export",
        "path": path.to_string_lossy(),
        "guid": keys[0].scope.guid.to_string(),
        "epochs": epochs.collect::<Vec<_>>(),
        "epochs_not_exported": missing,
    }))
    .map(drop)
}

const PRINT: &str = "Print it, read the print back with `vault key import`, then remove the file.";
const KEEP: &str =
    "It opens every backup of its epochs: keep it in escrow, and off the host if that has a pack-only key.";

/// What stands on every sheet. Lines for people begin with `#`, so that a whole sheet can be given to `vault key import`.
fn head(held: &Held, title: &str) -> String {
    let key = &held.key;
    // Whoever stands before the sheet on the bad day has to know that it is not all.
    let others: Vec<u32> = held.others.iter().map(|key| key.scope.epoch).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!("; backups of epoch {} need sheets of their own", list(others)),
    };
    let fingerprint = key.derive().pack.fingerprint.to_string();
    let spaced: Vec<&str> =
        fingerprint.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    format!(
        "# {title}\n#\n# guid         {}\n# epoch        {}{others}\n# fingerprint  {}\n# printed      {}\n#\n",
        key.scope.guid,
        key.scope.epoch,
        spaced.join(" "),
        rfc3339(SystemClock.now_ms()),
    )
}

fn key_sheet(held: &Held, line: &str) -> Result<Zeroizing<String>, CliError> {
    let head = head(held, "vault: a key on paper. Whoever has this sheet can read every backup of its guid and epoch.");
    let how = "# To use it: `vault key import`, and type the letters below, small or capital; the last two of each group are its check.\n\
               # Or scan the code: it holds the whole line. Then compare the fingerprint, and try it with `vault key check`.\n\
               # Keep the sheet where neither the database nor the store is, and try it once a year.\n\n";
    sheet(&[&head, how, &grouped(line)], line)
}

fn share_sheets(held: &Held, threshold: u8, count: u8) -> Result<Zeroizing<String>, CliError> {
    let lines = share_lines(&held.key, threshold, count, &mut |bytes| OsRandom.fill(bytes));
    let mut sheets = Vec::with_capacity(lines.len());
    for (number, line) in (1..).zip(&lines) {
        let title = format!(
            "vault: share {number} of {count}. Any {threshold} of them give the key; fewer tell nothing of it."
        );
        let how = "# To use it: collect so many sheets, `vault key import` with the letters of all of them, small or capital,\n\
                   # each with its line VAULT-SHARE-1 before it; or scan the codes. Then compare the fingerprint.\n\
                   # Keep the sheets apart: each with another person, none where the database or the store is.\n\n";
        sheets.push(sheet(&[if number > 1 { PAGE } else { "" }, &head(held, &title), how, &grouped(line)], line)?);
    }
    let mut text = Zeroizing::new(String::with_capacity(sheets.iter().map(|sheet| sheet.len()).sum()));
    sheets.iter().for_each(|sheet| text.push_str(sheet));
    Ok(text)
}

/// In one piece, and wiped: a code is the key as much as its letters are.
fn sheet(texts: &[&str], line: &str) -> Result<Zeroizing<String>, CliError> {
    let code = Zeroizing::new(code(line)?.render::<unicode::Dense1x2>().build());
    let length: usize = texts.iter().map(|text| text.len()).sum();
    let mut sheet = Zeroizing::new(String::with_capacity(length + code.len() + 2));
    texts.iter().for_each(|text| sheet.push_str(text));
    sheet.push('\n');
    sheet.push_str(&code);
    sheet.push('\n');
    Ok(sheet)
}

fn svg_of(line: &str) -> Result<Zeroizing<String>, CliError> {
    Ok(Zeroizing::new(code(line)?.render::<svg::Color<'_>>().min_dimensions(400, 400).build()))
}

fn code(line: &str) -> Result<QrCode, CliError> {
    QrCode::new(line).map_err(|error| CliError::Code(error.to_string()))
}
