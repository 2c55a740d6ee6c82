//! What escrow leaves behind and what people type: check records, and keys and shares on paper.

use std::cell::RefCell;

use crate::base::id::{Guid, ObjectName, check_record_name};
use crate::crypto::kdf::Scope;
use crate::crypto::keys::MasterKey;
use crate::crypto::secret::Secret;
use crate::format::check_record::CheckRecord;
use crate::format::json::{self, Json};
use crate::format::keyfile::{KEY_BYTES, key_text, split_key};
use crate::format::manifest::Manifest;
use crate::format::paper::{self, SHARE_BYTES, Typed, grouped, share_text, split_share};
use crate::fuzzing::fixture::fixture;
use crate::fuzzing::input::Input;
use crate::keys;

/// A check record that parses has one spelling, and is that of one name.
pub fn check_record(data: &[u8]) -> bool {
    let (guid, timestamp) = name_of(data);
    let Ok(unverified) = CheckRecord::parse(guid, timestamp, data) else {
        return false;
    };
    assert_eq!(unverified.record.encode().as_bytes(), unverified.body);
    assert_eq!(Manifest::with_mac(&unverified.record.encode(), &unverified.mac), data, "a record has one spelling");
    let name = check_record_name(&guid, timestamp);
    assert_eq!(ObjectName::parse(&name), Some(ObjectName::CheckRecord(guid, timestamp)), "{name} is no name");
    assert!(CheckRecord::parse(guid, timestamp + 1, data).is_err(), "and under its own name only");
    true
}

/// The name that a record claims, so that it is not refused for that alone.
fn name_of(text: &[u8]) -> (Guid, u64) {
    let Ok(Json::Object(members)) = json::parse(text) else {
        return (fixture().newer.id.guid, 0);
    };
    let value = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let guid = match value("guid") {
        Some(Json::String(guid)) => guid.parse().ok(),
        _ => None,
    };
    let timestamp = match value("timestamp") {
        Some(Json::Number(number)) => Some(*number),
        _ => None,
    };
    (guid.unwrap_or(fixture().newer.id.guid), timestamp.unwrap_or(0))
}

/// What is typed is a key or a share that can be written and typed again; one changed character never makes another one of it; and enough
/// shares give the key. The first byte says which.
pub fn paper(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    match input.u8() {
        0 => typed(input.rest()),
        1 => mistyped(&mut input),
        2 => shares(&mut input),
        _ => false,
    }
}

/// The line of a key or of a share.
fn line_of(typed: &Typed) -> String {
    match typed {
        Typed::Key(bytes) => key_text(bytes).to_string(),
        Typed::Share(bytes) => share_text(bytes).to_string(),
    }
}

/// The lines that a text gives; `None` when it is refused.
fn lines_of(text: &[u8]) -> Option<Vec<String>> {
    Some(paper::read(text).ok()?.iter().map(line_of).collect())
}

fn typed(text: &[u8]) -> bool {
    let found = lines_of(text);
    let keys = keys::paper::read(text);
    let Some(lines) = found else {
        assert!(keys.is_err(), "keys of what is mistyped");
        return false;
    };
    let sheet: String = lines.iter().map(|line| grouped(line).to_string()).collect();
    for again in [sheet.to_ascii_lowercase(), sheet, lines.join("\n")] {
        assert_eq!(lines_of(again.as_bytes()).as_ref(), Some(&lines), "it does not come back");
    }
    if let Ok(keys) = keys {
        assert!(!keys.is_empty() && keys.len() <= lines.len(), "keys from nowhere");
    }
    true
}

fn mistyped(input: &mut Input<'_>) -> bool {
    let (line, legal) = match input.pick(2) {
        0 => {
            let bytes: [u8; KEY_BYTES] = input.array();
            (key_text(&bytes), split_key(&bytes).is_ok())
        }
        _ => {
            let bytes: [u8; SHARE_BYTES] = input.array();
            (share_text(&bytes), split_share(&bytes).is_ok())
        }
    };
    let right = vec![line.to_string()];
    for text in [line.as_bytes().to_vec(), grouped(&line).as_bytes().to_vec()] {
        assert_eq!(lines_of(&text) == Some(right.clone()), legal);
        let mut wrong = text;
        let at = input.place(wrong.len());
        wrong[at] = input.u8();
        // A number that is only there for the eye, or the case of a letter, may be another; and a line that begins with `#` is none.
        let read = lines_of(&wrong).unwrap_or_default();
        assert!(read.iter().all(|read| *read == right[0]), "one character changed, and another key");
    }
    legal
}

fn shares(input: &mut Input<'_>) -> bool {
    let secret: [u8; 32] = input.array();
    let secret = Secret::fill(|bytes| bytes.copy_from_slice(&secret));
    let key = MasterKey { scope: Scope { guid: fixture().newer.id.guid, epoch: 1 }, secret };
    let threshold = input.u8() % 15 + 2;
    let count = threshold + input.u8() % (17 - threshold);
    let chosen = input.u16();
    let random = RefCell::new(input);
    let fill = &mut |bytes: &mut [u8]| bytes.fill_with(|| random.borrow_mut().u8());
    let lines = keys::paper::share_lines(&key, threshold, count, fill);
    assert_eq!(lines.len(), usize::from(count));
    let chosen: Vec<&str> =
        (0..).zip(&lines).filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, line)| line.as_str()).collect();
    let enough = chosen.len() >= usize::from(threshold);
    match keys::paper::read(chosen.join("\n").as_bytes()) {
        Ok(keys) => assert!(enough && keys[0].secret.expose() == key.secret.expose(), "another key"),
        Err(error) => assert!(!enough, "{} of {threshold} are enough: {error}", chosen.len()),
    }
    enough
}
