//! What would make the next backup smaller or surer, seen from the stream alone.
//!
//! What is compressed already has nothing in common with the dump of the day
//! before, however little has changed: all of it is stored anew.

use std::fmt;

use super::DumpKind;

const GZIP: &[u8] = &[0x1f, 0x8b];
const CRLF: &[u8] = b"--\r\n-- PostgreSQL database ";
/// Other programs, by what their files begin with.
const OTHERS: [(&[u8], &str); 4] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
];

/// A dump that is compressed before it comes, or changed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// `pg_dump -Fc` with its own compression.
    Custom,
    /// gzip, which is also what `mongodump --archive --gzip` writes.
    Gzip,
    /// Another program that compresses.
    Compressed(&'static str),
    /// Text of pg_dump or pg_dumpall with CR LF line ends, which is not known as that.
    CrLf,
}

impl Advice {
    /// What the first bytes tell of a stream that is none of the known kinds.
    pub(super) fn of_head(kind: DumpKind, head: &[u8]) -> Option<Advice> {
        let others = OTHERS.map(|(magic, program)| (magic, Advice::Compressed(program)));
        let mut known = [(GZIP, Advice::Gzip), (CRLF, Advice::CrLf)].into_iter().chain(others);
        let found = known.find(|(magic, _)| head.starts_with(magic));
        found.filter(|_| kind == DumpKind::Raw).map(|(_, advice)| advice)
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, instead) = match self {
            Self::Custom => ("pg_dump", "run `pg_dump -Fc -Z0`".into()),
            Self::Gzip => ("gzip", "pack it without gzip (of mongodump, without --gzip)".into()),
            Self::Compressed(program) => (*program, format!("pack it without {program}")),
            Self::CrLf => {
                return f.write_str(
                    "this looks like text of pg_dump with CR LF line ends: its end is not checked, so it is good however it is cut; \
                     pack it as pg_dump writes it",
                );
            }
        };
        write!(f, "the dump comes compressed by {found}, so it shares next to nothing with other backups: {instead}")
    }
}
