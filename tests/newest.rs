//! The newest backup is what a person gets on the worst day: nothing may hide it, and nothing may stop the next one from being made.

mod common;

use common::world::*;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::format::header::Role;
use vault::format::manifest::Verdict;
use vault::keys::ring::{Keyring, file_text, new_key};
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Doubt, PackOptions, Packed, Shrink};
use vault::pipeline::port::Store;
use vault::pipeline::survey::{Survey, latest};
use vault::store::memory::MemoryStore;

/// Two days of one guid; the second uses parts of the first.
fn two_days(
    outside: &Outside,
    store: &dyn Store,
    ring: &Keyring,
    place: &CachePlace,
) -> Vec<vault::format::manifest::Manifest> {
    let mut dump = rows(1, 4000);
    let mut days = Vec::new();
    for day in 0..2 {
        outside.later(86_400_000);
        dump.extend(rows(50 + day, 40));
        days.push(pack_with(outside, store, ring, small(16_704), &dump, place).expect("packs").manifest);
    }
    days
}

#[test]
fn no_bit_of_its_manifest_hides_the_newest_backup() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let newest = two_days(&outside, &store, &ring, &CachePlace::None).pop().expect("a second day");
    let name = newest.id.manifest_name();
    let text = store.get(&name, 0, 1 << 20).expect("the manifest");
    let head = text.iter().position(|byte| *byte == b',').expect("a first member");
    let mut cases = 0;
    for bit in 0..head * 8 {
        let mut changed = text.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        store.insert(&name, changed);
        let refused = latest(&store, &ring).err().unwrap_or_else(|| panic!("bit {bit} is passed over"));
        assert_eq!(refused.class(), FailureClass::Damaged, "bit {bit}: {refused}");
        cases += 1;
    }
    assert_eq!(cases, 168);
}

#[test]
fn an_earlier_epoch_is_never_the_latest() {
    let (outside, store) = (Outside::new("run"), MemoryStore::new());
    let random = Seeded::new("keys");
    let fill = |bytes: &mut [u8]| vault::pipeline::port::Random::fill(&random, bytes);
    let (first, mut second) = (new_key(GUID, &fill), new_key(GUID, &fill));
    second.scope.epoch = 2;
    let both = format!("{}{}", file_text(&first, 0).as_str(), file_text(&second, 0).as_str());
    let both = Keyring::from_file(both.as_bytes()).expect("two epochs");
    let old = Keyring::of(&first, Vec::new());
    pack_bytes(&outside, &store, &old, small(16_704), b"of the first epoch").expect("packs");
    assert_eq!(latest(&store, &both).err().map(|error| error.class()), Some(FailureClass::NotFound));
    outside.later(1000);
    let second = pack_bytes(&outside, &store, &both, small(16_704), b"of the second epoch").expect("packs").manifest;
    outside.later(1000);
    pack_bytes(&outside, &store, &old, small(16_704), b"forged with the first key").expect("packs");
    assert_eq!(latest(&store, &both).expect("the second epoch").open.manifest.id, second.id);
}

#[test]
fn a_damaged_catalogue_stops_one_audit_and_not_the_next() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let folder = tempfile::tempdir().expect("a folder");
    let place = CachePlace::File(folder.path().join("cache"));
    let days = two_days(&outside, &store, &ring, &place);
    let catalogue = days[0].parts.iter().find(|part| part.role == Role::Catalogue).expect("a catalogue");
    let name = days[0].id.part_name(catalogue.index);
    let mut bytes = store.get(&name, 0, 1 << 20).expect("the catalogue");
    bytes[300] ^= 1;
    store.insert(&name, bytes);

    let mut dump = rows(1, 4000);
    dump.extend(rows(99, 40));
    let paranoid = || PackOptions { paranoid: true, ..small(16_704) };
    outside.later(1000);
    let failed = pack_with(&outside, &store, &ring, paranoid(), &dump, &place).expect_err("the audit cannot be done");
    assert_eq!(failed.class(), FailureClass::Failure, "{failed}");
    assert!(Survey::take(&store, "").expect("a listing").backups.len() == 2, "nothing of the failed run is left");
    outside.later(1000);
    let packed = pack_with(&outside, &store, &ring, paranoid(), &dump, &place).expect("the next one is a full one");
    assert_eq!(packed.manifest.bases, []);
    assert!(unpack_bytes(&outside, &store, &ring, &packed.manifest.id).expect("unpacks") == dump);
}

#[test]
fn what_no_reader_takes_is_not_written() {
    let (ring, outside) = (ring("key"), Outside::new("run"));
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let wrong = [
        vec![tag("a", "1"), tag("a", "2")],
        vec![tag("a", "x\ty")],
        vec![tag(&"k".repeat(65), "")],
        vec![tag("a", &"v".repeat(257))],
        (0..33).map(|number| tag(&number.to_string(), "")).collect(),
    ];
    let mut cases = 0;
    for tags in wrong {
        let store = MemoryStore::new();
        let options = PackOptions { tags, ..small(16_704) };
        assert!(pack_bytes(&outside, &store, &ring, options, b"a dump").is_err());
        assert_eq!(store.names(), [] as [String; 0]);
        cases += 1;
    }
    assert_eq!(cases, 5);
}

