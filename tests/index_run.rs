//! The chunks of a run against the plainest implementation of the same.

use proptest::prelude::*;
use vault::base::id::ChunkId;
use vault::index::run::{Place, RunTable};

/// What is done to a table.
#[derive(Clone, Debug)]
enum Step {
    Push(u8, u32),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    // Few ids and fewer lengths: the same chunk comes again, and the same id with another length.
    prop_oneof![6 => (any::<u8>(), 1..4u32).prop_map(|(id, length)| Step::Push(id, length)), 1 => Just(Step::Close)]
}

fn id(byte: u8) -> ChunkId {
    // Two ids in four share the half that is the hash.
    let mut id = [byte / 4; 16];
    id[15] = byte;
    ChunkId(id)
}

/// Blocks as vectors, searched from the front.
#[derive(Default)]
struct Naive {
    blocks: Vec<Vec<(ChunkId, u32)>>,
    is_open: bool,
}

impl Naive {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Close => self.is_open = false,
            Step::Push(byte, length) => {
                if !self.is_open {
                    self.blocks.push(Vec::new());
                }
                self.is_open = true;
                self.blocks.last_mut().expect("a block").push((id(byte), length));
            }
        }
    }

    fn find(&self, wanted: (ChunkId, u32)) -> Option<Place> {
        for (block, chunks) in (0..).zip(&self.blocks) {
            if let Some(at) = chunks.iter().position(|chunk| *chunk == wanted) {
                let offset = chunks[..at].iter().map(|chunk| chunk.1).sum();
                return Some(Place { block, offset });
            }
        }
        None
    }
}

proptest! {
    #[test]
    fn finds_what_the_naive_table_finds(steps in proptest::collection::vec(step(), 0..300)) {
        let (mut table, mut naive) = (RunTable::new(), Naive::default());
        for step in &steps {
            match *step {
                Step::Push(byte, length) => table.push(id(byte), length).expect("there is room"),
                Step::Close => table.close_block(),
            }
            naive.take(step);
        }
        for byte in 0..=255 {
            for length in 0..5 {
                prop_assert_eq!(table.find(&id(byte), length), naive.find((id(byte), length)));
            }
        }
        let blocks: Vec<Vec<_>> = table.blocks().map(Iterator::collect).collect();
        prop_assert!(blocks == naive.blocks);
        prop_assert_eq!(table.chunks(), naive.blocks.iter().map(Vec::len).sum::<usize>() as u64);
        let mut chunks = table.into_chunks().into_iter();
        for (block, list) in (0..).zip(&naive.blocks) {
            let mut offset = 0;
            for (id, length) in list {
                let chunk = chunks.next().expect("as many chunks");
                prop_assert!((chunk.id, chunk.length) == (*id, *length));
                prop_assert_eq!((chunk.block, chunk.offset), (block, offset));
                offset += length;
            }
        }
        prop_assert!(chunks.next().is_none());
    }
}
