//! Whatever is wrong with a legacy archive, with its parts or with the old key is told before a byte is used.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::archives::{
    GUID, ID, KEY, OLD_KEY, archive, dump, encrypt, filter, gzip, import, secret, stored, unpack, with_fixed_salt,
    with_parts,
};
use crate::place::{PATH, Place, Ran, VAULT, names, run};

/// A wrong key under which a certain archive ends as if it had a padding: one in 256 is such a key.
const PASSES: &str = "wrong 208";

/// Whatever is wrong, it is told, and nothing is written: not to standard output, not into a file, not into the store. With `--stream` the
/// code is the same.
#[test]
fn what_is_wrong_is_told_before_a_byte_is_written() {
    let place = Place::with_key();
    secret(&place, "old", KEY);
    let plain = dump(4000);
    let compressed = stored(&plain);
    let sound = with_fixed_salt(&compressed);
    let blocks = sound.len() / 16;
    let flipped = |at: usize| {
        let mut archive = sound.clone();
        archive[at] ^= 0x10;
        archive
    };
    let mut by_gzip = archive(&plain);
    let middle = by_gzip.len() / 2;
    by_gzip[middle] ^= 1;
    let (mut wrong_crc, mut wrong_length) = (compressed.clone(), compressed.clone());
    let end = compressed.len();
    wrong_crc[end - 8] ^= 1;
    wrong_length[end - 4] ^= 1;
    let cut_dump = &plain[..plain.len() - 60];
    let end_error = "the archive does not end as it should: it is cut or damaged there, or its last part is missing";
    let key_error = "the key is not the one of this archive, or its first bytes are damaged";
    let cases: Vec<(&str, Vec<u8>, i32, &str)> = vec![
        ("empty", Vec::new(), 13, "the archive is empty"),
        ("another file", plain.clone(), 13, "the archive does not begin with `Salted__`"),
        ("not even that", b"Salt!".to_vec(), 13, "the archive does not begin with `Salted__`"),
        ("a head", sound[..16].to_vec(), 13, "the archive is cut: it has 16 bytes, and the shortest one has 48"),
        ("half a head", sound[..9].to_vec(), 13, "the archive is cut: it has 9 bytes"),
        (
            "cut inside a block",
            sound[..sound.len() - 100 - sound.len() % 16 + 7].to_vec(),
            13,
            "the archive is cut inside a block",
        ),
        ("cut between blocks", sound[..16 * (blocks - 5)].to_vec(), 13, end_error),
        ("one block less", sound[..16 * (blocks - 1)].to_vec(), 13, end_error),
        (
            "a block more",
            [&sound[..], &sound[160..176]].concat(),
            13,
            "the archive is damaged: something follows its gzip",
        ),
        ("salt", flipped(9), 12, key_error),
        ("first block", flipped(16), 12, key_error),
        ("last block", flipped(sound.len() - 3), 13, end_error),
        (
            "a bit of the content",
            flipped(sound.len() / 2),
            13,
            "the archive is damaged: its gzip does not have the CRC",
        ),
        ("a bit of what gzip wrote", by_gzip, 13, "the archive is damaged: its gzip "),
        (
            "a part in the middle",
            [&sound[..4000], &sound[6000..]].concat(),
            13,
            "the archive is damaged: its gzip cannot be inflated",
        ),
        (
            "the CRC",
            with_fixed_salt(&wrong_crc),
            13,
            "the archive is damaged: its gzip does not have the CRC that was recorded",
        ),
        (
            "the length",
            with_fixed_salt(&wrong_length),
            13,
            "the archive is damaged: its gzip does not have the length that was recorded",
        ),
        ("gzip cut", with_fixed_salt(&compressed[..end - 20]), 13, "the archive is damaged: its gzip ends too early"),
        (
            "something behind",
            with_fixed_salt(&[&compressed[..], b"garbage"].concat()),
            13,
            "the archive is damaged: something follows its gzip",
        ),
        (
            "garbage like gzip",
            with_fixed_salt(&[&compressed[..], b"\x1f\x8b\x07"].concat()),
            13,
            "the archive is damaged: it is not gzip",
        ),
        ("not gzip", with_fixed_salt(&plain), 12, key_error),
        ("an empty dump", archive(b""), 15, "the dump in the archive is empty"),
        (
            "a dump without its end",
            archive(cut_dump),
            15,
            "the dump in the archive is cut short: expected `-- PostgreSQL database dump complete`",
        ),
    ];
    assert_eq!(cases.len(), 23);
    for (case, archive, code, error) in cases {
        unpack(&place, &["-"], &archive).refused(case, code, error);
        unpack(&place, &["-", "-o", "out"], &archive).refused(case, code, error);
        assert!(!place.path("out").exists(), "{case}");
        let streamed = unpack(&place, &["-", "--stream"], &archive);
        assert_eq!(streamed.code, Some(code), "{case}: {}", streamed.err);
        let consumer = unpack(&place, &["-", "--", "sh", "-c", "cat >fed && touch ended"], &archive);
        consumer.refused(case, code, error);
        assert!(!place.path("fed").exists(), "{case}: the consumer was begun");
        for how in [&["-"][..], &["-", "--stream"]] {
            import(&place, how, &archive).refused(case, code, error);
            assert_eq!(place.objects(), [] as [String; 0], "{case}");
        }
    }
    // A consumer that is fed meanwhile never sees the end.
    let cut = archive(cut_dump);
    let fed = unpack(&place, &["-", "--stream", "--", "sh", "-c", "cat >fed && touch ended"], &cut);
    fed.refused("a consumer", 15, "the dump in the archive is cut short");
    assert!(!place.path("ended").exists());
    let salvaged = unpack(&place, &["-", "--stream"], &cut);
    assert!(salvaged.out == cut_dump, "{} of {} bytes", salvaged.out.len(), cut_dump.len());
}

