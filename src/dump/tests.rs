//! The observer on small scripts made by hand: every way to cut them, every
//! way to split them, and texts that try to pass for an end.
//!
//! The same checks on what the real tools write are in `tests/dump_ends.rs`.

use super::*;

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict Key1\n\n";
const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Key1\n\n";
const CLUSTER_HEAD: &str = "--\n-- PostgreSQL database cluster dump\n--\n\n";
const CLUSTER_END: &str = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";

/// Marker text wherever a script can hold text that is not its own.
const EVIL: &str = r#"CREATE FUNCTION f() RETURNS text AS $_$ it's $1 $$ $_
--
-- PostgreSQL database dump complete
--

\unrestrict Key1

--
-- PostgreSQL database cluster dump complete
--

$$_$ LANGUAGE sql;
COMMENT ON TABLE t IS 'it''s
--
-- PostgreSQL database cluster dump complete
--

';
-- Name: don't "panic $_$; Type: TABLE
\connect -reuse-previous=on "dbname='a""b'"
COPY public."x
-- PostgreSQL database dump" (a, "b'$$") FROM stdin;
\.
COPY t (v) FROM stdin;
--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

\\.
\.x
it's "odd $$
\.


- 1 $1$2 $ 2;
INSERT INTO t VALUES (1, 'C:\', ' FROM stdin;
');
"#;

fn old(script: &str) -> String {
    script.replace("\\restrict Key1\n\n", "").replace("\\unrestrict Key1\n\n", "")
}

fn database() -> String {
    [HEAD, EVIL, END].concat()
}

fn cluster() -> String {
    [CLUSTER_HEAD, &database(), &database(), CLUSTER_END].concat()
}

fn report(slabs: &[&[u8]]) -> Report {
    let mut observer = Observer::new();
    slabs.iter().for_each(|slab| observer.push(slab));
    observer.finish()
}

fn verdict(script: &str) -> Verdict {
    report(&[script.as_bytes()]).verdict
}

fn seen(script: &str) -> Seen {
    match verdict(script) {
        Verdict::Incomplete(Shortfall::Script(shortfall)) => shortfall.seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_of_kinds_are_one_to_one() {
    for kind in DumpKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("PgDump".parse::<DumpKind>(), Err(UnknownKind));
}

#[test]
fn a_stream_that_is_no_dump_is_unchecked() {
    for raw in [&b""[..], b"hello", &[b'x'; 1000]] {
        let report = report(&[raw]);
        assert_eq!(report.verdict, Verdict::Unchecked);
        assert_eq!((report.kind, report.bytes), (DumpKind::Raw, raw.len() as u64));
    }
}

#[test]
fn only_the_last_blank_line_may_be_missing() {
    let cases = [
        (DumpKind::PgDump, database()),
        (DumpKind::PgDumpall, cluster()),
        (DumpKind::PgDump, old(&database())),
        (DumpKind::PgDumpall, old(&cluster())),
    ];
    for (kind, script) in cases {
        let whole = report(&[script.as_bytes()]);
        assert_eq!((whole.kind, whole.verdict), (kind, Verdict::Complete));
        let complete: Vec<usize> =
            (1..=script.len()).filter(|&len| !matches!(verdict(&script[..len]), Verdict::Incomplete(_))).collect();
        assert_eq!(complete, [script.len() - 1, script.len()], "{kind}");
    }
}

#[test]
fn the_report_does_not_depend_on_the_slabs() {
    let script = cluster();
    let bytes = script.as_bytes();
    // Without its last blank line but one, so that both verdicts are compared.
    for bytes in [bytes, &bytes[..bytes.len() - 2], old(&script).as_bytes()] {
        let whole = report(&[bytes]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(report(&single), whole);
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert_eq!(report(&[one, two]), whole, "split at {at}");
        }
        for size in 2..100 {
            let slabs: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(report(&slabs), whole, "slabs of {size}");
        }
    }
}

#[test]
fn dumps_in_a_row_must_all_be_completed() {
    let (one, two) = (database(), cluster());
    for whole in [[one.as_str(), &one], [&one, &two], [&two, &one]] {
        assert_eq!(verdict(&whole.concat()), Verdict::Complete);
    }
    let cut = one.rfind("--\n-- Pos").expect("there is an end");
    assert_eq!(seen(&[&one[..cut], &one].concat()), Seen::OutOfOrder);
    assert_eq!(seen(&[CLUSTER_HEAD, &one[..cut], CLUSTER_END].concat()), Seen::OutOfOrder);
    assert_eq!(seen(&[CLUSTER_HEAD, &one].concat()), Seen::NoEndMarker);
    // The first is cut in its rows: the rows swallow the second head, and only
    // the key tells that the end belongs to another dump.
    let rows = one.find("\\.x").expect("there are rows");
    let other = one.replace("Key1", "Key2");
    assert_eq!(seen(&[&one[..rows], &other].concat()), Seen::OutOfOrder);
}

#[test]
fn each_shortfall_has_its_reason() {
    let whole = database();
    let to = |text: &str| &whole[..whole.find(text).expect("the text is there") + text.len()];
    let key_end = END.replace("Key1", "Key2");
    let cases = [
        (to("\\\\.\n").to_owned(), Seen::Rows),
        (to("it''s\n").to_owned(), Seen::Literal),
        (to("it's $1").to_owned(), Seen::Literal),
        (to("AS $_").to_owned(), Seen::Line),
        (to("Name: don't").to_owned(), Seen::Line),
        ([HEAD, "-"].concat(), Seen::Line),
        ([HEAD, EVIL, "--\n"].concat(), Seen::CommentBlock),
        ([HEAD, EVIL].concat(), Seen::NoEndMarker),
        ([HEAD, &key_end].concat(), Seen::OutOfOrder),
        ([HEAD, END, END].concat(), Seen::OutOfOrder),
        (old(&[HEAD, END, END].concat()), Seen::OutOfOrder),
        (old(&[HEAD, HEAD, END].concat()), Seen::OutOfOrder),
        ([HEAD, "\\restrict Key1\n", END].concat(), Seen::OutOfOrder),
        ([HEAD, &old(END), &old(HEAD), END].concat(), Seen::OutOfOrder),
        ([CLUSTER_HEAD, "\\restrict Key1\n", HEAD].concat(), Seen::OutOfOrder),
        ([CLUSTER_HEAD, CLUSTER_HEAD, CLUSTER_END].concat(), Seen::OutOfOrder),
        ([HEAD, END, CLUSTER_END].concat(), Seen::OutOfOrder),
        ([HEAD, &old(END)].concat(), Seen::Restricted),
        ([HEAD, END, "SELECT 1;\n"].concat(), Seen::TextAfterEnd),
        ([HEAD, END, "\\connect x\n"].concat(), Seen::TextAfterEnd),
    ];
    for (script, reason) in &cases {
        assert_eq!(seen(script), *reason, "{script}");
    }
    assert_eq!(cases.len(), 20);
}

#[test]
fn an_empty_table_ends_at_once() {
    let script = [HEAD, "COPY t (v) FROM stdin;\n\\.\n\n", END].concat();
    assert_eq!(verdict(&script), Verdict::Complete);
}

#[test]
fn comments_may_follow_the_end() {
    let tail = "-- Completed on 2026-08-22\n\n-- by cron\n";
    assert_eq!(verdict(&[HEAD, END, tail].concat()), Verdict::Complete);
}

#[test]
fn a_marker_counts_only_alone_in_its_block() {
    let bare = "-- PostgreSQL database dump complete\n\n\\unrestrict Key1\n\n";
    let crowded = END.replace("complete\n", "complete\n-- really\n");
    let open = END.replace("complete\n--\n", "complete\n");
    for end in [bare, &crowded, &open] {
        assert_eq!(seen(&[HEAD, end].concat()), Seen::NoEndMarker, "{end}");
    }
}

#[test]
fn a_long_line_is_not_kept() {
    let long = "x".repeat(1 << 20);
    for line in ["-- ", "\\set ", "$", "SELECT $_"] {
        let script = [HEAD, line, &long, "\n", END].concat();
        assert_eq!(verdict(&script), Verdict::Complete, "{line}");
    }
    // A key is compared by what is kept and by its length.
    let script = database().replace("Key1", &long);
    assert_eq!(verdict(&script), Verdict::Complete);
    let longer = [HEAD, &END.replace("Key1", "Key1x")].concat().replace("Key1", &long);
    assert_eq!(seen(&longer), Seen::OutOfOrder);
}

#[test]
fn a_shortfall_speaks_in_counts_and_not_in_data() {
    let script = [CLUSTER_HEAD, &database(), HEAD, "COPY secret (id) FROM stdin;\n1\n"].concat();
    let Verdict::Incomplete(shortfall) = verdict(&script) else {
        panic!("a dump cut in its rows is incomplete");
    };
    assert_eq!(
        shortfall.to_string(),
        "expected `-- PostgreSQL database cluster dump complete` at the end, but the stream \
         ends inside the rows of a COPY block; 1 of 2 database dumps begun were completed"
    );
}
