//! zstd frames and padding (spec/part.md, "Frames" and "Padding").

use vault::base::failure::FailureClass::Damaged;
use vault::format::frame::raw_frame;

use super::List;
use super::build::{Kit, Stage};
use super::directory;

pub fn vectors(list: &mut List) {
    blocks(list);
    padding(list);
    directory::vectors(list);
}

/// Replaces the frame of the first block.
fn frame(kit: &mut Kit, make: impl Fn(&[u8], &[u8]) -> Vec<u8> + 'static) {
    kit.at(move |stage| {
        if let Stage::Blocks(blocks) = stage {
            blocks[0].frame = make(&blocks[0].plain, &blocks[0].frame);
        }
    });
}

/// A frame of one raw block behind a header made by hand.
fn by_hand(header: &[u8], plain: &[u8]) -> Vec<u8> {
    let block = ((plain.len() << 3 | 1) as u32).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd], header, &block[..3], plain].concat()
}

/// The same with a content size of four bytes at the end of the header.
fn sized(header: &[u8], plain: &[u8]) -> Vec<u8> {
    by_hand(&[header, &(plain.len() as u32).to_le_bytes()].concat(), plain)
}

fn compressor() -> zstd::bulk::Compressor<'static> {
    zstd::bulk::Compressor::new(3).expect("a compressor")
}

fn blocks(list: &mut List) {
    list.refused("checksum", Damaged, "the frame of a block ends in a checksum", &|kit| {
        frame(kit, |plain, _| {
            let mut zstd = compressor();
            zstd.include_checksum(true).expect("an option");
            zstd.compress(plain).expect("compresses")
        })
    });
    list.refused("dictionary-id", Damaged, "the frame of a block has a dictionary id, of 0", &|kit| {
        frame(kit, |plain, _| sized(&[0xa1, 0], plain))
    });
    list.refused("no-content-size", Damaged, "the frame of a block does not say its content size", &|kit| {
        frame(kit, |plain, _| by_hand(&[0x00, 0x58], plain))
    });
    list.refused("unused-bit", Damaged, "the unused bit of a frame header is 1", &|kit| {
        frame(kit, |plain, _| sized(&[0xb0], plain))
    });
    list.refused("reserved-bit", Damaged, "the reserved bit of a frame header is 1", &|kit| {
        frame(kit, |plain, _| sized(&[0xa8], plain))
    });
    list.refused("window", Damaged, "the window of a frame is an eighth over 2 MiB", &|kit| {
        frame(kit, |plain, _| sized(&[0x80, 0x59], plain))
    });
    list.refused("content-size", Damaged, "the content size of a frame is one more than its record says", &|kit| {
        frame(kit, |plain, _| by_hand(&[&[0xa0][..], &(plain.len() as u32 + 1).to_le_bytes()].concat(), plain))
    });
    list.refused("shorter-content", Damaged, "a frame gives one byte less than its content size", &|kit| {
        frame(kit, |plain, _| by_hand(&[&[0xa0][..], &(plain.len() as u32).to_le_bytes()].concat(), &plain[1..]))
    });
    list.refused("longer-content", Damaged, "a frame gives one byte more than its content size", &|kit| {
        frame(kit, |plain, _| {
            let header = [&[0xa0][..], &(plain.len() as u32).to_le_bytes()].concat();
            by_hand(&header, &[plain, b"x"].concat())
        })
    });
    list.refused("two-frames", Damaged, "a block is two frames", &|kit| {
        frame(kit, |plain, _| [raw_frame(&plain[..100]), raw_frame(&plain[100..])].concat())
    });
    list.refused(
        "frame-and-skippable",
        Damaged,
        "a skippable frame follows the frame of a block in its record",
        &|kit| frame(kit, |_, frame| [frame, b"\x50\x2a\x4d\x18\0\0\0\0"].concat()),
    );
    list.refused("skippable-first", Damaged, "a skippable frame precedes the frame of a block in its record", &|kit| {
        frame(kit, |_, frame| [b"\x50\x2a\x4d\x18\0\0\0\0", frame].concat())
    });
    list.refused("trailing-byte", Damaged, "a byte follows the frame of a block in its record", &|kit| {
        frame(kit, |_, frame| [frame, b"\0"].concat())
    });
    list.refused("cut", Damaged, "the last byte of the frame of a block is missing", &|kit| {
        frame(kit, |_, frame| frame[..frame.len() - 1].to_vec())
    });
    list.refused("not-zstd", Damaged, "a block is not a frame but its plain bytes", &|kit| {
        frame(kit, |plain, _| plain.to_vec())
    });
    list.refused("other-bytes", Damaged, "a block decodes to other bytes than were packed", &|kit| {
        frame(kit, |plain, _| raw_frame(&plain.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()))
    });
}

/// Changes the plaintext of a part, padding included.
fn padded(kit: &mut Kit, part: u32, change: impl Fn(&mut Vec<u8>, usize) + 'static) {
    let mut content = 0;
    kit.at(move |stage| match stage {
        Stage::Content(index, bytes) if *index == part => content = bytes.len(),
        Stage::Padded(index, bytes) if *index == part => change(bytes, content),
        _ => {}
    });
}

fn skippable(magic: u8, claimed: u32, zeros: usize) -> Vec<u8> {
    [&[magic, 0x2a, 0x4d, 0x18][..], &claimed.to_le_bytes(), &vec![0; zeros]].concat()
}

fn pad_with(kit: &mut Kit, part: u32, padding: Vec<u8>) {
    padded(kit, part, move |bytes, content| {
        bytes.truncate(content);
        bytes.extend_from_slice(&padding);
    });
}

fn padding(list: &mut List) {
    list.unseen("padding-not-zero", Damaged, "a byte of the padding is not zero", &|kit| {
        let mut padding = skippable(0x50, 20, 20);
        padding[27] = 1;
        pad_with(kit, 0, padding)
    });
    list.unseen("padding-of-four", Damaged, "the padding has four bytes", &|kit| pad_with(kit, 0, vec![0; 4]));
    list.unseen("padding-zeros", Damaged, "the padding is zeros without a frame", &|kit| pad_with(kit, 1, vec![0; 40]));
    list.unseen("padding-magic", Damaged, "the padding is a skippable frame of another magic", &|kit| {
        pad_with(kit, 0, skippable(0x51, 20, 20))
    });
    list.unseen("padding-length", Damaged, "the padding says that it is longer than it is", &|kit| {
        pad_with(kit, 0, skippable(0x50, 21, 20))
    });
    list.unseen("padding-two-frames", Damaged, "the padding is two frames", &|kit| {
        pad_with(kit, 0, [skippable(0x50, 10, 10), skippable(0x50, 10, 10)].concat())
    });
    list.unseen("padding-of-index", Damaged, "the padding of an index part is not zero", &|kit| {
        let mut padding = skippable(0x50, 20, 20);
        padding[8] = 1;
        pad_with(kit, 5, padding)
    });
    list.unseen("padding-of-catalogue", Damaged, "the padding of a catalogue part is not zero", &|kit| {
        let mut padding = skippable(0x50, 20, 20);
        padding[8] = 1;
        pad_with(kit, 2, padding)
    });
    list.unseen("frame-as-padding", Damaged, "after the last block stands a frame that no record names", &|kit| {
        pad_with(kit, 0, raw_frame(b"who reads this?"))
    });
    list.unseen(
        "frame-after-index",
        Damaged,
        "after the last frame of an index part stands one that no record names",
        &|kit| pad_with(kit, 5, raw_frame(b"who reads this?")),
    );
}
