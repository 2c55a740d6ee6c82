//! Bech32 (BIP-173) of secrets. The crate `bech32` writes through a buffer on the stack, where a copy stays; this goes letter by letter.

use bech32::Hrp;
use bech32::primitives::checksum::Checksum;
use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use zeroize::Zeroizing;

/// Bytes in Bech32, in upper case.
pub(super) fn to_bech32<C: Checksum>(hrp: Hrp, bytes: &[u8]) -> Zeroizing<String> {
    // In one piece: a text that grows leaves copies of the key behind.
    let letters = (bytes.len() * 8).div_ceil(5);
    let mut text = Zeroizing::new(String::with_capacity(hrp.len() + 1 + letters + C::CHECKSUM_LENGTH));
    let spelled = bytes.iter().copied().bytes_to_fes().with_checksum::<C>(&hrp).chars();
    spelled.for_each(|letter| text.push(letter.to_ascii_uppercase()));
    text
}
