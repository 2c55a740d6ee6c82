//! Directories and their sections (spec/index.md, "Frames, directory, sections").

use vault::base::failure::FailureClass::{Damaged, Limit, Unsupported};
use vault::format::frame::raw_frame;
use vault::format::header::Role::{self, Catalogue, Index};

use super::List;
use super::build::{Kit, Stage};
use super::form::Frame;

pub fn vectors(list: &mut List) {
    directories(list);
    sections(list);
}

/// Changes the frames of a role before the directory is made of them.
pub fn frames(kit: &mut Kit, role: Role, change: impl Fn(&mut Vec<Frame>) + 'static) {
    kit.at(move |stage| match stage {
        Stage::Frames(of, frames) if *of == role => change(frames),
        _ => {}
    });
}

/// Changes the content of the directory of the index.
fn records(kit: &mut Kit, change: impl Fn(&mut Vec<u8>) + 'static) {
    kit.at(move |stage| {
        if let Stage::Records(Index, records) = stage {
            change(records)
        }
    });
}

/// Replaces the frame of the directory of the index.
fn directory(kit: &mut Kit, make: impl Fn(&[u8]) -> Vec<u8> + 'static) {
    let mut content = Vec::new();
    kit.at(move |stage| match stage {
        Stage::Records(Index, records) => content = records.clone(),
        Stage::Directory(Index, frame) => **frame = make(&content),
        _ => {}
    });
}

fn directories(list: &mut List) {
    list.refused("directory-empty", Damaged, "the directory has no record", &|kit| records(kit, Vec::clear));
    list.refused("directory-odd", Damaged, "the directory has a byte more than its records", &|kit| {
        records(kit, |records| records.push(0))
    });
    list.refused("directory-compressed", Damaged, "the directory is a compressed frame", &|kit| {
        directory(kit, |content| {
            let frame = zstd::bulk::compress(content, 19).expect("compresses");
            assert!(frame.len() < raw_frame(content).len());
            frame
        })
    });
    list.refused(
        "directory-compressed-block",
        Damaged,
        "the directory has the right header and a compressed block",
        &|kit| {
            directory(kit, |content| {
                let frame = zstd::bulk::compress(content, 19).expect("compresses");
                [&raw_frame(content)[..9], &frame[6..]].concat()
            })
        },
    );
    list.refused("directory-two-blocks", Damaged, "the directory is two raw blocks where one is enough", &|kit| {
        directory(kit, |content| {
            let block =
                |bytes: &[u8], last: usize| [&((bytes.len() << 3 | last) as u32).to_le_bytes()[..3], bytes].concat();
            let blocks = [block(&content[..16], 0), block(&content[16..], 1)].concat();
            [&raw_frame(content)[..9], &blocks].concat()
        })
    });
    list.refused(
        "directory-run",
        Damaged,
        "seven zeros of the directory are a block of their own, and its length is the right one",
        &|kit| {
            directory(kit, |content| {
                let block =
                    |kind: usize, length: usize, last: usize| ((length << 3 | kind << 1 | last) as u32).to_le_bytes();
                assert_eq!(content[1..8], [0; 7]);
                let run = [&block(0, 1, 0)[..3], &content[..1], &block(1, 7, 0)[..3], &[0]].concat();
                let rest = [&block(0, content.len() - 8, 1)[..3], &content[8..]].concat();
                let frame = [&raw_frame(content)[..9], &run, &rest].concat();
                assert_eq!(frame.len(), raw_frame(content).len());
                frame
            })
        },
    );
    list.refused("directory-size", Damaged, "the directory says that it is a record longer than it is", &|kit| {
        directory(kit, |content| {
            let mut frame = raw_frame(content);
            frame[5] += 16;
            frame
        })
    });
    list.refused("directory-over-1-mib", Limit, "the directory says that it has 65537 records", &|kit| {
        directory(kit, |content| {
            let mut frame = raw_frame(content);
            frame[5..9].copy_from_slice(&(65_537_u32 * 16).to_le_bytes());
            frame
        })
    });
    list.refused("sections-descend", Damaged, "the summary stands before the draft", &|kit| {
        kit.section_parts = 1;
        frames(kit, Index, |frames| frames.swap(0, 1))
    });
    list.refused(
        "parts-descend",
        Damaged,
        "the first record is of the second part, the next one of the first",
        &|kit| {
            frames(kit, Index, |frames| {
                frames[0].part = 1;
                frames[1].part = 0;
            })
        },
    );
    list.refused("part-skipped", Damaged, "the records name the first and the third part", &|kit| {
        frames(kit, Index, |frames| frames[1..].iter_mut().for_each(|frame| frame.part = 2))
    });
    list.refused("part-without-frame", Damaged, "no record names the second part", &|kit| {
        frames(kit, Index, |frames| frames.iter_mut().for_each(|frame| frame.part = 0));
        kit.at(|stage| {
            if let Stage::Padded(5, bytes) = stage {
                bytes.extend_from_slice(b"\x50\x2a\x4d\x18\x08\0\0\0\0\0\0\0\0\0\0\0");
            }
        });
    });
    list.refused("part-beyond", Damaged, "the last record names a part that is not there", &|kit| {
        frames(kit, Index, |frames| frames.last_mut().expect("frames").part = 2)
    });
}