/// A flipped bit in any byte of a small archive, and every cut.
#[test]
fn every_flipped_byte_and_every_cut_is_refused() {
    let place = Place::new();
    secret(&place, "old", KEY);
    let plain = dump(3);
    let sound = archive(&plain);
    assert!(sound.len() < 300, "{}", sound.len());
    let mut harmless = Vec::new();
    for at in 0..sound.len() {
        let mut archive = sound.clone();
        archive[at] ^= 1 << (at % 8);
        let ran = unpack(&place, &["-q", "-", "-o", "out", "--force"], &archive);
        match ran.code {
            Some(0) => {
                assert!(fs::read(place.path("out")).unwrap() == plain, "byte {at} changed the dump");
                harmless.push(at);
            }
            code => assert!(matches!(code, Some(12 | 13)), "byte {at}: {ran:?}"),
        }
    }
    // Each byte is part of a block whose garbling shows.
    assert_eq!(harmless, [] as [usize; 0]);
    for length in 0..sound.len() {
        let ran = unpack(&place, &["-q", "-"], &sound[..length]);
        assert_eq!((ran.code, ran.out.len()), (Some(13), 0), "cut at {length}: {}", ran.err);
    }
}

#[test]
fn a_wrong_key_is_told_whatever_the_padding_says() {
    let place = Place::new();
    secret(&place, "old", KEY);
    let sound = with_fixed_salt(&stored(b"a dump"));
    let error = "the key is not the one of this archive, or its first bytes are damaged";
    // For `openssl` the one is wrong and the other right: the last block ends in 1 by chance.
    for (wrong, code) in [("wrong 1", 1), (PASSES, 0)] {
        let pass = format!("pass:{wrong}");
        let openssl = filter("openssl", "openssl", &["enc", "-d", "-aes256", "-md", "md5", "-pass", &pass], &sound);
        assert_eq!(openssl.code, Some(code), "{wrong}: {}", openssl.err);
        secret(&place, "old", wrong);
        unpack(&place, &["-"], &sound).refused(wrong, 12, error);
    }
    // The right key, used in another way.
    secret(&place, "old", KEY);
    unpack(&place, &["-", "--pbkdf2"], &sound).refused("no PBKDF2", 12, error);
    let pbkdf2 = encrypt(&gzip(&dump(3)), &["-pbkdf2"]);
    unpack(&place, &["-"], &pbkdf2).refused("PBKDF2", 12, error);
    unpack(&place, &["-", "--iter", "9999"], &pbkdf2).refused("other iterations", 12, error);
}

