//! A host that holds a pack-only key: what works there, and what does not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::parts::dump;
use crate::place::{Place, noise, run};

/// A place whose host has `host.key`, made from `key`.
fn with_host() -> Place {
    let place = Place::with_key();
    let told = place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    assert!(told.contains("fingerprint  ") && !told.contains("VAULT-PACK-1"), "{told}");
    place
}

/// `vault` with the host's key.
fn on_host(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.keyless(arguments);
    command.env("VAULT_KEY_FILE", place.path("host.key"));
    command
}

#[test]
fn a_host_packs_lists_and_verifies_digests() {
    let place = with_host();
    let dump = noise(1 << 20, 1);
    place.pack(&[], &dump);
    let packed = run(on_host(&place, &["pack", "--json"]), &[&dump[..], b"more"].concat());
    assert_eq!(packed.code, Some(0), "{packed:?}");
    let summary = String::from_utf8(packed.out).unwrap();
    assert!(summary.contains("\"seq\": 2"), "{summary}");
    assert!(fs::metadata(place.store()).unwrap().is_dir());
    let stored: u64 = place.objects().iter().map(|name| fs::metadata(place.store().join(name)).unwrap().len()).sum();
    assert!(stored < (3 << 20) / 2, "{stored} bytes: the second backup was stored whole");

    let list = run(on_host(&place, &["list"]), b"");
    let table = String::from_utf8(list.out).unwrap();
    assert_eq!((list.code, table.matches("unverified").count()), (Some(0), 2), "{table}");
    let honest = "vault: a pack-only key opens no manifest: manifests are read and not verified";
    assert!(list.err.contains(honest), "{}", list.err);
    let show = run(on_host(&place, &["show", "latest"]), b"");
    assert_eq!(show.code, Some(0), "{show:?}");
    assert!(String::from_utf8(show.out).unwrap().contains("manifest    unverified"));
    let verified = run(on_host(&place, &["verify", "--all", "--read-data"]), b"");
    let told = String::from_utf8(verified.out).unwrap();
    assert_eq!(verified.code, Some(0), "{told}{}", verified.err);
    assert!(told.starts_with("level: SHA-256 of every object\n") && told.contains("manifest unverified"), "{told}");
    assert!(verified.err.contains(honest), "{}", verified.err);

    assert_eq!(place.unpack("latest").out, [&dump[..], b"more"].concat(), "the full key opens what the host packed");
}

const X25519: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

