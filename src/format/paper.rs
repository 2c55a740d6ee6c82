//! Keys and shares as people type them from paper: letters in short groups, each with a check of its own (spec/paper.md).

use zeroize::Zeroizing;

use crate::base::id::Guid;
use crate::base::limits::{EPOCH_MAX, KEY_EPOCHS_MAX, SHARES_MAX};
use crate::format::keyfile::{KEY_BYTES, KEY_PREFIX, KeyFields, from_bech32, key_text, split_key, to_bech32};
use crate::format::{FormatError, check_limit, damaged};

/// Bytes of a share line.
pub const SHARE_BYTES: usize = 70;

const SHARE_PREFIX: &str = "vault-share-";
const LETTERS: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
/// Letters of a group before its check.
const GROUP_LETTERS: usize = 6;
const CHECK_LETTERS: usize = 2;
/// The largest prime below 1024: what two letters hold.
const MODULUS: u64 = 1021;

/// A share of a vault key, and what it says of the others.
pub struct ShareFields<'a> {
    /// Guid and epoch of the key.
    pub of: KeyFields,
    /// Fingerprint of the key.
    pub fingerprint: &'a [u8; 16],
    /// How many shares give the key.
    pub threshold: u8,
    /// Which share it is, from 1.
    pub index: u8,
    /// Its value.
    pub value: &'a [u8; 32],
}

/// Splits the bytes of a share line.
///
/// # Errors
/// `Damaged` when epoch, threshold or index is not legal.
pub fn split_share(bytes: &[u8; SHARE_BYTES]) -> Result<ShareFields<'_>, FormatError> {
    let refused = || damaged("a share is not one that vault makes");
    let (guid, rest) = bytes.split_first_chunk().ok_or_else(refused)?;
    let (epoch, rest) = rest.split_first_chunk().ok_or_else(refused)?;
    let (fingerprint, rest) = rest.split_first_chunk().ok_or_else(refused)?;
    let ([threshold, index], value) = rest.split_first_chunk().ok_or_else(refused)?;
    let of = KeyFields { guid: Guid(*guid), epoch: u32::from_le_bytes(*epoch) };
    let shares = 1..=SHARES_MAX as u8;
    let legal = (1..=EPOCH_MAX).contains(&of.epoch) && *threshold >= 2;
    if !legal || !shares.contains(threshold) || !shares.contains(index) {
        return Err(refused());
    }
    let value = value.try_into().map_err(|_| refused())?;
    Ok(ShareFields { of, fingerprint, threshold: *threshold, index: *index, value })
}

/// The bytes of a share line.
pub fn join_share(share: &ShareFields<'_>) -> Zeroizing<[u8; SHARE_BYTES]> {
    let mut bytes = Zeroizing::new([0; SHARE_BYTES]);
    bytes[..16].copy_from_slice(&share.of.guid.0);
    bytes[16..20].copy_from_slice(&share.of.epoch.to_le_bytes());
    bytes[20..36].copy_from_slice(share.fingerprint);
    bytes[36..38].copy_from_slice(&[share.threshold, share.index]);
    bytes[38..].copy_from_slice(share.value);
    bytes
}

/// The text of a share line, without its line end.
pub fn share_text(bytes: &[u8; SHARE_BYTES]) -> Zeroizing<String> {
    to_bech32(SHARE_PREFIX, bytes)
}