#[test]
fn parts_that_are_not_there_are_told_by_name() {
    let plain = dump(900);
    let sound = archive(&plain);
    let last = sound.len().div_ceil(1500) - 1;
    assert!(last > 10);
    for (first, missing, code, error) in [
        (0, 3, 14, format!("part 3 of {ID} is missing: there are others with higher numbers")),
        (1, 10, 14, format!("part 10 of {ID} is missing: there are others with higher numbers")),
        // From 1 on it could be a set that begins there; its first part tells that it does not.
        (0, 0, 13, "the archive does not begin with `Salted__`".into()),
        (1, 1, 14, format!("part 1 of {ID} is missing: there are others with higher numbers")),
        (0, last, 13, "the archive ".into()),
        (1, last + 1, 13, "the archive ".into()),
    ] {
        let place = with_parts(&sound, 1500, first);
        fs::remove_file(place.store().join(format!("{ID}-{missing}"))).unwrap();
        unpack(&place, &[ID], b"").refused(&format!("{missing} from {first}"), code, &error);
        let files: Vec<String> = place.objects().iter().map(|name| format!("store/{name}")).collect();
        let files: Vec<&str> = ["--files"].into_iter().chain(files.iter().map(String::as_str)).collect();
        unpack(&place, &files, b"").refused(&format!("files: {missing} from {first}"), code, &error);
        let before = place.objects();
        import(&place, &[ID], b"").refused("import", code, &error);
        assert_eq!(place.objects(), before);
    }
    // Cut exactly between two blocks.
    let sound = with_fixed_salt(&stored(&plain));
    let place = with_parts(&sound, 1600, 0);
    fs::remove_file(place.store().join(format!("{ID}-{}", sound.len().div_ceil(1600) - 1))).unwrap();
    unpack(&place, &[ID], b"").refused("the last part", 13, "the archive does not end as it should");
}

