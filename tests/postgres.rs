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
    let dump = cluster.output("pg_dumpall", &[] as &[&str]);
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
