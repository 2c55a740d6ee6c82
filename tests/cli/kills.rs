//! `kill -9` of `vault key remove --rewrap` at every system call that changes something: the key file and each manifest are the old or the
//! new one, every backup opens with the slot that stays, and the next run brings it to its end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use vault::base::bytes::to_hex;
use vault::base::id::{BackupId, ObjectName};
use vault::crypto::kdf::Scope;
use vault::crypto::passphrase::Cost;
use vault::format::header::Role;
use vault::format::keyfile::with_slots;
use vault::format::manifest::Manifest;
use vault::format::slot::{Slot, SlotKind};
use vault::keys::ring::newest_key;
use vault::keys::slots::{Passphrase, SlotOpener, make};

use crate::place::{Place, names, noise, run, with, with_passphrases};

/// What changes a file or a directory, or makes a change durable.
const CALLS: [&str; 7] = ["write", "fsync", "fchmod", "fchown", "rename", "renameat", "unlinkat"];
const DAYS: usize = 5;
/// A guess costs nothing, so that every manifest can be tried.
const CHEAP: Cost = Cost { m: 32, t: 1, p: 4 };

/// What stands, or stood: names and bytes.
type Objects = BTreeMap<String, Vec<u8>>;

/// Five days of a database under the passphrases of the files `wrong`, which is to go, and `right`.
struct Scene {
    place: Place,
    goes: Slot,
    /// Before the run, and after one that nobody killed: the key file, and the store.
    old: (Vec<u8>, Objects),
    new: (Vec<u8>, Objects),
}

fn word(text: &str) -> Passphrase {
    Passphrase::new(zeroize::Zeroizing::new(format!("{text} horse").into_bytes())).unwrap()
}

/// How far a killed run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Came {
    key_file: bool,
    manifests: usize,
}

impl Scene {
    fn new() -> Scene {
        let place = with_passphrases();
        place.ok(&["key", "new"], b"");
        let text = fs::read_to_string(place.path("key")).unwrap();
        let key = newest_key(text.as_bytes()).unwrap();
        let fill = |bytes: &mut [u8]| getrandom::fill(bytes).unwrap();
        let slots = ["wrong", "right"].map(|text| make(&key, &word(text), CHEAP, &fill).unwrap());
        fs::write(place.path("key"), with_slots(&text, &slots, 1).as_bytes()).unwrap();
        let mut dump = noise(60_000, 1);
        for day in 0..DAYS {
            place.pack(&[], &dump);
            dump.extend(noise(10_000, 2 + day as u64));
        }
        let [goes, _] = slots;
        let mut scene = Scene { place, goes, old: Default::default(), new: Default::default() };
        scene.old = scene.now();
        let ran = run(scene.remove(), b"");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        scene.new = scene.now();
        assert!(scene.old.0 != scene.new.0 && scene.manifests(&scene.new.1).len() == DAYS);
        scene
    }

    fn remove(&self) -> Command {
        self.place.command(&["key", "remove", &to_hex(&self.goes.id), "--rewrap"])
    }

    fn now(&self) -> (Vec<u8>, Objects) {
        let store = self.place.store();
        let read = |name: String| {
            let bytes = fs::read(store.join(&name)).unwrap();
            (name, bytes)
        };
        (fs::read(self.place.path("key")).unwrap(), names(&store).into_iter().map(read).collect())
    }

    /// Everything as it was before the first run.
    fn begin(&self) {
        fs::write(self.place.path("key"), &self.old.0).unwrap();
        names(&self.place.store()).iter().for_each(|name| fs::remove_file(self.place.store().join(name)).unwrap());
        for (name, bytes) in &self.old.1 {
            fs::write(self.place.store().join(name), bytes).unwrap();
        }
    }

