//! What only shows at the edges: nobody reads what is told, a consumer reads too little, a tag is too long, a store has lost its manifests.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::place::{Place, VAULT, noise, run, with, with_passphrases};

const PACK: [&str; 4] = ["pack", "-q", "--kdf", "small"];

#[test]
fn a_run_works_when_nobody_can_hear_of_it() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let dump = place.command(&["unpack", &id]).stderr(full()).output().unwrap();
    assert_eq!((dump.status.code(), &dump.stdout[..]), (Some(0), &b"a dump"[..]));
    // An error keeps its exit code too.
    let absent = place.command(&["unpack", &id[..20], "--json", "-o", "/dev/null"]).stderr(full()).status().unwrap();
    assert_eq!(absent.code(), Some(2));
    for script in [r#"exec "$VAULT" unpack "$ID" 2>&-"#, r#"exec "$VAULT" unpack "$ID" --json 2>&-"#] {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env_clear().env("VAULT", VAULT).env("ID", &id);
        shell.env("VAULT_STORE", place.store()).env("VAULT_KEY_FILE", place.path("key"));
        let closed = run(shell, b"");
        assert_eq!((closed.code, &closed.out[..]), (Some(0), &b"a dump"[..]), "{script}");
    }
    let told = run(place.command(&["list"]), b"");
    assert_eq!(told.code, Some(0));
    let mut unread = place.command(&["list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = unread.stdout(writer).output().unwrap();
    assert_eq!(unread.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&unread.stderr), "");
    let nowhere = place.command(&["list"]).stdout(full()).status().unwrap();
    assert_eq!(nowhere.code(), Some(1));
}

#[test]
fn a_consumer_that_leaves_some_of_it_unread_has_failed() {
    let place = Place::with_key();
    let id = place.pack(&[], &noise(5000, 1));
    for consumer in [&["true"][..], &["head", "-c", "0"], &["sh", "-c", "exit 0"]] {
        let arguments: Vec<&str> = ["unpack", "-q", &id, "--"].iter().chain(consumer).copied().collect();
        let ran = run(place.command(&arguments), b"");
        assert_eq!(ran.code, Some(15), "{consumer:?}: {ran:?}");
    }
    let whole = run(place.command(&["unpack", "-q", &id, "--", "sh", "-c", "cat; exit 0"]), b"");
    assert_eq!((whole.code, whole.out.len()), (Some(0), 5000), "{}", whole.err);
}

#[test]
fn tags_that_no_reader_takes_are_refused_before_anything_is_read() {
    let place = Place::with_key();
    let tag = |key: usize, value: usize| format!("{}={}", "k".repeat(key), "v".repeat(value));
    let many: Vec<String> = (0..33).map(|number| format!("k{number}=v")).collect();
    let cases: [(Vec<String>, Option<&str>); 8] = [
        (vec![tag(64, 256)], None),
        (many[..32].to_vec(), None),
        (many.clone(), Some("there may be 32 tags")),
        (vec![tag(65, 1)], Some("the key of a tag has 1 to 64 bytes")),
        (vec![tag(1, 257)], Some("the value of a tag has 256 bytes at most")),
        (vec!["k=1".into(), "l=1".into(), "k=1".into()], Some("two tags have the key `k`")),
        (vec!["k=a\nb".into()], Some("a tag has no control characters")),
        (vec!["k\u{1b}=a".into()], Some("a tag has no control characters")),
    ];
    let mut refused = 0;
    for (tags, error) in cases {
        let before = place.objects();
        let mut command = place.command(&["pack", "-q"]);
        command.args(tags.iter().flat_map(|tag| ["--tag", tag]));
        command.args(["--", "sh", "-c", "echo read >read; echo dump"]);
        let ran = run(command, b"");
        match error {
            Some(error) => {
                ran.fails(error, 2, error);
                assert_eq!(place.objects(), before, "{error}");
                assert!(!place.path("read").exists(), "{error}: the dump was begun");
                refused += 1;
            }
            None => {
                assert_eq!(ran.code, Some(0), "{ran:?}");
                fs::remove_file(place.path("read")).unwrap();
            }
        }
    }
    assert_eq!(refused, 6);
}

