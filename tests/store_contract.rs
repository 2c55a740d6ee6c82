//! One suite that every store passes, alone and under a wrapper; then the faults of the wrapper.
//!
//! Method: each case gets an empty store and may use only `pipeline::port`.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use vault::base::failure::FailureClass;
use vault::pipeline::port::{ObjectInfo, Store, StoreError};
use vault::store::faulty::{FaultyStore, Times};
use vault::store::local::LocalStore;
use vault::store::memory::MemoryStore;

/// What is promised, and what holds a store to it.
type Case = (&'static str, fn(&dyn Store));

/// The suite.
const CASES: [Case; 16] = [
    ("what is committed is there", committed_is_there),
    ("an empty object is an object", empty_object),
    ("many writes make one object", many_writes),
    ("an upload that is dropped leaves nothing", dropped_leaves_nothing),
    ("nothing is visible before the commit", invisible_before_commit),
    ("a second creator is told so", second_creator),
    ("a name that was deleted can be written again", rewritten_after_delete),
    ("a listing is sorted and takes a prefix", listing),
    ("ranges end where the object ends", ranges),
    ("what is missing is called missing", missing),
    ("of twenty creators one wins", racing_creators),
    ("names that are no names are refused", names_refused),
    ("deleting twice is success", delete_twice),
    ("an object is replaced when it is the expected one", replaced_if_unchanged),
    ("of twenty replacers one object stands, whole", racing_replacers),
    ("the location stays the same", location),
];

/// Runs the suite, a fresh store for each case.
fn conforms(kind: &str, fresh: impl Fn() -> (Box<dyn Store>, Option<TempDir>)) {
    let mut ran = 0;
    for (name, case) in CASES {
        let (store, directory) = fresh();
        println!("{kind}: {name}");
        case(&*store);
        if let Some(directory) = directory {
            assert_eq!(hidden(directory.path()), Vec::<String>::new(), "{name}: temporary files");
        }
        ran += 1;
    }
    assert_eq!(ran, 16);
}

#[test]
fn a_directory_conforms() {
    conforms("local", || {
        let directory = TempDir::new().unwrap();
        let store = LocalStore::open(directory.path()).unwrap();
        (Box::new(store), Some(directory))
    });
}

#[test]
fn memory_conforms() {
    conforms("memory", || (Box::new(MemoryStore::new()), None));
}

#[test]
fn a_wrapper_without_a_fault_conforms() {
    conforms("faulty, memory", || (Box::new(FaultyStore::counting(MemoryStore::new())), None));
    conforms("faulty, local", || {
        let directory = TempDir::new().unwrap();
        let store = FaultyStore::counting(LocalStore::open(directory.path()).unwrap());
        (Box::new(store), Some(directory))
    });
}

/// The dot files of a directory.
fn hidden(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with('.')).collect()
}

// The cases.

fn replaced_if_unchanged(store: &dyn Store) {
    assert!(matches!(store.replace("a", b"", b"new"), Err(StoreError::Missing { .. })));
    assert_eq!(store.list("").unwrap(), [], "a replacement makes nothing");
    put(store, "a", b"old").unwrap();
    put(store, "b", b"other").unwrap();
    for wrong in [&b"olD"[..], b"ol", b"old ", b""] {
        assert!(matches!(store.replace("a", wrong, b"new"), Err(StoreError::Changed { .. })));
    }
    assert_eq!(store.get("a", 0, 9).unwrap(), b"old");
    store.replace("a", b"old", b"newer").unwrap();
    assert_eq!(store.get("a", 0, 9).unwrap(), b"newer");
    assert!(matches!(store.replace("a", b"old", b"newest"), Err(StoreError::Changed { .. })));
    store.replace("a", b"newer", b"").unwrap();
    assert_eq!((store.get("a", 0, 9).unwrap().len(), store.get("b", 0, 9).unwrap()), (0, b"other".to_vec()));
    assert_eq!(store.list("").unwrap().len(), 2);
    assert!(store.replace("../a", b"", b"new").is_err());
}

fn racing_replacers(store: &dyn Store) {
    put(store, "a", b"old").unwrap();
    let (barrier, won) = (Barrier::new(20), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..20_u8 {
            let (barrier, won) = (&barrier, &won);
            scope.spawn(move || {
                barrier.wait();
                match store.replace("a", b"old", &vec![number; 10_000]) {
                    Ok(()) => won.fetch_add(1, Ordering::SeqCst),
                    Err(error) => {
                        assert!(matches!(error, StoreError::Changed { .. }), "{error}");
                        0
                    }
                };
            });
        }
    });
    let stands = store.get("a", 0, 20_000).unwrap();
    assert!(won.into_inner() >= 1 && stands.len() == 10_000 && stands.iter().all(|byte| *byte == stands[0]));
}

