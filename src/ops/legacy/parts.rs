//! Which objects an archive consists of, in which order, and reading them one after another.
//!
//! Parts are `<id>-<number>`, from 0 or from 1, in the order of their numbers: 10 comes after 9. That the last one is missing cannot be seen by
//! the names.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ImportError;
use crate::format::header::MAGIC;
use crate::legacy::Source;
use crate::legacy::cipher::SALTED;
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::survey::Survey;

/// Bytes that are asked for in one call: on a remote store it is the number of calls that takes the time.
const READ_BYTES: usize = 4 << 20;

/// The objects of an archive, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// What their names begin with.
    pub archive: String,
    /// Their names.
    pub names: Vec<String>,
}

/// The archive in the store that `text` means: its id, or as much of it as is unique.
///
/// # Errors
/// There is none, several match, a part is missing, or the store cannot be read.
pub fn find(store: &dyn Store, text: &str) -> Result<Parts, ImportError> {
    let archive = resolve(store, text)?;
    let mut parts = Vec::new();
    let mut whole = None;
    for object in store.list(&archive)? {
        match object.name.strip_prefix(&archive) {
            Some("") => whole = Some(object.name),
            Some(rest) => {
                parts.extend(rest.strip_prefix('-').and_then(number).map(|index| (index, object.name.clone())))
            }
            None => {}
        }
    }
    match whole {
        Some(_) if !parts.is_empty() => Err(ImportError::WholeAndParts(archive)),
        Some(name) => Ok(Parts { archive, names: vec![name] }),
        None if parts.is_empty() => Err(ImportError::NotFound(archive)),
        None => in_order(archive, parts).map(|(archive, names)| Parts { archive, names }),
    }
}

/// The whole id. What is an id already may be of any form; the beginning of one is looked up among ids of ten digits.
fn resolve(store: &dyn Store, text: &str) -> Result<String, ImportError> {
    let named = |name: &str| name.strip_prefix(text).is_some_and(|rest| rest.is_empty() || part_of(rest));
    if text.is_empty() {
        return Err(ImportError::NotFound("without a name".into()));
    }
    let objects = store.list(text)?;
    if objects.iter().any(|object| named(&object.name)) {
        return Ok(text.to_owned());
    }
    let survey = Survey::take(store, text)?;
    let mut found: Vec<String> = survey.legacy.iter().map(|(guid, seconds)| format!("{guid}-{seconds}")).collect();
    match (found.pop(), found.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(id), false) => {
            found.push(id);
            Err(ImportError::Ambiguous(found))
        }
        (None, _) => Err(ImportError::NotFound(text.to_owned())),
    }
}

/// `-7`
fn part_of(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|rest| number(rest).is_some())
}

/// The number of a part; an id ends in ten digits that are none.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Puts things that are named like parts of one archive into the order of their numbers. As they are when their names say nothing about
/// it: one thing, or several that do not all have numbers, or not all the same beginning.
///
/// # Errors
/// A part is missing, or one is there twice.
pub fn sort_by_number<T>(named: Vec<(String, T)>) -> Result<(String, Vec<T>), ImportError> {
    let split = |name: &str| name.rsplit_once('-').and_then(|(stem, rest)| Some((stem.to_owned(), number(rest)?)));
    let stems: Vec<Option<(String, u64)>> = named.iter().map(|(name, _)| split(name)).collect();
    let archive = stems.first().and_then(|stem| Some(stem.clone()?.0));
    let first = named.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let numbered = stems.iter().all(|stem| stem.as_ref().map(|(stem, _)| stem) == archive.as_ref());
    match archive {
        Some(archive) if numbered && named.len() > 1 => {
            let numbers = stems.into_iter().flatten().map(|(_, index)| index);
            in_order(archive, numbers.zip(named.into_iter().map(|(_, thing)| thing)).collect())
        }
        _ => Ok((first, named.into_iter().map(|(_, thing)| thing).collect())),
    }
}

