//! Memory does not grow with the dump but for the index of its chunks, whose cost is measured here and stated in spec/chunking.md, "Memory".

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use vault::base::id::ChunkId;
use vault::index::run::RunTable;

const MIB: u64 = 1 << 20;

/// What pack and unpack may take at default settings.
const PEAK_MAX: u64 = 256 * MIB;

/// Rows of a table, no two alike: so many bytes of them, made as they are read.
struct Rows {
    left: u64,
    number: u64,
    state: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Rows {
    fn new(bytes: u64) -> Rows {
        Rows { left: bytes, number: 0, state: 0x9e37_79b9_7f4a_7c15, buffer: Vec::new(), at: 0 }
    }

    fn fill(&mut self) {
        const WORDS: [&str; 8] = ["order", "paid", "shipped", "returned", "customer", "wholesale", "retail", "export"];
        self.buffer.clear();
        self.at = 0;
        while self.buffer.len() < 1 << 16 {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let (number, state) = (self.number, self.state);
            let word = WORDS[(state >> 40) as usize % 8];
            // Infallible: a vector takes what it is given.
            let _ = writeln!(
                self.buffer,
                "{number}\t{state:016x}\t{word}\t2026-11-{:02}\t{}.{:02}",
                state % 28 + 1,
                state % 9973,
                state % 89
            );
            self.number += 1;
        }
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.buffer.len() {
            self.fill();
        }
        let rest = &self.buffer[self.at..];
        let length = rest.len().min(buffer.len()).min(self.left as usize);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        self.left -= length as u64;
        Ok(length)
    }
}

/// The peak of a child's resident memory so far, as Linux counts it; `None` when the child is gone.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Watches a child while `feed` has the other ends of its pipes. Gives the peak.
fn watch(mut child: Child, feed: impl FnOnce(Option<ChildStdin>, Option<ChildStdout>) + Send) -> u64 {
    let mut highest = 0;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    std::thread::scope(|scope| {
        scope.spawn(move || feed(input, output));
        while child.try_wait().expect("a child").is_none() {
            highest = highest.max(peak(&child).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(child.wait().expect("a child").success(), "vault failed");
    assert!(highest > 4 * MIB, "/proc/<pid>/status gave no VmHWM");
    highest
}

fn vault(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vault"));
    command.arg("--store").arg(directory.join("store")).arg("--key-file").arg(directory.join("key")).args(arguments);
    command.env("XDG_CACHE_HOME", directory.join("cache")).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// What does not shrink: so many bytes, made as they are read.
struct Noise(std::io::Take<blake3::OutputReader>);

impl Noise {
    fn new(bytes: u64) -> Noise {
        Noise(blake3::Hasher::new().finalize_xof().take(bytes))
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Packs and unpacks so many bytes of rows. Gives the peak of either.
fn both(bytes: u64, options: &[&str]) -> (u64, u64) {
    both_of(bytes, Rows::new, options)
}

/// The same of anything.
fn both_of<R: Read + Send>(bytes: u64, make: fn(u64) -> R, options: &[&str]) -> (u64, u64) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("store")).expect("a store");
    let made = vault(directory.path(), &["key", "new"]).status().expect("vault runs");
    assert!(made.success());
    let mut arguments = vec!["--quiet", "pack"];
    arguments.extend_from_slice(options);
    let child = vault(directory.path(), &arguments).stdin(Stdio::piped()).spawn().expect("vault runs");
    let pack = watch(child, |input, _| {
        std::io::copy(&mut make(bytes), &mut input.expect("a pipe")).expect("vault reads");
    });
    let mut unpack = vault(directory.path(), &["--quiet", "unpack", "latest"]);
    let child = unpack.args(options).stdout(Stdio::piped()).spawn().expect("vault runs");
    let unpack = watch(child, |_, output| {
        let mut output = output.expect("a pipe");
        let (mut found, mut wanted, mut rows) = (vec![0; 1 << 16], vec![0; 1 << 16], make(bytes));
        let mut total = 0;
        loop {
            let length = output.read(&mut found).expect("vault writes");
            rows.read_exact(&mut wanted[..length]).expect("not more than went in");
            assert!(found[..length] == wanted[..length], "after {total} bytes");
            total += length as u64;
            if length == 0 {
                break;
            }
        }
        assert_eq!(total, bytes);
    });
    println!("{} MiB {options:?}: pack {} MiB, unpack {} MiB", bytes / MIB, pack / MIB, unpack / MIB);
    (pack, unpack)
}

#[test]
fn a_gibibyte_takes_no_more_memory_than_a_quarter_of_it() {
    let (small_pack, small_unpack) = both(256 * MIB, &[]);
    let (large_pack, large_unpack) = both(1024 * MIB, &[]);
    for peak in [small_pack, small_unpack, large_pack, large_unpack] {
        assert!(peak < PEAK_MAX, "{} MiB", peak / MIB);
    }
    // 48 Ki chunks more, in the table of the run and in the cache that is made of it; and the noise of an allocator.
    let index = 2 * 33 * (768 * MIB / (16 << 10));
    assert!(large_pack < small_pack + index + 24 * MIB, "{} and {} MiB", small_pack / MIB, large_pack / MIB);
    assert!(large_unpack < small_unpack + 24 * MIB, "{} and {} MiB", small_unpack / MIB, large_unpack / MIB);
}

/// What a legacy archive may take, whatever it holds.
const LEGACY_PEAK_MAX: u64 = 32 * MIB;

/// Zeros are a thousand times shorter in gzip, and a million times in gzip inside gzip.
#[test]
fn a_legacy_archive_takes_no_memory_for_what_it_holds() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    let make = "umask 077; printf key >key; head -c 400M /dev/zero | gzip -c >1.gz && gzip -c <1.gz >2.gz || exit
        for n in 1 2; do openssl enc -aes256 -md md5 -pass file:key -in $n.gz -out $n 2>&1 || exit; done";
    let made = Command::new("sh").args(["-c", make]).current_dir(directory.path()).output().expect("sh");
    assert!(made.status.success(), "install Debian's packages gzip and openssl: {made:?}");
    for (archive, options) in [("1", &[][..]), ("2", &["--gunzip"])] {
        let mut unpack = vault(directory.path(), &["-q", "legacy", "unpack", "-", "--legacy-key-file"]);
        unpack.arg(path("key")).args(options).stdin(fs::File::open(path(archive)).expect("an archive"));
        let child = unpack.stdout(Stdio::piped()).spawn().expect("vault runs");
        let peak = watch(child, |_, output| {
            let bytes = std::io::copy(&mut output.expect("a pipe"), &mut std::io::sink()).expect("vault writes");
            assert_eq!(bytes, 400 * MIB);
        });
        println!("legacy {options:?}: {} MiB", peak / MIB);
        assert!(peak < LEGACY_PEAK_MAX, "{options:?}: {} MiB", peak / MIB);
    }
}

#[test]
fn workers_take_what_the_specification_says() {
    let (few, _) = both(128 * MIB, &["--threads", "2"]);
    let (many, _) = both(128 * MIB, &["--threads", "8"]);
    let each = many.saturating_sub(few) / 6;
    println!("{} KiB for each further thread", each >> 10);
    assert!(each < 4 * MIB, "{} KiB", each >> 10);
    // Rows shrink, noise does not.
    for threads in ["1", "2", "4"] {
        for (pack, unpack) in
            [both(96 * MIB, &["--threads", threads]), both_of(96 * MIB, Noise::new, &["--threads", threads])]
        {
            assert!(pack < 80 * MIB && unpack < 64 * MIB, "{threads}: {} and {} MiB", pack / MIB, unpack / MIB);
        }
    }
    let (few, _) = both_of(128 * MIB, Noise::new, &["--threads", "2"]);
    let (many, _) = both_of(128 * MIB, Noise::new, &["--threads", "8"]);
    let each = many.saturating_sub(few) / 6;
    println!("{} KiB for each further thread where nothing shrinks", each >> 10);
    assert!(each < 4 * MIB, "{} KiB", each >> 10);
}

#[test]
fn the_table_of_a_run_takes_what_the_specification_says() {
    let (mut table, mut reader) = (RunTable::new(), blake3::Hasher::new().finalize_xof());
    let (mut least, mut most) = (f64::MAX, 0.0_f64);
    for number in 1..=4_000_000_u64 {
        let mut id = [0; 16];
        reader.fill(&mut id);
        table.push(ChunkId(id), 16_384).expect("room");
        if number % 64 == 0 {
            table.close_block();
        }
        // From one growth of the hash table to the next but one; slabs and small tables do not count here.
        if number > 900_000 && number % 1000 == 0 {
            let each = table.heap_bytes() as f64 / number as f64;
            (least, most) = (least.min(each), most.max(each));
        }
    }
    let gib = |each: f64| each * (1_u64 << 26) as f64 / (1_u64 << 30) as f64;
    println!(
        "{least:.1} to {most:.1} bytes a chunk: {:.2} to {:.2} GiB for each TiB of new data",
        gib(least),
        gib(most)
    );
    assert!(least > 25.0 && most < 33.0, "{least} to {most}");
    let spec = include_str!("../spec/chunking.md");
    assert!(spec.contains("26 to 33 bytes") && spec.contains("1.6 to 2.1 GiB"), "spec/chunking.md, \"Memory\"");
}
