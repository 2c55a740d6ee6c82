//! The house is as ARCHITECTURE.md says: rooms use only what is to their right, nothing below `cli` prints, files and functions stay small,
//! and unsafe code stands in the files that are listed here.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by layer: a room may use any layer before its own, and itself.
const LAYERS: [&[&str]; 7] = [
    &["base"],
    &["crypto", "format", "chunk", "dump", "legacy"],
    &["archive", "keys", "index"],
    &["pipeline"],
    &["ops", "store", "observe"],
    &["cli"],
    &["fuzzing", "main", "lib"],
];

/// Files that may contain unsafe code: the scanner for cuts, the ids of many chunks at once, blocks of a dump in large registers, the mapped
/// cache.
const UNSAFE_FILES: [&str; 4] =
    ["src/chunk/scan.rs", "src/crypto/chunk_id/lanes.rs", "src/dump/blocks/x86.rs", "src/index/mapped.rs"];

/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function. Longer ones are listed in `LONG_FUNCTIONS`.
const FUNCTION_LINES_MAX: usize = 60;
/// Functions that are one table or one step and read better whole.
const LONG_FUNCTIONS: [&str; 0] = [];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("src"), &mut found);
    assert!(found.len() > 60, "only {} files were found", found.len());
    found
}

/// The room that a file of `src` is in.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("a file of the source");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn layer(room: &str) -> usize {
    LAYERS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("{room} is in no layer"))
}

#[test]
fn rooms_use_only_what_is_to_their_right() {
    let mut uses = 0;
    for (path, text) in sources() {
        let own = room(&path);
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                uses += 1;
                let allowed = used == own || layer(&used) < layer(&own);
                assert!(allowed, "{}:{number}: {own} uses {used}", path.display());
            }
        }
    }
    assert!(uses > 200, "only {uses} uses were seen");
}

#[test]
fn nothing_below_the_command_line_prints_or_exits() {
    let banned = ["println!", "eprintln!", "print!(", "eprint!(", "process::exit", "dbg!", "todo!", "unimplemented!"];
    for (path, text) in sources() {
        // The command line prints, but never in a way that panics when nobody can read it.
        let banned = match room(&path).as_str() {
            "cli" | "main" => &banned[..4],
            _ => &banned[..],
        };
        for word in banned {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn unsafe_code_stands_where_it_is_listed() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let blocks = code.filter(|line| line.contains("unsafe ") || line.contains("allow(unsafe_code)")).count();
        if blocks > 0 {
            assert!(text.contains("SAFETY:"), "{} does not say why it is sound", path.display());
            found.push(path.display().to_string());
        }
    }
    found.sort();
    assert_eq!(found, UNSAFE_FILES);
    assert!(include_str!("../src/lib.rs").contains("#![deny(unsafe_code)]"));
}

#[test]
fn files_and_functions_stay_small() {
    let mut functions = 0;
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= FILE_LINES_MAX, "{} has {} lines", path.display(), lines.len());
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let starts = ["fn ", "pub fn ", "pub(crate) fn ", "pub const fn ", "const fn "];
            let Some(start) = starts.iter().find(|start| line.trim_start().starts_with(**start)) else {
                continue;
            };
            // The signature of a trait's method has no body.
            if lines[at..]
                .iter()
                .find(|line| line.ends_with('{') || line.ends_with(';'))
                .is_some_and(|line| line.ends_with(';'))
            {
                continue;
            }
            functions += 1;
            let end = lines[at..].iter().position(|line| **line == format!("{}}}", " ".repeat(indent)));
            let length = end.unwrap_or(0) + 1;
            let name: String = line.trim_start()[start.len()..]
                .chars()
                .take_while(|letter| *letter != '(' && *letter != '<')
                .collect();
            let listed = LONG_FUNCTIONS.contains(&name.as_str());
            assert!(length <= FUNCTION_LINES_MAX || listed, "{}: {name} has {length} lines", path.display());
        }
    }
    assert!(functions > 400, "only {functions} functions were seen");
}
