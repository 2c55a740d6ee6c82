//! Blocks and recipe (spec/index.md).

use vault::base::failure::FailureClass::{Damaged, Unsupported};
use vault::base::size::padme;

use super::List;
use super::build::{Kit, Stage};
use super::index::{index, replace};
use super::work::spans;

pub fn vectors(list: &mut List) {
    blocks(list);
    recipe(list);
}

fn blocks(list: &mut List) {
    list.refused("block-kind-1", Unsupported, "a block of kind 1", &|kit| index(kit, |index| index.blocks[1][4] = 1));
    list.refused("block-kind-255", Unsupported, "a block of kind 255", &|kit| {
        index(kit, |index| index.blocks[0][4] = 255)
    });
    list.refused("block-zero", Damaged, "a byte after the kind of a block is not zero", &|kit| {
        index(kit, |index| index.blocks[0][4] = 1 << 24)
    });
    list.refused("block-beyond", Damaged, "a block goes a byte beyond the plaintext of its part", &|kit| {
        kit.at(|stage| match stage {
            Stage::Padded(1, bytes) => bytes.truncate(bytes.len() - 8),
            Stage::Index(index) => {
                let last = index.blocks.last_mut().expect("blocks");
                last[2] = 2_000;
            }
            _ => {}
        });
    });
    list.refused("block-wraps", Damaged, "offset and length of a block sum up over 2^32", &|kit| {
        index(kit, |index| {
            let last = index.blocks.last_mut().expect("blocks");
            last[1] = u32::MAX - 10;
        })
    });
    list.refused("block-part", Damaged, "a block of a part that is not in the part table", &|kit| {
        index(kit, |index| index.blocks.last_mut().expect("blocks")[0] = 2)
    });
    list.refused("block-stored-0", Damaged, "a block of 0 stored bytes", &|kit| {
        index(kit, |index| index.blocks[2][2] = 0)
    });
    list.refused("block-plain-0", Damaged, "a block of 0 plain bytes", &|kit| {
        index(kit, |index| index.blocks[2][3] = 0)
    });
    list.refused("block-stored-over", Damaged, "a block of 2 MiB + 64 KiB + 1 stored bytes", &|kit| {
        index(kit, |index| index.blocks[2][2] = 2_162_689)
    });
    list.refused("block-plain-over", Damaged, "a block of 2 MiB + 1 plain bytes", &|kit| {
        index(kit, |index| index.blocks[2][3] = (2 << 20) + 1)
    });
    list.refused("blocks-overlap", Damaged, "the second block begins a byte before the end of the first", &|kit| {
        index(kit, |index| index.blocks[1][1] -= 1)
    });
    list.refused("blocks-descend", Damaged, "two blocks of a part stand in the other order", &|kit| {
        index(kit, |index| {
            index.blocks.swap(0, 1);
            let [first, second] = [index.blocks[1][3], index.blocks[0][3]].map(u64::from);
            let rest = index.recipe[1..].to_vec();
            index.recipe = [vec![(1, 0, first), (0, 0, second)], rest].concat();
        })
    });
    list.refused("blocks-twice", Damaged, "a block stands twice, and both are used", &|kit| {
        index(kit, |index| {
            let [first, second] = [index.blocks[0][3], index.blocks[1][3]].map(u64::from);
            index.blocks.insert(0, index.blocks[0]);
            index.recipe.remove(0);
            index.recipe[0].0 += 1;
            let halves = [(0, 0, 10), (1, 10, first - 10), (2, 0, second)];
            index.recipe.splice(0..0, halves);
        })
    });
    list.refused("block-unused", Damaged, "a block that no extent uses, of a dump without its bytes", &|kit| {
        drop_bytes(kit, |blocks| [&blocks[0], &blocks[2]].map(|plain| plain.as_slice()).concat());
        index(kit, |index| {
            index.recipe[0].2 = index.blocks[0][3].into();
        });
    });
    list.refused("part-unused", Damaged, "a data part that no block names, of a dump without its bytes", &|kit| {
        kit.rest_on_base();
        drop_bytes(kit, |blocks| blocks.concat());
        index(kit, |index| {
            index.blocks.retain(|block| block[0] < 2);
            index.recipe.remove(0);
        });
    });
    list.refused("straddle-chunks", Damaged, "two blocks are read as one of both lengths", &|kit| {
        index(kit, |index| {
            let second = index.blocks.remove(1);
            index.blocks[0][2] += second[2];
            index.blocks[0][3] += second[3];
            index.recipe[1].0 -= 1;
        })
    });
}

