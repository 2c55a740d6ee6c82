//! Segments (spec/part.md, "Segments").

use vault::base::failure::FailureClass::Damaged;

use super::List;
use super::build::{Kit, Stage};
use super::seal::Segment;
use crate::common::world::noise;

/// A backup whose first data part has three segments.
fn long(kit: &mut Kit) {
    kit.dump = noise("segments", 10_000);
    kit.block_bytes = 5_000;
}

fn sealing(kit: &mut Kit, part: u32, change: impl Fn(&mut Vec<Segment>) + 'static) {
    long(kit);
    kit.at(move |stage| match stage {
        Stage::Segments(index, segments) if *index == part => change(segments),
        _ => {}
    });
}

fn object(kit: &mut Kit, part: u32, change: impl Fn(&mut Vec<u8>) + 'static) {
    long(kit);
    kit.at(move |stage| match stage {
        Stage::Object(index, object) if *index == part => change(object),
        _ => {}
    });
}

pub fn vectors(list: &mut List) {
    const SEALED: usize = 4096 + 16;
    list.refused("last-flag-missing", Damaged, "the last segment does not carry the flag", &|kit| {
        sealing(kit, 0, |segments| segments.last_mut().expect("one").last = false)
    });
    list.refused("last-flag-early", Damaged, "the first of several segments carries the flag", &|kit| {
        sealing(kit, 0, |segments| segments[0].last = true)
    });
    list.refused("last-flag-of-index", Damaged, "the last segment of an index part does not carry the flag", &|kit| {
        sealing(kit, 4, |segments| segments.last_mut().expect("one").last = false)
    });
    list.unseen(
        "last-flag-of-catalogue",
        Damaged,
        "the last segment of a catalogue part does not carry the flag",
        &|kit| sealing(kit, 2, |segments| segments.last_mut().expect("one").last = false),
    );
    list.refused("cut-at-segment", Damaged, "a part is cut at the end of a segment, and the manifest agrees", &|kit| {
        object(kit, 0, |object| object.truncate(256 + SEALED))
    });
    list.refused("two-finals", Damaged, "after the last segment stands another one with the flag", &|kit| {
        sealing(kit, 0, |segments| {
            let counter = segments.len() as u64;
            let rest = 4096 - segments.last().expect("one").plain.len();
            segments.last_mut().expect("one").plain.extend(vec![0; rest]);
            segments.push(Segment { counter, last: true, plain: vec![0; 100] });
        })
    });
    list.refused("swapped", Damaged, "the first two segments stand in the other order", &|kit| {
        object(kit, 0, |object| {
            let first: Vec<u8> = object.drain(256..256 + SEALED).collect();
            object.splice(256 + SEALED..256 + SEALED, first);
        })
    });
    list.refused("repeated", Damaged, "the second segment is a copy of the first", &|kit| {
        object(kit, 0, |object| object.copy_within(256..256 + SEALED, 256 + SEALED))
    });
    list.refused("counter", Damaged, "the counter of the nonces begins at 1", &|kit| {
        sealing(kit, 0, |segments| segments.iter_mut().for_each(|segment| segment.counter += 1))
    });
    list.refused("empty-last", Damaged, "the last segment is empty", &|kit| {
        sealing(kit, 0, |segments| {
            segments.truncate(2);
            segments[1].last = false;
            segments.push(Segment { counter: 2, last: true, plain: Vec::new() });
        })
    });
    list.refused("no-plaintext", Damaged, "a part of 256 + 16 bytes: one empty segment", &|kit| {
        sealing(kit, 0, |segments| {
            segments.truncate(1);
            segments[0] = Segment { counter: 0, last: true, plain: Vec::new() };
        })
    });
    list.refused("one-byte", Damaged, "a part of 256 + 17 bytes, which the index goes beyond", &|kit| {
        sealing(kit, 0, |segments| {
            segments.truncate(1);
            segments[0].last = true;
            segments[0].plain.truncate(1);
        })
    });
    list.refused("tag", Damaged, "a bit of the last tag is another", &|kit| {
        object(kit, 0, |object| *object.last_mut().expect("bytes") ^= 0x80)
    });
    list.refused("ciphertext", Damaged, "a bit of the ciphertext is another", &|kit| {
        object(kit, 0, |object| object[300] ^= 1)
    });
    list.refused("ciphertext-of-index", Damaged, "a bit of an index part is another", &|kit| {
        object(kit, 4, |object| object[300] ^= 1)
    });
    list.unseen("ciphertext-of-catalogue", Damaged, "a bit of a catalogue part is another", &|kit| {
        object(kit, 2, |object| object[300] ^= 1)
    });
}
