//! Passphrases: how a guid is begun with one, found again, and never begun twice by mistake.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::place::{PATH, Place, Ran, VAULT, run, with, with_passphrases};

fn pack(place: &Place, word: &str, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["pack", "-q", "--kdf", "small"].iter().chain(more).copied().collect();
    run(with(place, word, &arguments), b"a dump")
}

fn id(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    String::from_utf8(ran.out.clone()).unwrap().trim().to_owned()
}

#[test]
fn a_passphrase_begins_a_guid_once_and_opens_it_again() {
    let place = with_passphrases();
    let first = id(&pack(&place, "right", &[]));
    let second = id(&pack(&place, "right", &[]));
    assert_eq!(first[..36], second[..36], "another guid was begun");
    let slots = |id: &str| {
        let text = fs::read_to_string(place.store().join(format!("{id}.json"))).unwrap();
        let line = text.lines().find(|line| line.contains("\"type\": \"passphrase\"")).unwrap().to_owned();
        assert!(line.contains("\"m\": 65536"), "{line}");
        line
    };
    assert_eq!(slots(&first), slots(&second), "the slot is not copied");
    assert_eq!(run(with(&place, "right", &["unpack", "latest"]), b"").out, b"a dump");

    // The same from a command, and from a service's credentials.
    let command = format!("cat {}", place.path("right").display());
    let ran = run(place.keyless(&["unpack", "latest", "--passphrase-command", &command]), b"");
    assert_eq!(ran.out, b"a dump", "{ran:?}");
    fs::create_dir(place.path("credentials")).unwrap();
    fs::copy(place.path("right"), place.path("credentials/vault.passphrase")).unwrap();
    let mut service = place.keyless(&["unpack", "latest"]);
    service.env("CREDENTIALS_DIRECTORY", place.path("credentials"));
    assert_eq!(run(service, b"").out, b"a dump");
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_begins_nothing() {
    let place = with_passphrases();
    let right = id(&pack(&place, "right", &[]));
    let before = place.objects();
    let opens_nothing = "the passphrase opens no backup";
    pack(&place, "wrong", &[]).fails("pack", 12, opens_nothing);
    run(with(&place, "wrong", &["unpack", "latest"]), b"").fails("unpack", 12, opens_nothing);
    run(with(&place, "wrong", &["unpack", &right]), b"").fails("unpack of an id", 12, opens_nothing);
    assert_eq!(place.objects(), before, "something was written");

    // On request a second guid; each passphrase finds its own.
    let other = id(&pack(&place, "wrong", &["--new-guid"]));
    assert_ne!(right[..36], other[..36]);
    assert_eq!(id(&pack(&place, "right", &[]))[..36], right[..36]);
    let elsewhere = run(with(&place, "wrong", &["unpack", &right]), b"");
    elsewhere.fails("the other guid's backup", 12, opens_nothing);

    // One passphrase for two guids: only a person can choose.
    let third = id(&pack(&place, "right", &["--new-guid"]));
    let which = pack(&place, "right", &[]);
    which.fails("two guids", 2, "several databases could be meant");
    assert!(which.err.contains(&right[..36]) && which.err.contains(&third[..36]), "{which:?}");
    assert_eq!(id(&pack(&place, "right", &["--guid", &third[..36]]))[..36], third[..36]);
    let absent = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd";
    pack(&place, "right", &["--guid", absent]).fails("a guid that is not there", 10, "there is no backup of");
}

#[test]
fn a_passphrase_does_not_take_over_a_store_of_key_files() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    place.pack(&[], b"dump");
    let before = place.objects();
    pack(&place, "right", &[]).fails("no slot", 12, "no backup in the store can be opened with a passphrase");
    assert_eq!(place.objects(), before);
    let mut both = place.command(&["pack", "--new-guid"]);
    both.env("VAULT_STORE", place.store());
    run(both, b"dump").fails("--new-guid with a key file", 2, "a key file has its guid already");
}