fn put(store: &dyn Store, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.create(name)?;
    upload.write(bytes)?;
    upload.commit()
}

fn info(name: &str, bytes: u64) -> ObjectInfo {
    ObjectInfo { name: name.into(), bytes }
}

fn committed_is_there(store: &dyn Store) {
    put(store, "a-1", b"hello").unwrap();
    assert_eq!(store.get("a-1", 0, 5).unwrap(), b"hello");
    assert_eq!(store.list("").unwrap(), [info("a-1", 5)]);
}

fn empty_object(store: &dyn Store) {
    put(store, "a-1", b"").unwrap();
    assert_eq!(store.get("a-1", 0, 10).unwrap(), b"");
    assert_eq!(store.list("").unwrap(), [info("a-1", 0)]);
}

fn many_writes(store: &dyn Store) {
    // Below, at and above the buffer of the directory store, in an order that lets each follow each.
    let sizes = [1, 256, 1 << 20, (1 << 20) + 16, 3, (1 << 20) - 1, 2 << 20, 7];
    let bytes: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|i| (i * 31 + (i >> 9)) as u8).collect();
    let mut upload = store.create("a-1").unwrap();
    let mut rest = &bytes[..];
    for size in sizes {
        upload.write(&rest[..size]).unwrap();
        rest = &rest[size..];
    }
    upload.commit().unwrap();
    assert!(store.get("a-1", 0, bytes.len()).unwrap() == bytes);
}

fn dropped_leaves_nothing(store: &dyn Store) {
    let mut upload = store.create("a-1").unwrap();
    upload.write(&vec![1; 3 << 20]).unwrap();
    drop(upload);
    assert_eq!(store.list("").unwrap(), []);
    put(store, "a-1", b"then").unwrap();
}

fn invisible_before_commit(store: &dyn Store) {
    let mut upload = store.create("a-1").unwrap();
    upload.write(b"hello").unwrap();
    assert_eq!(store.list("").unwrap(), []);
    assert!(matches!(store.get("a-1", 0, 1), Err(StoreError::Missing { .. })));
    upload.commit().unwrap();
    assert_eq!(store.list("").unwrap(), [info("a-1", 5)]);
}

fn second_creator(store: &dyn Store) {
    let mut late = store.create("a-1").unwrap();
    late.write(b"late").unwrap();
    put(store, "a-1", b"early").unwrap();
    for second in [late.commit(), put(store, "a-1", b"later")] {
        let error = second.unwrap_err();
        assert!(matches!(&error, StoreError::Exists { name } if name == "a-1"), "{error}");
        assert_eq!(error.class(), FailureClass::Exists);
    }
    assert_eq!(store.get("a-1", 0, 9).unwrap(), b"early");
    assert_eq!(store.list("").unwrap(), [info("a-1", 5)]);
}

fn rewritten_after_delete(store: &dyn Store) {
    put(store, "a-1", b"one").unwrap();
    store.delete("a-1").unwrap();
    assert!(matches!(store.get("a-1", 0, 1), Err(StoreError::Missing { .. })));
    put(store, "a-1", b"two").unwrap();
    assert_eq!(store.get("a-1", 0, 3).unwrap(), b"two");
}

fn listing(store: &dyn Store) {
    for name in ["b-10", "a-2", "b-1", "b.json", "a-10", "c"] {
        put(store, name, name.as_bytes()).unwrap();
    }
    let names = |prefix: &str| -> Vec<String> { store.list(prefix).unwrap().into_iter().map(|o| o.name).collect() };
    assert_eq!(names(""), ["a-10", "a-2", "b-1", "b-10", "b.json", "c"]);
    assert_eq!(names("b"), ["b-1", "b-10", "b.json"]);
    assert_eq!(names("b-1"), ["b-1", "b-10"]);
    assert_eq!(names("b-10"), ["b-10"]);
    for nothing in ["d", "b-100", "B", ".", "/", "a-10/"] {
        assert_eq!(names(nothing), Vec::<String>::new(), "{nothing}");
    }
}

fn ranges(store: &dyn Store) {
    put(store, "a-1", b"0123456789").unwrap();
    let cases: [(u64, usize, &[u8]); 9] = [
        (0, 10, b"0123456789"),
        (0, 0, b""),
        (3, 4, b"3456"),
        (9, 1, b"9"),
        (8, 10, b"89"),
        (10, 1, b""),
        (11, 1, b""),
        (u64::MAX, 1, b""),
        // Nothing is allocated by a length that somebody made up.
        (2, usize::MAX, b"23456789"),
    ];
    for (offset, length, expected) in cases {
        assert_eq!(store.get("a-1", offset, length).unwrap(), expected, "{length} from {offset}");
    }
}