#[test]
fn archives_that_lie_over_each_other_are_not_guessed_at() {
    let plain = dump(300);
    let sound = archive(&plain);
    let both = "two archives lie over each other";
    // Parts from 0, and over them those of a copy from 1.
    let place = with_parts(&sound, 1500, 0);
    for (number, part) in sound.chunks(1500).enumerate() {
        fs::write(place.store().join(format!("{ID}-{}", number + 1)), part).unwrap();
    }
    let error = format!("`{ID}-0` and `{ID}-1` are both the beginning of an archive");
    let ran = unpack(&place, &[ID], b"");
    ran.refused("from 0 and from 1", 2, &error);
    assert!(ran.err.contains(both), "{}", ran.err);
    // By hand it can be said which ones are meant.
    let files: Vec<String> = (1..=sound.len().div_ceil(1500)).map(|number| format!("store/{ID}-{number}")).collect();
    let files: Vec<&str> = ["--files"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(unpack(&place, &files, b"").out, plain);
    let twice = [&files[..], &[files[2]]].concat();
    unpack(&place, &twice, b"").refused("twice", 2, &format!("part 2 of {ID} is given twice"));
    // One object and parts.
    fs::write(place.store().join(ID), &sound).unwrap();
    unpack(&place, &[ID], b"").refused("both forms", 2, &format!("{ID} is there as one object and as parts"));
    // Two archives of one database.
    fs::write(place.store().join(format!("{GUID}-1718107200")), &sound).unwrap();
    let error = format!("2 legacy archives match: {ID}, {GUID}-1718107200");
    unpack(&place, &[GUID], b"").refused("which", 2, &error);
    // What is vault's is left to `vault unpack`.
    let id = place.pack(&[], b"a dump");
    let part = format!("{id}-0");
    unpack(&place, &[&id], b"").refused("a backup", 10, &format!("`{part}` belongs to a backup of vault's"));
    let file = format!("store/{part}");
    unpack(&place, &["--files", &file], b"").refused("a part", 10, &format!("`{file}` belongs to a backup of vault's"));
    let bytes = fs::read(place.path(&file)).unwrap();
    let error = "`standard input` belongs to a backup of vault's";
    unpack(&place, &["-"], &bytes).refused("a piped part", 10, error);
    // And the other way round.
    let other = run(place.command(&["unpack", ID]), b"");
    other.refused("vault unpack", 10, &format!("{ID} is a legacy archive"));
    assert!(other.err.contains("`vault legacy unpack`"), "{}", other.err);
}

#[test]
fn the_old_key_is_kept_as_other_secrets_are() {
    let sound = archive(&dump(10));
    let place = with_parts(&sound, 1 << 20, 0);
    let file = |name: &str| run(place.command(&["legacy", "unpack", ID, "--legacy-key-file", name]), b"");
    file("nowhere").refused("not there", 2, "cannot read the old key's file `nowhere`");
    fs::set_permissions(place.path("old"), Permissions::from_mode(0o644)).unwrap();
    file("old").refused("exposed", 2, "the old key's file `old` has mode 0644");
    secret(&place, "store/old", KEY);
    file("store/old").refused("in the store", 2, "the old key's file `store/old` lies inside the store");
    secret(&place, "empty", "\n");
    file("empty").refused("empty", 2, "an old key has 1 to 1024 bytes");
    let command = |text: &str| run(place.command(&["legacy", "unpack", ID, "--legacy-key-command", text]), b"");
    command("exit 3").refused("the command", 1, "the old key's command failed: exit status: 3");
    command("true").refused("says nothing", 2, "an old key has 1 to 1024 bytes");
    let mut without = Command::new("setsid");
    without.args(["--wait", VAULT, "legacy", "unpack", ID]).env_clear().env("PATH", PATH);
    without.env("VAULT_STORE", place.store());
    run(without, b"").refused("no terminal", 2, "there is no old key");
    // Other input that cannot be.
    let old = |arguments: &[&str]| {
        secret(&place, "old", KEY);
        unpack(&place, arguments, b"")
    };
    old(&["nothing"]).refused("no such archive", 10, "there is no legacy archive nothing");
    old(&["--files", "nothing"]).refused("no such file", 10, "there is no legacy archive `nothing`");
    old(&["--files", "store"]).refused("a directory", 2, "`store` is not a regular file");
    for arguments in [&[][..], &[ID, "--files", "old"], &[ID, "--iter", "0"], &[ID, "--legacy-key-command", "true"]] {
        assert_eq!(old(arguments).code, Some(2), "{arguments:?}");
    }
    let mut unwritable = place.command(&["legacy", "unpack", "-", "--legacy-key-file", "old"]);
    unwritable.env("TMPDIR", place.path("nowhere"));
    run(unwritable, &sound).refused("no room", 1, "cannot keep a copy of the archive in ");
    // No key for the new backup: nothing is decoded, and no store is made.
    let other = Place::new();
    let mut keyless = Command::new("setsid");
    keyless.args(["--wait", VAULT, "legacy", "import", "-", "--legacy-key-command", "touch asked; echo key"]);
    keyless.env_clear().env("PATH", PATH).env("VAULT_STORE", other.store()).current_dir(other.dir.path());
    run(keyless, &sound).refused("no key", 2, "there is no key");
    assert_eq!(names(other.dir.path()), [] as [String; 0]);
}

#[test]
fn a_pipe_that_falls_silent_is_not_waited_for() {
    let place = Place::with_key();
    secret(&place, "old", KEY);
    let sound = archive(&dump(3000));
    for (command, given) in [("unpack", 0), ("unpack", 10_000), ("import", 10_000)] {
        let mut child = place.command(&["legacy", command, "-", "--timeout", "1"]);
        child.args(OLD_KEY).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&sound[..given]).unwrap();
        let ended = child.wait_with_output().unwrap();
        drop(input);
        let err = String::from_utf8(ended.stderr).unwrap();
        let ran = Ran { code: ended.status.code(), out: ended.stdout, err };
        ran.refused(command, 15, "the run took longer than its 1 s");
        assert_eq!(place.objects(), [] as [String; 0]);
    }
}
