//! What the settings of a session change in how its SQL is read.

/// Character sets whose letters of two bytes may end in the byte of a backslash or a quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Letters {
    /// None of them: a byte below 128 is always itself.
    #[default]
    Plain,
    /// `sjis`, `cp932`.
    Japanese,
    /// `gbk`, `gb18030`.
    Chinese,
    /// `big5`.
    Taiwanese,
}

impl Letters {
    /// Those of a character set.
    pub(super) fn of(charset: &[u8]) -> Letters {
        match charset.to_ascii_lowercase().as_slice() {
            b"sjis" | b"cp932" => Letters::Japanese,
            b"gbk" | b"gb18030" => Letters::Chinese,
            b"big5" => Letters::Taiwanese,
            _ => Letters::Plain,
        }
    }

    /// Whether a letter of two bytes begins so.
    pub(super) fn leads(self, byte: u8) -> bool {
        match self {
            Letters::Plain => false,
            Letters::Japanese => matches!(byte, 0x81..=0x9f | 0xe0..=0xfc),
            Letters::Chinese => matches!(byte, 0x81..=0xfe),
            Letters::Taiwanese => matches!(byte, 0xa1..=0xf9),
        }
    }

    /// Whether one ends so.
    pub(super) fn trails(byte: u8) -> bool {
        matches!(byte, 0x40..=0x7e | 0x80..=0xfe)
    }
}

/// How SQL is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// A backslash in a string takes the next byte with it.
    pub(super) escapes: bool,
    /// `"…"` is a name and not a string.
    pub(super) ansi: bool,
    /// Letters of two bytes.
    pub(super) letters: Letters,
}

impl Default for Syntax {
    fn default() -> Self {
        Self { escapes: true, ansi: false, letters: Letters::Plain }
    }
}

impl Syntax {
    /// Whether a backslash means something between these quotes.
    pub(super) fn escapes_in(self, quote: u8) -> bool {
        self.escapes && quote != b'`' && !(self.ansi && quote == b'"')
    }
}
