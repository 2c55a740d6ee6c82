//! What one table costs: a dump that is made as it is packed, in a directory, behind a store that counts what is read of it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use vault::format::header::SegmentSize;
use vault::pipeline::known::CachePlace;
use vault::pipeline::pack::{Level, PackOptions, pack};
use vault::pipeline::port::{ObjectInfo, Store, StoreError, Upload};
use vault::pipeline::unpack::Restore;
use vault::store::local::LocalStore;

use crate::common::world::{Outside, defaults, open, ring, rows};
use crate::ranges::{part, wanted};
use crate::{END, HEAD};

/// A store that counts what is read.
struct Counting(LocalStore, Arc<AtomicU64>);

impl Store for Counting {
    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.0.list(prefix)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let bytes = self.0.get(name, offset, length)?;
        self.1.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(bytes)
    }

    fn get_into(&self, name: &str, offset: u64, length: usize, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        self.0.get_into(name, offset, length, bytes)?;
        self.1.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    fn create(&self, name: &str) -> Result<Box<dyn Upload>, StoreError> {
        self.0.create(name)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.delete(name)
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

/// Rows that are made together.
const ROWS: usize = 4096;

/// Tables beside the one that is wanted, which stands in the middle of them.
const TABLES: u64 = 16;

fn begin(name: &str) -> Vec<u8> {
    format!("COPY public.{name} (id, token, name, since) FROM stdin;\n").into()
}

/// The table that is wanted, with `count` rows.
fn table(count: usize) -> Vec<u8> {
    [&begin("wanted"), rows(1, count).as_slice(), b"\\.\n"].concat()
}

/// A dump that is made as it is read.
pub struct Generated {
    pieces: Box<dyn Iterator<Item = Vec<u8>> + Send>,
    piece: io::Cursor<Vec<u8>>,
}

impl Generated {
    /// A dump that is put together of these.
    pub fn of(pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Generated {
        Generated { pieces: Box::new(pieces), piece: io::Cursor::default() }
    }

    /// A dump of about so many bytes, and of a table of so many rows in the middle of others.
    fn new(bytes: usize, wanted: usize) -> Generated {
        let tables: String =
            (0..TABLES).map(|number| format!("CREATE TABLE public.t{number} (\n    id bigint\n);\n\n\n")).collect();
        let blocks = (bytes.div_ceil(ROWS * 45) as u64).div_ceil(TABLES);
        let data = (0..TABLES).flat_map(move |number| {
            let own = (0..blocks).map(move |block| rows((number << 32) + block + 2, ROWS));
            let wanted = (number == TABLES / 2).then(|| table(wanted));
            [begin(&format!("t{number}"))].into_iter().chain(own).chain([b"\\.\n\n\n".to_vec()]).chain(wanted)
        });
        Generated::of([HEAD.into(), tables.into_bytes()].into_iter().chain(data).chain([END.into()]))
    }
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 if buffer.is_empty() => return Ok(0),
                0 => match self.pieces.next() {
                    Some(piece) => self.piece = io::Cursor::new(piece),
                    None => return Ok(0),
                },
                read => return Ok(read),
            }
        }
    }
}

/// What one table takes, in hundredths of a per cent of the bytes and of the time that all of it takes.
fn cost(options: PackOptions, bytes: usize, wanted_rows: usize) -> (u64, u64) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (outside, key) = (Outside::new("cost"), ring("cost"));
    let store = Counting(LocalStore::open(folder.path()).expect("a store"), Arc::default());
    let dump = Box::new(Generated::new(bytes, wanted_rows));
    let packed = pack(&outside.world(&store), &key.newest().pack, &CachePlace::None, options, dump).expect("packs");
    assert!(packed.plain >= bytes as u64, "{} bytes", packed.plain);

    let times = [0, 1, 2].map(|_| {
        store.1.store(0, Ordering::SeqCst);
        let began = Instant::now();
        let (released, chosen) = part(&outside, &store, &key, &packed, &wanted(&["public.wanted"])).expect("a part");
        let took = began.elapsed();
        assert!(released.ends_with(&[table(wanted_rows).as_slice(), b"\\unrestrict Key1\n"].concat()), "its rows");
        assert!(released.starts_with(b"\\restrict Key1\nSET statement_timeout = 0;\n"));
        assert_eq!(chosen.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [wanted_rows as u64]);
        took
    });
    let (took, read) = (times.into_iter().min().expect("three"), store.1.swap(0, Ordering::SeqCst));

    let began = Instant::now();
    let opened = open(&store, &key, &packed.manifest.id).expect("opens");
    let keys = key.of_epoch(opened.manifest.epoch).expect("the key");
    let restore = Restore::prepare(&outside.world(&store), &opened, keys, 2).expect("everything is there");
    // Nothing that takes time looks at it: every span agreed with its digest.
    restore.release(&mut io::sink()).expect("all of it");
    let (all_took, all) = (began.elapsed(), store.1.load(Ordering::SeqCst));
    println!("{} bytes: {read} of {all} read, {took:?} of {all_took:?}", packed.plain);
    (read * 10_000 / all, (took.as_micros() * 10_000 / all_took.as_micros()) as u64)
}

#[test]
fn a_table_costs_what_its_spans_cost() {
    // An eighth of 1 GiB. What is read are the blocks of the first span and of those of the table, whatever the size of the dump: out of
    // 1 GiB it is an eighth of this.
    let segment = SegmentSize::from_log2(16).expect("64 KiB");
    let (bytes, _) = cost(PackOptions { segment, level: Level::Fixed(1), ..defaults() }, 128 << 20, 1_300);
    assert!(bytes < 600, "{bytes} hundredths of a per cent");
}

fn a_mebibyte_out_of(gibibytes: usize, limit: u64, time_limit: u64) {
    let (bytes, time) = cost(defaults(), gibibytes << 30, 21_000);
    assert!(bytes < limit && time < time_limit, "{gibibytes} GiB: {bytes} and {time} hundredths of a per cent");
}

#[test]
#[ignore = "long"]
fn a_mebibyte_out_of_one_gibibyte() {
    a_mebibyte_out_of(1, 300, 1_000);
}

#[test]
#[ignore = "long, and takes 3 GiB of disk"]
fn a_mebibyte_out_of_eight_gibibytes() {
    a_mebibyte_out_of(8, 100, 100);
}
