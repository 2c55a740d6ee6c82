//! What is inside a dump, and parts of it: what a person sees.

use serde_json::Value;

use crate::place::{Place, run};

/// How a dump of one database begins, and how it ends.
pub const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict K\n\n-- Dumped from database version 15.18\n-- Dumped by pg_dump version 15.18\n-- and some words more, so that the head is longer than what is looked at before the kind is known, which a real one always is: it has a dozen settings\n\nSET statement_timeout = 0;\n\n";
pub const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict K\n\n";
/// Tables with and without rows, and a view.
pub const TABLES: &str = "CREATE TABLE public.orders (\n    id integer\n);\n\nCREATE TABLE public.empty (\n    id integer\n);\n\nCREATE TABLE public.parent (\n    id integer\n)\nPARTITION BY RANGE (id);\n\nCREATE TABLE public.child (\n    id integer\n);\n\nALTER TABLE ONLY public.parent ATTACH PARTITION public.child DEFAULT;\n\nCREATE TABLE public.metrics (\n    at date\n);\n\nCREATE TABLE _timescaledb_internal._hyper_1_1_chunk (\n    at date\n)\nINHERITS (public.metrics);\n\nCREATE VIEW public.seen AS\n SELECT 1;\n\nCOPY public.metrics (at) FROM stdin;\n\\.\n\nCOPY _timescaledb_internal._hyper_1_1_chunk (at) FROM stdin;\n2026-11-20\n\\.\n\n";

/// Rows of a table.
pub fn rows(table: &str, rows: &[u64]) -> String {
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!("COPY public.{table} (id) FROM stdin;\n{rows}\\.\n\n")
}

/// A dump of one database.
pub fn dump(orders: &[u64]) -> String {
    [HEAD, TABLES, &rows("orders", orders), &rows("child", &[7]), END].concat()
}

/// A dump of two databases, each with a table `orders`.
pub fn cluster() -> String {
    let database = |name: &str| {
        let body = [HEAD, TABLES, &rows("orders", &[1, 2]), &rows("child", &[7]), END].concat();
        format!("\\connect {name}\n\n{}", body.replace(" K\n", &format!(" {name}\n")))
    };
    let head = "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict G\n\nCREATE ROLE app;\n\n\\unrestrict G\n\n";
    let end = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    [head, &database("shop"), &database("bench"), end].concat()
}

