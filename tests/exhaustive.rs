//! Every bit of every object matters: each single one is changed, and each object is cut at every length. Verify refuses in the class that
//! the place of the change asks for, and unpack refuses too, having released nothing but a beginning of the dump; or it gives the dump,
//! where it does not read what was changed.

mod common;

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::stores::{Change, Changed, Snapshot};
use common::world::*;
use vault::archive::manifest::OpenManifest;
use vault::archive::part::{Expected, ObjectDigest, OpenPart, PartSealer, PartSecret};
use vault::base::cutter::Cutter;
use vault::base::failure::FailureClass;
use vault::base::id::BackupId;
use vault::crypto::secret::Secret;
use vault::format::frame::Place;
use vault::format::header::{Header, Role, SegmentSize};
use vault::format::manifest::{Manifest, Part};
use vault::format::slot::{Slot, SlotKind};
use vault::keys::ring::Keyring;
use vault::pipeline::pack::PackOptions;
use vault::pipeline::unpack::Restore;
use vault::pipeline::verify::verify_full;
use vault::store::memory::MemoryStore;

use FailureClass::{Damaged, Limit, Unsupported, WrongKey};

/// A backup to be broken.
struct Victim {
    ring: Keyring,
    id: BackupId,
    dump: Vec<u8>,
    snapshot: Snapshot,
    manifest_text: Vec<u8>,
    manifest: Manifest,
    /// Every object that the manifest names, and itself.
    objects: Vec<Object>,
    /// Read from the whole store, for changes that are not of the manifest.
    open: OpenManifest,
}

/// One object of it.
struct Object {
    name: String,
    length: usize,
    /// `None` for the manifest.
    role: Option<Role>,
    /// From here on a restore reads nothing.
    read: usize,
}

/// A case that did not go as it should.
type Wrong = Mutex<Vec<String>>;

impl Victim {
    /// `unread` is where the first data part has nothing but segments of padding.
    fn new(ring: Keyring, store: &MemoryStore, id: BackupId, dump: Vec<u8>, unread: usize) -> Victim {
        let open = open(store, &ring, &id).expect("opens");
        let manifest = open.manifest.clone();
        let snapshot = store.snapshot();
        let parts = manifest.objects().map(|(of, part)| {
            let first = of == id && part.index == 0;
            let length = part.bytes as usize;
            let read = if first { unread } else { length };
            Object { name: of.part_name(part.index), length, role: Some(part.role), read }
        });
        let mut objects: Vec<Object> = parts.collect();
        let (name, manifest_text) = (id.manifest_name(), snapshot[&id.manifest_name()].clone());
        objects.push(Object { name, length: manifest_text.len(), role: None, read: manifest_text.len() });
        Victim { ring, id, dump, snapshot, manifest_text, manifest, objects, open }
    }

