//! The dedup cache: against a map, against every flipped bit and every cut, and against its own kind.

mod index {
    pub mod damage;
    pub mod files;
    pub mod model;
    pub mod size;
}

use vault::base::id::{BackupId, ChunkId, Guid};
use vault::index::cache::{KnownBackup, KnownBlock, NewBackup, NewChunk};

const KEY: [u8; 32] = [7; 32];
const BINDING: [u8; 32] = [9; 32];

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn id(&mut self) -> ChunkId {
        ChunkId((u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes())
    }
}

fn backup_id(number: u64) -> BackupId {
    BackupId::new(Guid([3; 16]), 1_700_000_000_000 + number).expect("13 digits")
}

/// A backup of those chunks, in order, 64 to a block.
fn backup(number: u64, chunks: &[(ChunkId, u32)]) -> NewBackup {
    let mut new = NewBackup {
        known: KnownBackup { id: backup_id(number), record: number.to_le_bytes().repeat(3), blocks: Vec::new() },
        chunks: Vec::new(),
    };
    for (block, chunks) in (0..).zip(chunks.chunks(64)) {
        let mut plain = 0;
        for &(id, length) in chunks {
            let offset = plain;
            new.chunks.push(NewChunk { id, length, block, offset });
            plain += length;
        }
        let (part, offset, stored) = (block / 1000, block % 1000 * 999, plain / 2);
        new.known.blocks.push(KnownBlock { part, offset, stored, plain });
    }
    new
}

/// As many chunks of ids that occur nowhere else.
fn chunks(numbers: &mut Numbers, count: usize) -> Vec<(ChunkId, u32)> {
    (0..count).map(|_| (numbers.id(), 1 + (numbers.next() % 65_536) as u32)).collect()
}
