//! A key on paper and in shares, and back to a key file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::place::{Place, names, run};

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

/// Runs a program of a Debian package on files of the place.
fn run_of(place: &Place, package: &str, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(place.dir.path()).output();
    let output = output.unwrap_or_else(|error| panic!("Debian's package `{package}` is needed: {program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a camera reads from a picture: each code as a line.
fn scanned(place: &Place, picture: &str) -> String {
    run_of(place, "zbar-tools", "zbarimg", &["--quiet", "--raw", picture])
}

/// A picture of the code that is printed on a sheet: ink is black, and so many pixels wide is half a letter's height.
fn photograph(place: &Place, name: &str, sheet: &str) {
    const PIXELS: usize = 6;
    let drawn =
        |line: &&str| !line.is_empty() && line.chars().all(|letter| " \u{2580}\u{2584}\u{2588}".contains(letter));
    let rows: Vec<Vec<char>> = sheet.lines().filter(drawn).map(|line| line.chars().collect()).collect();
    let width = rows.iter().map(Vec::len).max().unwrap();
    assert!(width > 30 && rows.len() > 15, "{width} letters, {} lines", rows.len());
    let mut picture = format!("P2\n{} {}\n1\n", width * PIXELS, 2 * rows.len() * PIXELS);
    for row in &rows {
        for inked in ['\u{2580}', '\u{2584}'] {
            let ink = |at| row.get(at).is_some_and(|letter| *letter == '\u{2588}' || *letter == inked);
            let line: String = (0..width * PIXELS).map(|at| if ink(at / PIXELS) { "0 " } else { "1 " }).collect();
            picture.push_str(&format!("{line}\n").repeat(PIXELS));
        }
    }
    fs::write(place.path(name), picture).unwrap();
}

/// The code on the sheet and the one for a page of its own, read by a program that knows nothing of vault.
#[test]
fn a_camera_reads_the_code() {
    let place = Place::with_key();
    place.pack(&[], b"the dump");
    let sheet = place.ok(&["key", "export", "--paper", "--svg", "code.svg"], b"");
    let key = fs::read_to_string(place.path("key")).unwrap();
    let line = key.lines().find(|line| line.starts_with("VAULT-KEY-1")).unwrap();
    photograph(&place, "sheet.pgm", &sheet);
    assert_eq!(scanned(&place, "sheet.pgm").trim(), line);
    run_of(&place, "librsvg2-bin", "rsvg-convert", &["code.svg", "-o", "code.png"]);
    assert_eq!(scanned(&place, "code.png").trim(), line);

    let sheets = place.ok(&["key", "export", "--shares", "3", "--threshold", "2"], b"");
    let read = |sheet: &str| {
        photograph(&place, "share.pgm", sheet);
        scanned(&place, "share.pgm")
    };
    let shares: Vec<String> = sheets.split('\u{c}').map(read).collect();
    assert!(shares.len() == 3 && shares.iter().all(|share| share.starts_with("VAULT-SHARE-1")), "{shares:?}");
    restores(&place, &[], &shares[1..].concat());
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
    run(place.keyless(&["key", "export", "--paper"]), b"").fails("no key", 2, "there is no key");
    let more = ["key", "export", "--shares", "2", "--threshold", "3"];
    run(place.command(&more), b"").fails("threshold", 2, "3 shares cannot be needed of 2");
    for arguments in [
        &["key", "export"][..],
        &["key", "export", "--epoch", "1"],
        &["key", "export", "-o", "sheet"],
        &["key", "export", "--svg", "code.svg"],
        &["key", "export", "--shares", "3"],
        &["key", "export", "--shares", "17", "--threshold", "2"],
    ] {
        let ran = run(place.command(arguments), b"");
        assert!(ran.code == Some(2) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(names(place.dir.path()), ["key"], "something was exported that nobody asked for");
    run(place.command(&["key", "export", "--paper", "--epoch", "2"]), b"").fails("epoch", 12, "the key file `");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    let host = ["key", "export", "--paper", "--key-file", "host.key"];
    run(place.keyless(&host), b"").fails("pack-only", 12, "the key file `");
    fs::create_dir(place.store()).unwrap();
    run(place.command(&["key", "export", "--paper", "-o", "store/sheet"]), b"").fails("store", 2, "the key `");
    typed(&place, "long", &"Q".repeat(70_000));
    let long = ["key", "import", "--key-file", "new", "long"];
    run(place.keyless(&long), b"").fails("long", 19, "the sheet `");
    let piped = run(place.keyless(&["key", "import", "--key-file", "new"]), "# a comment\n".repeat(6000).as_bytes());
    piped.fails("long", 19, "what is typed is more text than a key has on paper");
    typed(&place, "open", "VAULT-KEY-1");
    fs::set_permissions(place.path("open"), Permissions::from_mode(0o644)).unwrap();
    run(place.keyless(&["key", "import", "--key-file", "new", "open"]), b"").fails("open", 2, "the sheet `");
    let (code, shown) = crate::terminals::on_terminal(&place, "$VAULT key export --paper --key-file key", &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("refusing to write a key to the terminal") && !shown.contains("VAULT-KEY-1"), "{shown}");
}

/// The code is the key: none may lie about that nobody was told of.
#[test]
fn a_refused_export_leaves_no_code_behind() {
    let place = Place::with_key();
    typed(&place, "sheet", "an earlier one");
    fs::create_dir(place.store()).unwrap();
    let export = ["key", "export", "--paper", "--svg", "code.svg"];
    let to = |more: &[&str]| run(place.command(&[&export[..], more].concat()), b"");
    let refused = to(&["-o", "sheet"]);
    refused.fails("the sheet exists", 11, "`sheet` exists already");
    assert!(!refused.err.contains("--force"), "nothing replaces a sheet: {}", refused.err);
    to(&["-o", "code.svg"]).fails("both in one", 11, "`code.svg` exists already");
    to(&["-o", "store/sheet"]).fails("store", 2, "the key `");
    to(&["-o", "no/sheet"]).fails("no directory", 1, "cannot write `no/sheet`: ");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(&export).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let shell = "$VAULT key export --paper --svg code.svg --key-file key";
    let (code, shown) = crate::terminals::on_terminal(&place, shell, &[]);
    assert!(code == Some(2) && shown.contains("refusing to write a key"), "{shown}");
    assert!(!place.path("code.svg").exists(), "the key is left in code.svg");
    // And the other way round.
    let taken = run(place.command(&["key", "export", "--paper", "--svg", "sheet", "-o", "new"]), b"");
    taken.fails("the code exists", 11, "`sheet` exists already");
    assert!(!place.path("new").exists() && fs::read(place.path("sheet")).unwrap() == b"an earlier one");
}

/// A database that was begun with a passphrase, or of which an identity is left, gets a key file; and what is not in it is said.
#[test]
fn what_opens_a_slot_gives_a_key_file() {
    let place = crate::place::with_passphrases();
    let right = |arguments: &[&str]| crate::place::with(&place, "right", arguments);
    let export = ["key", "export", "--as-file", "-o", "kept"];
    fs::create_dir(place.store()).unwrap();
    run(right(&export), b"").fails("nothing to open", 12, "no backup in the store can be opened with a passphrase");
    let founded = run(right(&["pack", "-q", "--kdf", "small"]), b"the dump");
    assert_eq!(founded.code, Some(0), "{founded:?}");
    run(crate::place::with(&place, "wrong", &export), b"").fails("wrong", 12, "the passphrase opens no backup");
    let another = "0".repeat(32);
    let wrong = [&export[..], &["--fingerprint", &another]].concat();
    run(right(&wrong), b"").fails("another key", 12, "the key is ");
    run(right(&[&export[..], &["--epoch", "2"]].concat()), b"").fails("another epoch", 12, "");
    assert!(!place.path("kept").exists());
    let made = run(right(&export), b"");
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(fs::metadata(place.path("kept")).unwrap().permissions().mode() & 0o7777, 0o600);
    let kept = |arguments: &[&str]| run(place.keyless(&[arguments, &["--key-file", "kept"]].concat()), b"");
    assert_eq!(kept(&["unpack", "-q", "latest"]).out, b"the dump");
    let packed = run(place.keyless(&["pack", "-q", "--key-file", "kept"]), b"the next dump");
    assert_eq!(packed.code, Some(0), "{packed:?}");
    assert_eq!(run(right(&["unpack", "-q", "latest"]), b"").out, b"the next dump", "the slot is in the file");
    let sheet = run(right(&["key", "export", "--paper"]), b"");
    assert_eq!(sheet.code, Some(0), "{sheet:?}");
    restores_next(&place, std::str::from_utf8(&sheet.out).unwrap());

    let rotate = ["key", "rotate", "--new-epoch", "--passphrase", "--kdf", "small", "--passphrase-file", "wrong"];
    assert_eq!(kept(&rotate).code, Some(0));
    let newest = kept(&["key", "export", "--paper"]);
    assert!(newest.err.contains("this is the key of epoch 2 alone") && newest.err.contains("too: 1"), "{}", newest.err);
    several_epochs(&place);
    let first = kept(&["key", "export", "--as-file", "--epoch", "1", "-o", "first"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let text = fs::read_to_string(place.path("first")).unwrap();
    assert!(
        text.contains("# epoch: 1\n") && !text.contains("\nslot "),
        "the slots of epoch 2 are beside the key of epoch 1"
    );
    assert_eq!(run(place.keyless(&["key", "export", "--paper", "--as-file"]), b"").code, Some(2));
}

/// The key file `kept` has two epochs, of which there are backups of the first.
fn several_epochs(place: &Place) {
    let kept = |arguments: &[&str]| {
        let ran = run(place.keyless(&[&["key", "export", "--key-file", "kept"], arguments].concat()), b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        String::from_utf8(ran.out).unwrap()
    };
    // Each sheet is of one epoch, and says which ones it is not of.
    let (newest, first) = (kept(&["--paper"]), kept(&["--paper", "--epoch", "1"]));
    assert!(newest.contains("# epoch        2; backups of epoch 1 need sheets of their own\n"), "{newest}");
    assert!(first.contains("# epoch        1; backups of epoch 2 need sheets of their own\n"), "{first}");
    let shares = kept(&["--shares", "2", "--threshold", "2"]);
    assert_eq!(shares.matches("; backups of epoch 1 need sheets of their own\n").count(), 2, "{shares}");
    let told = |arguments: &[&str]| serde_json::from_str::<serde_json::Value>(&kept(arguments)).unwrap();
    let paper = told(&["--paper", "--json", "-o", "sheet"]);
    assert_eq!((&paper["epochs"][0]["epoch"], &paper["epochs_not_exported"]), (&2.into(), &[1].into()));
    // Both sheets give the key file back.
    let both = run(place.keyless(&["key", "import", "--key-file", "both"]), (newest + &first).as_bytes());
    assert_eq!(both.code, Some(0), "{both:?}");
    // A key file holds all of them.
    let file = told(&["--as-file", "--json", "-o", "all"]);
    assert_eq!((file["epochs"].as_array().unwrap().len(), &file["epochs_not_exported"]), (2, &[(); 0].into()));
    assert_eq!(fs::read_to_string(place.path("all")).unwrap().matches("\nslot ").count(), 1);
    for key_file in ["both", "all"] {
        let packed = run(place.keyless(&["pack", "-q", "--key-file", key_file]), b"a dump of epoch 2");
        let id = String::from_utf8(packed.out).unwrap();
        assert_eq!(
            run(place.keyless(&["unpack", "-q", id.trim(), "--key-file", key_file]), b"").out,
            b"a dump of epoch 2"
        );
        let list = run(place.keyless(&["list", "--json", "--key-file", key_file]), b"");
        let list = String::from_utf8(list.out).unwrap();
        assert!(list.contains("\"epoch\": 1"), "{list}");
        let checked = run(place.keyless(&["key", "check", "--key-file", key_file, "--no-record"]), b"");
        assert_eq!(checked.code, Some(0), "the backups of both epochs open: {checked:?}");
    }
}

fn restores_next(place: &Place, sheet: &str) {
    let made = run(place.keyless(&["key", "import", "--key-file", "from-paper"]), sheet.as_bytes());
    assert_eq!(made.code, Some(0), "{made:?}");
    let back = run(place.keyless(&["unpack", "-q", "latest", "--key-file", "from-paper"]), b"");
    assert_eq!(back.out, b"the next dump", "{back:?}");
}

/// Whoever sits at a terminal and sees nothing happen.
#[test]
fn a_terminal_says_what_to_type() {
    let place = Place::with_key();
    let sheet = place.ok(&["key", "export", "--paper"], b"");
    let letters: Vec<&str> = sheet.lines().skip_while(|line| *line != "VAULT-KEY-1").take(5).collect();
    let typed = format!("{}\n\u{4}", letters.join("\n"));
    let (code, shown) =
        crate::terminals::on_terminal(&place, "$VAULT key import --key-file new", &[("then Enter and Ctrl-D", &typed)]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("type the groups from the sheet"), "{shown}");
}
