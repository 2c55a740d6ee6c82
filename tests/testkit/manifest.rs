//! The manifest: every row of "What a reader refuses" (spec/manifest.md). All but the last few carry a MAC that verifies.

use vault::base::bytes::to_hex;
use vault::base::failure::FailureClass::{self, Damaged, Limit, NotFound};
use vault::format::json::to_base64;

use super::List;
use super::build::{Kit, Stage, master};
use super::index::replace;
use super::named;

pub fn vectors(list: &mut List) {
    bytes(list);
    table(list);
    values(list);
    chain(list);
    named::vectors(list);
    limits(list);
    macs(list);
}

/// Changes the text under the MAC.
fn text(kit: &mut Kit, change: impl Fn(&mut Vec<u8>) + 'static) {
    kit.at(move |stage| {
        if let Stage::Text(text) = stage {
            change(text);
        }
    });
}

fn file(kit: &mut Kit, change: impl Fn(&mut Vec<u8>) + 'static) {
    kit.at(move |stage| {
        if let Stage::File(file) = stage {
            change(file);
        }
    });
}

/// Replaces text in the manifest and in both drafts, so that they agree.
pub fn everywhere(kit: &mut Kit, from: &str, to: &str) {
    let (from, to) = (from.to_owned(), to.to_owned());
    kit.at(move |stage| match stage {
        Stage::Index(index) => replace(&mut index.draft, &from, &to),
        Stage::Catalogue(catalogue) => replace(&mut catalogue.draft, &from, &to),
        Stage::Text(text) => replace(text, &from, &to),
        _ => {}
    });
}

/// The rows of `manifest.table`.
fn table(list: &mut List) {
    let mut drafts_agree = false;
    let lines = include_str!("manifest.table").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(place) = line.strip_prefix('[') {
            drafts_agree = place.starts_with("everywhere");
            continue;
        }
        let fields: Vec<&'static str> = line.splitn(5, " ~ ").collect();
        let [name, class, comment, from, to] = fields[..] else { panic!("{line}") };
        let class = FailureClass::from_name(class).expect("a failure class");
        let [from, to] = [from, to].map(|text| text.replace('⏎', "\n"));
        list.refused(name, class, comment, &|kit| {
            if drafts_agree {
                everywhere(kit, &from, &to);
            } else {
                let (from, to) = (from.clone(), to.clone());
                text(kit, move |text| replace(text, &from, &to));
            }
        });
    }
}

fn bytes(list: &mut List) {
    list.refused("byte-order-mark", Damaged, "a byte order mark", &|kit| {
        text(kit, |text| drop(text.splice(0..0, *b"\xef\xbb\xbf")))
    });
    list.refused("not-utf-8", Damaged, "a byte of the tool's name is not UTF-8", &|kit| {
        text(kit, |text| {
            replace(text, "testkit", "testki~");
            let at = text.iter().position(|byte| *byte == b'~').expect("it is there");
            text[at] = 0xff;
        })
    });
    list.refused("trailing-byte", Damaged, "a line end after the end", &|kit| file(kit, |file| file.push(b'\n')));
    list.refused("trailing-zero", Damaged, "a zero byte after the end", &|kit| file(kit, |file| file.push(0)));
    list.refused("no-line-end", Damaged, "the last line end is missing", &|kit| {
        file(kit, |file| {
            let _ = file.pop();
        })
    });
    list.refused("suffix-missing", Damaged, "the file ends without a MAC", &|kit| {
        file(kit, |file| {
            file.truncate(file.len() - 80);
            file.extend_from_slice(b"\n}\n");
        })
    });
    list.refused("suffix-spaces", Damaged, "the MAC stands behind two spaces", &|kit| {
        file(kit, |file| replace(file, "\"mac\": \"", "\"mac\":  \""))
    });
    list.refused("suffix-upper-case", Damaged, "the MAC is in upper case", &|kit| {
        file(kit, |file| {
            let end = file.len() - 4;
            file[end - 64..end].make_ascii_uppercase();
        })
    });
    list.refused("cut", Damaged, "the file is cut in the middle", &|kit| {
        file(kit, |file| file.truncate(file.len() / 2))
    });
    list.refused("array", NotFound, "the file is a JSON array", &|kit| file(kit, |file| *file = b"[1, 2]\n".to_vec()));
    list.refused("not-json", NotFound, "the file is not JSON, and does not begin as vault's do", &|kit| {
        file(kit, |file| *file = b"backup of 2019, do not delete\n".to_vec())
    });
    list.refused("empty", NotFound, "the file is empty", &|kit| file(kit, Vec::clear));
    list.refused("format-missing", NotFound, "the file is JSON without a format", &|kit| {
        text(kit, |text| replace(text, "  \"format\": \"vault\",\n", ""))
    });
    list.refused("format-other", NotFound, "the file is JSON of another format", &|kit| {
        text(kit, |text| replace(text, "\"vault\"", "\"vault-prune\""))
    });
    list.refused("none", NotFound, "there is no manifest", &|kit| {
        kit.at(|stage| {
            if let Stage::Store(objects) = stage {
                objects.retain(|name, _| !name.ends_with(".json"));
            }
        });
    });
}

