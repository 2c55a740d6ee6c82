//! Strict JSON: no repeated members, bounded depth, integers only (spec/manifest.md, "What a reader refuses").

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::base::limits::{INTEGER_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};
use crate::format::{FormatError, damaged};

/// A JSON value of the manifest's subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of 0 to 2^53 − 1.
    Number(u64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of the text; no name stands twice.
    Object(Vec<(String, Json)>),
}

/// Parses one value that is the whole text.
///
/// # Errors
/// `Damaged`, with what and where.
pub fn parse(text: &[u8]) -> Result<Json, FormatError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let left = Cell::new(JSON_VALUES_MAX);
    let value = Value { depth: 0, left: &left }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| damaged(format!("not the JSON it should be: {error}")))
}

/// A string as a JSON literal.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[derive(Clone, Copy)]
struct Value<'c> {
    depth: usize,
    /// How many more values the text may have: a byte of text can become 32 bytes of tree.
    left: &'c Cell<usize>,
}

impl<'c> Value<'c> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| E::custom(format_args!("more than {JSON_VALUES_MAX} values")))?);
        Ok(())
    }

    fn inner<E: Error>(self) -> Result<Value<'c>, E> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {JSON_DEPTH_MAX}")));
        }
        Ok(Value { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, an integer from 0, a string, an array or an object")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        if value > INTEGER_MAX {
            return Err(E::custom("an integer over 2^53 - 1"));
        }
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = access.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.push((name, access.next_value_seed(inner)?));
        }
        Ok(Json::Object(members))
    }
}

/// Takes the members of an object one by one, in their order, and refuses what is left.
pub struct Members {
    what: &'static str,
    members: std::vec::IntoIter<(String, Json)>,
}

impl Members {
    /// The members of `value`, which is `what`.
    ///
    /// # Errors
    /// It is not an object.
    pub fn of(what: &'static str, value: Json) -> Result<Members, FormatError> {
        match value {
            Json::Object(members) => Ok(Members { what, members: members.into_iter() }),
            _ => Err(damaged(format!("{what} is not an object"))),
        }
    }

    /// The next member, which has that name.
    ///
    /// # Errors
    /// There is none, or another one.
    pub fn take(&mut self, name: &str) -> Result<Json, FormatError> {
        match self.members.next() {
            Some((found, value)) if found == name => Ok(value),
            Some((found, _)) => Err(damaged(format!("{} has {} where `{name}` should be", self.what, quoted(&found)))),
            None => Err(damaged(format!("{} has no `{name}`", self.what))),
        }
    }

    /// A string without control characters.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn string(&mut self, name: &str) -> Result<String, FormatError> {
        let text = self.text(name)?;
        if text.chars().any(char::is_control) {
            return Err(damaged(format!("`{name}` of {} has control characters", self.what)));
        }
        Ok(text)
    }

    /// A string with line ends.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn text(&mut self, name: &str) -> Result<String, FormatError> {
        match self.take(name)? {
            Json::String(text) => Ok(text),
            _ => Err(damaged(format!("`{name}` of {} is not a string", self.what))),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn number(&mut self, name: &str) -> Result<u64, FormatError> {
        match self.take(name)? {
            Json::Number(number) => Ok(number),
            _ => Err(damaged(format!("`{name}` of {} is not a number", self.what))),
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn boolean(&mut self, name: &str) -> Result<bool, FormatError> {
        match self.take(name)? {
            Json::Bool(value) => Ok(value),
            _ => Err(damaged(format!("`{name}` of {} is neither true nor false", self.what))),
        }
    }

    /// An array.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn array(&mut self, name: &str) -> Result<Vec<Json>, FormatError> {
        match self.take(name)? {
            Json::Array(values) => Ok(values),
            _ => Err(damaged(format!("`{name}` of {} is not an array", self.what))),
        }
    }

    /// An object.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn object(&mut self, name: &str) -> Result<Vec<(String, Json)>, FormatError> {
        match self.take(name)? {
            Json::Object(members) => Ok(members),
            _ => Err(damaged(format!("`{name}` of {} is not an object", self.what))),
        }
    }

    /// `N` bytes in hexadecimal.
    ///
    /// # Errors
    /// They are not there, or not canonical.
    pub fn hex<const N: usize>(&mut self, name: &str) -> Result<[u8; N], FormatError> {
        let text = self.string(name)?;
        crate::base::bytes::from_hex(&text)
            .ok_or_else(|| damaged(format!("`{name}` of {} is not {N} bytes of hexadecimal", self.what)))
    }

    /// `N` bytes in base64.
    ///
    /// # Errors
    /// They are not there, or not canonical.
    pub fn base64<const N: usize>(&mut self, name: &str) -> Result<[u8; N], FormatError> {
        use base64::Engine as _;
        let text = self.string(name)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(&text).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| damaged(format!("`{name}` of {} is not {N} bytes of base64", self.what)))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A member is left that nobody asked for.
    pub fn finish(mut self) -> Result<(), FormatError> {
        match self.members.next() {
            None => Ok(()),
            Some((name, _)) => Err(damaged(format!("{} has an unknown member {}", self.what, quoted(&name)))),
        }
    }
}

/// Bytes in base64.
pub fn to_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
