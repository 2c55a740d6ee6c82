//! `vault key add`, `remove`, `list`, `rotate`, `rewrap`: what they do to the key file and to the store, and what they refuse.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::place::{Place, names, run, with, with_passphrases};

const X25519: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn hybrid() -> &'static str {
    include_str!("../../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').unwrap().1
}

fn key(place: &Place) -> String {
    fs::read_to_string(place.path("key")).unwrap()
}

/// The ids of the slots of the key file.
fn slots(place: &Place) -> Vec<String> {
    let lines: Vec<String> = key(place).lines().filter_map(|line| line.strip_prefix("slot ").map(Into::into)).collect();
    lines.iter().map(|line| line.split('"').nth(3).unwrap().to_owned()).collect()
}

fn manifest(place: &Place, id: &str) -> String {
    fs::read_to_string(place.store().join(format!("{id}.json"))).unwrap()
}

/// Adds a slot under the passphrase in the file of that name.
fn add(place: &Place, word: &str, more: &[&str]) -> String {
    let arguments = ["key", "add", "--passphrase", "--kdf", "small", "--passphrase-file", word];
    place.ok(&[&arguments[..], more].concat(), b"")
}

#[test]
fn slots_come_and_go_and_backups_follow() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    let before = key(&place);
    let first = place.pack(&[], b"a dump");
    assert!(manifest(&place, &first).contains("\"generation\": 1,\n  \"slots\": []"));
    add(&place, "wrong", &[]);
    let told = place.ok(&["key", "add", "--recipient", hybrid()], b"");
    assert!(told.contains("mlkem768x25519") && told.contains("has 2 slots, generation 3"), "{told}");
    assert!(key(&place).starts_with(&before), "the lines of the key were touched");
    let second = place.pack(&[], b"a dump, the next day");
    assert!(manifest(&place, &second).contains("\"generation\": 3"));

    // Only on request earlier backups follow, and then all of them.
    let unpack = |word: &str, id: &str| run(with(&place, word, &["unpack", "-q", id]), b"");
    assert_eq!(unpack("wrong", &second).out, b"a dump, the next day");
    let objects = place.objects();
    let told = add(&place, "right", &["--rewrap"]);
    assert!(told.contains("2 backups changed"), "{told}");
    assert_eq!(place.objects(), objects);
    assert_eq!(unpack("right", &first).out, b"a dump");
    let ids = slots(&place);
    let told = place.ok(&["key", "remove", &ids[0][..6], "--rewrap"], b"");
    assert!(told.contains("2 backups changed") && told.contains("--new-epoch"), "{told}");
    for id in [&first, &second] {
        unpack("wrong", id).fails("removed", 12, "the passphrase opens no backup");
        assert!(manifest(&place, id).contains("\"generation\": 5"));
        assert!(!manifest(&place, id).contains(&ids[0]));
    }
    assert_eq!(unpack("right", &second).out, b"a dump, the next day");
    let verified = run(place.command(&["verify", "--all", "--read-data"]), b"");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let third = place.pack(&[], b"a dump, the next day");
    assert!(manifest(&place, &third).contains("\"seq\": 3") && manifest(&place, &third).contains("\"generation\": 5"));

    let listed = place.ok(&["key", "list"], b"");
    let rows: Vec<&str> = listed.lines().skip_while(|line| !line.starts_with("SLOT")).skip(1).collect();
    assert!(listed.contains("slots        2, generation 5") && rows.len() == 2, "{listed}");
    assert!(rows[0].contains("mlkem768x25519") && rows[1].contains("Argon2id, 64 MiB, 3 passes"), "{listed}");
    let json: serde_json::Value = serde_json::from_str(&place.ok(&["key", "list", "--json"], b"")).unwrap();
    assert_eq!((json["generation"].as_u64(), json["slots"].as_array().unwrap().len()), (Some(5), 2));
    assert_eq!(
        names(place.dir.path()),
        ["config", "home", "key", "right", "store", "wrong"][..]
            .iter()
            .filter(|name| place.path(name).exists())
            .copied()
            .collect::<Vec<_>>(),
        "something else is left"
    );
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    place.pack(&[], b"a dump");
    let add = |arguments: &[&str]| run(place.command(&[&["key", "add"], arguments].concat()), b"");
    let fresh = key(&place);
    run(place.command(&["key", "rewrap"]), b"").fails("no slot", 2, "the key file has no slot");
    run(place.command(&["key", "remove", "00"]), b"").fails("no slot", 10, "the key file has no slot `00`");
    add(&[]).fails("for nobody", 2, "a new slot is for somebody");
    fs::write(place.path("empty"), "# nobody\n").unwrap();
    add(&["--recipients-file", "empty"]).fails("for nobody", 2, "a new slot is for somebody");
    add(&["--recipients-file", "absent"]).fails("no file", 2, "cannot read the recipients file `");
    let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    for wrong in [&X25519.replace("zvky", "zvyk"), &hybrid().replace("x34n", "x43n"), identity, "age1", "somebody", ""]
    {
        let ran = add(&["--recipient", X25519, "--recipient", wrong]);
        ran.fails(wrong, 2, "recipient 2 is not one that `age` knows");
        assert!(wrong.len() < 5 || !ran.err.contains(wrong), "a secret may be shown: {}", ran.err);
    }
    // The encoding of a point that gives everybody the same secret: u = 0.
    let low = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
    add(&["--recipient", low]).fails("low order", 2, "recipient 1 is not one");
    fs::write(place.path("crowd"), format!("{X25519}\n").repeat(17)).unwrap();
    add(&["--recipients-file", "crowd"]).fails("17 slots", 19, "the key file `");
    let nowhere = ["--recipient", X25519, "--rewrap", "--store", "nowhere"];
    add(&nowhere).fails("no store", 10, "there is no store at ");
    add(&["--passphrase"]).fails("no terminal", 1, "cannot ask for the passphrase");
    assert_eq!(key(&place), fresh, "a refusal changed the key file");

    fs::write(place.path("crowd"), format!("# both\n{X25519}\n\n{}\n", hybrid())).unwrap();
    let ran = add(&["--recipients-file", "crowd"]);
    assert!(ran.code == Some(0) && ran.err.contains("not post-quantum"), "{ran:?}");
    let ids = slots(&place);
    place.ok(&["key", "remove", &ids[0]], b"");
    let one = key(&place);
    run(place.command(&["key", "remove", &ids[1]]), b"").fails("the last", 2, "the last slot of a key file");
    run(place.command(&["key", "rotate"]), b"").fails("for nobody", 2, "a new slot is for somebody");
    run(place.command(&["key", "rotate", "--new-epoch"]), b"").fails("for nobody", 2, "a new slot is for somebody");
    assert_eq!(key(&place), one);
}