    /// Runs it under `strace`, which kills it as it is about to make a system call for the `at`th time. Says whether it was killed.
    fn killed(&self, call: &str, at: usize) -> bool {
        let remove = self.remove();
        let mut strace = Command::new("strace");
        let inject = format!("inject={call}:signal=SIGKILL:when={at}");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        strace.arg(remove.get_program()).args(remove.get_args()).env_clear().current_dir(self.place.dir.path());
        strace.envs(remove.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let ended = ended.unwrap_or_else(|error| panic!("Debian's package `strace` is needed: {error}"));
        let killed = ended.status.signal() == Some(9);
        assert!(killed || ended.status.success(), "{call} {at}: {ended:?}");
        killed
    }

    fn manifests(&self, objects: &Objects) -> Vec<(BackupId, Manifest)> {
        let parse = |(name, bytes): (&String, &Vec<u8>)| match ObjectName::parse(name) {
            Some(ObjectName::Manifest(id)) => Some((id, Manifest::parse(&id, bytes).expect("a manifest").manifest)),
            _ => None,
        };
        objects.iter().filter_map(parse).collect()
    }

    /// Each object is the old or the new one; beside them nothing but what a later run removes.
    fn look(&self, case: &str) -> Came {
        let (key, objects) = self.now();
        assert!(key == self.old.0 || key == self.new.0, "{case}: the key file is neither the old nor the new one");
        let mut manifests = 0;
        for (name, bytes) in objects.iter().filter(|(name, _)| !name.starts_with(".vault-")) {
            let [old, new] = [&self.old.1, &self.new.1].map(|objects| objects.get(name));
            assert!(old == Some(bytes) || new == Some(bytes), "{case}: {name} is neither the old nor the new one");
            manifests += usize::from(old != Some(bytes));
        }
        assert!(self.old.1.keys().all(|name| objects.contains_key(name)), "{case}: an object is gone");
        assert_eq!(fs::metadata(self.place.path("key")).unwrap().permissions().mode() & 0o7777, 0o600, "{case}");
        let came = Came { key_file: key == self.new.0, manifests };
        assert!(came.key_file || came.manifests == 0, "{case}: backups before the key file");
        came
    }

    /// Everything opens with the passphrase that stays, is whole, and follows what was before it.
    fn is_whole(&self, case: &str) {
        let verified = run(with(&self.place, "right", &["verify", "--all", "--read-data"]), b"");
        assert_eq!(verified.code, Some(0), "{case}: {verified:?}");
        let told = String::from_utf8(verified.out).unwrap();
        assert_eq!(told.matches(": good").count(), DAYS, "{case}: {told}");
        let (_, objects) = self.now();
        let manifests = self.manifests(&objects);
        for (at, (id, manifest)) in manifests.iter().enumerate() {
            let before = manifest.prev.as_ref().map(|prev| (prev.id, prev.seq, prev.sha256));
            let expected = at.checked_sub(1).map(|before| {
                let (id, manifest) = &manifests[before];
                let index = manifest.parts.iter().find(|part| part.role == Role::Index).expect("an index");
                let bytes = &objects[&id.part_name(index.index)];
                (*id, before as u64 + 1, Sha256::digest(bytes).into())
            });
            assert_eq!((manifest.seq, before), (at as u64 + 1, expected), "{case}: {id}");
        }
    }

    /// How many manifests open with the passphrase of that file.
    fn opened_with(&self, text: &str) -> usize {
        let (_, objects) = self.now();
        let opens = |(id, manifest): &(BackupId, Manifest)| {
            let scope = Scope { guid: id.guid, epoch: manifest.epoch };
            SlotOpener::new(word(text)).open(scope, &manifest.slots).expect("slots").is_some()
        };
        self.manifests(&objects).iter().filter(|found| opens(found)).count()
    }

    /// `key check` opens everything, and says which backups are behind the key file or the newest of them; those have a slot that was removed.
    fn is_told(&self, came: Came, case: &str) {
        let expected = if came.key_file { DAYS - came.manifests } else { 0 };
        let check = |more: &[&str]| {
            let ran = run(self.place.command(&[&["key", "check", "--no-record"], more].concat()), b"");
            assert_eq!(ran.code, Some(if expected > 0 { 3 } else { 0 }), "{case}: {ran:?}");
            String::from_utf8(ran.out).unwrap()
        };
        let document: serde_json::Value = serde_json::from_str(&check(&["--json"])).unwrap();
        let backups = document["backups"].as_array().unwrap();
        let behind =
            backups.iter().filter(|backup| backup["generation"].as_u64() < backup["newest_generation"].as_u64());
        assert_eq!((behind.count(), backups.len()), (expected, DAYS), "{case}: {document}");
        let told = check(&[]);
        assert_eq!(told.matches(" 1 of 2 ").count(), expected, "{case}: {told}");
        let verb = if expected == 1 { "has" } else { "have" };
        let line = format!("{expected} of {DAYS} backups {verb} slots of an earlier generation");
        assert_eq!(told.contains(&line), expected > 0, "{case}: {told}");
    }

    /// The run again; where the slot has left the key file already, what is said then.
    fn again(&self, came: Came, case: &str) {
        let mut ran = run(self.remove(), b"");
        if came.key_file {
            ran.fails(case, 10, &format!("the key file has no slot `{}`", to_hex(&self.goes.id)));
            assert!(ran.err.contains("`vault key rewrap` goes on"), "{}", ran.err);
            ran = run(self.place.command(&["key", "rewrap"]), b"");
        }
        assert_eq!(ran.code, Some(0), "{case}: {ran:?}");
        assert!(self.now() == self.new, "{case}: not what an undisturbed run leaves, or more");
        assert_eq!(names(self.place.dir.path()).iter().filter(|name| name.starts_with("key")).count(), 1, "{case}");
    }

    /// The passphrase that went opens no backup, and neither its slot nor what that wrapped is anywhere.
    fn is_gone(&self, case: &str) {
        assert_eq!((self.opened_with("wrong"), self.opened_with("right")), (0, DAYS), "{case}");
        let SlotKind::Passphrase { wrapped, .. } = &self.goes.kind else { panic!("another kind of slot") };
        let traces = [to_hex(&self.goes.id), BASE64_STANDARD.encode(wrapped)];
        let (key, objects) = self.now();
        for (name, bytes) in objects.iter().chain([(&"key".to_owned(), &key)]) {
            for trace in &traces {
                let found = bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
                assert!(!found, "{case}: {name} still has {trace}");
            }
        }
    }
}

#[test]
fn a_killed_rewrap_leaves_old_or_new_and_the_next_run_ends_it() {
    let scene = Scene::new();
    let mut all = Vec::new();
    for call in CALLS {
        for at in 1.. {
            assert!(at < 50, "a run makes far fewer calls");
            scene.begin();
            let case = format!("{call} {at}");
            if !scene.killed(call, at) {
                assert_eq!(scene.look(&case), Came { key_file: true, manifests: DAYS }, "{case}");
                break;
            }
            let came = scene.look(&case);
            scene.is_whole(&case);
            scene.is_told(came, &case);
            assert_eq!(scene.opened_with("right"), DAYS, "{case}");
            assert_eq!(scene.opened_with("wrong"), DAYS - came.manifests, "{case}");
            scene.again(came, &case);
            scene.is_gone(&case);
            all.push(came);
        }
    }
    scene.is_whole("in the end");
    let count = |meant: fn(&Came) -> bool| all.iter().filter(|came| meant(came)).count();
    let before = count(|came| !came.key_file);
    let between = count(|came| came.key_file && came.manifests == 0);
    let halfway = count(|came| (1..DAYS).contains(&came.manifests));
    println!("{} kills: {before} before the key file, {between} before the first backup, {halfway} halfway", all.len());
    assert!(before >= 4 && between >= 4 && halfway >= 12, "{all:?}");
    let unpack = with(&scene.place, "wrong", &["unpack", "latest"]);
    run(unpack, b"").fails("the passphrase that went", 12, "the passphrase opens no backup");
    // The next backup follows, and what it writes opens with the slot that stayed.
    let next = scene.place.pack(&[], &noise(60_000, 1));
    let (_, objects) = scene.now();
    let (id, manifest) = scene.manifests(&objects).pop().unwrap();
    assert_eq!((id.to_string(), manifest.seq), (next, DAYS as u64 + 1));
}
