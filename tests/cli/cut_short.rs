//! A dump whose map ends before it does, and names as they are typed.

use crate::parts::{cluster, dump};
use crate::place::{Place, Ran, run};

/// Packs what is cut short, and returns the id.
fn kept(place: &Place, dump: &[u8]) -> String {
    let ran = run(place.command(&["pack", "-q", "--allow-incomplete"]), dump);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    String::from_utf8(ran.out).expect("an id").trim().to_owned()
}

fn warns(ran: &Ran, code: i32, warnings: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    for warning in warnings {
        assert!(ran.err.contains(warning), "{warning}: {}", ran.err);
    }
}

const EARLY: &str = "warning: the map of the dump ends after ";
const CUT: &str = "its dump was cut short, or could not be shown to be whole, when it was packed";

#[test]
fn where_the_map_ends_is_said() {
    let place = Place::with_key();
    let whole = cluster();
    let rows = whole.rfind("COPY public.orders").expect("rows of the second database");
    let cut = kept(&place, &whole.as_bytes()[..rows + 40]);
    let unpack = |arguments: &[&str]| run(place.command(&[&["unpack", "-q", &cut], arguments].concat()), b"");
    warns(&unpack(&["--database", "bench"]), 3, &[EARLY, CUT]);
    warns(&unpack(&["--database", "bench", "--dry-run"]), 3, &[EARLY, CUT]);
    warns(&unpack(&["--database", "*", "--globals"]), 3, &[EARLY, CUT]);
    warns(&unpack(&["--database", "later"]), 10, &[EARLY, "no database of the dump matches `later`"]);
    warns(&unpack(&["--database", "bench", "--table", "orders"]), 2, &[EARLY, "unpack all of "]);
    // All of it has no need of the map.
    let all = run(place.command(&["unpack", "-q", &cut]), b"");
    assert_eq!((all.code, &all.out[..], all.err.contains(EARLY)), (Some(0), &whole.as_bytes()[..rows + 40], false));
    // A map that goes to the end is not spoken of.
    let good = place.pack(&["--allow-shrink"], whole.as_bytes());
    let ran = run(place.command(&["unpack", "-q", &good, "--database", "bench"]), b"");
    assert_eq!((ran.code, ran.err.contains(EARLY)), (Some(0), false), "{ran:?}");
}

#[test]
fn contents_and_differences_say_how_a_dump_ends() {
    let place = Place::with_key();
    let whole = dump(&[1, 2, 3]);
    let good = place.pack(&[], whole.as_bytes());
    let rows = whole.find("COPY public.orders").expect("rows");
    let cut = kept(&place, &whole.as_bytes()[..rows + 40]);
    let ran = |arguments: &[&str]| run(place.command(arguments), b"");
    warns(&ran(&["show", &cut, "--contents"]), 3, &[EARLY, CUT]);
    warns(&ran(&["show", &cut, "--contents", "--json"]), 3, &[EARLY, CUT]);
    warns(&ran(&["diff", &good, &cut]), 3, &[EARLY, CUT, &cut]);
    warns(&ran(&["diff", &cut, &good]), 3, &[EARLY, CUT, &cut]);
    for arguments in [&["show", &good, "--contents"][..], &["diff", &good, &good]] {
        let ran = ran(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_dump_with_other_line_ends_is_noted() {
    let place = Place::with_key();
    let crlf = dump(&[1]).replace('\n', "\r\n");
    let ran = run(place.command(&["pack"]), crlf.as_bytes());
    warns(&ran, 0, &["CR LF line ends: its end is not checked"]);
}

#[test]
fn small_words_are_true() {
    let place = Place::with_key();
    let raw = place.pack(&["--allow-shrink"], b"just bytes");
    let ran = run(place.command(&["show", &raw, "--contents"]), b"");
    warns(&ran, 2, &["pg_dump, pg_dumpall and mysqldump"]);
    let ran = run(place.command(&["accept", "latest"]), b"");
    warns(&ran, 2, &["`vault accept` takes an id"]);
}

#[test]
fn names_can_be_typed_as_they_are_shown() {
    let place = Place::with_key();
    let odd = dump(&[1]).replace("public.orders", "\"odd.sch\".\"t.a\"\"b\"");
    let backup = place.pack(&[], odd.as_bytes());
    let ran = run(place.command(&["unpack", "-q", &backup, "--table", "odd.t.ab"]), b"");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let ran = run(place.command(&["unpack", "-q", &backup, "--table", "\"odd.sch\".\"t.ab\""]), b"");
    let nearest = "\"odd.sch\".\"t.a\"\"b\"";
    warns(&ran, 10, &[&format!("nearest: {nearest};")]);
    let part = place.ok(&["unpack", "-q", &backup, "--table", nearest], b"");
    assert!(part.contains("COPY \"odd.sch\"."), "{part}");
    let ran = run(place.command(&["unpack", "-q", &backup, "--database", "\"shop"]), b"");
    warns(&ran, 2, &["write the name of a database"]);
    let ran = run(place.command(&["unpack", "-q", &backup, "--table", "shop.crm.orders"]), b"");
    warns(&ran, 2, &["`--database`"]);
}
