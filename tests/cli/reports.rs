//! What list, show, verify and rebuild-manifest say, to people and to programs.

use std::fs;

use serde_json::Value;

use crate::place::{Place, Ran, noise, run};

fn json(ran: &Ran) -> Value {
    let text = if ran.out.is_empty() { ran.err.as_bytes() } else { &ran.out };
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Two backups, the second of which uses parts of the first.
fn two() -> (Place, String, String) {
    let place = Place::with_key();
    let dump = noise(500_000, 1);
    let first = place.pack(&["--tag", "host=db1"], &dump);
    let second = place.pack(&[], &[dump.as_slice(), b"more"].concat());
    (place, first, second)
}

#[test]
fn every_json_document_parses_and_has_a_version() {
    let (place, first, _) = two();
    let commands: [(&[&str], &str); 7] = [
        (&["key", "new", "--json", "--key-file", "another"], "key"),
        (&["pack", "--json", "--allow-shrink"], "summary"),
        (&["list", "--json"], "list"),
        (&["show", "latest", "--json"], "show"),
        (&["show", &first, "--objects", "--json"], "show"),
        (&["verify", "--all", "--read-data", "--json"], "verify"),
        (&["unpack", "-q", "latest", "-o", "out", "--json"], "summary"),
    ];
    let mut tried = 0;
    for (arguments, kind) in commands {
        let ran = run(place.command(arguments), b"dump");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let value = json(&ran);
        assert_eq!(value["version"], 1, "{arguments:?}");
        assert_eq!(value["message_type"], kind, "{arguments:?}");
        tried += 1;
    }
    assert_eq!(tried, 7);
}

#[test]
fn the_summary_tells_what_was_stored() {
    let place = Place::with_key();
    let dump = noise(300_000, 2);
    let told = place.ok(&["pack"], &dump);
    let id = told.lines().next().unwrap();
    assert_eq!(place.unpack(id).out, dump);
    let again = json(&run(place.command(&["pack", "--json", "--tag", "a=b=c"]), &dump));
    assert_eq!(again["bytes"], 300_000);
    assert_eq!(again["new_bytes"], 0, "the same dump was stored again");
    assert_eq!(again["seq"], 2);
    let listed = json(&run(place.command(&["list", "--json"]), b""));
    assert_eq!(listed["backups"][1]["id"], again["id"]);
    assert_eq!(listed["backups"][1]["tags"]["a"], "b=c");
    assert_eq!(listed["backups"][1]["manifest"], "verified");
}

#[test]
fn without_a_key_everything_is_marked_unverified() {
    let (place, first, second) = two();
    let listed = String::from_utf8(run(place.keyless(&["list"]), b"").out).unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains("unverified")).count(), 2, "{listed}");
    assert!(listed.contains("host=db1"), "{listed}");
    let shown = String::from_utf8(run(place.keyless(&["show", "latest"]), b"").out).unwrap();
    assert!(shown.contains(&second) && shown.contains("manifest    unverified"), "{shown}");
    let verified = run(place.keyless(&["verify", "--read-data", &first]), b"");
    let told = String::from_utf8(verified.out).unwrap();
    assert_eq!(verified.code, Some(0), "{told}");
    assert!(told.starts_with("level: SHA-256 of every object\n") && told.contains("manifest unverified"), "{told}");
    // A key of another guid is not the key of this one, and says nothing against it.
    place.ok(&["key", "new", "--key-file", "another"], b"");
    for (arguments, word) in
        [(&["list", "--key-file", "another"], "unverified"), (&["verify", "--key-file", "another"], "unverified")]
    {
        let ran = run(place.keyless(arguments), b"");
        assert_eq!(ran.code, Some(if arguments[0] == "verify" { 10 } else { 0 }), "{ran:?}");
        assert!(arguments[0] == "verify" || String::from_utf8(ran.out).unwrap().contains(word));
    }
}

#[test]
fn the_first_line_says_how_far_was_looked() {
    let (place, first, _) = two();
    let first_line = |ran: Ran| String::from_utf8(ran.out).unwrap().lines().next().unwrap().to_owned();
    let full = "level: every segment, block and chunk, and the digest of the dump";
    let cases = [
        (place.command(&["verify"]), "level: presence and size"),
        (place.keyless(&["verify"]), "level: presence and size"),
        (place.keyless(&["verify", "--all", "--read-data"]), "level: SHA-256 of every object"),
        (place.command(&["verify", "--all", "--read-data"]), full),
        (place.command(&["verify", "--read-data", &first]), full),
    ];
    let mut tried = 0;
    for (command, line) in cases {
        assert_eq!(first_line(run(command, b"")), line);
        tried += 1;
    }
    assert_eq!(tried, 5);
}

#[test]
fn show_names_every_object_to_download() {
    let (place, first, second) = two();
    let value = json(&run(place.command(&["show", &second, "--objects", "--json"]), b""));
    let objects = value["objects"].as_array().unwrap();
    let listed: Vec<(&str, &str, bool)> = objects
        .iter()
        .map(|object| {
            let text = |name: &str| object[name].as_str().unwrap();
            (text("name"), text("role"), object["needed"].as_bool().unwrap())
        })
        .collect();
    assert!(listed.contains(&(&format!("{second}.json"), "manifest", true)));
    assert!(listed.contains(&(&format!("{first}-0"), "data", true)));
    // With exactly those that are needed, and no others, the backup can be restored.
    let copy = Place::new();
    fs::create_dir(copy.store()).unwrap();
    fs::copy(place.path("key"), copy.path("key")).unwrap();
    let needed: Vec<_> = objects.iter().filter(|object| object["needed"] == true).collect();
    for object in &needed {
        let name = object["name"].as_str().unwrap();
        let bytes = fs::copy(place.store().join(name), copy.store().join(name)).unwrap();
        assert_eq!(object["bytes"], bytes);
    }
    assert!(needed.len() < objects.len() && needed.len() == 4, "{listed:?}");
    assert_eq!(copy.unpack(&second).out.len(), 500_004);
    for object in needed {
        let name = copy.store().join(object["name"].as_str().unwrap());
        let away = copy.path("away");
        fs::rename(&name, &away).unwrap();
        assert_ne!(copy.unpack(&second).code, Some(0), "{name:?} is not needed");
        fs::rename(&away, &name).unwrap();
    }
}