#[test]
fn the_key_file_keeps_its_owner_its_mode_and_its_link() {
    let place = Place::with_key();
    let (real, link) = (place.path("real"), place.path("key"));
    fs::rename(&link, &real).unwrap();
    fs::set_permissions(&real, Permissions::from_mode(0o400)).unwrap();
    std::os::unix::fs::chown(&real, Some(65534), Some(65534)).expect("the tests run as root");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    place.ok(&["key", "add", "--recipient", X25519], b"");
    let after = fs::metadata(&real).unwrap();
    assert_eq!((after.mode() & 0o7777, after.uid(), after.gid()), (0o400, 65534, 65534));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(slots(&place).len(), 1);
}

#[test]
fn slots_of_another_copy_of_the_key_file_are_not_undone_by_mistake() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    add(&place, "right", &[]);
    let id = place.pack(&[], b"a dump");
    let old = key(&place);
    place.ok(&["key", "add", "--recipient", hybrid(), "--rewrap"], b"");
    let newer = manifest(&place, &id);
    fs::write(place.path("key"), old).unwrap();
    run(place.command(&["key", "rewrap"]), b"").fails("an older copy", 2, &format!("{id} has slots of generation 3"));
    assert_eq!(manifest(&place, &id), newer);
    let told = place.ok(&["key", "rewrap", "--force"], b"");
    assert!(told.contains("1 backup changed"), "{told}");
    assert!(manifest(&place, &id).contains("\"generation\": 4") && key(&place).contains("generation 4\n"));
    assert!(place.ok(&["key", "rewrap"], b"").contains("1 had these slots already"));
}

#[test]
fn a_new_epoch_begins_with_a_full_backup_and_keeps_the_old_ones_readable() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    add(&place, "wrong", &[]);
    let dump = crate::place::noise(100_000, 1);
    let old = place.pack(&[], &dump);
    let rotate = ["key", "rotate", "--new-epoch", "--passphrase", "--kdf", "small", "--passphrase-file", "right"];
    let told = place.ok(&rotate, b"");
    assert!(told.contains("still in the key file") && told.contains("What the earlier key could open"), "{told}");
    assert!(!told.contains("rewrap"), "backups of the earlier key keep their slots: {told}");
    assert_eq!(slots(&place).len(), 1, "a slot of the earlier key is left");

    // `latest` never picks an epoch below the highest of the key file; by its id the old one opens.
    let none = place.unpack("latest");
    none.fails("latest", 10, "there is no backup of ");
    assert!(
        none.err.contains(" of epoch 2, and 1 of earlier epochs") && none.err.contains("by its id"),
        "{}",
        none.err
    );
    assert_eq!(place.unpack(&old).out, dump);
    let new = place.pack(&[], &dump);
    let text = manifest(&place, &new);
    assert!(text.contains("\"epoch\": 2") && text.contains("\"bases\": []"), "not a full backup");
    assert_eq!(place.unpack("latest").out, dump);
    let word = |word: &str, id: &str| run(with(&place, word, &["unpack", "-q", id]), b"");
    assert_eq!((word("right", &new).out.as_slice(), word("wrong", &old).out.as_slice()), (&dump[..], &dump[..]));
    word("wrong", &new).fails("the old passphrase", 12, "");
    let told = place.ok(&["key", "add", "--recipient", hybrid(), "--rewrap"], b"");
    assert!(told.contains("1 backup changed") && told.contains("1 of earlier epochs keep"), "{told}");

    let listed = place.ok(&["key", "list"], b"");
    assert!(listed.contains(", epoch 1\n") && listed.contains(", epoch 2\n"), "{listed}");
    // An old copy of the key file cannot open the new one, and is told which key it takes.
    let text = key(&place);
    let first = text.lines().find(|line| line.starts_with("VAULT-KEY-1")).unwrap();
    fs::write(place.path("old"), first).unwrap();
    fs::set_permissions(place.path("old"), Permissions::from_mode(0o600)).unwrap();
    let ran = run(place.keyless(&["unpack", &new, "--key-file", "old"]), b"");
    ran.fails("an old key", 12, &format!("{new} needs key "));
    assert!(ran.err.contains(" of epoch 2, the given one is "), "{}", ran.err);
}