/// Days of one database whose dumps shrink and grow.
struct Days {
    ring: Keyring,
    outside: Outside,
    store: MemoryStore,
    place: CachePlace,
}

impl Days {
    fn new(place: CachePlace) -> Days {
        Days { ring: ring("key"), outside: Outside::new("run"), store: MemoryStore::new(), place }
    }

    fn try_pack(&self, options: PackOptions, dump: &[u8]) -> Packed {
        self.outside.later(86_400_000);
        pack_with(&self.outside, &self.store, &self.ring, options, dump, &self.place).expect("packs")
    }

    fn pack(&self, count: usize) -> Packed {
        self.try_pack(small(16_704), &rows(count as u64, count))
    }

    /// A dump that is cut short, however long it is.
    fn cut(&self, count: usize) -> BackupId {
        let head = b"--\n-- PostgreSQL database dump\n--\n\nCOPY t (a, b, c, d) FROM stdin;\n";
        let options = PackOptions { allow_incomplete: true, ..small(16_704) };
        let packed = self.try_pack(options, &[head.as_slice(), &rows(5, count)].concat());
        assert_eq!(packed.manifest.verdict, Verdict::Incomplete);
        packed.manifest.id
    }

    /// What the next dump of that many rows is compared with, when it is found to be less than half.
    fn shrunk_from(&self, count: usize) -> Option<BackupId> {
        match self.pack(count).doubt {
            Some(Doubt::Shrunk(last)) => Some(last.id),
            Some(doubt) => panic!("{doubt:?}"),
            None => None,
        }
    }

    /// Somebody with the store's rights writes another verdict into a manifest.
    fn forge(&self, id: &BackupId, from: &str, to: &str) {
        let text = String::from_utf8(self.store.get(&id.manifest_name(), 0, 1 << 20).expect("there")).expect("text");
        assert!(text.contains(from));
        self.store.insert(id.manifest_name(), text.replace(from, to).into_bytes());
    }
}

#[test]
fn a_dump_is_compared_with_the_last_good_one_whatever_came_between() {
    let folder = tempfile::tempdir().expect("a folder");
    for place in [CachePlace::None, CachePlace::File(folder.path().join("cache"))] {
        let days = Days::new(place);
        assert_eq!(days.shrunk_from(300), None, "there is nothing before it");
        let last = days.pack(1000).manifest.id;
        days.cut(3000);
        assert_eq!(days.shrunk_from(300), Some(last));
        assert_eq!(days.shrunk_from(299), Some(last), "nobody accepted it");
        days.cut(10);
        assert_eq!(days.shrunk_from(298), Some(last));
        assert_eq!(days.shrunk_from(600), None);
        assert_eq!(days.shrunk_from(320), None, "half of the newest good one");
        let expected = PackOptions { shrink: Shrink::Allow, ..small(16_704) };
        assert_eq!(days.try_pack(expected, &rows(3, 50)).manifest.verdict, Verdict::Unchecked);
        assert_eq!(days.shrunk_from(40), None);
        assert_eq!(days.outside.warnings(), [] as [String; 0]);
    }
}

#[test]
fn a_manifest_that_lies_about_its_verdict_is_not_what_dumps_are_compared_with() {
    let days = Days::new(CachePlace::None);
    let last = days.pack(1000).manifest.id;
    let marked = days.pack(100).manifest.id;
    let cut = days.cut(100);
    // Its draft says otherwise.
    for (id, from) in [(&marked, "\"shrunk\""), (&cut, "\"incomplete\"")] {
        for to in ["\"complete\"", "\"unchecked\""] {
            days.forge(id, from, to);
            assert_eq!(days.shrunk_from(101), Some(last), "{from} as {to}");
            days.forge(id, to, from);
        }
    }
    days.forge(&cut, "\"incomplete\"", "\"accepted\"");
    assert_eq!(days.shrunk_from(102), Some(last), "nobody accepts what is cut short");
    // A host that only packs believes that somebody accepted it, and nobody else does.
    let newest = days.pack(103).manifest.id;
    days.forge(&newest, "\"shrunk\"", "\"accepted\"");
    assert_eq!(days.shrunk_from(104), None);
    assert_eq!(open(&days.store, &days.ring, &newest).err().map(|error| error.class()), Some(FailureClass::Damaged));
}

#[test]
fn a_last_good_backup_that_cannot_be_read_is_told() {
    let days = Days::new(CachePlace::None);
    let first = days.pack(900).manifest.id;
    let last = days.pack(1000).manifest;
    days.cut(10);
    let catalogue = last.parts.iter().find(|part| part.role == Role::Catalogue).expect("a catalogue");
    let name = last.id.part_name(catalogue.index);
    let mut bytes = days.store.get(&name, 0, 1 << 20).expect("the catalogue");
    bytes[300] ^= 1;
    days.store.insert(&name, bytes);
    assert_eq!(days.shrunk_from(100), Some(first));
    let told = days.outside.warnings();
    let about = |warning: &&String| warning.starts_with("the size of the dump is not compared with that of ");
    assert_eq!(told.iter().filter(about).count(), 1, "{told:?}");
}
