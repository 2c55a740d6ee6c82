//! Legal, and at the edge: what a reader that is too strict would refuse (spec/limits.md).

use vault::base::cutter::Cutter;
use vault::format::header::Role;
use vault::format::manifest::Verdict;
use vault::format::slot::{Slot, SlotKind};

use super::List;
use super::build::{Stage, key_file};
use super::container::Opener;
use super::directory::frames;
use super::form::Frame;
use super::index::{replace, verdicts};
use super::manifest::everywhere;
use super::slot::{phrase, slot};

pub fn vectors(list: &mut List) {
    list.legal("small", "two data parts, two catalogue parts, two index parts", &|_| {});
    list.legal("base", "a later backup that uses a part of an earlier one", &|kit| kit.rest_on_base());
    list.legal("empty", "an empty dump", &|kit| kit.dump = Vec::new());
    list.legal("one-byte", "a dump of one byte", &|kit| kit.dump = vec![b'x']);
    list.legal("one-part-each", "one part of each role", &|kit| {
        kit.section_parts = 1;
        kit.part_blocks = 100;
    });
    list.legal("segment-20", "segments of 1 MiB", &|kit| kit.segment = 20);
    list.legal("block-2-mib", "a block of 2 MiB, in eight spans", &|kit| {
        kit.dump = b"0123456789abcdef".repeat(1 << 17);
        kit.block_bytes = 2 << 20;
        kit.cutter = Cutter::DEFAULT;
    });
    list.legal("span-full", "a dump of exactly one span", &|kit| {
        kit.dump = b"0123456789abcdef".repeat(1 << 14);
        kit.block_bytes = 1 << 18;
        kit.cutter = Cutter::DEFAULT;
    });
    list.legal("chunk-1-mib", "chunks of 1 MiB: the largest maximum that a cutter may have", &|kit| {
        kit.dump = vec![0; (1 << 20) + 100];
        kit.block_bytes = 2 << 20;
        kit.cutter = Cutter { minimum: 1 << 20, average: 1 << 20, maximum: 1 << 20, strict: 1, loose: (1 << 63) - 1 };
    });
    list.legal("window-2-mib", "a frame with a window of 2 MiB instead of one segment", &|kit| {
        kit.at(|stage| {
            if let Stage::Blocks(blocks) = stage {
                let plain = &blocks[0].plain;
                let head = [&b"\x28\xb5\x2f\xfd\x80\x58"[..], &(plain.len() as u32).to_le_bytes()].concat();
                let block = ((plain.len() << 3 | 1) as u32).to_le_bytes();
                blocks[0].frame = [&head, &block[..3], plain].concat();
            }
        });
    });
    list.legal("content-size-8-bytes", "a frame with a content size of eight bytes", &|kit| {
        kit.at(|stage| {
            if let Stage::Blocks(blocks) = stage {
                let plain = &blocks[0].plain;
                let head = [&b"\x28\xb5\x2f\xfd\xe0"[..], &(plain.len() as u64).to_le_bytes()].concat();
                let block = ((plain.len() << 3 | 1) as u32).to_le_bytes();
                blocks[0].frame = [&head, &block[..3], plain].concat();
            }
        });
    });
    list.legal("no-padding", "the first data part has no padding", &|kit| {
        let mut content = 0;
        kit.at(move |stage| match stage {
            Stage::Content(0, bytes) => content = bytes.len(),
            Stage::Padded(0, bytes) => bytes.truncate(content),
            _ => {}
        });
    });
    list.legal("padding-of-eight", "the first data part has a padding of eight bytes", &|kit| {
        let mut content = 0;
        kit.at(move |stage| match stage {
            Stage::Content(0, bytes) => content = bytes.len(),
            Stage::Padded(0, bytes) => {
                bytes.truncate(content);
                bytes.extend_from_slice(b"\x50\x2a\x4d\x18\0\0\0\0");
            }
            _ => {}
        });
    });
    list.legal("directory-alone", "the first index part holds the directory and nothing else", &|kit| {
        frames(kit, Role::Index, |frames| frames.iter_mut().for_each(|frame| frame.part = 1))
    });
    list.legal("draft-in-frames", "the draft stands in frames of 100 bytes", &|kit| {
        frames(kit, Role::Index, |frames| {
            let plain = zstd::bulk::decompress(&frames[0].bytes, 1 << 20).expect("a frame");
            frames.splice(0..1, plain.chunks(100).map(|piece| Frame::of(1, 0, piece)));
        })
    });
    list.legal("extents-of-chunks", "an extent for every chunk of the first block", &|kit| {
        let mut lengths: Vec<u64> = Vec::new();
        kit.at(move |stage| match stage {
            Stage::Blocks(blocks) => lengths = blocks[0].chunks.iter().map(|chunk| chunk.1.into()).collect(),
            Stage::Index(index) => {
                let (_, _, whole) = index.recipe[0];
                let first: u64 = lengths.iter().sum();
                let mut at = 0;
                let mut extents: Vec<(u32, u32, u64)> = lengths
                    .iter()
                    .map(|length| {
                        at += length;
                        (0, (at - length) as u32, *length)
                    })
                    .collect();
                extents.push((1, 0, whole - first));
                index.recipe.splice(0..1, extents);
            }
            _ => {}
        });
    });
    manifests(list);
    keys(list);
}

