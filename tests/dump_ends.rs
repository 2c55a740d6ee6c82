//! The end check against what the real PostgreSQL tools write.
//!
//! A dump is whole or it is not, and only its last bytes tell. So real dumps
//! are cut at every byte and at random ones, a backend is killed in the middle
//! of a table, and the options that change what is written are gone through.

#[path = "dump_ends/archives.rs"]
mod archives;
mod common;
#[path = "common/python.rs"]
mod python;

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::postgres::Cluster;
use vault::base::map::MapKind;
use vault::dump::{DumpKind, EndMarker, Observer, Report, Seen, Shortfall, Verdict};

/// Both tools end with one blank line, and that is all a dump may lack.
const BLANK_TAIL_BYTES: usize = 1;

const RANDOM_CUTS: usize = 1000;
const TAIL_CUTS: usize = 400;

/// A small seeded generator: the same cuts on every machine.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("the bound is a usize")
    }
}

fn observe(bytes: &[u8]) -> Report {
    let mut observer = Observer::new();
    observer.push(bytes);
    observer.finish()
}

fn is_complete(report: Report) -> bool {
    match report.verdict {
        Verdict::Complete => true,
        Verdict::Incomplete(_) => false,
        Verdict::Unchecked | Verdict::Unproven(_) => panic!("a PostgreSQL script was not checked"),
    }
}

fn assert_complete(kind: DumpKind, bytes: &[u8], what: &str) {
    let report = observe(bytes);
    assert_eq!(report.verdict, Verdict::Complete, "{what}");
    assert_eq!((report.kind, report.bytes), (kind, bytes.len() as u64), "{what}");
}

/// What the tools wrote before August 2025: no key lines, and none of the blank
/// lines that follow them.
fn without_keys(script: &[u8]) -> Vec<u8> {
    let mut old = Vec::with_capacity(script.len());
    let mut after_key = false;
    for line in script.split_inclusive(|&byte| byte == b'\n') {
        let key = line.starts_with(b"\\restrict ") || line.starts_with(b"\\unrestrict ");
        let blank_after_key = after_key && line == b"\n";
        if !(key || blank_after_key) {
            old.extend_from_slice(line);
        }
        after_key = key;
    }
    old
}

/// Cuts at random and all along the tail; returns how many cuts it made.
fn cut_somewhere(script: &[u8], seed: u64) -> usize {
    let mut random = XorShift(seed);
    let anywhere = (0..RANDOM_CUTS).map(|_| 1 + random.below(script.len() - 1));
    let tail = script.len() - TAIL_CUTS..script.len();
    let cuts: Vec<usize> = anywhere.chain(tail).collect();
    for &len in &cuts {
        let complete = is_complete(observe(&script[..len]));
        assert_eq!(complete, len + BLANK_TAIL_BYTES >= script.len(), "cut at {len}");
    }
    cuts.len()
}

/// Judges every prefix; returns how many of them pass for complete.
fn cut_everywhere(script: &[u8]) -> usize {
    let mut observer = Observer::new();
    let mut complete = Vec::new();
    for (at, byte) in script.iter().enumerate() {
        observer.push(std::slice::from_ref(byte));
        if is_complete(observer.clone().finish()) {
            complete.push(at + 1);
        }
    }
    let whole = script.len();
    assert_eq!(complete, [whole - BLANK_TAIL_BYTES, whole]);
    complete.len()
}

#[test]
fn a_real_dump_cut_anywhere_is_incomplete() {
    let server = Cluster::start();
    server.fill();
    let all = server.output::<&str>("pg_dumpall", &[]);
    let one = server.output("pg_dump", &["shop"]);
    let bench = server.output("pg_dump", &["bench"]);
    assert!(without_keys(&all).len() < all.len(), "keys are written");

    let mut cuts = 0;
    for (kind, script) in [
        (DumpKind::PgDumpall, &all),
        (DumpKind::PgDumpall, &without_keys(&all)),
        (DumpKind::PgDump, &one),
        (DumpKind::PgDump, &bench),
    ] {
        assert_complete(kind, script, "the whole dump");
        cuts += cut_somewhere(script, 0x9e37_79b9_7f4a_7c15);
    }
    assert_eq!(cuts, 4 * (RANDOM_CUTS + TAIL_CUTS));

    // Every byte of the dumps that hold the imitations.
    let small = server.output("pg_dumpall", &["--exclude-database=bench"]);
    let inserts = server.output("pg_dump", &["--inserts", "shop"]);
    let scripts = [&small, &without_keys(&small), &one, &without_keys(&one), &inserts];
    let passing: usize = scripts.into_iter().map(|script| cut_everywhere(script)).sum();
    assert_eq!(passing, scripts.len() * 2);

    split_at_random(&all);
    split_at_random(&all[..all.len() / 2]);
}

