//! Sets of bytes that are looked for together, as a table that is looked up by the low half of a byte.

/// Some bytes of ASCII, no two of which have the same low half.
pub(in crate::dump) struct Set {
    /// What is in the set.
    pub(super) bytes: &'static [u8],
    /// By the low half of a byte the one of the set that has the same; a byte that has another, where there is none. So a byte is in the
    /// set when it is what it finds here.
    pub(super) table: [u8; 16],
}

impl Set {
    /// Of these bytes.
    pub(in crate::dump) const fn new(bytes: &'static [u8]) -> Self {
        let mut table = [0; 16];
        table[0] = 1;
        let mut at = 0;
        while at < bytes.len() {
            let (byte, half) = (bytes[at], (bytes[at] & 15) as usize);
            // What is not of its place yet is free.
            assert!(byte.is_ascii() && (table[half] & 15) as usize != half);
            table[half] = byte;
            at += 1;
        }
        Set { bytes, table }
    }
}