/// A key line or a share line as it stands on paper: the beginning that all of its kind have, and the groups, four a line.
pub fn grouped(line: &str) -> Zeroizing<String> {
    let (prefix, letters) = line.rsplit_once('1').unwrap_or(("", line));
    // In one piece: a text that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(line.len() * 3));
    text.push_str(prefix);
    text.push_str("1\n");
    for (number, group) in (1_u64..).zip(letters.as_bytes().chunks(GROUP_LETTERS)) {
        if number % 4 == 1 {
            text.push_str(&format!("{number:>3}: "));
        }
        group.iter().for_each(|letter| text.push(char::from(*letter)));
        check_of(number, group).unwrap_or_default().iter().for_each(|letter| text.push(char::from(*letter)));
        text.push(if number % 4 == 0 { '\n' } else { ' ' });
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The two letters after a group; `None` when the group holds something else than letters.
fn check_of(number: u64, group: &[u8]) -> Option<[u8; CHECK_LETTERS]> {
    let value = group.iter().try_fold(number, |value, letter| {
        let digit = LETTERS.iter().position(|known| known == letter)?;
        Some((value * 32 + digit as u64) % MODULUS)
    })?;
    Some([LETTERS[(value / 32) as usize], LETTERS[(value % 32) as usize]])
}

/// What somebody typed.
pub enum Typed {
    /// A key line.
    Key(Box<Zeroizing<[u8; KEY_BYTES]>>),
    /// A share line.
    Share(Box<Zeroizing<[u8; SHARE_BYTES]>>),
}

/// Reads keys and shares from typed text, or from whole sheets. No message quotes what was typed.
///
/// # Errors
/// `Damaged`, naming the groups that are mistyped; `Limit`.
pub fn read(text: &[u8]) -> Result<Vec<Typed>, FormatError> {
    let text = std::str::from_utf8(text).map_err(|_| damaged("it is not text"))?;
    let mut items: Vec<(Kind, Zeroizing<Vec<String>>)> = Vec::new();
    // Lines for people begin with `#`, and codes for cameras are not of ASCII.
    for word in text.lines().filter(|line| !line.starts_with('#') && line.is_ascii()).flat_map(str::split_whitespace) {
        let word = Zeroizing::new(word.to_ascii_uppercase());
        let begun = Kind::ALL.into_iter().find_map(|kind| Some((kind, word.strip_prefix(kind.heading())?)));
        match (begun, items.last_mut()) {
            (Some((kind, rest)), _) => {
                let groups = if rest.is_empty() { Vec::new() } else { vec![word.to_string()] };
                items.push((kind, Zeroizing::new(groups)));
            }
            (None, _) if word.ends_with(':') => {}
            (None, Some((_, groups))) => groups.push(word.to_string()),
            // Who begins with the first group means a key.
            (None, None) => items.push((Kind::Key, Zeroizing::new(vec![word.to_string()]))),
        }
    }
    check_limit("keys and shares", items.len(), KEY_EPOCHS_MAX)?;
    items.iter().map(|(kind, groups)| kind.read(groups)).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Key,
    Share,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Key, Kind::Share];

    const fn heading(self) -> &'static str {
        match self {
            Kind::Key => "VAULT-KEY-1",
            Kind::Share => "VAULT-SHARE-1",
        }
    }

    fn read(self, groups: &[String]) -> Result<Typed, FormatError> {
        let line = match groups {
            [whole] if whole.starts_with(self.heading()) => Zeroizing::new(whole.clone()),
            groups => self.join(groups)?,
        };
        let refused = |_| damaged("its letters do not agree with each other, though each group by itself may");
        match self {
            Kind::Key => {
                let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
                from_bech32(KEY_PREFIX, &line, bytes.as_mut_slice()).map_err(refused)?;
                split_key(&bytes)?;
                Ok(Typed::Key(bytes))
            }
            Kind::Share => {
                let mut bytes = Box::new(Zeroizing::new([0; SHARE_BYTES]));
                from_bech32(SHARE_PREFIX, &line, bytes.as_mut_slice()).map_err(refused)?;
                split_share(&bytes)?;
                Ok(Typed::Share(bytes))
            }
        }
    }

    /// The line that groups stand for.
    fn join(self, groups: &[String]) -> Result<Zeroizing<String>, FormatError> {
        let example = match self {
            Kind::Key => key_text(&[0; KEY_BYTES]),
            Kind::Share => share_text(&[0; SHARE_BYTES]),
        };
        let letters = example.len() - self.heading().len();
        let expected = letters.div_ceil(GROUP_LETTERS);
        let wrong: Vec<String> = (1_u64..)
            .zip(groups)
            .filter(|(number, group)| {
                let before = (*number as usize - 1) * GROUP_LETTERS;
                let length = letters.saturating_sub(before).min(GROUP_LETTERS);
                let (letters, check) = group.as_bytes().split_at_checked(length).unwrap_or_default();
                length == 0 || check_of(*number, letters).is_none_or(|right| check != right)
            })
            .map(|(number, _)| number.to_string())
            .collect();
        match wrong.as_slice() {
            _ if groups.len() != expected => Err(damaged(match wrong.first() {
                Some(first) => format!("{} groups instead of {expected}: look at group {first} first", groups.len()),
                None => format!("{} groups instead of {expected}: the last ones are missing", groups.len()),
            })),
            [] => {
                let mut line = Zeroizing::new(String::with_capacity(example.len()));
                line.push_str(self.heading());
                groups.iter().for_each(|group| line.push_str(&group[..group.len() - CHECK_LETTERS]));
                Ok(line)
            }
            [one] => Err(damaged(format!("group {one} is mistyped"))),
            several => Err(damaged(format!("groups {} are mistyped, or in another order", several.join(", ")))),
        }
    }
}