/// The report of a real dump is the same whatever the slabs.
fn split_at_random(script: &[u8]) {
    let whole = observe(script);
    let mut random = XorShift(1);
    let mut rounds = 0;
    for bound in [2, 3, 7, 64, 1000, 65_536] {
        let mut observer = Observer::new();
        let mut rest = script;
        while !rest.is_empty() {
            let (slab, after) = rest.split_at(random.below(bound + 1).min(rest.len()));
            observer.push(slab);
            rest = after;
        }
        assert_eq!(observer.finish(), whole, "slabs of up to {bound} bytes");
        rounds += 1;
    }
    assert_eq!(rounds, 6);
}

#[test]
fn each_variant_of_a_dump_is_recognised() {
    let server = Cluster::start();
    server.fill();
    let mut cases = 0;
    for options in [
        &[][..],
        &["--globals-only"],
        &["--roles-only"],
        &["--tablespaces-only"],
        &["--schema-only"],
        &["--data-only"],
        &["--clean"],
        &["--clean", "--if-exists"],
        &["--verbose"],
        &["--inserts"],
        &["--no-comments", "--no-owner"],
        &["--disable-dollar-quoting"],
        &["--exclude-database=bench"],
    ] {
        let script = server.output("pg_dumpall", options);
        assert_complete(DumpKind::PgDumpall, &script, &options.join(" "));
        let old = without_keys(&script);
        assert!(old.len() < script.len());
        assert_complete(DumpKind::PgDumpall, &old, &format!("{options:?}, no keys"));
        cases += 2;
    }
    for options in [
        &[][..],
        &["--schema-only"],
        &["--data-only"],
        &["--data-only", "--inserts", "--disable-triggers"],
        &["--clean", "--create"],
        &["--create"],
        &["--verbose"],
        &["--inserts"],
        &["--column-inserts", "--rows-per-insert=100"],
        &["--no-comments"],
        &["--disable-dollar-quoting"],
        &["--quote-all-identifiers"],
        &["--section=pre-data"],
        &["--section=data"],
        &["--section=post-data"],
        &["--table=evil"],
        &["--encoding=SQL_ASCII"],
    ] {
        let options = [options, &["shop"]].concat();
        let script = server.output("pg_dump", &options);
        assert_complete(DumpKind::PgDump, &script, &options.join(" "));
        let old = without_keys(&script);
        assert_complete(DumpKind::PgDump, &old, &format!("{options:?}, no keys"));
        cases += 2;
    }
    assert_eq!(cases, 26 + 34);

    rows_are_counted_however_they_are_written(&server);
    archives_are_recognised(&server);
    dumps_in_a_row(&server);
    strings_of_old_servers(&server);
}

fn rows_are_counted_however_they_are_written(server: &Cluster) {
    let rows = |options: &[&str]| {
        let mut observer = Observer::new();
        observer.push(&server.output("pg_dump", &[options, &["shop"]].concat()));
        let data = observer.finish_map().into_iter().filter(|entry| entry.kind == MapKind::Data && entry.rows > 0);
        let mut tables: Vec<_> = data.map(|entry| (entry.own.schema, entry.own.name, entry.rows)).collect();
        tables.sort();
        tables
    };
    let copied = rows(&[]);
    assert_eq!(copied.iter().map(|(_, _, rows)| *rows).collect::<Vec<_>>(), [420, 1, 4000]);
    for options in [
        &["--inserts"][..],
        &["--column-inserts", "--on-conflict-do-nothing"],
        &["--rows-per-insert=7"],
        &["--column-inserts", "--rows-per-insert=100", "--on-conflict-do-nothing"],
    ] {
        assert_eq!(rows(options), copied, "{options:?}");
    }
}

