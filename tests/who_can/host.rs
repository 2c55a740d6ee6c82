//! A pack-only host: everything in its key file, tried on everything.

use std::sync::atomic::Ordering;

use crate::common::world::*;
use crate::scene::*;
use vault::archive::part::{ObjectDigest, PartSealer, PartSecret};
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::chunk_id::ChunkIds;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::{ArchiveKey, MasterKey, PackKeys, VaultKeys};
use vault::crypto::sealed;
use vault::crypto::secret::Secret;
use vault::format::frame::Place;
use vault::format::header::{Header, Role};
use vault::format::manifest::Part;
use vault::keys::ring::Keyring;
use vault::pipeline::fetch::{PartReader, own};
use vault::pipeline::history::read_chapter;
use vault::pipeline::known::CachePlace;
use vault::pipeline::port::Store;
use vault::pipeline::survey::Survey;
use vault::store::memory::MemoryStore;

pub fn reads_nothing(scene: &Scene) {
    let world = scene.outside.world(&scene.store);
    let scope = scene.host.keys.scope;
    let mut tried = 0;
    for (name, secret) in scene.host_secrets() {
        let master = MasterKey { scope, secret: copied(&secret) }.derive();
        let private =
            VaultKeys { private_key: copied(&secret), check: copied(&secret), pack: pack_only(&scene.holder).keys };
        for manifest in scene.both() {
            let text = scene.store.get(&manifest.id.manifest_name(), 0, 1 << 20).expect("a manifest");
            for keys in [&master, &private] {
                assert!(
                    sealed::open(keys, &manifest.id, &manifest.sealed_key).is_err(),
                    "{name} opens {}",
                    manifest.id
                );
                assert!(vault::archive::manifest::open(&manifest.id, &text, keys).is_err(), "{name}");
            }
            let archive_key = ArchiveKey::new(scope, manifest.id, copied(&secret));
            for part in manifest.parts.iter().filter(|part| part.role != Role::Catalogue) {
                for secret in [PartSecret::Archive(&archive_key), PartSecret::Catalogue(&copied(&secret))] {
                    let opened = PartReader::open(&scene.store, &own(manifest, part), secret);
                    assert!(opened.is_err(), "{name} opens {}", manifest.id.part_name(part.index));
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 40, "only {tried} were tried");
    // The catalogues do open: ids and lengths, and nothing of the dump, whoever packed it.
    let survey = Survey::take(&scene.store, "").expect("lists");
    for manifest in scene.both() {
        read_chapter(&world, &scene.host.keys, &survey, manifest).expect("opens");
        for part in manifest.parts.iter().filter(|part| part.role == Role::Catalogue) {
            let secret = PartSecret::Catalogue(&scene.host.keys.catalogue);
            let reader = PartReader::open(&scene.store, &own(manifest, part), secret).expect("opens");
            let mut plain = Vec::new();
            let mut take = |bytes: &[u8]| {
                plain.extend_from_slice(bytes);
                Ok(())
            };
            reader.read_from(0, &mut take).expect("reads");
            assert!(!plain.windows(16).any(|window| window == &scene.secret[..16]));
        }
    }
}

pub fn forges_with_any_time(scene: &Scene) {
    for time in [BackupId::TIMESTAMPS.start, scene.second.manifest.id.timestamp - 1, BackupId::TIMESTAMPS.end - DAY] {
        let (outside, store) = (Outside::new("forger"), MemoryStore::new());
        outside.clock.0.store(time, Ordering::SeqCst);
        let forged = pack_as(&outside, &store, &scene.host.keys, b"forged", &CachePlace::None).expect("packs");
        assert_eq!(forged.manifest.id.timestamp, time);
        assert_eq!(scene.judged(&store, &forged.manifest.id), Ok(()), "of {time}");
    }
    // Of its epoch, and of no other.
    let mut keys = pack_only(&scene.holder).keys;
    keys.scope.epoch = 2;
    let next = MasterKey { scope: Scope { epoch: 2, ..keys.scope }, secret: Secret::fill(|bytes| bytes.fill(9)) };
    keys.fingerprint = next.derive().pack.fingerprint;
    let store = MemoryStore::new();
    let forged = pack_as(&scene.outside, &store, &keys, b"forged", &CachePlace::None).expect("packs").manifest;
    let opened = open(&store, &Keyring::of(&next, Vec::new()), &forged.id).map(|_| ()).map_err(|error| error.class());
    assert_eq!(opened, Err(FailureClass::Damaged));
}

pub fn changes_nothing_unseen(scene: &Scene) {
    let manifest = &scene.first.manifest;
    // A manifest: its MAC needs AK. The host has that of no backup any more, its own included.
    for manifest in scene.both() {
        let store = scene.copy();
        let text = store.get(&manifest.id.manifest_name(), 0, 1 << 20).expect("a manifest");
        store.insert(manifest.id.manifest_name(), retold(&text, "\"raw\"", "\"tar\""));
        assert_eq!(scene.judged(&store, &manifest.id), Err(FailureClass::Damaged));
    }
    // A catalogue under its own header: only the SHA-256 in the manifest tells.
    let store = scene.copy();
    let part = manifest.parts.iter().find(|part| part.role == Role::Catalogue).expect("a catalogue");
    let name = manifest.id.part_name(part.index);
    let (header, _) = Header::parse(&store.get(&name, 0, 256).expect("a part")).expect("a header");
    let plain = header.segment.layout(part.bytes).expect("a layout").plain as usize;
    let mut sealer = PartSealer::begin(header, PartSecret::Catalogue(&scene.host.keys.catalogue), 1 << 17);
    let mut forged = sealer.header_bytes().to_vec();
    let mut sink = |segment: &mut Vec<u8>| -> Result<(), ()> {
        forged.extend_from_slice(segment);
        Ok(())
    };
    sealer.push(&vec![0; plain], &mut sink).expect("takes it");
    let sealed = sealer.finish(Place::Last, &mut sink).expect("ends");
    let made: Part = sealed.record(ObjectDigest::of(&forged));
    assert_eq!(made.commitment, part.commitment, "the host can seal under the header of a catalogue");
    store.insert(name, forged);
    assert_eq!(scene.judged(&store, &manifest.id), Err(FailureClass::Damaged));
}

pub fn guess_is_tested_with(scene: &Scene, keys: &PackKeys) {
    let (store, packed) = &scene.small;
    let survey = Survey::take(store, "").expect("lists");
    let chapter = read_chapter(&scene.outside.world(store), keys, &survey, &packed.manifest).expect("opens");
    let (_, chunks) = chapter.table.expect("it was read");
    let ids = ChunkIds::new(&keys.chunk_id);
    let holds = |guess: &[u8]| chunks.iter().any(|chunk| chunk.id == ids.id(guess));
    assert!(holds(GUESS) && !holds(b"the salary of the head of accounting is 123457 a year"));
}
