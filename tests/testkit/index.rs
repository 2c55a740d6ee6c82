//! Draft, summary and spans (spec/index.md).

use vault::base::cutter::Cutter;
use vault::base::failure::FailureClass::{Damaged, Limit, Unsupported};
use vault::base::limits::SPAN_BYTES;
use vault::base::size::padme;
use vault::format::manifest::Verdict;

use super::List;
use super::build::{Kit, Stage};
use super::form::IndexForm;
use super::recipe;
use crate::common::world::rows;

pub fn vectors(list: &mut List) {
    drafts(list);
    summary(list);
    spans(list);
    recipe::vectors(list);
}

/// Changes what the index says.
pub fn index(kit: &mut Kit, change: impl Fn(&mut IndexForm) + 'static) {
    kit.at(move |stage| {
        if let Stage::Index(index) = stage {
            change(index);
        }
    });
}

/// Replaces text, which has to be there.
pub fn replace(text: &mut Vec<u8>, from: &str, to: &str) {
    let old = String::from_utf8(text.clone()).expect("text");
    assert!(old.contains(from), "{from} is not in {old}");
    *text = old.replacen(from, to, 1).into_bytes();
}

fn draft(kit: &mut Kit, from: &'static str, to: &'static str) {
    index(kit, move |index| replace(&mut index.draft, from, to));
}

/// Gives drafts and manifest verdicts of their own.
pub fn verdicts(kit: &mut Kit, in_catalogue: Verdict, in_index: Verdict, in_manifest: Verdict) {
    let packed = "\"unchecked\"";
    kit.at(move |stage| match stage {
        Stage::Catalogue(form) => replace(&mut form.draft, packed, &format!("\"{}\"", in_catalogue.name())),
        Stage::Index(form) => replace(&mut form.draft, packed, &format!("\"{}\"", in_index.name())),
        Stage::Manifest(manifest) => manifest.verdict = in_manifest,
        _ => {}
    });
}

fn drafts(list: &mut List) {
    list.refused("draft-kind", Damaged, "the draft has another kind than the manifest", &|kit| {
        draft(kit, "\"raw\"", "\"tar\"")
    });
    list.refused("draft-verdict", Damaged, "the draft has another verdict than the manifest", &|kit| {
        verdicts(kit, Verdict::Shrunk, Verdict::Shrunk, Verdict::Complete)
    });
    list.refused("draft-not-shrunk", Damaged, "the manifest is accepted, and the drafts are not shrunk", &|kit| {
        verdicts(kit, Verdict::Incomplete, Verdict::Incomplete, Verdict::Accepted)
    });
    list.refused("draft-accepted", Damaged, "the draft is accepted, which only a manifest can be", &|kit| {
        verdicts(kit, Verdict::Shrunk, Verdict::Accepted, Verdict::Accepted)
    });
    list.refused("draft-tags", Damaged, "the draft has another tag than the manifest", &|kit| {
        kit.tags = vec![("a".into(), "1".into())];
        draft(kit, "\"a\": \"1\"", "\"a\": \"2\"")
    });
    list.refused("draft-tags-order", Damaged, "the draft has the tags of the manifest in another order", &|kit| {
        kit.tags = vec![("a".into(), "1".into()), ("b".into(), "1".into())];
        draft(kit, "\"a\": \"1\",\n    \"b\"", "\"b\": \"1\",\n    \"a\"")
    });
    list.refused("draft-part", Damaged, "the draft records another size of a part than the manifest", &|kit| {
        draft(kit, "\"bytes\": ", "\"bytes\": 1")
    });
    list.refused("draft-size", Damaged, "the draft has another size than the manifest", &|kit| {
        draft(kit, "\"size\": ", "\"size\": 1")
    });
    list.refused("draft-of-another", Damaged, "the draft is that of another backup of the guid", &|kit| {
        let other = Kit { seed: "another".into(), ..Kit::small() }.build();
        let mut manifest = other.manifest;
        manifest.parts.truncate(4);
        let text = manifest.encode_draft().into_bytes();
        index(kit, move |index| index.draft = text.clone())
    });
    list.refused("draft-generation", Damaged, "the draft has a generation", &|kit| {
        draft(kit, "\"generation\": 0", "\"generation\": 1")
    });
    list.refused("draft-stored", Damaged, "the draft says how much is stored", &|kit| {
        draft(kit, "\"stored\": 0", "\"stored\": 1")
    });
    list.refused("draft-rebuilt", Damaged, "the draft says that it was rebuilt", &|kit| {
        draft(kit, "\"rebuilt\": false", "\"rebuilt\": true")
    });
    list.refused("draft-mac", Damaged, "the draft ends in a MAC", &|kit| {
        draft(kit, "\n}\n", ",\n  \"mac\": \"0000000000000000000000000000000000000000000000000000000000000000\"\n}\n")
    });
    list.refused("draft-end", Damaged, "the draft does not end in a line end", &|kit| {
        index(kit, |index| {
            let _ = index.draft.pop();
        })
    });
    list.refused("draft-order", Damaged, "two members of the draft stand in the other order", &|kit| {
        draft(
            kit,
            "\"kind\": \"raw\",\n  \"verdict\": \"unchecked\"",
            "\"verdict\": \"unchecked\",\n  \"kind\": \"raw\"",
        )
    });
    list.refused("draft-version", Unsupported, "the draft is of version 2", &|kit| {
        draft(kit, "\"version\": 1", "\"version\": 2")
    });
}

