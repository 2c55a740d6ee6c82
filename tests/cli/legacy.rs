//! Legacy archives come back as `openssl … | gunzip` gives them, wherever they are, and become backups.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::archives::{
    GUID, ID, KEY, STORED_BYTES, archive, decrypt_by_openssl, dump, encrypt, gzip, import, secret, stored, unpack,
    with_parts,
};
use crate::place::{Place, names, noise, run};

const WARNING: &str = "vault: warning: nothing in ";

#[test]
fn what_openssl_wrote_comes_back_as_openssl_gives_it() {
    let plain = dump(6000);
    let ways: [(&[&str], &[&str]); 5] = [
        (&["-md", "md5"], &[]),
        (&["-md", "sha256"], &[]),
        (&["-pbkdf2"], &["--pbkdf2"]),
        (&["-pbkdf2", "-iter", "777"], &["--iter", "777"]),
        (&["-pbkdf2", "-iter", "3", "-md", "md5"], &["--pbkdf2", "--iter", "3"]),
    ];
    for (made, read) in ways {
        let archive = encrypt(&gzip(&plain), made);
        assert_eq!(decrypt_by_openssl(&archive, made), plain);
        // 12 parts and more, so that 10 comes after 9 and not after 1.
        let place = with_parts(&archive, archive.len() / 12, made.len() % 2);
        let ran = unpack(&place, &[&[ID], read].concat(), b"");
        assert_eq!((ran.code, ran.out == plain), (Some(0), true), "{made:?}: {}", ran.err);
        assert!(ran.err.starts_with(&format!("{WARNING}{ID} is authenticated")), "{}", ran.err);
        assert!(ran.err.contains("of pg_dump, complete"), "{}", ran.err);
    }
}

/// Sizes around a block of the cipher, a slab of either thread, and an end exactly on one.
#[test]
fn archives_of_every_size_come_back() {
    let place = Place::new();
    secret(&place, "old", KEY);
    let mut sizes = 0;
    for bytes in (1..36).chain([(1 << 20) - 18, 1 << 20, (1 << 20) + 1]) {
        let plain = noise(bytes, 1);
        let ran = unpack(&place, &["-q", "-"], &archive(&plain));
        assert_eq!((ran.code, ran.out == plain), (Some(0), true), "{bytes}: {}", ran.err);
        sizes += 1;
    }
    assert_eq!(sizes, 38);
    // Encrypted, it ends exactly where a slab of 1 MiB ends, and one block before and behind.
    for blocks in [0, 1, 2] {
        let bytes: usize = (1 << 20) - 17 + 16 * blocks;
        let content = stored(&noise(bytes - 18 - 5 * bytes.div_ceil(STORED_BYTES), 2));
        assert_eq!(content.len(), bytes);
        let archive = encrypt(&content, &["-md", "md5"]);
        assert_eq!(archive.len(), 16 + (1 << 20) - 16 + 16 * blocks);
        let ran = unpack(&place, &["-q", "-"], &archive);
        assert_eq!((ran.code, ran.out), (Some(0), decrypt_by_openssl(&archive, &["-md", "md5"])), "{}", ran.err);
    }
}

