//! The envelope of `openssl enc`: a salt, and AES-256-CBC to the end.

use aes::Aes256;
use cbc::Decryptor;
use cbc::cipher::{Array, BlockModeDecrypt, KeyIvInit};

use super::derive::{Derivation, Derived, KeyDigest, LegacyKey, derive};
use super::gzip;
use super::{DecodeError, LegacyError, Source};

/// What an archive begins with.
pub const SALTED: [u8; 8] = *b"Salted__";
/// The magic and the salt.
const HEAD_BYTES: usize = 16;
/// Bytes of a block of AES.
const BLOCK_BYTES: usize = 16;
/// Bytes that are decrypted in one call, and handed on.
const SLAB_BYTES: usize = 1 << 20;

/// Decrypts an archive to its end, and gives its content to `emit` slab by slab. What comes before an error is given too. Stops, without an
/// error, when `emit` says that nobody listens.
///
/// The last slab is held back until the end is seen, because only the last block of all has a padding.
///
/// # Errors
/// The source fails, the key is wrong, or the envelope is not whole.
pub fn decrypt<S: Source>(
    source: &mut S,
    key: &LegacyKey,
    derivation: Derivation,
    emit: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Result<(), DecodeError<S::Error>> {
    let head = read_full(source, HEAD_BYTES)?;
    let mut slab = read_full(source, SLAB_BYTES)?;
    let mut cipher = choose(&head, &slab, key, derivation)?;
    loop {
        let next = if slab.len() == SLAB_BYTES { read_full(source, SLAB_BYTES)? } else { Vec::new() };
        let rest = slab.len() % BLOCK_BYTES;
        slab.truncate(slab.len() - rest);
        let (blocks, _) = Array::slice_as_chunks_mut(&mut slab);
        cipher.decrypt_blocks(blocks);
        if !next.is_empty() {
            if !emit(std::mem::replace(&mut slab, next)) {
                return Ok(());
            }
            continue;
        }
        let done = if rest == 0 { strip_padding(&mut slab) } else { Err(LegacyError::PartialBlock) };
        emit(slab);
        return Ok(done?);
    }
}

/// Reads so many bytes, fewer where the archive ends.
fn read_full<S: Source>(source: &mut S, bytes: usize) -> Result<Vec<u8>, DecodeError<S::Error>> {
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match source.read(&mut buffer[filled..]).map_err(DecodeError::Source)? {
            0 => break,
            read => filled += read,
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// The cipher under which the content begins as gzip begins. A wrong one does by a chance of 1 in 2^27.
fn choose(head: &[u8], body: &[u8], key: &LegacyKey, derivation: Derivation) -> Result<Decryptor<Aes256>, LegacyError> {
    let bytes = head.len() + body.len();
    let begins = SALTED.starts_with(&head[..head.len().min(SALTED.len())]);
    if bytes == 0 {
        return Err(LegacyError::Empty);
    }
    if !begins {
        return Err(LegacyError::NotSalted);
    }
    let (Some(salt), Some(first)) = (head.last_chunk::<8>().filter(|_| head.len() == HEAD_BYTES), body.first_chunk())
    else {
        return Err(LegacyError::Short { bytes });
    };
    for digest in KeyDigest::ALL {
        let derived = derive(key, derivation, digest, salt);
        let mut block = Array::from(*first);
        cipher(&derived).decrypt_block(&mut block);
        if gzip::begins(&block) {
            return Ok(cipher(&derived));
        }
    }
    Err(LegacyError::WrongKey)
}

fn cipher(derived: &Derived) -> Decryptor<Aes256> {
    Decryptor::new((&*derived.key).into(), (&derived.iv).into())
}

/// Takes the padding off, PKCS#7: `n` bytes of value `n`. A last block without one tells nothing and is taken off whole.
fn strip_padding(plain: &mut Vec<u8>) -> Result<(), LegacyError> {
    let last = plain.last_chunk::<BLOCK_BYTES>().copied().unwrap_or_default();
    let padding = usize::from(last[BLOCK_BYTES - 1]);
    let whole = (1..=BLOCK_BYTES).contains(&padding)
        && last[BLOCK_BYTES - padding..].iter().all(|byte| usize::from(*byte) == padding);
    plain.truncate(plain.len().saturating_sub(if whole { padding } else { BLOCK_BYTES }));
    if whole { Ok(()) } else { Err(LegacyError::Padding) }
}
