//! Keys on paper and in shares: what is typed wrong is named, and what is typed right is the key.

mod common;
#[path = "common/python.rs"]
mod python;

use std::path::{Path, PathBuf};

use common::world::{GUID, Seeded};
use vault::base::failure::FailureClass;
use vault::crypto::keys::MasterKey;
use vault::format::keyfile::key_text;
use vault::format::paper::{ShareFields, grouped, join_share, share_text, split_share};
use vault::keys::paper::{PaperError, line, read, share_lines};
use vault::keys::ring::new_key;
use vault::pipeline::port::Random;

const LETTERS: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

fn key(seed: &str) -> MasterKey {
    let seed = Seeded::new(seed);
    new_key(GUID, &|bytes| seed.fill(bytes))
}

fn shares(key: &MasterKey, threshold: u8, count: u8) -> Vec<String> {
    let seed = Seeded::new("shares");
    let lines = share_lines(key, threshold, count, &mut |bytes| seed.fill(bytes));
    lines.iter().map(|line| line.to_string()).collect()
}

/// The groups of a sheet, without heading and numbers.
fn groups(line: &str) -> Vec<String> {
    grouped(line).split_whitespace().skip(1).filter(|word| !word.ends_with(':')).map(str::to_owned).collect()
}

fn typed(heading: &str, groups: &[String]) -> String {
    format!("{heading}\n{}\n", groups.join(" "))
}

fn fingerprints(text: &str) -> Result<Vec<String>, PaperError> {
    Ok(read(text.as_bytes())?.iter().map(|key| key.derive().pack.fingerprint.to_string()).collect())
}

