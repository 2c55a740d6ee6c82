//! `vault key check`: what it says, what it leaves, and how it exits.

use std::fs;

use crate::place::{Place, Ran, noise, run, with, with_passphrases};

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.out.clone()).unwrap()
}

/// A record's name.
fn records(place: &Place) -> Vec<String> {
    place.objects().into_iter().filter(|name| name.contains("-check-")).collect()
}

#[test]
fn a_key_file_is_checked_and_the_date_is_kept() {
    let place = Place::with_key();
    place.pack(&[], &noise(300_000, 1));
    place.pack(&[], &noise(310_000, 1));
    let told = place.ok(&["key", "check"], b"");
    assert_eq!(told.matches("  opens\n").count(), 2, "{told}");
    assert!(
        told.contains("2 looked at, all open") && told.contains("keys, MACs and the header of every part"),
        "{told}"
    );
    assert!(told.contains("key file last opened everything: 20"), "{told}");
    assert_eq!(records(&place).len(), 1, "{:?}", place.objects());
    let again = place.ok(&["key", "check", "--index", "--probe", "3", "--max-age", "35d"], b"");
    assert!(again.contains("0 seconds ago") || again.contains("second"), "{again}");
    assert!(again.contains(": 3 of ") && again.contains("and the index"), "{again}");
    assert_eq!(records(&place).len(), 1, "the new record takes the place of the old one");
    // Everything else goes on as if the record were not there.
    assert_eq!(place.ok(&["list"], b"").lines().count(), 3);
    assert_eq!(place.ok(&["verify", "--all", "--read-data"], b"").matches(": good").count(), 2);
    place.pack(&[], b"a third");
    assert_eq!(place.unpack("latest").out, b"a third");
}

#[test]
fn a_machine_without_a_key_sees_when_it_was_checked() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let never = run(place.keyless(&["key", "check", "--max-age", "35d"]), b"");
    assert_eq!(never.code, Some(3), "{never:?}");
    assert!(text(&never).contains("never: OVERDUE") && text(&never).contains("no key was used"), "{}", text(&never));
    place.ok(&["key", "check", &id], b"");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    for key in ["absent", "host.key"] {
        let mut command = place.keyless(&["key", "check", "--max-age", "35d"]);
        if key == "host.key" {
            command.env("VAULT_KEY_FILE", place.path(key));
        }
        let ran = run(command, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(text(&ran).contains("(unauthenticated: no key was used)"), "{}", text(&ran));
        assert!(text(&ran).contains("not opened"), "{}", text(&ran));
    }
    assert_eq!(records(&place).len(), 1, "without a key there is nothing to record");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let old = run(place.keyless(&["key", "check", "--max-age", "1s"]), b"");
    assert_eq!(old.code, Some(3), "{old:?}");
}

#[test]
fn what_would_not_open_is_17() {
    let place = with_passphrases();
    let founded = run(with(&place, "right", &["pack", "-q", "--kdf", "small"]), &noise(300_000, 1));
    let id = text(&founded).trim().to_owned();
    let opens = run(with(&place, "right", &["key", "check"]), b"");
    assert_eq!(opens.code, Some(0), "{opens:?}");
    assert!(text(&opens).contains(":opens") && text(&opens).contains("slot "), "{}", text(&opens));
    let before = records(&place);
    let wrong = run(with(&place, "wrong", &["key", "check"]), b"");
    assert_eq!(wrong.code, Some(17), "{wrong:?}");
    let told = text(&wrong);
    assert!(told.contains("FAILS") && told.contains("1 WOULD NOT OPEN"), "{told}");
    assert!(told.contains(&format!("wrong-key: none of the 1 slots of {id} opens with what was given")), "{told}");
    assert_eq!(records(&place), before, "what failed is not recorded");

    let part = place.store().join(format!("{id}-0"));
    let mut bytes = fs::read(&part).unwrap();
    bytes[230] ^= 1;
    fs::write(&part, bytes).unwrap();
    let damaged = run(with(&place, "right", &["key", "check", "--json", "--metrics-file", "vault.prom"]), b"");
    assert_eq!(damaged.code, Some(17), "{damaged:?}");
    let document = text(&damaged);
    for said in ["\"message_type\": \"key-check\"", "\"opens\": false", "\"class\": \"damaged\"", "\"opened\": true"] {
        assert!(document.contains(said), "{said} is not in {document}");
    }
    let metrics = fs::read_to_string(place.path("vault.prom")).unwrap();
    let guid = &id[..36];
    for said in [
        format!("vault_escrow_failed_backups{{guid=\"{guid}\"}} 1\n"),
        format!("vault_escrow_backups{{guid=\"{guid}\"}} 1\n"),
        "vault_escrow_verified_timestamp_seconds{".to_owned(),
    ] {
        assert!(metrics.contains(&said), "{said} is not in {metrics}");
    }
    let comments = metrics.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!((comments, metrics.lines().count()), (14, 21));
    fs::write(place.store().join(format!("{id}.json")), b"{\"format\": \"vault\"").unwrap();
    let unreadable = run(place.keyless(&["key", "check"]), b"");
    assert_eq!(unreadable.code, Some(17), "a manifest that nobody can read: {unreadable:?}");
}

#[test]
fn what_cannot_be_checked_is_said_so() {
    let place = Place::with_key();
    run(place.command(&["key", "check"]), b"").fails("no store", 10, "there is no store");
    fs::create_dir(place.store()).unwrap();
    run(place.command(&["key", "check"]), b"").fails("empty", 10, "there is no backup in ");
    place.pack(&[], b"dump");
    run(place.command(&["key", "check", "nothing"]), b"").fails("no such backup", 10, "there is no backup nothing");
    let metrics = ["key", "check", "--metrics-file", "/nowhere/vault.prom"];
    run(place.command(&metrics), b"").fails("metrics", 1, "cannot write `/nowhere/vault.prom`");
    let mut both = place.command(&["key", "check"]);
    both.env("VAULT_PASSPHRASE_FILE", place.path("passphrase"));
    run(both, b"").fails("two keys", 2, "two keys are given");

    // A store that takes nothing: the check stands, and says that nobody will know of it.
    let before = place.objects();
    let none = run(place.command(&["key", "check", "--no-record"]), b"");
    assert_eq!((none.code, place.objects()), (Some(0), before), "{none:?}");
}

#[test]
fn a_passphrase_is_asked_for_on_request_only() {
    let place = Place::with_key();
    place.pack(&[], b"dump");
    // There is a key file, so nobody is asked; and a key file is not a passphrase.
    let (code, shown) = crate::terminals::on_terminal(
        &place,
        "$VAULT key check --prompt --key-file key",
        &[("passphrase: ", "a guess\n")],
    );
    assert_eq!(code, Some(17), "{shown}");
    assert!(shown.contains("none of the 0 slots of "), "{shown}");
    assert!(!shown.contains("a guess"), "{shown}");
}