fn missing(store: &dyn Store) {
    let error = store.get("a-1", 0, 1).unwrap_err();
    assert!(matches!(&error, StoreError::Missing { name } if name == "a-1"), "{error}");
    assert_eq!(error.class(), FailureClass::Missing);
}

fn racing_creators(store: &dyn Store) {
    for round in 0..20 {
        let name = format!("a-{round}");
        let (start, won) = (Barrier::new(20), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for racer in 0..20u8 {
                let (start, won, name) = (&start, &won, &name);
                scope.spawn(move || {
                    // All have looked before any commits.
                    let mut upload = store.create(name).unwrap();
                    upload.write(&[racer; 4096]).unwrap();
                    start.wait();
                    match upload.commit() {
                        Ok(()) => won.fetch_add(1, Ordering::SeqCst),
                        Err(StoreError::Exists { .. }) => 0,
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1, "winners of round {round}");
        let bytes = store.get(&name, 0, 5000).unwrap();
        assert!(bytes.len() == 4096 && bytes.iter().all(|byte| *byte == bytes[0]));
    }
    assert_eq!(store.list("").unwrap().len(), 20);
}

fn names_refused(store: &dyn Store) {
    let long = "x".repeat(129);
    for name in ["", ".", "..", ".hidden", "a/b", "/etc/passwd", "../a", "a\0b", &long] {
        let refusals = [store.get(name, 0, 1).map(drop), store.create(name).map(drop), store.delete(name)];
        for refusal in refusals {
            let error = refusal.expect_err(name);
            assert!(matches!(error, StoreError::Failed { .. }), "{name:?}: {error}");
            assert!(error.to_string().contains("no object can have this name"), "{error}");
        }
    }
    let longest = "x".repeat(128);
    for name in [longest.as_str(), "ä", "a b", "~", "-"] {
        put(store, name, b"fine").unwrap();
        assert_eq!(store.get(name, 0, 4).unwrap(), b"fine");
        store.delete(name).unwrap();
    }
}

fn delete_twice(store: &dyn Store) {
    put(store, "a-1", b"one").unwrap();
    put(store, "a-10", b"ten").unwrap();
    store.delete("a-1").unwrap();
    store.delete("a-1").unwrap();
    assert_eq!(store.list("").unwrap(), [info("a-10", 3)], "deletion takes one name");
}

fn location(store: &dyn Store) {
    let before = store.location();
    assert!(!before.is_empty());
    put(store, "a-1", b"one").unwrap();
    assert_eq!(store.location(), before);
}

// The faults.

/// A small run: five operations when all goes well.
fn run(store: &dyn Store) -> Result<(), StoreError> {
    store.list("")?;
    put(store, "a-1", b"one")?;
    store.get("a-1", 0, 3).map(drop)
}

#[test]
fn every_operation_fails_in_its_turn() {
    for times in [Times::Once, Times::FromThenOn] {
        let mut at = 1;
        let runs = loop {
            let memory = MemoryStore::new();
            let store = FaultyStore::failing(memory.clone(), at, times);
            let done = run(&store);
            if store.operations() < at {
                done.unwrap();
                break at - 1;
            }
            assert_eq!(done.unwrap_err().class(), FailureClass::Store, "operation {at}");
            assert_eq!(memory.names().is_empty(), at < 5, "operation {at}");
            let again = store.delete("a-1");
            assert_eq!(again.is_ok(), times == Times::Once);
            at += 1;
        };
        assert_eq!(runs, 5);
    }
}

#[test]
fn a_lost_reply_leaves_the_object() {
    let memory = MemoryStore::new();
    let store = FaultyStore::losing_reply(memory.clone(), 2);
    put(&store, "a-1", b"one").unwrap();
    assert!(put(&store, "a-2", b"two").is_err());
    put(&store, "a-3", b"three").unwrap();
    assert_eq!(memory.names(), ["a-1", "a-2", "a-3"]);
    assert_eq!(store.commits(), 3);
}

#[test]
fn a_store_without_create_if_absent_overwrites() {
    let memory = MemoryStore::new();
    let store = FaultyStore::overwriting(memory.clone());
    put(&store, "a-1", b"one").unwrap();
    let mut upload = store.create("a-1").unwrap();
    upload.write(b"two").unwrap();
    assert_eq!(memory.snapshot()["a-1"], b"one", "visible before the commit");
    upload.commit().unwrap();
    assert_eq!(memory.snapshot()["a-1"], b"two");
}
