//! age v1 files: the header with its stanzas, and where the payload is (spec/age.md). Armor and key names are in the files below.

pub mod armor;
pub mod name;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::format::{FormatError, damaged};

/// What every file begins with, whatever its version.
const MAGIC: &[u8] = b"age-encryption.org/";
const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
/// What the MAC line begins with; the MAC is over it, and over all before it.
const MAC_MARK: &[u8] = b"---";
/// Characters of a full line of a stanza's body.
const COLUMNS: usize = 64;
/// Bytes of the nonce before the payload.
pub const NONCE_BYTES: usize = 16;

/// One wrapping of the file key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The type, and what comes with it. At least one.
    pub arguments: Vec<String>,
    /// The wrapped key.
    pub body: Vec<u8>,
}

/// An age file, taken apart and not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeFile<'a> {
    /// The wrappings of the file key, at least one.
    pub stanzas: Vec<Stanza>,
    /// What the MAC is over.
    pub maced: &'a [u8],
    /// The MAC of the header.
    pub mac: [u8; 32],
    /// Salt of the payload's key.
    pub nonce: [u8; NONCE_BYTES],
    /// The sealed chunks.
    pub payload: &'a [u8],
}

/// Whether a text is an age file, binary or armored.
pub fn is_age(text: &[u8]) -> bool {
    text.starts_with(MAGIC) || text.trim_ascii_start().starts_with(armor::BEGIN)
}

impl AgeFile<'_> {
    /// Takes a binary file apart.
    ///
    /// # Errors
    /// `Unsupported` for another version than v1; `Damaged` for anything that is not canonical.
    pub fn parse(bytes: &[u8]) -> Result<AgeFile<'_>, FormatError> {
        let Some(mut rest) = bytes.strip_prefix(VERSION_LINE) else {
            return Err(match bytes.starts_with(MAGIC) {
                true => FormatError::Unsupported("an age file of another version than v1".into()),
                false => damaged("not an age file"),
            });
        };
        let mut stanzas = Vec::new();
        while !rest.starts_with(MAC_MARK) {
            stanzas.push(parse_stanza(&mut rest)?);
        }
        let maced = &bytes[..bytes.len() - rest.len() + MAC_MARK.len()];
        let line = take_line(&mut rest)?;
        let mac = line.strip_prefix(b"--- ").and_then(|text| from_base64(text)?.try_into().ok());
        let mac = mac.ok_or_else(|| damaged("the MAC of an age file is not one"))?;
        let (nonce, payload) = rest.split_first_chunk().ok_or_else(|| damaged("an age file ends in its header"))?;
        if stanzas.is_empty() {
            return Err(damaged("an age file has no stanza"));
        }
        Ok(AgeFile { stanzas, maced, mac, nonce: *nonce, payload })
    }
}

/// A header up to the mark of its MAC: what the MAC is over.
pub fn encode_maced(stanzas: &[Stanza]) -> Vec<u8> {
    let mut text = VERSION_LINE.to_vec();
    for stanza in stanzas {
        text.extend_from_slice(format!("-> {}\n", stanza.arguments.join(" ")).as_bytes());
        let body = STANDARD_NO_PAD.encode(&stanza.body);
        for line in body.as_bytes().chunks(COLUMNS) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        if body.len() % COLUMNS == 0 {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(MAC_MARK);
    text
}

/// A whole file from its header up to the MAC's mark, the MAC, the nonce and the payload.
pub fn join(maced: &[u8], mac: &[u8; 32], nonce: &[u8; NONCE_BYTES], payload: &[u8]) -> Vec<u8> {
    let mac = format!(" {}\n", STANDARD_NO_PAD.encode(mac));
    [maced, mac.as_bytes(), nonce, payload].concat()
}

/// Bytes in the base64 of age: canonical, and without padding.
pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// Bytes as an argument of a stanza.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

fn parse_stanza(rest: &mut &[u8]) -> Result<Stanza, FormatError> {
    let line = take_line(rest)?.strip_prefix(b"-> ").ok_or_else(|| damaged("an age file has a line of no stanza"))?;
    let mut arguments = Vec::new();
    for argument in line.split(|byte| *byte == b' ') {
        if argument.is_empty() || !argument.iter().all(u8::is_ascii_graphic) {
            return Err(damaged("an age stanza has an argument that is none"));
        }
        arguments.push(String::from_utf8_lossy(argument).into_owned());
    }
    let mut body = Vec::new();
    loop {
        let line = take_line(rest)?;
        body.extend_from_slice(line);
        match line.len() {
            COLUMNS => {}
            0..COLUMNS => break,
            _ => return Err(damaged("an age stanza has a line over 64 columns")),
        }
    }
    let body = from_base64(&body).ok_or_else(|| damaged("an age stanza has a body that is not canonical base64"))?;
    Ok(Stanza { arguments, body })
}

/// The next line, without its end.
fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], FormatError> {
    let end = rest.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| damaged("an age file ends in its header"))?;
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Ok(line)
}
