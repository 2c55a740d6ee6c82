//! What a few bytes of SQL begin. `None` says that more of them have to be seen.

/// What a slash begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It is by itself.
    Nothing,
    /// A comment.
    Block,
    /// SQL for some versions: so many bytes are white space.
    Version(usize),
}

/// A version has no more digits.
const DIGITS_MAX: usize = 6;

/// Whether `rest` begins with `needle`.
pub(super) fn prefix(rest: &[u8], needle: &[u8]) -> Option<bool> {
    let seen = rest.len().min(needle.len());
    if rest[..seen] != needle[..seen] {
        return Some(false);
    }
    (seen == needle.len()).then_some(true)
}

/// What the slash that `rest` begins with begins.
pub(super) fn opening(rest: &[u8]) -> Option<Opening> {
    if *rest.get(1)? != b'*' {
        return Some(Opening::Nothing);
    }
    let begin = match *rest.get(2)? {
        b'!' => 3,
        b'M' if *rest.get(3)? == b'!' => 4,
        _ => return Some(Opening::Block),
    };
    let digits = rest[begin..].iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    let told = digits == DIGITS_MAX || rest.len() > begin + digits;
    told.then_some(Opening::Version(begin + digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_slash_begins() {
        let cases: [(&[u8], Option<Opening>); 10] = [
            (b"/", None),
            (b"/*", None),
            (b"/*M", None),
            (b"/*!401", None),
            (b"/x", Some(Opening::Nothing)),
            (b"/* ", Some(Opening::Block)),
            (b"/*Mx", Some(Opening::Block)),
            (b"/*!40101 SET", Some(Opening::Version(8))),
            (b"/*M!100005", Some(Opening::Version(10))),
            (b"/*! SET", Some(Opening::Version(3))),
        ];
        for (bytes, expected) in cases {
            assert_eq!(opening(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
