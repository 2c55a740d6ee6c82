//! Archives that are walked to their end: of the real pg_dump, of the real tar, and of a second writer of mongodump's format.

use std::path::Path;
use std::process::Command;

use crate::common::postgres::Cluster;
use crate::python;
use crate::{XorShift, observe, split_at_random};
use vault::base::map::{MapEntry, MapKind};
use vault::dump::{Advice, Archive, ArchiveSeen, DumpKind, Observer, Report, Shortfall, Unproven, Verdict};

const RANDOM_CUTS: usize = 2000;

/// Two large objects, one of which takes several chunks, and a table without rows.
const MORE: &str = "SELECT lo_from_bytea(0, convert_to(repeat('large object ', 1500), 'UTF8'));
  SELECT lo_from_bytea(0, '\\x00');
  CREATE TABLE empty (id integer);";

fn cut_short(report: Report) -> Option<(Archive, ArchiveSeen)> {
    match report.verdict {
        Verdict::Incomplete(Shortfall::Archive(shortfall)) => {
            assert!(shortfall.found <= shortfall.expected, "{shortfall:?}");
            Some((shortfall.of, shortfall.seen))
        }
        _ => None,
    }
}

/// Judges the prefixes of these lengths, which ascend. What comes back is how many were complete, and how the others ended.
fn cut(archive: &[u8], kind: DumpKind, lengths: impl Iterator<Item = usize>) -> (Vec<usize>, Vec<ArchiveSeen>) {
    let (mut observer, mut at) = (Observer::new(), 0);
    let (mut complete, mut ways) = (Vec::new(), Vec::new());
    for length in lengths {
        observer.push(&archive[at..length]);
        at = length;
        let report = observer.clone().finish();
        match (report.verdict, cut_short(report)) {
            (Verdict::Complete, _) => complete.push(length),
            (_, Some((_, seen))) => ways.push(seen),
            // Too short to be recognised.
            _ => assert!(report.kind == DumpKind::Raw && length < 262, "{kind}, cut at {length}: {report:?}"),
        }
    }
    ways.sort_unstable_by_key(|seen| *seen as u8);
    ways.dedup();
    (complete, ways)
}

fn everywhere(archive: &[u8], kind: DumpKind) -> (Vec<usize>, Vec<ArchiveSeen>) {
    cut(archive, kind, 1..=archive.len())
}

fn at_random(archive: &[u8], kind: DumpKind) {
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let mut lengths: Vec<usize> = (0..RANDOM_CUTS).map(|_| 1 + random.below(archive.len() - 1)).collect();
    // Around the end of what was cut everywhere a mistake would be.
    lengths.extend(archive.len() - 400..archive.len());
    lengths.sort_unstable();
    let (complete, _) = cut(archive, kind, lengths.into_iter());
    assert_eq!(complete, [] as [usize; 0], "{kind}");
}

fn versions(archive: &[u8]) -> Vec<MapEntry> {
    let mut observer = Observer::new();
    observer.push(archive);
    let mut map = observer.finish_map();
    let stop = map.pop().expect("a map ends");
    assert_eq!((stop.kind, stop.offset), (MapKind::Stop, 0));
    map
}

/// The versions are those that the tools tell.
fn assert_versions(server: &Cluster, archive: &[u8]) {
    let tool = String::from_utf8(server.output("pg_dump", &["--version"])).expect("text");
    let tool = tool.trim().strip_prefix("pg_dump (PostgreSQL) ").expect("a version").to_owned();
    let own = server.psql("postgres", "SHOW server_version").trim().to_owned();
    let found = versions(archive);
    let found: Vec<(&[u8], &[u8])> = found.iter().map(|entry| (&entry.class[..], &entry.own.name[..])).collect();
    assert_eq!(found, [(&b"server"[..], own.as_bytes()), (b"tool", tool.as_bytes())]);
}