fn values(list: &mut List) {
    list.refused("control-delete", Damaged, "a delete character in the tool's name", &|kit| {
        everywhere(kit, "testkit", "test\x7fkit")
    });
    list.refused("control-c1", Damaged, "a character of U+0080 to U+009F in the tool's name", &|kit| {
        everywhere(kit, "testkit", "test\u{85}kit")
    });
    list.refused("fingerprint-upper-case", Damaged, "a fingerprint in upper case", &|kit| {
        let digits = to_hex(&master(1).derive().pack.fingerprint.0);
        everywhere(kit, &digits, &digits.to_uppercase())
    });
    list.refused("sealed-key-url", Damaged, "base64 in the alphabet for URLs", &|kit| {
        let mut sealed_key = String::new();
        kit.at(move |stage| match stage {
            Stage::Sealed(sealed) => sealed_key = to_base64(*sealed),
            Stage::Index(index) => url(&mut index.draft, &sealed_key),
            Stage::Catalogue(catalogue) => url(&mut catalogue.draft, &sealed_key),
            Stage::Text(text) => url(text, &sealed_key),
            _ => {}
        });
    });
    list.refused("sealed-key-not-canonical", Damaged, "base64 whose spare bits are not zero", &|kit| {
        // The key ends in two zero bits, so the last character is one of sixteen; the next one decodes to the same bytes.
        let ends: [(&str, &str); 16] = [
            ("A", "B"),
            ("E", "F"),
            ("I", "J"),
            ("M", "N"),
            ("Q", "R"),
            ("U", "V"),
            ("Y", "Z"),
            ("c", "d"),
            ("g", "h"),
            ("k", "l"),
            ("o", "p"),
            ("s", "t"),
            ("w", "x"),
            ("0", "1"),
            ("4", "5"),
            ("8", "9"),
        ];
        let change = move |text: &mut Vec<u8>| {
            let old = String::from_utf8(text.clone()).expect("text");
            let (from, to) = ends
                .iter()
                .find(|(from, _)| old.contains(&format!("{from}=\",\n  \"generation\"")))
                .expect("one of them");
            replace(text, &format!("{from}=\",\n  \"generation\""), &format!("{to}=\",\n  \"generation\""));
        };
        kit.at(move |stage| match stage {
            Stage::Index(index) => change(&mut index.draft),
            Stage::Catalogue(catalogue) => change(&mut catalogue.draft),
            Stage::Text(text) => change(text),
            _ => {}
        });
    });
}

fn url(text: &mut Vec<u8>, standard: &str) {
    let url = standard.replace('+', "-").replace('/', "_");
    assert_ne!(url, standard);
    replace(text, standard, &url);
}

const ID: &str = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd";
const SHA256: &str = "\"sha256\": \"00000000000000000000000000000000000000000000000000000000000000ff\"";

