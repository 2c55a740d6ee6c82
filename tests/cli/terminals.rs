//! What vault does when somebody sits there. `script` (Debian: bsdutils, which is essential) gives it a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::archives::{KEY, archive, dump};
use crate::place::{Place, VAULT, noise, run};

/// Runs a shell command on a terminal, and types each text when the words before it appear. What the terminal showed comes back.
pub fn on_terminal(place: &Place, shell: &str, typed: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", shell, "/dev/null"]);
    let template = place.keyless(&[]);
    command.env_clear().current_dir(place.dir.path()).env("VAULT", VAULT).env("SHELL", "/bin/sh").env("TERM", "xterm");
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap());
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().expect("`script`, of Debian's bsdutils");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    for (before, text) in typed {
        let mut byte = [0];
        while !String::from_utf8_lossy(&shown).ends_with(before) {
            assert_eq!(
                output.read(&mut byte).unwrap(),
                1,
                "`{before}` never came: {}",
                String::from_utf8_lossy(&shown)
            );
            shown.push(byte[0]);
        }
        input.write_all(text.as_bytes()).unwrap();
    }
    // Nothing more is typed: whoever reads on sees the end.
    drop(input);
    output.read_to_end(&mut shown).unwrap();
    let code = child.wait().unwrap().code();
    (code, String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn a_terminal_is_no_source_of_dumps_and_no_place_for_one() {
    let place = Place::with_key();
    place.pack(&[], b"the dump\n");
    fs::rename(place.path("key"), place.path("kept")).unwrap();
    let (code, shown) = on_terminal(&place, "$VAULT pack --key-file kept", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("vault: error: standard input is a terminal") && shown.contains("vault: hint: "), "{shown}");
    let (code, shown) = on_terminal(&place, "$VAULT unpack latest --key-file kept", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("vault: error: refusing to write a dump") && shown.contains("`-o -`"), "{shown}");
    assert!(!shown.contains("the dump\r"), "{shown}");
    let (code, shown) = on_terminal(&place, "$VAULT unpack latest --key-file kept -o -", &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("the dump\r\n"), "{shown}");
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let place = Place::new();
    fs::write(place.path("dump"), noise(10_000, 1)).unwrap();
    let pack = "$VAULT pack --kdf small < dump";
    let differ = [("new passphrase: ", "one horse\n"), ("the same again: ", "two horses\n")];
    let (code, shown) = on_terminal(&place, pack, &differ);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("vault: error: the two passphrases are not the same"), "{shown}");
    assert!(place.objects().is_empty());

    let same = [("new passphrase: ", "one horse\n"), ("the same again: ", "one horse\n")];
    let (code, shown) = on_terminal(&place, pack, &same);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
    // Once it is known it is asked for once.
    let (code, shown) = on_terminal(&place, "$VAULT unpack latest -o out", &[("passphrase: ", "one horse\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(fs::read(place.path("out")).unwrap(), noise(10_000, 1));
    let (code, shown) = on_terminal(&place, pack, &[("passphrase: ", "two horses\n")]);
    assert_eq!(code, Some(12), "{shown}");
    // A command that can do without a key asks nobody.
    let (code, shown) = on_terminal(&place, "$VAULT list && $VAULT verify", &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("unverified") && !shown.contains("passphrase"), "{shown}");
}

#[test]
fn progress_is_for_terminals() {
    let place = Place::with_key();
    fs::write(place.path("dump"), noise(3_000_000, 2)).unwrap();
    let mut tried = 0;
    for (option, shows) in [("", true), ("--progress never", false), ("-q", false)] {
        let shell = format!("VAULT_KEY_FILE=key $VAULT pack {option} -- sh -c 'cat dump; sleep 1'");
        let (code, shown) = on_terminal(&place, &shell, &[]);
        assert_eq!(code, Some(0), "{shown}");
        assert_eq!(shown.contains("\u{1b}["), shows, "{option}: {shown:?}");
        tried += 1;
    }
    assert_eq!(tried, 3);
}

/// Where there is no terminal it is a log, when it is asked for.
#[test]
fn progress_that_is_asked_for_is_a_log() {
    let place = Place::with_key();
    let always =
        run(place.command(&["pack", "--progress", "always", "--", "sh", "-c", "echo some; sleep 2; echo more"]), b"");
    assert_eq!(always.code, Some(0), "{always:?}");
    assert!(always.err.contains(" B in 00:00:0"), "{always:?}");
    assert!(!always.err.contains('\u{1b}') && !always.err.contains('\r'), "{always:?}");
    let auto = run(place.command(&["pack", "--", "sh", "-c", "echo some; sleep 1"]), b"");
    assert!(auto.err.is_empty(), "{auto:?}");
}

#[test]
fn a_terminal_is_no_place_for_a_key() {
    let place = Place::with_key();
    fs::rename(place.path("key"), place.path("kept")).unwrap();
    let (code, shown) = on_terminal(&place, "$VAULT key pack-only --key-file kept", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("refusing to write a pack-only key to the terminal") && shown.contains("`-o -`"), "{shown}");
    assert!(!shown.contains("VAULT-PACK-1"), "{shown}");
    let (code, shown) = on_terminal(&place, "$VAULT key pack-only --key-file kept -o -", &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("VAULT-PACK-1"), "{shown}");
}

#[test]
fn an_old_key_is_asked_for_and_not_shown() {
    let place = Place::new();
    fs::write(place.path("old"), archive(&dump(10))).unwrap();
    let typed = format!("{KEY}\n");
    let (code, shown) = on_terminal(&place, "$VAULT legacy unpack - -o out <old", &[("old key: ", &typed)]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(fs::read(place.path("out")).unwrap(), dump(10));
    let (code, shown) = on_terminal(&place, "$VAULT legacy unpack - -o two <old", &[("old key: ", "horse\n")]);
    assert_eq!(code, Some(12), "{shown}");
    let (code, shown) = on_terminal(&place, "$VAULT legacy unpack --files old", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("vault: error: refusing to write a dump"), "{shown}");
    let (code, shown) = on_terminal(&place, "$VAULT legacy unpack - -o two", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("vault: error: standard input is a terminal") && shown.contains("`--files`"), "{shown}");
}
