//! Dump maps (spec/index.md, "Dump map"): a restore of the whole never looks at one, a verification does.

use vault::base::failure::FailureClass::Damaged;

use super::List;
use super::build::{Kit, Stage};

/// Gives the backup a map.
fn map(kit: &mut Kit, records: &[Vec<u8>]) {
    let map = records.concat();
    kit.at(move |stage| {
        if let Stage::Index(index) = stage {
            index.map = map.clone();
        }
    });
}

/// A record with five names.
fn record(kind: u8, offset: u64, length: u64) -> Vec<u8> {
    let names = b"\x05\0TABLE\x06\0public\x01\0t\x00\0\x00\0";
    let mut record = (32 + names.len() as u32).to_le_bytes().to_vec();
    record.extend_from_slice(&[kind, 1, 0, 0]);
    for field in [offset, length, 0] {
        record.extend_from_slice(&field.to_le_bytes());
    }
    record.extend_from_slice(names);
    record
}

fn with(mut record: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    record[at..at + bytes.len()].copy_from_slice(bytes);
    record
}

pub fn vectors(list: &mut List) {
    let end = || record(10, 40, 0);
    list.legal("whole", "a dump map, with a record of a type that is not known", &|kit| {
        let other = with(record(200, u64::MAX, 1), 5, &[9]);
        map(kit, &[record(5, 0, 10), other, record(9, 10, 0), record(11, 10, 0), record(7, 10, 20), end()])
    });
    list.legal("empty", "a dump map that ends where it begins", &|kit| map(kit, &[record(10, 0, 0)]));
    list.unseen("overlap", Damaged, "a record that begins inside the one before", &|kit| {
        map(kit, &[record(6, 0, 10), record(7, 9, 20), end()])
    });
    list.unseen("outside", Damaged, "a record that ends beyond the dump", &|kit| {
        map(kit, &[record(7, 0, 1 << 40), end()])
    });
    list.unseen("overflow", Damaged, "a record whose end is over 2^64", &|kit| {
        map(kit, &[record(7, u64::MAX, 2), end()])
    });
    list.unseen("no-length", Damaged, "rows without a length", &|kit| map(kit, &[record(7, 0, 0), end()]));
    list.unseen("link-length", Damaged, "a link with a length", &|kit| map(kit, &[record(9, 0, 1), end()]));
    list.unseen("version-length", Damaged, "a version with a length", &|kit| map(kit, &[record(11, 0, 1), end()]));
    list.unseen("no-end", Damaged, "a map without its last record", &|kit| map(kit, &[record(7, 0, 10)]));
    list.unseen("after-end", Damaged, "a record after the last one", &|kit| map(kit, &[end(), record(7, 50, 10)]));
    list.unseen("cut", Damaged, "the last record is cut", &|kit| map(kit, &[end()[..20].to_vec()]));
    list.unseen("record-short", Damaged, "a record of 41 bytes", &|kit| {
        map(kit, &[with(record(7, 0, 10), 0, &41_u32.to_le_bytes()), end()])
    });
    list.unseen("record-long", Damaged, "a record of 65537 bytes", &|kit| {
        map(kit, &[with(record(7, 0, 10), 0, &65_537_u32.to_le_bytes()), vec![0; 1 << 16], end()])
    });
    list.unseen("reserved", Damaged, "a reserved byte is not zero", &|kit| {
        map(kit, &[with(record(7, 0, 10), 7, &[1]), end()])
    });
    list.unseen("space", Damaged, "the own name names something of kind 3", &|kit| {
        map(kit, &[with(record(7, 0, 10), 5, &[3]), end()])
    });
    list.unseen("names-over", Damaged, "a name that goes beyond its record", &|kit| {
        map(kit, &[with(record(7, 0, 10), 32, &[60]), end()])
    });
    list.unseen("names-under", Damaged, "the names do not fill their record", &|kit| {
        map(kit, &[with(record(7, 0, 10), 32, &[4]), end()])
    });
    list.unseen("name-long", Damaged, "a name of 4097 bytes", &|kit| {
        let mut long = record(7, 0, 10)[..32].to_vec();
        long[..4].copy_from_slice(&(32 + 4097 + 10_u32).to_le_bytes());
        long.extend_from_slice(&4097_u16.to_le_bytes());
        long.extend_from_slice(&[b'x'; 4097]);
        long.extend_from_slice(&[0; 8]);
        map(kit, &[long, end()])
    });
}
