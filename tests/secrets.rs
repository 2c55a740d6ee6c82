//! Every kind of secret is found in the memory of the process while it is in use, and no more after.
//!
//! One test, since another one beside it would work in the same memory. What is looked for is only known under a mask, so that the search
//! does not find itself. It looks when a scene has ended and its last values are dropped: what a call leaves on a stack, the next calls
//! overwrite, and what is left on the heap would still be there.

#[path = "common/world.rs"]
mod world;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vault::base::id::BackupId;
use vault::crypto::keys::{ArchiveKey, MasterKey};
use vault::crypto::passphrase::Cost;
use vault::crypto::sealed;
use vault::crypto::secret::Secret;
use vault::crypto::segment::{Position, SegmentCipher};
use vault::format::age::name::{IdentityName, RecipientName};
use vault::format::paper::{self, Typed, grouped, split_share};
use vault::keys::age::{Identity, open};
use vault::keys::packing::{self, PackRing};
use vault::keys::paper::{line, read, share_lines};
use vault::keys::ring::{Keyring, file_text, new_key};
use vault::keys::slots::{Passphrase, SlotOpener, age_plaintext, make, make_age, open_age};
use vault::pipeline::World;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::pack;
use vault::pipeline::port::{ObjectInfo, Random, Store, StoreError, Upload};
use vault::store::memory::MemoryStore;
use world::{GUID, Outside, rows, small, unpack_bytes};
use zeroize::Zeroizing;

/// What is looked for stands in memory only under this mask.
const MASK: u8 = 0xa5;
/// Of a text so much is looked for, at its end, and in the middle of a long one: the beginning may be that of others, and what a growing
/// text leaves behind lacks the end.
const PIECE: usize = 40;
/// What a guess costs is not what is tested here.
const CHEAP: Cost = Cost { m: 32, t: 1, p: 1 };
/// How many secrets are looked for.
const MARKS: usize = 56;
/// Identities and their recipients: that of C2SP's specification, and one of `age-keygen`.
const HYBRID: &str = include_str!("../testdata/age/c2sp-mlkem768x25519");
const X25519: (&str, &str) = (
    "AGE-SECRET-KEY-1HQEPDG7Y5C30EPGZTMY974ZW4VGTCQ82QGKYPJZHYKM3EMDM4VXSTWUVRY",
    "age1qslx94vghmn4wpgd0fzkhzq59l22tnar84e6e58jwf0kkf2qw5qqemu42z",
);

/// A secret under the mask.
struct Mark {
    name: &'static str,
    masked: Vec<u8>,
}

impl Mark {
    fn of(name: &'static str, secret: &[u8]) -> Mark {
        let end = &secret[secret.len().saturating_sub(PIECE)..];
        Mark { name, masked: end.iter().map(|byte| byte ^ MASK).collect() }
    }

    fn is_at(&self, memory: &[u8]) -> bool {
        let mut here = memory.iter().zip(&self.masked);
        memory.len() >= self.masked.len() && here.all(|(byte, masked)| byte ^ MASK == *masked)
    }
}

/// Where in the memory that the process can write a secret is, once for each copy.
fn copies(marks: &[Mark]) -> Vec<String> {
    let mut buffer = vec![0; 1 << 20];
    let own = buffer.as_ptr() as u64..buffer.as_ptr() as u64 + buffer.len() as u64;
    let mut maps = String::new();
    File::open("/proc/self/maps").expect("Linux").read_to_string(&mut maps).expect("text");
    let memory = File::open("/proc/self/mem").expect("Linux");
    let overlap = marks.iter().map(|mark| mark.masked.len()).max().unwrap_or(1) - 1;
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
        let range = line.split(' ').next().expect("a range").split_once('-').expect("two ends");
        let address = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
        let (mut at, end) = (address(range.0), address(range.1));
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            let Ok(read) = memory.read_at(&mut buffer[..length], at) else { break };
            // What lies on the edge of two reads is seen by the second one.
            let step = if read == buffer.len() { read - overlap } else { read };
            for mark in marks {
                let places = memchr::memchr_iter(mark.masked[0] ^ MASK, &buffer[..step]);
                let here = |place: &usize| !own.contains(&(at + *place as u64)) && mark.is_at(&buffer[*place..read]);
                let said = |place| format!("{} at {:x} of {line}", mark.name, at + place as u64);
                found.extend(places.filter(here).map(said));
            }
            at += step as u64;
        }
    }
    buffer.fill(0);
    found
}

/// The secrets of the test so far.
#[derive(Default)]
struct Hunt(Vec<Mark>);

impl Hunt {
    /// A secret that is in use now: a search that would not find it proves nothing.
    fn mark(&mut self, name: &'static str, secret: &[u8]) {
        let middle = (secret.len() >= 2 * PIECE).then(|| &secret[..secret.len() / 2 + PIECE / 2]);
        for piece in middle.into_iter().chain([secret]) {
            let mark = Mark::of(name, piece);
            assert!(!copies(std::slice::from_ref(&mark)).is_empty(), "the search does not find {name}");
            self.0.push(mark);
        }
    }