#[test]
fn what_cannot_be_had_is_said() {
    let place = Place::with_key();
    let single = place.pack(&[], dump(&[1, 2, 3]).as_bytes());
    let all = place.pack(&[], cluster().as_bytes());
    let raw = place.pack(&["--allow-shrink"], b"just bytes");
    let cases: [(&str, &[&str], i32, &str); 17] = [
        (&single, &["--table", "ordres"], 10, "no table of the dump matches `ordres`"),
        (&single, &["--table", "zzzzzzzz"], 10, "no table of the dump matches `zzzzzzzz`"),
        (&single, &["--table", "public.seen"], 2, "public.seen has no rows of its own in the dump: it is a view"),
        (
            &single,
            &["--table", "empty"],
            2,
            "public.empty has no rows of its own in the dump: it was empty, or they were left out",
        ),
        (
            &single,
            &["--table", "parent", "--only"],
            2,
            "public.parent has no rows of its own in the dump: they are in its partitions",
        ),
        (
            &single,
            &["--table", "metrics"],
            2,
            "public.metrics has no rows of its own in the dump: they are in chunks of TimescaleDB",
        ),
        (
            &single,
            &["--table", "_hyper*", "--table", "metrics"],
            2,
            "_timescaledb_internal._hyper_1_1_chunk has no rows of its own in the dump: they are in chunks of TimescaleDB",
        ),
        (&single, &["--table", "a.b.c"], 2, "`a.b.c` is no name and no pattern"),
        (&single, &["--database", "shop"], 2, "the dump does not say which database it is of"),
        (&single, &["--globals"], 2, "the dump has no globals"),
        (&all, &["--table", "orders"], 2, "`orders` matches tables of several databases: bench, shop"),
        (&all, &["--database", "*", "--no-connect"], 2, "what is chosen is of several databases: shop, bench"),
        (
            &all,
            &["--database", "*", "--table", "orders", "--no-connect"],
            2,
            "what is chosen is of several databases: bench, shop",
        ),
        (&all, &["--database", "shoop"], 10, "no database of the dump matches `shoop`"),
        (&all, &["--database", "\"shop"], 2, "`\"shop` is no name and no pattern"),
        (&raw, &["--table", "orders"], 2, &format!("{raw} has no dump map: it is of kind raw")),
        (&raw, &["--table", "orders", "--dry-run"], 2, &format!("{raw} has no dump map")),
    ];
    let mut tried = 0;
    for (backup, parts, code, error) in cases {
        let ran = run(place.command(&[&["unpack", "-q", backup], parts].concat()), b"");
        ran.fails(&format!("{parts:?}"), code, error);
        assert_eq!(ran.out, b"", "{parts:?}");
        tried += 1;
    }
    assert_eq!(tried, 17);
    let chunks = run(place.command(&["unpack", &single, "--table", "metrics"]), b"");
    assert!(chunks.err.contains("bring back all of the dump, `vault unpack BACKUP`, into"), "{}", chunks.err);
    let chunks = run(place.command(&["unpack", &all, "--database", "shop", "--table", "metrics"]), b"");
    assert!(chunks.err.contains("`vault unpack BACKUP --database NAME`"), "{}", chunks.err);
    // What has no rows has a name, too.
    for (typed, near) in [("ordres", "public.orders"), ("parennt", "public.parent"), ("senn", "public.seen")] {
        let told = run(place.command(&["unpack", &single, "--table", typed]), b"").err;
        assert!(told.contains(&format!("nearest: {near}")), "{typed}: {told}");
    }
    run(place.command(&["show", &raw, "--contents"]), b"").fails("raw", 2, &format!("{raw} has no dump map"));
    run(place.command(&["diff", &single, &raw]), b"").fails("raw", 2, &format!("{raw} has no dump map"));
    run(place.command(&["diff", &single, "ffff"]), b"").fails("none", 10, "there is no backup");
    // What clap refuses by itself.
    for arguments in [["--with-schema", "--globals"], ["--only", "--globals"], ["--no-connect", "--globals"]] {
        let ran = run(place.command(&[&["unpack", &single][..], &arguments].concat()), b"");
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
    assert_eq!(run(place.keyless(&["show", &single, "--contents"]), b"").code, Some(2));
}

#[test]
fn parts_are_scripts() {
    let place = Place::with_key();
    let all = place.pack(&[], cluster().as_bytes());
    let part = |arguments: &[&str]| place.ok(&[&["unpack", "-q", &all], arguments].concat(), b"");
    let begin = "\\connect shop\n\\restrict shop\nSET statement_timeout = 0;\n";
    let copied = |table: &str, row: &[u64]| rows(table, row).replace("\n\n", "\n");
    let orders = part(&["--database", "shop", "--table", "orders"]);
    assert_eq!(orders, [begin, &copied("orders", &[1, 2]), "\\unrestrict shop\n"].concat());
    let here = part(&["--database", "shop", "--table", "orders", "--no-connect"]);
    assert_eq!(here, orders.replace("\\connect shop\n", ""));
    let parent = part(&["--database", "sh?p", "--table", "parent"]);
    assert_eq!(parent, [begin, &copied("child", &[7]), "\\unrestrict shop\n"].concat());
    let only = part(&["--database", "shop", "--table", "parent", "--only", "--with-schema"]);
    assert!(only.contains("CREATE TABLE public.parent (") && !only.contains("child"), "{only}");
    let child = part(&["--database", "shop", "--table", "child", "--with-schema"]);
    assert!(child.contains("CREATE TABLE public.child (") && !child.contains("parent"), "{child}");
    let family = part(&["--database", "shop", "--table", "parent", "--with-schema"]);
    assert!(family.contains("ATTACH PARTITION public.child DEFAULT;\n"), "{family}");
    let both = part(&["--database", "*", "--table", "orders", "--globals", "--check-first"]);
    assert!(both.contains("CREATE ROLE app;") && both.contains(begin), "{both}");
    assert!(both.contains("\\unrestrict shop\n\\connect bench\n\\restrict bench\n"), "{both}");
    let shop = part(&["--database", "shop"]);
    let whole = cluster();
    let from = whole.find("\\connect shop").expect("shop");
    assert_eq!(shop, whole[from..whole.find("\\connect bench").expect("bench")]);
    assert_eq!(part(&["--database", "shop", "--no-connect"]), shop.replacen("\\connect shop\n", "", 1));
    assert_eq!(part(&["--database", "shop", "--database", "sh*", "--no-connect"]).len(), shop.len() - 14);
    assert_eq!(part(&["--globals"]), whole[..from]);

    let told = place.ok(&["unpack", &all, "--database", "shop", "--table", "orders", "--dry-run"], b"");
    assert!(told.contains("shop: public.orders, 2 rows, "), "{told}");
    let told = place.ok(&["unpack", &all, "--database", "shop", "--table", "orders", "--dry-run", "--json"], b"");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["bytes"], &told["tables"][0]["rows"]), (&Value::from(orders.len()), &Value::from(2)), "{told}");
}

