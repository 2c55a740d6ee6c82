//! Reads the words of a statement one after another.

use std::ops::{Deref, DerefMut};

use crate::base::map::MapName;
use crate::dump::words::{self, Token};

/// Classes of two words.
const LONG_CLASSES: [(&str, &str); 14] = [
    ("MATERIALIZED", "VIEW"),
    ("FOREIGN", "TABLE"),
    ("FOREIGN", "DATA"),
    ("EVENT", "TRIGGER"),
    ("ACCESS", "METHOD"),
    ("OPERATOR", "CLASS"),
    ("OPERATOR", "FAMILY"),
    ("TEXT", "SEARCH"),
    ("USER", "MAPPING"),
    ("LARGE", "OBJECT"),
    ("DEFAULT", "PRIVILEGES"),
    ("ROW", "SECURITY"),
    ("SECURITY", "LABEL"),
    ("ALL", "TABLES"),
];

/// The words of a statement that are left, and the schema of names that have none.
pub(super) struct Words<'a> {
    rest: words::Words<'a>,
    path: &'a [u8],
}

impl<'a> Deref for Words<'a> {
    type Target = words::Words<'a>;

    fn deref(&self) -> &words::Words<'a> {
        &self.rest
    }
}

impl DerefMut for Words<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.rest
    }
}

impl<'a> Words<'a> {
    /// The words of a statement; names without a schema are of `path`.
    pub(super) fn new(rest: &'a [Token], path: &'a [u8]) -> Words<'a> {
        Words { rest: words::Words::new(rest), path }
    }

    /// The words that say what kind of thing it is.
    pub(super) fn class(&mut self) -> String {
        let long = LONG_CLASSES.iter().find(|(first, second)| self.starts(&[first, second]));
        if let Some((first, second)) = long {
            self.next();
            self.next();
            return format!("{first} {second}");
        }
        match self.peek() {
            Some(Token::Word(word)) => {
                self.next();
                String::from_utf8_lossy(word).to_ascii_uppercase()
            }
            _ => String::new(),
        }
    }

    /// `name` or `schema.name`.
    pub(super) fn name(&mut self) -> Option<MapName> {
        self.parts().and_then(|parts| self.join(&parts))
    }

    /// The name in `name.column` or `schema.name.column`.
    pub(super) fn name_of_column(&mut self) -> Option<MapName> {
        self.parts().and_then(|parts| self.join(parts.split_last()?.1))
    }

    fn join(&self, parts: &[Vec<u8>]) -> Option<MapName> {
        match parts {
            [name] => Some(MapName { schema: self.path.to_vec(), name: name.clone() }),
            [schema, name] => Some(MapName { schema: schema.clone(), name: name.clone() }),
            _ => None,
        }
    }

    /// The name that a string holds: `public.seq`, `public."Seq"`.
    pub(super) fn literal(&self, text: &[u8]) -> Option<MapName> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let mut part = Vec::new();
            if let Some(mut inner) = rest.strip_prefix(b"\"") {
                loop {
                    let end = inner.iter().position(|byte| *byte == b'"')?;
                    part.extend_from_slice(&inner[..end]);
                    inner = &inner[end + 1..];
                    let Some(more) = inner.strip_prefix(b"\"") else { break };
                    part.push(b'"');
                    inner = more;
                }
                rest = inner;
            } else {
                let end = rest.iter().position(|byte| *byte == b'.').unwrap_or(rest.len());
                part.extend_from_slice(&rest[..end]);
                rest = &rest[end..];
            }
            parts.push(part);
            match rest.split_first() {
                None => return self.join(&parts),
                Some((b'.', more)) => rest = more,
                Some(_) => return None,
            }
        }
    }
}
