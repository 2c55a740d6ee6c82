//! A key on paper and in shares, and back to a key file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::place::{Place, run};

/// A file of what somebody typed.
fn typed(place: &Place, name: &str, text: &str) {
    fs::write(place.path(name), text).unwrap();
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
}

/// A bare machine imports text, from files or from standard input, and unpacks.
fn restores(place: &Place, arguments: &[&str], input: &str) {
    let kept = place.path("kept");
    let _ = fs::remove_file(&kept);
    let arguments: Vec<&str> = ["key", "import", "--key-file", "kept"].iter().chain(arguments).copied().collect();
    let made = run(place.keyless(&arguments), input.as_bytes());
    assert_eq!(made.code, Some(0), "{made:?}");
    let told = String::from_utf8(made.out).unwrap();
    assert!(told.contains("fingerprint  ") && !told.contains("VAULT-KEY"), "{told}");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o7777, 0o600);
    let back = run(place.keyless(&["unpack", "-q", "latest", "--key-file", "kept"]), b"");
    assert_eq!(back.out, b"the dump", "{}", back.err);
}

#[test]
fn a_sheet_brings_the_key_back() {
    let place = Place::with_key();
    place.pack(&[], b"the dump");
    let sheet = place.ok(&["key", "export", "--paper", "--svg", "code.svg"], b"");
    let key = fs::read_to_string(place.path("key")).unwrap();
    let (guid, line) = (
        key.lines().find_map(|line| line.strip_prefix("# guid: ")).unwrap(),
        key.lines().find(|line| line.starts_with("VAULT-KEY-1")).unwrap(),
    );
    for said in
        [guid, "fingerprint", "printed", "epoch        1", "vault key import", "\u{2588}", "\nVAULT-KEY-1\n  1: "]
    {
        assert!(sheet.contains(said), "{said} is not on\n{sheet}");
    }
    assert!(!sheet.contains(line), "the line without its checks stands on the sheet");
    let svg = fs::read_to_string(place.path("code.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.len() > 1000, "{svg}");
    restores(&place, &[], &sheet);
    let letters: Vec<&str> = sheet.lines().skip_while(|line| *line != "VAULT-KEY-1").take(5).collect();
    restores(&place, &[], &letters.join(" ").to_lowercase());
    restores(&place, &[], line);
    typed(&place, "sheet", &sheet);
    restores(&place, &["sheet"], "");

    // One wrong letter, of which nothing is repeated.
    let group = letters[2].split_whitespace().nth(2).unwrap();
    let wrong = letters.join("\n").replace(group, &group.chars().rev().collect::<String>());
    let refused = run(place.keyless(&["key", "import", "--key-file", "new"]), wrong.as_bytes());
    refused.fails("mistyped", 13, "group 6 is mistyped");
    assert!(!place.path("new").exists());
    // And nothing is overwritten.
    run(place.command(&["key", "import"]), sheet.as_bytes()).fails("again", 11, "`/");
    assert_eq!(fs::read_to_string(place.path("key")).unwrap(), key);
    run(place.keyless(&["key", "import", "--key-file", "new"]), b"").fails("nothing", 13, "there is neither a key");
}

#[test]
fn shares_bring_the_key_back() {
    let place = Place::with_key();
    place.pack(&[], b"the dump");
    let told = place.ok(&["key", "export", "--shares", "3", "--threshold", "2", "-o", "shares.txt"], b"");
    assert!(told.starts_with("made shares.txt\n"), "{told}");
    assert_eq!(fs::metadata(place.path("shares.txt")).unwrap().permissions().mode() & 0o7777, 0o600);
    let sheets = fs::read_to_string(place.path("shares.txt")).unwrap();
    let sheets: Vec<&str> = sheets.split('\u{c}').collect();
    assert_eq!(sheets.len(), 3);
    for (name, sheet) in ["one", "two", "three"].into_iter().zip(&sheets) {
        assert!(sheet.contains("of 3. Any 2 of them give the key") && !sheet.contains("VAULT-KEY"), "{sheet}");
        typed(&place, name, sheet);
    }
    for pair in [["one", "two"], ["three", "one"], ["two", "three"]] {
        restores(&place, &pair, "");
    }
    let alone = run(place.keyless(&["key", "import", "--key-file", "new", "two"]), b"");
    alone.fails("one share", 2, "1 of the 2 shares that the key needs");
    let other = Place::with_key();
    let foreign = other.ok(&["key", "export", "--shares", "2", "--threshold", "2"], b"");
    typed(&place, "foreign", foreign.split('\u{c}').next().unwrap());
    let mixed = run(place.keyless(&["key", "import", "--key-file", "new", "one", "foreign"]), b"");
    mixed.fails("two keys", 12, "the shares are not all of one key");
    assert!(!place.path("new").exists());
}

#[test]
fn what_cannot_be_put_on_paper_is_said_so() {
    let place = Place::with_key();
    run(place.keyless(&["key", "export", "--paper"]), b"").fails("no key", 2, "there is no key file");
    let more = ["key", "export", "--shares", "2", "--threshold", "3"];
    run(place.command(&more), b"").fails("threshold", 2, "3 shares cannot be needed of 2");
    for arguments in [
        &["key", "export"][..],
        &["key", "export", "--shares", "3"],
        &["key", "export", "--shares", "17", "--threshold", "2"],
    ] {
        assert_eq!(run(place.command(arguments), b"").code, Some(2), "{arguments:?}");
    }
    run(place.command(&["key", "export", "--paper", "--epoch", "2"]), b"").fails("epoch", 12, "the key file `");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    let host = ["key", "export", "--paper", "--key-file", "host.key"];
    run(place.keyless(&host), b"").fails("pack-only", 12, "the key file `");
    fs::create_dir(place.store()).unwrap();
    run(place.command(&["key", "export", "--paper", "-o", "store/sheet"]), b"").fails("store", 2, "the key `");
    typed(&place, "long", &"Q".repeat(70_000));
    let long = ["key", "import", "--key-file", "new", "long"];
    run(place.keyless(&long), b"").fails("long", 19, "the sheet `");
    typed(&place, "open", "VAULT-KEY-1");
    fs::set_permissions(place.path("open"), Permissions::from_mode(0o644)).unwrap();
    run(place.keyless(&["key", "import", "--key-file", "new", "open"]), b"").fails("open", 2, "the sheet `");
    let (code, shown) = crate::terminals::on_terminal(&place, "$VAULT key export --paper --key-file key", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("refusing to write a key to the terminal") && !shown.contains("VAULT-KEY-1"), "{shown}");
}
