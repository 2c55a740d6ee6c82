//! The digests of spans: what of the dump comes back is compared with what went in, span by span (spec/index.md, "Span digests").
//!
//! GMAC (NIST SP 800-38D) under a key of the backup, since all of the dump passes through it, in and out: it takes a third of the time of BLAKE3. Who
//! knows the key can make spans that have one digest; that is the packer, and whoever opens the backup.

use crate::crypto::gcm::{Gcm, Tag};
use crate::crypto::secret::{Secret, equal};

/// The digest of a span.
pub type SpanDigest = Tag;

/// The key of the spans of one backup.
pub struct SpanKey(Gcm);

impl SpanKey {
    /// From its 32 bytes.
    pub fn new(key: &Secret<32>) -> SpanKey {
        SpanKey(Gcm::new(key))
    }

    /// The digest of the span of that ordinal.
    pub fn digest(&self, ordinal: u64, span: &[u8]) -> SpanDigest {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&ordinal.to_be_bytes());
        self.0.authenticate(nonce, span)
    }

    /// Whether that is the digest of the span.
    pub fn agrees(&self, ordinal: u64, span: &[u8], digest: &SpanDigest) -> bool {
        equal(&self.digest(ordinal, span), digest)
    }
}
