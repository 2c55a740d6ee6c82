//! Every vector of `testdata/vectors` through every reader: restore, full verification, and the independent reader in both ways.
//!
//! The class of the failure has to be the one of the vector, and no reader may release more plaintext than it says. The vectors are made
//! again and compared with the committed ones; `BLESS=1 cargo test --test vectors` writes them anew.

mod common;
#[path = "common/python.rs"]
mod python;
mod testkit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::world::Outside;
use sha2::{Digest, Sha256};
use testkit::Vector;
use testkit::container::{Opener, word};
use vault::archive::manifest::OpenManifest;
use vault::base::bytes::to_hex;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::kdf::Scope;
use vault::format::manifest::{Manifest, is_ours};
use vault::keys::age::{self, Identity};
use vault::keys::ring::Keyring;
use vault::keys::slots::{Passphrase, SlotOpener, open_age};
use vault::pipeline::error::RunError;
use vault::pipeline::port::Store;
use vault::pipeline::survey::{open_manifest, read_manifest};
use vault::pipeline::unpack::Restore;
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

const VECTORS: usize = 497;
const BYTES_MAX: usize = 3 << 20;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors")
}

fn committed() -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory()).expect("testdata/vectors is committed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
    paths.map(|path| (name(&path), std::fs::read(&path).expect("readable"))).collect()
}

#[test]
fn are_made_again_byte_for_byte() {
    let vectors = testkit::all();
    let made: BTreeMap<String, Vec<u8>> =
        vectors.iter().map(|vector| (format!("{}.vec", vector.name), vector.encode())).collect();
    assert_eq!(made.len(), vectors.len(), "two vectors have one name");
    if std::env::var_os("BLESS").is_some() {
        let _ = std::fs::remove_dir_all(directory());
        std::fs::create_dir_all(directory()).expect("made");
        for (name, bytes) in &made {
            std::fs::write(directory().join(name), bytes).expect("written");
        }
    }
    let found = committed();
    assert_eq!(made.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "the names of the vectors");
    for (name, bytes) in &made {
        assert!(found[name] == *bytes, "testdata/vectors/{name} is not what the builder makes");
    }
    assert_eq!(found.len(), VECTORS);
    assert!(found.values().map(Vec::len).sum::<usize>() < BYTES_MAX);
}

/// Opens the backup of a vector as a command does.
fn open(store: &dyn Store, id: &BackupId, opener: &Opener) -> Result<(OpenManifest, Keyring), FailureClass> {
    let class = |error: RunError| error.class();
    let ring = match opener {
        Opener::KeyFile(text) => {
            // Whether the manifest can be read at all is judged first.
            let bytes = read_manifest(store, id).map_err(class)?;
            if !is_ours(&bytes) {
                return Err(FailureClass::NotFound);
            }
            Manifest::parse(id, &bytes).map_err(|error| error.class())?;
            Keyring::from_file(text).map_err(|error| error.class())?
        }
        Opener::Passphrase(text) => {
            let bytes = read_manifest(store, id).map_err(class)?;
            let manifest = Manifest::parse(id, &bytes).map_err(|error| error.class())?.manifest;
            let text = Passphrase::new(text.clone().into()).ok_or(FailureClass::Limit)?;
            let scope = Scope { guid: id.guid, epoch: manifest.epoch };
            let key = SlotOpener::new(text).open(scope, &manifest.slots).map_err(|error| error.class())?;
            Keyring::of(&key.ok_or(FailureClass::WrongKey)?, Vec::new())
        }
        Opener::Identity(text) => {
            let bytes = read_manifest(store, id).map_err(class)?;
            let manifest = Manifest::parse(id, &bytes).map_err(|error| error.class())?.manifest;
            let text = std::str::from_utf8(text).expect("text");
            let identities: Vec<Identity> = text.lines().filter_map(Identity::parse).collect();
            let scope = Scope { guid: id.guid, epoch: manifest.epoch };
            let key = open_age(scope, &manifest.slots, &|file| age::open(&identities, file));
            Keyring::of(&key.map_err(|error| error.class())?.ok_or(FailureClass::WrongKey)?, Vec::new())
        }
    };
    let open = open_manifest(store, id, &ring).map_err(class)?;
    Ok((open, ring))
}

