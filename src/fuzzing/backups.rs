//! Whole backups: what comes out is what went in, or an error, and never a byte that was not there.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::archive::ArchiveError;
use crate::archive::catalogue::Catalogue;
use crate::archive::index::Index;
use crate::archive::section::{Fetch, SectionReader};
use crate::base::id::BackupId;
use crate::base::limits::PART_BYTES_MIN;
use crate::format::header::{Role, SegmentSize};
use crate::format::manifest::Manifest;
use crate::format::section::{Holder, Section};
use crate::fuzzing::edits::edit;
use crate::fuzzing::fixture::{Backup, CUTTER, Fixture, Outside, fixture, options, store_of};
use crate::fuzzing::forge::{Content, commit, replace};
use crate::fuzzing::input::Input;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::{Level, PackOptions};
use crate::pipeline::port::Store;
use crate::pipeline::survey::{open_manifest, read_mark};
use crate::pipeline::unpack::Restore;
use crate::pipeline::verify::verify_full;
use crate::store::memory::MemoryStore;

/// Pieces of a forged recipe that are looked at.
const PIECES_MAX: usize = 1 << 20;

/// What a role's parts hold, without the parts: answers every range that lies inside.
fn fetch_from(parts: &[&[u8]]) -> impl Fn(u32, u64, usize) -> Result<Vec<u8>, ArchiveError> {
    move |part, offset, length| {
        let bytes = parts.get(part as usize).copied().unwrap_or(&[]);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let range = bytes.get(from..from.saturating_add(length));
        match range {
            Some(range) => Ok(range.to_vec()),
            // A reader knows the lengths of the parts, and does not ask beyond them.
            None => panic!("part {part} has {} bytes, not {length} at {offset}", bytes.len()),
        }
    }
}

fn lengths(parts: &[&[u8]]) -> Vec<u64> {
    parts.iter().map(|part| part.len() as u64).collect()
}

/// Sections out of arbitrary plaintext, in one to three parts: no range beyond them is asked for, no frame is over its limit.
pub fn sections(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let holder = [Holder::Index, Holder::Catalogue][input.pick(2)];
    let (one, other) = (input.u16(), input.u16());
    let plain = input.rest();
    let (first, rest) = plain.split_at(one.min(plain.len()));
    let (second, third) = rest.split_at(other.min(rest.len()));
    let parts: Vec<&[u8]> = [first, second, third].into_iter().filter(|part| !part.is_empty()).collect();
    let mut fetch = fetch_from(&parts);
    let fetch: &mut Fetch<'_, ArchiveError> = &mut fetch;
    let Ok(mut reader) = SectionReader::open(holder, "plain", &lengths(&parts), fetch) else {
        return false;
    };
    for (end, part) in reader.content_ends().iter().zip(&parts) {
        assert!((1..=part.len() as u64).contains(end));
    }
    for section in Section::ALL {
        let _ = reader.read(section, fetch, &mut |frame| {
            assert!((1..=crate::base::limits::FRAME_PLAIN_MAX).contains(&frame.len()));
            Ok(())
        });
    }
    true
}

/// A catalogue of arbitrary sections: what is taken agrees with itself.
pub fn catalogue(data: &[u8]) -> bool {
    static GENUINE: OnceLock<Content> = OnceLock::new();
    let genuine = GENUINE.get_or_init(|| Content::of(fixture(), &fixture().newer, Role::Catalogue));
    let plain = genuine.edited(&mut Input::new(data));
    let parts = [plain.as_slice()];
    let mut fetch = fetch_from(&parts);
    let Ok(read) = Catalogue::read::<ArchiveError>("plain", &lengths(&parts), &mut fetch) else {
        return false;
    };
    assert!(read.cutter.is_legal());
    assert_eq!(read.usage.len(), read.draft.part_table().count());
    let mut chunks = 0;
    for (block, of_block) in read.chunks_by_block() {
        let plain: u64 = of_block.iter().map(|chunk| u64::from(chunk.length)).sum();
        assert_eq!((plain, of_block.len()), (u64::from(block.plain), block.chunks as usize));
        chunks += of_block.len();
    }
    assert_eq!(chunks, read.chunks.len());
    true
}

