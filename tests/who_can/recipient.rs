//! Who knows the recipient of an age slot, and the store.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::common::world::*;
use crate::scene::*;
use bech32::{Bech32, Hrp};
use vault::archive::part::PartSecret;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::kdf::Scope;
use vault::format::age::name::RecipientName;
use vault::format::header::Role;
use vault::format::manifest::Manifest;
use vault::format::slot::{Slot, SlotKind};
use vault::keys::age::{self, Identity};
use vault::keys::slots::open_age;
use vault::pipeline::fetch::{PartReader, own};
use vault::pipeline::pack::PackOptions;
use vault::pipeline::port::Store;
use vault::store::memory::MemoryStore;

const SCOPE: Scope = Scope { guid: GUID, epoch: 1 };

/// The 32 bytes of a recipient's name that are tried where 32 secret bytes are asked for.
fn bytes_of(recipient: &RecipientName) -> [u8; 32] {
    match recipient {
        RecipientName::X25519(key) => *key,
        RecipientName::Hybrid(key) => *key.last_chunk().expect("1216 bytes"),
    }
}

fn identity(prefix: &str, bytes: &[u8; 32]) -> Identity {
    let text = bech32::encode_upper::<Bech32>(Hrp::parse(prefix).expect("a prefix"), bytes).expect("a name");
    Identity::parse(&text).expect("an identity")
}

/// The slots of the backup, and those whose key comes out.
fn opened(slots: &[Slot], identity: &Identity) -> usize {
    let decrypt = |file: &[u8]| age::open(std::slice::from_ref(identity), file);
    slots.iter().filter(|slot| open_age(SCOPE, std::slice::from_ref(slot), &decrypt).expect("slots").is_some()).count()
}

/// What is public of an officer, where an identity is asked for.
pub fn reads_nothing(scene: &Scene) {
    let slots = &scene.escrow.1.manifest.slots;
    assert_eq!(slots.len(), 2);
    let mut tried = 0;
    for (recipient, of_officer) in &officers() {
        assert_eq!(opened(slots, of_officer), 1, "the officer opens it");
        for prefix in ["age-secret-key-", "age-secret-key-pq-"] {
            assert_eq!(opened(slots, &identity(prefix, &bytes_of(recipient))), 0);
            tried += 1;
        }
    }
    assert_eq!(tried, 4);
    crate::store::reads_nothing(scene);
}

/// A backup of his own under the guid, sealed to the officers, as a store shows it; `id` is under which name.
fn forged(scene: &Scene, store: &MemoryStore) -> Manifest {
    let options = PackOptions { slots: slots_for_officers(&master_key("forger")), ..small(1 << 17) };
    pack_bytes(&scene.outside, store, &ring("forger"), options, b"a forged dump").expect("packs").manifest
}

/// `vault unpack` as the officer runs it, on a machine that knows nothing.
fn officer_unpacks(store: &MemoryStore, id: &BackupId, more: &[&str]) -> Output {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("store")).expect("a store");
    for (name, bytes) in store.snapshot() {
        fs::write(at("store").join(name), bytes).expect("an object");
    }
    let text = include_str!("../../testdata/age/c2sp-mlkem768x25519");
    fs::write(at("escrow"), text.lines().next().expect("an identity")).expect("a file");
    fs::set_permissions(at("escrow"), Permissions::from_mode(0o600)).expect("its mode");
    let mut vault = Command::new(env!("CARGO_BIN_EXE_vault"));
    vault.args(["unpack", "-q", &id.to_string(), "--identity-file", "escrow", "--store", "store"]).args(more);
    vault.env_clear().env("HOME", at("home")).current_dir(place.path()).output().expect("vault runs")
}

/// What he forges opens through the officer's slot, and the fingerprint is what refuses it.
pub fn forges_another_fingerprint(scene: &Scene) {
    let (genuine, packed) = &scene.escrow;
    let store = crate::common::stores::restored(&genuine.snapshot());
    let theirs = forged(scene, &store);
    assert_ne!(theirs.fingerprint, packed.manifest.fingerprint);
    for (_, of_officer) in &officers() {
        assert_eq!(opened(&theirs.slots, of_officer), 1, "it is made for the officer, and opens");
    }
    assert_eq!(scene.judged(&store, &theirs.id), Err(FailureClass::WrongKey), "for who has the key file");

    let print = |manifest: &Manifest| vault::base::bytes::to_hex(&manifest.fingerprint);
    let (right, wrong) = (print(&packed.manifest), print(&theirs));
    let unpacks = |id: &BackupId, more: &[&str]| {
        let ran = officer_unpacks(&store, id, more);
        (ran.status.code(), ran.stdout, String::from_utf8(ran.stderr).expect("text"))
    };
    let (code, out, said) = unpacks(&theirs.id, &["--fingerprint", &right]);
    assert_eq!((code, out), (Some(FailureClass::WrongKey.exit_code().into()), Vec::new()), "{said}");
    assert!(said.contains(&format!("{} needs key {}", theirs.id, &wrong[..8])), "{said}");
    let (code, out, said) = unpacks(&theirs.id, &[]);
    assert_eq!((code, out), (Some(FailureClass::Usage.exit_code().into()), Vec::new()), "{said}");
    assert!(said.contains(&format!("{} opens with key {wrong}, and nothing tells whether", theirs.id)), "{said}");
    // Nothing else stands in its way, and nothing in that of the genuine one.
    assert_eq!(unpacks(&theirs.id, &["--fingerprint", &wrong]).1, b"a forged dump");
    assert!(unpacks(&packed.manifest.id, &["--fingerprint", &right]).1 == scene.secret);
}

/// The slot of a genuine backup is replaced by one for the same officer, with another key in it.
pub fn changes_nothing_unseen(scene: &Scene) {
    let (genuine, packed) = &scene.escrow;
    let id = packed.manifest.id;
    let file = |slot: &Slot| match &slot.kind {
        SlotKind::Age { file } => file.replace('\n', "\\n"),
        SlotKind::Passphrase { .. } => unreachable!("the scene has age slots"),
    };
    let mut text = genuine.get(&id.manifest_name(), 0, 1 << 20).expect("a manifest");
    for (old, new) in packed.manifest.slots.iter().zip(slots_for_officers(&master_key("forger"))) {
        text = retold(&text, &file(old), &file(&new));
    }
    let store = crate::common::stores::restored(&genuine.snapshot());
    store.insert(id.manifest_name(), text);
    assert_eq!(scene.judged(&store, &id), Err(FailureClass::Damaged), "for who has the key file");
    let print = vault::base::bytes::to_hex(&packed.manifest.fingerprint);
    let forgers = ring("forger").newest().pack.fingerprint.to_string();
    for fingerprint in [print, forgers] {
        let ran = officer_unpacks(&store, &id, &["--fingerprint", &fingerprint]);
        assert!(!ran.status.success() && ran.stdout.is_empty(), "{ran:?}");
    }
}

/// What tests a guess is under the catalogue key; what he has opens no catalogue.
pub fn tests_no_guess(scene: &Scene) {
    let (store, packed) = &scene.small;
    for (recipient, _) in &officers() {
        let secret = copied(&bytes_of(recipient));
        for part in packed.manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
            let opened = PartReader::open(store, &own(&packed.manifest, part), PartSecret::Catalogue(&secret));
            assert!(opened.is_err());
        }
    }
    crate::store::tests_no_guess(scene);
}
