//! Who holds one archive key, that of the second backup; and who holds MK.

use std::collections::BTreeMap;

use crate::common::world::*;
use crate::scene::*;
use vault::archive::manifest::{OpenManifest, seal};
use vault::archive::part::PartSecret;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::sealed;
use vault::format::header::Role;
use vault::format::manifest::Manifest;
use vault::pipeline::fetch::{PartReader, own};
use vault::pipeline::known::CachePlace;
use vault::pipeline::port::Store;

pub fn one_ak_reads_its_own_parts(scene: &Scene) {
    let archive_key = scene.open(&scene.second.manifest.id).archive_key;
    let (mut opened, mut text) = (BTreeMap::new(), Vec::new());
    for manifest in scene.both() {
        for part in manifest.parts.iter().filter(|part| part.role != Role::Catalogue) {
            let reader = PartReader::open(&scene.store, &own(manifest, part), PartSecret::Archive(&archive_key));
            *opened.entry((manifest.id, reader.is_ok())).or_insert(0) += 1;
            let mut frames = Vec::new();
            if let (Ok(reader), Role::Data) = (reader, part.role) {
                let mut take = |bytes: &[u8]| {
                    frames.extend_from_slice(bytes);
                    Ok(())
                };
                reader.read_from(0, &mut take).expect("reads");
                text.extend(zstd::decode_all(frames.as_slice()).expect("frames"));
            }
        }
    }
    let new = rows(2, 400);
    let row = new.split_inclusive(|byte| *byte == b'\n').nth(300).expect("a row");
    assert!(text.windows(row.len()).any(|window| window == row), "what the second backup added is read");
    let expected = [((scene.first.manifest.id, false), 2), ((scene.second.manifest.id, true), 2)];
    assert_eq!(opened, BTreeMap::from(expected), "its own data and index, and not what it uses of others");
}

pub fn one_ak_forges_nothing(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.second.manifest.id);
    let id = BackupId::new(manifest.id.guid, manifest.id.timestamp + DAY).expect("an id");
    let store = scene.copy();
    for part in &manifest.parts {
        let bytes = store.get(&manifest.id.part_name(part.index), 0, 1 << 20).expect("a part");
        store.insert(id.part_name(part.index), bytes);
    }
    store.insert(id.manifest_name(), seal(&Manifest { id, ..manifest }, &archive_key));
    assert_eq!(scene.judged(&store, &id), Err(FailureClass::Damaged));
}

pub fn one_ak_changes_its_backup(scene: &Scene) {
    let OpenManifest { manifest, archive_key } = scene.open(&scene.second.manifest.id);
    let (id, store) = (manifest.id, scene.copy());
    store.insert(id.manifest_name(), seal(&Manifest { generation: 9, rebuilt: true, ..manifest }, &archive_key));
    assert_eq!(scene.judged(&store, &id), Ok(()), "nobody can see it");
    let other = Manifest { generation: 9, ..scene.first.manifest.clone() };
    store.insert(other.id.manifest_name(), seal(&other, &archive_key));
    assert_eq!(scene.judged(&store, &other.id), Err(FailureClass::Damaged), "that of no other");
}

pub fn one_ak_tests_no_guess(scene: &Scene) {
    let (store, packed) = &scene.small;
    let archive_key = open(store, &scene.holder, &packed.manifest.id).expect("opens").archive_key;
    for part in packed.manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
        let secret = PartSecret::Archive(&archive_key);
        assert!(PartReader::open(store, &own(&packed.manifest, part), secret).is_err());
    }
}

// MK.

pub fn mk_reads_all(scene: &Scene) {
    for manifest in scene.both() {
        let back = unpack_bytes(&scene.outside, &scene.store, &scene.holder, &manifest.id).expect("unpacks");
        assert!(back.windows(scene.secret.len()).any(|window| window == scene.secret));
    }
}

pub fn mk_forges(scene: &Scene) {
    let (keys, store) = (scene.holder.newest(), scene.copy());
    let forged = pack_as(&scene.outside, &store, &keys.pack, b"forged", &CachePlace::None).expect("packs");
    assert_eq!(scene.judged(&store, &forged.manifest.id), Ok(()));
}

pub fn mk_changes(scene: &Scene) {
    let keys = scene.holder.newest();
    let (store, manifest) = (scene.copy(), &scene.first.manifest);
    let archive_key = sealed::open(keys, &manifest.id, &manifest.sealed_key).expect("opens");
    let text = seal(&Manifest { generation: 9, rebuilt: true, ..manifest.clone() }, &archive_key);
    store.insert(manifest.id.manifest_name(), text);
    assert_eq!(scene.judged(&store, &manifest.id), Ok(()), "nobody can see it");
}
