//! What everybody in the table is let loose on.

use std::collections::BTreeMap;

use crate::common::stores::restored;
use crate::common::world::*;
use vault::archive::manifest::OpenManifest;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::keys::{MasterKey, PackKeys};
use vault::crypto::secret::Secret;
use vault::format::age::name::RecipientName;
use vault::format::manifest::Manifest;
use vault::format::slot::Slot;
use vault::keys::age::Identity;
use vault::keys::packing::{self, PackRing};
use vault::keys::ring::{Keyring, new_key};
use vault::keys::slots::make_age;
use vault::pipeline::error::RunError;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{PackOptions, Packed, pack};
use vault::pipeline::port::{Random, Store};
use vault::pipeline::verify::{Level, verify_objects};
use vault::store::memory::MemoryStore;

pub const DAY: u64 = 86_400_000;
/// A dump that is one chunk, so that somebody can guess it.
pub const GUESS: &[u8] = b"the salary of the head of accounting is 123456 a year";

/// The pack-only key of a ring, through its file.
pub fn pack_only(ring: &Keyring) -> PackRing {
    let text = packing::file_text(&ring.newest().pack, &ring.slots, ring.generation, 0);
    assert!(matches!(Keyring::from_file(text.as_bytes()), Err(error) if error.class() == FailureClass::WrongKey));
    PackRing::from_file(text.as_bytes()).expect("a pack-only key file")
}

pub fn pack_as(
    outside: &Outside,
    store: &dyn Store,
    keys: &PackKeys,
    dump: &[u8],
    place: &CachePlace,
) -> Result<Packed, RunError> {
    pack(&outside.world(store), keys, place, small(1 << 17), Box::new(std::io::Cursor::new(dump.to_vec())))
}

/// What everybody in the table is let loose on: two backups, the second of which uses parts of the first.
pub struct Scene {
    pub outside: Outside,
    pub store: MemoryStore,
    pub holder: Keyring,
    pub host: PackRing,
    pub first: Packed,
    pub second: Packed,
    pub secret: Vec<u8>,
    /// A backup that is one chunk, in a store of its own.
    pub small: (MemoryStore, Packed),
    /// A backup with slots for age recipients, in a store of its own.
    pub escrow: (MemoryStore, Packed),
}

/// The vault key that [`ring`] makes of that seed.
pub fn master_key(seed: &str) -> MasterKey {
    let random = Seeded::new(seed);
    new_key(GUID, &|bytes| random.fill(bytes))
}

/// The officers' recipients, and what opens what is sealed to them: the pairs of C2SP's specification.
pub fn officers() -> [(RecipientName, Identity); 2] {
    let (hybrid, to_hybrid) =
        include_str!("../../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').expect("two");
    let x25519 = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let to_x25519 = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    [(to_hybrid, hybrid), (to_x25519, x25519)].map(|(recipient, identity)| {
        (RecipientName::parse(recipient).expect("a recipient"), Identity::parse(identity).expect("an identity"))
    })
}

/// Slots for the officers.
pub fn slots_for_officers(key: &MasterKey) -> Vec<Slot> {
    let random = Seeded::new("slots");
    officers().iter().map(|(to, _)| make_age(key, to, &|bytes| random.fill(bytes)).expect("a slot")).collect()
}

impl Scene {
    pub fn new() -> Scene {
        let (outside, store, holder) = (Outside::new("scene"), MemoryStore::new(), ring("mk"));
        let host = pack_only(&holder);
        let secret = noise("secret", 4096);
        let dump = [rows(1, 2000), secret.clone()].concat();
        let first = pack_as(&outside, &store, &holder.newest().pack, &dump, &CachePlace::None).expect("packs");
        outside.later(DAY);
        let second = [dump, rows(2, 400)].concat();
        let second = pack_as(&outside, &store, &host.keys, &second, &CachePlace::None).expect("packs");
        assert_eq!(second.manifest.bases.len(), 1);
        let other = MemoryStore::new();
        let small = pack_as(&outside, &other, &host.keys, GUESS, &CachePlace::None).expect("packs");
        let (third, slots) = (MemoryStore::new(), slots_for_officers(&master_key("mk")));
        let escrow = pack_bytes(
            &outside,
            &third,
            &holder,
            PackOptions { slots, ..crate::common::world::small(1 << 17) },
            &secret,
        );
        let (small, escrow) = ((other, small), (third, escrow.expect("packs")));
        Scene { outside, store, holder, host, first, second, secret, small, escrow }
    }

    pub fn both(&self) -> [&Manifest; 2] {
        [&self.first.manifest, &self.second.manifest]
    }

    /// A store of its own with the same objects.
    pub fn copy(&self) -> MemoryStore {
        restored(&self.store.snapshot())
    }

    pub fn open(&self, id: &BackupId) -> OpenManifest {
        open(&self.store, &self.holder, id).expect("opens")
    }

    /// Whether a reader with the full key takes the backup for whole, and what it is refused for.
    pub fn judged(&self, store: &MemoryStore, id: &BackupId) -> Result<(), FailureClass> {
        let open = open(store, &self.holder, id).map_err(|error| error.class())?;
        let report = verify_objects(&self.outside.world(store), &open.manifest, Level::Sha256).expect("verifies");
        match report.findings.first() {
            Some(finding) => Err(finding.class),
            None => unpack_bytes(&self.outside, store, &self.holder, id).map(|_| ()).map_err(|error| error.class()),
        }
    }

    /// The keys that stand in the pack-only key, under their names.
    pub fn host_secrets(&self) -> BTreeMap<&'static str, [u8; 32]> {
        let keys = &self.host.keys;
        BTreeMap::from([
            ("public key", keys.public_key),
            ("psk", *keys.psk.expose()),
            ("catalogue key", *keys.catalogue.expose()),
            ("chunk-id key", *keys.chunk_id.expose()),
            ("gear seed", *keys.gear_seed.expose()),
        ])
    }
}

pub fn copied(bytes: &[u8; 32]) -> Secret<32> {
    Secret::fill(|copy| copy.copy_from_slice(bytes))
}

/// A manifest's text with its seal of another time or key.
pub fn retold(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}
