//! Parts and manifests that are not what they were: no command takes them for good, and no consumer sees a clean end.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::place::{Place, names, noise, run};

/// Two backups of one guid that have nothing in common, of which the first is hit.
struct Hit {
    place: Place,
    id: String,
    other: String,
}

const DUMP_BYTES: usize = 700_000;

fn hit() -> Hit {
    let place = Place::with_key();
    let id = place.pack(&["--part-size", "256KiB"], &noise(DUMP_BYTES, 1));
    let other = place.pack(&["--part-size", "256KiB", "--full"], &noise(DUMP_BYTES, 2));
    copy(&place.store(), &place.path("good"));
    Hit { place, id, other }
}

/// Replaces a directory by a copy of another.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

impl Hit {
    /// Everything as it was.
    fn mend(&self) {
        copy(&self.place.path("good"), &self.place.store());
    }

    /// Indices and roles of the parts of a backup. How many there are depends on the key, which cuts.
    fn parts(&self, id: &str) -> Vec<(u64, String)> {
        let text = fs::read(self.place.path("good").join(format!("{id}.json"))).unwrap();
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        let parts = manifest["parts"].as_array().unwrap();
        let parts = (0..).zip(parts).map(|(index, part)| (index, part["role"].as_str().unwrap().to_owned()));
        parts.collect()
    }

    fn object(&self, name: &str) -> PathBuf {
        self.place.store().join(name)
    }

    fn part(&self, index: u64) -> PathBuf {
        self.object(&format!("{}-{index}", self.id))
    }

    fn manifest(&self) -> PathBuf {
        self.object(&format!("{}.json", self.id))
    }

    fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.manifest()).unwrap();
        let changed = change(text.clone());
        assert_ne!(changed, text, "the edit changed nothing");
        fs::write(self.manifest(), changed).unwrap();
    }

    fn change(&self, index: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.part(index)).unwrap();
        change(&mut bytes);
        fs::write(self.part(index), bytes).unwrap();
    }

    /// Turns one bit over in the middle, where there is content and no padding.
    fn flip(&self, index: u64) {
        self.change(index, |bytes| {
            let middle = 256 + (bytes.len() - 256) / 2;
            bytes[middle] ^= 1;
        });
    }

    /// The part of the other backup that has this one's role.
    fn swap(&self, index: u64) {
        let role = &self.parts(&self.id)[index as usize].1;
        let parts = self.parts(&self.other);
        let (of_other, _) = parts.iter().find(|(_, of)| of == role).unwrap();
        fs::copy(self.object(&format!("{}-{of_other}", self.other)), self.part(index)).unwrap();
    }
}

#[test]
fn a_damaged_part_is_never_released_as_a_whole_dump() {
    type Change = fn(&Hit, u64);
    let changes: [(&str, i32, Change); 7] = [
        ("missing", 14, |hit, index| fs::remove_file(hit.part(index)).unwrap()),
        ("renamed", 14, |hit, index| fs::rename(hit.part(index), hit.part(99)).unwrap()),
        ("cut", 13, |hit, index| hit.change(index, |bytes| bytes.truncate(bytes.len() - 1))),
        ("extended", 13, |hit, index| hit.change(index, |bytes| bytes.push(0))),
        ("flipped in the header", 13, |hit, index| hit.change(index, |bytes| bytes[100] ^= 1)),
        ("flipped in the middle", 13, Hit::flip),
        ("swapped with another backup's", 13, Hit::swap),
    ];
    let hit = hit();
    let parts = hit.parts(&hit.id);
    assert!(parts.len() >= 5, "{parts:?}");
    let mut tried = 0;
    for (name, code, change) in changes {
        for (index, role) in &parts {
            hit.mend();
            change(&hit, *index);
            check_hit(&hit, &format!("{role} part {index} {name}"), code, role == "catalogue");
            tried += 1;
        }
    }
    assert_eq!(tried, 7 * parts.len());
}

/// What commands say of the backup that was hit. A restore does not need a catalogue.
fn check_hit(hit: &Hit, case: &str, code: i32, is_catalogue: bool) {
    let unpacked = hit.place.unpack(&hit.id);
    if is_catalogue {
        assert_eq!(unpacked.code, Some(0), "{case}");
        assert_eq!(unpacked.out, noise(DUMP_BYTES, 1), "{case}");
    } else {
        unpacked.fails(case, code, "`");
        assert!(noise(DUMP_BYTES, 1).starts_with(&unpacked.out), "{case}: wrong bytes were released");
        assert!(unpacked.out.len() < DUMP_BYTES, "{case}: all was released");
    }
    let verified = run(hit.place.command(&["verify", "--read-data", &hit.id]), b"");
    let told = String::from_utf8(verified.out).unwrap();
    assert_eq!(verified.code, Some(code), "{case}: {told}");
    assert!(told.starts_with("level: every segment") && told.contains("BAD"), "{case}: {told}");
    assert_eq!(told.contains("none of which hinders a restore"), is_catalogue, "{case}: {told}");
    // The other backup has nothing to do with it.
    assert_eq!(hit.place.unpack(&hit.other).code, Some(0), "{case}");
}