/// Makes the index that of another dump, made of the plain bytes of the own blocks.
fn drop_bytes(kit: &mut Kit, make: impl Fn(&[Vec<u8>]) -> Vec<u8> + 'static) {
    let mut dump = Vec::new();
    kit.at(move |stage| match stage {
        Stage::Blocks(blocks) => {
            let plain: Vec<Vec<u8>> = blocks.iter().map(|block| block.plain.clone()).collect();
            dump = make(&plain);
        }
        Stage::Index(index) => {
            index.plain = dump.len() as u64;
            index.spans = spans(&dump, &index.span_key);
        }
        _ => {}
    });
    resize(kit);
}

/// Gives the manifest the size that the summary was given.
fn resize(kit: &mut Kit) {
    let mut size = 0;
    kit.at(move |stage| match stage {
        Stage::Index(index) => {
            let text = String::from_utf8(index.draft.clone()).expect("text");
            let old = text.lines().find(|line| line.starts_with("  \"size\"")).expect("a size").to_owned();
            size = padme(index.plain);
            replace(&mut index.draft, &old, &format!("  \"size\": {size},"));
        }
        Stage::Manifest(manifest) => manifest.size = size,
        _ => {}
    });
}

fn recipe(list: &mut List) {
    list.refused("extent-block", Damaged, "an extent in a block that is not there", &|kit| {
        index(kit, |index| index.recipe[1].0 = 3)
    });
    list.refused("extent-offset", Damaged, "an extent that begins at the end of its block", &|kit| {
        index(kit, |index| {
            let plain = index.blocks[2][3];
            index.recipe.insert(1, (2, plain, 1));
            index.recipe[2].2 -= 1;
        })
    });
    list.refused("extent-length-0", Damaged, "an extent of no byte", &|kit| {
        index(kit, |index| index.recipe.insert(1, (0, 0, 0)))
    });
    list.refused("run-on-across-parts", Damaged, "an extent runs on into the block of another part", &|kit| {
        index(kit, |index| {
            let second = index.recipe.pop().expect("two extents");
            index.recipe[0].2 += second.2;
        })
    });
    list.refused(
        "run-on-over-a-gap",
        Damaged,
        "an extent runs on into a block that does not begin where it ends",
        &|kit| {
            // Between the two blocks of the part stands a frame that no record names.
            kit.at(|stage| match stage {
                Stage::Blocks(blocks) => blocks[0].frame.extend_from_slice(b"\x50\x2a\x4d\x18\0\0\0\0"),
                Stage::Index(index) => index.blocks[0][2] -= 8,
                _ => {}
            });
        },
    );
    list.refused("run-on-beyond", Damaged, "an extent runs on behind the last block", &|kit| {
        index(kit, |index| {
            index.recipe[1].2 += 1;
            index.plain += 1;
        });
        resize(kit)
    });
    list.refused("sum-too-small", Damaged, "the extents are a byte short", &|kit| {
        index(kit, |index| index.recipe[1].2 -= 1)
    });
    list.refused("sum-too-large", Damaged, "the extents are a byte over", &|kit| {
        index(kit, |index| index.recipe.push((0, 0, 1)))
    });
    list.refused("sum-overflows", Damaged, "the lengths of the extents sum up over 2^64 to the plain bytes", &|kit| {
        index(kit, |index| {
            index.recipe.push((0, 0, u64::MAX));
            index.recipe.push((0, 0, 1));
        })
    });
    list.refused("order", Damaged, "two extents stand in the other order", &|kit| {
        index(kit, |index| index.recipe.swap(0, 1))
    });
    list.refused("empty", Damaged, "an index without a recipe, of a dump that is not empty", &|kit| {
        index(kit, |index| index.recipe.clear())
    });
}
