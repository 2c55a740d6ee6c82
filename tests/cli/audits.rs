//! `vault key check`: what it says, what it leaves, and how it exits.

use std::fs;

use vault::base::id::{Guid, check_record_name};
use vault::format::check_record::{CheckRecord, Way};
use vault::format::manifest::Manifest;
use vault::keys::ring::Keyring;

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
    assert_eq!(told.matches(": no slots, only a key file opens this").count(), 2, "{told}");
    assert!(
        told.contains("2 looked at, all open") && told.contains("keys, MACs and the header of every part"),
        "{told}"
    );
    assert!(told.contains("key file last opened the newest backup: 20"), "{told}");
    assert_eq!(records(&place).len(), 1, "{:?}", place.objects());
    let again = place.ok(&["key", "check", "--index", "--probe", "3", "--max-age", "35d"], b"");
    assert!(again.contains("0 seconds ago") || again.contains("second"), "{again}");
    assert!(again.contains(": 3 of ") && again.contains("and the index"), "{again}");
    assert_eq!(records(&place).len(), 1, "the new record takes the place of the old one");
    // Everything else goes on as if the record were not there.
    assert_eq!(place.ok(&["list"], b"").lines().count(), 3);
    assert_eq!(place.ok(&["verify", "--all", "--read-data"], b"").matches(": good").count(), 2);
    place.pack(&["--allow-shrink"], b"a third");
    assert_eq!(place.unpack("latest").out, b"a third");
}

/// What is said to have been read, against what there is to read: manifests, headers of parts, records.
#[test]
fn all_that_was_read_is_told() {
    let place = Place::with_key();
    place.pack(&[], &noise(300_000, 1));
    place.pack(&[], &noise(310_000, 1));
    let size = |name: &str| fs::metadata(place.store().join(name)).unwrap().len();
    let record = || records(&place).first().map_or(0, |name| size(name));
    let mut looked = 0;
    for (key, arguments) in [("keyless", &["--metrics-file", "m"][..]), ("key", &["--metrics-file", "m"]), ("key", &[])]
    {
        let arguments = [&["key", "check", "--json"], arguments].concat();
        let before = record();
        let ran = run(if key == "key" { place.command(&arguments) } else { place.keyless(&arguments) }, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        let mut all = 0;
        for backup in told["backups"].as_array().unwrap() {
            // Whose it is, is asked first; then it is audited.
            let manifest = 2 * size(&format!("{}.json", backup["id"].as_str().unwrap()));
            let read = manifest + 256 * backup["headers"].as_u64().unwrap();
            assert_eq!(backup["bytes_read"].as_u64(), Some(read), "{backup}");
            all += read;
        }
        // The new record is read back.
        all += before + if key == "key" { record() } else { 0 };
        assert_eq!((&told["bytes_read"], &told["databases"][0]["bytes_read"]), (&all.into(), &all.into()));
        if arguments.contains(&"m") {
            let metrics = fs::read_to_string(place.path("m")).unwrap();
            assert!(
                metrics.contains(&format!(
                    "vault_escrow_read_bytes{{guid=\"{}\"}} {all}\n",
                    told["databases"][0]["guid"].as_str().unwrap()
                )),
                "{metrics}"
            );
        }
        looked += 1;
    }
    assert_eq!((looked, record() > 0), (3, true));
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
        assert!(text(&ran).contains("(unauthenticated: no key vouches for it)"), "{}", text(&ran));
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
        ",authenticated=\"0\"} 1".to_owned(),
    ] {
        assert!(metrics.contains(&said), "{said} is not in {metrics}");
    }
    let comments = metrics.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!((comments, metrics.lines().count()), (16, 24));
    fs::write(place.store().join(format!("{id}.json")), b"{\"format\": \"vault\"").unwrap();
    let unreadable = run(place.keyless(&["key", "check"]), b"");
    assert_eq!(unreadable.code, Some(17), "a manifest that nobody can read: {unreadable:?}");
}

