//! What mysqldump writes: a slow scanner with the whole script before it, and what each statement is about.

use proptest::prelude::*;
use vault::base::map::{MapEntry, MapKind, Space};
use vault::dump::{Observer, Unproven, Verdict};

use crate::map;

/// What every script begins with: longer than what is collected to tell the kind.
const HEAD: &str = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n-- Server version\t10.11.19-MariaDB-0+deb12u1\n\n/*!40101 SET NAMES utf8mb4 */;\n/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\n";
/// What it ends with.
const END: &str = "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n\n-- Dump completed on 2026-11-20 12:00:00\n";

/// The statements of some lines, or a `DELIMITER` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    begin: usize,
    end: usize,
    /// What stands outside comments of each statement.
    statements: Vec<String>,
    rows: u64,
}

/// How it reads at the moment.
struct Slow<'t> {
    text: &'t [u8],
    at: usize,
    delimiter: Vec<u8>,
    escapes: bool,
    letters: bool,
}

impl Slow<'_> {
    fn starts(&self, needle: &[u8]) -> bool {
        self.text[self.at..].starts_with(needle)
    }

    fn find(&self, needle: &[u8], from: usize) -> Option<usize> {
        let found = self.text.get(from..)?.windows(needle.len()).position(|window| window == needle);
        found.map(|found| from + found)
    }

    fn is_block(&self) -> bool {
        self.starts(b"/*") && !self.starts(b"/*!") && !self.starts(b"/*M!")
    }

    /// Goes past a literal.
    fn literal(&mut self) -> Option<()> {
        let quote = self.text[self.at];
        self.at += 1;
        loop {
            match *self.text.get(self.at)? {
                byte if byte == quote => break,
                b'\\' if self.escapes && quote != b'`' => self.at += 2,
                byte if self.letters && (0x81..=0xfe).contains(&byte) => {
                    let next = *self.text.get(self.at + 1)?;
                    self.at += if (0x40..=0x7e).contains(&next) || (0x80..=0xfe).contains(&next) { 2 } else { 1 };
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        (self.at <= self.text.len()).then_some(())
    }

    /// Goes past a statement: what stands outside its comments, and its rows.
    fn statement(&mut self) -> Option<(String, u64)> {
        let (mut code, mut depth, mut rows, mut values) = (Vec::new(), 0_u64, 0, false);
        while !self.starts(&self.delimiter) {
            let (byte, from) = (*self.text.get(self.at)?, self.at);
            let spaced = || self.text.get(from + 2).is_some_and(u8::is_ascii_whitespace);
            if matches!(byte, b'\'' | b'"' | b'`') {
                self.literal()?;
                code.extend_from_slice(&self.text[from..self.at]);
            } else if byte == b'#' || (self.starts(b"--") && spaced()) {
                self.at = self.find(b"\n", self.at)?;
            } else if self.is_block() {
                self.at = self.find(b"*/", self.at + 2)? + 2;
            } else if self.starts(b"/*!") || self.starts(b"/*M!") {
                self.at = self.find(b"!", self.at)? + 1;
                let digits = self.text[self.at..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                self.at += digits;
                code.push(b' ');
            } else if self.starts(b"*/") {
                self.at += 2;
                code.push(b' ');
            } else {
                self.at += 1;
                code.push(byte);
                let start = String::from_utf8_lossy(&code).trim_start().to_owned();
                let inserts = start.starts_with("INSERT") || start.starts_with("REPLACE");
                values |= inserts && depth == 0 && start.ends_with(" VALUES");
                rows += u64::from(values && byte == b'(');
                depth = if byte == b'(' { depth + 1 } else { depth.saturating_sub(u64::from(byte == b')')) };
            }
        }
        self.at += self.delimiter.len();
        let rows = if self.delimiter == b";" { rows } else { 0 };
        Some((String::from_utf8_lossy(&code).trim().to_owned(), rows))
    }

    /// What a statement changes.
    fn settle(&mut self, statement: &str) {
        if let Some(value) = statement.strip_prefix("SET sql_mode") {
            self.escapes = !value.contains("'NO_BACKSLASH_ESCAPES'");
        }
        if let Some(charset) = statement.strip_prefix("SET NAMES ") {
            self.letters = charset.trim() == "gbk";
        }
    }
}

/// Every line with statements, up to where the script stops inside something.
fn scan(text: &[u8]) -> Vec<Unit> {
    let mut slow = Slow { text, at: 0, delimiter: b";".to_vec(), escapes: true, letters: false };
    let (mut found, mut unit, mut line) = (Vec::new(), None::<Unit>, 0);
    while let Some(byte) = text.get(slow.at) {
        let comment = *byte == b'#' || slow.starts(b"--");
        let command = text[slow.at..]
            .get(..10)
            .is_some_and(|word| word[..9].eq_ignore_ascii_case(b"DELIMITER") && matches!(word[9], b' ' | b'\t'));
        if *byte == b'\n' {
            slow.at += 1;
            found.extend(unit.take().map(|unit| Unit { end: slow.at, ..unit }));
            line = slow.at;
        } else if byte.is_ascii_whitespace() {
            slow.at += 1;
        } else if comment || (slow.at == line && slow.starts(b"/*M!999999\\-")) {
            let Some(end) = slow.find(b"\n", slow.at) else { return found };
            slow.at = end;
        } else if slow.at == line && command {
            let Some(end) = slow.find(b"\n", slow.at) else { return found };
            slow.delimiter = text[slow.at + 10..end].trim_ascii().to_vec();
            slow.at = end + 1;
            found.push(Unit { begin: line, end: slow.at, ..Unit::default() });
            line = slow.at;
        } else if slow.is_block() {
            let Some(end) = slow.find(b"*/", slow.at + 2) else { return found };
            slow.at = end + 2;
        } else {
            let unit = unit.get_or_insert(Unit { begin: line, ..Unit::default() });
            let Some((statement, rows)) = slow.statement() else { return found };
            slow.settle(&statement);
            unit.statements.push(statement);
            unit.rows += rows;
        }
    }
    found
}

/// The table that a statement puts rows into.
fn table(statement: &str) -> Option<String> {
    let rest = statement.strip_prefix("INSERT").or_else(|| statement.strip_prefix("REPLACE"))?;
    let name = rest.split_once("INTO ")?.1.strip_prefix('`')?;
    let end = name.replace("``", "\u{1}\u{1}").find('`')?;
    Some(name[..end].replace("``", "`"))
}

/// Every line with statements is in exactly one range, which begins and ends with one; rows are of the table that they are put into.
fn compare(script: &[u8], slab: usize) {
    let slow = scan(script);
    let fast = map(script, slab);
    let shown = || String::from_utf8_lossy(script).into_owned();
    let stop = fast.last().expect("an end").offset;
    let by_itself = [MapKind::Begin, MapKind::End, MapKind::Guard, MapKind::Version, MapKind::Stop];
    let mut left = slow.as_slice();
    for entry in fast.iter().filter(|entry| !by_itself.contains(&entry.kind)) {
        let count = left.iter().take_while(|unit| unit.end as u64 <= entry.end()).count();
        let (inside, after) = left.split_at(count);
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else {
            panic!("{entry:?} is no statement of\n{}", shown());
        };
        assert_eq!((entry.offset, entry.end()), (first.begin as u64, last.end as u64), "{entry:?} of\n{}", shown());
        let tables = || inside.iter().flat_map(|unit| unit.statements.iter()).filter_map(|text| table(text));
        if entry.kind == MapKind::Data {
            assert_eq!(entry.rows, inside.iter().map(|unit| unit.rows).sum::<u64>(), "{entry:?} of\n{}", shown());
            let own = String::from_utf8_lossy(&entry.own.name).into_owned();
            assert!(tables().all(|table| table == own), "{entry:?} of\n{}", shown());
        } else if !entry.own.is_empty() {
            assert_eq!(tables().next(), None, "{entry:?} of\n{}", shown());
        }
        left = after;
    }
    // Where the script, or something that is put back later, is still open.
    let unmapped = left.first().map_or(stop, |unit| unit.begin as u64);
    assert!(unmapped >= stop, "{unmapped} and more are not in the map of\n{}", shown());
}

/// What could mislead a mapper, and what it has to find all the same.
const PIECES: [&str; 60] = [
    "INSERT INTO `t` VALUES (1,'a'),(2,'b;\\'c');\n",
    "INSERT INTO `t` VALUES\n(1,NULL,-3),\n(2,'it''s',0x00);\n",
    "INSERT INTO `u` (`a`, `VALUES`) VALUES (1,_binary '\\\\'),(2,\"x;\");\n",
    "INSERT IGNORE INTO `t` VALUES (1,(2),'('),(3,4,')');\n",
    "REPLACE INTO `a``b;\n'c` VALUES (1);\n",
    "INSERT INTO `t` VALUES (1 -- it's ;\n,2 /* ; */,3 # '\n),(4/2,5--6);\n",
    "INSERT INTO `t` VALUES ('\n-- Dump completed\n\\n',2);\n",
    "INSERT INTO `t` () VALUES ();\n",
    "INSERT INTO `t` SELECT 1;\n",
    "LOCK TABLES `t` WRITE;\n",
    "LOCK TABLES `u` WRITE;\n",
    "/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n",
    "/*!40000 ALTER TABLE `t` ENABLE KEYS */;\n",
    "UNLOCK TABLES;\n",
    "set autocommit=0;\n",
    "commit;\n",
    "SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0;\n",
    "COMMIT;\nSET AUTOCOMMIT=@OLD_AUTOCOMMIT;\n",
    "DROP TABLE IF EXISTS `t`;\n",
    "CREATE TABLE `t` (\n  `a;` int DEFAULT 1 COMMENT 'x;\\'',\n  KEY (`a;`)\n);\n",
    "/*!40101 SET @saved_cs_client     = @@character_set_client */;\n/*!40101 SET character_set_client = utf8mb4 */;\n",
    "/*!40101 SET character_set_client = @saved_cs_client */;\n",
    "/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;\n",
    "/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ ;\n",
    "/*!50003 SET sql_mode = @saved_sql_mode */ ;\n",
    "DELIMITER ;;\n",
    "DELIMITER ;\n",
    "delimiter $$\n",
    "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN\nINSERT INTO `u` VALUES (1);\n-- Dump completed\nEND */;;\n",
    "CREATE PROCEDURE `p`() BEGIN\nDELIMITER ;\nSELECT 'x;;'; # it's;;\nEND ;;\n",
    "SET NAMES gbk;\n",
    "SET NAMES utf8mb4;\n",
    "USE `shop`;\n",
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET latin1 */;\n",
    "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`b` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select ';' AS `x` */;\n",
    "DO SETVAL(`s`, 10, 0);\n",
    "/*!50106 SET @save_time_zone= @@TIME_ZONE */ ;\n",
    "SELECT 1; SELECT 2;\n",
    "INSERT INTO `t` VALUES (1); INSERT INTO `u` VALUES (2);\n",
    "SELECT 1\r;\r\n",
    "  SELECT 3 ; -- it's\n",
    "/* a\nb */ SELECT 4;\n",
    "-- Table structure for table `it's`\n",
    "--\n",
    "\n",
    "# it's\n",
    "SELECT '\0', \"\0\", `\0`;\n",
    "-- Dump completed\n",
    "'",
    "\"",
    "`",
    "\\",
    "(",
    "/*",
    "/*!40101 ",
    "*/",
    ";",
    "-- ",
    "\u{450}",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

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
fn every_piece_by_itself_and_twice() {
    for piece in PIECES {
        for slab in [1, 3, 7, 1 << 20] {
            compare([HEAD, piece, "SELECT 7;\n", END].concat().as_bytes(), slab);
            compare([HEAD, piece, piece, "SELECT 7;\n", END].concat().as_bytes(), slab);
        }
    }
}

/// Kind, class, own name and the table that it is part of.
fn facts(entry: &MapEntry) -> (MapKind, Space, String, [String; 2]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (entry.kind, entry.space, text(&entry.class), [text(&entry.own.name), text(&entry.on.name)])
}

#[test]
fn statements_are_about_what_they_name() {
    use MapKind::{Connect, Data, Object, Setting, Value};
    use Space::{Other, Relation};
    let names =
        ["orders", "a`b", "x;y", "new\nline\n-- Dump completed\n", "größe ✓", "ON", "VALUES", "'", "*/", "a.b", "--"];
    for name in names {
        let t = format!("`{}`", name.replace('`', "``"));
        let table = format!(
            "SET @saved_cs_client = @@character_set_client;\nSET character_set_client = utf8mb4;\nCREATE TABLE {t} (a int);\nSET character_set_client = @saved_cs_client;"
        );
        let cases = [
            (table.clone(), Object, Relation, "TABLE", [name, ""]),
            (format!("DROP TABLE IF EXISTS {t};\n{table}"), Object, Relation, "TABLE", [name, ""]),
            (
                format!(
                    "DROP TABLE IF EXISTS {t};\n/*!50001 DROP VIEW IF EXISTS {t}*/;\n/*!50001 CREATE VIEW {t} AS SELECT 1 */;"
                ),
                Object,
                Relation,
                "VIEW",
                [name, ""],
            ),
            (
                format!("INSERT INTO {t} VALUES (1);\nREPLACE INTO shop.{t} (`a`) VALUES (2);"),
                Data,
                Relation,
                "INSERT",
                [name, ""],
            ),
            (
                format!(
                    "LOCK TABLES {t} WRITE;\n/*!40000 ALTER TABLE {t} DISABLE KEYS */;\n/*!40000 ALTER TABLE {t} ENABLE KEYS */;\nUNLOCK TABLES;"
                ),
                Data,
                Relation,
                "INSERT",
                [name, ""],
            ),
            (
                format!(
                    "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`on`@`b`*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON {t} FOR EACH ROW SET @a = 1 */;;\nDELIMITER ;"
                ),
                Object,
                Other,
                "TRIGGER",
                ["tr", name],
            ),
            (
                format!("CREATE DEFINER=`a`@`b` FUNCTION {t}(a int) RETURNS int RETURN 1;"),
                Object,
                Other,
                "FUNCTION",
                [name, ""],
            ),
            (format!("CREATE DATABASE /*!32312 IF NOT EXISTS*/ {t};"), Object, Other, "DATABASE", [name, ""]),
            (format!("USE {t};"), Connect, Other, "USE", [name, ""]),
            (
                format!("DROP SEQUENCE IF EXISTS {t};\nCREATE SEQUENCE {t} start with 10;"),
                Object,
                Relation,
                "SEQUENCE",
                [name, ""],
            ),
            (format!("DO SETVAL({t}, 10, 0);"), Value, Relation, "SEQUENCE SET", [name, ""]),
            (
                "/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;".into(),
                Setting,
                Other,
                "SET",
                ["@OLD_UNIQUE_CHECKS", ""],
            ),
            ("SET @@SESSION.SQL_LOG_BIN= 0;".into(), Object, Other, "REPLICATION", ["", ""]),
            ("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5';".into(), Object, Other, "REPLICATION", ["", ""]),
            ("CHANGE MASTER TO MASTER_LOG_FILE='x', MASTER_LOG_POS=4;".into(), Object, Other, "REPLICATION", ["", ""]),
        ];
        for (statement, kind, space, class, names) in cases {
            let script = [HEAD, &statement, "\n\nFLUSH TABLES;\n", END].concat();
            for slab in [1, 5, 1 << 20] {
                let entries = map(script.as_bytes(), slab);
                let found = entries.iter().find(|entry| entry.offset == HEAD.len() as u64).expect("an entry");
                let expected = (kind, space, class.to_owned(), names.map(str::to_owned));
                assert_eq!(facts(found), expected, "{statement}");
                assert_eq!(found.length, statement.len() as u64 + 1, "{statement}");
                assert_eq!(entries.last().map(|stop| stop.rows), Some(0), "{statement}");
            }
        }
    }
}

#[test]
fn what_has_no_name_is_counted_and_stands_there() {
    let long = "x".repeat(5000);
    // More than are told apart.
    let alters = "ALTER DATABASE `shop` CHARACTER SET utf8mb4 ;;\n".repeat((1 << 16) + 1);
    let event = "CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1;;\n";
    let cases = [
        format!("DELIMITER ;;\n{event}{alters}DELIMITER ;\n"),
        format!("DELIMITER ;;\n{alters}DELIMITER ;\n"),
        format!("CREATE TABLE `{long}` (a int);\n"),
        format!("INSERT INTO `{long}` VALUES (1);\n"),
        "SELECT 1; SELECT 2;\n".into(),
        "LOCK TABLES `t` WRITE;\nINSERT INTO `u` VALUES (1);\nUNLOCK TABLES;\n".into(),
        "DELIMITER ;;\nCREATE PROCEDURE a() SELECT 1;;\nCREATE PROCEDURE b() SELECT 1;;\nDELIMITER ;\n".into(),
    ];
    for case in &cases {
        let script = [HEAD, case, END].concat();
        let entries = map(script.as_bytes(), 1 << 20);
        let range = (HEAD.len() as u64, (HEAD.len() + case.len()) as u64);
        let found = entries.iter().find(|entry| (entry.offset, entry.end()) == range).expect("its range");
        assert!(found.own.is_empty() && found.kind == MapKind::Object, "{}", &case[..20]);
        assert_eq!(entries.last().map(|stop| stop.rows), Some(1), "{}", &case[..20]);
    }
}

/// What is kept and never put back does not swallow what drops another database.
#[test]
fn nothing_is_kept_from_one_database_to_another() {
    let kept = "SET @saved_x = @@x;\nCREATE TABLE `t` (a int);\n";
    for statement in ["DROP DATABASE IF EXISTS `other`;\n", "CREATE DATABASE `other`;\n", "USE `other`;\n"] {
        let script = [HEAD, kept, statement, END].concat();
        let entries = map(script.as_bytes(), 1 << 20);
        let begin = (HEAD.len() + kept.len()) as u64;
        let found = entries.iter().find(|entry| entry.offset == begin).expect("its range");
        assert_eq!(
            (found.end(), found.own.name.as_slice()),
            (begin + statement.len() as u64, &b"other"[..]),
            "{statement}"
        );
    }
}

#[test]
fn a_gigabyte_without_a_newline_is_not_held() {
    let mut observer = Observer::new();
    observer.push(HEAD.as_bytes());
    let megabyte = vec![b'x'; 1 << 20];
    for begin in [
        "INSERT INTO `t` VALUES (1,'",
        "INSERT INTO `t` VALUES (",
        "CREATE TABLE `",
        "SELECT '",
        "SELECT ",
        "-- ",
        "/* ",
    ] {
        observer.push(begin.as_bytes());
        let _ = observer.take_map();
        for _ in 0..64 {
            observer.push(&megabyte);
            assert!(observer.take_map().len() <= 2);
        }
        let held = format!("{observer:?}").len();
        assert!(held < 100_000, "{held} bytes are held after {begin}");
        observer.push(b"\n'`*/);\n");
    }
}

#[test]
fn only_a_whole_dump_is_complete() {
    let verdict = |script: &str| {
        let mut observer = Observer::new();
        observer.push(script.as_bytes());
        observer.finish().verdict
    };
    let whole = [HEAD, "INSERT INTO `t` VALUES (1);\n", END].concat();
    let bare = HEAD.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    assert_eq!(verdict(&whole), Verdict::Complete);
    assert_eq!(verdict(&[&whole, "\r\n\n"].concat()), Verdict::Complete);
    assert_eq!(verdict(&whole.repeat(2)), Verdict::Complete);
    assert_eq!(verdict(&whole.replace('\n', "\r\n").replacen("\r\n", "\n", 2)), Verdict::Complete);
    assert_eq!(verdict(&[&bare, "SELECT 1;\n"].concat()), Verdict::Unproven(Unproven::NoEnd));
    for (script, words) in [
        (whole.replace(END, ""), "the stream ends without it; 0 of 1 dumps begun were completed"),
        (whole.trim_end().into(), "in the middle of a line"),
        ([&whole, "SELECT 1;\n"].concat(), "something follows it"),
        ([&whole, "-- x\n"].concat(), "something follows it"),
        ([&whole, "SELECT 'x\n-- Dump completed\n"].concat(), "inside a quoted text"),
        ([&whole[..whole.len() - END.len()], &whole].concat(), "do not nest"),
        ([HEAD, "SELECT 1\n"].concat(), "inside a statement"),
        (
            [HEAD, "DELIMITER ;;\nCREATE PROC", HEAD, "DELIMITER ;;\nSELECT 1;;\nDELIMITER ;\n", END].concat(),
            "do not nest",
        ),
        ([HEAD, "SELECT 1; /* x\n"].concat(), "inside a comment block"),
        (bare + "SELECT 'x", "the stream ends inside a quoted text"),
    ] {
        match verdict(&script) {
            Verdict::Incomplete(shortfall) => assert!(shortfall.to_string().contains(words), "{shortfall}:\n{script}"),
            other => panic!("{other:?}:\n{script}"),
        }
    }
}
