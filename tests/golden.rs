//! Complete small backups that every later version has to read: `testdata/golden`, one directory each.
//!
//! They are made from fixed randomness under a fixed clock, so the ordinary run makes them again and compares byte for byte. After a
//! change of the format that is meant, `BLESS=1 cargo test --test golden` writes them anew; from v1.0.0 on it is not meant.

mod common;
#[path = "golden/make.rs"]
mod make;
#[path = "common/python.rs"]
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::world::Outside;
use make::{Files, Opener};
use sha2::{Digest, Sha256};
use vault::archive::manifest::OpenManifest;
use vault::base::bytes::to_hex;
use vault::base::id::BackupId;
use vault::format::manifest::Manifest;
use vault::keys::ring::Keyring;
use vault::keys::slots::{Passphrase, SlotOpener};
use vault::pipeline::port::Store;
use vault::pipeline::survey::{open_manifest, read_manifest};
use vault::pipeline::unpack::Restore;
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

const FILES: usize = 118;
const BACKUPS: usize = 11;
const BYTES_MAX: usize = 2 << 20;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden")
}

fn committed() -> Files {
    let mut files = Files::new();
    let mut todo = vec![directory()];
    while let Some(place) = todo.pop() {
        for entry in std::fs::read_dir(&place).expect("testdata/golden is committed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(directory()).expect("below it").to_str().expect("UTF-8");
                files.insert(name.to_owned(), std::fs::read(&path).expect("readable"));
            }
        }
    }
    files
}

#[test]
fn are_made_again_byte_for_byte() {
    let made = make::all();
    if std::env::var_os("BLESS").is_some() {
        let _ = std::fs::remove_dir_all(directory());
        for (name, bytes) in &made {
            let path = directory().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
    }
    let found = committed();
    assert_eq!(made.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "the names of golden files");
    for (name, bytes) in &made {
        assert!(found[name] == *bytes, "testdata/golden/{name} is not what this version writes");
    }
    assert_eq!(found.len(), FILES);
    assert!(found.values().map(Vec::len).sum::<usize>() < BYTES_MAX);
}

/// What a golden directory says: its store, how it opens, and what has to come out.
struct Golden {
    name: String,
    store: MemoryStore,
    openers: Vec<(String, Opener)>,
    expected: Vec<(BackupId, u64, String)>,
}

fn goldens() -> Vec<Golden> {
    let mut by_name: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for (path, bytes) in committed() {
        let (name, rest) = path.split_once('/').expect("a directory");
        by_name.entry(name.into()).or_default().push((rest.into(), bytes));
    }
    by_name.into_iter().map(|(name, files)| golden(name, files)).collect()
}

fn golden(name: String, files: Vec<(String, Vec<u8>)>) -> Golden {
    let mut golden = Golden { name, store: MemoryStore::new(), openers: Vec::new(), expected: Vec::new() };
    for (file, bytes) in files {
        if let Some(object) = file.strip_prefix("store/") {
            golden.store.insert(object, bytes);
        } else if file == "expect.json" {
            golden.expected = expected(&bytes);
        } else if file.starts_with("passphrase") {
            golden.openers.push((file, Opener::Passphrase(bytes)));
        } else {
            golden.openers.push((file, Opener::KeyFile(bytes)));
        }
    }
    golden
}

fn expected(text: &[u8]) -> Vec<(BackupId, u64, String)> {
    let json: serde_json::Value = serde_json::from_slice(text).expect("JSON");
    let entry = |(id, dump): (&String, &serde_json::Value)| {
        let bytes = dump["bytes"].as_u64().expect("a number");
        (id.parse().expect("an id"), bytes, dump["sha256"].as_str().expect("hex").into())
    };
    json.as_object().expect("an object").iter().map(entry).collect()
}

fn open(store: &dyn Store, id: &BackupId, opener: &Opener) -> (OpenManifest, Keyring) {
    let ring = match opener {
        Opener::KeyFile(text) => Keyring::from_file(text).expect("a key file"),
        Opener::Passphrase(text) => {
            let text = Passphrase::new(text.clone().into()).expect("a passphrase");
            let bytes = read_manifest(store, id).expect("a manifest");
            let manifest = Manifest::parse(id, &bytes).expect("legal").manifest;
            let scope = vault::crypto::kdf::Scope { guid: id.guid, epoch: manifest.epoch };
            let key = SlotOpener::new(text).open(scope, &manifest.slots).expect("legal slots");
            Keyring::of(&key.expect("one of them opens"), Vec::new())
        }
    };
    (open_manifest(store, id, &ring).expect("opens"), ring)
}

#[test]
fn unpack_and_verify() {
    let mut count = 0;
    for golden in goldens() {
        let outside = Outside::new("golden");
        for (file, opener) in &golden.openers {
            for (id, bytes, sha256) in &golden.expected {
                let (open, ring) = open(&golden.store, id, opener);
                let keys = ring.of_epoch(open.manifest.epoch).expect("the key of its epoch");
                let world = outside.world(&golden.store);
                let mut dump = Vec::new();
                let restore = Restore::prepare(&world, &open, keys, 2).expect("everything is there");
                restore.release(&mut dump).expect("unpacks");
                let found = (dump.len() as u64, to_hex(&Sha256::digest(&dump)));
                assert_eq!(found, (*bytes, sha256.clone()), "{} with {file}: {id}", golden.name);
                let report = verify_full(&world, &open, keys, 2).expect("verifies");
                assert_eq!(report.findings, [], "{} with {file}: {id}", golden.name);
                count += 1;
            }
        }
    }
    assert_eq!(count, BACKUPS);
}

#[test]
fn are_read_by_the_independent_reader() {
    let mut count = 0;
    for golden in goldens() {
        let place = tempfile::tempdir().expect("a directory");
        let store = place.path().join("store");
        python::lay_out(&store, &golden.store.snapshot());
        for (file, opener) in &golden.openers {
            let key = place.path().join(file);
            let (option, text) = match opener {
                Opener::KeyFile(text) => ("--key-file", text),
                Opener::Passphrase(text) => ("--passphrase-file", text),
            };
            python::write_secret(&key, text);
            for (id, bytes, sha256) in &golden.expected {
                let run = |extra: &[&str]| {
                    let mut command = python::command("spec/decode.py");
                    command.arg(&store).arg(id.to_string()).arg(option).arg(&key).args(extra);
                    let output = command.output().expect("Python runs");
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(output.status.success() && said.is_empty(), "{} {id} {extra:?}: {said}", golden.name);
                    output.stdout
                };
                let dump = run(&[]);
                let found = (dump.len() as u64, to_hex(&Sha256::digest(&dump)));
                assert_eq!(found, (*bytes, sha256.clone()), "{}: {id}", golden.name);
                assert_eq!(run(&["--catalogue"]), b"", "{}: {id}", golden.name);
                count += 1;
            }
        }
    }
    assert_eq!(count, BACKUPS);
}