fn archives_are_recognised(server: &Cluster) {
    archives::of_pg_dump(server);
    // A script that `pg_restore` writes is a `pg_dump` script.
    let path = server.socket_dir().join("shop.dump");
    let archive = server.output("pg_dump", &["-Fc", "shop"]);
    std::fs::write(&path, archive).expect("the archive is written");
    let path = path.to_str().expect("a path of ASCII");
    let script = server.output("pg_restore", &["--file=-", path]);
    assert_complete(DumpKind::PgDump, &script, "pg_restore");
}

/// `{ pg_dump a; pg_dump b; }`: the whole is whole if each is.
fn dumps_in_a_row(server: &Cluster) {
    let one = server.output("pg_dump", &["shop"]);
    let two = server.output("pg_dump", &["odd \"name'"]);
    assert_complete(DumpKind::PgDump, &[one.as_slice(), &two].concat(), "two in a row");
    let mut random = XorShift(7);
    let mut cuts = 0;
    for _ in 0..RANDOM_CUTS {
        let cut = &one[..=random.below(one.len() - BLANK_TAIL_BYTES - 1)];
        assert!(!is_complete(observe(&[cut, &two].concat())), "cut at {}", cut.len());
        cuts += 1;
    }
    assert_eq!(cuts, RANDOM_CUTS);
}

/// With this setting `pg_dump` doubles the backslashes in its strings.
fn strings_of_old_servers(server: &Cluster) {
    server.psql("postgres", "ALTER DATABASE shop SET standard_conforming_strings = off");
    let script = server.output("pg_dump", &["--inserts", "shop"]);
    assert_complete(DumpKind::PgDump, &script, "standard_conforming_strings = off");
    assert_eq!(cut_everywhere(&script), 2);
}

/// A table that does not fit into the pipe and socket buffers by far.
const BIG_TABLE: &str = "CREATE TABLE big AS
  SELECT n AS id, repeat(md5(n::text), 4) AS v FROM generate_series(1, 200000) n";

/// How much of the dump is read before its backend is killed: well into the
/// big table, well before its end.
const READ_BYTES: usize = 4 << 20;

const FIND_BACKEND: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE application_name = 'pg_dump' AND query LIKE 'COPY public.big %'";

#[test]
fn a_dump_whose_backend_is_killed_is_incomplete() {
    let server = Cluster::start();
    server.psql("postgres", BIG_TABLE);
    let whole = server.output::<&str>("pg_dumpall", &[]);
    assert_complete(DumpKind::PgDumpall, &whole, "undisturbed");

    let mut dump =
        server.command("pg_dumpall").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("pg_dumpall starts");
    let mut pipe = dump.stdout.take().expect("the pipe was asked for");
    let mut script = vec![0; READ_BYTES];
    pipe.read_exact(&mut script).expect("the dump is longer");
    // Nobody reads now, so the backend waits in its COPY until it is killed.
    assert_eq!(server.psql("postgres", FIND_BACKEND).trim(), "1");
    await_backend_end(&server);
    pipe.read_to_end(&mut script).expect("the rest is read");
    let status = dump.wait().expect("pg_dumpall ends");

    assert_eq!(status.code(), Some(1));
    assert!(script.len() < whole.len());
    assert!(script.ends_with(b"\n\\.\n\n\n"), "the rows are closed properly");
    let report = observe(&script);
    assert_eq!(report.kind, DumpKind::PgDumpall);
    let Verdict::Incomplete(Shortfall::Script(shortfall)) = report.verdict else {
        panic!("half a table passes for a dump");
    };
    assert_eq!((shortfall.expected, shortfall.seen), (EndMarker::Cluster, Seen::NoEndMarker));
    assert_eq!((shortfall.begun, shortfall.completed), (2, 1));
}

/// A signal takes a moment, and reading on meanwhile would let COPY finish.
fn await_backend_end(server: &Cluster) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.psql("postgres", FIND_BACKEND).trim() != "0" {
        assert!(Instant::now() < deadline, "the backend does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}
