//! The first words of a statement, and where it ends.
//!
//! As in `psql`, a statement ends with a `;` outside parentheses and outside
//! the body of a routine that is written in SQL, which has `;` of its own
//! between `BEGIN ATOMIC` and its `END`.
//!
//! An `INSERT` may be most of a dump: behind its `VALUES` nothing is kept, and
//! what goes by is looked at elsewhere ([`Values`](super::super::values::Values)).

use crate::dump::words::{TOKEN_BYTES_MAX, Token};

/// More words than a statement needs to be identified; column lists of triggers are the longest.
const TOKENS_MAX: usize = 4_096;
/// Bytes of them, after which no more begin to be kept.
const TEXT_BYTES_MAX: usize = 65_536;

/// Which part of a statement is going by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Words are kept.
    #[default]
    Head,
    /// The values of an `INSERT`.
    Values,
}

/// A statement that is going by.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    tokens: Vec<Token>,
    bytes: usize,
    part: Part,
    /// The word that is going by, as much of it as is kept.
    word: Vec<u8>,
    in_word: bool,
    /// The literal that is going by or has just ended: its quote, and whether it is kept.
    literal: Option<(u8, bool)>,
    depth: u64,
    /// The parentheses that are open hold something that is kept.
    inside: bool,
    /// `BEGIN` and `CASE` without their `END`, in the body of a routine.
    begun: u64,
    /// The last byte that is not white space.
    last: u8,
    /// Something stands behind the `;` on its line.
    several: bool,
    /// Lines of values that end in a comma, of an `INSERT`.
    lines: u64,
    /// The statement begins as the one before.
    repeats: bool,
}

impl Statement {
    /// A statement begins.
    pub(super) fn begin(&mut self) {
        let mut tokens = std::mem::take(&mut self.tokens);
        let mut word = std::mem::take(&mut self.word);
        tokens.clear();
        word.clear();
        *self = Statement { tokens, word, ..Statement::default() };
    }