/// What `archives_are_recognised` asks of each format of the real pg_dump.
pub fn of_pg_dump(server: &Cluster) {
    server.psql("shop", MORE);
    let mut walked = 0;
    for options in [
        &[][..],
        &["-Z0"],
        &["-Z9"],
        &["--schema-only"],
        &["--section=pre-data"],
        &["--section=data", "-Z0"],
        &["--section=post-data"],
        &["--data-only", "--no-blobs"],
        &["--create", "--clean"],
        &["--exclude-table-data=*"],
        &["--table=empty", "-Z0"],
        &["--inserts", "-Z1"],
    ] {
        for (format, kind) in [("-Fc", DumpKind::PgCustom), ("-Ft", DumpKind::Tar)] {
            let plain = kind == DumpKind::Tar || options.contains(&"-Z0");
            let options: Vec<&str> =
                options.iter().filter(|option| kind != DumpKind::Tar || !option.starts_with("-Z")).copied().collect();
            let archive = server.output("pg_dump", &[&[format], &options[..], &["shop"]].concat());
            let report = observe(&archive);
            let what = format!("{format} {options:?}");
            assert_eq!(
                (report.kind, report.verdict, report.bytes),
                (kind, Verdict::Complete, archive.len() as u64),
                "{what}"
            );
            assert_eq!(report.advice, (!plain).then_some(Advice::Custom), "{what}");
            assert_versions(server, &archive);
            let (complete, _) = everywhere(&archive, kind);
            assert_eq!(complete, [archive.len()], "{what}");
            walked += 1;
        }
    }
    assert_eq!(walked, 24);
    for (format, kind) in
        [(&["-Fc"][..], DumpKind::PgCustom), (&["-Fc", "-Z0"], DumpKind::PgCustom), (&["-Ft"], DumpKind::Tar)]
    {
        let archive = server.output("pg_dump", &[format, &["bench"]].concat());
        assert_eq!(observe(&archive).verdict, Verdict::Complete);
        at_random(&archive, kind);
        split_at_random(&archive);
        split_at_random(&archive[..archive.len() / 2]);
    }
    into_a_file(server);
    damaged(server);
}

/// Into a file, pg_dump notes afterwards where each block is.
fn into_a_file(server: &Cluster) {
    let path = server.socket_dir().join("shop.file");
    let to = format!("--file={}", path.display());
    server.output("pg_dump", &["-Fc", &to, "shop"]);
    let archive = std::fs::read(&path).expect("the archive");
    assert_eq!(everywhere(&archive, DumpKind::PgCustom).0, [archive.len()]);
    let piped = server.output("pg_dump", &["-Fc", "shop"]);
    assert!(archive.len() == piped.len() && archive != piped);
}

fn damaged(server: &Cluster) {
    let whole = server.output("pg_dump", &["-Fc", "-Z0", "shop"]);
    let verdict = |archive: &[u8]| observe(archive).verdict;
    // What a block is behind, an id that comes twice, and bytes behind the end.
    for (at, byte) in [(6, 11), (6, 17), (5, 2), (8, 0), (8, 9), (9, 9), (10, 3), (10, 5)] {
        let mut other = whole.clone();
        other[at] = byte;
        assert_eq!(verdict(&other), Verdict::Unproven(Unproven::Version), "{byte} at {at}");
    }
    let out_of_order = |archive: &[u8], what: &str| {
        assert_eq!(cut_short(observe(archive)), Some((Archive::Custom, ArchiveSeen::OutOfOrder)), "{what}");
    };
    for behind in [&b"\0\0\0\0\0\0\0"[..], &whole] {
        out_of_order(&[&whole, behind].concat(), "behind the end");
    }
    // Between two blocks an archive lacks the others, and nothing else.
    let (_, ways) = everywhere(&whole, DumpKind::PgCustom);
    assert_eq!(ways, [ArchiveSeen::Head, ArchiveSeen::Data, ArchiveSeen::Missing]);
    let mut observer = Observer::new();
    let mut ends = Vec::new();
    for (at, byte) in whole.iter().enumerate() {
        observer.push(std::slice::from_ref(byte));
        if cut_short(observer.clone().finish()).is_some_and(|(_, seen)| seen == ArchiveSeen::Missing) {
            ends.push(at + 1);
        }
    }
    assert!(ends.len() > 4, "{ends:?}");
    let block = ends[1]..ends[2];
    out_of_order(&[&whole[..block.end], &whole[block.clone()]].concat(), "a block twice");
    let without = [&whole[..block.start], &whole[block.end..]].concat();
    assert_eq!(cut_short(observe(&without)), Some((Archive::Custom, ArchiveSeen::Missing)));
    let longer = [&whole[..], b"\n"].concat();
    assert_eq!(cut_short(observe(&longer)), Some((Archive::Custom, ArchiveSeen::After)));
    let mut type_2 = whole.clone();
    type_2[block.start] = 2;
    out_of_order(&type_2, "a block of type 2");
    let mut negative = whole.clone();
    negative[block.start + 6] = 1;
    out_of_order(&negative, "a chunk of negative length");
    assert_eq!(
        Shortfall::to_string(&match verdict(&whole[..whole.len() - 1]) {
            Verdict::Incomplete(shortfall) => shortfall,
            other => panic!("{other:?}"),
        }),
        format!(
            "expected a block of data for every entry that has data, but the stream ends inside a block; \
             {n} of {m} blocks of data are whole",
            n = ends.len() - 1,
            m = ends.len()
        )
    );
}