#[test]
fn a_lost_manifest_is_rebuilt_on_request() {
    let (place, first, second) = two();
    let name = place.store().join(format!("{second}.json"));
    let before = fs::read_to_string(&name).unwrap();
    run(place.command(&["rebuild-manifest", &second]), b"").fails(
        "it is there",
        11,
        &format!("`{second}.json` is in the store already"),
    );
    fs::remove_file(&name).unwrap();
    run(place.command(&["rebuild-manifest", &second[..40]]), b"").fails("a prefix", 2, "`");
    run(place.keyless(&["rebuild-manifest", &second]), b"").fails("no key", 2, "there is no key");
    let rebuilt = run(place.command(&["rebuild-manifest", &second]), b"");
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    assert!(
        rebuilt.err.contains("vault: warning: ") && rebuilt.err.contains("may have been deleted on purpose"),
        "{rebuilt:?}"
    );
    let after = fs::read_to_string(&name).unwrap();
    let without = |text: &str| text.lines().filter(|line| !line.contains("\"mac\"")).collect::<Vec<_>>().join("\n");
    assert_eq!(without(&before).replace("\"rebuilt\": false", "\"rebuilt\": true"), without(&after));
    assert_eq!(run(place.command(&["verify", "--all", "--read-data"]), b"").code, Some(0));
    assert_eq!(place.unpack(&second).out.len(), 500_004);
    assert_eq!(place.unpack(&first).out.len(), 500_000);
}

#[test]
fn a_manifest_is_not_rebuilt_from_parts_that_are_not_whole() {
    type Hurt = fn(&Place, &str, &str);
    let cases: [(&str, i32, Hurt); 8] = [
        ("no data part", 14, |place, _, id| fs::remove_file(place.store().join(format!("{id}-0"))).unwrap()),
        ("no catalogue part", 14, |place, _, id| fs::remove_file(place.store().join(format!("{id}-1"))).unwrap()),
        ("no index part", 14, |place, _, id| fs::remove_file(place.store().join(format!("{id}-2"))).unwrap()),
        ("no part of the base", 14, |place, base, _| fs::remove_file(place.store().join(format!("{base}-0"))).unwrap()),
        ("a flipped data part", 13, |place, _, id| flipped(place, &format!("{id}-0"))),
        ("a flipped catalogue part", 13, |place, _, id| flipped(place, &format!("{id}-1"))),
        ("a flipped index part", 13, |place, _, id| flipped(place, &format!("{id}-2"))),
        ("a part too many", 13, |place, _, id| {
            fs::copy(place.store().join(format!("{id}-2")), place.store().join(format!("{id}-3"))).map(|_| ()).unwrap();
        }),
    ];
    let mut tried = 0;
    for (case, code, hurt) in cases {
        let (place, base, id) = two();
        fs::remove_file(place.store().join(format!("{id}.json"))).unwrap();
        hurt(&place, &base, &id);
        let before = place.objects();
        run(place.command(&["rebuild-manifest", &id]), b"").fails(case, code, "`");
        assert_eq!(place.objects(), before, "{case}: something was written");
        tried += 1;
    }
    assert_eq!(tried, 8);
}

/// Turns one bit over near the end.
fn flipped(place: &Place, name: &str) {
    let path = place.store().join(name);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn help_and_wrong_words_exit_as_they_should() {
    let place = Place::new();
    let cases: [(&[&str], i32); 9] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["pack", "--help"], 0),
        (&[], 2),
        (&["unpakc"], 2),
        (&["pack", "--level", "x"], 2),
        (&["pack", "--part-size", "1GB"], 2),
        (&["pack", "--timeout", "soon"], 2),
        (&["unpack"], 2),
    ];
    let mut tried = 0;
    for (arguments, code) in cases {
        let ran = run(place.keyless(arguments), b"");
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        if code == 0 && arguments != ["--version"] {
            assert!(String::from_utf8(ran.out).unwrap().contains("EXIT STATUS"), "{arguments:?}");
        }
        tried += 1;
    }
    assert_eq!(tried, 9);
    place.ok(&["key", "new"], b"");
    run(place.command(&["pack", "--level", "20"]), b"dump").fails("level", 2, "the level is 1 to 19");
    let ran = run(place.command(&["pack", "--level", "fast"]), b"dump");
    assert!(ran.code == Some(2) && ran.err.contains("a level is 1 to 19, or auto"), "{ran:?}");
    let id = place.pack(&["--level", "auto"], &noise(300_000, 3));
    assert_eq!(place.unpack(&id).out, noise(300_000, 3));
    run(place.command(&["pack", "--part-size", "8KiB"]), b"dump").fails("part size", 2, "a part of 8192 bytes");
    run(place.command(&["pack", "--segment-size", "5000"]), b"dump").fails("segment size", 2, "a segment has");
}
