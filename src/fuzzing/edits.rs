//! Arbitrary bytes as changes to something sound: most of them leave it nearly sound, which is where mistakes are.

use crate::fuzzing::input::Input;

/// What one input may change. Bounds the time of a run.
const EDITS_MAX: usize = 16;

/// Changes some of `pieces`, which consist of records of that many bytes, as the input says; stops at its end.
///
/// The shape of an edit: piece, operation, place (3 bytes), operands.
pub(super) fn edit(input: &mut Input<'_>, pieces: &mut [(usize, &mut Vec<u8>)]) {
    for _ in 0..EDITS_MAX {
        if input.is_empty() || pieces.is_empty() {
            return;
        }
        let which = input.pick(pieces.len());
        let (record, piece) = &mut pieces[which];
        edit_bytes(input, *record, piece);
    }
}

fn edit_bytes(input: &mut Input<'_>, record: usize, piece: &mut Vec<u8>) {
    let operation = input.pick(12);
    let at = input.place(piece.len());
    let records = piece.len() / record;
    match operation {
        0 => overwrite(piece, at, &[input.u8()]),
        1 => flip(piece, at, input.u8()),
        2 => overwrite(piece, at / 4 * 4, &input.u32().to_le_bytes()),
        3 => overwrite(piece, at / 8 * 8, &input.u64().to_le_bytes()),
        4 => add(piece, at / 4 * 4, input.u8()),
        5 => piece.truncate(at),
        6 => piece.truncate(at / record * record),
        7 if records > 0 => {
            let copy = piece[at / record % records * record..][..record].to_vec();
            let before = input.place(records + 1) * record;
            piece.splice(before..before, copy);
        }
        8 if records > 0 => {
            let from = at / record % records * record;
            piece.drain(from..from + record);
        }
        9 if records > 0 => swap(piece, record, at / record % records, input.place(records)),
        10 => {
            let length = usize::from(input.u8());
            let bytes = input.take(length);
            piece.splice(at..at, bytes.iter().copied());
        }
        _ => {
            let length = input.u16();
            *piece = input.take(length).to_vec();
        }
    }
}

/// Puts `bytes` in the place of those that stand at `at`, as far as there are any.
fn overwrite(piece: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in piece.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// Flips at least one bit.
fn flip(piece: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = piece.get_mut(at) {
        *byte ^= bits.max(1);
    }
}

/// Adds a small number, positive or negative, to the four bytes at `at`.
fn add(piece: &mut [u8], at: usize, by: u8) {
    if let Some(word) = piece.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        let sum = u32::from_le_bytes(*word).wrapping_add_signed(i32::from(by.cast_signed()));
        *word = sum.to_le_bytes();
    }
}

/// Exchanges two records.
fn swap(piece: &mut [u8], record: usize, one: usize, other: usize) {
    for byte in 0..record {
        piece.swap(one * record + byte, other * record + byte);
    }
}
