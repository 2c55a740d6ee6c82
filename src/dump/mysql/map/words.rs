//! Reads the words of a statement of mysqldump one after another.

use super::statement::Token;

/// The words of a statement that are left.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(&'a [Token]);

impl<'a> Words<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Words<'a> {
        Words(tokens)
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// The one behind it, which stays.
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.0.first()
    }

    /// Whether these keywords come next.
    pub(super) fn starts(&self, keywords: &[&str]) -> bool {
        self.0.len() >= keywords.len() && self.0.iter().zip(keywords).all(|(token, word)| token.is(word))
    }

    /// Goes past a keyword, if it comes next.
    pub(super) fn skip(&mut self, keyword: &str) -> bool {
        let there = self.starts(&[keyword]);
        if there {
            self.next();
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

    /// Goes past the first of these words, over modifiers like `DEFINER = a@b`.
    pub(super) fn class(&mut self, classes: &[&'static str]) -> Option<&'static str> {
        while let Some(token) = self.next() {
            if let Some(class) = classes.iter().find(|class| token.is(class)) {
                return Some(class);
            }
        }
        None
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

    /// `name`, or the name in `database.name`.
    pub(super) fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = self.part()?;
        while self.peek() == Some(&Token::Mark(b'.')) {
            self.next();
            name = self.part()?;
        }
        Some(name)
    }
}