#[test]
fn tables_without_rows_are_told() {
    let place = Place::with_key();
    let single = place.pack(&[], dump(&[1, 2, 3]).as_bytes());
    let part = |arguments: &[&str]| {
        let ran = run(place.command(&[&["unpack", "-q", &single], arguments].concat()), b"");
        let warned = ran.err.contains("warning: ");
        assert_eq!(ran.code, Some(if warned { 3 } else { 0 }), "{arguments:?}: {}", ran.err);
        (String::from_utf8(ran.out).expect("text"), ran.err)
    };
    let empty =
        "public.empty comes back without rows: the dump has none of its own, it was empty, or they were left out";
    let (script, told) = part(&["--table", "empty", "--with-schema"]);
    assert!(script.contains("CREATE TABLE public.empty (") && told.contains(empty), "{script}{told}");
    assert!(part(&["--table", "empty", "--with-schema", "--dry-run"]).1.contains(empty));
    for quiet in ["orders", "parent", "seen"] {
        let (_, told) = part(&["--table", quiet, "--with-schema"]);
        assert!(!told.contains("without rows"), "{quiet}: {told}");
    }
    // What has rows comes, whatever else the pattern matches.
    let (script, told) = part(&["--table", "*", "--table", "orders"]);
    assert!(script.contains("COPY public.orders") && script.contains("COPY public.child"), "{script}");
    assert!(!script.contains("metrics") && !script.contains("_hyper"), "{script}");
    assert!(told.contains("public.metrics is left out: its rows are in chunks of TimescaleDB"), "{told}");
    let (script, told) = part(&["--table", "*", "--with-schema"]);
    assert!(!script.contains("metrics") && !script.contains("_hyper"), "{script}");
    assert!(told.contains("public.metrics is left out") && told.contains(empty), "{told}");

    // Rows of partitions that were dumped as those of their parent.
    let through_root = dump(&[1]).replace("COPY public.child", "COPY public.parent");
    let through_root = place.pack(&["--allow-shrink"], through_root.as_bytes());
    let told =
        |table: &str| run(place.command(&["unpack", "-q", &through_root, "--table", table, "--with-schema"]), b"").err;
    let child =
        "public.child comes back without rows: they are among those of public.parent, which `--table` would bring";
    assert!(told("child").contains(child), "{}", told("child"));
    let refused = run(place.command(&["unpack", &through_root, "--table", "child"]), b"");
    refused.fails("child", 2, "public.child has no rows of its own in the dump: they are among those of the table");
    assert!(refused.err.contains("`--table public.parent` brings them"), "{}", refused.err);
    assert!(!told("parent").contains("without rows") && !told("p*").contains("without rows"), "{}", told("p*"));
    assert!(!told("*").contains("public.child comes"), "{}", told("*"));
    // Without its partitions there is nowhere for them to go.
    let only = |table: &str| run(place.command(&["unpack", &through_root, "--table", table, "--only"]), b"");
    only("parent").fails("parent", 2, "public.parent has no rows of its own in the dump: they are in its partitions");
    assert_eq!(only("*").code, Some(3), "{:?}", only("*"));
}