/// What pg_dump of another version would write: entries of these ids, each with data. Only version 1.14 is at hand, so this is made by hand.
fn by_hand(minor: u8, width: usize, ids: std::ops::Range<u32>) -> (Vec<u8>, Vec<u8>) {
    let number = |value: i64| [&[u8::from(value < 0)][..], &value.unsigned_abs().to_le_bytes()[..width]].concat();
    let text = |text: &str| [number(text.len() as i64), text.into()].concat();
    let compression = if minor < 15 { number(-1) } else { vec![3] };
    let head = [&b"PGDMP\x01"[..], &[minor, 0, width as u8, 8, 1], &compression, &number(9).repeat(7)].concat();
    let names = [text("db"), text("9.6"), text("17.2"), number(i64::from(ids.end - ids.start))].concat();
    let mut contents = [head, names].concat();
    for id in ids.clone() {
        let mut entry =
            [number(i64::from(id)), number(1), text("0").repeat(4), number(2), text("x").repeat(5)].concat();
        entry.extend(if minor >= 14 { text("heap") } else { Vec::new() });
        entry.extend(if minor >= 16 { number(114) } else { Vec::new() });
        entry.extend([text("o"), text("false"), text("7"), number(-1), vec![1; 9]].concat());
        contents.extend(entry);
    }
    let blocks = ids.map(|id| [&[1], &number(i64::from(id))[..], &text("a row"), &number(0)].concat());
    let blocks: Vec<Vec<u8>> = blocks.collect();
    (contents, blocks.concat())
}

#[test]
fn every_known_version_of_an_archive_is_walked() {
    let mut walked = 0;
    for minor in 12..=16 {
        for width in [4, 8] {
            let (contents, blocks) = by_hand(minor, width, 3..6);
            let whole = [contents, blocks].concat();
            assert_eq!(observe(&whole).advice, Some(Advice::Custom));
            assert_eq!(everywhere(&whole, DumpKind::PgCustom).0, [whole.len()], "1.{minor}, numbers of {width} bytes");
            split_at_random(&whole);
            walked += 1;
        }
    }
    assert_eq!(walked, 10);
    // One entry more than is kept in mind.
    let (contents, _) = by_hand(14, 4, 0..(1 << 20) + 1);
    assert_eq!(observe(&contents).verdict, Verdict::Unproven(Unproven::TooLarge));
}

/// A folder of what tar has to name and to keep in odd ways.
fn folder(place: &Path) {
    let inner = place.join("d".repeat(90)).join("e".repeat(90));
    std::fs::create_dir_all(&inner).expect("folders");
    std::fs::write(inner.join("f".repeat(200)), b"a long name").expect("a file");
    std::fs::write(place.join("empty"), b"").expect("a file");
    std::fs::write(place.join("block"), [7; 512]).expect("a file");
    std::fs::write(place.join("more"), [7; 513]).expect("a file");
    std::fs::hard_link(place.join("more"), place.join("same")).expect("a link");
    std::os::unix::fs::symlink("x".repeat(150), place.join("link")).expect("a link");
    // More stretches than fit in the header of a sparse file.
    let sparse = std::fs::File::create(place.join("sparse")).expect("a file");
    for at in 0..60_u64 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, &[1; 4096], at << 14).expect("a stretch");
    }
}

