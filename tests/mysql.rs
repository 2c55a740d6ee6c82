//! What mysqldump writes, with a real MariaDB: dumps that are cut are refused, whole ones are mapped, and parts of them come back.

mod common;

use std::process::{Command, Output, Stdio};

use common::mariadb::Server;
use vault::base::map::{MapEntry, MapKind};
use vault::dump::{DumpKind, Observer, Report, Seen, Shortfall, Unproven, Verdict};

/// Leaves out the table whose names need quotes, and letters that not every character set has.
const ODD: &str = "--ignore-table=shop.we`ird \"n'a;me\n-- Dump completed\n x";

const VAULT: &str = env!("CARGO_BIN_EXE_vault");

/// The report and the map of a dump that comes in slabs of this size.
fn observe(bytes: &[u8], slab: usize) -> (Report, Vec<MapEntry>) {
    let (mut observer, mut map) = (Observer::new(), Vec::new());
    for slab in bytes.chunks(slab) {
        observer.push(slab);
        map.extend(observer.take_map());
    }
    map.extend(observer.finish_map());
    (observer.finish(), map)
}

/// Tables with their rows, in the order of the dump.
fn tables(map: &[MapEntry]) -> Vec<(String, u64)> {
    let data = map.iter().filter(|entry| entry.kind == MapKind::Data);
    data.map(|entry| (String::from_utf8_lossy(&entry.own.name).into_owned(), entry.rows)).collect()
}

/// The versions of the server and of the tool.
fn versions(map: &[MapEntry]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let named = map.iter().filter(|entry| entry.kind == MapKind::Version);
    named.map(|entry| (text(&entry.class), text(&entry.own.name))).collect()
}

/// Judges every prefix: only the whole is complete.
fn cut_everywhere(dump: &[u8]) {
    let mut observer = Observer::new();
    let mut complete = Vec::new();
    for (at, byte) in dump.iter().enumerate() {
        observer.push(std::slice::from_ref(byte));
        match observer.clone().finish().verdict {
            Verdict::Complete => complete.push(at + 1),
            Verdict::Incomplete(_) => {}
            // Too short for its head to say what it is, or that it says its end.
            Verdict::Unchecked | Verdict::Unproven(_) => assert!(at < 60, "cut at {at}"),
        }
    }
    assert_eq!(complete, [dump.len()]);
}

