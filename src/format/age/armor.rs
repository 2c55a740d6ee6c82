//! The armor of age files: strict PEM (RFC 7468, figure 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::format::{FormatError, damaged};

/// The first line.
pub const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const END: &[u8] = b"-----END AGE ENCRYPTED FILE-----";
/// Characters of every line but the last.
const COLUMNS: usize = 64;

/// The bytes of an armored file. White space around it is not judged, and lines may end in CR LF.
///
/// # Errors
/// `Damaged` for anything else that a strict writer does not write.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, FormatError> {
    let refused = || damaged("the armor of an age file is not as it should be");
    let lines = text.trim_ascii().split(|byte| *byte == b'\n');
    let mut lines: Vec<&[u8]> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    if lines.len() < 2 || lines.remove(0) != BEGIN || lines.pop() != Some(END) {
        return Err(refused());
    }
    let last = lines.len().saturating_sub(1);
    let full = lines.iter().take(last).all(|line| line.len() == COLUMNS);
    let ends = lines.last().is_none_or(|line| (1..=COLUMNS).contains(&line.len()) && line.len() % 4 == 0);
    if !full || !ends {
        return Err(refused());
    }
    STANDARD.decode(lines.concat()).map_err(|_| refused())
}

/// A file in armor, with a line end after its last line.
pub fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines = text.as_bytes().chunks(COLUMNS);
    let lines: Vec<&[u8]> = [BEGIN].into_iter().chain(lines).chain([END, b""]).collect();
    String::from_utf8_lossy(&lines.join(&b'\n')).into_owned()
}
