//! What a person can do about a legacy archive that cannot be read.

use super::hint::hint_of_run;
use crate::legacy::LegacyError;
use crate::legacy::gzip::GzipError;
use crate::ops::legacy::ImportError;

pub(super) fn hint_of_import(error: &ImportError) -> Option<String> {
    let text = match error {
        ImportError::Run(source) => return hint_of_run(source),
        ImportError::Archive(source) => hint_of_archive(source),
        ImportError::NotFound(_) => "`vault list` shows the archives in a store as `legacy`; `--files` reads files",
        ImportError::Ambiguous(_) => "give more of the id",
        ImportError::Gap { .. } => {
            "bring the part back from another copy: without it nothing after it can be decrypted"
        }
        ImportError::Twice { .. } => "give the parts of one archive, each once",
        ImportError::WholeAndParts(_) | ImportError::TwoBeginnings { .. } => {
            "two archives lie over each other: name the files that belong together with `--files`"
        }
        ImportError::Vaults(_) => "`vault unpack` reads it",
        ImportError::Unreadable(_) => "see what the program that writes the archive says",
        ImportError::Spool { .. } => {
            "make room there or name another directory with TMPDIR; with `--files`, `-o FILE` or `--stream` no copy is needed"
        }
        ImportError::Empty => "the dump failed when this archive was made: take an earlier one",
        ImportError::CutShort(_) => {
            "the dump failed when this archive was made: take an earlier one; `vault legacy unpack --stream` writes what there is, and \
             `vault legacy import --allow-incomplete` keeps it, marked as incomplete for ever"
        }
        ImportError::Unproven(_) => "`vault legacy import --allow-incomplete` keeps it, marked as incomplete for ever",
        ImportError::Inner(_) => {
            "the dump failed when this archive was made: take an earlier one; `vault legacy unpack --stream` writes what there is"
        }
    };
    Some(text.into())
}

fn hint_of_archive(error: &LegacyError) -> &'static str {
    match error {
        LegacyError::WrongKey => {
            "give the key of that time; when it was used with PBKDF2, say so with `--pbkdf2` or `--iter`"
        }
        LegacyError::NotSalted => "name the right archive, or bring back its first part: only that begins so",
        LegacyError::Empty | LegacyError::Short { .. } | LegacyError::PartialBlock | LegacyError::Padding => {
            "see whether parts at its end are missing, or bring it back from another copy"
        }
        LegacyError::Gzip(GzipError::Trailing) => {
            "bring it back from another copy; `vault legacy unpack --stream` writes what comes before that"
        }
        LegacyError::Gzip(_) => {
            "bring it back from another copy; `vault legacy unpack --stream` writes what comes before the damage, and some of what it damaged"
        }
        LegacyError::Worker => "report it with the lines before this one",
    }
}