#[test]
fn an_archive_is_found_in_a_store_in_files_and_on_standard_input() {
    let plain = dump(900);
    let whole = archive(&plain);
    let place = with_parts(&whole, 1500, 0);
    let other = format!("{GUID}-1718107200");
    fs::write(place.store().join(&other), &whole).unwrap();
    let parts: Vec<String> =
        place.objects().iter().filter(|name| name.starts_with(ID)).map(|name| format!("store/{name}")).collect();
    assert!(parts.len() > 10 && parts[2].ends_with("-10"), "{parts:?}");
    let files: Vec<&str> = ["--files"].into_iter().chain(parts.iter().map(String::as_str)).collect();
    let single = format!("store/{other}");
    let ways: [(&[&str], &[u8]); 7] = [
        (&[ID], b""),
        (&[&ID[..44]], b""),
        (&[&other], b""),
        (&files, b""),
        (&["--files", &single], b""),
        (&["-"], &whole),
        (&["-", "--stream"], &whole),
    ];
    for (arguments, input) in ways {
        let ran = unpack(&place, arguments, input);
        assert_eq!((ran.code, ran.out == plain), (Some(0), true), "{arguments:?}: {}", ran.err);
    }
    // The key from a command; a first line is the key; the dump into a command, and into a file.
    let by_command = ["legacy", "unpack", ID, "--legacy-key-command", "cat old"];
    assert_eq!(run(place.command(&by_command), b"").out, plain);
    secret(&place, "old", &format!("{KEY}\r\nnot the key\n"));
    let fed = unpack(&place, &["-q", ID, "--", "sh", "-c", "cat; exit 0"], b"");
    assert_eq!((fed.code, fed.out == plain), (Some(0), true), "{}", fed.err);
    let fed = unpack(&place, &[&files[..], &["--", "cat"]].concat(), b"");
    assert_eq!((fed.code, fed.out == plain), (Some(0), true), "{}", fed.err);
    let json = unpack(&place, &["-", "-o", "out.sql", "--json"], &whole);
    let last = json.err.lines().last().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (json.code, &summary["bytes"], &summary["authenticated"]),
        (Some(0), &plain.len().into(), &false.into())
    );
    assert_eq!(fs::read(place.path("out.sql")).unwrap(), plain);
    assert_eq!(fs::metadata(place.path("out.sql")).unwrap().permissions().mode() & 0o777, 0o600);
    unpack(&place, &["-", "-o", "out.sql"], &whole).refused("there already", 11, "`out.sql` exists already");
    unpack(&place, &[ID, "-o", "store/out.sql"], b"").refused("inside", 2, "`store/out.sql` lies inside the store");
}

#[test]
fn what_gunzip_takes_is_taken() {
    let place = Place::new();
    secret(&place, "old", KEY);
    let (one, two) = (dump(40), dump(50));
    let members = [gzip(&one), gzip(&two)].concat();
    let named = [&b"\x1f\x8b\x08\x1c\0\0\0\0\0\x03\x03\0abcname\0comment\0"[..], &gzip(&one)[10..]].concat();
    let cases: [(&str, Vec<u8>, Vec<u8>); 4] = [
        ("two members", members.clone(), [&one[..], &two].concat()),
        ("zeros behind", [&members[..], &[0; 700]].concat(), [&one[..], &two].concat()),
        ("a header with everything", named, one.clone()),
        ("gzip inside gzip", gzip(&gzip(&one)), gzip(&one)),
    ];
    for (case, content, plain) in cases {
        let archive = encrypt(&content, &["-md", "md5"]);
        let ran = unpack(&place, &["-"], &archive);
        assert_eq!((ran.code, ran.out == plain), (Some(0), true), "{case}: {}", ran.err);
        assert_eq!(decrypt_by_openssl(&archive, &["-md", "md5"]), plain, "{case}");
        let told = ran.err.contains("`--gunzip`") && ran.err.contains("of pg_dump, complete");
        assert_eq!(told, case == "gzip inside gzip", "{}", ran.err);
    }
    let twice = encrypt(&gzip(&gzip(&one)), &["-md", "md5"]);
    let inflated = unpack(&place, &["-", "--gunzip"], &twice);
    assert_eq!((inflated.code, inflated.out == one), (Some(0), true), "{}", inflated.err);
    let once = unpack(&place, &["-", "--gunzip"], &archive(&one));
    assert_eq!((once.code, once.out == one), (Some(0), true), "{}", once.err);
    // The inner one is looked into, whether it is inflated or not.
    let inner = gzip(&one);
    let cut = encrypt(&gzip(&inner[..inner.len() - 9]), &["-md", "md5"]);
    for arguments in [&["-"][..], &["-", "--gunzip"]] {
        let error = "the archive holds gzip inside gzip, and the inner one is damaged: its gzip ends too early";
        unpack(&place, arguments, &cut).refused("inner", 15, error);
    }
}

