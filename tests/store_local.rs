//! What a directory must do as a store beyond the contract: private files, links, disks that are full, read-only, gone or lying.
//!
//! Method: these tests need root, because they mount small and read-only file systems, and the program `strace`, which shows the order
//! of the system calls and makes one of them fail. Where that is missing they fail and name it: `make test` installs the package
//! `strace`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use vault::base::failure::FailureClass;
use vault::pipeline::port::{ObjectInfo, Store, StoreError};
use vault::store::local::LocalStore;

fn put(store: &dyn Store, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.create(name)?;
    upload.write(bytes)?;
    upload.commit()
}

fn info(name: &str, bytes: u64) -> ObjectInfo {
    ObjectInfo { name: name.into(), bytes }
}

/// The dot files of a directory.
fn hidden(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_directory_holds_private_files_and_hides_temporary_ones() {
    let directory = TempDir::new().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    let mut upload = store.create("a-1").unwrap();
    upload.write(b"hello").unwrap();
    let temporary = hidden(directory.path());
    assert_eq!(temporary.len(), 1);
    assert!(temporary[0].starts_with(".vault-a-1-") && temporary[0].ends_with(".tmp"));
    upload.commit().unwrap();
    assert_eq!(hidden(directory.path()), Vec::<String>::new());
    let metadata = fs::metadata(directory.path().join("a-1")).unwrap();
    assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o600, 1));
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next_one() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let left = [".vault-a-1-0011223344556677.tmp", ".vault-b-1.json-8899aabbccddeeff.tmp"];
    let kept = [".vault-notes", ".other-a-1-0011223344556677.tmp"];
    for name in left.iter().chain(&kept) {
        fs::write(at(name), b"half").unwrap();
    }
    fs::create_dir(at(".vault-directory.tmp")).unwrap();
    symlink(at("elsewhere"), at(".vault-link.tmp")).unwrap();
    let sorted = || {
        let mut names = hidden(directory.path());
        names.sort();
        names
    };
    let all = sorted();
    let first = LocalStore::open(directory.path()).unwrap();
    first.list("").unwrap();
    assert_eq!(sorted(), all, "a reader removes nothing");

    let mut writing = first.create("c-1").unwrap();
    writing.write(b"hello").unwrap();
    let mut expected: Vec<String> = all.iter().filter(|name| !left.contains(&name.as_str())).cloned().collect();
    let mine: Vec<String> = sorted().into_iter().filter(|name| name.starts_with(".vault-c-1-")).collect();
    assert_eq!(mine.len(), 1);
    expected.extend(mine.clone());
    expected.sort();
    assert_eq!(sorted(), expected);

    // Somebody else writes in the same directory, and leaves alone what is being written.
    let second = LocalStore::open(directory.path()).unwrap();
    put(&second, "d-1", b"other").unwrap();
    assert!(at(&mine[0]).exists(), "another writer removed it");
    writing.commit().unwrap();
    assert_eq!(first.list("").unwrap(), [info("c-1", 5), info("d-1", 5)]);
}

#[test]
fn a_directory_shows_files_and_links_to_files_only() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), b"file").unwrap();
    fs::write(at(".dot"), b"dot").unwrap();
    fs::write(at(&"x".repeat(129)), b"long").unwrap();
    fs::write(directory.path().join(OsStr::from_bytes(b"\xff")), b"").unwrap();
    fs::create_dir(at("directory")).unwrap();
    fs::write(elsewhere.path().join("moved"), b"moved!").unwrap();
    symlink(elsewhere.path().join("moved"), at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("directory", at("link-to-directory")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());

    let store = LocalStore::open(directory.path()).unwrap();
    assert_eq!(store.list("").unwrap(), [info("file", 4), info("link", 6)]);
    assert_eq!(store.get("link", 0, 9).unwrap(), b"moved!");
    for name in ["directory", "dangling", "loop", "link-to-directory", "fifo"] {
        let got = store.get(name, 0, 1);
        assert!(matches!(got, Err(StoreError::Missing { .. })), "{name}: {got:?}");
        let created = store.create(name).map(drop);
        assert!(matches!(created, Err(StoreError::Exists { .. })), "{name}: {created:?}");
    }
    store.delete("link").unwrap();
    assert!(elsewhere.path().join("moved").exists(), "the link goes, not the file");
}

