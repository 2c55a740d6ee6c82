//! A key that is in use is found in the memory of the process, and after its use no more: neither MK nor its key line.
//!
//! One test, since another one beside it would work in the same memory. It looks at the end: what the crates below leave on the stack of a
//! call, the next calls overwrite, and what stays on the heap would still be there.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use vault::base::id::Guid;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::passphrase::Cost;
use vault::crypto::secret::Secret;
use vault::format::age::name::RecipientName;
use vault::keys::age::{Identity, open};
use vault::keys::ring::{Keyring, file_text};
use vault::keys::slots::{Passphrase, SlotOpener, age_plaintext, make, make_age, open_age};

/// What is looked for stands in memory only under this mask, so that the search does not find itself.
const MASK: u8 = 0xa5;
const SCOPE: Scope = Scope { guid: Guid([3; 16]), epoch: 1 };

fn masked(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ MASK).collect()
}

/// How often a masked pattern is in the memory that the process can write.
fn copies(pattern: &[u8]) -> usize {
    let mut buffer = vec![0; 1 << 20];
    let own = buffer.as_ptr() as u64..buffer.as_ptr() as u64 + buffer.len() as u64;
    let mut maps = String::new();
    File::open("/proc/self/maps").expect("Linux").read_to_string(&mut maps).expect("text");
    let memory = File::open("/proc/self/mem").expect("Linux");
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
        let range = line.split(' ').next().expect("a range").split_once('-').expect("two ends");
        let address = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
        let (mut at, end) = (address(range.0), address(range.1));
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            let Ok(read) = memory.read_at(&mut buffer[..length], at) else { break };
            let first = pattern[0] ^ MASK;
            for (place, window) in buffer[..read].windows(pattern.len()).enumerate() {
                let here =
                    window[0] == first && window.iter().zip(pattern).all(|(byte, masked)| byte ^ MASK == *masked);
                found += usize::from(here && !own.contains(&(at + place as u64)));
            }
            // A pattern may lie on the edge of two reads.
            at += if read == length && length == buffer.len() {
                (read - pattern.len() + 1) as u64
            } else {
                length as u64
            };
        }
    }
    buffer.fill(0);
    found
}

#[inline(never)]
fn key(mark: &[u8]) -> MasterKey {
    MasterKey {
        scope: SCOPE,
        secret: Secret::fill(|bytes| bytes.iter_mut().zip(mark).for_each(|(byte, masked)| *byte = masked ^ MASK)),
    }
}

#[test]
fn a_key_is_gone_after_its_use() {
    let fill = |bytes: &mut [u8]| getrandom::fill(bytes).expect("random bytes");
    let mut mark = vec![0; 32];
    fill(&mut mark);
    let key = key(&mark);
    assert!(copies(&mark) >= 1, "the search finds nothing");
    let text = file_text(&key, 0);
    let line = masked(text.lines().find(|line| line.starts_with("VAULT-KEY-1")).expect("a line").as_bytes());
    // The end of it: the beginning is that of every key of the guid.
    let line = &line[line.len() - 40..];
    assert!(copies(line) >= 1, "the search finds nothing");
    drop(Keyring::from_file(text.as_bytes()).expect("a key file"));
    drop(text);
    let cheap = Cost { m: 32, t: 1, p: 1 };
    let word = || Passphrase::new(b"a passphrase".to_vec().into()).expect("a passphrase");
    let wrapped = make(&key, &word(), cheap, &fill).expect("wraps");
    let (identity, hybrid) = include_str!("../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').expect("two");
    let sealed = make_age(&key, &RecipientName::parse(hybrid).expect("a recipient"), &fill).expect("seals");
    drop(age_plaintext(&key));
    drop(key);
    drop(SlotOpener::new(word()).open(SCOPE, &[wrapped]).expect("opens").expect("a key"));
    let identities = [Identity::parse(identity).expect("an identity")];
    drop(open_age(SCOPE, &[sealed], &|file| open(&identities, file)).expect("opens").expect("a key"));
    assert_eq!((copies(&mark), copies(line)), (0, 0));
}