#[test]
fn an_archive_becomes_a_backup() {
    let plain = dump(6000);
    let sound = archive(&plain);
    let place = with_parts(&sound, 20_000, 0);
    let legacy = place.objects();
    let first = import(&place, &["-q", ID, "--tag", "why=move"], b"");
    assert_eq!(first.code, Some(0), "{}", first.err);
    let first = String::from_utf8(first.out).unwrap().trim().to_owned();
    let shown = place.ok(&["show", &first, "--json"], b"");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(shown.to_string().contains(ID), "{shown}");
    // Once more, from files and from standard input: each is another backup, and stores nothing twice.
    let elsewhere = with_parts(&sound, 20_000, 1);
    let moved = place.path("moved");
    fs::rename(elsewhere.store(), &moved).unwrap();
    let files: Vec<String> = names(&moved).iter().map(|name| format!("moved/{name}")).collect();
    let files: Vec<&str> = ["--json", "--files"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let ways: [(&[&str], &[u8]); 4] = [
        (&files, b""),
        (&["--json", ID, "--from", "moved"], b""),
        (&["--json", "-"], &sound),
        (&["--json", "-", "--stream"], &sound),
    ];
    for (arguments, input) in ways {
        let again = import(&place, arguments, input);
        let summary: serde_json::Value = serde_json::from_slice(&again.out).unwrap();
        assert_eq!((again.code, &summary["new_bytes"]), (Some(0), &0.into()), "{arguments:?}: {}", again.err);
        assert_eq!(summary["verdict"], "complete");
        assert_ne!(summary["id"], first.as_str());
        assert_eq!(place.unpack(summary["id"].as_str().unwrap()).out, plain, "{arguments:?}");
    }
    assert_eq!(place.unpack(&first).out, plain);
    let listed = place.ok(&["list"], b"");
    assert_eq!(listed.matches("pg_dump").count(), 5, "{listed}");
    // The archive itself is as it was.
    for name in &legacy {
        assert!(place.objects().contains(name), "{name}");
    }
    assert_eq!(unpack(&place, &[ID], b"").out, plain);
}

/// Of what comes from a pipe only ciphertext reaches a disk, in a file that has no name.
#[test]
fn what_comes_from_a_pipe_is_kept_encrypted_and_without_a_name() {
    let place = Place::new();
    secret(&place, "old", KEY);
    let temporary = place.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let plain = dump(3000);
    let sound = archive(&plain);
    let mut child = place.command(&["legacy", "unpack", "-q", "-", "--legacy-key-file", "old"]);
    child.env("TMPDIR", &temporary).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (most, rest) = sound.split_at(sound.len() - 5);
    input.write_all(most).unwrap();
    // All that was read is kept: the file is found by what is open, since it has no name.
    let open = PathBuf::from(format!("/proc/{}/fd", child.id()));
    let kept = || {
        let files = fs::read_dir(&open).unwrap().map(|entry| entry.unwrap().path());
        let mut ours = files.filter(|path| fs::read_link(path).is_ok_and(|target| target.starts_with(&temporary)));
        ours.find(|path| fs::metadata(path).is_ok_and(|file| file.len() == most.len() as u64))
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let kept = std::iter::repeat_with(kept).find_map(|kept| {
        assert!(Instant::now() < deadline, "nothing was kept");
        sleep(Duration::from_millis(5));
        kept
    });
    let kept = kept.unwrap();
    assert!(fs::read(&kept).unwrap() == most);
    let file = fs::metadata(&kept).unwrap();
    assert_eq!((file.nlink(), file.permissions().mode() & 0o777), (0, 0o600));
    assert_eq!(names(&temporary), [] as [String; 0]);
    input.write_all(rest).unwrap();
    drop(input);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout == plain), (Some(0), true));
}
