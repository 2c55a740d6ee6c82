//! A MariaDB server to throw away: its own directory, a private socket, no TCP, killed and removed when it goes out of scope.
//!
//! The tools are those of Debian's packages `mariadb-server-core` and `mariadb-client`. A test that needs them fails without them: a
//! skipped test reads like a passed one.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Off the search path of those who are not root.
const SERVER: &str = "/usr/sbin/mariadbd";

/// A running server.
pub struct Server {
    dir: tempfile::TempDir,
    child: Child,
}

impl Server {
    /// Creates an empty server and starts it.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("vault-my-").tempdir().expect("a directory for the server");
        let account: &[&str] = if rustix::process::geteuid().is_root() { &["--user=root"] } else { &[] };
        let data = format!("--datadir={}", dir.path().join("data").display());
        // Two servers in one would take each other's temporary tables away.
        let temporary = format!("--tmpdir={}", dir.path().display());
        let mut install = Command::new("mariadb-install-db");
        install.args([
            "--no-defaults",
            &data,
            &temporary,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        run(install.args(account), b"");
        let child = Command::new(SERVER)
            .args(["--no-defaults", &data, &temporary, "--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .arg(format!("--socket={}", dir.path().join("socket").display()))
            .arg(format!("--pid-file={}", dir.path().join("pid").display()))
            .args(account)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{SERVER}: {error}: install Debian's package `mariadb-server-core`"));
        // From here on, `Drop` cleans up.
        let server = Self { dir, child };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.command("mariadb").args(["-e", "SELECT 1"]).output().is_ok_and(|done| done.status.success()) {
            assert!(Instant::now() < deadline, "the server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What a client needs to talk to this server.
    pub fn options(&self) -> [String; 3] {
        let socket: PathBuf = self.dir.path().join("socket");
        ["--no-defaults".into(), format!("--socket={}", socket.display()), "--user=root".into()]
    }

    /// A client tool that will talk to this server.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.args(self.options()).stdin(Stdio::null());
        command
    }

    /// Runs SQL and returns what it prints, one row a line.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = self.command("mariadb");
        command.args(["--batch", "--skip-column-names", "--comments", "--default-character-set=utf8mb4", database]);
        String::from_utf8(run(&mut command, sql.as_bytes())).expect("UTF-8")
    }

    /// What `mariadb-dump` writes.
    pub fn dump(&self, options: &[&str]) -> Vec<u8> {
        run(self.command("mariadb-dump").args(options), b"")
    }

    /// `shop` and `` o`dd "d'b ``: everything that a database may have, with names and texts that imitate the dump around them.
    pub fn fill(&self) {
        self.sql("mysql", "CREATE DATABASE shop; CREATE DATABASE `o``dd \"d'b`; CREATE DATABASE nothing");
        for sql in [TABLES, LETTERS, VIEWS, ROUTINES] {
            self.sql("shop", sql);
        }
        self.sql("o`dd \"d'b", "CREATE TABLE orders (a int); INSERT INTO orders VALUES (7), (8)");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nobody to tell, and perhaps it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| {
        panic!("{command:?}: {error}: install Debian's packages `mariadb-client` and `mariadb-server-core`")
    });
    let mut pipe = child.stdin.take().expect("a pipe was asked for");
    // A tool that fails may not read it.
    let _ = pipe.write_all(input);
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{error}", output.status);
    output.stdout
}

/// Rows and names that hold the words of a dump.
const TABLES: &str = r#"
CREATE TABLE orders (id int AUTO_INCREMENT PRIMARY KEY, note text, body blob, bits bit(5), amount decimal(10,2), placed datetime,
  KEY (amount)) COMMENT 'it''s; a `thing`\n-- Dump completed\n';
INSERT INTO orders (note, body, bits, amount, placed) VALUES
  ('it''s', 'a\0b\n\r\Z\\"''c', b'101', 1.5, '2026-01-01'), (NULL, NULL, NULL, NULL, NULL),
  ('\n-- Dump completed on 2026-11-20 12:00:00\n', 'x', b'0', -3, '2026-01-02'),
  ('INSERT INTO `orders` VALUES (1);\n/*!40000 */; DELIMITER ;;\n', 'y', b'1', 0, '2026-01-03'),
  ('*/;;\nDELIMITER ;\n-- Dump completed\n', '\\', b'1', 0, '2026-01-03'), ('--', '#', b'1', -1, NULL);
CREATE TABLE `we``ird "n'a;me
-- Dump completed
 x` (`a;``b` int, `größe
-- Dump completed on 2026
-- x` text) DEFAULT CHARSET utf8mb4;
INSERT INTO `we``ird "n'a;me
-- Dump completed
 x` VALUES (1, '✓ ('), (2, '),(');
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE TABLE nothing (id int);
CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
INSERT INTO generated (a) VALUES (1), (2);
CREATE TABLE parts (id int, d date) PARTITION BY RANGE (year(d)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2021-01-01');
CREATE SEQUENCE numbers START WITH 10;
DO nextval(numbers);
"#;

/// Letters that end in the byte of a backslash in `gbk`, `sjis` and `big5`, before a quote.
const LETTERS: &str = r#"
CREATE TABLE letters (v varchar(20), w varchar(20)) DEFAULT CHARSET utf8mb4;
INSERT INTO letters VALUES ('運', ''), ('表', 'a''b'), ('功', '\\'), ('', '運'), ('表功', ';');
"#;

const VIEWS: &str = r#"
CREATE VIEW seen AS SELECT id, note, ';\n-- Dump completed\n' AS `it's` FROM orders WHERE note <> ';''';
CREATE VIEW seen_twice AS SELECT id FROM seen;
"#;

/// Bodies that hold them.
const ROUTINES: &str = r#"
DELIMITER ;;
CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW BEGIN
-- Dump completed
-- it's
  IF NEW.note = ';;' THEN SET NEW.note = 'x;;y'; END IF;
  /* a comment; it's */ SET @x = "a;b";
END;;
CREATE TRIGGER `after "it's"` AFTER DELETE ON orders FOR EACH ROW SET @y = 1;;
CREATE PROCEDURE proc(a int) BEGIN
-- Dump completed on 2026-11-20 12:00:00
INSERT INTO orders (note) VALUES ('(');
SELECT 1; # it's
SELECT 'DELIMITER ;'; END;;
CREATE FUNCTION plus(a int) RETURNS int DETERMINISTIC RETURN a + 1;;
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO BEGIN DELETE FROM orders WHERE id < 0; END;;
CREATE EVENT ew ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO SET @z = 1;;
DELIMITER ;
SET sql_mode = 'NO_BACKSLASH_ESCAPES';
DELIMITER ;;
CREATE PROCEDURE backslash() BEGIN SELECT 'C:\'; SELECT ';'; END;;
DELIMITER ;
SET sql_mode = 'ANSI_QUOTES';
DELIMITER ;;
CREATE PROCEDURE ansi() BEGIN SELECT 1 AS "a\"; SELECT ';'; END;;
DELIMITER ;
"#;
