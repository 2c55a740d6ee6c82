//! A real pg_dumpall goes in, a real PostgreSQL comes back: through the program and the restore recipe, as a person would.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::postgres::Cluster;

const VAULT: &str = env!("CARGO_BIN_EXE_vault");

/// A folder with a key and a store.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        let made = place.vault(&["key", "new"]).output().expect("vault runs");
        assert!(made.status.success(), "{}", text(&made.stderr));
        place
    }

    fn settle(&self, command: &mut Command) {
        let at = |name: &str| self.0.path().join(name);
        command.env("VAULT_STORE", at("store")).env("VAULT_KEY_FILE", at("key")).env("XDG_CACHE_HOME", at("cache"));
        command.stdin(Stdio::null());
    }

    fn vault(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(VAULT);
        self.settle(&mut command);
        command.args(arguments);
        command
    }

    /// `vault pack -- pg_dumpall` of a cluster.
    fn pack(&self, cluster: &Cluster) -> Output {
        let mut command = cluster.command(VAULT);
        self.settle(&mut command);
        command.args(["pack", "--json", "--"]).arg(cluster.tool("pg_dumpall"));
        command.output().expect("vault runs")
    }

    /// `vault unpack` of some parts into psql, which stops at the first error if it is told to.
    fn give(&self, cluster: &Cluster, parts: &[&str], stop: bool) -> Output {
        self.give_into(cluster, "postgres", parts, stop)
    }

    /// The same, with psql connected to a database.
    fn give_into(&self, cluster: &Cluster, database: &str, parts: &[&str], stop: bool) -> Output {
        let mut command = cluster.command(VAULT);
        self.settle(&mut command);
        command.args(["unpack", "-q", "latest"]).args(parts).arg("--").arg(cluster.tool("psql"));
        command.args(["--no-psqlrc", "--quiet", "--dbname", database]);
        command.args(["--set", if stop { "ON_ERROR_STOP=1" } else { "ON_ERROR_STOP=0" }]);
        command.output().expect("vault runs")
    }

    /// The restore recipe into a cluster.
    fn restore(&self, cluster: &Cluster, backup: &str) -> Output {
        let mut command = cluster.command("/bin/bash");
        self.settle(&mut command);
        command.env("VAULT", VAULT).arg("examples/restore-cluster.sh").arg(backup);
        command.output().expect("bash runs")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A dump without its random lines and with sorted rows: equal clusters do not dump the same bytes.
fn comparable(cluster: &Cluster) -> Vec<u8> {
    sorted(&cluster.output("pg_dumpall", &[] as &[&str]))
}

fn sorted(dump: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), dump).expect("a dump is written");
    let input = std::fs::File::open(file.path()).expect("a dump is read");
    let sorted = Command::new("bash").arg("examples/comparable-dump.sh").stdin(input).output().expect("bash runs");
    assert!(sorted.status.success(), "{}", text(&sorted.stderr));
    sorted.stdout
}

#[test]
fn two_days_of_a_cluster_come_back() {
    let (place, source) = (Place::new(), Cluster::start());
    source.fill();
    let first = place.pack(&source);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let first_day = comparable(&source);
    source.psql("shop", "CREATE TABLE later AS SELECT i, md5(i::text) AS text FROM generate_series(1, 5000) AS i");
    source.psql("bench", "UPDATE pgbench_accounts SET abalance = 7 WHERE aid % 1000 = 3");
    let second = place.pack(&source);
    assert!(second.status.success(), "{}", text(&second.stderr));
    let second_day = comparable(&source);
    assert!(first_day != second_day);

    let verified = place.vault(&["verify", "--all", "--read-data"]).output().expect("vault runs");
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));

    let target = Cluster::start();
    let restored = place.restore(&target, "latest");
    assert!(restored.status.success(), "{}{}", text(&restored.stdout), text(&restored.stderr));
    assert!(comparable(&target) == second_day, "the second day came back as something else");

    let older = serde_json::from_slice::<serde_json::Value>(&first.stdout).expect("JSON")["id"].clone();
    let target = Cluster::start();
    let restored = place.restore(&target, older.as_str().expect("an id"));
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert!(comparable(&target) == first_day, "the first day came back as something else");
}

