//! Stores that are not there, cannot be written, are full, or hold something else.

use std::fs;
use std::process::Command;

use crate::place::{PATH, Place, VAULT, noise, run};

/// Runs a shell script with mounts of its own, which end with it. A script that cannot have them fails: it is never skipped.
fn with_mounts(place: &Place, script: &str) -> (Option<i32>, String) {
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(if root { ["--mount"].as_slice() } else { &["--map-root-user", "--mount"] });
    command
        .args(["sh", "-euc", script])
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", place.path("home"))
        .env("VAULT", VAULT)
        .env("VAULT_STORE", place.store())
        .env("VAULT_KEY_FILE", place.path("key"))
        .current_dir(place.dir.path());
    let ran = run(command, b"");
    let told = String::from_utf8_lossy(&ran.out).into_owned() + &ran.err;
    assert!(
        !told.contains("unshare") && !told.contains("mount:"),
        "this test mounts a small tmpfs, for which it needs CAP_SYS_ADMIN or unprivileged user namespaces: {told}"
    );
    (ran.code, told)
}

/// What follows `NAME: ` on the line of a script that begins so.
fn line<'t>(told: &'t str, name: &str) -> &'t str {
    let found = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no line `{name}: ` in\n{told}"))
}

#[test]
fn a_full_disk_leaves_earlier_backups_alone() {
    let place = Place::with_key();
    fs::create_dir(place.store()).unwrap();
    fs::write(place.path("small"), noise(200_000, 1)).unwrap();
    fs::write(place.path("large"), noise(8_000_000, 2)).unwrap();
    let script = r#"
        mount -t tmpfs -o size=2m tmpfs store
        "$VAULT" pack -q <small >/dev/null
        before=$(ls -A store)
        code=0; "$VAULT" pack --part-size 256KiB <large || code=$?
        echo "code: $code"
        [ "$before" = "$(ls -A store)" ] && echo "store: same" || { echo "store: changed"; ls -A store; }
        "$VAULT" unpack -q latest | cmp - small && echo "earlier: whole"
    "#;
    let (code, told) = with_mounts(&place, script);
    assert_eq!(line(&told, "code"), "16", "{told}");
    assert_eq!(line(&told, "store"), "same", "{told}");
    assert_eq!(line(&told, "earlier"), "whole", "{told}");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("vault: error: cannot write ") && told.contains("vault: hint: make room"), "{told}");
}

#[test]
fn a_store_that_cannot_be_written_can_still_be_read() {
    let place = Place::with_key();
    fs::create_dir(place.store()).unwrap();
    fs::write(place.path("small"), noise(200_000, 1)).unwrap();
    let script = r#"
        mount -t tmpfs -o size=4m tmpfs store
        "$VAULT" pack -q <small >/dev/null
        mount -o remount,ro store
        code=0; "$VAULT" pack <small || code=$?
        echo "code: $code"
        "$VAULT" unpack -q latest | cmp - small && echo "earlier: whole"
        "$VAULT" verify --read-data && echo "verify: good"
    "#;
    let (code, told) = with_mounts(&place, script);
    assert_eq!(line(&told, "code"), "16", "{told}");
    assert_eq!(line(&told, "earlier"), "whole", "{told}");
    assert_eq!(line(&told, "verify"), "good", "{told}");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("vault: error: cannot write ") && told.contains("vault: hint: see whether"), "{told}");
}

#[test]
fn a_store_is_made_by_pack_only() {
    let place = Place::with_key();
    let readers: [&[&str]; 5] =
        [&["unpack", "latest"], &["list"], &["show", "latest"], &["verify"], &["rebuild-manifest", ID]];
    let mut tried = 0;
    for reader in readers {
        run(place.command(reader), b"").fails(reader[0], 10, "there is no store at ");
        tried += 1;
    }
    assert!(!place.store().exists());
    fs::create_dir(place.store()).unwrap();
    for reader in readers.into_iter().filter(|reader| reader[0] != "list") {
        run(place.command(reader), b"").fails(reader[0], 10, "there is no backup");
        tried += 1;
    }
    assert_eq!(tried, 9);
    assert_eq!(place.ok(&["list"], b""), "no backups\n");
    fs::remove_dir(place.store()).unwrap();
    place.pack(&[], b"dump");
    assert_eq!(place.objects().len(), 4);
}