#[test]
fn each_variant_of_a_dump_is_judged_and_mapped() {
    let server = Server::start();
    server.fill();
    let all = server.dump(&["--all-databases", "--routines", "--events"]);
    let shop = server.dump(&["--routines", "--events", "shop"]);
    cut_everywhere(&shop);
    cut_everywhere(&server.dump(&["--databases", "nothing", "o`dd \"d'b", "--skip-dump-date"]));
    let expected = [
        ("child", 2),
        ("generated", 2),
        ("letters", 5),
        ("nothing", 0),
        ("orders", 6),
        ("parent", 2),
        ("parts", 2),
        ("we`ird \"n'a;me\n-- Dump completed\n x", 2),
    ];
    let expected: Vec<(String, u64)> = expected.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();

    let rows: [&[&str]; 22] = [
        &[],
        &["--routines", "--events"],
        &["--skip-dump-date"],
        &["--verbose"],
        &["--skip-opt", "--create-options"],
        &["--no-autocommit"],
        &["--skip-add-locks", "--skip-disable-keys", "--no-autocommit"],
        &["--complete-insert", "--hex-blob"],
        &["--replace", "--skip-extended-insert"],
        &["--insert-ignore"],
        &["--compatible=ansi"],
        &["--skip-quote-names", ODD],
        &["--databases"],
        &["--databases", "--no-create-db"],
        &["--databases", "--add-drop-database"],
        &["--no-create-info", "--skip-triggers"],
        &["--add-drop-trigger"],
        &["--skip-set-charset", "--skip-tz-utc"],
        &["--default-character-set=gbk", ODD],
        &["--default-character-set=sjis", ODD],
        &["--default-character-set=big5", ODD],
        &["--single-transaction", "--order-by-primary", "--delayed-insert"],
    ];
    for options in rows {
        let dump = server.dump(&[options, &["shop"]].concat());
        let (report, map) = observe(&dump, 1 << 20);
        assert_eq!((report.kind, report.verdict), (DumpKind::Mysql, Verdict::Complete), "{options:?}");
        let odd = |name: &str| options.contains(&ODD) && name.starts_with("we`");
        // Without locks an empty table has no statements around the rows that it does not have.
        let unlocked = ["--skip-opt", "--skip-add-locks", "--delayed-insert"];
        let bare = |name: &str| options.iter().any(|option| unlocked.contains(option)) && name == "nothing";
        let expected: Vec<_> = expected.iter().filter(|(name, _)| !odd(name) && !bare(name)).cloned().collect();
        assert_eq!(tables(&map), expected, "{options:?}");
        let stop = map.last().expect("an end");
        assert_eq!((stop.kind, stop.offset, stop.rows), (MapKind::Stop, dump.len() as u64, 0), "{options:?}");
    }
    versions_are_those_of_the_tools(&server, &shop);
    made_for_another_character_set(&server);
    for options in [&["--no-data"][..], &["--system=all"], &["--no-data", "--no-create-info", "--routines"]] {
        let dump = server.dump(&[options, &["shop"]].concat());
        assert_eq!(observe(&dump, 1 << 20).0.verdict, Verdict::Complete, "{options:?}");
    }
    for options in [&["--compact"][..], &["--skip-comments"], &["--skip-comments", "--databases"]] {
        let dump = server.dump(&[options, &["shop"]].concat());
        let (report, map) = observe(&dump, 1 << 20);
        assert_eq!(report.verdict, Verdict::Unproven(Unproven::NoEnd), "{options:?}");
        assert!(tables(&map).iter().any(|table| table == &("orders".into(), 6)), "{options:?}");
        assert!(matches!(observe(&dump[..dump.len() / 2], 7).0.verdict, Verdict::Incomplete(_)), "{options:?}");
    }
    let xml = server.dump(&["--xml", "shop"]);
    assert_eq!(observe(&xml, 1 << 20).0.kind, DumpKind::Raw);

    for dump in [&all, &shop] {
        let whole = observe(dump, 1 << 20);
        for slab in [1, 3, 64, 1000] {
            assert_eq!(observe(dump, slab), whole, "slabs of {slab} bytes");
        }
    }
    // In a row, each has to be whole.
    assert_eq!(observe(&[&shop[..], &all].concat(), 999).0.verdict, Verdict::Complete);
    let rows = shop.windows(12).position(|window| window == b"LOCK TABLES ").expect("rows");
    for cut in (200..rows).step_by(7) {
        // What stands in a literal may be anything, another dump as well.
        match observe(&shop[..cut], 1 << 20).0.verdict {
            Verdict::Incomplete(Shortfall::Mysql(shortfall)) if shortfall.seen == Seen::Literal => continue,
            _ => {}
        }
        let two = [&shop[..cut], &all].concat();
        assert!(matches!(observe(&two, 1 << 20).0.verdict, Verdict::Incomplete(_)), "cut at {cut}");
    }
}

/// The comment that a dump begins with names them, and nothing behind it does.
fn versions_are_those_of_the_tools(server: &Server, dump: &[u8]) {
    let of_server = server.sql("mysql", "SELECT version()").trim().to_owned();
    let named = versions(&observe(dump, 1 << 20).1);
    let [(tool, of_tool), (class, text)] = &named[..] else { panic!("{named:?}") };
    assert_eq!((&tool[..], &class[..], text), ("tool", "server", &of_server));
    assert!(of_server.starts_with(of_tool) && of_tool.ends_with("-MariaDB"), "{named:?}");

    let end = "-- Dump completed\n";
    let cases = [
        (
            "-- MySQL dump 10.13  Distrib 8.0.36-28, for Linux (x86_64)\n--\n-- Server version\t8.0.36-28\n",
            "8.0.36-28",
            "8.0.36-28",
        ),
        (
            "-- MariaDB dump 10.19-11.4.2-MariaDB, for Linux (x86_64)\n--\n-- Server version\t11.4\r\n",
            "10.19-11.4.2-MariaDB",
            "11.4",
        ),
        ("-- MySQL dump 10.13\n\n-- Server version\t1\n", "10.13", ""),
        ("-- MySQL dump 10.13\nSET @a = '\n-- Server version\t1\n';\n-- Server version\t2\n", "10.13", ""),
        ("-- MySQL dump , for x\n-- Server version\t\n", "", ""),
    ];
    for (head, tool, of_server) in cases {
        let expected = [("tool", tool), ("server", of_server)].into_iter().filter(|(_, version)| !version.is_empty());
        let expected: Vec<_> = expected.map(|(class, version)| (class.to_owned(), version.to_owned())).collect();
        for slab in [1, 1000] {
            assert_eq!(versions(&observe(format!("{head}{end}").as_bytes(), slab).1), expected, "{head}");
        }
    }
    for length in [129, 600, 1 << 20] {
        let long = "9".repeat(length);
        let head = format!("-- MySQL dump 10.13  Distrib {long}\n-- Host: {long}\n-- Server version\t{long}\n{end}");
        assert_eq!(versions(&observe(head.as_bytes(), 999).1), [], "{length}");
    }
    let many: String = (0..40).map(|at| format!("-- MySQL dump {at}\n{end}")).collect();
    assert_eq!(versions(&observe(many.as_bytes(), 999).1).len(), 16);
}

