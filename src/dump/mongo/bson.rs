//! As much of BSON (bsonspec.org) as the documents of an archive itself need.

/// A name and its value.
type Field<'a> = (&'a [u8], Value<'a>);

/// A value, as far as anybody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    Flag(bool),
    Other,
}

/// The fields of a document without its length: name and value, or `None` where they cannot be read, and nothing after that.
pub(super) fn fields<'a>(document: &'a [u8]) -> impl Iterator<Item = Option<Field<'a>>> {
    let mut rest = Some(document);
    std::iter::from_fn(move || {
        let bytes = rest?;
        if bytes == [0] {
            rest = None;
            return None;
        }
        let found = field(bytes);
        rest = found.map(|(_, rest)| rest);
        Some(found.map(|(field, _)| field))
    })
}

/// The first field, and what follows it.
fn field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let (name, bytes) = until_zero(bytes)?;
    let (value, rest) = match kind {
        0x02 => {
            let (text, rest) = sized(bytes, 4)?;
            (Value::Text(text.split_last()?.1), rest)
        }
        0x08 => {
            let (flag, rest) = bytes.split_first()?;
            (Value::Flag(*flag != 0), rest)
        }
        // Documents and arrays count their own length.
        0x03 | 0x04 => (Value::Other, sized(bytes, 0)?.1),
        0x05 => (Value::Other, sized(bytes, 5)?.1),
        0x0a => (Value::Other, bytes),
        0x10 => (Value::Other, bytes.get(4..)?),
        0x01 | 0x09 | 0x11 | 0x12 => (Value::Other, bytes.get(8..)?),
        0x07 => (Value::Other, bytes.get(12..)?),
        0x13 => (Value::Other, bytes.get(16..)?),
        _ => return None,
    };
    Some(((name, value), rest))
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// What a length in front says, behind so many bytes that it does not count.
fn sized(bytes: &[u8], head: usize) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let end = head.checked_add(length).filter(|end| *end >= 4)?;
    Some((bytes.get(head..end)?, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_up_to_the_first_bad_one() {
        let document = [
            &b"\x02db\0\x05\0\0\0shop\0"[..],
            b"\x03o\0\x05\0\0\0\0\x05b\0\x02\0\0\0\x00xy\x0an\0\x10i\0\x01\0\0\0\x12l\0\x01\0\0\0\0\0\0\0\x08EOF\0\x01\0",
        ]
        .concat();
        let all: Option<Vec<_>> = fields(&document).collect();
        let all = all.expect("it is sound");
        assert_eq!(all.len(), 7);
        assert_eq!((all[0], all[6]), ((&b"db"[..], Value::Text(b"shop")), (&b"EOF"[..], Value::Flag(true))));
        for end in 0..document.len() {
            assert!(fields(&document[..end]).any(|field| field.is_none()), "cut at {end}");
        }
        for bad in
            [&b"\x02t\0\0\0\0\0\0"[..], b"\x02t\0\xff\xff\xff\x7f\0", b"\x03o\0\0\0\0\0\0", b"\x99t\0\0", b"\0\0"]
        {
            assert_eq!(fields(bad).collect::<Vec<_>>(), [None], "{bad:?}");
        }
    }
}