    /// Makes one change, and says what went otherwise than it should.
    fn check(&self, outside: &Outside, object: &Object, change: Change) -> Result<(), String> {
        let store = Changed { snapshot: &self.snapshot, name: &object.name, change };
        let world = outside.world(&store);
        let Some(role) = object.role else {
            let expected = self.manifest_class(change);
            return match open(&store, &self.ring, &self.id) {
                Err(error) if error.class() == expected => Ok(()),
                Err(error) => Err(format!("{expected:?} expected: {error}")),
                Ok(_) => Err(format!("{expected:?} expected: it opens")),
            };
        };
        let report = verify_full(&world, &self.open, self.ring.newest(), 1).map_err(|error| error.to_string())?;
        match report.findings.as_slice() {
            [only] if only.class == Damaged && only.hinders_restore == (role != Role::Catalogue) => {}
            other => return Err(format!("verify: {other:?}")),
        }
        let mut released = Vec::new();
        let outcome = Restore::prepare(&world, &self.open, self.ring.newest(), 1)
            .and_then(|restore| restore.release(&mut released));
        let class = match &outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(error.class()),
        };
        if class != self.part_class(object, role, change) {
            return Err(format!("unpack: {outcome:?}"));
        }
        // Sizes and headers are looked at before anything is released.
        let early = matches!(change, Change::Cut(_)) || matches!(change, Change::Flip(at, _) if at < 256);
        if outcome.is_err() && early && !released.is_empty() {
            return Err(format!("{} bytes released before every object was looked at", released.len()));
        }
        let all = outcome.is_ok();
        let right = if all { released == self.dump } else { self.dump.starts_with(&released) };
        if right { Ok(()) } else { Err(format!("{} wrong bytes released", released.len())) }
    }

    /// How a restore ends when a part is changed.
    fn part_class(&self, object: &Object, role: Role, change: Change) -> Result<(), FailureClass> {
        match change {
            _ if role == Role::Catalogue => Ok(()),
            Change::Flip(8, _) => Err(Unsupported),
            // Another role that exists is another field; one that does not is a newer format.
            Change::Flip(9, mask) => Err(if role_byte(role) ^ mask <= 2 { Damaged } else { Unsupported }),
            Change::Flip(at, _) if at >= object.read => Ok(()),
            _ => Err(Damaged),
        }
    }

    /// How the manifest is refused.
    fn manifest_class(&self, change: Change) -> FailureClass {
        let text = &self.manifest_text;
        let (at, mask) = match change {
            Change::Flip(at, mask) => (at, mask),
            _ => return Damaged,
        };
        let inside = |before: &str, value: &str| {
            let whole = [before, value].concat();
            let found = text.windows(whole.len()).position(|window| window == whole.as_bytes());
            found.is_some_and(|start| (start + before.len()..start + whole.len()).contains(&at))
        };
        let byte = text[at] ^ mask;
        let fingerprint = vault::base::bytes::to_hex(&self.manifest.fingerprint);
        if inside("\"version\": ", "1") && byte.is_ascii_digit() {
            Unsupported
        } else if inside("\"p\": ", "4") && byte.is_ascii_digit() {
            // Five lanes, six, or none.
            Limit
        } else if (inside("\"epoch\": ", "1") && (b'1'..=b'9').contains(&byte))
            || (inside("\"fingerprint\": \"", &fingerprint) && matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            WrongKey
        } else if inside("\"type\": \"", "passphrase") && matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\') {
            Unsupported
        } else {
            Damaged
        }
    }

    /// Checks every case, on two threads.
    fn check_all(&self, cases: &[(usize, Change)]) {
        let (next, wrong) = (AtomicUsize::new(0), Wrong::default());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let outside = Outside::new("break");
                    while let Some((object, change)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let object = &self.objects[*object];
                        if let Err(what) = self.check(&outside, object, *change) {
                            let what = format!("{} {:?} {change:?}: {what}", object.name, object.role);
                            wrong.lock().expect("no thread panics").push(what);
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().expect("no thread panicked");
        assert!(
            wrong.is_empty(),
            "{} of {} cases, such as {:#?}",
            wrong.len(),
            cases.len(),
            &wrong[..wrong.len().min(20)]
        );
    }
}

fn role_byte(role: Role) -> u8 {
    match role {
        Role::Data => 0,
        Role::Catalogue => 1,
        Role::Index => 2,
    }
}

/// Two data parts of 4 KiB segments, one of them with a segment of padding alone, a base, and a slot.
fn tiny() -> Victim {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    // Larger chunks than elsewhere make a smaller catalogue.
    let cutter = Some(Cutter { minimum: 256, average: 512, maximum: 4096, strict: 0x1fe0, loose: 0x03e0 });
    let first = noise("first day", 400);
    pack_bytes(&outside, &store, &ring, PackOptions { cutter, ..small(16_704) }, &first).expect("packs");
    outside.later(1);
    let dump = [first, rows(1, 172), noise("second day", 5700)].concat();
    let kind = SlotKind::Passphrase { m: 65_536, t: 3, p: 4, salt: [1; 16], commitment: [2; 32], wrapped: [3; 68] };
    let options = PackOptions {
        cutter,
        slots: vec![Slot { id: [0x5a; 4], kind }],
        tags: vec![("host".into(), "db1".into())],
        ..small(8480)
    };
    let packed = pack_bytes(&outside, &store, &ring, options, &dump).expect("packs");
    assert_eq!(outside.warnings(), [] as [String; 0]);
    Victim::new(ring, &store, packed.manifest.id, dump, 256 + 4112)
}

#[test]
fn no_bit_of_a_small_backup_can_change() {
    let victim = tiny();
    let shape: Vec<(usize, Option<Role>)> = victim.objects.iter().map(|object| (object.length, object.role)).collect();
    println!("{shape:?}");
    let count = |role| victim.objects.iter().filter(|object| object.role == role).count();
    assert_eq!(
        (count(Some(Role::Data)), count(Some(Role::Catalogue)), count(Some(Role::Index)), count(None)),
        (3, 2, 1, 1)
    );
    let (mut cases, mut bytes) = (Vec::new(), 0);
    for (number, object) in victim.objects.iter().enumerate() {
        bytes += object.length;
        for at in 0..object.length {
            cases.push((number, Change::Cut(at)));
            cases.extend((0..8).map(|bit| (number, Change::Flip(at, 1 << bit))));
        }
    }
    assert_eq!(cases.len(), bytes * 9);
    assert!((15_000..26_000).contains(&bytes), "{bytes} bytes");
    victim.check_all(&cases);
}

#[test]
fn no_bit_of_a_backup_with_large_segments_can_change() {
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let dump = noise("dump", (3 << 19) + 12_345);
    let packed = pack_bytes(&outside, &store, &ring, defaults(), &dump).expect("packs");
    let victim = Victim::new(ring, &store, packed.manifest.id, dump, usize::MAX);
    let mut cases = Vec::new();
    for (number, object) in victim.objects.iter().enumerate().filter(|(_, object)| object.role.is_some()) {
        let bytes = &victim.snapshot[&object.name];
        for (at, byte) in bytes[..256].iter().enumerate() {
            // Every mask changes something: to zero, to all ones, by one bit at either end.
            let masks = [*byte, !*byte, 1, 0x80];
            cases.extend(masks.iter().filter(|mask| **mask != 0).map(|mask| (number, Change::Flip(at, *mask))));
        }
    }
    assert!(cases.len() > 3 * 256 * 3, "{}", cases.len());
    let total: usize = victim.objects.iter().map(|object| object.length).sum();
    let mut draws = noise("bits", 80_000);
    for draw in draws.as_chunks_mut::<8>().0 {
        let mut at = (u64::from_le_bytes(*draw) / 8) as usize % total;
        let number = victim.objects.iter().position(|object| {
            let here = at < object.length;
            at -= if here { 0 } else { object.length };
            here
        });
        cases.push((number.expect("below the total"), Change::Flip(at, 1 << (draw[0] % 8))));
    }
    victim.check_all(&cases);
}

#[test]
fn a_cut_is_seen_before_the_first_byte_is_released() {
    // Long enough that spans could be released before the end of the part is missed.
    let (ring, outside, store) = (ring("key"), Outside::new("run"), MemoryStore::new());
    let dump = noise("dump", 4 << 20);
    let packed = pack_bytes(&outside, &store, &ring, defaults(), &dump).expect("packs");
    let victim = Victim::new(ring, &store, packed.manifest.id, dump, usize::MAX);
    let mut cases = Vec::new();
    for (number, object) in victim.objects.iter().enumerate() {
        let cuts = [0, 100, 255, 256, object.length / 2, object.length - 1];
        cases.extend(cuts.into_iter().filter(|cut| *cut < object.length).map(|cut| (number, Change::Cut(cut))));
    }
    assert_eq!(cases.len(), 4 * 6);
    victim.check_all(&cases);
}

/// A part of three segments and a half, sealed under a key that is not that of any vault; and what is recorded of it.
fn sealed_part() -> (Vec<u8>, Part, Header, Secret<32>) {
    let secret = Secret::fill(|bytes| *bytes = [7; 32]);
    let header = Header {
        role: Role::Catalogue,
        segment: SegmentSize::from_log2(12).expect("4 KiB"),
        index: 3,
        id: BackupId::new(GUID, 1_760_000_000_000).expect("an id"),
        epoch: 1,
        fingerprint: [1; 16],
        salt: [2; 24],
        sealed_key: [3; 80],
    };
    let mut sealer = PartSealer::begin(header.clone(), PartSecret::Catalogue(&secret), 1 << 20);
    let mut object = sealer.header_bytes().to_vec();
    let mut sink = |segment: &mut Vec<u8>| {
        object.extend_from_slice(segment);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = sealer.push(&noise("part", 14_336), &mut sink);
    let Ok(sealed) = sealer.finish(Place::Last, &mut sink);
    let part = sealed.record(ObjectDigest::of(&object));
    assert_eq!((part.bytes, object.len()), (256 + 14_336 + 4 * 16, 256 + 14_336 + 4 * 16));
    (object, part, header, secret)
}

/// Opens a part and all of its segments; `Err` is where it was refused, with `None` for the header.
fn open_part(object: &[u8], part: &Part, header: &Header, secret: &Secret<32>) -> Result<Vec<u8>, Option<u64>> {
    let expected = Expected { id: header.id, part, epoch: 1, fingerprint: [1; 16], sealed_key: &[3; 80] };
    let open = OpenPart::open(&object[..256], &expected, PartSecret::Catalogue(secret)).map_err(|_| None)?;
    let mut plain = Vec::new();
    for segment in 0..open.segments() {
        let (offset, length) = open.segment_range(segment);
        let mut bytes = object[offset as usize..offset as usize + length].to_vec();
        open.open_segment(segment, &mut bytes).map_err(|_| Some(segment))?;
        plain.extend_from_slice(&bytes);
    }
    Ok(plain)
}

/// What no store can do, since manifests are under a MAC: records that agree with what was done to the part.
#[test]
fn a_part_holds_against_records_that_agree_with_its_damage() {
    let (object, part, header, secret) = sealed_part();
    assert_eq!(open_part(&object, &part, &header, &secret).expect("opens"), noise("part", 14_336));
    // Cut on a segment boundary: the segment that is now the last one is not marked as the last.
    for segments in 1..4 {
        let bytes = 256 + segments * 4112;
        let cut = Part { bytes, ..part.clone() };
        assert_eq!(open_part(&object[..bytes as usize], &cut, &header, &secret), Err(Some(segments - 1)));
    }
    // Continued: the one that was the last is marked as such.
    let long = [&object[..256 + 3 * 4112], &object[256 + 2 * 4112..256 + 3 * 4112], &object[256 + 3 * 4112..]].concat();
    let longer = Part { bytes: long.len() as u64, ..part.clone() };
    assert_eq!(open_part(&long, &longer, &header, &secret), Err(Some(3)));
    // Two segments in each other's place.
    let swapped = [&object[..256], &object[4368..8480], &object[256..4368], &object[8480..]].concat();
    assert_eq!(open_part(&swapped, &part, &header, &secret), Err(Some(0)));
    // A commitment that header and record share, and that the key does not derive; and a header of which anything else differs.
    for at in 0..256 {
        let mut changed = object.clone();
        changed[at] ^= 1;
        let mut recorded = part.clone();
        if at >= 224 {
            recorded.commitment[at - 224] ^= 1;
        }
        assert_eq!(open_part(&changed, &recorded, &header, &secret), Err(None), "header byte {at}");
    }
    let other = Secret::fill(|bytes| *bytes = [8; 32]);
    assert_eq!(open_part(&object, &part, &header, &other), Err(None), "another key");
}