/// An index of arbitrary sections: what is taken tells a dump of its length, all of it inside the blocks.
pub fn index(data: &[u8]) -> bool {
    static GENUINE: OnceLock<(Content, Manifest, Vec<u64>)> = OnceLock::new();
    let (genuine, manifest, plain_bytes) = GENUINE.get_or_init(|| {
        let open = fixture().newer.open(fixture());
        let layout = |bytes| match options().segment.layout(bytes) {
            Ok(layout) => layout.plain,
            Err(error) => panic!("the fixture is whole: {error}"),
        };
        let plain = open.manifest.part_table().map(|(_, part)| layout(part.bytes)).collect();
        (Content::of(fixture(), &fixture().newer, Role::Index), open.manifest, plain)
    });
    let plain = genuine.edited(&mut Input::new(data));
    let parts = [plain.as_slice()];
    let mut fetch = fetch_from(&parts);
    let read = Index::read::<ArchiveError>(manifest, &lengths(&parts), plain_bytes, &mut fetch);
    let Ok(read) = read else { return false };
    let mut total = 0;
    for piece in read.pieces().take(PIECES_MAX) {
        let block = read.blocks[piece.block as usize];
        assert!(piece.length > 0 && u64::from(piece.offset) + u64::from(piece.length) <= u64::from(block.plain));
        assert!(block.end() <= plain_bytes[block.part as usize]);
        total += u64::from(piece.length);
    }
    assert_eq!(total, read.summary.plain);
    true
}

/// Objects that anybody with access to the store changed: a restore gives the dump or an error, and verification sees every change.
pub fn unpack_damaged(data: &[u8]) -> bool {
    let fixture = fixture();
    let mut input = Input::new(data);
    let mut objects = fixture.objects.clone();
    let (removed, exchanged) = (input.u8(), input.u8());
    let mut pieces: Vec<(usize, &mut Vec<u8>)> = objects.values_mut().map(|bytes| (4112, bytes)).collect();
    if exchanged > 0 {
        exchange(&mut pieces, usize::from(exchanged));
    }
    edit(&mut input, &mut pieces);
    if removed > 0 {
        let name = objects.keys().nth(usize::from(removed) % objects.len()).cloned();
        objects.retain(|object, _| Some(object) != name.as_ref());
    }
    let newer = check(fixture, &fixture.newer, &objects);
    let older = check(fixture, &fixture.older, &objects);
    newer || older
}

/// Gives two neighbours each other's bytes.
fn exchange(pieces: &mut [(usize, &mut Vec<u8>)], which: usize) {
    let which = which % (pieces.len() - 1);
    if let [(_, one), (_, next), ..] = &mut pieces[which..] {
        std::mem::swap(*one, *next);
    }
}

/// Restores and verifies one backup, some objects of which may have been changed. Tells whether it was restored.
fn check(fixture: &Fixture, backup: &Backup, objects: &BTreeMap<String, Vec<u8>>) -> bool {
    let store = store_of(objects);
    let restored = restore(fixture, &store, &backup.id, &backup.dump);
    let named = backup.open(fixture).manifest;
    let mut names: Vec<String> = named.objects().map(|(id, part)| id.part_name(part.index)).collect();
    names.push(backup.id.manifest_name());
    let untouched = names.iter().all(|name| objects.get(name) == fixture.objects.get(name));
    assert!(restored || !untouched, "an untouched backup is not restored");
    assert_eq!(verify(fixture, &store, &backup.id), untouched, "verification sees every change and no other");
    restored
}

/// Restores a backup: whatever is released is the beginning of the dump, and success is all of it.
fn restore(fixture: &Fixture, store: &dyn Store, id: &BackupId, dump: &[u8]) -> bool {
    let outside = Outside::new();
    let mut released = Vec::new();
    let result = open_manifest(store, id, &fixture.ring).and_then(|open| {
        let restore = Restore::prepare(&outside.world(store), &open, fixture.ring.newest(), 1)?;
        restore.release(&mut released)
    });
    assert!(dump.starts_with(&released), "a byte was released that is not the dump's");
    match result {
        Ok(()) => assert_eq!(released.len(), dump.len(), "success before the end"),
        Err(error) => assert!(!matches!(error, RunError::Worker), "a worker panicked"),
    }
    released.len() == dump.len()
}

/// Whether a full verification finds nothing.
fn verify(fixture: &Fixture, store: &dyn Store, id: &BackupId) -> bool {
    let outside = Outside::new();
    let Ok(open) = open_manifest(store, id, &fixture.ring) else {
        return false;
    };
    match verify_full(&outside.world(store), &open, fixture.ring.newest(), 1) {
        Ok(report) => report.findings.is_empty(),
        Err(error) => panic!("a store in memory fails nobody: {error}"),
    }
}

/// An index of arbitrary sections, sealed with the right key: a restore gives the dump or an error.
pub fn forged_index(data: &[u8]) -> bool {
    static GENUINE: OnceLock<Content> = OnceLock::new();
    let fixture = fixture();
    let genuine = GENUINE.get_or_init(|| Content::of(fixture, &fixture.newer, Role::Index));
    let mut objects = fixture.objects.clone();
    let mut open = fixture.newer.open(fixture);
    replace(fixture, &mut open, Role::Index, &genuine.edited(&mut Input::new(data)), &mut objects);
    let id = commit(&mut open, &mut objects);
    let store = store_of(&objects);
    let restored = restore(fixture, &store, &id, &fixture.newer.dump);
    let verified = verify(fixture, &store, &id);
    assert!(restored || !verified, "verified, and not restored");
    restored
}