/// Part of a cluster is missing: from its dump, and from itself.
#[test]
fn what_is_missing_is_seen() {
    let (place, cluster) = (Place::new(), Cluster::start());
    cluster.fill();
    let verdict = |packed: &Output| {
        let summary: serde_json::Value = serde_json::from_slice(&packed.stdout).expect("JSON");
        (summary["verdict"].as_str().expect("a verdict").to_owned(), summary["id"].as_str().expect("an id").to_owned())
    };
    let (first, _) = verdict(&place.pack(&cluster));
    assert_eq!(first, "complete");

    let dump = cluster.output::<&str>("pg_dumpall", &[]);
    let end = b"\n-- PostgreSQL database cluster dump complete\n";
    let last = dump.windows(end.len()).rposition(|window| window == end).expect("a whole dump") + 1;
    std::fs::write(place.0.path().join("cut"), &dump[..last]).expect("written");
    let given = |arguments: &[&str]| {
        let input = std::fs::File::open(place.0.path().join("cut")).expect("opened");
        place.vault(arguments).stdin(Stdio::from(input)).output().expect("vault runs")
    };
    let refused = given(&["pack"]);
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(15), "{told}");
    assert!(told.contains("expected `-- PostgreSQL database cluster dump complete` at the end, but"), "{told}");
    assert!(
        told.contains("the stream ends inside a comment block; 5 of 5 database dumps begun were completed"),
        "{told}"
    );
    let kept = given(&["pack", "--json", "--allow-incomplete"]);
    assert_eq!((kept.status.code(), verdict(&kept).0.as_str()), (Some(3), "incomplete"), "{}", text(&kept.stderr));

    cluster.psql("postgres", "DROP DATABASE bench");
    let packed = place.pack(&cluster);
    let (found, id) = verdict(&packed);
    assert_eq!((packed.status.code(), found.as_str()), (Some(3), "shrunk"), "{}", text(&packed.stderr));
    let target = Cluster::start();
    let doubtful = place.give(&target, &[], true);
    assert_eq!(doubtful.status.code(), Some(2), "{}", text(&doubtful.stderr));
    assert!(text(&doubtful.stderr).contains(&format!("the newest backup, {id}, is marked as shrunk")));
    let accepted = place.vault(&["accept", &id]).output().expect("vault runs");
    assert!(accepted.status.success(), "{}", text(&accepted.stderr));
    let restored = place.restore(&target, "latest");
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert!(comparable(&target) == comparable(&cluster), "it came back as something else");
    assert_eq!(verdict(&place.pack(&cluster)).0, "complete", "compared with what was accepted");
}

#[test]
fn a_broken_target_fails_the_recipe() {
    let (place, source) = (Place::new(), Cluster::start());
    source.psql("postgres", "CREATE SCHEMA sales");
    source.psql("postgres", "CREATE TABLE sales.orders AS SELECT i FROM generate_series(1, 1000) AS i");
    assert!(place.pack(&source).status.success());

    // What the recipe can see beforehand.
    let used = Cluster::start();
    used.psql("postgres", "CREATE TABLE mine (i int)");
    let refused = place.restore(&used, "latest");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("not fresh"), "{}", text(&refused.stderr));

    // What only psql meets: the schema is there already.
    let broken = Cluster::start();
    broken.psql("postgres", "CREATE SCHEMA sales");
    let failed = place.restore(&broken, "latest");
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stderr));
    assert!(text(&failed.stderr).contains("already exists"), "{}", text(&failed.stderr));
    assert!(Path::new("examples/restore-cluster.sh").exists());
}