#[test]
fn rotating_slots_keeps_the_key() {
    let place = with_passphrases();
    place.ok(&["key", "new"], b"");
    add(&place, "wrong", &[]);
    let id = place.pack(&[], b"a dump");
    let rotate = ["key", "rotate", "--passphrase", "--kdf", "small", "--passphrase-file", "right", "--rewrap"];
    let told = place.ok(&rotate, b"");
    assert!(told.contains("1 backup changed") && told.contains("The key is the same"), "{told}");
    assert_eq!(slots(&place).len(), 1);
    run(with(&place, "wrong", &["unpack", &id]), b"").fails("the old one", 12, "the passphrase opens no backup");
    assert_eq!(run(with(&place, "right", &["unpack", "-q", &id]), b"").out, b"a dump");
    assert_eq!(place.unpack("latest").out, b"a dump");
}

/// Whoever takes the key file of another database, or names another store, is told what the store holds.
#[test]
fn a_key_of_another_database_is_told_whose_the_backups_are() {
    let (place, other) = (Place::with_key(), Place::with_key());
    place.pack(&[], b"a dump");
    let wrong = other.path("key");
    let unpack = |store: &str| {
        run(place.keyless(&["unpack", "latest", "--key-file", wrong.to_str().unwrap(), "--store", store]), b"")
    };
    let told = unpack("store");
    let listed = place.ok(&["key", "list"], b"");
    let word = |name: &str| listed.lines().find_map(|line| line.strip_prefix(name)).unwrap()[..32].to_owned();
    told.fails("another database", 10, "there is no backup of ");
    let guid = listed.lines().next().unwrap().strip_prefix("guid         ").unwrap();
    let held = format!("; the store holds those of {guid} (key {})\n", word("fingerprint  "));
    assert!(told.err.contains(&held) && !told.err.contains("rebuild-manifest"), "{}", told.err);
    fs::create_dir(place.path("void")).unwrap();
    let void = unpack("void");
    void.fails("nothing at all", 10, "there is no backup of ");
    assert!(!void.err.contains("the store holds"), "{}", void.err);
}

#[test]
fn a_key_file_without_slots_is_not_said_to_have_any() {
    let place = Place::with_key();
    let told = place.ok(&["key", "rotate", "--new-epoch"], b"");
    assert!(told.contains("only the key file opens them") && !told.contains("carry them"), "{told}");
    assert!(told.contains("the key file has 0 slots, generation 2"), "{told}");
}

#[test]
fn numbers_and_nouns_agree() {
    let place = Place::with_key();
    let told = place.ok(&["key", "add", "--recipient", hybrid()], b"");
    assert!(told.contains("the key file has 1 slot, generation 2"), "{told}");
    assert!(!told.contains("whose it is"), "there was none: {told}");
    let told = place.ok(&["key", "add", "--recipient", hybrid()], b"");
    assert!(told.contains("does not tell whose it is"), "a second slot without a word: {told}");
    let told = place.ok(&["key", "remove", &slots(&place)[0]], b"");
    assert!(told.contains(" is removed, 1 slot is left"), "{told}");
}

/// What a host has is compared with the full key: its epoch, and how old its slots are.
#[test]
fn a_pack_only_file_is_listed() {
    let place = Place::with_key();
    place.ok(&["key", "add", "--recipient", hybrid()], b"");
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    let host = |arguments: &[&str]| {
        let ran = run(place.keyless(&[&["key", "list", "--key-file", "host.key"], arguments].concat()), b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        String::from_utf8(ran.out).unwrap()
    };
    let full = place.ok(&["key", "list"], b"");
    assert_eq!(
        host(&[]),
        full.replacen("fingerprint", "pack-only    it writes backups, and opens none\nfingerprint", 1)
    );
    let json: serde_json::Value = serde_json::from_str(&host(&["--json"])).unwrap();
    assert_eq!((&json["pack_only"], &json["generation"]), (&true.into(), &2.into()));
    place.ok(&["key", "rotate", "--new-epoch", "--recipient", hybrid()], b"");
    assert!(host(&[]).contains(", epoch 1\n") && host(&[]).contains("slots        1, generation 2"));
}
