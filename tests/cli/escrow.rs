//! Escrow with age: the officer's way with `age` and `jq`, the way with `--identity-file`, and forged backups.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use vault::base::id::Guid;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::secret::Secret;
use vault::keys::ring::{Keyring, file_text};

use crate::place::{PATH, Place, Ran, names, run};

/// The hybrid identity and the recipient of it in C2SP's specification.
fn hybrid() -> (&'static str, &'static str) {
    include_str!("../../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').unwrap()
}

fn write_private(place: &Place, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    fs::write(place.path(name), text).unwrap();
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
    place.path(name)
}

/// Makes an identity with Debian's `age-keygen`; its recipient comes back.
fn officer(place: &Place, name: &str) -> String {
    let made = Command::new("age-keygen").arg("-o").arg(place.path(name)).output();
    let made = made.unwrap_or_else(|error| panic!("Debian's package `age` is needed: {error}"));
    let told = String::from_utf8(made.stderr).unwrap();
    told.trim().strip_prefix("Public key: ").unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// `vault` on a machine that knows nothing yet: a home of its own.
fn elsewhere(place: &Place, machine: &str, identity: &str, arguments: &[&str]) -> Ran {
    let mut command = place.keyless(arguments);
    command.env("HOME", place.path(machine)).env("VAULT_IDENTITY_FILE", place.path(identity));
    command.env("XDG_CONFIG_HOME", place.path(machine));
    run(command, b"")
}

fn fingerprint(place: &Place) -> String {
    Keyring::from_file(&fs::read(place.path("key")).unwrap()).unwrap().newest().pack.fingerprint.to_string()
}

/// A backup in the same store and of the same guid, under another key that is sealed to the officer: what anyone can make who knows
/// the recipient.
fn forge(place: &Place, recipient: &str, epoch: u32) -> (String, String) {
    let guid = Keyring::from_file(&fs::read(place.path("key")).unwrap()).unwrap().guid();
    let key = MasterKey { scope: Scope { guid, epoch }, secret: Secret::fill(|bytes| bytes.fill(7)) };
    write_private(place, "forged", file_text(&key, 0).as_bytes());
    let mut add = place.keyless(&["key", "add", "--recipient", recipient]);
    add.env("VAULT_KEY_FILE", place.path("forged"));
    assert_eq!(run(add, b"").code, Some(0));
    let mut pack = place.keyless(&["pack", "-q"]);
    pack.env("VAULT_KEY_FILE", place.path("forged")).env("HOME", place.path("attacker"));
    let packed = run(pack, b"a forged dump");
    // The warning is about a backup of another key in the store.
    assert!(matches!(packed.code, Some(0 | 3)), "{packed:?}");
    (String::from_utf8(packed.out).unwrap().trim().into(), key.derive().pack.fingerprint.to_string())
}

#[test]
fn plain_age_and_jq_give_back_a_key_file() {
    let place = Place::with_key();
    let recipient = officer(&place, "escrow.txt");
    place.ok(&["key", "add", "--recipient", &recipient], b"");
    let id = place.pack(&[], b"a dump");
    let script =
        format!("umask 077; jq -r '.slots[]|select(.type==\"age\").file' store/{id}.json | age -d -i escrow.txt > k");
    let opened = Command::new("sh").args(["-c", &script]).current_dir(place.dir.path()).env("PATH", PATH).output();
    let opened = opened.unwrap();
    assert!(opened.status.success(), "Debian's packages `age` and `jq` are needed: {opened:?}");
    let restored = run(place.keyless(&["--key-file", "k", "unpack", "-q", "latest"]), b"");
    assert_eq!((restored.code, restored.out.as_slice()), (Some(0), b"a dump".as_slice()), "{}", restored.err);
}

#[test]
fn an_identity_opens_with_the_fingerprint_and_not_without() {
    let place = Place::with_key();
    let (identity, recipient) = hybrid();
    write_private(&place, "escrow", format!("# the officer's\n{identity}\n"));
    place.ok(&["key", "add", "--recipient", recipient], b"");
    let id = place.pack(&[], b"a dump");
    let (right, wrong) = (fingerprint(&place), "0".repeat(32));
    let at =
        |machine, more: &[&str]| elsewhere(&place, machine, "escrow", &[&["unpack", "-q", "latest"], more].concat());

    at("a", &[]).fails("nothing known", 2, &format!("{id} opens with key {right}, and nothing tells whether"));
    at("a", &["--fingerprint", &wrong]).fails("another fingerprint", 12, &format!("the key of {id} is {right}, and"));
    assert_eq!(names(&place.path("a")), [""; 0], "a refused key is remembered");
    let given = at("a", &["--fingerprint", &right.to_uppercase()]);
    assert_eq!((given.code, given.out.as_slice()), (Some(0), b"a dump".as_slice()), "{given:?}");
    // Now this machine knows it.
    assert_eq!(at("a", &[]).out, b"a dump");
    let trusted = at("b", &["--trust-on-first-use"]);
    assert_eq!((trusted.code, trusted.out.as_slice()), (Some(0), b"a dump".as_slice()), "{trusted:?}");
    assert!(trusted.err.contains(&format!("trusted unseen: {right}")), "{}", trusted.err);
    assert_eq!(at("b", &[]).out, b"a dump");
    // A host that packs knows its own key; `list` without a key goes on, and says why.
    let packer = elsewhere(&place, "home", "escrow", &["unpack", "-q", "latest"]);
    assert_eq!(packer.out, b"a dump", "{packer:?}");
    let listed = elsewhere(&place, "c", "escrow", &["list"]);
    assert_eq!(listed.code, Some(3));
    assert!(listed.err.contains("manifests are read and not verified"), "{}", listed.err);
    // Whatever the way to the key is.
    run(place.command(&["unpack", "-q", "latest", "--fingerprint", &wrong]), b"").fails("key file", 12, "the key is ");
    assert_eq!(run(place.command(&["unpack", "-q", "latest", "--fingerprint", &right]), b"").out, b"a dump");
}

#[test]
fn a_forged_backup_for_a_known_recipient_is_refused() {
    let place = Place::with_key();
    let (identity, recipient) = hybrid();
    write_private(&place, "escrow", identity);
    place.ok(&["key", "add", "--recipient", recipient], b"");
    let genuine = place.pack(&[], b"a dump");
    let right = fingerprint(&place);
    let (forged, theirs) = forge(&place, recipient, 1);
    assert!(forged > genuine && forged[..36] == genuine[..36]);
    let at = |machine, arguments: &[&str]| {
        let ran = elsewhere(&place, machine, "escrow", arguments);
        assert!(!ran.out.windows(6).any(|window| window == b"forged"), "{arguments:?}: {ran:?}");
        ran
    };
    let needs = format!("{forged} needs key {}", &theirs[..8]);
    at("a", &["unpack", "latest"]).fails("nothing known", 2, &format!("{forged} opens with key {theirs}, and"));
    at("a", &["unpack", "latest", "--fingerprint", &right]).fails("latest", 12, &needs);
    at("a", &["unpack", "latest"]).fails("a pin", 12, &needs);
    at("a", &["unpack", "latest", "--trust-on-first-use"]).fails("not the first use", 12, &needs);
    // The forged one is asked for by its id.
    at("a", &["unpack", &forged]).fails("by id", 12, &needs);
    at("b", &["unpack", &forged, "--fingerprint", &right]).fails("by id", 12, &needs);
    assert_eq!(at("b", &["unpack", "-q", &genuine, "--fingerprint", &right]).out, b"a dump");
    // Of another epoch: no first use either.
    let guid: Guid = genuine[..36].parse().unwrap();
    let pins = fs::read_to_string(place.path("a/.local/state/vault/pins").join(guid.to_string())).unwrap();
    assert_eq!(pins, format!("1 {right}\n"));
}

/// The records of checks in the store.
fn records(place: &Place) -> usize {
    place.objects().iter().filter(|name| name.contains("-check-")).count()
}

/// An officer's audit says whose key it is that opens everything.
#[test]
fn a_check_with_an_identity_asks_whose_key_it_is() {
    let place = Place::with_key();
    let (identity, recipient) = hybrid();
    write_private(&place, "escrow", identity);
    place.ok(&["key", "add", "--recipient", recipient], b"");
    let genuine = place.pack(&[], b"a dump");
    let (right, wrong) = (fingerprint(&place), "0".repeat(32));
    let check = |machine: &str, more: &[&str], code: i32, says: &str| {
        let ran = elsewhere(&place, machine, "escrow", &[&["key", "check"], more].concat());
        let told = String::from_utf8(ran.out.clone()).unwrap();
        assert_eq!(ran.code, Some(code), "{machine} {more:?}: {ran:?}");
        assert!(told.contains(says), "{machine} {more:?}: {says} is not in {told}");
    };
    let unvouched = format!("{genuine} opens with key {right}, not vouched for");
    check("a", &[], 3, &unvouched);
    check("a", &["--json"], 3, "\"vouched\": false");
    check("a", &["--fingerprint", &wrong], 17, &format!("wrong-key: the key of {genuine} is {right}, and"));
    assert_eq!((names(&place.path("a")), records(&place)), (vec![], 0), "who does not know leaves nothing");
    check("a", &["--fingerprint", &right], 0, "1 looked at, all open");
    assert_eq!(records(&place), 1);
    check("a", &[], 0, "all open");
    check("b", &["--trust-on-first-use", "--no-record"], 0, "all open");
    check("c", &[], 3, "(unauthenticated: no key vouches for it)");
    // Whatever the way to the key is.
    let given = run(place.command(&["key", "check", "--fingerprint", &wrong]), b"");
    assert_eq!(given.code, Some(17), "{given:?}");
    assert!(String::from_utf8(given.out).unwrap().contains("wrong-key: the key is "));
    assert_eq!(run(place.command(&["key", "check", "--fingerprint", &right]), b"").code, Some(0));

    let (forged, theirs) = forge(&place, recipient, 2);
    check("a", &[], 3, &format!("{forged} opens with key {theirs}, not vouched for"));
    check("a", &["--fingerprint", &right], 17, &format!("the key of {forged} is {theirs}, and"));
    assert_eq!(records(&place), 1, "the forger's key vouches for a check");
    let (forged, theirs) = forge(&place, recipient, 1);
    check("a", &[], 17, &format!("the key of {forged} is {theirs}, and this machine knows {right}"));

    // The store shows nothing else any more.
    for name in place.objects().iter().filter(|name| name.starts_with(&genuine) || name.contains("-check-")) {
        fs::remove_file(place.store().join(name)).unwrap();
    }
    check("d", &[], 3, "2 WITH A KEY THAT NOTHING VOUCHES FOR");
    check("d", &["--fingerprint", &right], 17, "2 WOULD NOT OPEN");
    assert_eq!(records(&place), 0, "the forger's key vouches for a check");
}

/// A memory that is damaged is not one that is empty.
#[test]
fn what_this_machine_knows_is_not_forgotten_by_damage() {
    let place = Place::with_key();
    let (identity, recipient) = hybrid();
    write_private(&place, "escrow", identity);
    place.ok(&["key", "add", "--recipient", recipient], b"");
    let id = place.pack(&[], b"a dump");
    let right = fingerprint(&place);
    let at = |more: &[&str]| elsewhere(&place, "a", "escrow", &[&["unpack", "-q", "latest"], more].concat());
    assert_eq!(at(&["--fingerprint", &right]).out, b"a dump");
    let pins = place.path("a/.local/state/vault/pins").join(&id[..36]);
    let known = fs::read(&pins).unwrap();
    let long = format!("1 {}\n", "0".repeat(32)).repeat(2000);
    for damage in [&known[..10], b"\xff\xfe", b"nothing\n", long.as_bytes()] {
        fs::write(&pins, damage).unwrap();
        for more in [&[][..], &["--trust-on-first-use"]] {
            at(more).fails("damaged", 2, "cannot read the fingerprints that this machine knows, `");
        }
        let given = at(&["--fingerprint", &right]);
        assert_eq!((given.code, given.out.as_slice()), (Some(0), b"a dump".as_slice()), "{given:?}");
        assert!(given.err.contains("it is left as it is"), "{}", given.err);
        assert_eq!(fs::read(&pins).unwrap(), damage, "it was overwritten");
    }
    fs::remove_file(&pins).unwrap();
    fs::create_dir(&pins).unwrap();
    at(&["--trust-on-first-use"]).fails("a directory", 2, "cannot read the fingerprints that this machine knows, `");
}

#[test]
fn a_key_file_may_be_an_age_file() {
    let place = Place::with_key();
    let recipient = officer(&place, "escrow.txt");
    let id = place.pack(&[], b"a dump");
    for (name, armor) in [("armored", "-a"), ("binary", "-e")] {
        let key = place.path("key");
        let mut age = Command::new("age");
        age.args([armor, "-r", &recipient, "-o"]).arg(place.path(name)).arg(&key);
        assert!(age.status().unwrap().success());
        fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
        let file = place.path(name);
        let file = file.to_str().unwrap();
        let unpack = ["unpack", "-q", &id, "--key-file", file];
        run(place.keyless(&unpack), b"").fails(name, 2, "the key file `");
        let with = [&unpack[..], &["--identity-file", "escrow.txt"]].concat();
        let opened = run(place.keyless(&with), b"");
        assert_eq!((opened.code, opened.out.as_slice()), (Some(0), b"a dump".as_slice()), "{name}: {opened:?}");
        let listed = run(place.keyless(&["key", "list", "--key-file", file, "--identity-file", "escrow.txt"]), b"");
        assert_eq!(listed.code, Some(0), "{listed:?}");
        let add = ["key", "add", "--recipient", &recipient, "--key-file", file, "--identity-file", "escrow.txt"];
        run(place.keyless(&add), b"").fails(name, 2, "the key file `");
    }
    write_private(&place, "other", hybrid().0);
    let armored = place.path("armored");
    let unpack = ["unpack", &id, "--key-file", armored.to_str().unwrap(), "--identity-file", "other"];
    run(place.keyless(&unpack), b"").fails("another identity", 12, "the key file `");
}

#[test]
fn identities_that_cannot_be_used_are_refused() {
    let place = Place::with_key();
    let (identity, recipient) = hybrid();
    let id = place.pack(&[], b"without a slot");
    write_private(&place, "right", identity);
    let none = elsewhere(&place, "a", "right", &["unpack", &id]);
    none.fails("no slot", 12, "no backup in the store can be opened with an age identity");
    place.ok(&["key", "add", "--recipient", recipient], b"");
    place.pack(&[], b"a dump with one");
    write_private(&place, "mistyped", identity.replace("XX76", "XX67"));
    write_private(&place, "empty", "# nothing\n\n");
    write_private(&place, "exposed", identity);
    fs::set_permissions(place.path("exposed"), Permissions::from_mode(0o644)).unwrap();
    officer(&place, "another");
    let cases = [
        ("mistyped", 13, "line 1 of the identity file `"),
        ("empty", 2, "the identity file `"),
        ("exposed", 2, "the identity file `"),
        ("absent", 2, "cannot read the identity file `"),
        ("another", 12, "the identities open no backup"),
    ];
    for (name, code, error) in cases {
        let ran = elsewhere(&place, "a", name, &["unpack", "latest"]);
        ran.fails(name, code, error);
        assert!(!ran.err.contains("AGE-SECRET-KEY-PQ-1"), "{name}: an identity is shown");
    }
    let both = ["unpack", "latest", "--identity-file", "right", "--passphrase-file", "right"];
    run(place.keyless(&both), b"").fails("two ways", 2, "two keys are given");
    let short = run(place.command(&["unpack", "latest", "--fingerprint", "0123"]), b"");
    assert_eq!(short.code, Some(2), "{short:?}");
    // Nobody founds a database with an identity.
    let mut pack = place.keyless(&["pack", "--store", "new", "--identity-file", "right"]);
    pack.env("HOME", place.path("a"));
    run(pack, b"a dump").fails("pack", 12, "no backup in the store can be opened with an age identity");
}

#[test]
fn other_kinds_of_recipient_are_left_to_age() {
    let place = Place::with_key();
    let ssh = include_str!("../../testdata/age/ssh-ed25519.pub").trim();
    write_private(&place, "ssh", include_bytes!("../../testdata/age/ssh-ed25519"));
    officer(&place, "another");
    let mut without = place.command(&["key", "add", "--recipient", ssh]);
    without.env("PATH", place.path("nothing"));
    run(without, b"").fails("no age", 1, "`age` is not installed");

    place.ok(&["key", "add", "--recipient", ssh], b"");
    let id = place.pack(&[], b"a dump");
    let right = fingerprint(&place);
    let unpack = ["unpack", "-q", &id, "--fingerprint", &right];
    let opened = elsewhere(&place, "a", "ssh", &unpack);
    assert_eq!((opened.code, opened.out.as_slice()), (Some(0), b"a dump".as_slice()), "{opened:?}");
    let mut without = place.keyless(&unpack);
    without.env("VAULT_IDENTITY_FILE", place.path("ssh")).env("PATH", place.path("nothing"));
    run(without, b"").fails("no age", 1, "`age` is not installed");
    elsewhere(&place, "a", "another", &unpack).fails("another", 12, "the identities open no backup");
}
