//! A secret in pieces (Shamir): so many of them give it back, and fewer tell nothing (spec/paper.md).

use blahaj::{Share, Sharks};
use zeroize::Zeroizing;

use crate::crypto::random::Rng;
use crate::crypto::secret::Secret;

/// Splits a secret into `count` shares, which are numbered from 1; `threshold` of them give it back.
pub fn split(
    secret: &Secret<32>,
    threshold: u8,
    count: u8,
    random: &mut dyn FnMut(&mut [u8]),
) -> Vec<(u8, Secret<32>)> {
    let dealer = Sharks(threshold);
    let shares = dealer.dealer_rng(secret.expose(), &mut Rng(random));
    let shares = shares.take(usize::from(count)).map(|share| Zeroizing::new(Vec::from(&share)));
    shares.filter_map(|share| Some((*share.first()?, value(share.get(1..)?)?))).collect()
}

/// The secret that shares of different numbers give; any other secret when they are too few or do not belong together.
pub fn combine(shares: &[(u8, &[u8; 32])]) -> Option<Secret<32>> {
    let shares: Vec<Share> = shares
        .iter()
        .map(|(index, value)| {
            let mut bytes = Zeroizing::new([0; 33]);
            bytes[0] = *index;
            bytes[1..].copy_from_slice(*value);
            Share::try_from(bytes.as_slice())
        })
        .collect::<Result<_, _>>()
        .ok()?;
    let secret = Sharks(1).recover(&shares).ok().map(Zeroizing::new)?;
    value(&secret)
}

fn value(bytes: &[u8]) -> Option<Secret<32>> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    Some(Secret::fill(|copy| copy.copy_from_slice(bytes)))
}
