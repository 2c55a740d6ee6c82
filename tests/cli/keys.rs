//! Key files: how they are made, found, and refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use vault::base::id::Guid;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::secret::Secret;
use vault::keys::ring::{Keyring, file_text};

use crate::place::{Place, names, run};

/// Writes a key file for a guid, with a key of its own.
fn other_key(place: &Place, guid: Guid) {
    let key = MasterKey { scope: Scope { guid, epoch: 1 }, secret: Secret::fill(|bytes| bytes.fill(7)) };
    write_key(place, "other", file_text(&key, 1_795_000_000_000).as_bytes());
}

fn write_key(place: &Place, name: &str, text: &[u8]) {
    fs::write(place.path(name), text).unwrap();
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_is_made_once() {
    let place = Place::new();
    let told = place.ok(&["key", "new"], b"");
    let text = fs::read(place.path("key")).unwrap();
    let ring = Keyring::from_file(&text).unwrap();
    assert!(told.contains(&format!("guid         {}", ring.guid())), "{told}");
    assert!(told.contains(&format!("fingerprint  {}", ring.newest().pack.fingerprint)), "{told}");
    assert!(told.contains("escrow"), "{told}");
    let secret = text.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"VAULT-KEY-1"));
    assert!(!told.contains(std::str::from_utf8(secret.unwrap()).unwrap()), "the key is printed");
    assert_eq!(fs::metadata(place.path("key")).unwrap().permissions().mode() & 0o7777, 0o600);

    let again = run(place.command(&["key", "new"]), b"");
    again.fails("key new twice", 11, "`/");
    assert_eq!(fs::read(place.path("key")).unwrap(), text, "the key was overwritten");
    assert_eq!(names(place.dir.path()), ["key"], "something else is left");
}

#[test]
fn the_default_place_is_made_for_the_owner_only() {
    let place = Place::new();
    let made = run(place.keyless(&["key", "new"]), b"");
    assert_eq!(made.code, Some(0), "{made:?}");
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("config/vault"), mode("config/vault/key")), (0o700, 0o600));
    // And it is found there.
    let packed = run(place.keyless(&["pack"]), b"dump");
    assert_eq!(packed.code, Some(0), "{packed:?}");
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let place = Place::with_key();
    let id = place.pack(&[], b"a dump");
    let before = place.objects();
    let key = fs::read(place.path("key")).unwrap();
    let guid = Keyring::from_file(&key).unwrap().guid();
    other_key(&place, guid);
    write_key(&place, "foreign", &{
        let key =
            MasterKey { scope: Scope { guid: Guid([9; 16]), epoch: 1 }, secret: Secret::fill(|bytes| bytes.fill(8)) };
        file_text(&key, 1_795_000_000_000).as_bytes().to_vec()
    });
    write_key(&place, "exposed", &key);
    fs::set_permissions(place.path("exposed"), Permissions::from_mode(0o640)).unwrap();
    write_key(&place, "writable", &key);
    fs::set_permissions(place.path("writable"), Permissions::from_mode(0o602)).unwrap();
    write_key(&place, "store/inside", &key);
    write_key(&place, "mistyped", &String::from_utf8(key.clone()).unwrap().replace("KEY-1", "KEY-1Q").into_bytes());
    write_key(&place, "encrypted", b"age-encryption.org/v1\n");
    write_key(&place, "long", &vec![b'#'; 70_000]);
    std::os::unix::fs::symlink(place.path("store/inside"), place.path("link")).unwrap();
    let cases = [
        ("other", 12, format!("{id} needs key ")),
        ("foreign", 12, format!("{id} needs key ")),
        ("exposed", 2, "the key file `".into()),
        ("writable", 2, "the key file `".into()),
        ("store/inside", 2, "the key file `".into()),
        ("link", 2, "the key file `".into()),
        ("mistyped", 13, "the key file `".into()),
        ("encrypted", 2, "the key file `".into()),
        ("long", 19, "the key file `".into()),
        ("absent", 2, "cannot read the key file `".into()),
    ];
    let mut tried = 0;
    for (name, code, error) in &cases {
        let mut command = place.keyless(&["unpack", &id]);
        command.env("VAULT_KEY_FILE", place.path(name));
        let ran = run(command, b"");
        ran.fails(name, *code, error);
        assert!(ran.out.is_empty(), "{name}: something was released");
        tried += 1;
    }
    assert_eq!(tried, 10);
    fs::remove_file(place.path("store/inside")).unwrap();
    assert_eq!(place.objects(), before);
}