/// What was made when the database had another one stands between two `ALTER DATABASE`.
fn made_for_another_character_set(server: &Server) {
    let before = server
        .sql("mysql", "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'shop'");
    server.sql("mysql", "ALTER DATABASE shop CHARACTER SET ucs2");
    let dump = server.dump(&["--routines", "--events", "shop"]);
    server.sql("mysql", &format!("ALTER DATABASE shop CHARACTER SET {before}"));
    assert!(dump.windows(14).filter(|window| window == b"ALTER DATABASE").count() >= 12);
    let (_, map) = observe(&dump, 1 << 20);
    assert_eq!(map.last().expect("an end").rows, 0, "{map:#?}");
    for class in [&b"TRIGGER"[..], b"FUNCTION", b"PROCEDURE", b"EVENT", b"ALTER DATABASE"] {
        assert!(map.iter().any(|entry| entry.class == class), "{}", text(class));
    }
}

/// A folder with a key and a store.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        let made = place.vault(&["key", "new"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        place
    }

    fn vault<S: AsRef<str>>(&self, arguments: &[S]) -> Output {
        let at = |name: &str| self.0.path().join(name);
        let mut command = Command::new(VAULT);
        command.env("VAULT_STORE", at("store")).env("VAULT_KEY_FILE", at("key")).env("XDG_CACHE_HOME", at("cache"));
        command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null()).output().expect("vault runs")
    }

    fn pack(&self, server: &Server, options: &[&str]) {
        let tool =
            [&["pack", "-q", "--allow-shrink", "--", "mariadb-dump"].map(String::from)[..], &server.options()].concat();
        let packed = self.vault(&[tool, options.iter().map(|option| (*option).to_owned()).collect()].concat());
        assert!(packed.status.success(), "{}", text(&packed.stderr));
    }

    /// `vault unpack` of some parts into the client, which stops at the first error.
    fn give(&self, server: &Server, parts: &[&str], database: Option<&str>) -> Output {
        let unpack = [&["unpack", "-q", "latest"], parts, &["--", "mariadb"]].concat();
        let unpack: Vec<String> = unpack.into_iter().map(String::from).collect();
        // Which keeps what stands in the bodies of triggers.
        let more = ["--comments"].into_iter().chain(database).map(String::from).collect();
        self.vault(&[unpack, server.options().to_vec(), more].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn parts_of_a_dump_come_back_alone() {
    let (place, server) = (Place::new(), Server::start());
    server.fill();
    place.pack(&server, &["--all-databases", "--routines", "--events"]);
    let odd = "o`dd \"d'b";
    let now = |database| server.dump(&["--skip-dump-date", "--routines", "--events", database]);
    let (shop, other) = (now("shop"), now(odd));
    let same = |what: &str, given: Output| {
        assert!(given.status.success(), "{what}: {}", text(&given.stderr));
        assert!(now("shop") == shop && now(odd) == other, "{what} came back as something else");
    };

    // Tables that were dropped, with their triggers.
    server.sql("shop", "DROP TABLE orders, child, letters; DROP TABLE `we``ird \"n'a;me\n-- Dump completed\n x`");
    let of = ["--table", "shop.orders", "--table", "child", "--table", "letters", "--table", "we*"];
    same("tables", place.give(&server, &[&["--with-schema", "--database", "shop"], &of[..]].concat(), None));

    // Rows alone.
    let checksum = server.sql("shop", "CHECKSUM TABLE orders, parts");
    server.sql("shop", "DELETE FROM orders; TRUNCATE parts; ALTER TABLE orders AUTO_INCREMENT = 7");
    same("rows", place.give(&server, &["--table", "shop.orders", "--table", "parts"], None));
    assert_eq!(server.sql("shop", "CHECKSUM TABLE orders, parts"), checksum);

    server.sql("shop", "DROP VIEW seen_twice, seen; DROP SEQUENCE numbers");
    let views = ["--table", "seen*", "--table", "numbers", "--with-schema"];
    same("views and a sequence", place.give(&server, &views, None));

    server.sql("mysql", "DROP DATABASE shop");
    same("a database", place.give(&server, &["--database", "shop"], None));
    server.sql("mysql", "DROP DATABASE `o``dd \"d'b`");
    same("a database of an odd name", place.give(&server, &["--database", "o*"], None));

    for (parts, code, words) in [
        (&["--table", "shop.seen"][..], 2, "it is a view"),
        (&["--table", "orders"], 2, "several databases"),
        (&["--table", "shop.ordres"], 10, "nearest: shop.orders"),
        (&["--table", "ordres"], 10, "nearest: "),
        (&["--database", "shop", "--table", "ordres"], 10, "nearest: shop.orders"),
        (&["--database", "shopp"], 10, "nearest: shop"),
        (&["--database", "nosuch"], 10, "`vault show --contents` lists"),
        (&["--globals"], 2, "mysqldump writes none"),
    ] {
        let refused = place.give(&server, parts, None);
        assert_eq!(refused.status.code(), Some(code), "{parts:?}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains(words), "{parts:?}: {}", text(&refused.stderr));
    }
    let shown = text(&place.vault(&["show", "latest", "--contents"]).stdout);
    for line in ["  shop  ", "    orders  ", "table              6 rows", "    seen  ", "view", "    (5 other objects)"]
    {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
    assert!(!shown.contains("schema"), "{shown}");
    shows_what_is_inside(&place, &server);

    // Beside the original.
    server.sql("mysql", "CREATE DATABASE copy");
    let parts = ["--table", "shop.orders", "--with-schema", "--no-connect"];
    same("a table for another database", place.give(&server, &parts, Some("copy")));
    let sums = |database| server.sql(database, "CHECKSUM TABLE orders").replace(database, "");
    assert_eq!(sums("copy"), sums("shop"));
    server.sql("copy", "DROP TABLE orders");

    // What a dump makes for its own use and drops again is dropped again; it drops no database.
    place.pack(&server, &["--system=users", "--databases", "shop"]);
    let users = text(&place.vault(&["unpack", "-q", "latest", "--globals"]).stdout);
    let import = ["CREATE ROLE", "DROP ROLE"].map(|made| {
        users.lines().filter(|line| line.contains(made) && line.contains("mariadb_dump_import_role")).count()
    });
    assert!(import[0] > 0 && import[1] > 0 && !users.contains("DATABASE"), "{import:?} {users}");

    // A dump of one database does not say which.
    place.pack(&server, &["--no-autocommit", "shop"]);
    let given = place.give(&server, &["--table", "orders", "--with-schema"], Some("copy"));
    assert!(given.status.success(), "{}", text(&given.stderr));
    assert_eq!(sums("copy"), sums("shop"));
    assert_eq!(server.sql("copy", "SHOW TABLES").trim(), "orders");
    let refused = place.give(&server, &["--database", "shop"], None);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    let changes = text(&place.vault(&["diff", "latest", "latest"]).stdout);
    assert!(!changes.contains("orders"), "{changes}");
}

/// What changes the server, or a database by its name, goes nowhere else.
#[test]
fn a_copy_of_a_database_leaves_the_server_alone() {
    let (place, server) = (Place::new(), Server::start());
    server.sql(
        "mysql",
        "CREATE DATABASE caf CHARACTER SET latin1; CREATE DATABASE copy; USE caf; CREATE TABLE t (a int); INSERT INTO t VALUES (1);
         CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET new.a = 1; CREATE PROCEDURE p() SELECT 1;
         CREATE TRIGGER caf.named AFTER INSERT ON caf.t FOR EACH ROW SET @named = 1;
         CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; CREATE EVENT f ON SCHEDULE EVERY 1 DAY DO SELECT 2;
         ALTER DATABASE caf CHARACTER SET utf8mb4",
    );
    // The database before `mysql` in the dump, whose `DROP` follows it.
    server.sql("mysql", "CREATE DATABASE lib; USE lib; CREATE TABLE t (a int)");
    place.pack(&server, &["--all-databases", "--add-drop-database", "--routines", "--events"]);
    let now = |database| server.dump(&["--skip-dump-date", "--routines", "--events", "--databases", database]);
    let (caf, lib) = (now("caf"), now("lib"));
    for database in ["caf", "lib"] {
        let given = place.give(&server, &["--database", database], None);
        assert!(given.status.success(), "{database}: {}", text(&given.stderr));
        assert!(now("caf") == caf && now("lib") == lib, "{database} came back as something else");
    }
    assert_ne!(server.sql("mysql", "SELECT count(*) FROM user").trim(), "0");
    // What is newer than the dump is not dropped with its database.
    server.sql("caf", "CREATE TABLE newer (a int)");
    assert!(place.give(&server, &["--database", "caf"], None).status.success());
    server.sql("caf", "DROP TABLE newer");
    let trigger = ["--table", "caf.t", "--with-schema", "--no-connect"];
    assert_eq!(place.give(&server, &trigger, Some("copy")).status.code(), Some(3));
    assert!(now("caf") == caf, "the original is something else");
    server.sql("mysql", "ALTER DATABASE caf CHARACTER SET ucs2; SET GLOBAL log_output = 'TABLE', general_log = 1");
    for database in ["caf", "lib"] {
        let script = text(&place.vault(&["unpack", "latest", "-q", "--database", database, "--no-connect"]).stdout);
        for word in ["DATABASE", "LOG_OUTPUT=", "USE `"] {
            assert!(!script.contains(word), "{database}: {word} in\n{script}");
        }
        server.sql("mysql", "DROP DATABASE copy; CREATE DATABASE copy");
        let given = place.give(&server, &["--database", database, "--no-connect"], Some("copy"));
        // A trigger that names its database would go there.
        let named = text(&given.stderr).contains("what would reach into the original is left out");
        let expected = if database == "caf" { (Some(3), true) } else { (Some(0), false) };
        assert_eq!((given.status.code(), named), expected, "{database}: {}", text(&given.stderr));
        assert_eq!(server.sql("copy", "SHOW TABLES").trim(), "t");
    }
    let place_of = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'caf'";
    assert_eq!(server.sql("mysql", place_of).trim(), "ucs2");
    assert_eq!(server.sql("mysql", "SELECT @@global.log_output").trim(), "TABLE");
    server.sql("mysql", "DROP DATABASE copy; CREATE DATABASE copy");
    assert_eq!(place.give(&server, &["--database", "caf", "--no-connect"], Some("copy")).status.code(), Some(3));
    let made = "SELECT (SELECT count(*) FROM information_schema.routines WHERE routine_schema = 'copy'),
        (SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = 'copy'),
        (SELECT count(*) FROM information_schema.events WHERE event_schema = 'copy')";
    assert_eq!(server.sql("mysql", made).trim(), "1\t1\t2");
}

/// The same for programs, and the versions.
fn shows_what_is_inside(place: &Place, server: &Server) {
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&place.vault(arguments).stdout).expect("JSON")
    };
    let shown = json(&["show", "latest", "--contents", "--json"]);
    let databases = shown["databases"].as_array().expect("databases");
    let shop = databases.iter().find(|database| database["name"] == "shop").expect("a database");
    // No schemas: one without a name.
    let schemas = shop["schemas"].as_array().expect("schemas");
    assert_eq!((schemas.len(), &schemas[0]["name"]), (1, &serde_json::json!("")));
    let relations = schemas[0]["relations"].as_array().expect("relations");
    let of = |name: &str| relations.iter().find(|relation| relation["name"] == name).expect("a relation");
    assert_eq!((&of("orders")["kind"], &of("orders")["rows"]), (&"table".into(), &6.into()));
    assert!(of("orders")["data_bytes"].as_u64() < of("orders")["bytes"].as_u64());
    assert_eq!((&of("seen")["kind"], &of("seen")["rows"]), (&"view".into(), &serde_json::Value::Null));

    let of_server = server.sql("mysql", "SELECT version()").trim().to_owned();
    let manifest = json(&["show", "latest", "--json"]);
    assert_eq!(manifest["server_versions"], serde_json::json!([of_server]));
    assert_eq!(manifest["tool_versions"].as_array().map(Vec::len), Some(1));
    assert!(text(&place.vault(&["show", "latest"]).stdout).contains(&format!("server      {of_server}\n")));
}
