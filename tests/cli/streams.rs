//! Parts of what was not written by one run of a tool of today: several dumps in one stream, and dumps as they were before 2018.

use crate::parts::{END, HEAD, TABLES, dump, rows};
use crate::place::{Place, run};

/// Rows of one table out of two databases are not put into one; but the parts of one dump may come one after another.
#[test]
fn several_dumps_in_one_stream() {
    let place = Place::with_key();
    let of_mysql = "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n-- Server version\t8.0.36\n\nINSERT INTO `orders` VALUES (1);\n\n-- Dump completed on 2026-11-20  1:00:00\n";
    for (twice, table) in [(dump(&[1, 2]).repeat(2), "public.orders"), (of_mysql.repeat(2), "orders")] {
        let id = place.pack(&["--allow-shrink"], twice.as_bytes());
        for arguments in [&["--table", "orders"][..], &["--table", "*", "--with-schema"]] {
            let ran = run(place.command(&[&["unpack", "-q", &id], arguments].concat()), b"");
            ran.fails("twice", 2, &format!("{table} is in several dumps of the stream"));
            assert_eq!(ran.out, b"");
        }
    }
    // What has no rows, and what has no comments: the line that guards a dump begins it, too.
    let view = [HEAD, "CREATE VIEW public.v AS\n SELECT 1;\n\n", END].concat();
    let guarded = "/*M!999999\\- enable the sandbox mode */ \nDROP TABLE IF EXISTS `v`;\nCREATE TABLE `v` (a int);\nINSERT INTO `v` VALUES (1);\n";
    for (twice, table) in [(view.repeat(2), "public.v"), (guarded.repeat(2), "v")] {
        let ran = run(place.command(&["pack", "--allow-shrink", "--", "printf", "%s", &twice]), b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let ran = run(place.command(&["unpack", "-q", "latest", "--table", "v", "--with-schema"]), b"");
        ran.fails("twice", 2, &format!("{table} is in several dumps of the stream"));
    }
    let sections = [HEAD, TABLES, END, HEAD, &rows("orders", &[1, 2]), END, HEAD, &rows("child", &[7]), END].concat();
    let id = place.pack(&["--allow-shrink"], sections.as_bytes());
    let script = place.ok(&["unpack", "-q", &id, "--table", "orders", "--table", "child", "--with-schema"], b"");
    for once in ["CREATE TABLE public.orders", "COPY public.orders", "COPY public.child"] {
        assert_eq!(script.matches(once).count(), 1, "{script}");
    }
    // Without what makes the table.
    let id =
        place.pack(&["--allow-shrink"], [HEAD, &rows("orders", &[1]), &rows("child", &[7]), END].concat().as_bytes());
    let ran = run(place.command(&["unpack", "-q", &id, "--table", "*", "--with-schema"]), b"");
    let told = "warning: of public.orders and 1 more rows alone come back: the dump has nothing that makes the table";
    assert!(ran.code == Some(3) && ran.err.contains(told), "{ran:?}");
}

/// What one dump of a stream says of its database does not hold for another one.
#[test]
fn a_dump_is_not_of_the_database_of_another() {
    let place = Place::with_key();
    let nameless = [HEAD, TABLES, &rows("orders", &[1]), END].concat();
    let shop = "CREATE DATABASE shop;\n\n\\connect shop\n\nCREATE TABLE public.lines (\n    id integer\n);\n\n";
    let named = [HEAD, shop, &rows("lines", &[2]), END].concat();
    for stream in [[&nameless[..], &named].concat(), [&named[..], &nameless].concat()] {
        let id = place.pack(&["--allow-shrink"], stream.as_bytes());
        let part = |arguments: &[&str]| run(place.command(&[&["unpack", "-q", &id], arguments].concat()), b"");
        let of_shop = String::from_utf8(part(&["--database", "shop"]).out).expect("text");
        assert!(of_shop.contains("CREATE DATABASE shop") && of_shop.contains("COPY public.lines"), "{of_shop}");
        assert!(!of_shop.contains("orders"), "{of_shop}");
        let orders = part(&["--table", "orders", "--with-schema"]);
        let script = String::from_utf8(orders.out).expect("text");
        assert!(orders.code == Some(0) && script.contains("COPY public.orders"), "{}", orders.err);
        assert!(!script.contains("connect"), "it goes where psql is told:\n{script}");
        for arguments in [&["--table", "orders", "--table", "lines"][..], &["--database", "*"]] {
            let refused = part(arguments);
            refused.fails("both", 2, "what is chosen is of several databases: ");
            assert!(refused.err.contains("one without a name"), "{}", refused.err);
            assert!(refused.err.contains("take it apart where one dump ends"), "{}", refused.err);
        }
        assert!(place.ok(&["show", &id, "--contents"], b"").contains("the database"));
    }
}

/// What the archives of the service before hold: databases are made among the roles, and partitions as such.
#[test]
fn clusters_of_before_2018() {
    let place = Place::with_key();
    let globals = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n\nCREATE DATABASE shop WITH TEMPLATE = template0 OWNER = app;\nALTER DATABASE shop SET work_mem TO '7MB';\nREVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;\nGRANT ALL ON DATABASE shop TO app;\nREVOKE CONNECT,TEMPORARY ON DATABASE template1 FROM PUBLIC;\nALTER ROLE app IN DATABASE shop SET work_mem TO '9MB';\nUPDATE pg_catalog.pg_database SET datistemplate = 't' WHERE datname = 'shop';\n\n\\connect shop\n\nSET default_transaction_read_only = off;\n\n";
    let old = HEAD.replace("\\restrict K\n\n", "");
    let tables = "CREATE TABLE m (\n    id integer\n)\nPARTITION BY RANGE (id);\n\nCREATE TABLE m1 PARTITION OF m\nFOR VALUES FROM (1) TO (9);\n\nCREATE TABLE x (\n)\nINHERITS (m2)\nWITH (fillfactor='70');\n\n";
    let path = "SET search_path = public, pg_catalog;\n\n";
    let end =
        "--\n-- PostgreSQL database dump complete\n--\n\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    let dump = [globals, &old, path, tables, "COPY m1 (id) FROM stdin;\n3\n\\.\n\n", end].concat();
    let id = place.pack(&[], dump.as_bytes());
    let part = |arguments: &[&str]| place.ok(&[&["unpack", "-q", &id], arguments].concat(), b"");
    let roles = part(&["--globals"]);
    assert!(roles.contains("CREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n") && !roles.contains("DATABASE"), "{roles}");
    assert!(!roles.contains("pg_database"), "{roles}");
    let shop = part(&["--database", "shop"]);
    let made = "CREATE DATABASE shop WITH TEMPLATE = template0 OWNER = app;\nALTER DATABASE shop SET work_mem TO '7MB';\nREVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;\nGRANT ALL ON DATABASE shop TO app;\nALTER ROLE app IN DATABASE shop SET work_mem TO '9MB';\n";
    assert!(shop.contains(made) && shop.contains("COPY m1"), "{shop}");
    assert!(shop.find(made) < shop.find("\\connect shop") && !shop.contains("CREATE ROLE"), "{shop}");
    let copy = part(&["--database", "shop", "--no-connect"]);
    assert!(copy.contains("COPY m1") && !copy.contains("DATABASE") && !copy.contains("connect"), "{copy}");
    let parent = part(&["--table", "m", "--with-schema"]);
    assert!(parent.contains("CREATE TABLE m1 PARTITION OF m\n") && parent.contains("COPY m1"), "{parent}");
}

/// Where a table is made is a setting before it.
#[test]
fn settings_between_statements_are_compared() {
    let place = Place::with_key();
    let pack = |space: &str| {
        let set = format!("SET default_tablespace = {space};\n\n");
        place.pack(&["--allow-shrink"], [HEAD, &set, TABLES, &rows("orders", &[1]), END].concat().as_bytes())
    };
    let (fast, slow, again) = (pack("fast"), pack("slow"), pack("slow"));
    for options in [&[][..], &["--exact"]] {
        let told = |before: &str, after: &str| place.ok(&[&["diff", before, after], options].concat(), b"");
        assert!(told(&fast, &slow).contains("(statements)"), "{}", told(&fast, &slow));
        assert!(!told(&slow, &again).contains("(statements)"), "{}", told(&slow, &again));
    }
}

/// What prepares a `DROP DATABASE` stays out with it.
#[test]
fn a_template_that_is_there_stays_one() {
    let place = Place::with_key();
    let setup = "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = 'shop';\nDROP DATABASE shop;\n\nCREATE DATABASE shop;\n\n\\connect shop\n\nUPDATE pg_catalog.pg_database SET datistemplate = true WHERE datname = 'shop';\n\n";
    let id = place.pack(&[], [HEAD, setup, TABLES, &rows("orders", &[1]), END].concat().as_bytes());
    let script = place.ok(&["unpack", "-q", &id, "--database", "shop"], b"");
    assert!(script.contains("CREATE DATABASE shop") && script.contains("datistemplate = true"), "{script}");
    assert!(!script.contains("DROP DATABASE") && !script.contains("datistemplate = false"), "{script}");
}

/// A dump without a name goes where the client is, and a trigger that says where it goes does not.
#[test]
fn a_trigger_goes_where_its_table_goes() {
    let place = Place::with_key();
    let table = "DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (a int);\nINSERT INTO `t` VALUES (1);\n";
    let trigger = |name: &str, on: &str| {
        format!("DELIMITER ;;\nCREATE TRIGGER {name} BEFORE INSERT ON {on} FOR EACH ROW SET @a = 1;;\nDELIMITER ;\n")
    };
    let dump = [
        "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n",
        table,
        &trigger("`near`", "`t`"),
        &trigger("`shop`.`far`", "`t`"),
        &trigger("`off`", "`shop`.`t`"),
        "-- Dump completed\n",
    ]
    .concat();
    let id = place.pack(&[], dump.as_bytes());
    let ran = run(place.command(&["unpack", "-q", &id, "--table", "t", "--with-schema"]), b"");
    let script = String::from_utf8(ran.out).expect("text");
    assert!(
        ran.code == Some(3) && ran.err.contains("warning: what would reach into the original is left out"),
        "{}",
        ran.err
    );
    assert!(script.contains("`near`") && !script.contains("far") && !script.contains("off"), "{script}");
}

/// The slot of a subscription is at the publisher, and a copy of it would take it from the original.
#[test]
fn a_copy_subscribes_to_nothing() {
    let place = Place::with_key();
    let shop = "CREATE DATABASE shop;\n\n\\connect shop\n\n";
    let subscription = "CREATE SUBSCRIPTION live CONNECTION 'host=a' PUBLICATION p WITH (connect = false, slot_name = 'live');\n\nALTER SUBSCRIPTION live OWNER TO app;\n\nCOMMENT ON SUBSCRIPTION live IS 's';\n\n";
    let id = place.pack(&[], [HEAD, shop, TABLES, subscription, &rows("orders", &[1]), END].concat().as_bytes());
    let all = place.ok(&["unpack", "-q", &id, "--database", "shop"], b"");
    assert_eq!(all.matches("SUBSCRIPTION live").count(), 3, "{all}");
    let copy = run(place.command(&["unpack", "-q", &id, "--database", "shop", "--no-connect"]), b"");
    let script = String::from_utf8(copy.out).expect("text");
    assert!(copy.code == Some(3) && copy.err.contains("subscriptions"), "{}", copy.err);
    assert!(script.contains("COPY public.orders") && !script.contains("SUBSCRIPTION"), "{script}");
}
