//! The trees of BLAKE3 over several messages at once (BLAKE3 paper, sections 2.1 and 2.4 to 2.6).

use std::ops::Range;

use super::lanes::{BLOCK_BYTES, Block, Inputs, Kind, LANES, Lanes, Node};
use crate::crypto::secret::Secret;

/// Bytes of a leaf that is not the last of its message.
const LEAF_BYTES: usize = 1024;
const LEAF_BLOCKS: usize = LEAF_BYTES / BLOCK_BYTES;

type Leaf = [Block; LEAF_BLOCKS];

/// The keyed hash of every message, which has less than 4 GiB.
pub fn roots(lanes: Lanes, key: &Secret<32>, messages: &[&[u8]]) -> Vec<[u8; 32]> {
    let hasher = Hasher { lanes, key: key.expose() };
    let (mut nodes, mut trees) = hasher.leaves(messages);
    while trees.iter().any(|tree| tree.len() > 1) {
        (nodes, trees) = hasher.level(&nodes, &trees);
    }
    nodes
}

/// The nodes of a level, and which of them are whose.
type Level = (Vec<Node>, Vec<Range<usize>>);

#[derive(Clone, Copy)]
struct Hasher<'k> {
    lanes: Lanes,
    key: &'k [u8; 32],
}

impl Hasher<'_> {
    /// The lowest level.
    fn leaves(self, messages: &[&[u8]]) -> Level {
        let mut batch = Batch::new(self);
        let mut trees = Vec::with_capacity(messages.len());
        for message in messages {
            let begin = batch.leaves;
            // An empty message has a leaf, too.
            let count = message.len().div_ceil(LEAF_BYTES).max(1);
            for at in 0..count {
                let leaf = &message[at * LEAF_BYTES..message.len().min((at + 1) * LEAF_BYTES)];
                batch.push(leaf, at as u32, count == 1);
            }
            trees.push(begin..batch.leaves);
        }
        (batch.finish(), trees)
    }

    /// The level above. The left half of a tree is a power of two, and so the last node of an odd number goes up as it is.
    fn level(self, nodes: &[Node], trees: &[Range<usize>]) -> Level {
        let (mut above, mut ranges) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(trees.len()));
        let mut pairs = Vec::with_capacity(nodes.len() / 2);
        for tree in trees {
            let begin = above.len();
            let (pairs_of_tree, _) = nodes[tree.clone()].as_flattened().as_chunks().0.as_chunks::<1>();
            for pair in pairs_of_tree {
                pairs.push((pair, above.len(), tree.len() == 2));
                above.push(Node::default());
            }
            above.extend(nodes[tree.clone()].last().filter(|_| tree.len() % 2 == 1));
            ranges.push(begin..above.len());
        }
        for pairs in pairs.chunks(LANES) {
            let inputs = Inputs {
                blocks: std::array::from_fn(|lane| pairs.get(lane).unwrap_or(&pairs[0]).0),
                counts: [1; LANES],
                last: [BLOCK_BYTES as u32; LANES],
                counters: [0; LANES],
                roots: mask(pairs.iter().map(|(_, _, is_root)| *is_root)),
            };
            for ((_, place, _), parent) in pairs.iter().zip(self.lanes.values(self.key, Kind::Parents, &inputs)) {
                above[*place] = parent;
            }
        }
        (above, ranges)
    }
}

/// Leaves on their way into the lanes.
struct Batch<'k, 'm> {
    hasher: Hasher<'k>,
    waiting: Vec<(&'m [u8], u32, bool)>,
    nodes: Vec<Node>,
    /// Leaves so far.
    leaves: usize,
    /// Those that are shorter are read from here, behind them zeros.
    short: Box<[Leaf; LANES]>,
}

impl<'k, 'm> Batch<'k, 'm> {
    fn new(hasher: Hasher<'k>) -> Batch<'k, 'm> {
        let short = Box::new([[[0; BLOCK_BYTES]; LEAF_BLOCKS]; LANES]);
        Batch { hasher, waiting: Vec::with_capacity(LANES), nodes: Vec::new(), leaves: 0, short }
    }

    fn push(&mut self, leaf: &'m [u8], counter: u32, is_root: bool) {
        self.waiting.push((leaf, counter, is_root));
        self.leaves += 1;
        if self.waiting.len() == LANES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for ((leaf, ..), short) in self.waiting.iter().zip(self.short.iter_mut()) {
            if leaf.len() < LEAF_BYTES {
                short.as_flattened_mut()[..leaf.len()].copy_from_slice(leaf);
                short.as_flattened_mut()[leaf.len()..].fill(0);
            }
        }
        let leaf = |lane: usize| self.waiting.get(lane).map_or(&[][..], |(leaf, ..)| leaf);
        let count = |lane| leaf(lane).len().div_ceil(BLOCK_BYTES).max(1);
        let inputs = Inputs {
            blocks: std::array::from_fn(|lane| leaf(lane).as_chunks().0.first_chunk().unwrap_or(&self.short[lane])),
            counts: std::array::from_fn(|lane| count(lane) as u32),
            last: std::array::from_fn(|lane| (leaf(lane).len() - (count(lane) - 1) * BLOCK_BYTES) as u32),
            counters: std::array::from_fn(|lane| self.waiting.get(lane).map_or(0, |(_, counter, _)| *counter)),
            roots: mask(self.waiting.iter().map(|(_, _, is_root)| *is_root)),
        };
        let nodes = self.hasher.lanes.values(self.hasher.key, Kind::Leaves, &inputs);
        self.nodes.extend_from_slice(&nodes[..self.waiting.len()]);
        self.waiting.clear();
    }

    fn finish(mut self) -> Vec<Node> {
        if !self.waiting.is_empty() {
            self.flush();
        }
        self.nodes
    }
}

fn mask(bits: impl Iterator<Item = bool>) -> u16 {
    (0..).zip(bits).fold(0, |mask, (lane, bit)| mask | u16::from(bit) << lane)
}
