//! The first words of a statement of mysqldump.

use crate::dump::words::{TOKEN_BYTES_MAX, Token};

/// More words than a statement needs to be identified: a view has its definer before its name.
const TOKENS_MAX: usize = 64;

/// A statement that is going by.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    tokens: Vec<Token>,
    /// The word that is going by, as much of it as is kept.
    word: Vec<u8>,
    /// The quote of the literal that is going by or has just ended.
    literal: Option<u8>,
    depth: u64,
    /// The values of an `INSERT` have begun.
    values: bool,
}

impl Statement {
    pub(super) fn begin(&mut self) {
        self.tokens.clear();
        self.word.clear();
        (self.literal, self.depth, self.values) = (None, 0, false);
    }

    /// The words, once the statement has ended.
    pub(super) fn tokens(&mut self) -> &[Token] {
        self.end_word();
        &self.tokens
    }

    /// SQL outside literals; how much of it stands before the values of an `INSERT`.
    pub(super) fn code(&mut self, bytes: &[u8]) -> usize {
        if !bytes.is_empty() {
            self.literal = None;
        }
        if self.tokens.len() >= TOKENS_MAX && !self.inserts() {
            return bytes.len();
        }
        for (at, byte) in bytes.iter().enumerate() {
            if self.byte(*byte) {
                return at;
            }
        }
        bytes.len()
    }

    /// A literal begins. Right behind one of its kind it is the same one, which holds its own quote.
    pub(super) fn quote(&mut self, quote: u8) {
        self.end_word();
        if self.literal == Some(quote) {
            return self.quoted(&[quote]);
        }
        self.literal = Some(quote);
        self.push(if quote == b'\'' { Token::Text(Vec::new()) } else { Token::Name(Vec::new()) });
    }

    pub(super) fn quoted(&mut self, bytes: &[u8]) {
        // Without room, the last one that is kept may be another one.
        if self.tokens.len() == TOKENS_MAX {
            return;
        }
        if let Some(Token::Text(text) | Token::Name(text)) = self.tokens.last_mut() {
            let room = TOKEN_BYTES_MAX.saturating_sub(text.len()).min(bytes.len());
            text.extend_from_slice(&bytes[..room]);
        }
    }

    /// Takes a byte; `true` when it is not taken, since the values begin before it.
    fn byte(&mut self, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || !byte.is_ascii() {
            if self.word.len() < TOKEN_BYTES_MAX {
                self.word.push(byte);
            }
            return false;
        }
        if self.end_word() {
            return true;
        }
        match byte {
            b'(' => self.depth += 1,
            b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.push(Token::Mark(byte));
        }
        false
    }

    /// `true` when it was the one before the values.
    fn end_word(&mut self) -> bool {
        if self.word.is_empty() {
            return false;
        }
        let token = Token::Word(std::mem::take(&mut self.word));
        let values = !self.values && self.depth == 0 && token.is("VALUES") && self.inserts();
        self.values |= values;
        self.push(token);
        values
    }

    fn inserts(&self) -> bool {
        self.tokens.first().is_some_and(|token| token.is("INSERT") || token.is("REPLACE"))
    }

    fn push(&mut self, token: Token) {
        if self.tokens.len() < TOKENS_MAX {
            self.tokens.push(token);
        }
    }
}
