//! The dumps that are measured with: rows as `pg_dump` writes them, and bytes that nothing shrinks.

use std::io::Write;

/// Bytes of a dump: more than the inner caches of the processor hold, and read in a few milliseconds.
pub const DUMP_BYTES: usize = 4 << 20;

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// A dump of one table as `COPY` rows, cut at `bytes`; it compresses about as an ordinary table does.
pub fn copy_rows(bytes: usize) -> Vec<u8> {
    let mut dump =
        b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.orders (id, at, who, sum, note) FROM stdin;\n".to_vec();
    fill(&mut dump, bytes, |row, numbers, dump| {
        let (who, sum, note) = (numbers.next() % 90_000, numbers.next() % 1_000_000, numbers.next());
        let second = row % 60;
        writeln!(
            dump,
            "{row}\t2026-11-20 03:00:{second:02}+00\tcustomer {who}\t{}.{:02}\t{note:016x}",
            sum / 100,
            sum % 100
        )
    });
    dump
}

/// The same as `INSERT` statements, full of quotes.
pub fn insert_rows(bytes: usize) -> Vec<u8> {
    let mut dump = b"--\n-- PostgreSQL database dump\n--\n\n".to_vec();
    fill(&mut dump, bytes, |row, numbers, dump| {
        let (who, note) = (numbers.next() % 90_000, numbers.next());
        writeln!(dump, "INSERT INTO public.orders VALUES ({row}, '2026-11-20', 'it''s customer {who}', '{note:016x}');")
    });
    dump
}

/// The same as statements of many rows, as `mysqldump` writes them.
pub fn mysqldump_rows(bytes: usize) -> Vec<u8> {
    let mut dump = b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n\n".to_vec();
    fill(&mut dump, bytes, |row, numbers, dump| {
        let (who, note) = (numbers.next() % 90_000, numbers.next());
        let begins = row % ROWS_OF_A_STATEMENT == 0;
        let ends = row % ROWS_OF_A_STATEMENT == ROWS_OF_A_STATEMENT - 1;
        let (head, tail) = (if begins { "INSERT INTO `orders` VALUES " } else { "" }, if ends { ";\n" } else { "," });
        write!(dump, "{head}({row},'2026-11-20','it\\'s customer {who}','{note:016x}'){tail}")
    });
    dump
}

/// About 1 MB, as much as `mysqldump` joins.
const ROWS_OF_A_STATEMENT: u64 = 16_000;

fn fill(dump: &mut Vec<u8>, bytes: usize, write: impl Fn(u64, &mut Numbers, &mut Vec<u8>) -> std::io::Result<()>) {
    let mut numbers = Numbers(1);
    for row in 0.. {
        if dump.len() >= bytes {
            break;
        }
        write(row, &mut numbers, dump).expect("memory");
    }
    dump.truncate(bytes);
}

/// Bytes that do not compress.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise
}