fn manifests(list: &mut List) {
    list.legal("manifest-16-mib", "a manifest of exactly 16 MiB, most of it white space", &|kit| {
        kit.at(|stage| {
            if let Stage::Text(text) = stage {
                let missing = (16 << 20) - 80 - text.len();
                text.splice(2..2, std::iter::repeat_n(b' ', missing));
            }
        });
    });
    list.legal("manifest-white-space", "a manifest without white space, but for its end", &|kit| {
        kit.at(|stage| {
            if let Stage::Text(text) = stage {
                let old = String::from_utf8(text.clone()).expect("text");
                assert!(!old.contains("\\\""));
                **text = old.replace("\n", "").replace(": ", ":").replace(", ", ",").replace("  ", "").into_bytes();
            }
        });
    });
    list.legal("manifest-escapes", "a manifest with escapes that are not needed", &|kit| {
        kit.at(|stage| {
            if let Stage::Text(text) = stage {
                replace(text, "\"kind\": \"raw\"", "\"\\u006bind\": \"r\\u0061w\"");
            }
        });
    });
    list.legal("tags-32", "32 tags, one with a name of 64 bytes and a value of 256", &|kit| {
        kit.tags = (0..31).map(|number| (format!("tag{number}"), String::new())).collect();
        kit.tags.push(("é".repeat(32), "\"\\𝄞".to_owned() + &"é".repeat(125)));
    });
    list.legal("tool-64", "a tool of 64 bytes", &|kit| everywhere(kit, "testkit", &"é".repeat(32)));
    list.legal("prev-gone", "a prev that has been deleted since", &|kit| {
        let prev = "{\"id\": \"3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd-1000000000000\", \"seq\": 9007199254740990, \
                    \"sha256\": \"00000000000000000000000000000000000000000000000000000000000000ff\"}";
        everywhere(kit, "\"seq\": 1,\n  \"prev\": null", &format!("\"seq\": 9007199254740991,\n  \"prev\": {prev}"))
    });
    list.legal("rebuilt", "a manifest that was rebuilt, of the highest generation", &|kit| {
        kit.at(|stage| {
            if let Stage::Manifest(manifest) = stage {
                manifest.rebuilt = true;
                manifest.generation = (1 << 53) - 1;
            }
        });
    });
    list.legal("verdict-incomplete", "a backup that was kept though its dump is cut short", &|kit| {
        everywhere(kit, "\"unchecked\"", "\"incomplete\"")
    });
    list.legal("verdict-shrunk", "a backup that is less than half of the one before", &|kit| {
        everywhere(kit, "\"unchecked\"", "\"shrunk\"")
    });
    list.legal(
        "verdict-accepted",
        "a backup that shrank and was accepted: its drafts say as what it was packed",
        &|kit| verdicts(kit, Verdict::Shrunk, Verdict::Shrunk, Verdict::Accepted),
    );
}

fn keys(list: &mut List) {
    const PHRASE: &[u8] = b"correct horse";
    list.legal("epoch-max", "epoch 2^31 - 1", &|kit| kit.epoch = (1 << 31) - 1);
    list.legal("key-file-of-64", "a key file of 64 epochs and 64 KiB", &|kit| {
        let mut text: Vec<u8> = (1..=64).rev().flat_map(last_line).collect();
        text.resize(64 << 10, b'#');
        kit.opener = Some(Opener::KeyFile(text));
    });
    list.legal("key-file-without-end", "the last line of the key file lacks its end", &|kit| {
        let mut text = key_file(1);
        text.pop();
        kit.opener = Some(Opener::KeyFile(text));
    });
    list.legal("key-file-slots", "a key file with slot lines", &|kit| {
        let slots = [slot(PHRASE, 1), slot(PHRASE, 2)].map(|slot| format!("slot {}\n", slot.encode()));
        kit.opener = Some(Opener::KeyFile([key_file(1), slots.concat().into_bytes()].concat()));
    });
    list.legal(
        "passphrase",
        "a passphrase of 1024 bytes, and a carriage return and line end that are not part of it",
        &|kit| {
            let long = "é".repeat(512).into_bytes();
            kit.slots = vec![slot(&long, 1)];
            phrase(kit, &[&long, &b"\r\n"[..]].concat());
        },
    );
    list.legal("slots-16", "16 slots, of which the last opens", &|kit| {
        kit.slots = (1..16).map(|id| slot(&[id], id)).collect();
        kit.slots.push(slot(PHRASE, 99));
        phrase(kit, PHRASE);
    });
    list.legal("argon2-edge", "slots that demand as much as they may, and are not tried", &|kit| {
        let edge = |id, m, t, p| {
            let mut slot = slot(PHRASE, id);
            if let SlotKind::Passphrase { m: memory, t: passes, p: lanes, .. } = &mut slot.kind {
                (*memory, *passes, *lanes) = (m, t, p);
            }
            slot
        };
        kit.slots = vec![edge(1, 1 << 21, 1, 4), edge(2, 8, 1 << 18, 1), edge(3, 32, 1, 4)];
    });
    list.legal("age-slot", "an age slot of 64 KiB", &|kit| {
        kit.slots =
            vec![Slot { id: [1; 4], kind: SlotKind::Age { file: "-----BEGIN\n".repeat(6000)[..1 << 16].into() } }];
    });
}

/// The last line of a key file: the key line of an epoch.
fn last_line(epoch: u32) -> Vec<u8> {
    let text = key_file(epoch);
    let at = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("comments come first");
    text[at + 1..].to_vec()
}
