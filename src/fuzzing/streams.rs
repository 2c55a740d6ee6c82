//! Streams: the result does not depend on how they are divided, and is what an obviously right computation gives.

use crate::archive::part::{Expected, OpenPart, PaddingCheck, PartSecret};
use crate::base::cutter::Cutter;
use crate::base::limits::{HEADER_BYTES, PART_BYTES_MIN};
use crate::base::map::MapKind;
use crate::chunk::chunker::Chunker;
use crate::crypto::secret::Secret;
use crate::dump::{DumpKind, Observer};
use crate::format::frame::{Place, fits, padded_length, padding_header};
use crate::format::header::{Header, Role, SegmentSize};
use crate::fuzzing::fixture::{CUTTER, SEALED_KEY, fixture};
use crate::fuzzing::forge::seal_part;
use crate::fuzzing::input::Input;

/// Bytes of a stream at most. Bounds the time of a run.
const STREAM_BYTES_MAX: usize = 1 << 20;

/// Lengths of pieces, drawn from the front of an input and used over and over.
pub(super) struct Lengths(Vec<usize>);

impl Lengths {
    pub(super) fn draw(input: &mut Input<'_>) -> Lengths {
        let count = input.pick(8);
        let mut lengths: Vec<usize> = input.take(count).iter().map(|length| usize::from(*length)).collect();
        if lengths.iter().all(|length| *length == 0) {
            lengths.push(1);
        }
        Lengths(lengths)
    }

    /// `bytes` in pieces, some of which may be empty.
    pub(super) fn pieces<'b>(&self, mut bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        let mut lengths = self.0.iter().cycle();
        std::iter::from_fn(move || {
            if bytes.is_empty() {
                return None;
            }
            let length = lengths.next().copied().unwrap_or(1);
            let (piece, rest) = bytes.split_at(length.min(bytes.len()));
            bytes = rest;
            Some(piece)
        })
    }
}

/// The observer's report does not depend on how the dump was divided, nor on a clone that was finished on the way.
pub fn dump_observer(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let lengths = Lengths::draw(&mut input);
    let dump = input.rest();
    let mut whole = Observer::new();
    whole.push(dump);
    let mut divided = Observer::new();
    for (number, piece) in lengths.pieces(dump).enumerate() {
        divided.push(piece);
        if number % 64 == 0 {
            let so_far = divided.clone();
            assert_eq!(so_far.clone().finish().bytes, so_far.bytes());
        }
    }
    assert_eq!((whole.kind(), whole.bytes()), (divided.kind(), dump.len() as u64));
    let mut map = whole.finish_map();
    assert_eq!(map, divided.finish_map(), "the map depends on the slabs");
    let mut at = 0;
    for entry in map.drain(..) {
        let (from, to) = (entry.offset as usize, entry.end() as usize);
        assert!(at <= from && from <= to && to <= dump.len(), "a wrong range");
        let line = |at: usize| at == 0 || dump[at - 1] == b'\n';
        assert!(entry.kind == MapKind::Stop || (line(from) && line(to)), "a range is not of whole lines");
        at = to;
    }
    let report = whole.finish();
    assert_eq!(report, divided.finish(), "the report depends on the slabs");
    report.kind != DumpKind::Raw
}

/// Cuts are those of the specification, cover every byte, and depend on no byte beyond the largest chunk.
pub fn chunker(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let cutter = draw_cutter(&mut input);
    let repeat = usize::from(input.u8() % 32) + 1;
    let mut stream = input.rest().repeat(repeat);
    stream.truncate(STREAM_BYTES_MAX);
    let gear = fixture().ring.newest().pack.gear_table();
    let chunker = Chunker::new(cutter, gear.clone());
    let mut rest = stream.as_slice();
    let mut cuts = 0;
    while !rest.is_empty() {
        let length = chunker.cut(rest);
        assert!((1..=rest.len().min(chunker.maximum())).contains(&length), "a cut outside");
        assert!(length == rest.len() || length >= cutter.minimum as usize, "a chunk too small");
        assert_eq!(length, chunker.cut(&rest[..rest.len().min(chunker.maximum())]));
        assert_eq!(length, naive_cut(cutter, &gear, rest), "{cutter:?}");
        rest = &rest[length..];
        cuts += 1;
    }
    cuts > 1
}

fn draw_cutter(input: &mut Input<'_>) -> Cutter {
    match input.u8() {
        0 => Cutter::DEFAULT,
        1 => CUTTER,
        _ => {
            let step = |bytes: usize| u32::try_from(bytes * 2).unwrap_or(0);
            let minimum = 64 + step(input.u16() % 512);
            let average = minimum + step(input.u16() % 1024);
            let maximum = average + step(input.u16() % 4096);
            let mask = |bits: u64| (bits & (u64::MAX >> 1)).max(1);
            let drawn = Cutter { minimum, average, maximum, strict: mask(input.u64()), loose: mask(input.u64()) };
            assert!(drawn.is_legal(), "{drawn:?}");
            drawn
        }
    }
}

