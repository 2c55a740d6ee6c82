//! `kill -9` at 300 moments of a pack: every earlier backup stays whole, and no half one is listed.
//!
//! Most moments are spread over the run as it was measured. The rarest ones are waited for: the test watches the store and kills when the
//! first part stands, or when the manifest has its temporary name and not yet its own.

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::world::{Outside, noise};
use vault::base::id::BackupId;
use vault::keys::ring::Keyring;
use vault::pipeline::survey::{Survey, open_manifest};
use vault::pipeline::verify::verify_full;
use vault::store::local::LocalStore;

const KILLS: usize = 300;
const AFTER_FIRST_PART: usize = 50;
const BEFORE_RENAME: usize = 10;

/// How far a killed run had come, by what it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// No part stood.
    Nowhere,
    /// Between the first part and the manifest.
    Parts,
    /// The manifest was written and not renamed.
    Manifest,
    /// The backup stands.
    Whole,
}

struct Place {
    folder: tempfile::TempDir,
    dump: PathBuf,
    ring: Keyring,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dump = folder.path().join("dump");
        std::fs::write(&dump, noise("crash", 3 << 20)).expect("a dump is written");
        let at = |name: &str| folder.path().join(name);
        let made =
            Command::new(env!("CARGO_BIN_EXE_vault")).args(["key", "new", "-q", "--key-file"]).arg(at("key")).output();
        assert!(made.expect("vault runs").status.success());
        let ring = Keyring::from_file(&std::fs::read(at("key")).expect("a key file")).expect("a key");
        Place { dump, ring, folder }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Packs the dump behind some bytes that no run had before, so that every run has something to store.
    fn start(&self, run: usize) -> Child {
        let mut input = noise(&format!("run {run}"), 300_000);
        input.extend(std::fs::read(&self.dump).expect("the dump"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_vault"))
            .args(["pack", "--part-size", "256KiB", "--full", "--store"])
            .arg(self.store())
            .arg("--key-file")
            .arg(self.folder.path().join("key"))
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("vault runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        std::thread::spawn(move || {
            // A killed reader is what this is about.
            let _ = pipe.write_all(&input);
        });
        child
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store()).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect()
    }

    /// How far the run came: `before` are the names that stood before it.
    fn came(&self, before: &BTreeSet<String>) -> Came {
        let new: Vec<String> = self.names().into_iter().filter(|name| !before.contains(name)).collect();
        let part = new.iter().any(|name| !name.starts_with('.') && !name.ends_with(".json"));
        if new.iter().any(|name| !name.starts_with('.') && name.ends_with(".json")) {
            Came::Whole
        } else if new.iter().any(|name| name.starts_with('.') && name.contains(".json")) {
            Came::Manifest
        } else if part {
            Came::Parts
        } else {
            Came::Nowhere
        }
    }

    /// Every manifest that stands is that of a whole backup.
    fn check(&self, expected: &BTreeSet<BackupId>) -> BTreeSet<BackupId> {
        let outside = Outside::new("check");
        let store = LocalStore::open(&self.store()).expect("a store");
        let world = outside.world(&store);
        let listed: BTreeSet<BackupId> = Survey::take(&store, "").expect("a listing").with_manifest().collect();
        assert!(listed.is_superset(expected), "an earlier backup is gone");
        for id in &listed {
            let open = open_manifest(&store, id, &self.ring).expect("a manifest that stands opens");
            let report = verify_full(&world, &open, self.ring.newest(), 1).expect("verify runs");
            assert_eq!(report.findings, [], "{id}");
        }
        listed
    }

    /// Leaves one backup and nothing else, so that every run finds the same store.
    fn tidy(&self, keep: &BTreeSet<String>) {
        for name in self.names().iter().filter(|name| !keep.contains(*name)) {
            std::fs::remove_file(self.store().join(name)).expect("a leftover is removed");
        }
    }
}

/// Waits until the store shows what is waited for, or the child has ended.
fn watch(child: &mut Child, store: &Path, seen: impl Fn(&str) -> bool) {
    while child.try_wait().expect("a child").is_none() {
        let entries = std::fs::read_dir(store).into_iter().flatten().flatten();
        if entries.map(|entry| entry.file_name()).any(|name| seen(&name.to_string_lossy())) {
            return;
        }
    }
}

#[test]
fn killed_packs_leave_earlier_backups_whole() {
    let place = Place::new();
    let begun = Instant::now();
    assert!(place.start(0).wait().expect("vault ends").success());
    let measured = begun.elapsed();
    let earlier = place.check(&BTreeSet::new());
    assert_eq!(earlier.len(), 1);
    let kept: BTreeSet<String> = place.names().into_iter().collect();

    let (mut after_first_part, mut before_rename, mut whole) = (0, 0, 0);
    for run in 1..=KILLS {
        let mut child = place.start(run);
        match run % 6 {
            0 => watch(&mut child, &place.store(), |name| {
                !kept.contains(name) && name.starts_with('.') && name.contains(".json")
            }),
            1 => watch(&mut child, &place.store(), |name| !kept.contains(name) && !name.starts_with('.')),
            _ => std::thread::sleep(
                measured.mul_f64((run as f64 * 0.618_034).fract() * 1.05) + Duration::from_micros(run as u64),
            ),
        }
        child.kill().expect("a child to kill");
        child.wait().expect("a killed child");
        match place.came(&kept) {
            Came::Parts => after_first_part += 1,
            Came::Manifest => {
                after_first_part += 1;
                before_rename += 1;
            }
            Came::Whole => whole += 1,
            Came::Nowhere => {}
        }
        let listed = place.check(&earlier);
        assert!(listed.len() <= 2);
        place.tidy(&kept);
    }
    println!(
        "{KILLS} kills: {after_first_part} after the first part, {before_rename} before the rename, {whole} after it"
    );
    assert!(after_first_part >= AFTER_FIRST_PART, "only {after_first_part} kills fell between first part and manifest");
    assert!(
        before_rename >= BEFORE_RENAME,
        "only {before_rename} kills fell between the manifest's write and its rename"
    );
    let next = place.start(KILLS + 1).wait_with_output().expect("vault ends");
    // 3, with a warning: the cache remembers the backups that this test removed.
    assert!(matches!(next.status.code(), Some(0 | 3)), "the next run: {}", String::from_utf8_lossy(&next.stderr));
}
