//! age files against the vectors of others, and against Debian's `age`.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use vault::format::age::name::{IdentityName, RecipientName};
use vault::format::age::{AgeFile, armor, encode_maced};
use vault::keys::age::{AgeError, Identity, open, seal};

/// The hybrid identity and the recipient of it that the specification of age shows.
fn spec() -> (&'static str, &'static str) {
    include_str!("../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').expect("two lines")
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

/// One file of the CCTV vectors: its header, and the age file.
struct Vector {
    name: String,
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: &std::path::Path) -> Vector {
        let bytes = fs::read(path).expect("a vector");
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").expect("a header");
        let header = std::str::from_utf8(&bytes[..end]).expect("text");
        let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields: Vec<_> = header.lines().map(|line| field(line).expect("a field")).collect();
        let mut file = bytes[end + 2..].to_vec();
        if fields.contains(&("compressed".into(), "zlib".into())) {
            let mut whole = Vec::new();
            flate2::read::ZlibDecoder::new(file.as_slice()).read_to_end(&mut whole).expect("zlib");
            file = whole;
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        Vector { name, fields, file }
    }

    fn all(&self, field: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.all(field).next()
    }
}

fn vectors() -> Vec<Vector> {
    let mut paths: Vec<_> =
        fs::read_dir("testdata/age/cctv").expect("vectors").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| Vector::read(path)).collect()
}

/// What the vectors call an outcome. Armor and header are one failure of ours: bytes that are not legal.
fn outcome(opened: &Result<impl Sized, AgeError>) -> &'static str {
    match opened {
        Ok(_) => "success",
        Err(AgeError::NoMatch(_)) => "no match",
        Err(AgeError::Mac) => "HMAC failure",
        Err(AgeError::Program(what)) => panic!("nobody asked for `age`: {what}"),
        Err(AgeError::Crypto(vault::crypto::age::AgeCryptoError::Payload)) => "payload failure",
        Err(AgeError::Format(_) | AgeError::Crypto(_)) => "header failure",
    }
}

#[test]
fn the_cctv_vectors_open_or_fail_as_they_should() {
    let (mut native, mut passphrases) = (0, 0);
    for vector in vectors() {
        let name = &vector.name;
        let identities: Vec<Identity> =
            vector.all("identity").map(|text| Identity::parse(text).unwrap_or_else(|| panic!("{name}"))).collect();
        let opened = open(&identities, &vector.file);
        if vector.get("passphrase").is_some() {
            // A passphrase of age's is left to `age`; beside another recipient it is not even legal.
            let expected: &[&str] = if name == "scrypt_and_x25519" || name == "scrypt_double" {
                &["header failure"]
            } else {
                &["no match", "header failure"]
            };
            assert!(expected.contains(&outcome(&opened)), "{name}: {}", outcome(&opened));
            passphrases += 1;
            continue;
        }
        let expected = match vector.get("expect").expect("an outcome") {
            "armor failure" => "header failure",
            other => other,
        };
        assert_eq!(outcome(&opened), expected, "{name}");
        if let Ok(plain) = opened {
            use sha2::Digest;
            let digest: [u8; 32] = sha2::Sha256::digest(plain.as_slice()).into();
            assert_eq!(vector.get("payload"), Some(vault::base::bytes::to_hex(&digest).as_str()), "{name}");
        }
        native += 1;
    }
    assert_eq!((native, passphrases), (117, 26));
}

#[test]
fn what_can_be_parsed_is_written_the_same_way() {
    let (mut headers, mut armors) = (0, 0);
    for vector in vectors() {
        let name = &vector.name;
        let mut binary = vector.file.clone();
        if vector.get("armored").is_some() {
            let Ok(decoded) = armor::decode(&vector.file) else { continue };
            let text = String::from_utf8(vector.file.clone()).expect("text").replace('\r', "");
            assert_eq!(armor::encode(&decoded).trim(), text.trim(), "{name}");
            armors += 1;
            binary = decoded;
        }
        if let Ok(file) = AgeFile::parse(&binary) {
            assert_eq!(encode_maced(&file.stanzas), file.maced, "{name}");
            headers += 1;
        }
    }
    assert_eq!((headers, armors), (93, 11));
}

#[test]
fn the_example_of_the_specification_opens() {
    let (identity, recipient) = spec();
    let recipient = RecipientName::parse(recipient).expect("a recipient");
    assert!(matches!(recipient, RecipientName::Hybrid(_)));
    let sealed = seal(&recipient, b"a key", &fill).expect("seals");
    let opened = open(&[Identity::parse(identity).expect("an identity")], sealed.as_bytes()).expect("opens");
    assert_eq!(opened.as_slice(), b"a key");
    let another = Identity::parse("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
    let refused = open(&[another.expect("an identity")], sealed.as_bytes()).expect_err("is for another one");
    assert_eq!(refused.to_string(), "no identity opens the age file, which is sealed to mlkem768x25519");
}

#[test]
fn names_have_one_spelling() {
    let (identity, hybrid) = spec();
    let x25519 = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    assert!(matches!(RecipientName::parse(x25519), Some(RecipientName::X25519(_))));
    let changed = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'q' { b'p' } else { b'q' };
        String::from_utf8(bytes).expect("text")
    };
    for at in [4, 20, x25519.len() - 1] {
        assert_eq!(RecipientName::parse(&changed(x25519, at)), None, "{at}");
    }
    for at in [7, 1000, hybrid.len() - 1] {
        assert_eq!(RecipientName::parse(&changed(hybrid, at)), None, "{at}");
    }
    let refused =
        [&x25519.to_uppercase(), &hybrid.to_uppercase(), &x25519[..61], &format!("{x25519}q"), "age1", "", identity];
    for text in refused {
        assert_eq!(RecipientName::parse(text), None, "{text}");
    }
    for text in [&identity.to_lowercase(), &identity[..identity.len() - 1], x25519, "AGE-SECRET-KEY-1", ""] {
        assert!(IdentityName::parse(text).is_none(), "{text}");
    }
}

/// Runs a program of Debian's package `age` with that input.
fn age(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("Debian's package `age` is needed: {program}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        // It writes before it has read everything.
        scope.spawn(move || stdin.write_all(input).expect("it reads"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn debians_age_opens_ours_and_we_open_its() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("identity");
    let path = path.to_str().expect("text");
    age("age-keygen", &["-o", path], b"");
    let file = fs::read_to_string(path).expect("an identity");
    let recipient = file.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a recipient");
    let identity = file.lines().find_map(Identity::parse).expect("an identity");
    for length in [0, 1, 68, 65_535, 65_536, 65_537, 200_000] {
        let plain: Vec<u8> = (0..length).map(|at: usize| (at * 7) as u8).collect();
        let ours = seal(&RecipientName::parse(recipient).expect("a recipient"), &plain, &fill).expect("seals");
        assert_eq!(age("age", &["-d", "-i", path], ours.as_bytes()), plain, "{length}");
        for armor in [&["-r", recipient][..], &["-a", "-r", recipient]] {
            let theirs = age("age", armor, &plain);
            assert_eq!(open(std::slice::from_ref(&identity), &theirs).expect("opens").as_slice(), plain, "{length}");
        }
    }
}
