//! Seals one part, step by step, with a hand in every step.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use sha2::{Digest, Sha256};
use vault::base::size::padme;
use vault::crypto::keys::PartKey;
use vault::crypto::secret::Secret;
use vault::format::frame::padding_header;
use vault::format::header::{BOUND_BYTES, Header};
use vault::format::manifest::Part;

use super::build::{Hooks, Stage};

/// One segment before it is sealed.
pub struct Segment {
    /// The counter in its nonce.
    pub counter: u64,
    /// The flag in its nonce.
    pub last: bool,
    /// Its plaintext.
    pub plain: Vec<u8>,
}

/// A part to be sealed.
pub struct Order {
    /// Its header; the salt is random.
    pub header: Header,
    /// AK, or CK for a catalogue.
    pub secret: [u8; 32],
    /// Its frames.
    pub content: Vec<u8>,
}

/// The object, and what a manifest records of it.
pub fn seal(order: Order, hooks: &mut Hooks) -> (Vec<u8>, Part) {
    let Order { header, mut secret, mut content } = order;
    let index = header.index;
    hooks.run(Stage::Content(index, &mut content));
    let mut padded = pad(content);
    hooks.run(Stage::Padded(index, &mut padded));
    let mut bound = header.bound();
    hooks.run(Stage::Header(index, &mut bound));
    hooks.run(Stage::Secret(index, &mut secret));
    let (key, mut commitment) = derive(&secret, &bound);
    hooks.run(Stage::Commitment(index, &mut commitment));
    let pieces: Vec<&[u8]> = padded.chunks(header.segment.bytes()).collect();
    let count = pieces.len();
    let mut segments: Vec<Segment> = (1..)
        .zip(pieces)
        .map(|(number, plain)| Segment { counter: number as u64 - 1, last: number == count, plain: plain.to_vec() })
        .collect();
    hooks.run(Stage::Segments(index, &mut segments));
    let mut object = [bound.as_slice(), &commitment].concat();
    for segment in segments {
        object.extend(seal_segment(&key, segment));
    }
    hooks.run(Stage::Object(index, &mut object));
    let mut part = Part {
        index,
        role: header.role,
        bytes: object.len() as u64,
        sha256: Sha256::digest(&object).into(),
        commitment: object[BOUND_BYTES..256].try_into().unwrap_or(commitment),
    };
    hooks.run(Stage::Entry(index, &mut part));
    (object, part)
}

fn derive(secret: &[u8; 32], bound: &[u8; BOUND_BYTES]) -> ([u8; 32], [u8; 32]) {
    let salt: [u8; 24] = bound[64..88].try_into().expect("24 bytes");
    let PartKey { key, commitment } = PartKey::derive(&Secret::fill(|bytes| *bytes = *secret), &salt, bound);
    (*key.expose(), commitment)
}

fn seal_segment(key: &[u8; 32], segment: Segment) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&segment.counter.to_be_bytes());
    nonce[11] = u8::from(segment.last);
    let mut bytes = segment.plain;
    let cipher = Aes256Gcm::new(key.into());
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], bytes.as_mut_slice().into());
    bytes.extend_from_slice(&tag.expect("a short segment"));
    bytes
}

/// Pads as the last part of a role, in a part size that is never reached.
fn pad(mut content: Vec<u8>) -> Vec<u8> {
    let length = content.len() as u64;
    let mut padded = padme(length);
    if padded != length && padded - length < 8 {
        padded = padme(length + 8);
    }
    if padded > length {
        content.extend_from_slice(&padding_header(padded - length));
        content.resize(padded as usize, 0);
    }
    content
}
