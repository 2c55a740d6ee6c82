//! One parser each: it never panics, and what it takes has one spelling.

use crate::archive::manifest::open_key;
use crate::base::cutter::Cutter;
use crate::base::id::{BackupId, Guid, ObjectName, check_record_name};
use crate::base::limits::{BLOCK_PLAIN_MAX, BLOCK_STORED_MAX, JSON_DEPTH_MAX};
use crate::chunk::compress::{BlockCompressor, BlockDecompressor};
use crate::format::age::{AgeFile, armor, encode_maced, join};
use crate::format::frame::{check_header, raw_frame, raw_frame_bytes};
use crate::format::header::Header;
use crate::format::json::{Json, quoted};
use crate::format::keyfile::{self, KEY_BYTES, KeyFile};
use crate::format::manifest::{Manifest, Unverified, is_ours};
use crate::format::map::{self, MapParser};
use crate::format::record::{Block, Chunk, Extent, OwnBlock, Record, Span, Summary, Usage, encode_all, parse_all};
use crate::format::section::Holder;
use crate::format::slot::Slot;
use crate::format::{json as strict, section};
use crate::fuzzing::fixture::fixture;
use crate::fuzzing::input::Input;
use crate::keys::age::{Identity, open};
use crate::keys::ring::Keyring;

/// The records of a dump map are the same however the section is divided, and are written as they are read.
pub fn dump_map(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let (piece, plain) = (usize::from(input.u8()) + 1, input.u64() >> 16);
    let section = input.rest();
    let read = |bytes: &[u8], piece: usize| {
        let (mut parser, mut entries) = (MapParser::new(plain), Vec::new());
        bytes.chunks(piece).try_for_each(|piece| parser.push(piece, &mut |entry| entries.push(entry)))?;
        parser.finish().map(|()| entries)
    };
    let whole = read(section, section.len().max(1));
    let divided = read(section, piece);
    let Ok(entries) = whole else {
        assert!(divided.is_err(), "it depends on the pieces");
        return false;
    };
    assert_eq!(divided.as_ref(), Ok(&entries), "it depends on the pieces");
    let mut at = 0;
    let mut again = Vec::new();
    for entry in &entries {
        assert!(at <= entry.offset && entry.offset <= entry.end() && entry.end() <= plain, "a wrong range");
        at = entry.end();
        assert!(map::encode(entry, &mut again), "a name is too long");
    }
    assert_eq!(read(&again, piece).as_ref(), Ok(&entries));
    true
}

/// A part header that parses encodes to the same bytes.
pub fn part_header(data: &[u8]) -> bool {
    let Ok((header, commitment)) = Header::parse(data) else {
        return false;
    };
    assert_eq!(header.encode(&commitment).as_slice(), data, "a header has one spelling");
    true
}

/// A frame header that is taken is one that libzstd reads the same way, and no other length is taken for it.
pub fn zstd_frame(data: &[u8]) -> bool {
    let content = zstd_safe::get_frame_content_size(data).ok().flatten();
    let content = content.and_then(|content| usize::try_from(content).ok());
    // The content size of a frame stands behind the descriptor or the window, in 1, 2, 4 or 8 bytes.
    for at in [5, 6] {
        let mut field = Input::new(data.get(at..).unwrap_or(&[]));
        let wide = field.u64();
        for guess in [wide & 0xff, (wide & 0xffff) + 256, wide & 0xffff_ffff, wide] {
            let guess = usize::try_from(guess).unwrap_or(usize::MAX);
            let taken = check_header(data, guess).is_ok();
            assert!(!taken || content == Some(guess), "libzstd reads {content:?}, not {guess}");
        }
    }
    let Some(plain) = content.filter(|plain| check_header(data, *plain).is_ok()) else {
        return false;
    };
    assert!((1..=BLOCK_PLAIN_MAX).contains(&plain), "{plain} is no block");
    assert_eq!(zstd_safe::get_dict_id_from_frame(data), None, "no dictionary");
    let opened = BlockDecompressor::new().and_then(|mut zstd| zstd.decompress(data, plain));
    assert_eq!(opened.map_or(plain, |opened| opened.len()), plain);
    true
}