#[test]
fn no_key_and_too_many_are_said_so() {
    let place = Place::with_key();
    place.pack(&[], b"a dump");
    let passphrase = place.path("passphrase");
    write_key(&place, "passphrase", b"word\n");
    let before = place.objects();

    let none = run(place.keyless(&["pack"]), b"dump");
    none.fails("no key", 2, "there is no key");
    for way in [
        "--key-file",
        "VAULT_KEY_FILE",
        "--passphrase-file",
        "VAULT_PASSPHRASE_FILE",
        "--passphrase-command",
        "VAULT_PASSPHRASE_COMMAND",
        "CREDENTIALS_DIRECTORY",
    ] {
        assert!(none.err.contains(way), "{way} is not told: {}", none.err);
    }
    run(place.keyless(&["unpack", "latest"]), b"").fails("unpack without a key", 2, "there is no key");

    let mut both = place.command(&["pack"]);
    both.env("VAULT_PASSPHRASE_FILE", &passphrase);
    run(both, b"dump").fails("two variables", 2, "two keys are given");
    let (key, word) = (place.path("key"), passphrase.display().to_string());
    let flags = ["pack", "--key-file", key.to_str().unwrap(), "--passphrase-file", &word];
    run(place.keyless(&flags), b"dump").fails("two flags", 2, "two keys are given");

    let mut open = place.command(&["pack"]);
    open.env("VAULT_PASSPHRASE", "hunter2");
    let refused = run(open, b"dump");
    refused.fails("VAULT_PASSPHRASE", 2, "VAULT_PASSPHRASE is set");
    assert!(!refused.err.contains("hunter2"), "the passphrase is printed");

    // A flag is stronger than the environment.
    let mut flag = place.keyless(&["unpack", "latest", "--key-file", key.to_str().unwrap()]);
    flag.env("VAULT_PASSPHRASE_FILE", "/nowhere");
    assert_eq!(run(flag, b"").out, b"a dump");
    assert_eq!(place.objects(), before);
}

#[test]
fn credentials_of_a_service_are_found() {
    let place = Place::with_key();
    fs::create_dir(place.path("credentials")).unwrap();
    fs::copy(place.path("key"), place.path("credentials/vault.key")).unwrap();
    // As systemd shows them: granted by an ACL, whose mask looks like a group.
    fs::set_permissions(place.path("credentials/vault.key"), Permissions::from_mode(0o440)).unwrap();
    let mut command = place.keyless(&["pack"]);
    command.env("CREDENTIALS_DIRECTORY", place.path("credentials"));
    let packed = run(command, b"dump");
    assert_eq!(packed.code, Some(0), "{packed:?}");
    assert_eq!(place.unpack("latest").out, b"dump");
}

#[test]
fn a_key_of_another_guid_is_not_taken_for_this_one() {
    let place = Place::with_key();
    place.pack(&[], b"dump");
    let elsewhere = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd";
    let mut tried = 0;
    for arguments in [["pack", "--guid", elsewhere].as_slice(), &["unpack", "latest", "--guid", elsewhere]] {
        run(place.command(arguments), b"dump").fails("--guid", 12, "the key is that of ");
        tried += 1;
    }
    assert_eq!(tried, 2);
}

#[test]
fn a_key_file_is_not_made_inside_the_store() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    let inside = place.path("store/key");
    let ran = run(place.keyless(&["key", "new", "--key-file", inside.to_str().unwrap()]), b"");
    ran.fails("key in the store", 2, "the key file `");
    assert!(place.objects().is_empty());
}