#[test]
fn a_passphrase_founds_nothing_beside_parts_without_a_manifest() {
    let place = with_passphrases();
    let first = run(with(&place, "right", &PACK), b"a dump");
    let id = String::from_utf8(first.out).unwrap().trim().to_owned();
    fs::remove_file(place.store().join(format!("{id}.json"))).unwrap();
    let before = place.objects();
    assert!(!before.is_empty());
    let refused = run(with(&place, "right", &PACK), b"a dump");
    refused.fails("lost manifests", 12, "the store holds parts of vault's and no manifest");
    assert!(refused.err.contains("`--new-guid`") && refused.err.contains("killed first"), "{}", refused.err);
    assert_eq!(place.objects(), before);
    let anew: Vec<&str> = PACK.iter().chain(&["--new-guid"]).copied().collect();
    assert_eq!(run(with(&place, "right", &anew), b"a dump").code, Some(0));

    // What merely has such a name is nobody's.
    let other = with_passphrases();
    fs::create_dir(other.store()).unwrap();
    fs::write(other.store().join(&before[0]), b"somebody else's").unwrap();
    assert_eq!(run(with(&other, "right", &PACK), b"a dump").code, Some(0));
}

/// The first attempt under a passphrase leaves parts and no manifest when it is killed.
#[test]
fn the_parts_of_a_killed_first_attempt_are_not_taken_for_an_empty_store() {
    let place = with_passphrases();
    let arguments: Vec<&str> = PACK.iter().chain(&["--part-size", "128KiB"]).copied().collect();
    let mut child = with(&place, "right", &arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut input, &noise(8_000_000, 3));
        input
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while !place.objects().iter().any(|name| !name.starts_with('.')) {
        assert!(Instant::now() < deadline, "no part came");
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(feeder.join().unwrap());
    let refused = run(with(&place, "right", &PACK), b"a dump");
    refused.fails("a killed attempt", 12, "the store holds parts of vault's and no manifest");
}

#[test]
fn a_damaged_manifest_leaves_a_passphrase_nothing_to_open() {
    let place = with_passphrases();
    let first = run(with(&place, "right", &PACK), b"a dump");
    let id = String::from_utf8(first.out).unwrap().trim().to_owned();
    let name = place.store().join(format!("{id}.json"));
    let text = fs::read_to_string(&name).unwrap();
    fs::write(&name, text.replace("\"verdict\"", "\"verdikt\"")).unwrap();
    for arguments in [&PACK[..], &["unpack", "latest"], &["unpack", &id]] {
        let ran = run(with(&place, "right", arguments), b"a dump");
        ran.fails(arguments[0], 12, "the passphrase opens no backup");
        assert!(ran.err.contains("vault: warning: ") && ran.err.contains(&id), "{}", ran.err);
    }
    let list = run(with(&place, "right", &["list"]), b"");
    assert_eq!(list.code, Some(3), "{list:?}");
    assert!(String::from_utf8(list.out).unwrap().contains("damaged"));
}

#[test]
fn commands_that_need_no_key_do_without_one_that_does_not_fit() {
    let place = with_passphrases();
    let first = run(with(&place, "right", &PACK), b"a dump");
    let id = String::from_utf8(first.out).unwrap().trim().to_owned();
    let commands: [&[&str]; 5] =
        [&["list"], &["show", &id], &["show", "latest"], &["verify"], &["verify", "--read-data", &id]];
    for arguments in commands {
        let ran = run(with(&place, "wrong", arguments), b"");
        assert_eq!(ran.code, Some(3), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("the passphrase opens no backup"), "{arguments:?}: {}", ran.err);
        assert!(String::from_utf8(ran.out).unwrap().contains("unverified"), "{arguments:?}");
    }
    // Nor do two databases of one passphrase hinder them.
    let anew: Vec<&str> = PACK.iter().chain(&["--new-guid"]).copied().collect();
    assert_eq!(run(with(&place, "right", &anew), b"a dump").code, Some(0));
    for arguments in [&["list"][..], &["verify", "--all"]] {
        let ran = run(with(&place, "right", arguments), b"");
        assert_eq!(ran.code, Some(3), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("several databases could be meant"), "{arguments:?}: {}", ran.err);
    }
    let shown = run(with(&place, "right", &["show", &id]), b"");
    assert_eq!(shown.code, Some(0), "{shown:?}");
}

#[test]
fn a_legacy_archive_is_not_the_beginning_of_a_backup() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let legacy = &id[..47];
    assert_eq!(place.unpack(legacy).code, Some(0), "a prefix that is unique");
    fs::write(place.store().join(format!("{legacy}-0")), b"somebody else's").unwrap();
    place.unpack(legacy).fails("legacy", 10, &format!("{legacy} is a legacy archive"));
    assert_eq!(place.unpack(&id).code, Some(0));
}