const ID: &str = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd-1718020800123";

#[test]
fn stores_have_urls_and_a_default() {
    let place = Place::with_key();
    let url = format!("file://{}", place.store().display());
    place.ok(&["pack", "--store", &url], b"dump");
    let mut here = place.command(&["unpack", "latest"]);
    here.env_remove("VAULT_STORE").current_dir(place.store());
    assert_eq!(run(here, b"").out, b"dump");
    let mut tried = 0;
    for store in ["s3://bucket/prefix", "file://relative", "https://host/x"] {
        run(place.command(&["list", "--store", store]), b"").fails(store, 2, &format!("`{store}` is not a store"));
        tried += 1;
    }
    fs::write(place.path("file"), "").unwrap();
    run(place.command(&["list", "--store", "file"]), b"").fails("a file", 16, "cannot open the store");
    assert_eq!(tried, 3);
}

#[test]
fn a_backup_is_meant_by_as_much_as_is_unique() {
    let place = Place::with_key();
    let first = place.pack(&[], b"first");
    let second = place.pack(&[], b"second");
    run(place.command(&["unpack", ID]), b"").fails("unknown", 10, &format!("there is no backup {ID}"));
    run(place.command(&["unpack", "nonsense"]), b"").fails("no id", 10, "there is no backup nonsense");
    run(place.command(&["unpack", ""]), b"").fails("nothing", 10, "there is no backup");
    let ambiguous = run(place.command(&["unpack", &first[..36]]), b"");
    ambiguous.fails("ambiguous", 2, "2 backups match: ");
    assert!(ambiguous.err.contains(&first) && ambiguous.err.contains(&second));
    // As long as it takes to tell them apart.
    let same = first.bytes().zip(second.bytes()).take_while(|(left, right)| left == right).count();
    assert_eq!(place.unpack(&first[..=same]).out, b"first");
    assert_eq!(place.unpack("latest").out, b"second");
    let told = run(place.command(&["unpack", "latest"]), b"").err;
    assert!(told.starts_with(&format!("vault: unpacking {second} of 20")) && told.contains(" ago"), "{told}");
}

#[test]
fn legacy_archives_are_shown_and_left_alone() {
    let place = Place::with_key();
    place.pack(&[], b"dump");
    let guid = &ID[..36];
    let foreign = format!("{guid}-1718020800000.json");
    let parts = format!("{guid}-1718020800001-0");
    for name in [foreign.as_str(), &parts, &format!("{guid}-1718020999-0")] {
        fs::write(place.store().join(name), "{\"index\": 0}").unwrap();
    }
    let before = place.objects();
    let listed = place.ok(&["list"], b"");
    assert_eq!(listed.matches("legacy").count(), 3, "{listed}");
    let mut tried = 0;
    for id in ["1718020800000", "1718020999"] {
        let id = format!("{guid}-{id}");
        run(place.command(&["unpack", &id]), b"").fails(&id, 10, &format!("{id} is a legacy archive"));
        tried += 1;
    }
    let id = format!("{guid}-1718020800001");
    run(place.command(&["rebuild-manifest", &id]), b"").fails(&id, 10, &format!("{id} is a legacy archive"));
    assert_eq!(tried, 2);
    assert_eq!(place.ok(&["verify", "--all"], b"").lines().count(), 2);
    assert_eq!(place.objects(), before);
}

#[test]
fn without_a_home_there_is_no_cache_and_a_warning() {
    let place = Place::with_key();
    let mut homeless = place.command(&["pack"]);
    homeless.env_remove("HOME");
    let ran = run(homeless, b"dump");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.starts_with("vault: warning: no cache is kept"), "{ran:?}");
    assert!(!place.path("home").exists());
    // With one it is kept, for the owner only, and told apart by store, guid and epoch.
    let id = place.pack(&[], b"dump");
    let cache = place.path("home/.cache/vault");
    let stores = crate::place::names(&cache);
    assert_eq!(stores.len(), 1);
    assert_eq!(crate::place::names(&cache.join(&stores[0])), [format!("{}-1", &id[..36])]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    // And when nobody wants it, not.
    fs::remove_dir_all(place.path("home")).unwrap();
    place.pack(&["--no-cache"], b"dump");
    assert!(!place.path("home/.cache").exists());
}
