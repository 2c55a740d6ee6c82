//! The words of a statement, one after another, whatever the dialect.

use crate::base::limits::MAP_NAME_BYTES_MAX;

/// Bytes of a word that are kept: enough to tell it from a name that fits in the map.
pub(super) const TOKEN_BYTES_MAX: usize = MAP_NAME_BYTES_MAX + 1;

/// A word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a plain name, a variable of MySQL with its `@`, or a number.
    Word(Vec<u8>),
    /// A name between quotes that are not those of a string; they are resolved.
    Name(Vec<u8>),
    /// A string. What it holds is kept where it may be a name.
    Text(Vec<u8>),
    /// Anything else: `.`, `,`, `(`.
    Mark(u8),
}

impl Token {
    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }
}

/// The words of a statement that are left.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(&'a [Token]);

impl<'a> Words<'a> {
    /// All of them are left.
    pub(super) fn new(tokens: &'a [Token]) -> Words<'a> {
        Words(tokens)
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// The next word, which stays.
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.0.first()
    }

    /// Whether these keywords come next.
    pub(super) fn starts(&self, keywords: &[&str]) -> bool {
        self.0.len() >= keywords.len() && self.0.iter().zip(keywords).all(|(token, word)| token.is(word))
    }

    /// Goes past a keyword, if it comes next.
    pub(super) fn skip(&mut self, keyword: &str) -> bool {
        self.skip_all(&[keyword])
    }

    /// Goes past keywords, if they come next and stand together: each of them alone may be a name.
    pub(super) fn skip_all(&mut self, keywords: &[&str]) -> bool {
        let there = self.starts(keywords);
        if there {
            self.0 = &self.0[keywords.len()..];
        }
        there
    }

    /// Goes past the next keyword of this kind, or past everything.
    pub(super) fn after(&mut self, keyword: &str) -> bool {
        while let Some(token) = self.next() {
            if token.is(keyword) {
                return true;
            }
        }
        false
    }

    /// One part of a name.
    pub(super) fn part(&mut self) -> Option<Vec<u8>> {
        match self.peek() {
            Some(Token::Word(text) | Token::Name(text)) => {
                self.next();
                Some(text.clone())
            }
            _ => None,
        }
    }

    /// The parts of a name, between dots; there is one at least.
    pub(super) fn parts(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut parts = vec![self.part()?];
        while self.peek() == Some(&Token::Mark(b'.')) {
            self.next();
            parts.push(self.part()?);
        }
        Some(parts)
    }
}
