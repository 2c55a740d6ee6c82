//! Legacy archives: the same result however they are read, the same content as another reader gives, and no panic.

use std::convert::Infallible;
use std::io::Read;

use aes::Aes256;
use cbc::cipher::{Array, BlockModeEncrypt, KeyIvInit};
use flate2::bufread::MultiGzDecoder;
use zeroize::Zeroizing;

use crate::fuzzing::edits::edit;
use crate::fuzzing::input::Input;
use crate::fuzzing::streams::Lengths;
use crate::legacy::cipher::{SALTED, decrypt};
use crate::legacy::derive::{Derivation, KeyDigest, LegacyKey, derive};
use crate::legacy::gzip::{Gunzip, GzipError, begins};
use crate::legacy::{DecodeError, LegacyError, Source};

const KEY: &[u8] = b"Zm9vYmFyLWxlZ2FjeS1rZXk";
const SALT: [u8; 8] = *b"saltsalt";
const BLOCK_BYTES: usize = 16;

/// What a stream gave, and how it ended.
type Outcome<E> = (Vec<u8>, Result<(), E>);

fn gunzip<'b>(mut pieces: impl Iterator<Item = &'b [u8]>) -> Outcome<GzipError> {
    let (mut gunzip, mut plain) = (Gunzip::new(), Vec::new());
    let done = pieces.try_for_each(|piece| gunzip.push(piece, &mut |slab| plain.extend(slab)));
    let done = done.and_then(|()| gunzip.finish());
    plain.extend(gunzip.take());
    (plain, done)
}

/// Content and error do not depend on the pieces. What is taken is what another reader of gzip gives; what that one takes is refused for its
/// header or for what follows only, where this one is the stricter.
pub fn legacy_gzip(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let lengths = Lengths::draw(&mut input);
    let stream = input.rest();
    let (plain, done) = gunzip(std::iter::once(stream));
    let (divided, divided_done) = gunzip(lengths.pieces(stream));
    assert_eq!(done, divided_done, "the end depends on the pieces");
    assert!(done.is_err() || plain == divided, "the content depends on the pieces");
    let mut other = Vec::new();
    // Zeros behind the last member are no member for the other reader.
    let padding = if done.is_ok() { stream.iter().rev().take_while(|byte| **byte == 0).count() } else { 0 };
    let accepted = (0..=padding).rev().any(|padding| {
        other.clear();
        MultiGzDecoder::new(&stream[..stream.len() - padding]).read_to_end(&mut other).is_ok()
    });
    match done {
        Ok(()) => assert!(accepted && plain == other, "another content than that of the other reader"),
        Err(GzipError::NotGzip | GzipError::Header | GzipError::Trailing) => {}
        Err(error) => assert!(!accepted, "the other reader takes it: {error}"),
    }
    begins(stream)
}

/// An archive that comes in pieces.
struct Pieces<'a, I> {
    pieces: I,
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]> + Send> Source for Pieces<'a, I> {
    type Error = Infallible;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        while self.rest.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let (head, rest) = self.rest.split_at(self.rest.len().min(buffer.len()));
        buffer[..head.len()].copy_from_slice(head);
        self.rest = rest;
        Ok(head.len())
    }
}

fn open<'a>(pieces: impl Iterator<Item = &'a [u8]> + Send) -> Outcome<LegacyError> {
    let Some(key) = LegacyKey::new(Zeroizing::new(KEY.to_vec())) else {
        return (Vec::new(), Err(LegacyError::WrongKey));
    };
    let mut content = Vec::new();
    let mut source = Pieces { pieces, rest: &[] };
    let done = decrypt(&mut source, &key, Derivation::BytesToKey, &mut |slab| {
        content.extend(slab);
        true
    });
    let done = done.map_err(|error| match error {
        DecodeError::Archive(error) => error,
        DecodeError::Source(never) => match never {},
    });
    (content, done)
}

/// What `openssl enc -aes256` makes of `content`.
fn seal(content: &[u8], digest: KeyDigest) -> Vec<u8> {
    let Some(key) = LegacyKey::new(Zeroizing::new(KEY.to_vec())) else {
        return Vec::new();
    };
    let derived = derive(&key, Derivation::BytesToKey, digest, &SALT);
    let padding = BLOCK_BYTES - content.len() % BLOCK_BYTES;
    let mut body = content.to_vec();
    body.resize(content.len() + padding, u8::try_from(padding).unwrap_or(0));
    let (blocks, _) = Array::slice_as_chunks_mut(&mut body);
    cbc::Encryptor::<Aes256>::new((&*derived.key).into(), (&derived.iv).into()).encrypt_blocks(blocks);
    [&SALTED[..], &SALT, &body].concat()
}

/// What was sealed opens, in whatever pieces it comes. After any change the outcome does not depend on the pieces either.
pub fn legacy_archive(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let digest = KeyDigest::ALL[input.pick(2)];
    let lengths = Lengths::draw(&mut input);
    let length = input.u16();
    let content = [&[0x1f, 0x8b, 8, 0][..], input.take(length)].concat();
    let mut archive = seal(&content, digest);
    let sound = open(lengths.pieces(&archive));
    assert!(sound == (content, Ok(())), "what was sealed does not open");
    edit(&mut input, &mut [(BLOCK_BYTES, &mut archive)]);
    let whole = open(std::iter::once(archive.as_slice()));
    let divided = open(lengths.pieces(&archive));
    assert!(whole == divided, "the outcome depends on the pieces");
    whole.1.is_ok()
}
