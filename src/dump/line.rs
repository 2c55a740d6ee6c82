//! One comment or command line of a script, kept in bounded memory.
//!
//! A line may be a gigabyte long, and arrives in pieces. Its head is kept and
//! its length counted, which is enough to tell it from every line that means
//! something.

/// Comments and commands are kept up to this length. The longest that matter
/// are `\connect` lines: a name of 63 bytes, most of them doubled, in an option.
const LINE_BYTES_MAX: usize = 512;

/// A comment or command line, without its newline.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    head: Vec<u8>,
    len: usize,
}

impl Line {
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.len = 0;
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.len = self.len.saturating_add(bytes.len());
    }

    /// Whether it is a command to `psql`; if not, it is a comment.
    pub(super) fn is_command(&self) -> bool {
        self.head.first() == Some(&b'\\')
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.head.len()
    }

    /// The line, unless it was too long to keep.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (self.len == self.head.len()).then_some(&self.head)
    }

    /// What follows `prefix`, if the line begins with it.
    pub(super) fn after(&self, prefix: &[u8]) -> Option<Self> {
        let head = self.head.strip_prefix(prefix)?.to_vec();
        let len = self.len - prefix.len();
        Some(Self { head, len })
    }

    /// Whether two lines are the same, as far as both were kept.
    pub(super) fn same(&self, other: &Self) -> bool {
        let kept = self.head.len().min(other.head.len());
        self.len == other.len && self.head[..kept] == other.head[..kept]
    }
}