/// What `release` makes of the backup.
fn restore(
    outside: &Outside,
    store: &MemoryStore,
    vector: &Vector,
    release: impl FnOnce(&Restore<'_>) -> Result<(), RunError>,
) -> Result<(), FailureClass> {
    let id = vector.id.parse().expect("an id");
    let (open, ring) = open(store, &id, &vector.opener)?;
    let keys = ring.of_epoch(open.manifest.epoch).map_err(|error| error.class())?;
    let restore = Restore::prepare(&outside.world(store), &open, keys, 2).map_err(|error| error.class())?;
    release(&restore).map_err(|error| error.class())
}

fn verify(outside: &Outside, store: &MemoryStore, vector: &Vector) -> Result<(), FailureClass> {
    let id = vector.id.parse().expect("an id");
    let (open, ring) = open(store, &id, &vector.opener)?;
    let keys = ring.of_epoch(open.manifest.epoch).map_err(|error| error.class())?;
    let report = verify_full(&outside.world(store), &open, keys, 2).map_err(|error| error.class())?;
    report.findings.first().map_or(Ok(()), |finding| Err(finding.class))
}

/// What a reader did that a vector does not allow.
fn compare(reader: &str, vector: &Vector, expected: Option<FailureClass>, found: &str, wrong: &mut Vec<String>) {
    if found != word(expected) {
        wrong.push(format!("{}: {reader} says {found} instead of {}", vector.name, word(expected)));
    }
}

#[test]
fn are_read_as_they_say() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for vector in testkit::all() {
        let (outside, store) = (Outside::new("vectors"), MemoryStore::new());
        for (name, bytes) in &vector.objects {
            store.insert(name.clone(), bytes.clone());
        }
        let mut released = Vec::new();
        let found = restore(&outside, &store, &vector, |restore| restore.release(&mut released));
        compare("restore", &vector, vector.expect, word(found.err()), &mut wrong);
        if released != vector.released {
            wrong.push(format!("{}: {} bytes released", vector.name, released.len()));
        }
        let mut released = Vec::new();
        let found = restore(&outside, &store, &vector, |restore| {
            // The same, as a range that is restored alone.
            let whole = 0..restore.plain_bytes();
            restore.release_ranges(std::slice::from_ref(&whole), &mut released)
        });
        compare("a restore of a range", &vector, vector.expect, word(found.err()), &mut wrong);
        if !vector.released.starts_with(&released) || (vector.expect.is_none() && released != vector.released) {
            wrong.push(format!("{}: {} bytes released of a range", vector.name, released.len()));
        }
        let found = verify(&outside, &store, &vector);
        compare("verify", &vector, vector.verify, word(found.err()), &mut wrong);
        count += 1;
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, VECTORS);
}

#[test]
fn are_read_so_by_the_independent_reader() {
    let output = python::command("tests/testkit/read.py").arg(directory()).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|words| (words[0], words[1..].to_vec()))
        .collect();
    let mut wrong = Vec::new();
    for vector in testkit::all() {
        let Some([restored, bytes, sha256, verified]) = lines.get(vector.name.as_str()).map(Vec::as_slice) else {
            wrong.push(format!("{}: it was not read", vector.name));
            continue;
        };
        compare("decode.py", &vector, vector.expect, restored, &mut wrong);
        compare("decode.py --catalogue", &vector, vector.verify, verified, &mut wrong);
        // It looks at the whole dump before it releases a byte, so it may release less.
        let released = vector.released.get(..bytes.parse().expect("a number"));
        if released.is_none_or(|released| to_hex(&Sha256::digest(released)) != *sha256) {
            wrong.push(format!("{}: decode.py released {bytes} bytes", vector.name));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(lines.len(), VECTORS);
}
