//! Where everything of a new backup lies: the bases it names, its block directory, its recipe, and how much of each part it uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::header::Role;
use crate::format::manifest::Base;
use crate::format::record::{Block, Extent, Usage};
use crate::pipeline::error::RunError;
use crate::pipeline::pack::attempt::Attempt;
use crate::pipeline::pack::weave::{Stretch, Weaver};

/// Earlier backups that the recipe uses, as the manifest lists them.
pub(super) struct Foreign {
    /// Ordinal among the known backups, and its entry; ascending by id.
    pub(super) bases: Vec<(u32, Base)>,
    /// Blocks used of each.
    pub(super) blocks: BTreeMap<u32, BTreeSet<u32>>,
}

impl Foreign {
    pub(super) fn gather(weaver: &Weaver<'_>) -> Result<Foreign, RunError> {
        let blocks = weaver.foreign_blocks();
        let mut bases = Vec::with_capacity(blocks.len());
        for (backup, used) in &blocks {
            let parts = used.iter().filter_map(|block| weaver.known.block(*backup, *block)).map(|block| block.part);
            let base = weaver.known.base(*backup, &parts.collect());
            bases.push((*backup, base.ok_or(RunError::Audit)?));
        }
        bases.sort_by_key(|(_, base)| base.id);
        Ok(Foreign { bases, blocks })
    }

    /// The block directory, and where in it each earlier block stands.
    pub(super) fn directory(
        &self,
        attempt: &Attempt<'_>,
        weaver: &Weaver<'_>,
        own: u32,
    ) -> (Vec<Block>, BTreeMap<(u32, u32), u32>) {
        let placed = attempt.placed.iter().zip(&weaver.own_plain);
        let mut blocks: Vec<Block> = placed
            .map(|(placed, plain)| Block {
                part: placed.part,
                offset: placed.offset,
                stored: placed.stored,
                plain: *plain,
            })
            .collect();
        let mut starts = BTreeMap::new();
        let mut first = own;
        for (backup, base) in &self.bases {
            let data: Vec<u32> =
                base.parts.iter().filter(|part| part.role == Role::Data).map(|part| part.index).collect();
            for ordinal in self.blocks.get(backup).into_iter().flatten() {
                let Some(block) = weaver.known.block(*backup, *ordinal) else {
                    continue;
                };
                let Ok(place) = data.binary_search(&block.part) else {
                    continue;
                };
                starts.insert((*backup, *ordinal), blocks.len() as u32);
                blocks.push(Block {
                    part: first + place as u32,
                    offset: block.offset,
                    stored: block.stored,
                    plain: block.plain,
                });
            }
            first += data.len() as u32;
        }
        (blocks, starts)
    }
}

/// A stretch runs on through blocks of its origin; an extent, of its part.
pub(super) fn split_by_part(blocks: &[Block], first: u32, stretch: &Stretch, recipe: &mut Vec<Extent>) {
    let mut extent = Extent { block: first, offset: stretch.offset, length: 0 };
    let (mut at, mut offset, mut left) = (first, stretch.offset, stretch.length);
    while left > 0 {
        let Some(block) = blocks.get(at as usize) else { break };
        let length = u64::from(block.plain.saturating_sub(offset)).min(left);
        extent.length += length;
        left -= length;
        let adjoins = blocks.get(at as usize + 1).is_some_and(|next| next.part == block.part);
        if left > 0 && !adjoins {
            recipe.push(extent);
            extent = Extent { block: at + 1, offset: 0, length: 0 };
        }
        (at, offset) = (at + 1, 0);
    }
    recipe.push(extent);
}

/// Live and plain bytes of every part of the part table.
pub(super) fn usage(attempt: &Attempt<'_>, weaver: &Weaver<'_>, foreign: &Foreign) -> Vec<Usage> {
    let mut usage = vec![Usage { live: 0, plain: 0 }; attempt.parts.len()];
    for (placed, plain) in attempt.placed.iter().zip(&weaver.own_plain) {
        // Every own block was stored because the dump uses all of it.
        if let Some(part) = usage.get_mut(placed.part as usize) {
            part.live += u64::from(*plain);
            part.plain += u64::from(*plain);
        }
    }
    let live = weaver.foreign_live();
    for (backup, base) in &foreign.bases {
        for part in base.parts.iter().filter(|part| part.role == Role::Data) {
            let live = live.get(&(*backup, part.index)).copied().unwrap_or(0);
            usage.push(Usage { live, plain: weaver.known.part_plain(*backup, part.index) });
        }
    }
    usage
}