fn chain(list: &mut List) {
    let cases = [
        ("seq-0", "seq 0", 0, None),
        ("seq-without-prev", "seq 2 without prev", 2, None),
        ("seq-1-with-prev", "seq 1 with prev", 1, Some((ID, 1_769_000_000_000_u64, 1_u64))),
        ("seq-gap", "seq 3 after 1", 3, Some((ID, 1_769_000_000_000, 1))),
        ("prev-seq-0", "a prev of seq 0", 1, Some((ID, 1_769_000_000_000, 0))),
        ("prev-later", "a prev of the same time", 2, Some((ID, 1_770_000_000_000, 1))),
        (
            "prev-guid",
            "a prev of another guid",
            2,
            Some(("3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cc", 1_769_000_000_000, 1)),
        ),
    ];
    for (name, comment, seq, prev) in cases {
        let prev = prev.map_or("null".to_owned(), |(guid, time, seq)| {
            format!("{{\"id\": \"{guid}-{time}\", \"seq\": {seq}, {SHA256}}}")
        });
        list.refused(name, Damaged, comment, &|kit| {
            everywhere(kit, "\"seq\": 1,\n  \"prev\": null", &format!("\"seq\": {seq},\n  \"prev\": {prev}"))
        });
    }
}

fn limits(list: &mut List) {
    list.refused("over-16-mib", Limit, "a file of 16 MiB + 1 byte, most of it white space", &|kit| {
        text(kit, |text| {
            let missing = (16 << 20) + 1 - 80 - text.len();
            text.splice(1..1, std::iter::repeat_n(b'\n', missing));
            replace_head(text);
        })
    });
    list.refused("tags-33", Limit, "33 tags", &|kit| {
        kit.tags = (0..33).map(|number| (format!("tag{number}"), String::new())).collect();
    });
    list.refused("tag-name-65", Limit, "a tag with a name of 65 bytes", &|kit| {
        kit.tags = vec![("é".repeat(32) + "x", String::new())];
    });
    list.refused("tag-257", Limit, "a tag of 257 bytes", &|kit| kit.tags = vec![("a".into(), "é".repeat(128) + "x")]);
    list.refused("tool-65", Limit, "a tool of 65 bytes", &|kit| everywhere(kit, "testkit", &("é".repeat(32) + "x")));
}

/// Keeps `format` within the first 64 bytes: the white space goes behind it.
fn replace_head(text: &mut Vec<u8>) {
    let at = text.windows(18).position(|window| window == b"  \"format\": \"vault").expect("it is there");
    let gap = text.drain(1..at).collect::<Vec<u8>>();
    let after = text.iter().position(|byte| *byte == b',').expect("a member follows") + 1;
    text.splice(after..after, gap);
}

fn macs(list: &mut List) {
    list.refused("mac", Damaged, "a bit of the MAC is another", &|kit| {
        kit.at(|stage| {
            if let Stage::Mac(mac) = stage {
                mac[0] ^= 1;
            }
        });
    });
    list.refused("mac-of-another", Damaged, "the MAC is that of another backup's key", &|kit| {
        let other = Kit { seed: "another".into(), ..Kit::small() }.build();
        let file = &other.objects[&other.id.manifest_name()];
        let digits = String::from_utf8(file[file.len() - 68..file.len() - 4].to_vec()).expect("digits");
        let theirs: [u8; 32] = vault::base::bytes::from_hex(&digits).expect("hexadecimal");
        kit.at(move |stage| {
            if let Stage::Mac(mac) = stage {
                **mac = theirs;
            }
        });
    });
    list.refused("mac-verdict", Damaged, "the verdict was changed after the MAC was made", &|kit| {
        file(kit, |file| replace(file, "\"unchecked\"", "\"complete\""))
    });
    list.refused("mac-white-space", Damaged, "white space was changed after the MAC was made", &|kit| {
        file(kit, |file| replace(file, "\"version\": 1", "\"version\":  1"))
    });
}
