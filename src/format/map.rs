//! The records of a dump map (spec/index.md, "Dump map").

use crate::base::bytes::Cursor;
use crate::base::limits::{MAP_NAME_BYTES_MAX, MAP_RECORD_BYTES_MAX};
use crate::base::map::{MapEntry, MapKind, MapName, Space};
use crate::format::{FormatError, damaged};

/// Bytes before the names.
const FIXED_BYTES: usize = 32;
/// A record whose five names are empty.
const RECORD_BYTES_MIN: usize = FIXED_BYTES + 5 * 2;

/// Appends a record. A name that is too long is left out, with all others of the entry; `false` tells that it was.
pub fn encode(entry: &MapEntry, bytes: &mut Vec<u8>) -> bool {
    let names = [&entry.class, &entry.own.schema, &entry.own.name, &entry.on.schema, &entry.on.name];
    let fits = names.iter().all(|name| name.len() <= MAP_NAME_BYTES_MAX);
    let names = names.map(|name| if fits { name.as_slice() } else { &[] });
    let length = RECORD_BYTES_MIN + names.iter().map(|name| name.len()).sum::<usize>();
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    bytes.extend_from_slice(&[entry.kind as u8, entry.space as u8, 0, 0]);
    for field in [entry.offset, entry.length, entry.rows] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for name in names {
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name);
    }
    fits
}

/// Reads records out of the pieces of a section, and checks that they are those of one map.
pub struct MapParser {
    plain: u64,
    open: Vec<u8>,
    at: u64,
    stopped: bool,
}

impl MapParser {
    /// A parser of the map of a dump of so many bytes.
    pub fn new(plain: u64) -> MapParser {
        MapParser { plain, open: Vec::new(), at: 0, stopped: false }
    }

    /// Takes the next piece, and gives every record that is whole by then.
    ///
    /// # Errors
    /// `Damaged`: a record is not legal, or not one that can stand there.
    pub fn push(&mut self, piece: &[u8], take: &mut dyn FnMut(MapEntry)) -> Result<(), FormatError> {
        self.open.extend_from_slice(piece);
        let mut from = 0;
        while let Some(length) = self.open.get(from..).and_then(|rest| rest.first_chunk::<4>()) {
            let length = u32::from_le_bytes(*length) as usize;
            if !(RECORD_BYTES_MIN..=MAP_RECORD_BYTES_MAX).contains(&length) {
                return Err(damaged("a record of the dump map has no legal length"));
            }
            let Some(record) = self.open.get(from..from + length) else { break };
            if let Some(entry) = parse(record)? {
                check_place(&entry, self.at, self.plain, self.stopped)?;
                self.stopped = entry.kind == MapKind::Stop;
                self.at = entry.end();
                take(entry);
            }
            from += length;
        }
        self.open.drain(..from);
        Ok(())
    }

    /// The section has ended.
    ///
    /// # Errors
    /// `Damaged`: the last record is cut short, or not the end of a map.
    pub fn finish(self) -> Result<(), FormatError> {
        if self.open.is_empty() && self.stopped { Ok(()) } else { Err(damaged("the dump map has no end")) }
    }
}

/// A record; `None` for one of a type that is not known.
fn parse(record: &[u8]) -> Result<Option<MapEntry>, FormatError> {
    let mut cursor = Cursor::new(record);
    cursor.u32("a record of the dump map")?;
    let [kind, space, zero @ ..] = cursor.array::<4>("a record of the dump map")?;
    let mut field = || cursor.u64("a record of the dump map");
    let (offset, length, rows) = (field()?, field()?, field()?);
    let Some(kind) = MapKind::ALL.into_iter().find(|known| *known as u8 == kind) else {
        return Ok(None);
    };
    let space = match space {
        0 => Space::Other,
        1 => Space::Relation,
        2 => Space::Index,
        _ => return Err(damaged("a record of the dump map is of no legal kind")),
    };
    if zero != [0; 2] {
        return Err(damaged("a reserved byte of the dump map is not zero"));
    }
    let mut name = || {
        let length = u16::from_le_bytes(cursor.array("a name of the dump map")?) as usize;
        if length > MAP_NAME_BYTES_MAX {
            return Err(damaged("a name of the dump map is too long"));
        }
        Ok(cursor.take(length, "a name of the dump map")?.to_vec())
    };
    let class = name()?;
    let own = MapName { schema: name()?, name: name()? };
    let on = MapName { schema: name()?, name: name()? };
    cursor.finish("a record of the dump map")?;
    Ok(Some(MapEntry { kind, space, offset, length, rows, class, own, on }))
}