/// A catalogue of arbitrary sections, sealed with the right key: no later run panics, and none restores anything but its own dump.
pub fn forged_catalogue(data: &[u8]) -> bool {
    static GENUINE: OnceLock<(Content, Content)> = OnceLock::new();
    let fixture = fixture();
    let (catalogue, index) = GENUINE.get_or_init(|| {
        let of = |role| Content::of(fixture, &fixture.newer, role);
        (of(Role::Catalogue), of(Role::Index))
    });
    let mut objects = fixture.objects.clone();
    let mut open = fixture.newer.open(fixture);
    let mut input = Input::new(data);
    replace(fixture, &mut open, Role::Catalogue, &catalogue.edited(&mut input), &mut objects);
    let mut index = index.clone();
    if let Some(draft) = index.section(Section::Draft) {
        *draft = open.manifest.encode_draft().into_bytes();
    }
    replace(fixture, &mut open, Role::Index, &index.plaintext(&mut Input::new(&[])), &mut objects);
    let id = commit(&mut open, &mut objects);
    let store = store_of(&objects);
    assert!(restore(fixture, &store, &id, &fixture.newer.dump), "a restore needs no catalogue");
    let verified = verify(fixture, &store, &id);
    let outside = Outside::new();
    let options = PackOptions { cutter: None, ..options() };
    match outside.pack(&store, &fixture.ring, options, &fixture.older.dump) {
        Ok(packed) => {
            restore(fixture, &store, &packed.manifest.id, &fixture.older.dump);
        }
        Err(error) => assert!(!matches!(error, RunError::Worker), "a worker panicked"),
    }
    verified
}

/// A mark of arbitrary bytes: it is read or it is not, and a run beside it loses nothing.
pub fn prune_mark(data: &[u8]) -> bool {
    let (fixture, store) = (fixture(), fixture().store());
    let name = format!("{}-prune-1760000000000.json", fixture.newer.id.guid);
    store.insert(name.as_str(), data);
    let read = read_mark(&store, &name);
    let outside = Outside::new();
    let dump = &fixture.older.dump[..4096];
    match outside.pack(&store, &fixture.ring, options(), dump) {
        Ok(packed) => {
            assert!(restore(fixture, &store, &packed.manifest.id, dump));
            let mut named = packed.manifest.objects().map(|(id, part)| id.part_name(part.index));
            let marked = read.as_ref();
            assert!(marked.is_none_or(|marked| !named.any(|name| marked.contains(&name))), "a marked part is used");
            assert!(marked.is_some() || packed.manifest.bases.is_empty(), "nobody knows what is marked");
        }
        Err(error) => panic!("a store in memory fails nobody: {error}"),
    }
    read.is_some()
}

/// Two dumps, the second made of the first: both come back, whatever the sizes and the number of threads.
pub fn pack_unpack(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let mut options = draw_options(&mut input);
    let (turn, repeat) = (input.u16(), usize::from(input.u8() % 32) + 1);
    let first = input.rest().repeat(repeat);
    let mut second = [&first[..turn.min(first.len())], &first].concat();
    second.rotate_left(turn.min(first.len()) / 2);
    let (outside, store, fixture) = (Outside::new(), MemoryStore::new(), fixture());
    let mut packed = 0;
    for dump in [&first, &second] {
        match outside.pack(&store, &fixture.ring, options, dump) {
            Ok(backup) => {
                assert_eq!(backup.plain, dump.len() as u64);
                assert!(restore(fixture, &store, &backup.manifest.id, dump), "what was packed is not restored");
                assert!(verify(fixture, &store, &backup.manifest.id), "what was packed is not verified");
                packed += 1;
            }
            Err(RunError::CutShort(_)) => {}
            Err(error) => panic!("a store in memory fails nobody: {error}"),
        }
        options = draw_options(&mut Input::new(&data[..data.len().min(8)]));
    }
    packed > 0
}

fn draw_options(input: &mut Input<'_>) -> PackOptions {
    let drawn = options();
    let part_bytes = PART_BYTES_MIN + input.place(1 << 16) as u64;
    PackOptions {
        level: Level::Fixed(i32::from(input.u8() % 3) + 1),
        part_bytes,
        segment: SegmentSize::for_part_bytes(part_bytes),
        threads: 1 + input.pick(3),
        paranoid: input.u8() % 2 == 1,
        cutter: Some(CUTTER),
        ..drawn
    }
}