/// Nobody needs the padding for a restore, and it is still not to be changed.
#[test]
fn damage_in_the_padding_is_found() {
    let hit = hit();
    let mut tried = 0;
    for (index, role) in hit.parts(&hit.id) {
        hit.mend();
        hit.change(index, |bytes| {
            let last = bytes.len() - 20;
            bytes[last] ^= 1;
        });
        let verified = run(hit.place.keyless(&["verify", "--read-data", &hit.id]), b"");
        assert_eq!(verified.code, Some(13), "{role} part {index}");
        let unpacked = hit.place.unpack(&hit.id);
        let dump = noise(DUMP_BYTES, 1);
        assert!(unpacked.code == Some(13) || (unpacked.code, &unpacked.out) == (Some(0), &dump), "{role} part {index}");
        tried += 1;
    }
    assert!(tried >= 5, "{tried}");
}

#[test]
fn a_changed_manifest_is_refused() {
    type Change = fn(String) -> String;
    let changes: [(&str, i32, &str, Change); 9] = [
        ("edited", 13, "the manifest of", |text| text.replace("\"unchecked\"", "\"complete\"")),
        ("cut", 13, "`", |text| text[..text.len() - 10].to_owned()),
        ("cut in the middle", 13, "`", |text| text[..text.len() / 2].to_owned()),
        ("re-ordered", 13, "`", |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|line| line.contains("\"kind\"")).unwrap();
            lines.swap(at, at + 1);
            lines.join("\n") + "\n"
        }),
        ("with a member twice", 13, "`", |text| text.replacen("  \"seq\"", "  \"seq\": 1,\n  \"seq\"", 1)),
        ("with something after it", 13, "`", |text| text + " "),
        ("of a future version", 18, "`", |text| text.replace("\"version\": 1", "\"version\": 2")),
        ("of an unknown feature", 18, "`", |text| text.replace("\"features\": []", "\"features\": [\"magic\"]")),
        ("of another id", 13, "`", |text| text.replace("\"seq\": 1", "\"seq\": 0")),
    ];
    let hit = hit();
    let mut tried = 0;
    for (name, code, error, change) in changes {
        hit.mend();
        hit.edit(change);
        let unpacked = hit.place.unpack(&hit.id);
        unpacked.fails(name, code, error);
        assert!(unpacked.out.is_empty(), "{name}");
        let verified = run(hit.place.command(&["verify", &hit.id]), b"");
        assert_eq!(verified.code, Some(code), "{name}: {verified:?}");
        let listed = run(hit.place.command(&["list"]), b"");
        assert_eq!(listed.code, Some(3), "{name}: {listed:?}");
        assert!(String::from_utf8(listed.out).unwrap().contains("damaged"), "{name}");
        assert!(listed.err.starts_with("vault: warning: "), "{name}: {}", listed.err);
        tried += 1;
    }
    assert_eq!(tried, 9);
}

/// A newest manifest that does not verify is not passed over: older is not what was asked for.
#[test]
fn latest_does_not_fall_back_silently() {
    let hit = hit();
    let name = hit.object(&format!("{}.json", hit.other));
    let text = fs::read_to_string(&name).unwrap();
    fs::write(&name, text.replace("\"unchecked\"", "\"complete\"")).unwrap();
    hit.place.unpack("latest").fails("latest", 13, &format!("the manifest of {} does not authenticate", hit.other));
}

#[test]
fn a_consumer_sees_no_clean_end_of_a_damaged_dump() {
    let hit = hit();
    let parts = hit.parts(&hit.id);
    let (last, _) = parts.iter().rfind(|(_, role)| role == "data").unwrap();
    hit.flip(*last);
    let consume = ["unpack", &hit.id, "--", "sh", "-c", "cat > got; echo done > marker"];
    run(hit.place.command(&consume), b"").fails("a consumer", 13, "`");
    assert!(!hit.place.path("marker").exists(), "the consumer took the damage for the end");
    // With --check-first it is not even started. Without, it may have been killed before it came to anything.
    let _ = fs::remove_file(hit.place.path("got"));
    let consume = ["unpack", &hit.id, "--check-first", "--", "sh", "-c", "cat > got; echo done > marker"];
    run(hit.place.command(&consume), b"").fails("--check-first", 13, "`");
    assert!(!hit.place.path("got").exists() && !hit.place.path("marker").exists());
    // A file does not appear.
    run(hit.place.command(&["unpack", &hit.id, "-o", "out"]), b"").fails("a file", 13, "`");
    assert!(!hit.place.path("out").exists());
    let left: Vec<String> = names(hit.place.dir.path());
    assert!(left.iter().all(|name| !name.ends_with(".tmp")), "{left:?}");
}
