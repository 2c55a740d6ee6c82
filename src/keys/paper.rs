//! A vault key on paper, whole or in shares, and back (spec/paper.md).

use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::{Fingerprint, MasterKey};
use crate::crypto::shares;
use crate::format::FormatError;
use crate::format::keyfile::{KeyFields, key_text};
use crate::format::paper::{self, SHARE_BYTES, ShareFields, Typed, join_share, share_text, split_share};
use crate::keys::KeyError;
use crate::keys::ring::{key_line, master_key};

/// Why what was typed gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaperError {
    /// It is mistyped.
    #[error("{0}")]
    Typed(FormatError),
    /// There is nothing.
    #[error("there is neither a key nor a share in it")]
    Nothing,
    /// Keys of two databases, or two of one epoch.
    #[error("it holds keys that do not belong together")]
    Keys,
    /// A key and shares, or shares of two keys.
    #[error("the shares are not all of one key: they name {}", .0.join(" and "))]
    Shares(Vec<String>),
    /// A share is there twice, in two ways.
    #[error("two shares have the number {0} and are not the same")]
    Twice(u8),
    /// Not enough.
    #[error("{found} of the {threshold} shares that the key needs")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there have to be.
        threshold: u8,
    },
    /// They give another key.
    #[error("the shares give a key that is not {}", .0.short())]
    Fingerprint(Fingerprint),
}

impl PaperError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            PaperError::Typed(source) => source.class(),
            PaperError::TooFew { .. } => FailureClass::Usage,
            PaperError::Shares(_) | PaperError::Keys => FailureClass::WrongKey,
            PaperError::Nothing | PaperError::Twice(_) | PaperError::Fingerprint(_) => FailureClass::Damaged,
        }
    }
}

/// The key line of a key: for a camera as it is, for people in groups.
pub fn line(key: &MasterKey) -> Zeroizing<String> {
    key_text(&key_line(key))
}

/// The share lines of a key.
pub fn share_lines(
    key: &MasterKey,
    threshold: u8,
    count: u8,
    random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Zeroizing<String>> {
    let of = KeyFields { guid: key.scope.guid, epoch: key.scope.epoch };
    let Fingerprint(fingerprint) = key.derive().pack.fingerprint;
    let shares = shares::split(&key.secret, threshold, count, random);
    let lines = shares.iter().map(|(index, value)| {
        let share = ShareFields { of, fingerprint: &fingerprint, threshold, index: *index, value: value.expose() };
        share_text(&join_share(&share))
    });
    lines.collect()
}

/// The keys that typed text or sheets hold, ascending by epoch: key lines, or enough shares of one key.
///
/// # Errors
/// A group is mistyped, there are too few shares, or not all are of one key.
pub fn read(text: &[u8]) -> Result<Vec<MasterKey>, PaperError> {
    let (mut keys, mut shares) = (Vec::<MasterKey>::new(), Vec::new());
    for typed in paper::read(text).map_err(PaperError::Typed)? {
        match typed {
            Typed::Key(bytes) => keys.push(master_key(&bytes).map_err(not_a_key)?),
            Typed::Share(bytes) => shares.push(bytes),
        }
    }
    if !shares.is_empty() {
        keys.push(combine(&shares)?);
    }
    keys.sort_by_key(|key| key.scope.epoch);
    let together =
        |pair: &[MasterKey]| pair[0].scope.guid == pair[1].scope.guid && pair[0].scope.epoch < pair[1].scope.epoch;
    match keys.is_empty() {
        true => Err(PaperError::Nothing),
        false if keys.windows(2).all(together) => Ok(keys),
        false => Err(PaperError::Keys),
    }
}

fn not_a_key(error: KeyError) -> PaperError {
    match error {
        KeyError::File(source) => PaperError::Typed(source),
        _ => PaperError::Keys,
    }
}

/// The key that shares give. That it is the right one, its fingerprint tells.
fn combine(lines: &[Box<Zeroizing<[u8; SHARE_BYTES]>>]) -> Result<MasterKey, PaperError> {
    let shares: Vec<ShareFields<'_>> =
        lines.iter().map(|line| split_share(line)).collect::<Result<_, _>>().map_err(PaperError::Typed)?;
    let first = &shares[0];
    let name = |share: &ShareFields<'_>| {
        let key = Fingerprint(*share.fingerprint).short();
        format!("key {key} of epoch {} of {}, of which {} are needed", share.of.epoch, share.of.guid, share.threshold)
    };
    let mut names: Vec<String> = shares.iter().map(name).collect();
    names.sort();
    names.dedup();
    if names.len() > 1 || shares.iter().any(|share| share.fingerprint != first.fingerprint) {
        return Err(PaperError::Shares(names));
    }
    let mut different: Vec<(u8, &[u8; 32])> = Vec::new();
    for share in &shares {
        match different.iter().find(|(index, _)| *index == share.index) {
            None => different.push((share.index, share.value)),
            Some((_, value)) if *value == share.value => {}
            Some(_) => return Err(PaperError::Twice(share.index)),
        }
    }
    if different.len() < usize::from(first.threshold) {
        return Err(PaperError::TooFew { found: different.len(), threshold: first.threshold });
    }
    let fingerprint = Fingerprint(*first.fingerprint);
    let secret = shares::combine(&different).ok_or(PaperError::Fingerprint(fingerprint))?;
    let key = MasterKey { scope: Scope { guid: first.of.guid, epoch: first.of.epoch }, secret };
    match key.derive().pack.fingerprint == fingerprint {
        true => Ok(key),
        false => Err(PaperError::Fingerprint(fingerprint)),
    }
}