/// Changes the record of a section of the index, and leaves the frame.
fn record(kit: &mut Kit, section: u32, change: impl Fn(&mut Frame) + 'static) {
    frames(kit, Index, move |frames| frames.iter_mut().filter(|frame| frame.section == section).for_each(&change));
}

fn sections(list: &mut List) {
    list.refused("stored-0", Damaged, "a record of 0 stored bytes", &|kit| record(kit, 5, |frame| frame.stored = 0));
    list.refused("plain-0", Damaged, "a record of 0 plain bytes", &|kit| record(kit, 5, |frame| frame.plain = 0));
    list.refused("stored-over", Damaged, "a record of 2 MiB + 64 KiB + 1 stored bytes", &|kit| {
        record(kit, 5, |frame| frame.stored = 2_162_689)
    });
    list.refused("plain-over", Damaged, "a record of 1 MiB + 32 plain bytes", &|kit| {
        record(kit, 5, |frame| frame.plain = (1 << 20) + 32)
    });
    list.refused("stored-beyond", Damaged, "a record that goes beyond its part", &|kit| {
        record(kit, 5, |frame| frame.stored += 2000)
    });
    list.refused("stored-short", Damaged, "a record that is shorter than its frame", &|kit| {
        record(kit, 5, |frame| frame.stored -= 1)
    });
    list.refused("plain-differs", Damaged, "a record with another plain length than its frame", &|kit| {
        record(kit, 5, |frame| frame.plain += 32)
    });
    list.refused("section-0", Unsupported, "a section 0", &|kit| record(kit, 1, |frame| frame.section = 0));
    list.refused("section-7", Unsupported, "a section that is not known", &|kit| {
        frames(kit, Index, |frames| frames.push(Frame::of(7, 1, b"new")))
    });
    list.refused("section-of-catalogue", Unsupported, "an index with a section of the catalogue", &|kit| {
        frames(kit, Index, |frames| frames.push(Frame::of(19, 1, &[0; 16])))
    });
    list.unseen("section-of-index", Unsupported, "a catalogue with a section of the index", &|kit| {
        frames(kit, Catalogue, |frames| frames.insert(1, Frame::of(2, 1, &[0; 80])))
    });
    list.refused("no-draft", Damaged, "an index without a draft", &|kit| {
        kit.section_parts = 1;
        frames(kit, Index, |frames| drop(frames.remove(0)))
    });
    list.refused("no-summary", Damaged, "an index without a summary", &|kit| {
        frames(kit, Index, |frames| drop(frames.remove(1)))
    });
    list.refused("two-summaries", Damaged, "an index with two summaries", &|kit| {
        frames(kit, Index, |frames| frames.insert(1, frames[1].clone()))
    });
    list.unseen("no-cutter", Damaged, "a catalogue without a cutter", &|kit| {
        frames(kit, Catalogue, |frames| drop(frames.remove(1)))
    });
    list.refused("straddling", Damaged, "a record of the block directory stands in two frames", &|kit| {
        kit.at(|stage| {
            if let Stage::Frames(Index, frames) = stage {
                let at = frames.iter().position(|frame| frame.section == 3).expect("blocks");
                let plain = zstd::bulk::decompress(&frames[at].bytes, 1000).expect("a frame");
                let halves = [Frame::of(3, 1, &plain[..30]), Frame::of(3, 1, &plain[30..])];
                frames.splice(at..=at, halves);
            }
        });
    });
}
