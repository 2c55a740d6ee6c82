//! Judges a stream from its first bytes.
//!
//! A head is matched at offset 0 and byte for byte: a guess would turn on an
//! end check that the stream was never meant to pass. The one exception is a
//! stream so short that it ends inside the head of a PostgreSQL script: that
//! is the script, cut, and not "just bytes".

use super::DumpKind;

/// Where a tar header holds its magic: the check that needs the most bytes.
const TAR_MAGIC_OFFSET: usize = 257;
const TAR_MAGIC: &[u8] = b"ustar";

/// How many bytes are collected before a stream that goes on is judged.
pub(super) const HEAD_BYTES_MAX: usize = TAR_MAGIC_OFFSET + TAR_MAGIC.len();

const CLUSTER_HEAD: &[u8] = b"--\n-- PostgreSQL database cluster dump\n";
const DATABASE_HEAD: &[u8] = b"--\n-- PostgreSQL database dump\n";

/// Heads of the kinds that are recognised and nothing more.
const OTHER_HEADS: [(&[u8], DumpKind); 6] = [
    (b"PGDMP", DumpKind::PgCustom),
    (b"-- MySQL dump ", DumpKind::Mysql),
    (b"-- MariaDB dump ", DumpKind::Mysql),
    // Both spellings of the line that keeps a dump from running commands.
    (b"/*M!999999\\- enable the sandbox mode */", DumpKind::Mysql),
    (b"/*!999999\\- enable the sandbox mode */", DumpKind::Mysql),
    // 0x8199e26d, little endian.
    (&[0x6d, 0xe2, 0x99, 0x81], DumpKind::Mongo),
];

/// The first bytes of a stream, up to [`HEAD_BYTES_MAX`].
#[derive(Clone, Debug)]
pub(super) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(HEAD_BYTES_MAX) }
    }

    /// Takes what is missing of the head and returns the rest.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let missing = HEAD_BYTES_MAX - self.bytes.len();
        let (head, rest) = bytes.split_at(missing.min(bytes.len()));
        self.bytes.extend_from_slice(head);
        rest
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the stream is if it ends here or, with a full head, for good.
    pub(super) fn judge(&self) -> DumpKind {
        let head = self.bytes.as_slice();
        if head.is_empty() {
            return DumpKind::Raw;
        }
        // In this order: what is a beginning of both heads counts as the
        // shorter one. It is short of its end either way.
        for (whole, kind) in [(DATABASE_HEAD, DumpKind::PgDump), (CLUSTER_HEAD, DumpKind::PgDumpall)] {
            if head.starts_with(whole) || whole.starts_with(head) {
                return kind;
            }
        }
        for (whole, kind) in OTHER_HEADS {
            if head.starts_with(whole) {
                return kind;
            }
        }
        match head.get(TAR_MAGIC_OFFSET..) {
            Some(TAR_MAGIC) => DumpKind::Tar,
            _ => DumpKind::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(bytes: &[u8]) -> DumpKind {
        let mut head = Head::new();
        head.take(bytes);
        head.judge()
    }

    #[test]
    fn each_head_is_recognised() {
        let mut tar = vec![0; 512];
        tar[..7].copy_from_slice(b"toc.dat");
        tar[257..262].copy_from_slice(b"ustar");
        let mut heads = vec![
            (tar, DumpKind::Tar),
            (CLUSTER_HEAD.to_vec(), DumpKind::PgDumpall),
            (DATABASE_HEAD.to_vec(), DumpKind::PgDump),
        ];
        heads.extend(OTHER_HEADS.map(|(head, kind)| (head.to_vec(), kind)));
        for (head, kind) in &heads {
            assert_eq!(judge(head), *kind, "{}", head.escape_ascii());
            let long = [head.as_slice(), &[b'x'; 600]].concat();
            assert_eq!(judge(&long), *kind, "{} and more", head.escape_ascii());
        }
        assert_eq!(heads.len(), 9);
    }

    #[test]
    fn a_head_cut_short_is_still_a_script() {
        for len in 1..DATABASE_HEAD.len() {
            assert_eq!(judge(&DATABASE_HEAD[..len]), DumpKind::PgDump);
        }
        let shared = b"--\n-- PostgreSQL database ".len();
        for len in shared + 1..CLUSTER_HEAD.len() {
            assert_eq!(judge(&CLUSTER_HEAD[..len]), DumpKind::PgDumpall);
        }
    }

    #[test]
    fn what_only_looks_like_a_head_is_raw() {
        for raw in [
            &b""[..],
            b"x",
            b"\n--\n-- PostgreSQL database dump\n",
            b"--\n-- PostgreSQL database dump complete\n",
            b"--\r\n-- PostgreSQL database dump\r\n",
        ] {
            assert_eq!(judge(raw), DumpKind::Raw, "{}", raw.escape_ascii());
        }
    }
}
