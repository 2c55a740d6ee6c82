//! The store: it has every object, and no key. And what its rights give to whoever has them.

use std::io::ErrorKind;

use crate::common::world::*;
use crate::scene::*;
use vault::archive::manifest::{OpenManifest, seal};
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::chunk_id::ChunkIds;
use vault::crypto::keys::PackKeys;
use vault::format::manifest::Manifest;
use vault::ops::rewrap::rewrap;
use vault::pipeline::known::CachePlace;
use vault::pipeline::port::{ObjectInfo, Silent, Store, StoreError, Upload};
use vault::pipeline::survey::latest;
use vault::store::memory::MemoryStore;

pub fn reads_nothing(scene: &Scene) {
    for (name, bytes) in scene.store.snapshot() {
        for window in scene.secret.chunks(16) {
            assert!(!bytes.windows(window.len()).any(|found| found == window), "{name} shows the dump");
        }
        if !name.ends_with(".json") {
            let squeezed = zstd::bulk::compress(&bytes[256..], 3).expect("zstd");
            assert!(squeezed.len() >= bytes.len() - 256, "{name} has a structure that can be seen");
        }
    }
}

pub fn forges_nothing(scene: &Scene) {
    // The newest backup under a name of tomorrow.
    let (id, store) = (scene.second.manifest.id, scene.copy());
    let tomorrow = BackupId::new(id.guid, id.timestamp + DAY).expect("an id");
    for (name, bytes) in scene.store.snapshot().iter().filter(|(name, _)| name.starts_with(&id.to_string())) {
        let bytes = if name.ends_with(".json") {
            let text = retold(bytes, &id.timestamp.to_string(), &tomorrow.timestamp.to_string());
            let day = |id: &BackupId| vault::base::time::rfc3339(id.timestamp);
            retold(&text, &day(&id), &day(&tomorrow))
        } else {
            bytes.clone()
        };
        store.insert(name.replace(&id.to_string(), &tomorrow.to_string()), bytes);
    }
    assert_eq!(scene.judged(&store, &tomorrow), Err(FailureClass::Damaged));
    // A backup under a key of its own, shown as one under ours.
    let thief = pack_as(&scene.outside, &store, &ring("thief").newest().pack, b"forged", &CachePlace::None);
    let thief = thief.expect("packs").manifest;
    assert_eq!(scene.judged(&store, &thief.id), Err(FailureClass::WrongKey));
    let print = |manifest: &Manifest| vault::base::bytes::to_hex(&manifest.fingerprint);
    let text = store.get(&thief.id.manifest_name(), 0, 1 << 20).expect("a manifest");
    store.insert(thief.id.manifest_name(), retold(&text, &print(&thief), &print(&scene.first.manifest)));
    assert_eq!(scene.judged(&store, &thief.id), Err(FailureClass::Damaged));
}

pub fn changes_nothing_unseen(scene: &Scene) {
    let id = scene.second.manifest.id;
    let mut tried = 0;
    for (name, bytes) in scene.store.snapshot() {
        let is_needed = name.starts_with(&id.to_string()) || name.ends_with("-0");
        for at in [bytes.len() / 3, bytes.len() - 3].into_iter().filter(|_| is_needed) {
            let (store, mut bytes) = (scene.copy(), bytes.clone());
            bytes[at] ^= 1;
            store.insert(name.clone(), bytes);
            assert!(scene.judged(&store, &id).is_err(), "{name}: byte {at} was changed, and nobody saw it");
            tried += 1;
        }
    }
    assert!(tried >= 10, "only {tried} were tried");
}

pub fn deletes_and_rolls_back(scene: &Scene) {
    let store = scene.copy();
    store.delete(&scene.second.manifest.id.manifest_name()).expect("no key is asked for");
    let newest = latest(&store, &scene.holder).expect("an older backup").open.manifest.id;
    assert_eq!(newest, scene.first.manifest.id, "a bare machine cannot see it");
}

pub fn tests_no_guess(scene: &Scene) {
    let (store, _) = &scene.small;
    let right = ChunkIds::new(&scene.host.keys.chunk_id).id(GUESS).0;
    let plain = *blake3::hash(GUESS).as_bytes();
    for (name, bytes) in store.snapshot() {
        for id in [&right[..], &plain[..16]] {
            assert!(!bytes.windows(16).any(|found| found == id), "{name} shows the id of a chunk");
        }
    }
}

// Rights. A key gives none, and none asks for a key.

/// A store as somebody sees it who may read and nothing else.
struct ReadOnly<'a>(&'a MemoryStore);