#[test]
fn a_host_reads_nothing() {
    let place = with_host();
    let theirs = place.pack(&[], dump(&[1, 2, 3]).as_bytes());
    let own = run(on_host(&place, &["pack", "-q"]), dump(&[1, 2, 3, 4]).as_bytes());
    let own = String::from_utf8(own.out).unwrap().trim().to_owned();
    let before = place.objects();
    let mut tried = 0;
    for arguments in [
        ["unpack", &own].as_slice(),
        &["unpack", &theirs],
        &["unpack", "latest"],
        &["unpack", "latest", "-o", "out"],
        &["unpack", "latest", "--check-first"],
        &["unpack", "latest", "--table", "public.orders"],
        &["unpack", "latest", "--table", "public.orders", "-o", "out"],
        &["show", "latest", "--contents"],
        &["show", &own, "--contents", "--json"],
        &["diff", &theirs, &own],
        &["rebuild-manifest", &own],
        &["key", "pack-only"],
        &["key", "export", "--paper", "-o", "out"],
        &["key", "export", "--as-file", "-o", "out"],
        &["key", "export", "--shares", "3", "--threshold", "2"],
    ] {
        let ran = run(on_host(&place, arguments), b"");
        ran.fails(&arguments.join(" "), 12, "the key file `");
        assert!(ran.err.contains("it holds a pack-only key, which writes backups and opens none"), "{}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.contains("orders"), "{arguments:?} released something: {ran:?}");
        tried += 1;
    }
    assert_eq!(tried, 15);
    for arguments in [["key", "check"].as_slice(), &["key", "check", "--index", "--probe", "9"]] {
        let checked = run(on_host(&place, arguments), b"");
        let told = String::from_utf8(checked.out).unwrap();
        assert_eq!((checked.code, told.matches("not opened\n").count()), (Some(0), 2), "{told}{}", checked.err);
        assert!(told.contains("2 looked at, nothing was opened") && told.contains("no key was used"), "{told}");
        assert!(checked.err.contains("a pack-only key opens no backup"), "{}", checked.err);
    }
    assert_eq!(place.objects(), before);
    assert!(!place.path("out").exists());
    // With the full key all of it is there.
    assert!(place.ok(&["show", "latest", "--contents"], b"").contains("orders"));
    assert!(place.ok(&["unpack", "-q", "latest", "--table", "public.orders"], b"").contains("COPY public.orders"));
}

/// Its slots are those of the day it was made: whoever wants others changes the full key, and is told so.
#[test]
fn a_host_changes_no_slots() {
    let place = Place::with_key();
    place.ok(&["key", "add", "--recipient", X25519], b"");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    let id = place.pack(&[], b"a dump");
    let state =
        || [place.path("host.key"), place.store().join(format!("{id}.json"))].map(|path| fs::read(path).unwrap());
    let before = state();
    let slots: serde_json::Value = serde_json::from_str(&place.ok(&["key", "list", "--json"], b"")).unwrap();
    let slot = slots["slots"][0]["id"].as_str().unwrap();
    let mut tried = 0;
    for arguments in [
        ["key", "add", "--recipient", X25519].as_slice(),
        &["key", "add", "--recipient", X25519, "--rewrap"],
        &["key", "remove", slot],
        &["key", "remove", slot, "--rewrap"],
        &["key", "rotate", "--recipient", X25519, "--rewrap"],
        &["key", "rotate", "--recipient", X25519, "--new-epoch"],
        &["key", "rewrap"],
        &["key", "rewrap", "--force"],
    ] {
        let ran = run(on_host(&place, arguments), b"");
        ran.fails(&arguments.join(" "), 12, "the key file `");
        assert!(ran.err.contains("holds a pack-only key, and slots are those of the full one"), "{}", ran.err);
        assert!(ran.err.contains("make the host's anew with `vault key pack-only`"), "{}", ran.err);
        assert!(ran.out.is_empty(), "{ran:?}");
        tried += 1;
    }
    assert_eq!(tried, 8);
    assert!(state() == before, "a refusal changed something");
}

#[test]
fn a_pack_only_key_is_kept_like_a_key() {
    let place = with_host();
    let mode = fs::metadata(place.path("host.key")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    let text = fs::read_to_string(place.path("host.key")).unwrap();
    assert!(text.contains("\nVAULT-PACK-1") && !text.contains("VAULT-KEY"), "{text}");
    // Not twice, not into the store, and not under another name for the same.
    run(place.command(&["key", "pack-only", "-o", "host.key"]), b"").fails("again", 11, "`host.key` exists already");
    fs::create_dir(place.store()).unwrap();
    run(place.command(&["key", "pack-only", "-o", "store/host.key"]), b"").fails("store", 2, "the pack-only key `");
    // Through a pipe it is the same; where the shell left it open to others, it is refused.
    let piped = run(place.command(&["key", "pack-only"]), b"");
    assert_eq!(piped.code, Some(0), "{piped:?}");
    let line = |text: &str| text.lines().find(|line| line.starts_with("VAULT-PACK-1")).map(str::to_owned);
    assert_eq!(line(&String::from_utf8(piped.out).unwrap()), line(&text));
    fs::set_permissions(place.path("host.key"), Permissions::from_mode(0o644)).unwrap();
    run(on_host(&place, &["pack"]), b"dump").fails("exposed", 2, "the key file `");
    fs::set_permissions(place.path("host.key"), Permissions::from_mode(0o600)).unwrap();
    // A key and a pack-only key in one file are no key file.
    let both = [fs::read_to_string(place.path("key")).unwrap(), text.clone()].concat();
    fs::write(place.path("host.key"), both).unwrap();
    run(on_host(&place, &["pack"]), b"dump").fails("both", 13, "the key file `");
    // A letter is wrong.
    fs::write(place.path("host.key"), text.replace("VAULT-PACK-1", "VAULT-PACK-1Q")).unwrap();
    run(on_host(&place, &["pack"]), b"dump").fails("mistyped", 13, "the key file `");
}

#[test]
fn a_host_of_a_passphrase_copies_its_slots() {
    let place = crate::place::with_passphrases();
    let founded = run(crate::place::with(&place, "right", &["pack", "-q", "--kdf", "small"]), b"first");
    assert_eq!(founded.code, Some(0), "{founded:?}");
    let made = run(crate::place::with(&place, "right", &["key", "pack-only", "-o", "host.key"]), b"");
    assert_eq!(made.code, Some(0), "{made:?}");
    let packed = run(on_host(&place, &["pack", "-q"]), b"second");
    assert_eq!(packed.code, Some(0), "{packed:?}");
    let back = run(crate::place::with(&place, "right", &["unpack", "-q", "latest"]), b"");
    assert_eq!(back.out, b"second", "{}", back.err);
}

/// The host's key is of the day it was made. What was removed or replaced since comes back with it, and that is told.
#[test]
fn a_key_that_was_made_before_a_change_is_told_of() {
    let place = crate::place::with_passphrases();
    place.ok(&["key", "new"], b"");
    let add = |word: &str| {
        place.ok(&["key", "add", "--passphrase", "--kdf", "small", "--passphrase-file", word], b"");
    };
    let host_key = |name: &str| {
        let told = place.ok(&["key", "pack-only", "-o", name], b"");
        assert!(told.contains("slots        "), "{told}");
    };
    add("wrong");
    add("right");
    host_key("host.key");
    place.pack(&[], b"a dump");
    let slot: serde_json::Value = serde_json::from_str(&place.ok(&["key", "list", "--json"], b"")).unwrap();
    let slot = slot["slots"][0]["id"].as_str().unwrap().to_owned();
    let quiet = run(on_host(&place, &["pack", "-q"]), b"a dump");
    assert_eq!(quiet.code, Some(0), "{quiet:?}");
    let told = place.ok(&["key", "remove", &slot, "--rewrap"], b"");
    assert!(told.contains("make it anew for each host, with `vault key pack-only`"), "{told}");
    for round in ["the first", "with its own in the store"] {
        let packed = run(on_host(&place, &["pack", "-q"]), b"a dump");
        assert_eq!(packed.code, Some(3), "{round}: {packed:?}");
        assert!(packed.err.contains("has slots of generation 4, the key that packs of generation 3"), "{}", packed.err);
    }
    let unpack = crate::place::with(&place, "wrong", &["unpack", "-q", "latest"]);
    assert_eq!(run(unpack, b"").out, b"a dump", "the removed slot is back, as the warning says");
    fs::remove_file(place.path("host.key")).unwrap();
    host_key("host.key");
    place.ok(&["key", "rewrap"], b"");
    let anew = run(on_host(&place, &["pack", "-q"]), b"a dump");
    assert_eq!(anew.code, Some(0), "{anew:?}");

    let rotate =
        ["key", "rotate", "--new-epoch", "--passphrase", "--kdf", "small", "--passphrase-file", "right", "--json"];
    let rotated: serde_json::Value = serde_json::from_str(&place.ok(&rotate, b"")).unwrap();
    let notes = rotated["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect::<String>();
    assert_eq!(rotated["epoch"], 2);
    assert_eq!(rotated["fingerprint"].as_str().unwrap().len(), 32);
    assert!(notes.contains("What the earlier key could open") && notes.contains("vault key pack-only"), "{notes}");
    place.pack(&[], b"a dump");
    let old = run(on_host(&place, &["pack", "-q"]), b"a dump");
    assert_eq!(old.code, Some(3), "{old:?}");
    assert!(old.err.contains("is of epoch 2, the key that packs of epoch 1"), "{}", old.err);
}