/// What is compressed comes back, from exactly its own bytes and to exactly its own length.
pub fn zstd_block(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let level = i32::from(input.u8() % 3) + 1;
    let repeat = usize::from(input.u8() % 64) + 1;
    let plain = input.rest().repeat(repeat);
    if !(1..=BLOCK_PLAIN_MAX).contains(&plain.len()) {
        return false;
    }
    let raw = raw_frame(&plain);
    assert_eq!(raw.len(), raw_frame_bytes(plain.len()));
    let compressed = BlockCompressor::new(level).and_then(|mut zstd| zstd.compress(&plain));
    let (Ok(compressed), Ok(mut zstd)) = (compressed, BlockDecompressor::new()) else {
        return false;
    };
    for frame in [raw, compressed] {
        assert!(frame.len() <= BLOCK_STORED_MAX);
        assert_eq!(check_header(&frame, plain.len()), Ok(()));
        assert_eq!(zstd.decompress(&frame, plain.len()).as_ref(), Ok(&plain));
        let longer = [frame.as_slice(), &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat();
        assert!(zstd.decompress(&longer, plain.len()).is_err(), "one frame is one frame");
        assert!(zstd.decompress(&frame[..frame.len() - 1], plain.len()).is_err(), "the whole of it");
        assert!(zstd.decompress(&frame, plain.len() - 1).is_err(), "of that length");
    }
    true
}

/// A directory that parses encodes to the same bytes. The first byte says of what.
pub fn section_directory(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let holder = [Holder::Index, Holder::Catalogue][input.pick(2)];
    let content = input.rest();
    let Ok(frames) = section::parse(holder, content) else {
        return false;
    };
    assert_eq!(section::encode(&frames), content, "a directory has one spelling");
    true
}

/// Records that parse encode to the same bytes. The first byte says which records.
pub fn records(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let kind = input.u8();
    let section = input.rest();
    match kind {
        0 => records_of::<Summary>(section),
        1 => records_of::<Block>(section),
        2 => records_of::<Extent>(section),
        3 => records_of::<Span>(section),
        4 => records_of::<Cutter>(section),
        5 => records_of::<OwnBlock>(section),
        6 => records_of::<Chunk>(section),
        7 => records_of::<Usage>(section),
        _ => false,
    }
}

fn records_of<R: Record>(section: &[u8]) -> bool {
    let Ok(records) = parse_all::<R>(section) else {
        return false;
    };
    assert_eq!(records.len() * R::BYTES, section.len());
    assert_eq!(encode_all(&records), section, "a record has one spelling");
    true
}

/// A manifest that parses is vault's, and encodes to one that says the same.
pub fn manifest(data: &[u8]) -> bool {
    let ours = is_ours(data);
    let Ok(Unverified { manifest, body, mac }) = Manifest::parse(&id_of(data), data) else {
        return false;
    };
    assert!(ours, "what parses as a manifest is one");
    assert!(data.starts_with(body) && data.len() == body.len() + crate::format::manifest::SUFFIX_BYTES);
    let text = manifest.encode();
    let again = Manifest::with_mac(&text, &mac);
    match Manifest::parse(&manifest.id, &again) {
        Ok(second) => {
            assert_eq!((second.manifest, second.body, second.mac), (manifest, text.as_bytes(), mac));
        }
        Err(error) => panic!("what was encoded does not parse: {error}"),
    }
    true
}

/// The id that the text claims, so that a manifest is not refused for its name alone.
fn id_of(text: &[u8]) -> BackupId {
    let claimed = match strict::parse(text) {
        Ok(Json::Object(members)) => members.into_iter().find(|(name, _)| name == "id"),
        _ => None,
    };
    match claimed {
        Some((_, Json::String(id))) => id.parse().unwrap_or(fixture().newer.id),
        _ => fixture().newer.id,
    }
}

/// A draft that parses encodes to one that says the same, and that encodes to the same text.
pub fn draft(data: &[u8]) -> bool {
    let Ok(draft) = Manifest::parse_draft(data) else {
        return false;
    };
    let text = draft.encode_draft();
    match Manifest::parse_draft(text.as_bytes()) {
        Ok(again) => assert_eq!((again.encode_draft(), again), (text, draft)),
        Err(error) => panic!("what was encoded does not parse: {error}"),
    }
    true
}

/// What the strict parser takes is JSON for `serde_json`, of the same value.
pub fn json(data: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(strict::parse(quoted(text).as_bytes()), Ok(Json::String(text.into())));
    }
    let Ok(value) = strict::parse(data) else {
        return false;
    };
    assert!(depth(&value) <= JSON_DEPTH_MAX, "nested too deep");
    let seen: Result<serde_json::Value, _> = serde_json::from_slice(data);
    assert_eq!(seen.ok(), Some(as_serde(value)));
    true
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// Members collected into a map: where a name stood twice, fewer are left and the values differ.
fn as_serde(value: Json) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => value.into(),
        Json::Number(number) => number.into(),
        Json::String(text) => text.into(),
        Json::Array(values) => values.into_iter().map(as_serde).collect(),
        Json::Object(members) => {
            let count = members.len();
            let map: serde_json::Map<_, _> = members.into_iter().map(|(name, value)| (name, as_serde(value))).collect();
            assert_eq!(map.len(), count, "a name stands twice");
            map.into()
        }
    }
}

/// A slot that parses encodes to one that says the same.
pub fn slot(data: &[u8]) -> bool {
    let Ok(slot) = strict::parse(data).and_then(Slot::parse) else {
        return false;
    };
    let again = strict::parse(slot.encode().as_bytes()).and_then(Slot::parse);
    assert_eq!(again, Ok(slot));
    true
}

