//! Names that could pass for something else, and what each statement is about.

use vault::base::map::{MapEntry, MapKind, Space};

use crate::{END, HEAD, map};

/// What a name may be.
const NAMES: [&str; 13] = [
    "orders",
    "Orders",
    "a\"b",
    "a.b",
    "x;y",
    "new\nline\n\\.\n",
    "größe ✓",
    "ON",
    "-- Name: x; Type: TABLE; Schema: y; Owner: z",
    "\n--\n-- PostgreSQL database dump complete\n--\n",
    "$$",
    "COPY t FROM stdin;",
    "(",
];

fn quoted(name: &str) -> String {
    match name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => name.into(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Kind, class and names, as they are expected.
type Fact<'a> = (MapKind, Space, &'a str, [&'a str; 4]);

/// Kind, class, own name and the relation that it is part of.
fn facts(entry: &MapEntry) -> (MapKind, Space, String, [String; 4]) {
    let MapEntry { own, on, .. } = entry;
    let names = [&own.schema, &own.name, &on.schema, &on.name].map(|name| text(name).to_owned());
    (entry.kind, entry.space, text(&entry.class).to_owned(), names)
}

#[test]
fn versions_are_those_of_the_head() {
    let of = |what: &str, version: &str| format!("-- Dumped {what} version {version}\n");
    let script = [
        HEAD,
        &of("by pg_dump", "99"),
        "COMMENT ON TABLE t IS 'x\n",
        &of("by pg_dump", "98"),
        "';\n",
        END,
        HEAD,
        END,
        &of("by pg_dump", "97"),
        // A block that begins with one and ends as a marker.
        &HEAD[..35],
        "-- x\n",
        &of("from database", "16.1"),
        &END[..43],
    ];
    for slab in [1, 7, 1 << 20] {
        let entries = map(script.concat().as_bytes(), slab);
        let versions = entries.iter().filter(|entry| entry.kind == MapKind::Version);
        let versions: Vec<_> = versions.map(|entry| (text(&entry.class), text(&entry.own.name))).collect();
        let debian = "15.18 (Debian 15.18-0+deb12u1)";
        assert_eq!(versions, [("server", debian), ("tool", debian), ("server", "16.1")]);
        assert!(entries.is_sorted_by_key(|entry| entry.offset), "in the order of the dump");
        assert!(entries.windows(2).all(|pair| pair[0].end() <= pair[1].offset), "beside each other");
    }
}

#[test]
fn statements_are_about_what_they_name() {
    use MapKind::{Connect, Data, Link, Object, Setting, Value};
    use Space::{Index, Other, Relation};
    let mut compared = 0;
    for name in NAMES {
        let (t, literal) = (quoted(name), format!("sales.{}", quoted(name)).replace('\'', "''"));
        let own = ["sales", name, "", ""];
        let of = |part| ["sales", part, "sales", name];
        let cases: [(String, Vec<Fact<'_>>); 29] = [
            (format!("CREATE UNLOGGED TABLE sales.{t} (\n    a integer\n);"), vec![(Object, Relation, "TABLE", own)]),
            (
                format!("CREATE TABLE sales.kid (\n    a int\n)\nINHERITS (sales.{t}, sales.b);"),
                vec![
                    (Object, Relation, "TABLE", ["sales", "kid", "", ""]),
                    (Link, Other, "child", ["sales", "kid", "sales", name]),
                    (Link, Other, "child", ["sales", "kid", "sales", "b"]),
                ],
            ),
            (
                format!("ALTER TABLE ONLY sales.p ATTACH PARTITION sales.{t} FOR VALUES FROM ('a') TO ('b');"),
                vec![
                    (Object, Relation, "TABLE ATTACH", ["sales", name, "sales", "p"]),
                    (Link, Other, "child", ["sales", name, "sales", "p"]),
                ],
            ),
            (format!("COPY sales.{t} (a, b) FROM stdin;\n1\n\\."), vec![(Data, Relation, "COPY", own)]),
            (format!("INSERT INTO sales.{t} VALUES (1);"), vec![(Data, Relation, "INSERT", own)]),
            (
                format!("CREATE UNIQUE INDEX i ON ONLY sales.{t} USING btree (a);"),
                vec![(Object, Index, "INDEX", of("i"))],
            ),
            (
                format!("ALTER TABLE ONLY sales.{t}\n    ADD CONSTRAINT c PRIMARY KEY (a);"),
                vec![(Object, Index, "CONSTRAINT", of("c"))],
            ),
            (
                format!("ALTER TABLE ONLY sales.{t}\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.o(a);"),
                vec![(Object, Other, "FK CONSTRAINT", of("c"))],
            ),
            (
                format!(
                    "CREATE CONSTRAINT TRIGGER tr AFTER INSERT OR UPDATE OF a, \"ON\" ON sales.{t} FOR EACH ROW EXECUTE FUNCTION f();"
                ),
                vec![(Object, Other, "TRIGGER", of("tr"))],
            ),
            (
                format!("CREATE RULE r AS\n    ON UPDATE TO sales.{t} DO INSTEAD NOTHING;"),
                vec![(Object, Other, "RULE", of("r"))],
            ),
            (format!("CREATE POLICY p ON sales.{t} USING (true);"), vec![(Object, Other, "POLICY", of("p"))]),
            (
                format!("CREATE STATISTICS public.st (ndistinct) ON a, b FROM sales.{t};"),
                vec![(Object, Other, "STATISTICS", ["public", "st", "sales", name])],
            ),
            (format!("COMMENT ON TABLE sales.{t} IS 'x';"), vec![(Object, Relation, "COMMENT", own)]),
            (format!("COMMENT ON COLUMN sales.{t}.\"a.b\" IS 'x';"), vec![(Object, Relation, "COMMENT", own)]),
            (format!("COMMENT ON TRIGGER tr ON sales.{t} IS 'x';"), vec![(Object, Other, "COMMENT", of("tr"))]),
            (format!("COMMENT ON INDEX sales.{t} IS 'x';"), vec![(Object, Index, "COMMENT", own)]),
            (format!("GRANT SELECT(a),INSERT(a) ON TABLE sales.{t} TO app;"), vec![(Object, Relation, "ACL", own)]),
            (
                format!("ALTER INDEX sales.i ATTACH PARTITION sales.{t};"),
                vec![(Object, Index, "INDEX ATTACH", ["sales", name, "sales", "i"])],
            ),
            (format!("ALTER TABLE sales.{t} ENABLE ROW LEVEL SECURITY;"), vec![(Object, Relation, "ALTER", own)]),
            (
                format!("ALTER SEQUENCE sales.s OWNED BY sales.{t}.id;"),
                vec![
                    (Object, Relation, "ALTER", ["sales", "s", "", ""]),
                    (Link, Other, "owned", ["sales", "s", "sales", name]),
                ],
            ),
            (
                format!(
                    "ALTER TABLE sales.{t} ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME sales.s\n    START WITH 1\n);"
                ),
                vec![(Object, Relation, "ALTER", own), (Link, Other, "owned", ["sales", "s", "sales", name])],
            ),
            (format!("SELECT pg_catalog.setval('{literal}', 3, true);"), vec![(Value, Relation, "SEQUENCE SET", own)]),
            (
                format!("SET search_path = sales, pg_catalog;\nCREATE SEQUENCE {t};"),
                vec![(Setting, Other, "SET", ["", "search_path", "", ""]), (Object, Relation, "SEQUENCE", own)],
            ),
            (
                format!("CREATE OR REPLACE VIEW sales.{t} AS\nSELECT\n    NULL::integer AS id;"),
                vec![(Object, Relation, "REPLACE VIEW", own)],
            ),
            (
                format!("ALTER PUBLICATION p ADD TABLE ONLY sales.{t} (a, b) WHERE ((a > 1));"),
                vec![(Object, Other, "PUBLICATION TABLE", ["", "p", "sales", name])],
            ),
            (format!("COMMENT ON STATISTICS sales.{t} IS 'x';"), vec![(Object, Other, "COMMENT STATISTICS", own)]),
            (format!("GRANT USAGE ON SCHEMA {t} TO app;"), vec![(Object, Other, "ACL SCHEMA", ["", "", "", ""])]),
            (
                format!("SET SESSION AUTHORIZATION {t};\nRESET SESSION AUTHORIZATION;"),
                vec![
                    (Setting, Other, "SET", ["", "AUTHORIZATION", "", ""]),
                    (Setting, Other, "RESET", ["", "AUTHORIZATION", "", ""]),
                ],
            ),
            (
                "CREATE FUNCTION sales.orders(a integer) RETURNS integer AS $$1$$ LANGUAGE sql;".into(),
                vec![(Object, Other, "FUNCTION", ["sales", "orders", "", ""])],
            ),
        ];
        for (statement, expected) in cases {
            // Something else before and after, so that nothing goes on.
            let script = [HEAD, "\n", &statement, "\n\n", "CREATE EXTENSION IF NOT EXISTS x;\n", END].concat();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(kind, space, class, names)| (kind, space, class.to_owned(), names.map(str::to_owned)))
                .collect();
            for slab in [1, 5, 1 << 20] {
                let entries = map(script.as_bytes(), slab);
                let from = entries.iter().position(|entry| entry.offset > HEAD.len() as u64).expect("entries");
                let found: Vec<_> = entries[from..from + expected.len()].iter().map(facts).collect();
                assert_eq!(found, expected, "{statement}");
                let stop = entries.last().expect("an end");
                assert_eq!((stop.kind, stop.offset, stop.rows), (MapKind::Stop, script.len() as u64, 0), "{statement}");
                compared += 1;
            }
        }
        let connect = match name.contains('\n') {
            true => continue,
            false if quoted(name) == name => format!("\\connect {name}\n"),
            false => {
                let value = name.replace('\\', "\\\\").replace('\'', "\\'");
                format!(
                    "\\encoding SQL_ASCII\n\\connect -reuse-previous=on \"{}\"\n",
                    format!("dbname='{value}'").replace('"', "\"\"")
                )
            }
        };
        let entries = map([HEAD, &connect, END].concat().as_bytes(), 9);
        let found = entries.iter().find(|entry| entry.kind == Connect).expect("a connection");
        assert_eq!(text(&found.own.name), name);
        assert_eq!((found.offset, found.length), (HEAD.len() as u64, connect.len() as u64), "{name}");
        assert_eq!(entries.last().map(|stop| stop.rows), Some(0), "{name}");
    }
    assert_eq!(compared, 13 * 29 * 3);
}

#[test]
fn what_has_no_name_is_counted_and_stands_there() {
    let long = "x".repeat(5000);
    let cases = [
        format!("CREATE TABLE public.{long} (\n    a int\n);\n"),
        format!("CREATE TABLE public.\"{long}\" (\n    a int\n);\n"),
        "CREATE TRIGGER t AFTER INSERT;\n".into(),
        "CREATE TABLE public.t (a int); DROP TABLE public.u;\n".into(),
        "COPY (SELECT 1) FROM stdin;\n1\n\\.\n".into(),
        format!("CREATE TRIGGER t AFTER UPDATE OF {} ON public.t EXECUTE FUNCTION f();\n", "abcdef, ".repeat(9000)),
    ];
    for case in &cases {
        let script = [HEAD, case, END].concat();
        let entries = map(script.as_bytes(), 1 << 20);
        let range = (HEAD.len() as u64, (HEAD.len() + case.len()) as u64);
        let found = entries.iter().find(|entry| (entry.offset, entry.end()) == range).expect("its range");
        assert!(found.own.is_empty() && found.on.is_empty(), "{}", &case[..20]);
        assert_eq!(entries.last().map(|stop| stop.rows), Some(1), "{}", &case[..20]);
    }
}

#[test]
fn a_dump_that_is_cut_is_mapped_up_to_there() {
    let whole = [HEAD, "CREATE TABLE public.t (\n    a int\n);\n\n\n"].concat();
    for tail in ["COPY public.t (a) FROM stdin;\n1\n2\n", "COPY public.t (a) FROM", "SELECT 'x;\n", "SELECT 1\n"] {
        let entries = map([&whole, tail].concat().as_bytes(), 64);
        let stop = entries.last().expect("an end");
        assert_eq!((stop.kind, stop.offset), (MapKind::Stop, whole.len() as u64 - 2), "{tail}");
        assert!(entries.iter().all(|entry| entry.kind != MapKind::Data), "{tail}");
    }
}

#[test]
fn inserts_in_a_row_are_one_entry_for_each_table() {
    let insert = |table: &str, count: usize| format!("INSERT INTO {table} VALUES (1, 'a(b');\n").repeat(count);
    let script = [
        HEAD,
        &insert("public.t", 3),
        &insert("public.\"T\"", 2),
        &insert("public.t", 1),
        "SET search_path = a;\n",
        &insert("u", 2),
        "SET search_path = b;\n",
        &insert("u", 2),
        "INSERT INTO u VALUES\n\t(1),\n\t(2);\nINSERT INTO u DEFAULT VALUES;\n",
        END,
    ]
    .concat();
    for slab in [1, 7, 40, 1 << 20] {
        let entries = map(script.as_bytes(), slab);
        let data = entries.iter().filter(|entry| entry.kind == MapKind::Data);
        let found: Vec<_> = data.map(|entry| (text(&entry.own.schema), text(&entry.own.name), entry.rows)).collect();
        let expected = [("public", "t", 3), ("public", "T", 2), ("public", "t", 1), ("a", "u", 2), ("b", "u", 5)];
        assert_eq!(found, expected, "slabs of {slab}");
    }
}
