//! The compression function of BLAKE3 for sixteen inputs at once, on processors with AVX-512. The only `unsafe` of this room.
//!
//! Each lane of a register is one of them, a leaf or a node above leaves, with a counter, a length and flags of its own: so they need not be
//! neighbours, nor of one message (BLAKE3 paper, sections 2.2 and 5.3).
//!
//! Sound because: there is a [`Lanes`] only where the processor was asked for the instructions and has them; loads and stores are of arrays
//! of their size.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Inputs that are hashed together.
pub const LANES: usize = 16;
/// Bytes that one compression takes in.
pub const BLOCK_BYTES: usize = 64;

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;
const ROOT: u32 = 8;
const KEYED_HASH: u32 = 16;

const IV: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];
/// In which order the rounds take the words of a block: each is the permutation of the one before.
const SCHEDULE: [[usize; 16]; 7] = schedule();

/// Bytes that one compression takes in.
pub type Block = [u8; BLOCK_BYTES];
/// The value of a leaf or of a node above.
pub type Node = [u8; 32];

/// What the inputs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Leaves, of up to sixteen blocks.
    Leaves,
    /// Nodes above, each of one block: the values of its children.
    Parents,
}

/// An input in each lane.
pub struct Inputs<'a, const BLOCKS: usize> {
    /// Where their blocks are; behind the bytes of the last one zeros.
    pub blocks: [&'a [Block; BLOCKS]; LANES],
    /// How many of these are of the input, 1 to `BLOCKS`.
    pub counts: [u32; LANES],
    /// How many bytes the last of them has.
    pub last: [u32; LANES],
    /// How many leaves stand before them in their messages; 0 of parents.
    pub counters: [u32; LANES],
    /// Which stand for all of their messages.
    pub roots: u16,
}

/// Shows that the processor has the instructions.
#[derive(Clone, Copy)]
pub struct Lanes(());

/// One word of each lane.
type Words = __m512i;

impl Lanes {
    /// Asks the processor.
    pub fn detect() -> Option<Lanes> {
        is_x86_feature_detected!("avx512f").then_some(Lanes(()))
    }

    /// The values of sixteen inputs.
    pub fn values<const BLOCKS: usize>(self, key: &[u8; 32], kind: Kind, inputs: &Inputs<'_, BLOCKS>) -> [Node; LANES] {
        // SAFETY: there are `Lanes` only where the processor has the feature of the function.
        unsafe { values(key, kind, inputs) }
    }
}

#[target_feature(enable = "avx512f")]
fn values<const BLOCKS: usize>(key: &[u8; 32], kind: Kind, inputs: &Inputs<'_, BLOCKS>) -> [Node; LANES] {
    let most = inputs.counts.iter().max().map_or(0, |most| *most as usize);
    let (counts, counters) = (words(&inputs.counts), words(&inputs.counters));
    let (whole, last) = (splat(BLOCK_BYTES as u32), words(&inputs.last));
    let (all, first, end) = match kind {
        Kind::Leaves => (KEYED_HASH, CHUNK_START, CHUNK_END),
        Kind::Parents => (KEYED_HASH | PARENT, 0, 0),
    };
    let mut values = key_words(key);
    for block in (0..BLOCKS).take(most) {
        let is_there = _mm512_cmpgt_epu32_mask(counts, splat(block as u32));
        let is_last = _mm512_cmpeq_epu32_mask(counts, splat(block as u32 + 1));
        let length = _mm512_mask_mov_epi32(whole, is_last, last);
        let flags = splat(if block == 0 { all | first } else { all });
        let flags = _mm512_mask_or_epi32(flags, is_last, flags, splat(end));
        let flags = _mm512_mask_or_epi32(flags, is_last & inputs.roots, flags, splat(ROOT));
        let rows = inputs.blocks.map(|blocks| row(&blocks[block]));
        let next = compress::<BLOCKS>(&values, &transposed(rows), [counters, length, flags]);
        for (value, next) in values.iter_mut().zip(next) {
            *value = _mm512_mask_mov_epi32(*value, is_there, next);
        }
    }
    nodes(values)
}

/// The first half of what the compression function gives; `[counter, length, flags]` are its last words.
///
/// For each number of blocks it is a function of its own, and so is each round: what is called at one place is inlined, and the state has to
/// stay in registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn compress<const BLOCKS: usize>(
    values: &[Words; 8],
    block: &[Words; 16],
    [counter, length, flags]: [Words; 3],
) -> [Words; 8] {
    let [a, b, c, d, e, f, g, h] = *values;
    let [i, j, k, l] = IV.map(|word| splat(word));
    let mut state = [a, b, c, d, e, f, g, h, i, j, k, l, counter, splat(0), length, flags];
    round::<BLOCKS, 0>(&mut state, block);
    round::<BLOCKS, 1>(&mut state, block);
    round::<BLOCKS, 2>(&mut state, block);
    round::<BLOCKS, 3>(&mut state, block);
    round::<BLOCKS, 4>(&mut state, block);
    round::<BLOCKS, 5>(&mut state, block);
    round::<BLOCKS, 6>(&mut state, block);
    let mut half = [state[0]; 8];
    for (at, half) in half.iter_mut().enumerate() {
        *half = _mm512_xor_si512(state[at], state[at + 8]);
    }
    half
}

