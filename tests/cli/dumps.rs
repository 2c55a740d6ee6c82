//! Dumps that are no text: what a person is told of their end, of their versions, and of their compression.

use crate::archives::gzip;
use crate::place::{Place, run};

fn number(value: i32) -> Vec<u8> {
    [&[u8::from(value < 0)][..], &value.unsigned_abs().to_le_bytes()].concat()
}

/// An archive of `pg_dump -Fc` as PostgreSQL 15 writes it, without an entry.
fn custom(minor: u8, level: i32) -> Vec<u8> {
    let mut archive = [&b"PGDMP\x01"[..], &[minor, 0, 4, 8, 1], &number(level)].concat();
    archive.extend([20, 10, 21, 20, 10, 126, 0].map(number).concat());
    for text in ["shop", "15.20 (Debian)", "15.19\u{1b}[2J"] {
        archive.extend(number(i32::try_from(text.len()).unwrap()));
        archive.extend(text.as_bytes());
    }
    archive.extend(number(0));
    archive
}

fn tar() -> Vec<u8> {
    let mut archive = vec![0; 512 * 4];
    archive[0] = b'f';
    archive[124..136].copy_from_slice(b"00000000007\0");
    archive[156] = b'0';
    archive[257..265].copy_from_slice(b"ustar\x0000");
    let sum = archive[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive
}

#[test]
fn what_is_compressed_already_is_said_once() {
    let place = Place::with_key();
    let text = "a dump ".repeat(100);
    let begins = |magic: &[u8]| [magic, &[7; 300]].concat();
    let cases = [
        (custom(14, -1), "pg_dump-custom", "compressed by pg_dump", "`pg_dump -Fc -Z0`"),
        (gzip(text.as_bytes()), "raw", "compressed by gzip", "without gzip"),
        (begins(&[0x28, 0xb5, 0x2f, 0xfd]), "raw", "compressed by zstd", "without zstd"),
        (begins(b"\xfd7zXZ\0"), "raw", "compressed by xz", "without xz"),
        (begins(b"BZh9"), "raw", "compressed by bzip2", "without bzip2"),
        (begins(&[4, 0x22, 0x4d, 0x18]), "raw", "compressed by lz4", "without lz4"),
    ];
    for (dump, kind, found, instead) in &cases {
        let ran = run(place.command(&["pack", "--allow-shrink"]), dump);
        assert_eq!(ran.code, Some(0), "{found}: {ran:?}");
        let told: Vec<&str> = ran.err.lines().filter(|line| line.contains("note: ")).collect();
        assert!(matches!(told[..], [line] if line.contains(found) && line.contains(instead)), "{}", ran.err);
        let quiet = run(place.command(&["pack", "-q", "--allow-shrink"]), dump);
        assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""), "{found}");
        let shown = place.ok(&["show", "latest"], b"");
        assert!(shown.lines().any(|line| line.starts_with("kind") && line.ends_with(kind)), "{shown}");
    }
    for plain in [custom(14, 0), tar()] {
        let ran = run(place.command(&["pack", "--allow-shrink"]), &plain);
        assert!(ran.code == Some(0) && !ran.err.contains("note"), "{ran:?}");
    }
    // Of what nothing is known, whoever wrote it could vouch for.
    let piped = run(place.command(&["pack", "--allow-shrink"]), text.as_bytes());
    assert_eq!(piped.code, Some(0), "{piped:?}");
    let note = "note: nothing is known of how this input ends, so it counts as good however it is cut; let vault run the program";
    assert_eq!(piped.err.matches(note).count(), 1, "{}", piped.err);
    let child = run(place.command(&["pack", "--allow-shrink", "--", "printf", &text]), b"");
    assert!(child.code == Some(0) && !child.err.contains("note"), "{child:?}");
    let empty = run(place.command(&["pack", "--allow-empty", "--allow-shrink"]), b"");
    assert!(empty.code == Some(0) && !empty.err.contains("note"), "{empty:?}");
}

#[test]
fn an_archive_without_its_end_is_refused() {
    let place = Place::with_key();
    let (whole, archive) = (custom(14, 0), tar());
    let mut behind = whole.clone();
    behind.extend([0; 300]);
    let cut = "the dump is cut short: ";
    let cases: [(&[u8], &str, &str); 5] = [
        (
            &whole[..whole.len() - 1],
            cut,
            "but the stream ends inside its table of contents; 0 of 0 blocks of data are whole",
        ),
        (&behind, cut, "but something stands where it cannot"),
        (
            &archive[..archive.len() - 1],
            cut,
            "expected two blocks of zeros at the end, but the stream ends inside a header",
        ),
        (&archive[..700], cut, "but the stream ends inside a member; 0 of 1 members begun are whole"),
        (
            &custom(40, 0),
            "nothing shows that the dump is whole: ",
            "this archive is of a version whose end is not known",
        ),
    ];
    for (dump, begins, error) in cases {
        let ran = run(place.command(&["pack"]), dump);
        ran.fails(error, 15, begins);
        assert!(ran.err.contains(error), "{}", ran.err);
    }
    assert_eq!(place.ok(&["list", "--json"], b"").matches("\"id\"").count(), 0);
}

#[test]
fn an_archive_has_versions_and_no_contents() {
    let place = Place::with_key();
    let id = place.pack(&[], &custom(14, 0));
    let shown = place.ok(&["show", &id], b"");
    assert!(shown.contains("server      15.20 (Debian)\n") && shown.contains("dump tool   15.19"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let shown = String::from_utf8(run(place.keyless(&["show", &id]), b"").out).expect("text");
    assert!(!shown.contains("15.20"), "{shown}");
    run(place.command(&["show", &id, "--contents"]), b"").fails("contents", 2, &format!("{id} has no dump map"));
    run(place.command(&["unpack", &id, "--table", "t"]), b"").fails("a part", 2, &format!("{id} has no dump map"));
    assert_eq!(run(place.command(&["unpack", &id]), b"").out, custom(14, 0));
}