    /// All of them are gone.
    fn ends(&self, scene: &str) {
        let found = copies(&self.0);
        assert!(found.is_empty(), "after {scene}:\n{}", found.join("\n"));
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

fn a_key(hunt: &mut Hunt) -> MasterKey {
    let key = new_key(GUID, &fill);
    hunt.mark("MK", key.secret.expose());
    key
}

/// A key file is made and read; everything that derives from MK is used.
#[inline(never)]
fn key_file(hunt: &mut Hunt) {
    let key = a_key(hunt);
    let text = file_text(&key, 0);
    hunt.mark("a key line", text.trim_end().as_bytes());
    let ring = Keyring::from_file(text.as_bytes()).expect("a key file");
    let keys = ring.newest();
    hunt.mark("the X25519 private key", keys.private_key.expose());
    hunt.mark("the PSK", keys.pack.psk.expose());
    hunt.mark("CK", keys.pack.catalogue.expose());
    hunt.mark("the key of chunk ids", keys.pack.chunk_id.expose());
    hunt.mark("the gear seed", keys.pack.gear_seed.expose());
    hunt.mark("the key of check records", keys.check.expose());
    hunt.mark("the key of the cache", keys.pack.cache_key().as_slice());
    keys.check_mac(b"a record");
    let table = keys.pack.gear_table();
    assert!(table.iter().any(|entry| *entry != 0));
}

/// A pack-only key is made, written and read.
#[inline(never)]
fn pack_only(hunt: &mut Hunt) {
    let ring = Keyring::of(&a_key(hunt), Vec::new());
    let text = packing::file_text(&ring.newest().pack, &[], 1, 0);
    let line = text.lines().find(|line| line.starts_with("VAULT-PACK-1")).expect("a line");
    hunt.mark("a pack line", line.as_bytes());
    let packing = PackRing::from_file(text.as_bytes()).expect("a pack-only key");
    hunt.mark("the PSK of a pack line", packing.keys.psk.expose());
}

/// A passphrase wraps a key and opens it.
#[inline(never)]
fn passphrase(hunt: &mut Hunt) {
    let key = a_key(hunt);
    let mut random = Zeroizing::new([0; 24]);
    fill(random.as_mut_slice());
    let typed: Zeroizing<Vec<u8>> = Zeroizing::new(random.iter().map(|byte| b'a' + byte % 26).collect());
    hunt.mark("a passphrase", &typed);
    let word = || Passphrase::new(typed.clone()).expect("a passphrase");
    let slot = make(&key, &word(), CHEAP, &fill).expect("wraps");
    let opened = SlotOpener::new(word()).open(key.scope, &[slot]).expect("opens").expect("a key");
    assert!(opened.secret.expose() == key.secret.expose());
}

/// An age identity as it is read from its file.
fn identity(hunt: &mut Hunt, text: &str) -> Identity {
    let text = Zeroizing::new(text.to_owned());
    hunt.mark("the text of an age identity", text.as_bytes());
    match IdentityName::parse(&text).expect("an identity") {
        IdentityName::X25519(secret) | IdentityName::Hybrid(secret) => hunt.mark("an age identity", secret.as_slice()),
    }
    Identity::parse(&text).expect("an identity")
}

/// Recipients of both kinds get a key, and their identities open it.
#[inline(never)]
fn age_slots(hunt: &mut Hunt) {
    let hybrid = HYBRID.trim().split_once('\n').expect("two lines");
    for (own, recipient) in [hybrid, X25519] {
        let key = a_key(hunt);
        hunt.mark("the plaintext of an age slot", age_plaintext(&key).trim_end().as_bytes());
        // The file key is drawn first, and then the secret of whoever seals.
        let drawn = Mutex::new(Vec::new());
        let draw = |bytes: &mut [u8]| {
            fill(bytes);
            drawn.lock().expect("one thread").push(Mark::of("what an age file was sealed with", bytes));
        };
        let slot = make_age(&key, &RecipientName::parse(recipient).expect("a recipient"), &draw).expect("seals");
        hunt.0.extend(drawn.into_inner().expect("one thread").into_iter().take(2));
        let identities = [identity(hunt, own)];
        let opened = open_age(key.scope, &[slot], &|file| open(&identities, file)).expect("opens").expect("a key");
        assert!(opened.secret.expose() == key.secret.expose());
    }
}

/// A key goes to paper, whole and in shares, and comes back from what is typed.
#[inline(never)]
fn paper(hunt: &mut Hunt) {
    let key = a_key(hunt);
    let sheet = grouped(&line(&key));
    hunt.mark("what stands on paper", sheet.trim_end().as_bytes());
    assert!(read(sheet.as_bytes()).expect("a key").len() == 1);
    let typed = Zeroizing::new(sheet.to_ascii_lowercase());
    hunt.mark("what somebody types", typed.trim_end().as_bytes());
    assert!(read(typed.as_bytes()).expect("a key").len() == 1);
    // A line that comes back from groups is made anew.
    hunt.mark("a key line", line(&key).as_bytes());
    let shares = share_lines(&key, 2, 3, &mut |bytes| fill(bytes));
    let mut sheets = Zeroizing::new(String::with_capacity(4096));
    for share in &shares[1..] {
        hunt.mark("a share line", share.as_bytes());
        let typed = paper::read(share.as_bytes()).expect("a share");
        let [Typed::Share(bytes)] = typed.as_slice() else { panic!("no share") };
        hunt.mark("a share", split_share(bytes).expect("a share").value);
        sheets.push_str(&grouped(share));
    }
    hunt.mark("shares on paper", sheets.trim_end().as_bytes());
    let back = read(sheets.as_bytes()).expect("a key");
    assert!(back[0].secret.expose() == key.secret.expose());
}

/// An archive key is sealed, opened and used.
#[inline(never)]
fn archive_key(hunt: &mut Hunt) {
    let ring = Keyring::of(&a_key(hunt), Vec::new());
    let keys = ring.newest();
    let id = BackupId::new(GUID, 1_760_000_000_000).expect("13 digits");
    let secret = Secret::fill(|bytes| fill(bytes));
    hunt.mark("AK", secret.expose());
    let archive_key = ArchiveKey::new(keys.pack.scope, id, secret);
    let sealed = sealed::seal(&keys.pack, &id, &archive_key, &mut |bytes| fill(bytes)).expect("seals");
    let opened = sealed::open(keys, &id, &sealed).expect("opens");
    assert!(opened.manifest_mac_is(b"a manifest", &archive_key.manifest_mac(b"a manifest")));
    let part = opened.part_key(&[1; 24], b"a header");
    hunt.mark("the key of a part", part.key.expose());
    let (cipher, mut segment) = (SegmentCipher::new(&part.key), vec![0; 4096]);
    cipher.seal(0, Position::Last, &mut segment);
    cipher.open(0, Position::Last, &mut segment).expect("opens");
    opened.ids_digest().finish();
}

/// Randomness of the system, all of which is remembered under the mask.
#[derive(Default)]
struct Remembered(Mutex<Vec<Mark>>);

impl Random for Remembered {
    fn fill(&self, bytes: &mut [u8]) {
        fill(bytes);
        self.0.lock().expect("nobody panics while they draw").push(Mark::of("what a pack drew", bytes));
    }
}

/// A store that looks for what was drawn when a backup is about to be committed.
struct Looking<'a> {
    store: MemoryStore,
    random: &'a Remembered,
    seen: AtomicUsize,
}

impl Store for Looking<'_> {
    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        if name.ends_with(".json") {
            // AK is the first that is drawn.
            let drawn = self.random.0.lock().expect("nobody panics while they draw");
            self.seen.fetch_add(copies(&drawn[..1]).len(), Ordering::SeqCst);
        }
        self.store.create(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.store.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, offset, length)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.store.delete(name)
    }

    fn location(&self) -> String {
        self.store.location()
    }
}