/// The pseudo-code of spec/chunking.md, line by line.
fn naive_cut(cutter: Cutter, gear: &[u64; 256], rest: &[u8]) -> usize {
    let [minimum, average, maximum] = [cutter.minimum, cutter.average, cutter.maximum].map(|size| size as usize);
    if rest.len() <= minimum {
        return rest.len();
    }
    let end = rest.len().min(maximum);
    let centre = average.min(end);
    let (centre, even_end) = (centre - centre % 2, end - end % 2);
    let mut hash = 0_u64;
    for (at, byte) in rest.iter().enumerate().take(even_end).skip(minimum) {
        hash = (hash << 1).wrapping_add(gear[usize::from(*byte)]);
        let mask = if at < centre { cutter.strict } else { cutter.loose };
        if hash & mask == 0 {
            return at;
        }
    }
    end
}

/// What is sealed opens, in whatever pieces it came; its size is the one that the specification gives; one changed byte is noticed.
pub fn part(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let Some(segment) = SegmentSize::from_log2(12 + input.u8() % 3) else {
        return false;
    };
    let part_bytes = PART_BYTES_MIN + input.place(1 << 18) as u64;
    let place = [Place::Inner, Place::Last][input.pick(2)];
    let (at, bits) = (input.place(1 << 24), input.u8().max(1));
    let repeat = usize::from(input.u8()) + 1;
    let lengths = Lengths::draw(&mut input);
    let content = input.rest().repeat(repeat);
    let capacity = segment.capacity(part_bytes);
    if content.is_empty() || !fits(content.len() as u64, capacity) {
        return false;
    }
    let header = Header {
        role: Role::Data,
        segment,
        index: 3,
        id: fixture().older.id,
        epoch: 1,
        fingerprint: [7; 16],
        salt: [9; 24],
        sealed_key: SEALED_KEY,
    };
    let secret = Secret::fill(|key| key.fill(5));
    let sealing = PartSecret::Catalogue(&secret);
    let (recorded, mut object) = seal_part(header.clone(), sealing, part_bytes, place, &mut lengths.pieces(&content));
    let padded = padded_length(content.len() as u64, capacity, place);
    assert_eq!(object.len() as u64, segment.object_bytes(padded));
    assert!(object.len() as u64 <= part_bytes, "a part over its size");
    let expected = Expected {
        id: header.id,
        part: &recorded,
        epoch: header.epoch,
        fingerprint: header.fingerprint,
        sealed_key: &SEALED_KEY,
    };
    let Some(plain) = open(&object, &expected, &secret) else {
        panic!("what was sealed does not open");
    };
    assert_eq!(plain.len() as u64, padded);
    assert!(plain.starts_with(&content) && is_padding(&plain[content.len()..]));
    let at = at % object.len();
    object[at] ^= bits;
    assert!(open(&object, &expected, &secret).is_none(), "a changed byte went unnoticed");
    true
}

fn open(object: &[u8], expected: &Expected<'_>, secret: &Secret<32>) -> Option<Vec<u8>> {
    let header = object.get(..HEADER_BYTES)?;
    let part = OpenPart::open(header, expected, PartSecret::Catalogue(secret)).ok()?;
    let mut plain = Vec::new();
    for segment in 0..part.segments() {
        let (offset, length) = part.segment_range(segment);
        let offset = usize::try_from(offset).ok()?;
        let mut bytes = object.get(offset..offset + length)?.to_vec();
        part.open_segment(segment, &mut bytes).ok()?;
        plain.extend_from_slice(&bytes);
    }
    assert_eq!(plain.len() as u64, part.plain_bytes());
    Some(plain)
}

/// Nothing, or one skippable frame of zeros to the end.
fn is_padding(bytes: &[u8]) -> bool {
    bytes.is_empty()
        || bytes.split_first_chunk().is_some_and(|(header, zeros)| {
            *header == padding_header(bytes.len() as u64) && zeros.iter().all(|byte| *byte == 0)
        })
}

/// Padding is taken for padding when it is, in whatever pieces it comes.
pub fn padding(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let length = input.u16() % 9000;
    let lengths = Lengths::draw(&mut input);
    let mut bytes = vec![0; length];
    if let Some(head) = bytes.first_chunk_mut() {
        *head = padding_header(length as u64);
    }
    while !input.is_empty() {
        let (at, byte) = (input.u16(), input.u8());
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
    }
    let right = is_padding(&bytes);
    let mut check = PaddingCheck::new(length as u64);
    assert_eq!(check.push("whole", &bytes).is_ok(), right);
    let mut check = PaddingCheck::new(length as u64);
    let divided = lengths.pieces(&bytes).try_for_each(|piece| check.push("divided", piece));
    assert_eq!(divided.is_ok(), right);
    right && length > 0
}
