//! `vault key export`: a key on paper, whole or in shares (spec/paper.md).

use std::fmt::Write as _;
use std::path::Path;

use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::base::time::rfc3339;
use crate::cli::args::Global;
use crate::cli::args::key::Export;
use crate::cli::key::place::{create, deliver};
use crate::cli::message::CliError;
use crate::cli::report;
use crate::cli::secrets::{Ask, Way, find, read_opened};
use crate::cli::world::{OsRandom, SystemClock, named_store};
use crate::crypto::keys::MasterKey;
use crate::format::paper::grouped;
use crate::keys::paper::{line, share_lines};
use crate::keys::ring::key_of_epoch;
use crate::pipeline::port::{Clock, Random};

/// What a printer takes for the end of a page.
const PAGE: &str = "\u{c}";

/// Exports.
///
/// # Errors
/// There is no key file at hand, or the sheets cannot be written.
pub fn run(global: &Global, command: &Export) -> Result<Option<FailureClass>, CliError> {
    let key = master(global, command.epoch)?;
    let sheets = match (command.shares, command.threshold) {
        (Some(count), Some(threshold)) if threshold > count => return Err(CliError::Threshold { threshold, count }),
        (Some(count), Some(threshold)) => share_sheets(&key, threshold, count)?,
        _ => Zeroizing::new(key_sheet(&key, &line(&key))?),
    };
    if let Some(path) = &command.svg {
        create(global, "code", path, &svg_of(&line(&key))?)?;
    }
    deliver(global, "key", command.output.as_deref(), &sheets)?;
    match command.output.as_deref() {
        Some(path) if path != Path::new("-") => report::lines(&[format!("made {}", path.display()), PRINT.into()]),
        _ => Ok(None),
    }
}

const PRINT: &str = "Print it, read the print back with `vault key import`, then remove the file.";

/// The key of the key file, of that epoch or the newest.
fn master(global: &Global, epoch: Option<u32>) -> Result<MasterKey, CliError> {
    let Some(Way::KeyFile(path)) = find(global, Ask::Never)? else {
        return Err(CliError::KeyFileNeeded);
    };
    let text = read_opened(global, &path, &named_store(global)?)?;
    key_of_epoch(&text, epoch).map_err(|reason| CliError::KeyFile { path, reason })
}

/// What stands on every sheet. Lines for people begin with `#`, so that a whole sheet can be given to `vault key import`.
fn head(key: &MasterKey, title: &str) -> String {
    let fingerprint = key.derive().pack.fingerprint.to_string();
    let spaced: Vec<&str> =
        fingerprint.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    format!(
        "# {title}\n#\n# guid         {}\n# epoch        {}\n# fingerprint  {}\n# printed      {}\n#\n",
        key.scope.guid,
        key.scope.epoch,
        spaced.join(" "),
        rfc3339(SystemClock.now_ms()),
    )
}

fn key_sheet(key: &MasterKey, line: &str) -> Result<String, CliError> {
    let head = head(key, "vault: a key on paper. Whoever has this sheet can read every backup of this database.");
    let how = "# To use it: `vault key import`, and type the letters below, small or capital; the last two of each group are its check.\n\
               # Or scan the code: it holds the whole line. Then compare the fingerprint, and try it with `vault key check`.\n\
               # Keep the sheet where neither the database nor the store is, and try it once a year.\n\n";
    sheet(&[&head, how, &grouped(line)], line)
}

fn share_sheets(key: &MasterKey, threshold: u8, count: u8) -> Result<Zeroizing<String>, CliError> {
    let lines = share_lines(key, threshold, count, &mut |bytes| OsRandom.fill(bytes));
    let mut sheets = Zeroizing::new(String::with_capacity(lines.len() * 8192));
    for (number, line) in (1..).zip(&lines) {
        let title = format!(
            "vault: share {number} of {count}. Any {threshold} of them give the key; fewer tell nothing of it."
        );
        let how = "# To use it: collect so many sheets, `vault key import` with the letters of all of them, small or capital,\n\
                   # each with its line VAULT-SHARE-1 before it; or scan the codes. Then compare the fingerprint.\n\
                   # Keep the sheets apart: each with another person, none where the database or the store is.\n\n";
        if number > 1 {
            sheets.push_str(PAGE);
            sheets.push('\n');
        }
        sheets.push_str(&sheet(&[&head(key, &title), how, &grouped(line)], line)?);
    }
    Ok(sheets)
}

fn sheet(texts: &[&str], line: &str) -> Result<String, CliError> {
    let mut sheet = String::with_capacity(8192);
    texts.iter().for_each(|text| sheet.push_str(text));
    let code = code(line)?.render::<unicode::Dense1x2>().build();
    let _ = writeln!(sheet, "\n{code}");
    Ok(sheet)
}

fn svg_of(line: &str) -> Result<String, CliError> {
    Ok(code(line)?.render::<svg::Color<'_>>().min_dimensions(400, 400).build())
}

fn code(line: &str) -> Result<QrCode, CliError> {
    QrCode::new(line).map_err(|error| CliError::Code(error.to_string()))
}