/// A whole backup: what the packer drew is nowhere when it is written, nor when it was read.
#[inline(never)]
fn backup(hunt: &mut Hunt) {
    let ring = Keyring::of(&a_key(hunt), Vec::new());
    let (outside, random) = (Outside::new("secrets"), Remembered::default());
    let keys = ring.newest();
    hunt.mark("the X25519 private key", keys.private_key.expose());
    hunt.mark("the PSK", keys.pack.psk.expose());
    hunt.mark("CK", keys.pack.catalogue.expose());
    hunt.mark("the key of chunk ids", keys.pack.chunk_id.expose());
    hunt.mark("the gear seed", keys.pack.gear_seed.expose());
    let store = Looking { store: MemoryStore::new(), random: &random, seen: AtomicUsize::new(0) };
    let world = World { random: &random, ..outside.world(&store) };
    let dump = rows(1, 4000);
    let input = Box::new(std::io::Cursor::new(dump.clone()));
    let packed = pack(&world, &keys.pack, &CachePlace::None, small(1 << 17), input).expect("packs");
    assert!(store.seen.into_inner() > 0, "the search does not find AK");
    assert_eq!(unpack_bytes(&outside, &store.store, &ring, &packed.manifest.id).expect("unpacks"), dump);
    // AK, and what it was sealed with; the rest is salts, which stand in the parts.
    hunt.0.extend(random.0.into_inner().expect("nobody panics").into_iter().filter(|mark| mark.masked.len() == 32));
}

#[test]
fn a_secret_is_gone_after_its_use() {
    let mut hunt = Hunt::default();
    for (name, scene) in SCENES {
        let before = hunt.0.len();
        scene(&mut hunt);
        assert!(hunt.0.len() > before, "{name} marks nothing");
        hunt.ends(name);
    }
    assert_eq!(hunt.0.len(), MARKS);
}

type Scene = (&'static str, fn(&mut Hunt));

const SCENES: [Scene; 7] = [
    ("a key file", key_file),
    ("a pack-only key", pack_only),
    ("a passphrase", passphrase),
    ("age slots", age_slots),
    ("paper and shares", paper),
    ("an archive key", archive_key),
    ("a backup", backup),
];
