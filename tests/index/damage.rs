//! A cache that is not as it was written tells nothing wrong.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vault::base::id::ChunkId;
use vault::index::cache::{Cache, CacheError, Found, Region, Target, rebuild};

use crate::{BINDING, KEY, Numbers, backup, chunks};

const PAGE: usize = 4096;

/// A small cache in a file, and what it should answer.
struct Small {
    _directory: TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
    right: Vec<(ChunkId, u32, Option<Found>)>,
}

fn small() -> Small {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cache");
    let mut numbers = Numbers(5);
    let mut asked = chunks(&mut numbers, 300);
    let mut new = [backup(1, &asked[..200]), backup(2, &asked[150..])];
    let cache = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path)).expect("a cache");
    // Ids that are not there, and lengths.
    asked.extend(chunks(&mut numbers, 50));
    asked.extend(asked[..50].to_vec().iter().map(|&(id, length)| (id, length + 1)));
    let right = asked.iter().map(|&(id, length)| (id, length, cache.find(&id, length).expect("sound"))).collect();
    let bytes = fs::read(&path).expect("the file");
    assert_eq!(bytes.len() / PAGE, 4, "a header and three chunk pages, then tables");
    Small { _directory: directory, path, bytes, right }
}

impl Small {
    /// Opens the file as it is now; asserts that no answer is wrong, and returns the first error.
    fn check(&self) -> Option<CacheError> {
        self.check_every(1)
    }

    /// The same, asking for one in so many chunks only.
    fn check_every(&self, step: usize) -> Option<CacheError> {
        let cache = match Cache::open(&self.path, &KEY, &BINDING) {
            Ok(cache) => cache.expect("the file is there"),
            Err(error) => return Some(error),
        };
        let mut first = None;
        for (id, length, right) in self.right.iter().step_by(step) {
            match cache.find(id, *length) {
                Ok(found) => assert_eq!(found, *right),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first
    }

    fn file(&self) -> File {
        OpenOptions::new().write(true).open(&self.path).expect("the file")
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(&self.path, bytes).expect("the file is written");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let small = small();
    assert!(small.check().is_none());
    let file = small.file();
    let mut flips = 0;
    for (offset, &byte) in small.bytes.iter().enumerate() {
        for bit in 0..8 {
            file.write_all_at(&[byte ^ 1 << bit], offset as u64).expect("flipped");
            let region = match small.check_every(10) {
                Some(CacheError::NotACache) if offset < 16 => None,
                Some(CacheError::Version { .. }) if (16..20).contains(&offset) => None,
                Some(CacheError::Damaged { region }) => Some(region),
                other => panic!("byte {offset} bit {bit}: {other:?}"),
            };
            let expected = match offset / PAGE {
                0 if offset < 20 => None,
                0 => Some(Region::Header),
                page @ 1..=3 => Some(Region::Page(page - 1)),
                _ => Some(Region::Tables),
            };
            assert_eq!(region, expected, "byte {offset} bit {bit}");
            flips += 1;
        }
        file.write_all_at(&[byte], offset as u64).expect("restored");
    }
    assert_eq!(flips, small.bytes.len() * 8);
    assert!(flips > 4 * PAGE * 8);
    assert!(small.check().is_none(), "restored");
}

#[test]
fn every_truncation_is_found() {
    let small = small();
    let file = small.file();
    for length in (0..small.bytes.len()).rev() {
        file.set_len(length as u64).expect("cut");
        match Cache::open(&small.path, &KEY, &BINDING) {
            Err(CacheError::NotACache) if length < PAGE => {}
            Err(CacheError::Damaged { region }) if length < 4 * PAGE => assert_eq!(region, Region::Header),
            Err(CacheError::Damaged { region }) => assert_eq!(region, Region::Tables),
            other => panic!("{length} bytes: {:?}", other.err()),
        }
    }
    let mut longer = small.bytes.clone();
    longer.push(0);
    small.write(&longer);
    assert!(matches!(small.check(), Some(CacheError::Damaged { region: Region::Tables })));
}

#[test]
fn pages_that_changed_places_are_found() {
    let small = small();
    let mut swapped = small.bytes.clone();
    let (front, back) = swapped.split_at_mut(2 * PAGE);
    front[PAGE..].swap_with_slice(&mut back[..PAGE]);
    small.write(&swapped);
    assert!(matches!(small.check(), Some(CacheError::Damaged { region: Region::Page(_) })));
}

#[test]
fn a_page_of_an_older_cache_is_found() {
    // The same chunks under other ordinals: in the older cache the same page names other backups.
    let directory = tempfile::tempdir().expect("a directory");
    let mut numbers = Numbers(6);
    let asked = chunks(&mut numbers, 300);
    let write = |name: &str, number| {
        let path = directory.path().join(name);
        let mut new = [backup(number, &asked[..200]), backup(5, &asked[150..])];
        rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path)).expect("a cache");
        (path.clone(), fs::read(&path).expect("the file"))
    };
    let ((_, older), (path, mut newer)) = (write("older", 9), write("newer", 1));
    newer[PAGE..2 * PAGE].copy_from_slice(&older[PAGE..2 * PAGE]);
    fs::write(&path, newer).expect("the file is written");
    let cache = Cache::open(&path, &KEY, &BINDING).expect("opens").expect("is there");
    let refused = asked.iter().filter(|(id, length)| cache.find(id, *length).is_err()).count();
    assert!(refused >= 100, "{refused}");
}

#[test]
fn a_damaged_page_ends_a_rebuild() {
    let small = small();
    small.file().write_all_at(&[1], (2 * PAGE + 4070) as u64).expect("the file is written");
    let old = Cache::open(&small.path, &KEY, &BINDING).expect("opens").expect("is there");
    let rebuilt = rebuild(Some(&old), &|_| true, &mut [], &KEY, &BINDING, Target::File(&small.path));
    assert!(matches!(rebuilt.err(), Some(CacheError::Damaged { region: Region::Page(1) })));
    let left = fs::read_dir(small.path.parent().expect("a directory")).expect("listed").count();
    assert_eq!(left, 1, "the temporary file is gone, the cache is not");
}

#[test]
fn another_key_and_another_binding_are_told() {
    let small = small();
    let other = [1; 32];
    let key = Cache::open(&small.path, &other, &BINDING).err();
    assert!(matches!(key, Some(CacheError::Damaged { region: Region::Header })));
    assert!(matches!(Cache::open(&small.path, &KEY, &other).err(), Some(CacheError::Binding)));
    assert!(Cache::open(Path::new("/no/such/cache"), &KEY, &BINDING).expect("no error").is_none());
    let directory = Cache::open(Path::new("/"), &KEY, &BINDING).err();
    assert!(matches!(directory, Some(CacheError::NotACache)));
}