    /// A statement begins that is like the one before up to its values, which begin here.
    pub(super) fn repeat(&mut self) {
        (self.lines, self.last, self.repeats) = (0, 0, true);
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether it is an `INSERT` that begins, byte for byte, as the one before.
    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Lines of the values of an `INSERT` behind which others come.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Rows of an `INSERT`: each has a line, which for all but the last one ends in a comma.
    pub(super) fn rows(&self) -> u64 {
        self.lines + 1
    }

    /// Whether it is an `INSERT` that has reached its values.
    pub(super) fn has_values(&self) -> bool {
        self.part == Part::Values
    }

    /// Whether it is an `INSERT` whose values go by.
    pub(super) fn in_values(&self) -> bool {
        self.part == Part::Values && self.depth == 0
    }

    /// Some values; so many of their lines ended in a comma, before other values.
    pub(super) fn values(&mut self, lines: u64, last: Option<u8>) {
        self.lines += lines;
        self.last = last.unwrap_or(self.last);
    }

    /// Some SQL. Where in it the values of an `INSERT` begin, if they do.
    pub(super) fn code(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.part == Part::Values {
            self.last = bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(self.last);
            return None;
        }
        if !bytes.is_empty() {
            self.literal = None;
        }
        for (at, byte) in bytes.iter().enumerate() {
            self.byte(*byte);
            if self.part == Part::Values {
                // Behind the byte that ended the keyword.
                return Some(at + 1);
            }
        }
        None
    }

    /// A literal begins. Right behind one of its kind it is the same one, which holds its own quote.
    pub(super) fn quote(&mut self, quote: u8) {
        self.last = quote;
        if self.part == Part::Values {
            return;
        }
        self.end_word();
        match self.literal {
            Some((open, _)) if open == quote && quote != b'$' => return self.quoted(&[quote]),
            _ => self.literal = Some((quote, self.keeps())),
        }
        if self.keeps() {
            self.tokens.push(if quote == b'"' { Token::Name(Vec::new()) } else { Token::Text(Vec::new()) });
        }
    }

    pub(super) fn quoted(&mut self, bytes: &[u8]) {
        if self.part == Part::Values || !matches!(self.literal, Some((_, true))) {
            return;
        }
        let select = self.tokens.first().is_some_and(|token| token.is("SELECT"));
        let text = match self.tokens.last_mut() {
            Some(Token::Name(text)) => text,
            Some(Token::Text(text)) if select => text,
            _ => return,
        };
        let room = TOKEN_BYTES_MAX.saturating_sub(text.len()).min(bytes.len());
        text.extend_from_slice(&bytes[..room]);
        self.bytes += room;
    }

    /// Whether it is more than one statement, of which none has a range of its own.
    pub(super) fn is_several(&self) -> bool {
        self.several
    }

    /// A line ends outside literals; `true` when the statement does.
    pub(super) fn line_end(&mut self) -> bool {
        self.end_word();
        self.literal = None;
        if self.part == Part::Values && self.last == b',' {
            self.lines += 1;
            // A line of white space behind it is none.
            self.last = 0;
        }
        self.is_ended()
    }

    fn is_ended(&self) -> bool {
        self.last == b';' && self.depth == 0 && self.begun == 0
    }

    fn byte(&mut self, byte: u8) {
        self.several |= self.is_ended() && byte != b';' && !byte.is_ascii_whitespace();
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii() {
            self.in_word = true;
            self.last = byte;
            if (self.depth == 0 || self.inside) && self.word.len() < TOKEN_BYTES_MAX {
                self.word.push(byte);
            }
            return;
        }
        self.end_word();
        if byte.is_ascii_whitespace() {
            return;
        }
        self.last = byte;
        if self.part == Part::Values {
            return;
        }
        match byte {
            b'(' => {
                self.mark(byte);
                self.inside |= self.depth == 0 && self.opens_names();
                self.depth += 1;
            }
            b')' => {
                self.depth = self.depth.saturating_sub(1);
                self.inside &= self.depth > 0;
                self.mark(byte);
            }
            _ => self.mark(byte),
        }
    }

    /// Whether the parenthesis that was just kept holds names.
    fn opens_names(&self) -> bool {
        let before = self.tokens.len().checked_sub(2).and_then(|at| self.tokens.get(at));
        let select = self.tokens.first().is_some_and(|token| token.is("SELECT"));
        select || before.is_some_and(|token| token.is("INHERITS") || token.is("IDENTITY"))
    }

    fn mark(&mut self, byte: u8) {
        if self.keeps() {
            self.tokens.push(Token::Mark(byte));
        }
    }

    /// Whether what goes by is kept.
    fn keeps(&self) -> bool {
        let room = self.tokens.len() < TOKENS_MAX && self.bytes < TEXT_BYTES_MAX;
        room && self.begun == 0 && (self.depth == 0 || (self.inside && self.depth == 1))
    }

    fn end_word(&mut self) {
        if !std::mem::take(&mut self.in_word) {
            return;
        }
        if self.depth == 0 && self.is_routine() {
            self.follow_body();
        }
        if self.word.is_empty() || !self.keeps() {
            return self.word.clear();
        }
        self.bytes += self.word.len();
        let token = Token::Word(std::mem::take(&mut self.word));
        let values = token.is("VALUES") && self.tokens.first().is_some_and(|token| token.is("INSERT"));
        self.tokens.push(token);
        if values {
            self.part = Part::Values;
        }
    }

    /// Whether this is `CREATE [OR REPLACE] FUNCTION` or `PROCEDURE`.
    fn is_routine(&self) -> bool {
        let kind = match self.tokens.as_slice() {
            [create, or, replace, kind, ..] if create.is("CREATE") && or.is("OR") && replace.is("REPLACE") => kind,
            [create, kind, ..] if create.is("CREATE") => kind,
            _ => return false,
        };
        kind.is("FUNCTION") || kind.is("PROCEDURE")
    }

    /// Counts what opens and closes a body.
    fn follow_body(&mut self) {
        let is = |keyword: &str| self.word.eq_ignore_ascii_case(keyword.as_bytes());
        if is("BEGIN") || (self.begun > 0 && is("CASE")) {
            self.begun += 1;
        } else if self.begun > 0 && is("END") {
            self.begun -= 1;
        }
    }
}
