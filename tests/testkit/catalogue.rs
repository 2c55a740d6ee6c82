//! What only a verification reads: catalogues, and the sums over them (spec/index.md, spec/chunking.md).

use vault::base::failure::FailureClass::Damaged;
use vault::format::manifest::Verdict;

use super::List;
use super::build::{Kit, Stage};
use super::form::CatalogueForm;
use super::index::{replace, verdicts};

/// Name, comment, and what is changed.
type Case<T> = (&'static str, &'static str, fn(&mut T));

fn catalogue(kit: &mut Kit, change: impl Fn(&mut CatalogueForm) + 'static) {
    kit.at(move |stage| {
        if let Stage::Catalogue(catalogue) = stage {
            change(catalogue);
        }
    });
}

fn draft(kit: &mut Kit, from: &'static str, to: &'static str) {
    catalogue(kit, move |catalogue| replace(&mut catalogue.draft, from, to));
}

pub fn vectors(list: &mut List) {
    drafts(list);
    cutter(list);
    tables(list);
    usage(list);
    bases(list);
}

fn drafts(list: &mut List) {
    list.unseen("draft-of-another", Damaged, "the draft is that of another backup of the guid", &|kit| {
        let other = Kit { seed: "another".into(), later: 1000, ..Kit::small() }.build();
        let mut manifest = other.manifest;
        manifest.parts.truncate(2);
        let text = manifest.encode_draft().into_bytes();
        catalogue(kit, move |catalogue| catalogue.draft = text.clone())
    });
    list.unseen("draft-sealed-key", Damaged, "the draft has another sealed key than the headers", &|kit| {
        draft(kit, "\"sealed_key\": \"", "\"sealed_key\": \"AAAA");
        // As long as it was.
        catalogue(kit, |catalogue| {
            let at = catalogue.draft.windows(4).position(|bytes| bytes == b"AAAA").expect("it is there");
            catalogue.draft.drain(at + 4..at + 8);
        })
    });
    list.unseen("draft-epoch", Damaged, "the draft has another epoch than the headers", &|kit| {
        draft(kit, "\"epoch\": 1", "\"epoch\": 2")
    });
    list.unseen("draft-part", Damaged, "the draft records another size of a data part than the manifest", &|kit| {
        draft(kit, "\"bytes\": ", "\"bytes\": 1")
    });
    list.unseen("draft-verdict", Damaged, "the draft has another verdict than the manifest", &|kit| {
        draft(kit, "\"unchecked\"", "\"complete\"")
    });
    list.unseen("draft-accepted", Damaged, "the draft is accepted, which only a manifest can be", &|kit| {
        verdicts(kit, Verdict::Accepted, Verdict::Shrunk, Verdict::Accepted)
    });
    list.unseen("draft-slots", Damaged, "the draft has a generation of slots", &|kit| {
        draft(kit, "\"generation\": 0", "\"generation\": 1")
    });
    list.unseen("draft-end", Damaged, "the draft has an empty line at its end", &|kit| {
        catalogue(kit, |catalogue| catalogue.draft.push(b'\n'))
    });
}

fn cutter(list: &mut List) {
    let cases: [Case<[u64; 6]>; 9] = [
        ("cutter-minimum", "a minimum below 64", |cutter| cutter[0] = 62),
        ("cutter-odd", "an odd minimum", |cutter| cutter[0] = 65),
        ("cutter-average", "an average below the minimum", |cutter| cutter[1] = 60),
        ("cutter-descending", "a maximum below the average", |cutter| cutter[2] = 126),
        ("cutter-maximum", "a maximum over 1 MiB", |cutter| cutter[2] = (1 << 20) + 2),
        ("cutter-zero", "the bytes that are zero are not", |cutter| cutter[3] = 1),
        ("cutter-strict", "a strict mask of 0", |cutter| cutter[4] = 0),
        ("cutter-loose", "a loose mask of 0", |cutter| cutter[5] = 0),
        ("cutter-high", "a mask of 2^63", |cutter| cutter[4] = 1 << 63),
    ];
    for (name, comment, change) in cases {
        list.unseen(name, Damaged, comment, &move |kit| catalogue(kit, move |catalogue| change(&mut catalogue.cutter)));
    }
}

