//! The specification's tables and the code say the same.

use vault::base::failure::FailureClass;
use vault::base::limits;
use vault::crypto::kdf::LABELS;
use vault::dump::DumpKind;
use vault::format::manifest::KINDS;

/// The cells of every table row of a page that begins with a code span or a number.
fn rows(page: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---")).map(cells).collect()
}

#[test]
fn limits_are_those_of_the_code() {
    let code = include_str!("../src/base/limits.rs");
    let mut compared = 0;
    for row in rows(include_str!("../spec/limits.md")).iter().filter(|row| row[0] != "limit") {
        let line = code.lines().find(|line| line.starts_with(&format!("pub const {}:", row[0])));
        let line = line.unwrap_or_else(|| panic!("{} is not in the code", row[0]));
        let value = line.split(" = ").nth(1).expect("a value").trim_end_matches(';').replace('_', "");
        assert_eq!(value, row[1], "{}", row[0]);
        compared += 1;
    }
    let in_code = code.lines().filter(|line| line.starts_with("pub const ") && !line.contains(" fn ")).count();
    // HEADER_BYTES and TAG_BYTES are sizes, not limits.
    assert_eq!((compared, compared + 2), (46, in_code));
    assert_eq!(limits::SPAN_BYTES, 1 << 18);
}

#[test]
fn labels_are_those_of_the_code() {
    let page = include_str!("../spec/keys.md");
    let labels: Vec<String> =
        rows(page).into_iter().map(|row| row[0].clone()).filter(|cell| cell.starts_with("vault/v1/")).collect();
    assert_eq!(labels, LABELS);
    assert_eq!(labels.len(), 16);
    for label in LABELS {
        assert!(label.is_ascii());
    }
}

#[test]
fn exit_codes_are_those_of_the_code() {
    let mut listed = 0;
    for row in rows(include_str!("../spec/exit-codes.md")).iter().filter(|row| row[0] != "code" && row[0] != "0") {
        let class = FailureClass::from_name(&row[1]).unwrap_or_else(|| panic!("{} is no class", row[1]));
        assert_eq!(class.exit_code().to_string(), row[0]);
        listed += 1;
    }
    assert_eq!(listed, FailureClass::ALL.len());
}

#[test]
fn kinds_of_dump_are_those_of_the_recogniser() {
    assert_eq!(DumpKind::ALL.map(DumpKind::as_str), KINDS);
    let page = include_str!("../spec/manifest.md");
    for kind in KINDS {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}