#[test]
fn a_dump_is_not_written_into_the_store() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let before = place.objects();
    for output in ["store/dump.sql", "store/../store/dump.sql"] {
        run(place.command(&["unpack", &id, "-o", output]), b"").fails(output, 2, "`store/");
    }
    let mut inside = place.command(&["unpack", &id, "-o", "dump.sql"]);
    inside.current_dir(place.store());
    run(inside, b"").fails("the current directory", 2, "`dump.sql` lies inside the store");
    assert_eq!(place.objects(), before);
    // It is told which backup it is, however quiet the run.
    let told = run(place.command(&["unpack", "-q", "latest", "-o", "dump.sql"]), b"");
    assert_eq!(told.code, Some(0));
    assert!(told.err.starts_with(&format!("vault: unpacking {id} of ")), "{}", told.err);
}

#[test]
fn the_directory_of_a_new_key_is_made() {
    let place = Place::new();
    place.ok(&["key", "new", "--key-file", "etc/vault/key"], b"");
    for directory in ["etc", "etc/vault"] {
        let mode = fs::metadata(place.path(directory)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{directory}");
    }
    fs::create_dir(place.store()).unwrap();
    let inside = run(place.command(&["key", "new", "--key-file", "store/keys/key"]), b"");
    inside.fails("below the store", 2, "the key file `store/keys/key` lies inside the store");
    assert!(place.objects().is_empty());
}

#[test]
fn each_backup_is_reported_with_its_own_level() {
    let place = Place::with_key();
    place.pack(&[], b"a dump");
    place.ok(&["key", "new", "--key-file", "other"], b"");
    let other = place.pack(&["--key-file", "other"], b"a dump");
    let told = place.ok(&["verify", "--all", "--read-data", "--json"], b"");
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut levels = 0;
    for backup in report["backups"].as_array().unwrap() {
        let expected = match backup["id"] == other.as_str() {
            true => "SHA-256 of every object",
            false => "every segment, block and chunk, and the digest of the dump",
        };
        assert_eq!(backup["level"], expected);
        levels += 1;
    }
    assert_eq!(levels, 2);
}

#[test]
fn a_key_file_has_no_slot_twice() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    let first = run(with(&place, "right", &PACK), b"a dump");
    let id = String::from_utf8(first.out).unwrap().trim().to_owned();
    let manifest = fs::read_to_string(place.store().join(format!("{id}.json"))).unwrap();
    let slot = manifest.lines().find(|line| line.contains("\"type\": \"passphrase\"")).unwrap();
    let slot = format!("slot {}\n", slot.trim().trim_end_matches(','));
    let key = fs::read_to_string(place.path("key")).unwrap();
    for (times, code) in [(1, 0), (2, 13)] {
        fs::write(place.path("key"), format!("{key}{}", slot.repeat(times))).unwrap();
        assert_eq!(run(place.command(&["list"]), b"").code, Some(code), "{times}");
    }
}