fn tables(list: &mut List) {
    let cases: [Case<CatalogueForm>; 15] = [
        ("block-missing", "the last block is not in the catalogue", |c| {
            let last = c.blocks.pop().expect("blocks");
            c.chunks.truncate(c.chunks.len() - last[3] as usize);
        }),
        ("part-missing", "the only block of a part is not in the catalogue, though its chunks are", |c| {
            let last = c.blocks.pop().expect("blocks");
            let before = c.blocks.last_mut().expect("blocks");
            before[3] += last[3];
            before[2] += last[2];
        }),
        ("part-skipped", "the blocks are of parts 0 and 2", |c| c.blocks[2][0] = 2),
        ("parts-descend", "the parts of the blocks descend", |c| c.blocks[0][0] = 1),
        ("stored-0", "a block of 0 stored bytes", |c| c.blocks[1][1] = 0),
        ("plain-0", "a block of 0 plain bytes", |c| c.blocks[1][2] = 0),
        ("stored-over", "a block of 2 MiB + 64 KiB + 1 stored bytes", |c| c.blocks[1][1] = 2_162_689),
        ("plain-over", "a block of 2 MiB + 1 plain bytes", |c| c.blocks[1][2] = (2 << 20) + 1),
        ("no-chunk", "a block without a chunk", |c| c.blocks[1][3] = 0),
        ("stored-differs", "a block has another stored length than the index says", |c| c.blocks[0][1] += 1),
        ("plain-differs", "the chunks of a block are longer than it", |c| c.blocks[0][2] -= 1),
        ("chunk-missing", "the last chunk is not there", |c| {
            let _ = c.chunks.pop();
        }),
        ("chunk-too-many", "there is a chunk more than the blocks have", |c| c.chunks.push(([7; 16], 100))),
        ("chunk-length-0", "a chunk of no byte", |c| {
            c.blocks[0][3] += 1;
            c.chunks.insert(0, ([7; 16], 0));
        }),
        ("chunks-shifted", "the first two chunks share their bytes otherwise", |c| {
            c.chunks[0].1 += 1;
            c.chunks[1].1 -= 1;
        }),
    ];
    for (name, comment, change) in cases {
        list.unseen(name, Damaged, comment, &move |kit| catalogue(kit, change));
    }
    list.unseen("chunk-id", Damaged, "a chunk has another id, in catalogue and digest", &|kit| {
        kit.at(|stage| {
            if let Stage::Blocks(blocks) = stage {
                blocks[0].chunks[0].0[0] ^= 1;
            }
        });
    });
    list.unseen("chunk-over-maximum", Damaged, "a chunk that is longer than the maximum of the cutter", &|kit| {
        catalogue(kit, |c| {
            c.cutter[2] = 130;
            assert!(c.chunks.iter().any(|chunk| chunk.1 > 130));
        })
    });
    list.unseen("extent-within-a-chunk", Damaged, "an extent ends within a chunk", &|kit| {
        kit.at(|stage| {
            if let Stage::Index(index) = stage {
                let (block, offset, length) = index.recipe[0];
                index.recipe[0].2 = 10;
                index.recipe.insert(1, (block, offset + 10, length - 10));
            }
        });
    });
}

fn usage(list: &mut List) {
    let cases: [Case<CatalogueForm>; 5] = [
        ("usage-live-over", "more of a part is live than it has", |c| c.usage[0].0 += 1),
        ("usage-live-less", "a byte less of a part is live than the recipe uses", |c| c.usage[0].0 -= 1),
        ("usage-plain", "a part has a plain byte more than its blocks", |c| c.usage[1].1 += 1),
        ("usage-missing", "a part without a usage record", |c| {
            let _ = c.usage.pop();
        }),
        ("usage-too-many", "a usage record more than parts", |c| c.usage.push((0, 0))),
    ];
    for (name, comment, change) in cases {
        list.unseen(name, Damaged, comment, &move |kit| catalogue(kit, change));
    }
}

fn bases(list: &mut List) {
    list.unseen(
        "base-part",
        Damaged,
        "the catalogue of a base records another SHA-256 of the part that is used",
        &|kit| {
            let mut base = Kit::earlier();
            draft(&mut base, "\"sha256\": \"", "\"sha256\": \"0000");
            catalogue(&mut base, |catalogue| {
                let at =
                    catalogue.draft.windows(14).position(|bytes| bytes == b"sha256\": \"0000").expect("it is there");
                catalogue.draft.drain(at + 14..at + 18);
            });
            kit.rest_on(base);
        },
    );
    list.unseen("base-catalogue", Damaged, "the catalogue of a base is that of another backup", &|kit| {
        kit.rest_on_base();
        let other = Kit { seed: "another".into(), dump: crate::common::world::rows(2, 36), ..Kit::small() }.build();
        let base = kit.base.as_mut().expect("a base");
        // Objects and entries of the other backup, which has the same id and another archive key.
        for index in [2, 3] {
            let name = base.id.part_name(index);
            base.objects.insert(name.clone(), other.objects[&name].clone());
            base.manifest.parts[index as usize] = other.manifest.parts[index as usize].clone();
        }
    });
}