/// Tables with everything that can belong to a table.
const RICH: &str = r#"
CREATE SCHEMA sales;
CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY, d date, v text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
CREATE TABLE parts_20 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE "parts;21" PARTITION OF parts FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX ON parts (v);
INSERT INTO parts (d, v) SELECT date '2020-01-01' + n, 'v' || n FROM generate_series(0, 700) n;
CREATE TABLE base (id serial PRIMARY KEY, t text UNIQUE CHECK (t <> 'x'));
CREATE TABLE kid (extra int) INHERITS (base);
INSERT INTO base (t) VALUES ('q'), ('r');
INSERT INTO kid (t, extra) VALUES ('s', 1);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TABLE sales.orders (id bigserial PRIMARY KEY, base_id int REFERENCES base (id), n text DEFAULT 'a;b');
INSERT INTO sales.orders (base_id) VALUES (1), (2);
CREATE RULE r AS ON UPDATE TO sales.orders DO ALSO (INSERT INTO base (t) VALUES ('1'); SELECT 1;);
CREATE TRIGGER tr BEFORE INSERT OR UPDATE OF n, base_id ON sales.orders FOR EACH ROW EXECUTE FUNCTION stamp();
COMMENT ON TABLE sales.orders IS 'it''s';
COMMENT ON COLUMN sales.orders.n IS 'n';
GRANT SELECT (n), INSERT ON sales.orders TO app;
CREATE STATISTICS sales.st ON id, base_id FROM sales.orders;
CREATE POLICY p ON sales.orders USING (true);
ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
CREATE INDEX oi ON sales.orders (n);
COMMENT ON INDEX sales.oi IS 'i';
ALTER TABLE sales.orders CLUSTER ON oi;
CREATE VIEW seen AS SELECT id FROM base;
COMMENT ON STATISTICS sales.st IS 's';
ALTER STATISTICS sales.st OWNER TO app;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM base;
CREATE VIEW grouped AS SELECT id, t FROM base GROUP BY id;
CREATE PUBLICATION changes FOR TABLE base, sales.orders (id, n) WHERE (id > 0);
CREATE ROLE clerk;
GRANT USAGE ON SCHEMA sales TO app;
GRANT SELECT ON base, sales.orders TO app WITH GRANT OPTION;
SET ROLE app;
GRANT SELECT ON base, sales.orders TO clerk;
RESET ROLE;
GRANT SELECT ON kid TO clerk;
ALTER DATABASE shop SET work_mem = '7MB';
COMMENT ON DATABASE shop IS 'the shop';
GRANT CONNECT ON DATABASE shop TO app;
"#;

/// Settings of the database itself, as they were never dumped.
const SETTINGS: &str = "ALTER DATABASE shop SET work_mem = '9MB'; COMMENT ON DATABASE shop IS 'live'; REVOKE CONNECT ON DATABASE shop FROM app;
    ALTER ROLE app IN DATABASE shop SET search_path TO live";
const SETTINGS_BACK: &str = "ALTER DATABASE shop SET work_mem = '7MB'; COMMENT ON DATABASE shop IS 'the shop'; GRANT CONNECT ON DATABASE shop TO app;
    ALTER ROLE app IN DATABASE shop SET search_path TO \"$user\", public";

