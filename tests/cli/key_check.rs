//! `vault key check` where there is more than one epoch, slot, backup or program: what it takes for the newest, and what it runs `age` on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use vault::keys::ring::Keyring;

use crate::place::{PATH, Place, Ran, run};

/// A recipient whose identity nobody has: the base point of the curve.
const NOBODYS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm";

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.out.clone()).unwrap()
}

/// What it says, when it exits as it should.
fn told(ran: Ran, code: i32) -> String {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    text(&ran)
}

fn check(place: &Place, more: &[&str]) -> Ran {
    run(place.command(&[&["key", "check"], more].concat()), b"")
}

/// Of a machine without a key.
fn keyless(place: &Place, more: &[&str]) -> Ran {
    run(place.keyless(&[&["key", "check"], more].concat()), b"")
}

fn records(place: &Place) -> usize {
    place.objects().iter().filter(|name| name.contains("-check-")).count()
}

fn fingerprint(place: &Place) -> String {
    Keyring::from_file(&fs::read(place.path("key")).unwrap()).unwrap().newest().pack.fingerprint.to_string()
}

fn private(place: &Place, name: &str, text: &[u8]) -> PathBuf {
    fs::write(place.path(name), text).unwrap();
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
    place.path(name)
}

/// The recipient of a new identity of Debian's `age-keygen`.
fn officer(place: &Place, name: &str) -> String {
    let made = Command::new("age-keygen").arg("-o").arg(place.path(name)).output();
    let made = made.unwrap_or_else(|error| panic!("Debian's package `age` is needed: {error}"));
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
    let told = String::from_utf8(made.stderr).unwrap();
    told.trim().strip_prefix("Public key: ").unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// The ids of the slots that the key file has now, in the order of it.
fn slots(place: &Place) -> Vec<String> {
    let ring = Keyring::from_file(&fs::read(place.path("key")).unwrap()).unwrap();
    ring.slots.iter().map(|slot| slot.id.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

/// Whoever holds an earlier key can pack with it for ever. That is told, and it hides nothing of the key of now.
#[test]
fn a_backup_of_an_earlier_epoch_is_never_the_newest() {
    let place = Place::with_key();
    let (old, new) = (officer(&place, "old.txt"), officer(&place, "new.txt"));
    place.ok(&["key", "add", "--recipient", &old], b"");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    place.pack(&[], b"a dump of the first epoch");
    let first = slots(&place);
    place.ok(&["key", "rotate", "--new-epoch", "--recipient", &new], b"");
    let second = slots(&place);
    let newest = place.pack(&["--allow-shrink"], b"a dump of the second epoch");
    assert!(!told(check(&place, &[]), 0).contains("newer than"));
    let mut stale = place.keyless(&["pack", "-q", "--allow-shrink"]);
    stale.env("VAULT_KEY_FILE", place.path("host.key"));
    let stale = run(stale, b"a dump of a host that kept its key");
    let on_top = text(&stale).trim().to_owned();
    assert!(on_top > newest, "{stale:?}");

    let says = format!("{on_top}, of epoch 1, is newer than every backup of epoch 2");
    let all = told(check(&place, &[]), 3);
    let opened = format!("slot {} (epoch 2) last opened", second[0]);
    for line in [&says, &opened, &format!("slot {} (epoch 1) last opened", first[0])] {
        assert!(all.contains(line.as_str()), "{line} is not in {all}");
    }
    let latest = told(check(&place, &["latest"]), 3);
    assert!(latest.contains(&format!("{newest} ")) && !latest.contains(&format!("{on_top}  ")), "{latest}");
    // The officer of the new key, as the README has it.
    let right = fingerprint(&place);
    let with = ["latest", "--identity-file", "new.txt", "--fingerprint", &right];
    let officers = told(keyless(&place, &with), 3);
    assert!(officers.contains("1 looked at, all open") && officers.contains(&says), "{officers}");
    // A machine without a key sees both, and measures the newer one.
    let watched = told(keyless(&place, &["--max-age", "35d", "--metrics-file", "m"]), 3);
    assert!(watched.contains(&opened) && watched.contains(&says), "{watched}");
    assert_eq!(watched.matches("OVERDUE").count(), 0, "the key file tried: {watched}");
    let metrics = fs::read_to_string(place.path("m")).unwrap();
    for (epoch, slot) in [(1, &first[0]), (2, &second[0])] {
        assert!(metrics.contains(&format!("epoch=\"{epoch}\",way=\"{slot}\"")), "{metrics}");
    }
}

/// Only the newest has to open for the date to be kept, so that is what it says.
#[test]
fn the_date_says_no_more_than_was_seen() {
    let place = Place::with_key();
    let old = place.pack(&[], b"a dump");
    let newest = place.pack(&[], b"another dump");
    let manifest = place.store().join(format!("{old}.json"));
    let mut bytes = fs::read(&manifest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(manifest, bytes).unwrap();
    told(check(&place, &[]), 17);
    assert_eq!(records(&place), 0, "what failed is not recorded");
    let latest = told(check(&place, &["latest", "--metrics-file", "m"]), 0);
    assert!(latest.contains(&newest), "{latest}");
    assert!(latest.contains("key file last opened the newest backup: 20"), "{latest}");
    assert_eq!(records(&place), 1);
    let metrics = fs::read_to_string(place.path("m")).unwrap();
    assert!(metrics.contains("last opened the newest backup") && !metrics.contains("every backup;"), "{metrics}");
}

/// What is asked about one backup is the age of the newest one's ways all the same.
#[test]
fn an_old_backup_has_no_age_of_its_own() {
    let place = Place::with_key();
    let old = place.pack(&[], b"a dump");
    place.pack(&[], b"another dump");
    let never = told(keyless(&place, &[&old, "--max-age", "35d"]), 3);
    assert!(never.contains("never: OVERDUE"), "{never}");
    told(check(&place, &[&old, "--max-age", "35d"]), 3);
    assert_eq!(records(&place), 0, "the newest was not opened");
    told(check(&place, &[]), 0);
    let known = told(check(&place, &[&old, "--max-age", "35d"]), 0);
    assert!(!known.contains("unauthenticated"), "{known}");
    assert!(told(keyless(&place, &[&old, "--max-age", "35d"]), 0).contains("unauthenticated"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    told(check(&place, &[&old, "--max-age", "1s"]), 3);
}

/// A slot that is gone from the key file, and not from the backups, opens them; one that was added hurts nobody.
#[test]
fn a_removed_slot_is_told_until_no_backup_has_it() {
    let place = Place::with_key();
    let recipients = [officer(&place, "a.txt"), officer(&place, "b.txt")];
    place.pack(&[], b"a dump without a slot");
    place.ok(&["key", "add", "--recipient", &recipients[0]], b"");
    let added = told(check(&place, &[]), 0);
    assert!(added.contains("1 of 1 backups has slots of an earlier generation"), "{added}");
    assert!(!added.contains("removed"), "{added}");
    place.ok(&["key", "add", "--recipient", &recipients[1], "--rewrap"], b"");
    place.pack(&[], b"another dump");
    let gone = slots(&place).remove(0);
    place.ok(&["key", "remove", &gone], b"");
    let says = format!("slot {gone} was removed, and 2 backups have it still: `vault key rewrap`");
    let told_of = told(check(&place, &[]), 3);
    assert!(told_of.contains(&says), "{told_of}");
    assert!(told(check(&place, &["--json"]), 3).contains(&format!("\"removed_slots\": [\n        \"{gone}\"")));
    place.ok(&["key", "rewrap"], b"");
    assert!(!told(check(&place, &[]), 0).contains("removed"));
}

/// `age` asks a person for a passphrase, or to touch something: once for a slot, and never for one that cannot be of its identity.
#[test]
fn age_is_run_once_for_what_vault_does_not_know() {
    let place = Place::with_key();
    let ssh = include_str!("../../testdata/age/ssh-ed25519.pub").trim();
    private(&place, "ssh", include_bytes!("../../testdata/age/ssh-ed25519"));
    fs::create_dir(place.path("bin")).unwrap();
    let script = format!("#!/bin/sh\necho run >> {}\nexec /usr/bin/age \"$@\"\n", place.path("runs").display());
    fs::write(place.path("bin/age"), script).unwrap();
    fs::set_permissions(place.path("bin/age"), Permissions::from_mode(0o755)).unwrap();
    let right = fingerprint(&place);
    let check = |runs: usize| {
        let _ = fs::remove_file(place.path("runs"));
        let mut command = place.keyless(&["key", "check", "--identity-file", "ssh", "--fingerprint", &right]);
        command.env("PATH", format!("{}:{PATH}", place.path("bin").display()));
        let ran = run(command, b"");
        let all = told(Ran { code: ran.code, out: ran.out.clone(), err: ran.err.clone() }, 0);
        assert!(all.contains("all open") && !all.contains("failed"), "{all}");
        let log = fs::read_to_string(place.path("runs")).unwrap();
        assert_eq!(log.lines().count(), runs, "{all}\n{}", ran.err);
        ran.err
    };
    place.ok(&["key", "add", "--recipient", &officer(&place, "another")], b"");
    place.ok(&["key", "add", "--recipient", ssh], b"");
    for day in 0..3 {
        place.pack(&[], format!("a dump of day {day}").as_bytes());
    }
    assert_eq!(check(1), "", "nothing for a person to see");
    // Only `age` can tell that it is not this one's.
    place.ok(&["key", "add", "--recipient", NOBODYS, "--rewrap"], b"");
    assert_eq!(slots(&place).len(), 3);
    check(2);
}