/// What names a database or drops it is not brought along by what is to go beside it, or by the globals.
#[test]
fn nothing_else_is_changed() {
    let place = Place::with_key();
    let dropped = "DROP DATABASE shop;\n\nDROP ROLE app;\n\nCREATE ROLE app;";
    let of_shop = "\\connect shop\n\nALTER DATABASE shop SET work_mem TO '7MB';\nALTER ROLE app IN DATABASE shop SET work_mem TO '7MB';\nCOMMENT ON DATABASE shop IS 's';\nSECURITY LABEL FOR x ON DATABASE shop IS 's';\nGRANT CONNECT ON DATABASE shop TO app;\n\n";
    let dump = cluster().replace("CREATE ROLE app;", dropped).replace("\\connect shop\n\n", of_shop);
    let id = place.pack(&[], dump.as_bytes());
    let part = |arguments: &[&str]| place.ok(&[&["unpack", "-q", &id], arguments].concat(), b"");
    let globals = part(&["--globals"]);
    assert!(globals.contains("CREATE ROLE app;") && !globals.contains("DROP"), "{globals}");
    let shop = part(&["--database", "shop"]);
    assert_eq!(shop.matches("DATABASE shop").count(), 5, "{shop}");
    for arguments in
        [&["--database", "shop", "--no-connect"][..], &["--database", "shop", "--table", "orders", "--no-connect"]]
    {
        let copy = part(arguments);
        assert!(
            copy.contains("COPY public.orders") && !copy.contains("DATABASE") && !copy.contains("connect"),
            "{copy}"
        );
    }
    // The view that stands in for one that is taken off is a view, too.
    let clean = ["CREATE OR REPLACE VIEW public.v AS\nSELECT\n    NULL::integer AS id;\n\n", TABLES].concat();
    let id = place.pack(&["--allow-shrink"], [HEAD, &clean, END].concat().as_bytes());
    let told = place.ok(&["show", &id, "--contents"], b"");
    assert!(told.lines().any(|line| line.split_whitespace().take(2).eq(["v", "view"])), "{told}");
}