/// Every key of a key file stands in it, spelled as vault spells it; and rings are made of the files that hold keys.
pub fn key_file(data: &[u8]) -> bool {
    let ring = Keyring::from_file(data);
    let Ok(KeyFile { keys, pack, slots, generation }) = keyfile::parse(data) else {
        assert!(ring.is_err(), "a ring of no key file");
        return false;
    };
    assert_eq!(ring.is_ok(), !keys.is_empty());
    let mut lines: Vec<String> = keys.iter().map(|key| keyfile::key_text(key).to_string()).collect();
    lines.extend(pack.iter().map(|pack| keyfile::pack_text(pack).to_string()));
    for line in &lines {
        assert!(data.split(|byte| *byte == b'\n').any(|found| found == line.as_bytes()), "a key from nowhere");
    }
    lines.extend(slots.iter().map(|slot| format!("slot {}", slot.encode())));
    lines.push(format!("generation {generation}"));
    match keyfile::parse(lines.join("\n").as_bytes()) {
        Ok(again) => {
            assert!(again.keys == keys && again.pack == pack && again.slots == slots && again.generation == generation)
        }
        Err(error) => panic!("what was encoded does not parse: {error}"),
    }
    true
}

/// An age file is written the same way as it was read; armor has one spelling, but for white space around it and the ends of its lines.
pub fn age_file(data: &[u8]) -> bool {
    let decoded = armor::decode(data);
    if let Ok(bytes) = &decoded {
        let text = String::from_utf8_lossy(data.trim_ascii()).replace("\r\n", "\n");
        assert_eq!(armor::encode(bytes).trim_end(), text, "armor has one spelling");
    }
    let binary = decoded.as_deref().unwrap_or(data);
    let Ok(file) = AgeFile::parse(binary) else {
        return false;
    };
    assert_eq!(encode_maced(&file.stanzas), file.maced, "a header has one spelling");
    assert_eq!(join(file.maced, &file.mac, &file.nonce, file.payload), binary);
    // The identity of C2SP's specification; it may be the one.
    let identity = Identity::parse("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
    let (own, armored) = (identity.into_iter().collect::<Vec<_>>(), armor::encode(binary));
    assert_eq!(open(&own, binary).ok(), open(&own, armored.as_bytes()).ok());
    true
}

/// A key line comes back; with one character changed it is refused, whichever it is.
pub fn key_line(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let bytes: [u8; KEY_BYTES] = input.array();
    let text = keyfile::key_text(&bytes);
    let parsed = keyfile::parse(text.as_bytes());
    let legal = keyfile::split_key(&bytes).is_ok();
    assert_eq!(parsed.is_ok_and(|file| *file.keys[0] == bytes), legal);
    let mut changed = text.as_bytes().to_vec();
    let at = input.place(changed.len());
    let byte = input.u8();
    let differs = changed[at] != byte;
    changed[at] = byte;
    assert!(!differs || keyfile::parse(&changed).is_err(), "one character changed, and still a key");
    legal
}

/// A name that parses is printed as it was spelled.
pub fn names(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let guid = text.parse::<Guid>().map(|guid| assert_eq!(guid.to_string(), text));
    let id = text.parse::<BackupId>().map(|id| assert_eq!(id.to_string(), text));
    let object = ObjectName::parse(text);
    match object {
        Some(ObjectName::Manifest(id)) => assert_eq!(id.manifest_name(), text),
        Some(ObjectName::Part(id, index)) => assert_eq!(id.part_name(index), text),
        Some(ObjectName::PruneMark(guid, time)) => assert_eq!(format!("{guid}-prune-{time}.json"), text),
        Some(ObjectName::CheckRecord(guid, time)) => assert_eq!(check_record_name(&guid, time), text),
        Some(ObjectName::Legacy(guid, seconds)) => assert!(text.starts_with(&format!("{guid}-{seconds}"))),
        None => {}
    }
    guid.is_ok() || id.is_ok() || object.is_some()
}

/// A sealed archive key opens as it was sealed, and not with one byte changed.
pub fn sealed_key(data: &[u8]) -> bool {
    let fixture = fixture();
    let mut input = Input::new(data);
    let genuine = fixture.newer.open(fixture).manifest.sealed_key;
    let keys = fixture.ring.newest();
    let mut sealed = genuine;
    if input.u8() == 0 {
        sealed = input.array();
    } else {
        while !input.is_empty() {
            let at = input.pick(sealed.len());
            sealed[at] ^= input.u8();
        }
    }
    let opened = open_key(&fixture.newer.id, &sealed, keys).is_ok();
    assert_eq!(opened, sealed == genuine, "only the key that was sealed opens");
    assert!(open_key(&fixture.older.id, &sealed, keys).is_err(), "and for its own backup only");
    opened
}