#[test]
fn parts_of_a_cluster_come_back_alone() {
    let (place, cluster) = (Place::new(), Cluster::start());
    cluster.fill();
    cluster.psql("shop", RICH);
    let packed = place.pack(&cluster);
    assert!(packed.status.success(), "{}", text(&packed.stderr));
    let before = comparable(&cluster);
    let same = |what: &str, given: Output| {
        assert!(given.status.success(), "{what}: {}", text(&given.stderr));
        assert!(comparable(&cluster) == before, "{what} came back as something else");
    };

    // Tables that were dropped, with all that belonged to them.
    let tables = ["public.orders", "public.evil", "parts", "sales.orders", "counted", "grouped", "o'dd*"];
    let of: Vec<&str> = tables.iter().flat_map(|table| ["--table", table]).collect();
    cluster.psql("shop", "DROP TABLE public.orders, evil, parts, sales.orders");
    cluster.psql("shop", "DROP MATERIALIZED VIEW counted; DROP VIEW grouped");
    cluster.psql("shop", "DO $$ BEGIN EXECUTE format('DROP TABLE %I', (SELECT relname FROM pg_class WHERE relname LIKE 'o''dd%')); END $$");
    assert!(comparable(&cluster) != before);
    same("tables", place.give(&cluster, &[&["--database", "shop", "--with-schema"], &of[..]].concat(), true));

    // Rows alone; those of children come along, or do not.
    cluster.psql("shop", "TRUNCATE sales.orders, base, kid");
    same("children", place.give(&cluster, &["--table", "base", "--table", "sales.orders"], true));
    cluster.psql("shop", "TRUNCATE ONLY sales.orders, ONLY base");
    same("without children", place.give(&cluster, &["--table", "base", "--table", "sales.orders", "--only"], true));
    cluster.psql("shop", "DROP TABLE \"parts;21\"");
    let given = place.give(&cluster, &["--table", "\"parts;21\"", "--with-schema"], true);
    // Its parent is still there, and whoever restores it attaches it.
    cluster.psql(
        "shop",
        "ALTER TABLE parts ATTACH PARTITION \"parts;21\" FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
    );
    same("one partition", given);

    // A database.
    cluster.psql("postgres", "DROP DATABASE shop");
    same("a database", place.give(&cluster, &["--database", "shop"], true));
    cluster.psql("postgres", "DROP DATABASE \"odd \"\"name'\"");
    same("a database of an odd name", place.give(&cluster, &["--database", "odd*"], true));

    // The same database under another name, beside the original; and a table of it.
    let dump = |database| sorted(&cluster.output("pg_dump", &[database]));
    cluster.psql("postgres", "CREATE DATABASE beside");
    cluster.psql("postgres", SETTINGS);
    let live = comparable(&cluster);
    let given = place.give_into(&cluster, "beside", &["--database", "shop", "--no-connect"], true);
    assert!(given.status.success(), "{}", text(&given.stderr));
    assert!(dump("beside") == dump("shop"), "the copy is something else");
    cluster.psql("beside", "DROP TABLE public.orders");
    let parts = ["--database", "shop", "--table", "public.orders", "--with-schema", "--no-connect"];
    let given = place.give_into(&cluster, "beside", &parts, true);
    assert!(given.status.success(), "{}", text(&given.stderr));
    assert!(dump("beside") == dump("shop"), "the copy of a table is something else");
    cluster.psql("postgres", "DROP DATABASE beside");
    cluster.psql("postgres", "CREATE DATABASE beside");
    assert!(comparable(&cluster) == live, "the original was changed");
    cluster.psql("postgres", "DROP DATABASE beside");
    cluster.psql("postgres", SETTINGS_BACK);
    assert!(comparable(&cluster) == before, "the original is something else");

    // A view has no rows, and neither has a table that is not there.
    for (parts, code) in [(["--table", "seen"], 2), (["--table", "orderz"], 10), (["--database", "shopp"], 10)] {
        let refused = place.give(&cluster, &parts, true);
        assert_eq!(refused.status.code(), Some(code), "{parts:?}: {}", text(&refused.stderr));
    }

    // Roles, on another machine. The one that runs it is there already.
    let target = Cluster::start();
    let given = place.give(&target, &["--globals", "--database", "bench"], false);
    assert!(given.status.success(), "{}", text(&given.stderr));
    assert_eq!(target.psql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'app'").trim(), "1");
    let accounts = "SELECT count(*), sum(abalance), md5(string_agg(aid::text, ',' ORDER BY aid)) FROM pgbench_accounts";
    assert_eq!(target.psql("bench", accounts), cluster.psql("bench", accounts));
}

/// `pg_dump --clean` begins with taking off what it will make again.
#[test]
fn a_dump_that_cleans_spares_what_is_there() {
    let (place, cluster) = (Place::new(), Cluster::start());
    cluster.psql("postgres", "CREATE TABLE base (id serial PRIMARY KEY, t text); INSERT INTO base DEFAULT VALUES");
    // A view that needs a key of a table: another one stands in for it, when it is taken off, too.
    cluster.psql("postgres", "CREATE VIEW grouped AS SELECT id, t FROM base GROUP BY id");
    cluster.psql(
        "postgres",
        "CREATE TABLE orders (id serial PRIMARY KEY, base_id int NOT NULL REFERENCES base, n int CHECK (n > 0));
         INSERT INTO orders (base_id, n) VALUES (1, 7); CREATE INDEX oi ON orders (n)",
    );
    let before = comparable(&cluster);
    for clean in [&["--clean"][..], &["--clean", "--if-exists"]] {
        let mut command = cluster.command(VAULT);
        place.settle(&mut command);
        command.args(["pack", "--"]).arg(cluster.tool("pg_dump")).args(clean).arg("postgres");
        let packed = command.output().expect("vault runs");
        assert!(packed.status.success(), "{}", text(&packed.stderr));
        let parts = ["--table", "orders", "--with-schema"];
        let refused = place.give(&cluster, &parts, true);
        assert!(!refused.status.success(), "{clean:?}: the table is there");
        assert!(comparable(&cluster) == before, "{clean:?}: the table that is there was changed");
        cluster.psql("postgres", "DROP TABLE orders");
        let given = place.give(&cluster, &parts, true);
        assert!(given.status.success(), "{clean:?}: {}", text(&given.stderr));
        assert!(comparable(&cluster) == before, "{clean:?}: the table came back as something else");
        cluster.psql("postgres", "DROP VIEW grouped");
        let given = place.give(&cluster, &["--table", "grouped", "--with-schema"], true);
        assert!(given.status.success(), "{clean:?}: {}", text(&given.stderr));
        assert!(comparable(&cluster) == before, "{clean:?}: the view came back as something else");
    }
}

/// Names that are words of statements, and what a database does to all that is made in it.
const MISLEADING: &str = r#"
CREATE SCHEMA "if";
CREATE TABLE "if"."if" (id int PRIMARY KEY, copy text);
INSERT INTO "if"."if" VALUES (1, 'x'), (2, 'COPY t FROM stdin;');
CREATE TABLE stdin (a int);
INSERT INTO stdin VALUES (1);
CREATE VIEW of_stdin AS SELECT a FROM stdin;
CREATE VIEW of_with AS WITH stdin AS (SELECT 1 AS a) SELECT a FROM stdin;
CREATE FUNCTION take() RETURNS SETOF int BEGIN ATOMIC WITH stdin AS (SELECT 1 AS a) SELECT a FROM stdin; END;
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
CREATE INDEX pi ON parts (id);
ALTER INDEX parts_1_id_idx RENAME TO "if";
COMMENT ON INDEX "if" IS 'i';
INSERT INTO parts VALUES (3);
CREATE TABLE zz (id int);
INSERT INTO zz SELECT generate_series(1, 5);
"#;

#[test]
fn words_of_statements_may_be_names() {
    let (place, cluster) = (Place::new(), Cluster::start());
    cluster.psql("postgres", MISLEADING);
    // Nothing with rows behind the last view: what is behind it is another database.
    cluster.psql("postgres", "CREATE DATABASE aaa");
    cluster.psql("aaa", "CREATE VIEW v AS WITH stdin AS (SELECT 1 AS a) SELECT a FROM stdin");
    let packed = place.pack(&cluster);
    assert!(packed.status.success(), "{}", text(&packed.stderr));
    let before = comparable(&cluster);
    let all = [
        "--table", "if.if", "--table", "stdin", "--table", "of_stdin", "--table", "of_with", "--table", "parts",
        "--table", "zz",
    ];
    for table in [&["--table", "zz"][..], &["--table", "if.if"], &["--table", "parts"], &["--table", "of_with"], &all] {
        let drop = |name: &&str| match *name {
            "--table" => String::new(),
            view if view.starts_with("of_") => format!("DROP VIEW IF EXISTS {view};"),
            "if.if" => "DROP TABLE \"if\".\"if\";".into(),
            table => format!("DROP TABLE {table} CASCADE;"),
        };
        // Views first: they need the tables.
        let mut drops: Vec<String> = table.iter().map(drop).collect();
        drops.sort_by_key(|drop| !drop.contains("VIEW"));
        cluster.psql("postgres", &drops.concat());
        let given = place.give(&cluster, &[&["--database", "postgres", "--with-schema"], table].concat(), true);
        assert!(given.status.success(), "{table:?}: {}", text(&given.stderr));
        assert!(comparable(&cluster) == before, "{table:?} came back as something else");
    }
    // The schema alone, too, which ends in no rows at all.
    let mut command = cluster.command(VAULT);
    place.settle(&mut command);
    command.args(["pack", "--allow-shrink", "--"]).arg(cluster.tool("pg_dump")).args(["--schema-only", "postgres"]);
    let packed = command.output().expect("vault runs");
    assert!(packed.status.success(), "{}", text(&packed.stderr));
}

/// A table that is made anew gets what its database gives to every one: the dump gives it last, and the table had come before.
#[test]
fn rights_by_default_are_warned_of() {
    let (place, cluster) = (Place::new(), Cluster::start());
    cluster.psql("postgres", "CREATE TABLE pay (a int); CREATE TABLE open (a int); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC");
    cluster.psql("postgres", "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$");
    cluster.psql(
        "postgres",
        "CREATE TRIGGER tr BEFORE INSERT ON pay FOR EACH ROW EXECUTE FUNCTION stamp(); INSERT INTO pay VALUES (1)",
    );
    assert!(place.pack(&cluster).status.success());
    let part = |arguments: &[&str]| {
        let pay = ["unpack", "latest", "--table", "pay", "--database", "postgres"];
        let ran = place.vault(&[&pay[..], arguments].concat()).output().expect("vault runs");
        (ran.status.code(), text(&ran.stderr))
    };
    let (code, told) = part(&["--with-schema"]);
    assert!(code == Some(3) && told.contains("warning: the dump has ALTER DEFAULT PRIVILEGES"), "{code:?} {told}");
    let (code, told) = part(&[]);
    assert!(code == Some(0) && told.contains("note: the dump has triggers on these tables"), "{code:?} {told}");
}
