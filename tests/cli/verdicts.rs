//! Dumps that are not whole, or not what they were: refused, kept and marked, accepted; and what every command says of them.

use std::fs;

use serde_json::Value;

use crate::archives::{KEY, archive, secret};
use crate::place::{Place, Ran, noise, run};

/// What `pg_dump` begins with, and how it ends.
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n";
const TAIL: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";
const COPY: &str = "COPY public.t (id) FROM stdin;\n";

/// A dump of so many rows.
fn whole(rows: usize) -> Vec<u8> {
    let rows: String =
        (0..rows).map(|row| format!("{row}\t{:016x}\n", row.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    format!("{HEAD}{COPY}{rows}\\.\n\n{TAIL}").into_bytes()
}

/// The same, of a backend that was killed in the middle.
fn cut(rows: usize) -> Vec<u8> {
    let mut dump = whole(rows);
    dump.truncate(dump.len() - TAIL.len());
    dump
}

fn vault(place: &Place, arguments: &[&str], input: &[u8]) -> Ran {
    run(place.command(arguments), input)
}

/// Expects a failure whose one line says that, with a hint.
fn refused(ran: &Ran, code: i32, error: &str) {
    ran.fails(error, code, "");
    let told = ran.err.lines().find(|line| line.starts_with("vault: error: ")).unwrap_or_default();
    assert!(told.contains(error), "`{told}` does not say `{error}`");
}

fn json(ran: &Ran) -> Value {
    let text = if ran.out.is_empty() { ran.err.lines().last().unwrap_or_default().as_bytes() } else { &ran.out };
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.out.clone()).unwrap()
}

/// Packs what is kept with a warning; gives its id and the warning.
fn kept(place: &Place, arguments: &[&str], dump: &[u8]) -> (String, String) {
    let arguments: Vec<&str> = ["pack", "-q"].iter().chain(arguments).copied().collect();
    let ran = vault(place, &arguments, dump);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let warnings: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("vault: warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{ran:?}");
    (text(&ran).trim().to_owned(), warnings[0].to_owned())
}

/// The verdicts in the list, oldest first.
fn verdicts(place: &Place) -> Vec<String> {
    let listed = json(&vault(place, &["list", "--json"], b""));
    let backups = listed["backups"].as_array().unwrap().clone();
    backups.iter().map(|backup| backup["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_dump_cut_short_is_refused_and_kept_only_on_request() {
    let place = Place::with_key();
    let good = place.pack(&[], &whole(50));
    let before = place.objects();
    let ran = vault(&place, &["pack"], &cut(50));
    refused(&ran, 15, "expected `-- PostgreSQL database dump complete` at the end, but the stream ends without it");
    refused(&ran, 15, "; 0 of 1 database dumps begun were completed");
    assert!(ran.err.contains("`--allow-incomplete` keeps such a dump, marked as incomplete for ever"), "{ran:?}");
    assert_eq!(place.objects(), before);
    // A producer that failed says itself that there is nothing to keep.
    for script in ["cat dump; exit 1", "cat dump; kill -9 $$"] {
        fs::write(place.path("dump"), cut(50)).unwrap();
        let failed = vault(&place, &["pack", "--allow-incomplete", "--", "sh", "-c", script], b"");
        failed.fails(script, 15, "`sh` ");
        assert_eq!(place.objects(), before, "{script}");
    }
    vault(&place, &["pack", "--allow-incomplete"], b"").fails("empty", 15, "the dump is empty");
    let (id, warning) = kept(&place, &["--allow-incomplete"], &cut(50));
    assert!(warning.contains("expected `-- PostgreSQL database dump complete`"), "{warning}");
    assert!(warning.contains(&format!("{id} is kept, marked as incomplete for ever")), "{warning}");
    let whole_id = place.pack(&["--allow-incomplete"], &whole(50));
    assert_eq!(verdicts(&place), ["complete", "incomplete", "complete"], "the flag marks nothing that is whole");
    assert_ne!(whole_id, good);
}

#[test]
fn a_cluster_counts_the_end_of_every_database() {
    let place = Place::with_key();
    let head = "--\n-- PostgreSQL database cluster dump\n--\n\nSET x = 1;\n\n";
    let tail = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";
    let one = String::from_utf8(whole(3)).unwrap();
    let unfinished = String::from_utf8(cut(3)).unwrap();
    let dump = format!("{head}\\connect a\n\n{one}\\connect b\n\n{unfinished}{tail}");
    let ran = vault(&place, &["pack"], dump.as_bytes());
    refused(&ran, 15, "expected `-- PostgreSQL database cluster dump complete` at the end, but");
    refused(&ran, 15, "; 1 of 2 database dumps begun were completed");
    let dump = format!("{head}\\connect a\n\n{one}\\connect b\n\n{one}{tail}");
    place.ok(&["pack"], dump.as_bytes());
}

/// What `mysqldump --compact` writes: nothing of it says where it ends.
#[test]
fn a_dump_without_an_end_takes_the_word_of_its_producer() {
    let place = Place::with_key();
    let compact =
        b"/*!999999\\- enable the sandbox mode */ \n/*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
        CREATE TABLE `t` (\n  `id` int NOT NULL\n);\n/*!40101 SET character_set_client = @saved_cs_client */;\n\
        INSERT INTO `t` VALUES (1),(2);\n";
    fs::write(place.path("dump"), compact).unwrap();
    let ran = vault(&place, &["pack"], compact);
    refused(&ran, 15, "nothing shows that the dump is whole: this dump writes no end that could be looked for");
    refused(&ran, 15, "how the program that wrote it ended was not seen");
    assert!(ran.err.contains("`vault pack -- COMMAND`") && ran.err.contains("`--allow-incomplete`"), "{ran:?}");
    vault(&place, &["pack", "--", "sh", "-c", "cat dump; exit 1"], b"").fails(
        "it failed",
        15,
        "`sh` exited with status 1",
    );
    assert!(place.objects().is_empty());
    let id = place.pack(&["--", "cat", "dump"], b"");
    assert_eq!((place.unpack(&id).out.as_slice(), verdicts(&place)), (&compact[..], vec!["complete".to_owned()]));
    let (_, warning) = kept(&place, &["--allow-incomplete"], compact);
    assert!(
        warning.contains("marked as incomplete for ever; run the program as a child, `vault pack -- COMMAND`"),
        "{warning}"
    );
    place.pack(&["--allow-incomplete", "--", "cat", "dump"], b"");
    assert_eq!(verdicts(&place), ["complete", "incomplete", "complete"]);
    // Cut in the middle it is cut, whoever vouches for it.
    let cut = vault(&place, &["pack", "--", "head", "-c", "150", "dump"], b"");
    refused(&cut, 15, "the dump is cut short: ");
    // Whoever wrote an archive is long gone.
    secret(&place, "old", KEY);
    let import = ["legacy", "import", "-", "--legacy-key-file", "old"];
    let ran = vault(&place, &import, &archive(compact));
    refused(&ran, 15, "nothing shows that the dump in the archive is whole: this dump writes no end");
    assert!(ran.err.contains("`vault legacy import --allow-incomplete` keeps it"), "{ran:?}");
    assert_eq!(vault(&place, &[&import[..], &["--allow-incomplete"]].concat(), &archive(compact)).code, Some(3));
    let out = vault(&place, &["legacy", "unpack", "-", "--legacy-key-file", "old"], &archive(compact));
    assert_eq!((out.code, out.out.as_slice()), (Some(0), &compact[..]), "{}", out.err);
    assert!(out.err.contains("of mysqldump, which shows no end"), "{}", out.err);
}

#[test]
fn an_incomplete_backup_says_so_wherever_it_is_named() {
    let place = Place::with_key();
    let good = place.pack(&[], &whole(50));
    let (id, _) = kept(&place, &["--allow-incomplete"], &cut(60));
    let unpacked = vault(&place, &["unpack", &id], b"");
    assert_eq!((unpacked.code, unpacked.out == cut(60)), (Some(0), true));
    assert!(unpacked.err.contains(&format!("vault: warning: {id}: its dump was cut short")), "{unpacked:?}");
    assert_eq!(json(&vault(&place, &["unpack", &id, "-o", "out", "--json"], b""))["verdict"], "incomplete");
    let shown = text(&vault(&place, &["show", &id], b""));
    assert!(shown.contains("verdict     incomplete: its dump was cut short"), "{shown}");
    assert_eq!(json(&vault(&place, &["show", &id, "--json"], b""))["verdict"], "incomplete");
    let listed = text(&run(place.keyless(&["list"]), b""));
    assert!(listed.lines().any(|line| line.starts_with(&id) && line.contains(" incomplete ")), "{listed}");
    for arguments in [&["verify", &id][..], &["verify", &id, "--read-data"]] {
        let verified = vault(&place, arguments, b"");
        assert_eq!(verified.code, Some(0), "{verified:?}");
        let told = text(&verified);
        assert!(told.contains(&format!("{id}: as it was packed, and not counted as good (")), "{told}");
        assert!(told.contains("\n  incomplete: its dump was cut short"), "{told}");
    }
    let verified = json(&vault(&place, &["verify", "--all", "--json"], b""));
    let of = |at: usize, name: &str| verified["backups"][at][name].clone();
    assert_eq!([of(0, "verdict"), of(1, "verdict")], ["complete", "incomplete"]);
    assert_eq!([of(0, "good"), of(1, "good"), of(1, "intact"), of(1, "restorable")], [true, false, true, true]);
    // It is passed over, with a word about it.
    for command in [
        place.command(&["unpack", "-q", "latest"]),
        place.command(&["show", "latest"]),
        place.keyless(&["show", "latest"]),
    ] {
        let ran = run(command, b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.err.contains(&format!("{id} is newer, and passed over")), "{ran:?}");
        let found = text(&ran);
        assert!(found.contains(&good) || found.into_bytes() == whole(50), "{ran:?}");
    }
    // Nobody can make it whole.
    let before = fs::read(place.store().join(format!("{id}.json"))).unwrap();
    refused(&vault(&place, &["accept", &id], b""), 2, "is not marked as shrunk: its verdict is incomplete");
    assert_eq!(fs::read(place.store().join(format!("{id}.json"))).unwrap(), before);
    // Nor is anything compared with it: of the last good one this is more than half.
    assert_eq!(place.ok(&["pack", "-q"], &whole(40)).lines().count(), 1);
}

#[test]
fn without_a_good_backup_latest_finds_none() {
    let place = Place::with_key();
    let (id, _) = kept(&place, &["--allow-incomplete"], &cut(5));
    refused(&vault(&place, &["unpack", "latest"], b""), 10, "whose dump is whole");
    refused(&run(place.keyless(&["show", "latest"]), b""), 10, "there is no backup");
    assert_eq!(place.unpack(&id).out, cut(5));
}

#[test]
fn a_dump_that_shrank_is_marked_and_latest_is_in_doubt_until_somebody_decides() {
    let place = Place::with_key();
    let good = place.pack(&[], &noise(1_000_000, 1));
    place.pack(&[], &noise(600_000, 2));
    let last = place.pack(&[], &noise(1_000_000, 3));
    let (id, warning) = kept(&place, &[], &noise(400_000, 4));
    let told = format!(
        "the dump has 390.6 KiB, less than half of the 992.0 KiB (rounded up) of {last}: {id} is kept, marked as shrunk"
    );
    assert!(warning.contains(&told), "{warning}");
    assert!(warning.contains(&format!("`vault accept {id}`")) && warning.contains("`--allow-shrink`"), "{warning}");
    let doubt = format!("the newest backup, {id}, is marked as shrunk; the newest good one is {last}");
    for command in [
        place.command(&["unpack", "latest"]),
        place.command(&["show", "latest"]),
        place.command(&["show", "latest", "--contents"]),
        place.command(&["verify"]),
        place.command(&["diff", &good, "latest"]),
        place.command(&["key", "check", "latest"]),
        place.keyless(&["show", "latest"]),
        place.keyless(&["verify"]),
    ] {
        let ran = run(command, b"");
        refused(&ran, 2, &doubt);
        assert!(
            ran.err.contains(&format!("vault diff {last} {id}")) && ran.err.contains(&format!("vault accept {id}")),
            "{ran:?}"
        );
    }
    assert_eq!(place.unpack(&last).out, noise(1_000_000, 3));
    let named = vault(&place, &["unpack", &id], b"");
    assert_eq!((named.code, named.out == noise(400_000, 4)), (Some(0), true));
    assert!(named.err.contains("less than half of the one before"), "{named:?}");
    let verified = vault(&place, &["verify", &id, "--read-data"], b"");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(text(&verified).contains("\n  shrunk: its dump was less than half"), "{verified:?}");
    // The same size again is no news, and no less a loss.
    let (again, warning) = kept(&place, &["--full"], &noise(400_000, 5));
    assert!(warning.contains(&format!("of {last}: {again} is kept")), "{warning}");
    let summary = json(&vault(&place, &["pack", "--json"], &noise(300_000, 6)));
    assert_eq!((&summary["verdict"], &summary["bytes"]), (&"shrunk".into(), &300_000.into()));
    assert_eq!((&summary["shrunk_from"]["id"], &summary["shrunk_from"]["size"]), (&last.into(), &1_015_808.into()));
    // Of the last good one it is enough: whatever came between.
    place.pack(&[], &noise(500_000, 7));
    assert_eq!(place.unpack("latest").out, noise(500_000, 7));
    assert_eq!(verdicts(&place)[3..], ["shrunk", "shrunk", "shrunk", "unchecked"]);
}

#[test]
fn an_accepted_backup_is_good_for_everybody() {
    let place = Place::with_key();
    place.ok(&["key", "pack-only", "-o", "host.key"], b"");
    let host = |arguments: &[&str], dump: &[u8]| {
        let arguments: Vec<&str> = ["pack", "-q", "--key-file", "host.key"].iter().chain(arguments).copied().collect();
        run(place.keyless(&arguments), dump)
    };
    let first = host(&[], &whole(4000));
    assert_eq!(first.code, Some(0), "{first:?}");
    let shrunk = host(&[], &whole(1000));
    assert_eq!(shrunk.code, Some(3), "{shrunk:?}");
    let id = text(&shrunk).trim().to_owned();
    run(place.keyless(&["accept", &id]), b"").fails("no key", 2, "there is no key");
    run(place.keyless(&["accept", &id, "--key-file", "host.key"]), b"").fails(
        "pack-only",
        12,
        "the key file `host.key`",
    );
    refused(&vault(&place, &["accept", "0000"], b""), 10, "there is no backup");
    let good = vault(&place, &["accept", text(&first).trim()], b"");
    refused(&good, 2, "is not marked as shrunk: its verdict is complete");
    let manifest = place.store().join(format!("{id}.json"));
    let before = fs::read_to_string(&manifest).unwrap();
    let others: Vec<String> = place.objects();
    let accepted = vault(&place, &["accept", &id], b"");
    assert_eq!((accepted.code, text(&accepted)), (Some(0), format!("{id} is accepted: it counts as a good backup\n")));
    // The verdict, the MAC, and nothing else.
    let after = fs::read_to_string(&manifest).unwrap();
    let without = |text: &str| text.lines().filter(|line| !line.contains("\"mac\"")).collect::<Vec<_>>().join("\n");
    assert_eq!(without(&before).replace("\"shrunk\"", "\"accepted\""), without(&after));
    assert_eq!(place.objects(), others);
    refused(&vault(&place, &["accept", &id], b""), 2, "is not marked as shrunk: its verdict is accepted");
    assert_eq!(place.unpack("latest").out, whole(1000));
    let full = vault(&place, &["verify", "--all", "--read-data"], b"");
    assert_eq!((full.code, text(&full).matches(": good (").count()), (Some(0), 2), "{full:?}");
    // The next one of this size is as good, also for who cannot authenticate the manifest.
    let next = host(&["--no-cache"], &whole(900));
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_eq!(verdicts(&place), ["complete", "accepted", "complete"]);
    // A manifest that was lost is the one that was packed.
    fs::remove_file(&manifest).unwrap();
    place.ok(&["rebuild-manifest", &id], b"");
    assert_eq!(verdicts(&place)[1], "shrunk");
    let told = json(&vault(&place, &["accept", "--json", &id], b""));
    assert_eq!((&told["message_type"], &told["verdict"]), (&"accepted".into(), &"accepted".into()));
}

#[test]
fn whoever_expects_it_says_so_before() {
    let place = Place::with_key();
    place.pack(&[], &whole(4000));
    let before = place.objects();
    let ran = vault(&place, &["pack", "--refuse-shrink"], &whole(1000));
    refused(&ran, 15, "less than half of the ");
    assert!(ran.err.contains("`--allow-shrink` packs it"), "{ran:?}");
    assert_eq!(place.objects(), before);
    assert_eq!(vault(&place, &["pack", "--refuse-shrink", "--allow-shrink"], b"x").code, Some(2));
    place.pack(&["--refuse-shrink"], &whole(3000));
    let small = place.pack(&["--allow-shrink"], &whole(1000));
    place.pack(&["--refuse-shrink"], &whole(900));
    assert_eq!(verdicts(&place), ["complete"; 4]);
    assert_eq!(place.unpack(&small).out, whole(1000));
    // Cut short is worse than small.
    let (_, warning) = kept(&place, &["--allow-incomplete", "--refuse-shrink"], &cut(10));
    assert!(warning.contains("cut short"), "{warning}");
}

#[test]
fn an_archive_of_a_dump_cut_short_is_imported_on_request() {
    let place = Place::with_key();
    secret(&place, "old", KEY);
    fs::create_dir(place.store()).unwrap();
    let import = |arguments: &[&str], dump: &[u8]| {
        let arguments: Vec<&str> =
            ["legacy", "import", "-", "--legacy-key-file", "old"].iter().chain(arguments).copied().collect();
        vault(&place, &arguments, &archive(dump))
    };
    let ran = import(&[], &cut(50));
    refused(&ran, 15, "the dump in the archive is cut short: expected `-- PostgreSQL database dump complete`");
    assert!(ran.err.contains("`vault legacy import --allow-incomplete` keeps it"), "{ran:?}");
    assert!(place.objects().is_empty());
    for arguments in [&["--allow-incomplete"][..], &["--allow-incomplete", "--stream"]] {
        let kept = import(arguments, &cut(50));
        assert_eq!(kept.code, Some(3), "{kept:?}");
        assert!(kept.err.contains("is kept, marked as incomplete for ever"), "{kept:?}");
    }
    assert_eq!(import(&["--allow-incomplete"], &whole(50)).code, Some(0));
    assert_eq!(verdicts(&place), ["incomplete", "incomplete", "complete"]);
    assert_eq!(import(&["--refuse-shrink"], &whole(5)).code, Some(15));
}