fn refused(text: &str) -> String {
    match fingerprints(text) {
        Ok(_) => panic!("{text} is taken for a key"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_typed_is_the_key() {
    let key = key("mk");
    let line = line(&key);
    let right = vec![key.derive().pack.fingerprint.to_string()];
    let paper = grouped(&line);
    assert_eq!((groups(&line).len(), paper.lines().count()), (15, 5));
    let ways = [
        paper.to_string(),
        paper.to_lowercase(),
        line.to_string(),
        groups(&line).join("\n"),
        typed("vault-key-1", &groups(&line)).replace(' ', "\t \r\n"),
        format!("# a sheet\n# guid and so on\n\n{}\n\u{2588}\u{2580}\u{2584}  \u{2588}\n", *paper),
        format!("{}\n{}", *paper, "# the end"),
    ];
    for way in &ways {
        assert_eq!(fingerprints(way), Ok(right.clone()), "{way}");
    }
    assert_eq!(refused(""), "there is neither a key nor a share in it");
    assert_eq!(refused(&[&paper[..], &paper[..]].concat()), "it holds keys that do not belong together");
}

#[test]
fn the_mistyped_group_is_named() {
    for (heading, line) in
        [("VAULT-KEY-1", line(&key("mk")).to_string()), ("VAULT-SHARE-1", shares(&key("mk"), 2, 3).remove(1))]
    {
        let right = groups(&line);
        let mut tried = 0;
        // One wrong letter, wherever it is and whatever it becomes.
        for at in 0..right.len() {
            for (place, letter) in right[at].char_indices() {
                for other in LETTERS.chars().chain("BIO1?".chars()).filter(|other| *other != letter) {
                    let mut wrong = right.clone();
                    wrong[at].replace_range(place..=place, &other.to_string());
                    assert_eq!(refused(&typed(heading, &wrong)), format!("group {} is mistyped", at + 1));
                    tried += 1;
                }
            }
            // Two neighbours exchanged, a letter left out, a letter twice.
            for place in 0..right[at].len() - 1 {
                let mut letters: Vec<char> = right[at].chars().collect();
                letters.swap(place, place + 1);
                let swapped: String = letters.iter().collect();
                let doubled = format!("{}{}", &right[at][..=place], &right[at][place..]);
                let without = format!("{}{}", &right[at][..place], &right[at][place + 1..]);
                for group in [swapped, doubled, without].into_iter().filter(|group| *group != right[at]) {
                    let mut wrong = right.clone();
                    wrong[at] = group;
                    assert_eq!(refused(&typed(heading, &wrong)), format!("group {} is mistyped", at + 1));
                    tried += 1;
                }
            }
        }
        assert!(tried > 4000, "only {tried} were tried");
    }
}

#[test]
fn groups_have_their_places() {
    let line = line(&key("mk"));
    let right = groups(&line);
    let mut tried = 0;
    for left in 0..right.len() {
        for other in left + 1..right.len() {
            let mut wrong = right.clone();
            wrong.swap(left, other);
            let expected = format!("groups {}, {} are mistyped, or in another order", left + 1, other + 1);
            assert_eq!(refused(&typed("VAULT-KEY-1", &wrong)), expected);
            tried += 1;
        }
        let mut without = right.clone();
        without.remove(left);
        let said = refused(&typed("VAULT-KEY-1", &without));
        let expected = match left {
            14 => "14 groups instead of 15: the last ones are missing".to_owned(),
            _ => format!("14 groups instead of 15: look at group {} first", left + 1),
        };
        assert_eq!(said, expected);
    }
    assert_eq!(tried, 105);
    // Groups that each agree with themselves, and not with the others: another key's.
    let mut mixed = right;
    mixed[9] = groups(&vault::keys::paper::line(&key("other")))[9].clone();
    assert_eq!(
        refused(&typed("VAULT-KEY-1", &mixed)),
        "its letters do not agree with each other, though each group by itself may"
    );
    assert!(refused(key_text(&[0; 52]).as_str()).contains("epoch"), "an illegal epoch under a right checksum");
}

#[test]
fn enough_shares_give_the_key_and_fewer_do_not() {
    let key = key("mk");
    let right = vec![key.derive().pack.fingerprint.to_string()];
    for (threshold, count) in [(2_u8, 3_u8), (3, 5), (5, 5), (16, 16)] {
        let lines = shares(&key, threshold, count);
        let mut tried = 0;
        for chosen in 0_u32..1 << count.min(8) {
            let picked: String = (0..)
                .zip(&lines)
                .filter(|(at, _)| count > 8 || chosen >> at & 1 == 1)
                .map(|(_, line)| grouped(line).to_string())
                .collect();
            let found = if count > 8 { u32::from(count) } else { chosen.count_ones() };
            match found {
                0 => continue,
                found if found >= u32::from(threshold) => assert_eq!(fingerprints(&picked), Ok(right.clone())),
                found => assert_eq!(refused(&picked), format!("{found} of the {threshold} shares that the key needs")),
            }
            tried += 1;
        }
        assert!(tried >= 7);
    }
}

#[test]
fn shares_that_do_not_belong_together_are_told_apart() {
    let (ours, theirs) = (key("mk"), key("other"));
    let lines = shares(&ours, 2, 3);
    let mixed = [&lines[0][..], &shares(&theirs, 2, 3)[1]].join("\n");
    let said = refused(&mixed);
    for key in [&ours, &theirs] {
        assert!(said.contains(&key.derive().pack.fingerprint.short()), "{said}");
    }
    assert!(refused(&[&lines[0][..], &shares(&ours, 3, 3)[1]].join("\n")).contains("of which 3 are needed"));
    // Twice the same share is one; the same number and another value is a contradiction.
    assert_eq!(refused(&[&lines[0][..], &lines[0]].join("\n")), "1 of the 2 shares that the key needs");
    let seed = Seeded::new("another time");
    let again = share_lines(&ours, 2, 3, &mut |bytes| seed.fill(bytes));
    assert_eq!(refused(&[&lines[0][..], &again[0]].join("\n")), "two shares have the number 1 and are not the same");
    // Shares of two occasions have one fingerprint, and give another key.
    let said = refused(&[&lines[0][..], &again[1]].join("\n"));
    assert_eq!(said, format!("the shares give a key that is not {}", ours.derive().pack.fingerprint.short()));
    // A share that says that fewer are enough.
    let three = shares(&ours, 3, 3);
    let bytes = of_line(&three[0]);
    let fields = split_share(&bytes).expect("a share");
    let lower = share_text(&join_share(&ShareFields { threshold: 2, index: 3, ..fields }));
    assert!(refused(&[&three[1][..], lower.as_str()].join("\n")).contains("not all of one key"));
}

/// The bytes of a share line, read by hand.
fn of_line(line: &str) -> [u8; 70] {
    let letters = &line.as_bytes()["VAULT-SHARE-1".len()..line.len() - 6];
    let bits: Vec<u8> = letters
        .iter()
        .flat_map(|letter| {
            let digit = LETTERS.bytes().position(|known| known == *letter).expect("a letter") as u8;
            (0..5).rev().map(move |bit| digit >> bit & 1)
        })
        .collect();
    let bytes: Vec<u8> = bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    bytes.try_into().expect("70 bytes")
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/paper")
}

#[test]
fn both_readers_judge_sheets_alike() {
    let key = key("paper");
    let [one, two, three] = &shares(&key, 2, 3)[..] else { panic!("three shares") };
    let fingerprint = key.derive().pack.fingerprint.to_string();
    let paper = |line: &str| grouped(line).to_string();
    let whole = paper(&line(&key));
    let mut letter = groups(&line(&key));
    let other = if &letter[6][2..3] == "Q" { "P" } else { "Q" };
    letter[6].replace_range(2..3, other);
    let mut swapped = groups(&line(&key));
    swapped.swap(1, 8);
    let good = Ok(vec![fingerprint]);
    let bad = |class| Err(class);
    use FailureClass::{Damaged, Usage, WrongKey};
    let sheets = [
        ("key", whole.clone(), good.clone()),
        ("key-line", line(&key).to_string(), good.clone()),
        ("key-small", whole.to_lowercase(), good.clone()),
        ("shares-1-2", [paper(one), paper(two)].concat(), good.clone()),
        ("shares-3-1", [paper(three), paper(one)].concat(), good.clone()),
        ("shares-all", [&one[..], two, three].join("\n"), good),
        ("share-alone", paper(two), bad(Usage)),
        ("share-twice", [paper(two), paper(two)].concat(), bad(Usage)),
        ("shares-of-two-keys", [paper(one), paper(&shares(&self::key("other"), 2, 2)[1])].concat(), bad(WrongKey)),
        ("letter", typed("VAULT-KEY-1", &letter), bad(Damaged)),
        ("swapped", typed("VAULT-KEY-1", &swapped), bad(Damaged)),
        ("group-missing", typed("VAULT-KEY-1", &groups(&line(&key))[1..]), bad(Damaged)),
        ("line-letter", line(&key).replace("VAULT-KEY-1", "VAULT-KEY-1Q"), bad(Damaged)),
        ("empty", "# nothing\n".to_owned(), bad(Damaged)),
    ];
    let bless = std::env::var_os("BLESS").is_some();
    if bless {
        let _ = std::fs::remove_dir_all(directory());
        std::fs::create_dir_all(directory()).expect("made");
    }
    let mut expected = Vec::new();
    let mut command = python::command("spec/escrow.py");
    command.arg("import");
    for (name, text, judged) in &sheets {
        let path = directory().join(format!("{name}.txt"));
        if bless {
            std::fs::write(&path, text).expect("written");
        }
        assert!(std::fs::read_to_string(&path).expect("committed") == *text, "{name} is not what is made");
        assert_eq!(fingerprints(text).map_err(|error| error.class()), *judged, "{name}");
        let said = judged.as_ref().map_or_else(|class| class.name().to_owned(), |prints| prints.join(" "));
        expected.push(format!("{name}.txt: {said}"));
        command.arg(path);
    }
    assert_eq!(std::fs::read_dir(directory()).expect("a directory").count(), sheets.len());
    let output = command.output().expect("Python runs");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}
