//! A slow scanner with the whole script before it, one byte after another.

use proptest::prelude::*;
use vault::base::map::MapKind;

use crate::{END, HEAD, map};

/// A statement: where it begins and ends, and its rows, if it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slow {
    begin: usize,
    end: usize,
    rows: Option<u64>,
}

/// Where the literal that begins at `at` ends, if one does begin there. `Err` when it never ends.
fn literal(text: &[u8], at: usize) -> Result<Option<usize>, ()> {
    let rest = &text[at..];
    let find = |needle: &[u8], from: usize| {
        let found = text[from..].windows(needle.len()).position(|window| window == needle);
        found.map(|found| from + found + needle.len()).ok_or(())
    };
    match rest[0] {
        b'\'' | b'"' => find(&rest[..1], at + 1).map(Some),
        b'$' => {
            let name = rest[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let whole = rest.get(1 + name) == Some(&b'$') && name <= 126;
            if !whole || rest[1].is_ascii_digit() {
                return Ok(None);
            }
            find(&rest[..name + 2], at + name + 2).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether what stands outside literals is a whole statement. A literal is one byte 1 in it.
fn is_whole(code: &str) -> bool {
    let mut depth = 0_i64;
    let mut words = code.split_whitespace().filter(|word| !["OR", "REPLACE"].contains(word));
    let routine =
        words.next() == Some("CREATE") && words.next().is_some_and(|word| ["FUNCTION", "PROCEDURE"].contains(&word));
    let (mut begun, mut word) = (0, String::new());
    for letter in code.chars() {
        if letter.is_alphanumeric() || letter == '_' || letter == '$' {
            word.push(letter);
            continue;
        }
        match std::mem::take(&mut word).to_uppercase().as_str() {
            "BEGIN" if routine && depth == 0 => begun += 1,
            "CASE" if begun > 0 && depth == 0 => begun += 1,
            "END" if begun > 0 && depth == 0 => begun -= 1,
            _ => {}
        }
        depth = (depth + i64::from(letter == '(') - i64::from(letter == ')')).max(0);
    }
    code.trim_end().ends_with(';') && depth == 0 && begun == 0
}

/// Every statement of a script; it stops where the script ends inside something.
fn scan(text: &[u8]) -> Vec<Slow> {
    let (mut found, mut at, mut open) = (Vec::new(), 0, None::<(usize, String)>);
    while at < text.len() {
        let Some(line) = text[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1) else {
            return found;
        };
        if text[at] == b'\n' || text[at..].starts_with(b"--") {
            at = line;
            continue;
        }
        if text[at] == b'\\' {
            open = None;
            at = line;
            continue;
        }
        let introduces_rows = text[at..].starts_with(b"COPY ");
        let (begin, mut code) = open.take().unwrap_or((at, String::new()));
        let mut end = at;
        loop {
            match text.get(end) {
                None => return found,
                Some(b'\n') => break,
                Some(byte) => match literal(text, end) {
                    Err(()) => return found,
                    Ok(Some(after)) => {
                        code.push('\u{1}');
                        end = after;
                    }
                    Ok(None) => {
                        code.push(char::from(*byte));
                        end += 1;
                    }
                },
            }
        }
        code.push('\n');
        at = end + 1;
        let insert = code.starts_with("INSERT") && code.contains("VALUES");
        if introduces_rows && !insert && text[..end].ends_with(b" FROM stdin;") {
            let Some(rows) = text[end..].windows(4).position(|window| window == b"\n\\.\n") else {
                return found;
            };
            let count = text[end + 1..=end + rows].iter().filter(|byte| **byte == b'\n').count();
            at = end + rows + 4;
            found.push(Slow { begin, end: at, rows: Some(count as u64) });
        } else if is_whole(&code) {
            let values = code.starts_with("INSERT").then(|| code.split_once("VALUES")).flatten();
            let goes_on = |line: &&str| line.trim_end().ends_with(',');
            let rows = values.map(|(_, values)| 1 + values.lines().filter(goes_on).count() as u64);
            found.push(Slow { begin, end: at, rows });
        } else {
            open = Some((begin, code));
        }
    }
    found
}

/// Every statement is in exactly one range, and every range begins and ends with a statement.
fn compare(script: &[u8], slab: usize) {
    let slow = scan(script);
    let fast = map(script, slab);
    let of_statements = [MapKind::Setting, MapKind::Object, MapKind::Data, MapKind::Value];
    let fast: Vec<_> = fast.into_iter().filter(|entry| of_statements.contains(&entry.kind)).collect();
    let shown = || String::from_utf8_lossy(script).into_owned();
    let mut left = slow.as_slice();
    for entry in &fast {
        let count = left.iter().take_while(|statement| statement.end as u64 <= entry.end()).count();
        let (inside, after) = left.split_at(count);
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else {
            panic!("{entry:?} is no statement of\n{}", shown());
        };
        assert_eq!((entry.offset, entry.end()), (first.begin as u64, last.end as u64), "{entry:?} of\n{}", shown());
        if entry.class == b"COPY" || entry.class == b"INSERT" {
            let rows: u64 = inside.iter().filter_map(|statement| statement.rows).sum();
            assert_eq!(entry.rows, rows, "{entry:?} of\n{}", shown());
        }
        if entry.class == b"INSERT" {
            let other = inside.iter().find(|statement| !script[statement.begin..].starts_with(b"INSERT"));
            assert_eq!(other, None, "{entry:?} of\n{}", shown());
        }
        left = after;
    }
    assert_eq!(left, [], "are not in the map of\n{}", shown());
}

/// What could mislead a mapper, and what it has to find all the same.
const PIECES: [&str; 57] = [
    "CREATE VIEW public.v AS\n WITH stdin AS (\n         SELECT 1 AS a\n        )\n SELECT a\n   FROM stdin;\n",
    "CREATE VIEW public.w AS SELECT\nCOPY FROM stdin;\n",
    "-COPY public.t FROM stdin;\n",
    "INSERT INTO public.t VALUES (2, 'b');\n",
    "INSERT INTO public.u VALUES (3, 'c');\nINSERT INTO public.u VALUES(4);\nINSERT INTO public.u VALUES(5);\n",
    "INSERT INTO public.t VALUES (2, 'b')\nON CONFLICT DO NOTHING;\n",
    "INSERT INTO public.t VALUES (1),\n \n\t\n(2);\n",
    "CREATE TABLE public.t (\n    id integer DEFAULT 1,\n    \"a;b\" text\n);\n",
    "ALTER TABLE public.t OWNER TO postgres;\n",
    "COPY public.t (id) FROM stdin;\n1\n2\n\\.\n",
    "COPY public.t (id) FROM stdin;\n\\.\n",
    "COPY public.\"x\n FROM stdin;\n\" (id) FROM stdin;\nCOPY x FROM stdin;\n\\\\.\n\\.x\n;\n\\.\n",
    "INSERT INTO public.t VALUES (1, 'a;\n--\n''b');\n",
    "INSERT INTO public.t VALUES\n\t(1),\n\t(2);\n",
    "INSERT INTO t DEFAULT VALUES;\n",
    "CREATE FUNCTION f() RETURNS text AS $_$ ;\nCOPY t FROM stdin;\n\\.\n$a$ $$ $_$ LANGUAGE sql;\n",
    "CREATE OR REPLACE PROCEDURE p(a int)\n    BEGIN ATOMIC\n SELECT CASE WHEN (a > 1) THEN 2 END;\n DELETE FROM t;\nEND;\n",
    "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC\n SELECT 1 AS \"end\";\n SELECT ');';\nEND;\n",
    "CREATE RULE r AS ON UPDATE TO public.t DO ( SELECT 1;\n SELECT (2);\n);\n",
    "CREATE VIEW v AS\n SELECT ';' AS x, -1 AS minus,\n  -2 AS other;\n",
    "SELECT pg_catalog.setval('public.s', 5, true);\n",
    "SET search_path = sales, pg_catalog;\n",
    "COMMENT ON TABLE public.t IS 'it''s\n\\.\nCREATE TABLE x ();\n';\n",
    "-- Name: t; Type: TABLE; Schema: public; Owner: x\n",
    "-- it's a \"comment\" $_$ (\n",
    "--\n",
    "\n",
    "\\connect shop\n",
    "\\restrict Key2\n",
    "\\unrestrict Key2\n",
    "\\set x 'y\n",
    "GRANT SELECT ON TABLE public.t TO app;\nGRANT SELECT(a) ON TABLE public.t TO app;\n",
    "CREATE TRIGGER tr BEFORE UPDATE OF a, b ON public.t FOR EACH ROW EXECUTE FUNCTION f('ON', ';');\n",
    "INSERT INTO public.\"(\" (\"it's\", b) VALUES (1, '('), (2, ')'), (3, 'x;\n');\nINSERT INTO public.\"(\" (\"it's\", b) VALUES (4, '');\n",
    "INSERT INTO public.\"T(\" (a, \"b$\") VALUES (1);\nINSERT INTO public.\"T(\" (a, \"b$\") VALUES (2), (3);\n",
    "INSERT INTO public.t (a) VALUES\r\n(1),\r\n('\r\n;\r\n');\r\n",
    "COPY public.t (id) FROM stdin;\r\n1\r\n\\.\r\n",
    "COPY public.t (id) FROM stdin;\n\0\n\r\n\\.\r\n\\.\n",
    "\0;\n",
    "BEGIN;\nSELECT 1;\nCOMMIT;\n",
    ";\n",
    "; ;\t\n",
    "SELECT 1; SELECT 2;\n",
    "SELECT 1\r;\r\n",
    "SELECT '\0', \"\0\";\n",
    "SELECT (1;\n",
    "SELECT 1);\n",
    "'",
    "\"",
    "$$",
    "$tag$",
    "(",
    ")",
    "BEGIN ",
    "END ",
    " FROM stdin;\n",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_are_those_of_the_slow_scanner(
        pieces in prop::collection::vec(0..PIECES.len(), 1..40),
        slab in prop_oneof![1_usize..40, Just(1 << 20)],
    ) {
        let body: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        compare([HEAD, &body, END].concat().as_bytes(), slab);
    }
}

#[test]
fn every_piece_by_itself() {
    for piece in PIECES {
        for slab in [1, 3, 7, 1 << 20] {
            compare([HEAD, piece, "SELECT 7;\n", END].concat().as_bytes(), slab);
            // One that repeats the one before takes a short way.
            compare([HEAD, piece, piece, "SELECT 7;\n", END].concat().as_bytes(), slab);
        }
    }
}
