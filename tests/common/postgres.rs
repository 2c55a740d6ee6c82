//! A PostgreSQL server to throw away: its own directory, a private socket, no
//! TCP, stopped and removed when it goes out of scope, also on a panic.
//!
//! The tools are those of Debian's package `postgresql`. A test that needs
//! them fails without them: a skipped test reads like a passed one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian installs each major version.
const VERSIONS_DIR: &str = "/usr/lib/postgresql";

/// The account that runs the server when the tests run as root, which
/// `initdb` refuses. It is also the superuser of the cluster.
const ACCOUNT: &str = "postgres";

/// A running server.
pub struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// Creates an empty cluster and starts its server.
    pub fn start() -> Self {
        let bin = newest_bin();
        let dir = tempfile::Builder::new().prefix("vault-pg-").tempdir().expect("a directory for the cluster");
        if is_root() {
            run(Command::new("chown").arg(ACCOUNT).arg(dir.path()));
        }
        // From here on, `Drop` cleans up.
        let cluster = Self { bin, dir };
        run(cluster
            .server_command("initdb")
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--no-sync", "--username", ACCOUNT, "--pgdata"])
            .arg(cluster.data_dir()));
        let options = format!(
            "-c listen_addresses='' -c fsync=off -c unix_socket_directories='{}'",
            cluster.socket_dir().display()
        );
        run(cluster
            .server_command("pg_ctl")
            .args(["start", "--wait", "--options", &options, "--log"])
            .arg(cluster.dir.path().join("log"))
            .arg("--pgdata")
            .arg(cluster.data_dir()));
        cluster
    }

    /// The directory of the socket: what `PGHOST` is set to.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where a tool of this version is.
    pub fn tool(&self, tool: &str) -> PathBuf {
        self.bin.join(tool)
    }

    /// A client tool that will talk to this server.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.bin.join(tool));
        command
            .env("PGHOST", self.socket_dir())
            .env("PGUSER", ACCOUNT)
            .env_remove("PGPORT")
            .env_remove("PGDATABASE")
            .stdin(Stdio::null());
        command
    }

    /// Runs SQL and returns what it prints, one row a line.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = self.command("psql");
        command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", database])
            .args(["--command", sql]);
        String::from_utf8(run(&mut command)).expect("psql prints UTF-8")
    }

    /// Runs a tool to its successful end and returns what it printed.
    pub fn output<A: AsRef<OsStr>>(&self, tool: &str, args: &[A]) -> Vec<u8> {
        run(self.command(tool).args(args))
    }

    /// Fills the cluster: a role, `bench` (the tables of pgbench), `shop` and
    /// `odd "name'` (texts that imitate the dump around them).
    pub fn fill(&self) {
        self.psql("postgres", "CREATE ROLE app LOGIN PASSWORD 'app'");
        for database in ["bench", "shop", "odd \"name'"] {
            self.output("createdb", &[database]);
        }
        self.output("pgbench", &["--initialize", "--quiet", "--scale=1", "bench"]);
        for sql in [ORDERS, EVIL_ROWS, EVIL_OBJECTS] {
            self.psql("shop", sql);
        }
        self.psql("odd \"name'", EVIL_ROWS);
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A tool that must not run as root.
    fn server_command(&self, tool: &str) -> Command {
        let tool = self.bin.join(tool);
        let mut command = if is_root() {
            let mut runuser = Command::new("runuser");
            runuser.args(["-u", ACCOUNT, "--"]).arg(tool);
            runuser
        } else {
            Command::new(tool)
        };
        // The server keeps its standard streams: they must not be ours, or
        // whoever waits for our output waits for the server too.
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // There is nobody to tell, and perhaps no server to stop.
        let _ = self
            .server_command("pg_ctl")
            .args(["stop", "--wait", "--mode=immediate", "--pgdata"])
            .arg(self.data_dir())
            .status();
    }
}

fn newest_bin() -> PathBuf {
    let mut versions: Vec<u32> = std::fs::read_dir(VERSIONS_DIR)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    let found = versions.iter().rev().map(|version| {
        let version = version.to_string();
        Path::new(VERSIONS_DIR).join(version).join("bin")
    });
    let with_server = |bin: &PathBuf| bin.join("initdb").exists();
    found
        .into_iter()
        .find(with_server)
        .unwrap_or_else(|| panic!("no PostgreSQL server under {VERSIONS_DIR}: install Debian's package `postgresql`"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} did not start: {error}"),
    };
    assert!(
        output.status.success(),
        "{command:?} failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    output.stdout
}

/// Ordinary rows: texts, JSON, times, nulls.
const ORDERS: &str = r#"
CREATE TABLE orders (id int PRIMARY KEY, placed timestamptz, note text, body jsonb);
INSERT INTO orders SELECT n, timestamptz '2026-08-22 03:00Z' + n * interval '7 s',
  CASE WHEN n % 5 > 0 THEN repeat(md5(n::text), n % 4) || E'\tC:\\tmp\\' || n END,
  jsonb_build_object('n', n, 'tags', jsonb_build_array('a"b', 'it''s', n))
  FROM generate_series(1, 4000) n;
CREATE TABLE nothing (id int);
"#;

/// Rows that hold the words of a dump, whole and in pieces that `COPY` writes
/// as lines of their own.
const EVIL_ROWS: &str = r#"
CREATE TABLE evil (v text);
INSERT INTO evil SELECT v FROM generate_series(1, 20), (VALUES
  ('--'), ('-- PostgreSQL database dump complete'), ('--'), (''),
  ('--'), ('-- PostgreSQL database cluster dump complete'), ('--'), (''),
  ('--'), ('-- PostgreSQL database dump'), ('--'), (''), ('it''s "$$ $_$ odd'),
  ('\unrestrict x'), ('\.'), ('\'), ('\\.'), (NULL), ('COPY t (v) FROM stdin;'),
  (E'\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n\n'),
  (E'\n--\n-- PostgreSQL database cluster dump complete\n--\n\n')) AS rows (v);
"#;

/// Objects whose definitions hold them, where no `COPY` escapes newlines.
const EVIL_OBJECTS: &str = r#"
CREATE FUNCTION ends(text) RETURNS text LANGUAGE sql AS $f$ -- don't
SELECT 'it''s $$ $_$ $1
--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

' || $1 $f$;
COMMENT ON FUNCTION ends(text) IS E'don''t\n\\.\n--\n-- PostgreSQL database dump complete
--\n\n\\unrestrict x\n\n--\n-- PostgreSQL database cluster dump complete\n--\n\n';
CREATE TABLE "o'dd
-- PostgreSQL database dump complete
--
" ("a$$b'
--
" int DEFAULT 1, note text DEFAULT E'\n\\.\n');
INSERT INTO "o'dd
-- PostgreSQL database dump complete
--
" VALUES (1, E' FROM stdin;\n');
CREATE VIEW view AS SELECT E'it''s \\ \n--\n-- PostgreSQL database dump complete\n--\n' AS v,
  -1 AS minus;
CREATE FUNCTION atomic(a int) RETURNS int BEGIN ATOMIC
  SELECT -a; SELECT length(E'\\''"$$') - -a; END;
SELECT lo_from_bytea(4242, '\x27240a2d2d');
ALTER ROLE app IN DATABASE shop SET search_path TO "$user", public;
"#;