#[test]
fn a_passphrase_that_cannot_be_had_is_said_so() {
    let place = with_passphrases();
    fs::write(place.path("empty"), "\n").unwrap();
    fs::write(place.path("long"), "x".repeat(1025)).unwrap();
    fs::write(place.path("exposed"), "word").unwrap();
    for (name, mode) in [("empty", 0o600), ("long", 0o600), ("exposed", 0o644)] {
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
    }
    let files = [
        ("empty", 2, "a passphrase has 1 to 1024 bytes"),
        ("long", 2, "a passphrase has 1 to 1024 bytes"),
        ("exposed", 2, "the passphrase file `"),
        ("absent", 2, "cannot read the passphrase file `"),
    ];
    let mut tried = 0;
    for (name, code, error) in files {
        pack(&place, name, &[]).fails(name, code, error);
        tried += 1;
    }
    for command in ["exit 3", "no-such-program-anywhere", "kill -9 $$"] {
        let ran = run(place.keyless(&["pack", "--passphrase-command", command]), b"dump");
        ran.fails(command, 1, "the passphrase command failed");
        tried += 1;
    }
    assert_eq!(tried, 7);
    assert!(place.objects().is_empty());
}

#[test]
fn a_slot_that_demands_a_tebibyte_is_refused_at_once() {
    let place = with_passphrases();
    let id = id(&pack(&place, "right", &[]));
    let name = place.store().join(format!("{id}.json"));
    let text = fs::read_to_string(&name).unwrap();
    fs::write(&name, text.replace("\"m\": 65536", "\"m\": 1073741824")).unwrap();
    let began = Instant::now();
    let ran = run(with(&place, "right", &["unpack", "latest"]), b"");
    ran.fails("1 TiB", 19, "`");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
}

/// A slot of a manifest that does not authenticate is not copied into new backups, whoever added it.
#[test]
fn slots_come_from_authentic_manifests_only() {
    let place = with_passphrases();
    let id = id(&pack(&place, "right", &[]));
    let name = place.store().join(format!("{id}.json"));
    let text = fs::read_to_string(&name).unwrap();
    fs::write(&name, text.replace("\"verdict\": \"unchecked\"", "\"verdict\": \"complete\"")).unwrap();
    pack(&place, "right", &[]).fails("forged", 13, &format!("the manifest of {id} does not authenticate"));
}

#[test]
fn a_passphrase_is_in_no_command_line_and_no_environment() {
    let place = with_passphrases();
    let command = format!("cat {}", place.path("right").display());
    let mut packing = place.keyless(&["pack", "--kdf", "small", "--passphrase-command", &command]);
    packing.args(["--", "sh", "-c", "echo begun > begun; exec sleep 5"]);
    let mut packing = packing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !place.path("begun").exists() {
        sleep(Duration::from_millis(10));
    }
    let mut looked = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let Ok(text) = fs::read(process.path().join(file)) else {
                continue;
            };
            looked += 1;
            assert!(!text.windows(11).any(|window| window == b"right horse"), "{process:?} shows it");
        }
    }
    assert!(looked >= 4, "only {looked} processes were looked at");
    packing.kill().unwrap();
    packing.wait().unwrap();
}

#[test]
fn memory_that_is_not_there_is_not_taken() {
    let place = with_passphrases();
    let id = id(&run(with(&place, "right", &["pack", "-q"]), b"a dump"));
    let limited = |arguments: &str| {
        let script = format!("ulimit -v 250000; exec {VAULT} {arguments} --passphrase-file right");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env_clear().env("PATH", PATH).env("HOME", place.path("home"));
        run(
            {
                shell.env("VAULT_STORE", place.store()).current_dir(place.dir.path());
                shell
            },
            b"a dump",
        )
    };
    let needs = "a guess of this passphrase needs 256 MiB of memory, and ";
    limited(&format!("unpack {id}")).fails("unpack", 1, needs);
    limited("pack --new-guid").fails("a new guid", 1, needs);
    limited("pack --new-guid --kdf max").fails("a new guid", 1, "a guess of this passphrase needs 2048 MiB");
    assert_eq!(place.objects().len(), 4, "something was written");
}