/// In the order of their numbers, from 0 or 1 and without a gap.
fn in_order<T>(archive: String, mut parts: Vec<(u64, T)>) -> Result<(String, Vec<T>), ImportError> {
    parts.sort_by_key(|(index, _)| *index);
    let first = parts.first().map_or(0, |(index, _)| (*index).min(1));
    for (expected, (index, _)) in (first..).zip(&parts) {
        match index.cmp(&expected) {
            Ordering::Less => return Err(ImportError::Twice { archive, index: *index }),
            Ordering::Greater => return Err(ImportError::Gap { archive, index: expected }),
            Ordering::Equal => {}
        }
    }
    Ok((archive, parts.into_iter().map(|(_, part)| part).collect()))
}

/// Whether an object with this head may stand at this place of an archive.
///
/// # Errors
/// It is vault's, or it is a second beginning.
pub fn check_head(first: &str, name: &str, head: &[u8]) -> Result<(), ImportError> {
    if head.starts_with(&MAGIC) {
        return Err(ImportError::Vaults(name.into()));
    }
    match head.starts_with(&SALTED) && name != first {
        true => Err(ImportError::TwoBeginnings { first: first.into(), second: name.into() }),
        false => Ok(()),
    }
}

/// Bytes of one of several objects: which one, from where, how many at most.
pub type Get = Arc<dyn Fn(usize, u64, usize) -> Result<Vec<u8>, StoreError> + Send + Sync>;

/// Objects that are read one after another.
#[derive(Clone)]
pub struct PartsReader {
    names: Vec<String>,
    get: Get,
    part: usize,
    offset: u64,
    ready: Vec<u8>,
    at: usize,
}

impl PartsReader {
    /// At the beginning of the first.
    pub fn new(names: Vec<String>, get: Get) -> PartsReader {
        PartsReader { names, get, part: 0, offset: 0, ready: Vec::new(), at: 0 }
    }

    /// The parts of an archive in a store.
    pub fn of_store(store: Arc<dyn Store>, parts: Parts) -> PartsReader {
        let names = parts.names.clone();
        PartsReader::new(
            parts.names,
            Arc::new(move |part, offset, length| match names.get(part) {
                Some(name) => store.get(name, offset, length),
                None => Ok(Vec::new()),
            }),
        )
    }

    /// Fetches more, from the next part where one has ended. `false` at the end of the last.
    fn fetch(&mut self) -> Result<bool, ImportError> {
        while let Some(name) = self.names.get(self.part) {
            let bytes = (self.get)(self.part, self.offset, READ_BYTES)?;
            if self.offset == 0 {
                check_head(&self.names[0], name, &bytes)?;
            }
            if bytes.is_empty() {
                (self.part, self.offset) = (self.part + 1, 0);
                continue;
            }
            self.offset += bytes.len() as u64;
            (self.ready, self.at) = (bytes, 0);
            return Ok(true);
        }
        Ok(false)
    }
}

impl Source for PartsReader {
    type Error = ImportError;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ImportError> {
        if self.at == self.ready.len() && !self.fetch()? {
            return Ok(0);
        }
        let rest = &self.ready[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Result<Vec<String>, String> {
        let named = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        sort_by_number(named).map(|(_, names)| names).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_come_in_the_order_of_their_numbers() {
        let from_one: Vec<String> = (1..=11).map(|index| format!("a-b-{index}")).collect();
        let mut by_text: Vec<&str> = from_one.iter().map(String::as_str).collect();
        by_text.sort_unstable();
        assert_eq!(by_text[..3], ["a-b-1", "a-b-10", "a-b-11"]);
        assert_eq!(sorted(&by_text), Ok(from_one.clone()));
        assert_eq!(sorted(&["x-002", "x-000", "x-001"]), Ok(["x-000", "x-001", "x-002"].map(String::from).to_vec()));
        // Names that say nothing: the order is the caller's.
        for names in [&["guid-1718020800"][..], &["b", "a"], &["x-1", "y-0"], &["x-7"], &["x-1", "x-b"]] {
            assert_eq!(sorted(names), Ok(names.iter().map(|name| (*name).to_owned()).collect()));
        }
        let refused = [
            (&["x-0", "x-2"][..], "part 1 of x is missing: there are others with higher numbers"),
            (&["x-2", "x-3"], "part 1 of x is missing: there are others with higher numbers"),
            (&["x-1", "x-01", "x-0"], "part 1 of x is given twice"),
        ];
        for (names, error) in refused {
            assert_eq!(sorted(names), Err(error.to_owned()), "{names:?}");
        }
    }
}
