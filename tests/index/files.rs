//! The file of a cache: whole or not there, its owner's alone, and nobody's rubbish beside it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use vault::index::cache::{Cache, CacheError, Target, rebuild};

use crate::{BINDING, KEY, Numbers, backup, chunks};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn only_its_owner_reads_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a/b/cache");
    rebuild(None, &|_| true, &mut [], &KEY, &BINDING, Target::File(&path)).expect("a cache");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&directory.path().join("a")), 0o700);
    assert_eq!(mode(&directory.path().join("a/b")), 0o700);
}

#[test]
fn what_cannot_be_written_can_be_held() {
    // Root writes to directories that forbid it, but not below a file.
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("file"), b"").expect("a file");
    let path = directory.path().join("file/cache");
    let all = chunks(&mut Numbers(1), 1000);
    let mut new = [backup(1, &all)];
    let file = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path));
    assert!(matches!(file.err(), Some(CacheError::Io { .. })));
    let heap = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::Heap).expect("a cache");
    assert!(all.iter().all(|(id, length)| heap.find(id, *length).is_ok_and(|found| found.is_some())));
}

#[test]
fn an_open_cache_outlives_its_replacement() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cache");
    let all = chunks(&mut Numbers(1), 1000);
    let mut new = [backup(1, &all)];
    let old = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path)).expect("a cache");
    rebuild(None, &|_| true, &mut [], &KEY, &BINDING, Target::File(&path)).expect("another");
    assert!(all.iter().all(|(id, length)| old.find(id, *length).is_ok_and(|found| found.is_some())));
}

#[test]
fn what_a_crash_left_is_removed_and_what_is_being_written_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let names = [".cache.1.0.tmp", ".cache.2.0.tmp", ".cache2.1.0.tmp", ".cache.keep"];
    let files = names.map(|name| File::create(directory.path().join(name)).expect("a file"));
    files[1].try_lock().expect("a lock");
    let path = directory.path().join("cache");
    rebuild(None, &|_| true, &mut [], &KEY, &BINDING, Target::File(&path)).expect("a cache");
    let left: HashSet<_> =
        fs::read_dir(directory.path()).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, HashSet::from(["cache", names[1], names[2], names[3]].map(Into::into)));
}

#[test]
fn writers_that_race_leave_one_whole_cache() {
    const ROUNDS: usize = 200;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cache");
    let all: Vec<_> = (0..3).map(|seed| chunks(&mut Numbers(seed), 500)).collect();
    let write = |number: usize| {
        let mut new = [backup(number as u64, &all[number])];
        rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::File(&path)).expect("a cache")
    };
    // Of a whole cache every chunk of its only backup is there, whoever wrote it.
    let check = |cache: Cache| {
        let number = (cache.backups()[0].id.timestamp - 1_700_000_000_000) as usize;
        let place = |&(id, length)| cache.find(&id, length).expect("sound").is_some();
        assert!(all[number].iter().all(place));
    };
    write(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..3).map(|number| scope.spawn(move || (0..ROUNDS).for_each(|_| check(write(number))))).collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                check(Cache::open(&path, &KEY, &BINDING).expect("whole").expect("there"));
            }
        });
        let ends: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok));
    });
    assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 1, "no temporary file is left");
}