/// Whom a statement runs as, and what belongs to a table by another name, comes along, and goes no further.
#[test]
fn what_surrounds_a_statement_comes_with_it_and_ends_with_it() {
    let place = Place::with_key();
    let tables = "CREATE TABLE public.a (\n    id integer\n);\n\nCREATE TABLE public.b (\n    id integer\n);\n\n";
    let statistics = "CREATE STATISTICS public.st ON id, n FROM public.a;\n\nALTER STATISTICS public.st OWNER TO app;\n\nCOMMENT ON STATISTICS public.st IS 's';\n\n";
    let published = "ALTER PUBLICATION p ADD TABLE ONLY public.b;\n\n";
    let as_app =
        |statement: &str| format!("SET SESSION AUTHORIZATION app;\n{statement}\nRESET SESSION AUTHORIZATION;\n\n");
    let by_app = as_app("GRANT SELECT ON TABLE public.a TO clerk;");
    let after = "GRANT SELECT ON TABLE public.a TO web;\nGRANT SELECT ON TABLE public.b TO clerk;\n\n";
    let dump = [HEAD, tables, statistics, published, &rows("a", &[1]), &rows("b", &[2]), &by_app, after, END].concat();
    let id = place.pack(&[], dump.as_bytes());
    let part = |table: &str| place.ok(&["unpack", "-q", &id, "--table", table, "--with-schema"], b"");
    let (a, b) = (part("a"), part("b"));
    assert!(a.contains(&by_app[..by_app.len() - 1]), "{a}");
    assert!(
        a.contains("OWNER TO app;\nCOMMENT ON STATISTICS public.st IS 's';\n") && !a.contains("PUBLICATION"),
        "{a}"
    );
    assert!(!b.contains("AUTHORIZATION") && !b.contains("STATISTICS"), "{b}");
    assert!(b.contains("TO clerk;\n") && b.contains("ADD TABLE ONLY public.b;\n"), "{b}");
}

/// mysqldump names a table as the dump's character set has it, and makes it as UTF-8 has it.
#[test]
fn rows_under_a_name_that_is_no_text_are_told() {
    let place = Place::with_key();
    let head = "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n-- Server version\t8.0.36\n\n/*!40101 SET NAMES latin1 */;\n\nUSE `shop`;\n\n";
    let table = |name: &[u8]| [b"CREATE TABLE `", name, b"` (\n  `id` int\n);\n\n"].concat();
    let insert = |name: &[u8]| [b"INSERT INTO `", name, b"` VALUES (1);\n\n"].concat();
    let end = b"-- Dump completed on 2026-11-30  3:00:00\n";
    let named = |name: &[u8]| {
        let made = table("größe".as_bytes());
        let dump = [head.as_bytes(), &made, &insert(name), &table(b"other"), &insert(b"other"), end].concat();
        place.pack(&["--allow-shrink"], &dump)
    };
    let (latin, utf8) = (named(b"gr\xf6\xdfe"), named("größe".as_bytes()));
    let ran = |id: &str, arguments: &[&str]| run(place.command(&[&["unpack", "-q", id], arguments].concat()), b"");
    let refused = ran(&latin, &["--table", "größe"]);
    refused.fails(
        "rows",
        2,
        "größe has no rows of its own in the dump: it was empty, they were left out, or they stand",
    );
    assert!(refused.err.contains("`*` and `?` match what is not UTF-8 in a name"), "{}", refused.err);
    let warned = ran(&latin, &["--table", "größe", "--with-schema"]);
    assert!(warned.code == Some(3) && warned.err.contains("under a name that is not UTF-8"), "{warned:?}");
    for (id, arguments) in [(&latin, ["--table", "other"]), (&latin, ["--table", "gr*"]), (&utf8, ["--table", "größe"])]
    {
        let fine = ran(id, &arguments);
        assert!(fine.code == Some(0) && !fine.out.is_empty() && !fine.err.contains("UTF-8"), "{arguments:?}: {fine:?}");
    }
    // What cannot be typed is not offered.
    let near = ran(&latin, &["--table", "grosse"]);
    assert!(near.err.contains("nearest: shop.größe;"), "{}", near.err);
}

/// What a command says to programs.
pub fn json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&place.ok(&[arguments, &["--json"]].concat(), b"")).expect("JSON")
}