#[test]
fn a_missing_directory_is_no_store_for_a_reader_and_made_for_a_writer() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("made/for/it");
    let error = LocalStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    assert_eq!(error.class(), FailureClass::NotFound);
    assert!(error.to_string().contains("made/for/it"), "{error}");

    let store = LocalStore::open_or_create(&path).unwrap();
    for made in ["made", "made/for", "made/for/it"] {
        let mode = fs::metadata(directory.path().join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{made}");
    }
    put(&store, "a-1", b"one").unwrap();
    LocalStore::open_or_create(&path).unwrap();
    symlink(&path, directory.path().join("link")).unwrap();
    let through_link = LocalStore::open(&directory.path().join("link")).unwrap();
    assert_eq!(through_link.location(), store.location());

    fs::write(directory.path().join("file"), b"").unwrap();
    let error = LocalStore::open(&directory.path().join("file")).map(drop).unwrap_err();
    assert_eq!(error.class(), FailureClass::Store, "{error}");
}

#[test]
fn a_directory_that_goes_away_fails_and_is_not_empty() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    let store = LocalStore::open_or_create(&path).unwrap();
    fs::remove_dir(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(store.list("").is_err(), "an empty listing would say that every backup is gone");
    assert!(store.create("a-1").is_err());
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

/// A small file system that goes away with this.
struct Mount(TempDir);

impl Mount {
    fn tmpfs(options: &str) -> Mount {
        let directory = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "vault-test"])
            .arg(directory.path())
            .output()
            .expect("the program `mount`");
        let said = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "this test mounts a tmpfs and needs the privilege CAP_SYS_ADMIN: run it as root ({said})"
        );
        Mount(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_directory_that_cannot_be_written_says_so() {
    let mount = Mount::tmpfs("ro");
    let store = LocalStore::open(mount.path()).unwrap();
    assert_eq!(store.list("").unwrap(), []);
    let error = store.create("a-1").map(drop).unwrap_err();
    assert_eq!(error.class(), FailureClass::Store);
    let expected = format!("cannot write {}/a-1: Read-only file system", mount.path().display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_full_disk_fails_and_leaves_nothing() {
    let mount = Mount::tmpfs("size=2m");
    let store = LocalStore::open(mount.path()).unwrap();
    put(&store, "a-0", &[7; 4096]).unwrap();
    // The disk fills up in a write that goes through the buffer, and then in one that passes it by.
    for piece in [100_000, 1 << 20] {
        let mut upload = store.create("a-1").unwrap();
        let bytes = vec![1; piece];
        let error = (0..100).find_map(|_| upload.write(&bytes).err()).expect("a full disk");
        assert_eq!(error.class(), FailureClass::Store);
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert!(upload.write(b"x").is_err(), "a broken upload goes on");
        assert!(upload.commit().is_err(), "a broken upload is committed");
        assert_eq!(store.list("").unwrap(), [info("a-0", 4096)]);
        assert_eq!(hidden(mount.path()), Vec::<String>::new());
    }
    // The last write fits the buffer, so that only the commit can find out.
    let mut upload = store.create("a-1").unwrap();
    upload.write(&vec![1; 1 << 20]).unwrap();
    upload.write(&vec![1; (1 << 20) - 1]).unwrap();
    let error = upload.commit().unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_eq!(hidden(mount.path()), Vec::<String>::new());
    put(&store, "a-1", &vec![1; 1 << 20]).unwrap();
}

#[test]
fn objects_of_every_fill_of_the_buffers_arrive() {
    let directory = TempDir::new().unwrap();
    let mount = Mount::tmpfs("size=64m");
    let mut objects = 0;
    // Past the page cache where the file system can, and through it.
    for place in [directory.path(), mount.path()] {
        let store = LocalStore::open(place).unwrap();
        for size in [0, 1, 4095, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 4097, 9 << 20] {
            let bytes: Vec<u8> = (0..size).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            for step in [1_000_003, bytes.len().max(1)] {
                let name = format!("a-{objects}");
                let mut upload = store.create(&name).unwrap();
                bytes.chunks(step).for_each(|piece| upload.write(piece).unwrap());
                upload.commit().unwrap();
                assert_eq!(store.get(&name, 0, bytes.len() + 1).unwrap(), bytes, "{size} {step}");
                store.delete(&name).unwrap();
                objects += 1;
            }
        }
    }
    assert_eq!(objects, 2 * 8 * 2);
}

// System calls, seen and refused by strace.

/// Not a test: the process that the tests below trace. It writes one object and deletes another; with a rival, somebody else's object
/// comes between.
#[test]
#[ignore = "runs under strace only"]
fn traced_writer() {
    let directory = std::env::var_os("VAULT_TEST_STORE").expect("VAULT_TEST_STORE");
    let directory = Path::new(&directory);
    let store = LocalStore::open(directory).unwrap();
    let mut upload = store.create("a-1").unwrap();
    match std::env::var("VAULT_TEST_MEBIBYTES") {
        Ok(mebibytes) => upload.write(&pattern(mebibytes.parse().unwrap())).unwrap(),
        Err(_) => upload.write(b"hello").unwrap(),
    }
    if std::env::var_os("VAULT_TEST_RIVAL").is_some() {
        fs::write(directory.join("a-1"), b"rival").unwrap();
        let error = upload.commit().unwrap_err();
        assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    } else {
        upload.commit().unwrap();
    }
    store.delete("b-1").unwrap();
}

/// Mebibytes that differ from place to place.
fn pattern(mebibytes: u32) -> Vec<u8> {
    (0..mebibytes << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Runs `traced_writer` over a directory that holds `b-1`; says whether it succeeded, and its calls in the order they were made.
fn traced(directory: &Path, inject: Option<&str>, rival: Option<&str>) -> (bool, Vec<String>) {
    traced_with(directory, inject, rival.map(|rival| ("VAULT_TEST_RIVAL", rival)))
}

/// The same with a large object.
fn traced_large(directory: &Path, inject: &str, mebibytes: &str) -> (bool, Vec<String>) {
    traced_with(directory, Some(inject), Some(("VAULT_TEST_MEBIBYTES", mebibytes)))
}

fn traced_with(directory: &Path, inject: Option<&str>, variable: Option<(&str, &str)>) -> (bool, Vec<String>) {
    let log = TempDir::new().unwrap();
    let file: PathBuf = log.path().join("log");
    fs::write(directory.join("b-1"), b"old").unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-o"]).arg(&file);
    strace.args(["-e", "trace=openat,write,fsync,fdatasync,renameat2,linkat,unlinkat,unlink,rename"]);
    if let Some(inject) = inject {
        strace.arg(format!("--inject={inject}"));
    }
    strace.envs(variable);
    let status = strace
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "traced_writer"])
        .env("VAULT_TEST_STORE", directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program `strace`: install the package of that name");
    let shown = directory.display().to_string();
    let log = fs::read_to_string(&file).unwrap();
    let calls = log.lines().filter(|line| line.contains(&shown) && !line.contains("O_RDONLY"));
    (status.success(), calls.map(|line| summary(line, &shown)).collect())
}

/// `renameat2(…)` becomes `renameat2`, and a call on the directory itself `fsync directory`.
fn summary(line: &str, directory: &str) -> String {
    let call = line.split_once(' ').unwrap().1.trim_start();
    let name = call.split('(').next().unwrap();
    let on_directory = call.contains(&format!("<{directory}>)"));
    format!("{name}{}", if on_directory { " directory" } else { "" })
}

#[test]
fn an_object_is_durable_before_it_is_announced() {
    let directory = TempDir::new().unwrap();
    let (done, calls) = traced(directory.path(), None, None);
    assert!(done);
    let expected = [
        "openat",
        "write",
        "fsync",
        "renameat2",
        "fsync directory",
        // The temporary file that is gone already.
        "unlinkat",
        // The deletion.
        "unlinkat",
        "fsync directory",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn a_file_system_without_the_rename_gets_a_link() {
    let directory = TempDir::new().unwrap();
    let (done, calls) = traced(directory.path(), Some("renameat2:error=EINVAL"), None);
    assert!(done);
    assert_eq!(calls[2..6], ["fsync", "renameat2", "linkat", "fsync directory"]);
    assert_eq!(hidden(directory.path()), Vec::<String>::new());
    assert_eq!(fs::metadata(directory.path().join("a-1")).unwrap().nlink(), 1);

    // And the link does not replace either.
    let directory = TempDir::new().unwrap();
    let (done, _) = traced(directory.path(), Some("renameat2:error=EINVAL"), Some("yes"));
    assert!(done, "the rival was not noticed");
    assert_eq!(fs::read(directory.path().join("a-1")).unwrap(), b"rival");
    assert_eq!(hidden(directory.path()), Vec::<String>::new());
}

#[test]
fn a_disk_that_refuses_to_sync_fails_the_object() {
    for (which, there) in [("1", false), ("2", true)] {
        let directory = TempDir::new().unwrap();
        let (done, _) = traced(directory.path(), Some(&format!("fsync:error=EIO:when={which}")), None);
        assert!(!done, "fsync {which} failed and the object was announced");
        assert_eq!(directory.path().join("a-1").exists(), there);
        assert_eq!(hidden(directory.path()), Vec::<String>::new());
    }
}

#[test]
fn a_sweep_leaves_what_is_about_to_get_its_name() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    let writer = std::thread::spawn(move || traced(&path, Some("renameat2:delay_enter=500000"), None));
    let mut sweeps = 0;
    while !writer.is_finished() {
        // The first upload of a store sweeps.
        drop(LocalStore::open(directory.path()).unwrap().create("c-1").unwrap());
        sweeps += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (done, _) = writer.join().unwrap();
    assert!(done && sweeps > 10, "{sweeps} sweeps");
    assert_eq!(fs::read(directory.path().join("a-1")).unwrap(), b"hello");
}

/// What of system calls goes wrong, with an object of so many mebibytes, and whether it is stored all the same.
fn written_with(inject: &str, mebibytes: &str, expected: bool) {
    let directory = TempDir::new().unwrap();
    // Not whether it succeeded: the report of the test is written, too.
    let _ = traced_large(directory.path(), inject, mebibytes);
    assert_eq!(hidden(directory.path()), Vec::<String>::new());
    match expected {
        true => {
            assert!(fs::read(directory.path().join("a-1")).unwrap() == pattern(mebibytes.parse().unwrap()), "{inject}")
        }
        false => assert!(!directory.path().join("a-1").exists(), "{inject}"),
    }
}

#[test]
fn what_direct_writes_refuse_goes_through_the_page_cache() {
    // Whole buffers, so that one thread writes them all.
    written_with("write:error=EINVAL:when=6", "9", true);
    written_with("write:error=EINVAL:when=9", "9", true);
    // What fails in the thread fails the object.
    written_with("write:error=EIO:when=6", "9", false);
    written_with("write:error=ENOSPC:when=9", "9", false);
}

#[test]
fn a_write_that_stored_nothing_is_noticed() {
    let directory = TempDir::new().unwrap();
    // The system says that five bytes were written, and wrote none.
    let (done, _) = traced(directory.path(), Some("write:retval=5:when=1"), None);
    assert!(!done, "an empty object was announced");
    assert!(!directory.path().join("a-1").exists());
    assert_eq!(hidden(directory.path()), Vec::<String>::new());
}
