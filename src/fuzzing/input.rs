//! Arbitrary bytes as numbers and pieces.

/// Takes values off the front of an input. Behind its end everything is zero, so that no input is too short for anything.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Begins at the start of `data`.
    pub(super) fn new(data: &'a [u8]) -> Input<'a> {
        Input { rest: data }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next bytes, fewer at the end.
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        head
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(self.take(N)) {
            *to = *from;
        }
        bytes
    }

    /// The next byte.
    pub(super) fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// The next two bytes, little-endian.
    pub(super) fn u16(&mut self) -> usize {
        usize::from(u16::from_le_bytes(self.array()))
    }

    /// The next four bytes, little-endian.
    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// The next eight bytes, little-endian.
    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// One of `count` things.
    pub(super) fn pick(&mut self, count: usize) -> usize {
        usize::from(self.u8()) % count.max(1)
    }

    /// A place of three bytes in something of that length; 0 where that is empty.
    pub(super) fn place(&mut self, length: usize) -> usize {
        let [low, middle, high] = self.array();
        usize::try_from(u32::from_le_bytes([low, middle, high, 0])).unwrap_or(0) % length.max(1)
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}