fn denied(action: &'static str, name: &str) -> StoreError {
    StoreError::Failed { action, what: name.into(), reason: ErrorKind::PermissionDenied.into() }
}

impl Store for ReadOnly<'_> {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.0.get(name, offset, length)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        Err(denied("write", name))
    }

    fn replace(&self, name: &str, _old: &[u8], _new: &[u8]) -> Result<(), StoreError> {
        Err(denied("replace", name))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        Err(denied("delete", name))
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

fn put(store: &dyn Store, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.create(name)?;
    upload.write(bytes)?;
    upload.commit()
}

/// Who may only read tries with that key, and with a manifest that is right: everything is refused, and nothing has changed.
fn tries_without_rights(scene: &Scene, keys: Option<&PackKeys>, manifest: &Manifest, text: &[u8]) {
    let store = scene.copy();
    let (before, bare) = (store.snapshot(), ReadOnly(&store));
    let name = manifest.id.manifest_name();
    let tomorrow = BackupId::new(manifest.id.guid, manifest.id.timestamp + DAY).expect("an id").manifest_name();
    let is_denied = |done: Result<(), StoreError>| {
        assert!(
            matches!(&done, Err(StoreError::Failed { reason, .. }) if reason.kind() == ErrorKind::PermissionDenied)
        );
    };
    is_denied(bare.delete(&name));
    is_denied(bare.delete(&manifest.id.part_name(0)));
    is_denied(bare.replace(&name, &before[&name], text));
    is_denied(put(&bare, &tomorrow, text));
    if let Some(keys) = keys {
        assert!(pack_as(&scene.outside, &bare, keys, b"one more", &CachePlace::None).is_err(), "packed without rights");
    }
    assert!(store.snapshot() == before, "something was changed without the right to");
}

/// Who may do everything to the store does so without a key.
fn has_rights(scene: &Scene) {
    let store = scene.copy();
    let newest = scene.second.manifest.id;
    store.delete(&newest.part_name(0)).expect("no key is asked for");
    assert_eq!(scene.judged(&store, &newest), Err(FailureClass::Missing));
    deletes_and_rolls_back(scene);
}

/// *with the store's rights*, for a pack-only host: its key lets it write, and deletes nothing.
pub fn host_deletes_with_rights(scene: &Scene) {
    let manifest = &scene.first.manifest;
    let text = scene.store.get(&manifest.id.manifest_name(), 0, 1 << 20).expect("a manifest");
    tries_without_rights(scene, Some(&scene.host.keys), manifest, &text);
    has_rights(scene);
}

/// *with the store's rights*, for the holder of MK: what he could sign stays where it is.
pub fn mk_deletes_with_rights(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.first.manifest.id);
    let changed = Manifest { generation: 9, ..manifest };
    tries_without_rights(scene, Some(&scene.holder.newest().pack), &changed, &seal(&changed, &archive_key));
    let store = scene.copy();
    let slots = slots_for_officers(&master_key("mk"));
    let refused = rewrap(&ReadOnly(&store), &Silent, &scene.holder, &slots, 2).map(|_| ());
    assert_eq!(refused.map_err(|error| error.class()), Err(FailureClass::Store));
    assert_eq!(rewrap(&store, &Silent, &scene.holder, &slots, 2).expect("with the rights").replaced, 2);
    has_rights(scene);
}

/// *no*, for the holder of one AK: he can sign another manifest of that backup, and needs the store's rights to bring it there.
pub fn one_ak_gives_no_rights(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.second.manifest.id);
    let changed = Manifest { generation: 9, rebuilt: true, ..manifest };
    let text = seal(&changed, &archive_key);
    tries_without_rights(scene, None, &changed, &text);
    let (store, name) = (scene.copy(), changed.id.manifest_name());
    let old = store.get(&name, 0, 1 << 20).expect("a manifest");
    store.replace(&name, &old, &text).expect("with the rights");
    assert_eq!(scene.judged(&store, &changed.id), Ok(()));
    has_rights(scene);
}

/// *no*, for who knows a recipient: everybody may know it.
pub fn recipient_gives_no_rights(scene: &Scene) {
    let store = MemoryStore::new();
    let slots = slots_for_officers(&master_key("forger"));
    let options = vault::pipeline::pack::PackOptions { slots, ..small(1 << 17) };
    let forged = pack_bytes(&scene.outside, &store, &ring("forger"), options, b"forged").expect("packs").manifest;
    let text = store.get(&forged.id.manifest_name(), 0, 1 << 20).expect("a manifest");
    tries_without_rights(
        scene,
        Some(&ring("forger").newest().pack),
        &Manifest { id: scene.first.manifest.id, ..forged },
        &text,
    );
    has_rights(scene);
}