#[test]
fn versions_are_told_to_whoever_has_the_key() {
    let place = Place::with_key();
    let from = |version: &str| format!("-- Dumped from database version {version}\n");
    // What a name in a terminal could do, and a line without end.
    let odd = [from("15\u{1b}[2J\u{7}"), from(&"z".repeat(400)), from(&"z".repeat(40_000))].concat();
    let tool = "-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)\n\n";
    let late = format!("CREATE TABLE t (a integer);\n\n{}", from("77.7"));
    let head = "--\n-- PostgreSQL database dump\n--\n\n\\restrict K\n\n";
    let first = [head, &odd, tool, &from("15.20"), "SET lock_timeout = 0;\n", &late, END].concat();
    let script = [&first, head, tool, "SET lock_timeout = 0;\n", END].concat();
    let id = place.pack(&[], script.as_bytes());
    let servers = serde_json::json!(["15\u{1b}[2J\u{7}", "15.20"]);
    let tools = serde_json::json!(["15.20 (Debian 15.20-0+deb12u1)"]);
    for arguments in [&["show", &id][..], &["show", &id, "--contents"]] {
        let told = json(&place, arguments);
        assert_eq!((&told["server_versions"], &told["tool_versions"]), (&servers, &tools), "{told}");
        let told = place.ok(arguments, b"");
        assert_eq!((told.matches("server  ").count(), told.matches("dump tool ").count()), (2, 1), "{told}");
        assert!(told.contains("15.20 (Debian") && !told.contains("77.7") && !told.contains("zzz"), "{told}");
        assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
    }
    let told = String::from_utf8(run(place.keyless(&["show", &id]), b"").out).expect("text");
    assert!(told.contains("pg_dump") && !told.contains("15.20") && !told.contains("server"), "{told}");
    // Without the index the rest is told.
    std::fs::remove_file(place.store().join(format!("{id}-2"))).expect("the index is there");
    let ran = run(place.command(&["show", &id]), b"");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("warning: the versions that the dump names cannot be read"), "{}", ran.err);
}

#[test]
fn contents_and_differences_are_told() {
    let place = Place::with_key();
    let many: Vec<u64> = (0..20_000).collect();
    let more: Vec<u64> = (0..20_100).collect();
    let first = place.pack(&[], dump(&many).as_bytes());
    let second = place.pack(&[], dump(&more).as_bytes());
    let third = place.pack(&[], [HEAD, TABLES, &rows("later", &more), END].concat().as_bytes());
    let told = place.ok(&["show", &first, "--contents"], b"");
    assert!(
        told.lines().any(|line| line.contains("orders") && line.contains("table") && line.contains("20000 rows")),
        "{told}"
    );
    let json = |arguments: &[&str]| json(&place, arguments);
    let contents = json(&["show", &first, "--contents"]);
    assert_eq!(contents["message_type"], "contents");
    let schemas = contents["databases"][0]["schemas"].as_array().expect("schemas");
    let public = schemas.iter().find(|schema| schema["name"] == "public").expect("public");
    let orders = public["relations"].as_array().expect("tables").iter().find(|table| table["name"] == "orders");
    assert_eq!(orders.expect("orders")["rows"], 20_000, "{contents}");

    let change = |difference: &Value, name: &str| {
        let tables = difference["tables"].as_array().expect("tables").clone();
        tables.into_iter().find(|table| table["table"] == name).expect("the table")
    };
    let same = json(&["diff", &first, &first]);
    assert!(same["tables"].as_array().expect("tables").iter().all(|table| table["change"] == "same"), "{same}");
    let emptied = change(&json(&["diff", &first, "latest"]), "orders");
    assert_eq!(
        (&emptied["change"], &emptied["after"]["rows"]),
        (&Value::from("changed"), &Value::from(0)),
        "{emptied}"
    );
    let grown = change(&json(&["diff", &first, &second]), "orders");
    assert_eq!((&grown["change"], &grown["after"]["rows"]), (&Value::from("changed"), &Value::from(20_100)));
    let new = grown["after"]["alone_bytes"].as_u64().expect("a number");
    assert!((500..60_000).contains(&new), "{grown}");
    assert_eq!(change(&json(&["diff", &second, &third]), "later")["change"], "new");
    let told = place.ok(&["diff", &first, &second], b"");
    assert!(told.contains("public.orders") && told.contains("changed"), "{told}");
}
