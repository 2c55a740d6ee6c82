//! The ids of chunks: keyed BLAKE3, the first 16 bytes (spec/chunking.md, "Ids").
//!
//! The crate `blake3` defines them. It hashes one message at a time, and spreads the 1 KiB leaves of its tree over the lanes of a register; a chunk
//! of 20 leaves leaves lanes empty, and so do the few nodes above them: of the speed that the crate has with a mebibyte, chunks get less than
//! half. With AVX-512 the leaves of many chunks fill the lanes together, and so do their nodes, level by level. The ids are the same.

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod trees;

use crate::base::id::ChunkId;
use crate::crypto::secret::Secret;
#[cfg(target_arch = "x86_64")]
use lanes::Lanes;

/// Computes ids under one key.
pub struct ChunkIds {
    key: Secret<32>,
    #[cfg(target_arch = "x86_64")]
    lanes: Option<Lanes>,
}

impl ChunkIds {
    /// Ids under the chunk-id key.
    pub fn new(key: &Secret<32>) -> ChunkIds {
        ChunkIds {
            key: Secret::fill(|bytes| bytes.copy_from_slice(key.expose())),
            #[cfg(target_arch = "x86_64")]
            lanes: Lanes::detect(),
        }
    }

    /// The id of one chunk.
    pub fn id(&self, chunk: &[u8]) -> ChunkId {
        ChunkId(cut(blake3::keyed_hash(self.key.expose(), chunk).as_bytes()))
    }

    /// The ids of some chunks, in order: faster the more there are, up to a dozen.
    pub fn ids(&self, chunks: &[&[u8]]) -> Vec<ChunkId> {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = self.lanes {
            return trees::roots(lanes, &self.key, chunks).iter().map(|root| ChunkId(cut(root))).collect();
        }
        chunks.iter().map(|chunk| self.id(chunk)).collect()
    }
}

fn cut(hash: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|at| hash[at])
}

#[cfg(test)]
mod tests;