/// First the columns of the state, then its diagonals.
#[inline]
#[target_feature(enable = "avx512f")]
fn round<const BLOCKS: usize, const NUMBER: usize>(state: &mut [Words; 16], block: &[Words; 16]) {
    const QUARTERS: [[usize; 4]; 8] = [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ];
    let order = &SCHEDULE[NUMBER];
    for (at, quarter) in QUARTERS.iter().enumerate() {
        mix(state, *quarter, block[order[2 * at]], block[order[2 * at + 1]]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn mix(state: &mut [Words; 16], [a, b, c, d]: [usize; 4], first: Words, second: Words) {
    state[a] = _mm512_add_epi32(_mm512_add_epi32(state[a], first), state[b]);
    state[d] = _mm512_ror_epi32::<16>(_mm512_xor_si512(state[d], state[a]));
    state[c] = _mm512_add_epi32(state[c], state[d]);
    state[b] = _mm512_ror_epi32::<12>(_mm512_xor_si512(state[b], state[c]));
    state[a] = _mm512_add_epi32(_mm512_add_epi32(state[a], second), state[b]);
    state[d] = _mm512_ror_epi32::<8>(_mm512_xor_si512(state[d], state[a]));
    state[c] = _mm512_add_epi32(state[c], state[d]);
    state[b] = _mm512_ror_epi32::<7>(_mm512_xor_si512(state[b], state[c]));
}

/// The words of the key, the same in all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn key_words(key: &[u8; 32]) -> [Words; 8] {
    let mut words = [splat(0); 8];
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = splat(u32::from_le_bytes(*bytes));
    }
    words
}

/// From a block of each lane to each word of all lanes, and back.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [Words; 16]) -> [Words; 16] {
    let (mut twos, mut fours, mut eights, mut columns) = (rows, rows, rows, rows);
    for at in 0..8 {
        twos[2 * at] = _mm512_unpacklo_epi32(rows[2 * at], rows[2 * at + 1]);
        twos[2 * at + 1] = _mm512_unpackhi_epi32(rows[2 * at], rows[2 * at + 1]);
    }
    for at in [0, 4, 8, 12] {
        for half in 0..2 {
            fours[at + 2 * half] = _mm512_unpacklo_epi64(twos[at + half], twos[at + half + 2]);
            fours[at + 2 * half + 1] = _mm512_unpackhi_epi64(twos[at + half], twos[at + half + 2]);
        }
    }
    // Quarters of registers from here on: `fours[4 i + k]` has the words k, 4 + k, 8 + k and 12 + k of the rows 4 i to 4 i + 3.
    for at in 0..4 {
        for pair in [0, 8] {
            eights[pair + at] = _mm512_shuffle_i32x4::<0x88>(fours[pair + at], fours[pair + 4 + at]);
            eights[pair + 4 + at] = _mm512_shuffle_i32x4::<0xdd>(fours[pair + at], fours[pair + 4 + at]);
        }
    }
    for at in 0..8 {
        columns[at] = _mm512_shuffle_i32x4::<0x88>(eights[at], eights[8 + at]);
        columns[8 + at] = _mm512_shuffle_i32x4::<0xdd>(eights[at], eights[8 + at]);
    }
    columns
}

/// From each word of all lanes to the nodes.
#[inline]
#[target_feature(enable = "avx512f")]
fn nodes([a, b, c, d, e, f, g, h]: [Words; 8]) -> [Node; LANES] {
    let rows = transposed([a, b, c, d, e, f, g, h, a, b, c, d, e, f, g, h]);
    rows.map(|row| {
        let mut twice = [[0; 32]; 2];
        // SAFETY: 64 bytes are written to an array of 64 bytes.
        unsafe { _mm512_storeu_si512(twice.as_mut_ptr().cast(), row) };
        twice[0]
    })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> Words {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn words(words: &[u32; 16]) -> Words {
    // SAFETY: 64 bytes are read from an array of 64 bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// A block. What comes 256 bytes later is asked for: sixteen streams are more than the processor foresees.
#[inline]
#[target_feature(enable = "avx512f")]
fn row(block: &Block) -> Words {
    const BYTES_AHEAD: usize = 256;
    _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(BYTES_AHEAD).cast());
    // SAFETY: as above.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

const fn schedule() -> [[usize; 16]; 7] {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut orders = [[0; 16]; 7];
    let (mut number, mut at) = (0, 0);
    while number < 7 {
        orders[number][at] = if number == 0 { at } else { orders[number - 1][PERMUTATION[at]] };
        at += 1;
        if at == 16 {
            (number, at) = (number + 1, 0);
        }
    }
    orders
}