fn summary(list: &mut List) {
    list.refused("size-exact", Damaged, "the size of the manifest is the exact one, not rounded up", &|kit| {
        kit.at(|stage| match stage {
            Stage::Index(index) => {
                let rounded = padme(index.plain);
                assert_ne!(rounded, index.plain);
                let size = format!("\"size\": {rounded}");
                replace(&mut index.draft, &size, &format!("\"size\": {}", index.plain));
            }
            Stage::Manifest(manifest) => manifest.size -= 1,
            _ => {}
        });
        let mut plain = 0;
        kit.at(move |stage| match stage {
            Stage::Index(index) => plain = index.plain,
            Stage::Manifest(manifest) => manifest.size = plain,
            _ => {}
        });
    });
    list.refused("plain-more", Damaged, "the summary has a byte more than the recipe", &|kit| {
        index(kit, |index| index.plain += 1)
    });
    list.refused("plain-less", Damaged, "the summary has a byte less than the recipe", &|kit| {
        index(kit, |index| index.plain -= 1)
    });
    list.refused("plain-over", Limit, "the summary has 2^48 + 1 bytes", &|kit| {
        index(kit, |index| index.plain = (1 << 48) + 1)
    });
    list.unseen("ids-digest", Damaged, "ids_digest is another", &|kit| index(kit, |index| index.ids_digest[31] ^= 1));
    list.unseen("chunks", Damaged, "the summary has a chunk more than the recipe", &|kit| {
        index(kit, |index| index.chunks += 1)
    });
}

/// A dump of two spans, which compresses well.
fn two_spans(kit: &mut Kit) {
    kit.dump = rows(3, 40).into_iter().cycle().take(SPAN_BYTES + 70_000).collect();
    kit.cutter = Cutter::DEFAULT;
    kit.block_bytes = 100_000;
}

fn spans(list: &mut List) {
    list.refused("span", Damaged, "the digest of the only span is another", &|kit| {
        index(kit, |index| index.spans[0][0] ^= 1)
    });
    list.refused("span-missing", Damaged, "the only span has no digest", &|kit| {
        index(kit, |index| index.spans.clear())
    });
    list.refused("span-too-many", Damaged, "there is a digest more than spans", &|kit| {
        index(kit, |index| index.spans.push([0; 16]))
    });
    list.refused("span-first", Damaged, "the only span has the digest of a second one", &|kit| {
        kit.dump = vec![b'x'; 5000];
        index(kit, |index| index.spans[0] = index.span_key.digest(1, &[b'x'; 5000]))
    });
    list.refused("span-of-two", Damaged, "the first of two span digests is another in its last byte", &|kit| {
        two_spans(kit);
        index(kit, |index| index.spans[0][15] ^= 1)
    });
    list.released("span-repeated", Damaged, "the second span has the digest of the first", SPAN_BYTES, &|kit| {
        two_spans(kit);
        index(kit, |index| index.spans[1] = index.spans[0])
    });
    list.released("second-span", Damaged, "a block in the second span decodes to other bytes", SPAN_BYTES, &|kit| {
        two_spans(kit);
        kit.at(|stage| {
            if let Stage::Blocks(blocks) = stage {
                let last = blocks.last_mut().expect("blocks");
                let mut other = last.plain.clone();
                *other.last_mut().expect("bytes") ^= 1;
                last.frame = zstd::bulk::compress(&other, 3).expect("compresses");
            }
        });
    });
    let unopened = "the segment that the second span ends in does not open";
    list.released("last-segment", Damaged, unopened, SPAN_BYTES, &|kit| {
        two_spans(kit);
        kit.block_bytes = SPAN_BYTES / 4;
        kit.part_blocks = 100;
        kit.at(|stage| match stage {
            // The last block gets so many raw bytes that it needs segments of its own.
            Stage::Blocks(blocks) => {
                let last = blocks.last_mut().expect("blocks");
                last.frame = vault::format::frame::raw_frame(&last.plain);
            }
            Stage::Object(0, object) => *object.last_mut().expect("bytes") ^= 1,
            _ => {}
        });
    });
}