#[test]
fn what_cannot_be_checked_is_said_so() {
    let place = Place::with_key();
    run(place.command(&["key", "check"]), b"").fails("no store", 10, "there is no store");
    fs::create_dir(place.store()).unwrap();
    run(place.command(&["key", "check"]), b"").fails("empty", 10, "there is no backup of ");
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

/// What a store says that nobody vouches for, and what a clock that is wrong leaves: a time to come never gets overdue.
#[test]
fn a_time_to_come_is_overdue() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let guid: Guid = id[..36].parse().unwrap();
    let ring = Keyring::from_file(&fs::read(place.path("key")).unwrap()).unwrap();
    let keys = ring.newest();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let put = |time: u64| {
        records(&place).iter().for_each(|name| fs::remove_file(place.store().join(name)).unwrap());
        let opened = [(Way::KeyFile, time)].into();
        let record = CheckRecord { guid, timestamp: time, epoch: 1, fingerprint: keys.pack.fingerprint.0, opened };
        let body = record.encode();
        let text = Manifest::with_mac(&body, &keys.check_mac(body.as_bytes()));
        fs::write(place.store().join(check_record_name(&guid, time)), text).unwrap();
    };
    let check = |more: &[&str]| run(place.keyless(&[&["key", "check"], more].concat()), b"");
    put(now + 3_600_000);
    assert_eq!(check(&["--max-age", "1d"]).code, Some(0), "an hour ahead");
    put(now + 30 * 86_400_000);
    let ahead = check(&["--metrics-file", "vault.prom"]);
    assert_eq!(ahead.code, Some(3), "{ahead:?}");
    assert!(text(&ahead).contains("(that is yet to come, and says nothing): OVERDUE"), "{}", text(&ahead));
    let metrics = fs::read_to_string(place.path("vault.prom")).unwrap();
    assert!(metrics.contains("way=\"key-file\",authenticated=\"0\"} 0\n"), "{metrics}");
    // The next check that opens everything says when that was.
    assert_eq!(run(place.command(&["key", "check", "--max-age", "1d"]), b"").code, Some(0));
    assert_eq!(check(&["--max-age", "1d"]).code, Some(0));
}

/// A slot was removed from the key file, and from no backup.
#[test]
fn backups_below_the_key_file_are_told() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    place.pack(&[], b"a dump");
    let add = ["key", "add", "--passphrase", "--kdf", "small", "--passphrase-file", "right"];
    place.ok(&add, b"");
    let told = place.ok(&["key", "check", "--metrics-file", "vault.prom"], b"");
    assert!(told.contains("1 of 2"), "{told}");
    let metrics = fs::read_to_string(place.path("vault.prom")).unwrap();
    assert!(metrics.contains("vault_escrow_old_slots_backups{") && metrics.contains("\"} 1\n"), "{metrics}");
    let old = metrics.lines().find(|line| line.starts_with("vault_escrow_old_slots_backups{")).unwrap();
    assert!(old.ends_with(" 1"), "{old}");
    assert!(metrics.contains(",way=\"key-file\",authenticated=\"1\"} 1"), "a key vouches for it: {metrics}");
}

#[test]
fn a_key_file_is_checked_against_its_own_database() {
    let place = Place::with_key();
    let own = place.pack(&[], b"a dump");
    let mut another = place.keyless(&["key", "new"]);
    another.env("VAULT_KEY_FILE", place.path("another"));
    assert_eq!(run(another, b"").code, Some(0));
    let mut pack = place.keyless(&["pack", "-q"]);
    pack.env("VAULT_KEY_FILE", place.path("another"));
    let theirs = text(&run(pack, b"another database"));
    let theirs = theirs.trim();
    let told = place.ok(&["key", "check"], b"");
    assert!(told.contains(&own) && !told.contains(theirs) && told.contains("1 looked at, all open"), "{told}");
    let named = run(place.command(&["key", "check", theirs]), b"");
    assert_eq!(named.code, Some(17), "{named:?}");
    assert!(text(&named).contains("1 WOULD NOT OPEN"), "{}", text(&named));
    let guid = run(place.command(&["key", "check", "--guid", &theirs[..36]]), b"");
    assert_eq!(guid.code, Some(17), "{guid:?}");
    let none = text(&run(place.keyless(&["key", "check"]), b""));
    assert!(none.contains("2 looked at, nothing was opened"), "{none}");
    for name in place.objects().iter().filter(|name| name.starts_with(&own[..36])) {
        fs::remove_file(place.store().join(name)).unwrap();
    }
    let none = run(place.command(&["key", "check"]), b"");
    none.fails("none of its own", 10, &format!("there is no backup of {}", &own[..36]));
    assert!(none.err.contains(&format!("; the store holds those of {} (key ", &theirs[..36])), "{}", none.err);
}
