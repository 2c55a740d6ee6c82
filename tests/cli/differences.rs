//! What changed between two dumps: what a person sees.

use crate::parts::{END, HEAD, TABLES, cluster, json, rows};
use crate::place::{Place, noise, run};

/// Tables whose rows touch, and definitions of the same length.
#[test]
fn neighbours_are_told_apart() {
    let place = Place::with_key();
    let dump = |size: &str, of: [u64; 3]| {
        let made =
            ["a", "b", "c"].map(|name| format!("CREATE TABLE public.{name} (\n    n varchar({size})\n);\n\n")).concat();
        let rows = ["a", "b", "c"]
            .iter()
            .zip(of)
            .map(|(name, value)| format!("INSERT INTO public.{name} VALUES ({value});\n"));
        place.pack(&[], [HEAD, &made, &rows.collect::<String>(), "\n", END].concat().as_bytes())
    };
    let first = dump("10", [1, 1, 1]);
    let changes = |after: &str| {
        let told = json(&place, &["diff", &first, after, "--exact"]);
        let tables = told["tables"].as_array().expect("tables").clone();
        tables.iter().map(|table| table["change"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    for (of, expected) in [
        ([1, 1, 1], ["same", "same", "same"]),
        ([1, 2, 1], ["same", "changed", "same"]),
        ([2, 2, 1], ["changed", "changed", "same"]),
        ([1, 2, 2], ["same", "changed", "changed"]),
    ] {
        assert_eq!(changes(&dump("10", of)), expected, "{of:?}");
    }
    assert_eq!(changes(&dump("20", [1, 1, 2])), ["altered", "altered", "changed"]);
}

#[test]
fn differences_that_are_no_rows_are_told() {
    let place = Place::with_key();
    let before = cluster();
    let first = place.pack(&[], before.as_bytes());
    let same = place.pack(&[], before.as_bytes());
    assert_eq!(place.ok(&["diff", &first, &same], b""), "6 tables have the same rows, byte for byte\n");
    let bench = before.find("\\connect bench").expect("the second database");
    let in_bench = |from: &str, to: &str| before[..bench].to_owned() + &before[bench..].replacen(from, to, 1);
    let nothing = [&HEAD.replace(" K\n", " N\n"), "CREATE SCHEMA none;\n\n", &END.replace(" K\n", " N\n")].concat();
    let cluster_end = "--\n-- PostgreSQL database cluster dump complete";
    let another = before.replace(cluster_end, &["\\connect nothing\n\n", &nothing, cluster_end].concat());
    let cases: [(&str, String, &str, &str); 6] = [
        (
            "a role",
            before.replace("CREATE ROLE app;", "CREATE ROLE app;\nCREATE ROLE web;"),
            "(globals) (statements)",
            "changed",
        ),
        ("a database without tables", another, "nothing (statements)", "new"),
        (
            "an empty table",
            in_bench("CREATE TABLE public.empty (\n    id integer\n);\n\n", ""),
            "bench public.empty",
            "gone",
        ),
        ("a column", in_bench("orders (\n    id integer", "orders (\n    id bigint"), "bench public.orders", "altered"),
        ("a view", in_bench("SELECT 1;", "SELECT 1, 2;"), "bench public.seen", "altered"),
        ("a value", in_bench("SELECT 1;", "SELECT 2;"), "bench (statements)", "perhaps"),
    ];
    for (what, after, item, word) in &cases {
        let after = place.pack(&["--allow-shrink"], after.as_bytes());
        let told = |before: &str, after: &str| {
            let lines = place.ok(&["diff", before, after], b"");
            let columns: Vec<Vec<&str>> = lines.lines().map(|line| line.split_whitespace().collect()).collect();
            let of_item = columns.iter().find(|columns| columns.len() > 2 && columns[..2].join(" ") == *item);
            of_item.map(|columns| columns[2].to_owned()).unwrap_or_else(|| panic!("{what}: {item} in {lines}"))
        };
        let back = match *word {
            "new" => "gone",
            "gone" => "new",
            word => word,
        };
        assert_eq!((told(&first, &after), told(&after, &first)), ((*word).to_owned(), back.to_owned()), "{what}");
        let difference = json(&place, &["diff", &first, &after]);
        let statements = difference["statements"].as_array().expect("statements");
        assert_eq!(statements.len(), if *word == "new" { 4 } else { 3 }, "{difference}");
        assert!(statements[0]["database"].is_null(), "roles come first: {difference}");
    }
    assert_eq!(cases.len(), 6);
}

/// Every dump draws another key for `\restrict`, which makes its neighbours' chunks new ones.
#[test]
fn what_the_indexes_leave_open_is_read_when_asked_for() {
    let place = Place::with_key();
    let many: Vec<u64> = (0..30_000).collect();
    let dump = |key: &str, orders: &[u64], value: &str| {
        let middle = [TABLES, &rows("orders", orders), &rows("child", &[7]), &rows("empty", &[])].concat();
        [HEAD.replace(" K\n", key), middle, END.replace(" K\n", key)].concat().replace("SELECT 1;", value)
    };
    let first = place.pack(&[], dump(" K\n", &many, "SELECT 1;").as_bytes());
    let second = place.pack(&[], dump(" L\n", &many, "SELECT 1;").as_bytes());
    let mut swapped = many.clone();
    swapped.swap(15_000, 15_001);
    let third = place.pack(&[], dump(" M\n", &swapped, "SELECT 1;").as_bytes());
    let fourth = place.pack(&[], dump(" N\n", &many, "SELECT 2;").as_bytes());
    let words = |arguments: &[&str], before: &str, after: &str| {
        let told = json(&place, &[&["diff", before, after], arguments].concat());
        let of = |kind: &str| told[kind].as_array().expect("a list").clone();
        let table = |name: &str| of("tables").into_iter().find(|table| table["table"] == name).expect("the table");
        [&table("orders"), &table("child"), &of("statements")[0]].map(|item| item["change"].as_str().map(str::to_owned))
    };
    let is = |words: [&str; 3]| words.map(|word| Some(word.to_owned()));
    assert_eq!(words(&[], &first, &second), is(["perhaps", "perhaps", "perhaps"]));
    assert_eq!(words(&["--exact"], &first, &second), is(["same", "same", "same"]));
    assert_eq!(words(&["--exact"], &second, &first), is(["same", "same", "same"]));
    assert_eq!(words(&["--exact"], &first, &third), is(["changed", "same", "same"]));
    assert_eq!(words(&["--exact"], &third, &fourth), is(["changed", "same", "changed"]));
    let told = place.ok(&["diff", &first, &second], b"");
    assert!(told.contains("`--exact` reads what is perhaps the same"), "{told}");
    let told = place.ok(&["diff", &first, &second, "--exact"], b"");
    assert_eq!(told, "3 tables have the same rows, byte for byte\n");
    // What they share is not read.
    let part = place.store().join(format!("{first}-0"));
    let mut bytes = std::fs::read(&part).expect("a part");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).expect("a part");
    assert_eq!(run(place.command(&["diff", &first, &first, "--exact"]), b"").code, Some(0));
    run(place.command(&["diff", &first, &third, "--exact"]), b"").fails("damaged", 13, "");
}

/// Chunks in another order are other rows, in blocks of their own and within one.
#[test]
fn another_order_is_another_table() {
    let place = Place::with_key();
    let around = rows("orders", &(0..30_000).collect::<Vec<_>>());
    for bytes in [1_200_000, 200_000] {
        let row = |seed: u64| noise(bytes, seed).iter().map(|byte| char::from(b'a' + byte % 16)).collect::<String>();
        let (one, two) = (row(1), row(2));
        let pack = |order: [&str; 5]| {
            let att: String = order.iter().map(|row| format!("{row}\n")).collect();
            let att = format!("COPY public.att (body) FROM stdin;\n{att}\\.\n\n");
            let dump = [HEAD, &around, &att, &around.replace("orders", "zzz"), END].concat();
            place.pack(&["--allow-shrink"], dump.as_bytes())
        };
        let before = pack([&one, &one, &one, &two, &two]);
        for order in [[&one, &one, &two, &two, &two], [&two, &one, &one, &two, &one]] {
            let after = pack(order.map(String::as_str));
            let change = |arguments: &[&str], name: &str| {
                let told = json(&place, &[&["diff", &before, &after], arguments].concat());
                let tables = told["tables"].as_array().expect("tables").clone();
                tables.iter().find(|table| table["table"] == name).expect("a table")["change"].clone()
            };
            assert_eq!(change(&[], "att"), "perhaps", "{bytes}");
            assert_eq!(change(&["--exact"], "att"), "changed", "{bytes}");
            assert_eq!((change(&["--exact"], "orders"), change(&["--exact"], "zzz")), ("same".into(), "same".into()));
        }
    }
}

/// Tables that changed places have their bytes read in the order of each dump.
#[test]
fn tables_that_moved_are_compared_with_themselves() {
    let place = Place::with_key();
    let pack = |key: &str, tables: [&str; 2]| {
        let rows: String = tables.iter().zip([5, 6]).map(|(table, _)| rows(table, &[table.len() as u64, 7])).collect();
        let dump = [&HEAD.replace(" K\n", key), TABLES, &rows, &END.replace(" K\n", key)]
            .map(|text| text.to_string())
            .concat();
        place.pack(&[], dump.as_bytes())
    };
    let (first, second) = (pack(" K\n", ["orders", "child"]), pack(" L\n", ["child", "orders"]));
    let told = place.ok(&["diff", &first, &second, "--exact"], b"");
    assert_eq!(told, "3 tables have the same rows, byte for byte\n");
}