/// An entry begins where the one before ended or later, ends inside the dump, and nothing follows the last.
fn check_place(entry: &MapEntry, at: u64, plain: u64, stopped: bool) -> Result<(), FormatError> {
    let end = entry.offset.checked_add(entry.length).filter(|end| *end <= plain);
    let empty = matches!(entry.kind, MapKind::Link | MapKind::Stop | MapKind::Version);
    if stopped || entry.offset < at || end.is_none() || empty != (entry.length == 0) {
        return Err(damaged("a record of the dump map does not stand where it can"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: MapKind, offset: u64, end: u64) -> MapEntry {
        let name = |text: &str| MapName { schema: b"public".to_vec(), name: text.into() };
        MapEntry { own: name("t"), on: name("o"), rows: 7, ..MapEntry::new(kind, b"TABLE", offset, end) }
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<MapEntry>, FormatError> {
        let (mut parser, mut found) = (MapParser::new(100), Vec::new());
        for piece in bytes.chunks(piece) {
            parser.push(piece, &mut |entry| found.push(entry))?;
        }
        parser.finish().map(|()| found)
    }

    fn encoded(entries: &[MapEntry]) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(entries.iter().all(|entry| encode(entry, &mut bytes)));
        bytes
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let entries = [
            entry(MapKind::Object, 3, 10),
            entry(MapKind::Link, 10, 10),
            entry(MapKind::Version, 10, 10),
            entry(MapKind::Data, 10, 100),
            entry(MapKind::Stop, 100, 100),
        ];
        let bytes = encoded(&entries);
        for piece in 1..bytes.len() + 1 {
            assert_eq!(read(&bytes, piece).as_deref(), Ok(&entries[..]), "pieces of {piece}");
        }
    }

    #[test]
    fn what_cannot_stand_there_is_refused() {
        let stop = entry(MapKind::Stop, 100, 100);
        let bad = [
            vec![entry(MapKind::Data, 0, 101), stop.clone()],
            vec![entry(MapKind::Data, 5, 9), entry(MapKind::Data, 8, 10), stop.clone()],
            vec![entry(MapKind::Data, 5, 5), stop.clone()],
            vec![entry(MapKind::Link, 5, 6), stop.clone()],
            vec![entry(MapKind::Version, 5, 6), stop.clone()],
            vec![stop.clone(), stop.clone()],
            vec![entry(MapKind::Data, 5, 6)],
        ];
        for entries in &bad {
            assert!(read(&encoded(entries), 64).is_err(), "{entries:?}");
        }
        let whole = encoded(&[stop]);
        assert!(read(&whole[..whole.len() - 1], 64).is_err());
        assert_eq!(read(&[], 64), Err(damaged("the dump map has no end")));
    }

    #[test]
    fn a_name_that_is_too_long_is_left_out() {
        let mut long = entry(MapKind::Data, 0, 10);
        long.own.name = vec![b'x'; MAP_NAME_BYTES_MAX + 1];
        let mut bytes = Vec::new();
        assert!(!encode(&long, &mut bytes));
        bytes.extend(encoded(&[entry(MapKind::Stop, 10, 10)]));
        let found = read(&bytes, 64).expect("legal");
        assert!(found[0].own.is_empty() && found[0].class.is_empty());
    }
}
