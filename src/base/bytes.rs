//! A cursor over a slice that names what it was reading, and ends on `finish`.

/// The bytes end before the value does, or go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// The value does not fit in what is left.
    #[error("{what} is cut short")]
    Short {
        /// The value that was being read.
        what: &'static str,
    },
    /// Bytes are left after the last value.
    #[error("{left} bytes are left after {what}")]
    Trailing {
        /// The structure that should have ended.
        what: &'static str,
        /// How many bytes are left.
        left: usize,
    },
}

/// Reads little-endian values one after another.
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Begins at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BytesError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(BytesError::Short { what })?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], BytesError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(BytesError::Short { what })?;
        self.rest = rest;
        Ok(head)
    }

    /// The next byte.
    ///
    /// # Errors
    /// None is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, BytesError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// The next `u32`.
    ///
    /// # Errors
    /// Fewer than four bytes are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, BytesError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// The next `u64`.
    ///
    /// # Errors
    /// Fewer than eight bytes are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, BytesError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(self, what: &'static str) -> Result<(), BytesError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(BytesError::Trailing { what, left }),
        }
    }
}

/// Lowercase hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `N` bytes from their only spelling in hexadecimal: lowercase, no separators.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_cut_short_and_what_is_left() {
        let mut cursor = Cursor::new(&[1, 2, 0, 0, 0, 9]);
        assert_eq!(cursor.u8("a"), Ok(1));
        assert_eq!(cursor.u32("b"), Ok(2));
        assert_eq!(cursor.u64("c"), Err(BytesError::Short { what: "c" }));
        assert_eq!(cursor.finish("d"), Err(BytesError::Trailing { what: "d", left: 1 }));
    }

    #[test]
    fn hexadecimal_has_one_spelling() {
        assert_eq!(from_hex::<2>("0fa0"), Some([0x0f, 0xa0]));
        assert_eq!(to_hex(&[0x0f, 0xa0]), "0fa0");
        for text in ["0FA0", "0fa", "0fa00", "0fg0", "é0a"] {
            assert_eq!(from_hex::<2>(text), None, "{text}");
        }
    }
}