#[test]
fn a_tar_cut_anywhere_is_incomplete() {
    let place = tempfile::tempdir().expect("a folder");
    folder(place.path());
    let mut walked = 0;
    for options in
        [&["--format=gnu"][..], &["--format=gnu", "--sparse"], &["--format=posix"], &["--format=posix", "--sparse"]]
    {
        let mut tar = Command::new("tar");
        tar.args(options).args(["--blocking-factor=4", "--create", "--file=-", "--directory"]).arg(place.path());
        let ran = tar.arg(".").output().expect("tar runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let archive = ran.stdout;
        let report = observe(&archive);
        assert_eq!(
            (report.kind, report.verdict, report.advice),
            (DumpKind::Tar, Verdict::Complete, None),
            "{options:?}"
        );
        let (complete, ways) = everywhere(&archive, DumpKind::Tar);
        // What fills the last record up may be missing, and nothing else.
        let first = complete[0];
        assert_eq!(complete, (first..=archive.len()).collect::<Vec<_>>(), "{options:?}");
        let data = archive.iter().rposition(|byte| *byte != 0).expect("it is not of zeros");
        assert_eq!(first, (data + 1).next_multiple_of(512) + 1024, "{options:?}");
        assert_eq!(ways, [ArchiveSeen::Head, ArchiveSeen::Data, ArchiveSeen::Missing]);
        split_at_random(&archive);
        let seen = |archive: &[u8]| cut_short(observe(archive));
        let behind = [&archive[..], &[0, 1]].concat();
        assert_eq!(seen(&behind), Some((Archive::Tar, ArchiveSeen::After)), "{options:?}");
        for at in [512, first - 1024, first - 512] {
            let mut wrong = archive.clone();
            wrong[at + 30] ^= 1;
            let block_of_data = at == 512 && options[0] == "--format=posix";
            assert!(
                block_of_data || seen(&wrong) == Some((Archive::Tar, ArchiveSeen::OutOfOrder)),
                "{options:?}, {at}"
            );
        }
        assert!(versions(&archive).is_empty());
        walked += 1;
    }
    assert_eq!(walked, 4);
}

/// A member of 9 GiB, whose size is in base 256 or in a pax header.
#[test]
fn a_member_may_be_larger_than_its_octal_digits_say() {
    let size: u64 = (9 << 30) + 1;
    let header = |kind: u8, size: &[u8]| {
        let mut header = [0; 512];
        header[0] = b'f';
        header[124..124 + size.len()].copy_from_slice(size);
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.to_vec()
    };
    let base_256 = header(b'0', &[&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat());
    let record = format!("19 size={size}\n");
    assert_eq!(record.len(), 19);
    let mut pax = [header(b'x', b"00000000023\0"), record.into_bytes()].concat();
    pax.resize(1024, 0);
    pax.extend(header(b'0', b"00000000000\0"));
    let slab = vec![5; 1 << 20];
    for head in [base_256, pax] {
        let mut observer = Observer::new();
        observer.push(&head);
        for _ in 0..9 << 10 {
            observer.push(&slab);
        }
        observer.push(&[5]);
        assert_eq!(cut_short(observer.clone().finish()), Some((Archive::Tar, ArchiveSeen::Data)));
        observer.push(&[0; 511]);
        assert_eq!(cut_short(observer.clone().finish()), Some((Archive::Tar, ArchiveSeen::Missing)));
        observer.push(&[0; 1024]);
        assert_eq!(observer.finish().verdict, Verdict::Complete);
    }
    let long = header(b'x', b"00010000000\0");
    assert_eq!(observe(&long).verdict, Verdict::Unproven(Unproven::TooLarge));
}

#[test]
fn a_mongodump_cut_anywhere_is_incomplete() {
    let place = tempfile::tempdir().expect("a folder");
    let ran = python::command("tests/dump_ends/mongo.py").arg(place.path()).output().expect("python runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut judged = 0;
    for entry in std::fs::read_dir(place.path()).expect("the samples") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
        let archive = std::fs::read(&path).expect("a sample");
        let report = observe(&archive);
        assert_eq!((report.kind, report.advice), (DumpKind::Mongo, None), "{name}");
        match (name.split('-').next(), report.verdict) {
            (Some("whole"), Verdict::Complete) => {}
            (Some("unproven"), Verdict::Unproven(Unproven::Version | Unproven::TooLarge)) => {}
            (Some("missing"), _) => {
                assert_eq!(cut_short(report), Some((Archive::Mongo, ArchiveSeen::Missing)), "{name}")
            }
            (Some("order"), _) => {
                assert_eq!(cut_short(report), Some((Archive::Mongo, ArchiveSeen::OutOfOrder)), "{name}");
            }
            (_, verdict) => panic!("{name}: {verdict:?}"),
        }
        judged += 1;
    }
    assert_eq!(judged, 15);
    let sample = |name: &str| std::fs::read(place.path().join(name)).expect("a sample");
    let shop = sample("whole-shop");
    let (complete, ways) = everywhere(&shop, DumpKind::Mongo);
    assert_eq!(complete, [shop.len()]);
    assert_eq!(ways, [ArchiveSeen::Head, ArchiveSeen::Data, ArchiveSeen::Missing]);
    at_random(&sample("whole-big"), DumpKind::Mongo);
    for sample in [&shop, &sample("whole-big")] {
        split_at_random(sample);
        let found = versions(sample);
        let found: Vec<&[u8]> = found.iter().map(|entry| &entry.own.name[..]).collect();
        assert_eq!(found, [&b"7.0.14"[..], b"100.10.0"]);
    }
    let missing = observe(&sample("missing-collection")).verdict;
    let Verdict::Incomplete(shortfall) = missing else { panic!("{missing:?}") };
    assert_eq!(
        shortfall.to_string(),
        "expected the end of every collection of its prelude, but the stream ends too early; 1 of 2 collections announced are whole"
    );
}
