//! The line of SQL that introduces rows: `COPY … FROM stdin;`, which may straddle slabs, and lines where a literal in it does.

const BEGIN: &[u8; 5] = b"COPY ";
const END: &[u8; 12] = b" FROM stdin;";

/// Whether the line under way is such a line.
#[derive(Clone, Debug, Default)]
pub(super) struct CopyLine {
    /// How much of [`BEGIN`] the line begins with so far; `None` once it begins with something else.
    matched: Option<usize>,
    /// The last bytes of earlier slabs.
    recent: [u8; END.len()],
}

impl CopyLine {
    /// A line of SQL begins.
    pub(super) fn begin(&mut self) {
        self.matched = Some(0);
    }

    /// What comes is none.
    pub(super) fn leave(&mut self) {
        self.matched = None;
    }

    /// Some SQL, which the line begins with or goes on with.
    pub(super) fn follow(&mut self, rest: &[u8]) {
        if let Some(matched) = self.matched.filter(|matched| *matched < BEGIN.len()) {
            let missing = &BEGIN[matched..];
            let more = missing.len().min(rest.len());
            self.matched = (rest[..more] == missing[..more]).then_some(matched + more);
        }
    }

    /// Whether it is one, if it ends where these bytes of the slab end.
    pub(super) fn ends_at(&self, before: &[u8]) -> bool {
        if self.matched != Some(BEGIN.len()) {
            return false;
        }
        match END.len().checked_sub(before.len()) {
            None | Some(0) => before.ends_with(END),
            Some(missing) => {
                let (earlier, here) = END.split_at(missing);
                before == here && self.recent.ends_with(earlier)
            }
        }
    }

    /// A slab ends.
    pub(super) fn remember(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.recent.len());
        let start = self.recent.len() - kept;
        self.recent.rotate_left(kept);
        self.recent[start..].copy_from_slice(&bytes[bytes.len() - kept..]);
    }
}
