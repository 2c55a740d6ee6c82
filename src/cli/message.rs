//! Every failure of a command: its words, its class, and what to do about it.
//!
//! An error is one line, `vault: error: …`; a second one, `vault: hint: …`, says what to do. Lower case, no full stop, backticks around
//! names and commands. Neither ever holds a secret or a byte of a dump.

mod hint;
mod legacy;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::base::failure::FailureClass;
use crate::base::id::{BackupId, Guid};
use crate::cli::child::ChildError;
use crate::crypto::keys::Fingerprint;
use crate::keys::KeyError;
use crate::keys::paper::PaperError;
use crate::ops::choose::ChooseError;
use crate::ops::legacy::ImportError;
use crate::pipeline::error::RunError;
use crate::pipeline::port::StoreError;

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The library failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The producer or the consumer failed.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// A legacy archive cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// No way to the key of a legacy archive.
    #[error("there is no old key: no file, no command, and no terminal to ask for one")]
    NoLegacyKey,
    /// Empty or too long.
    #[error("an old key has 1 to 1024 bytes")]
    LegacyKeyLength,
    /// The command that prints the old key failed.
    #[error("the old key's command {0}")]
    LegacyKeyCommand(String),
    /// A pipe or a directory, where a file is read twice.
    #[error("`{}` is not a regular file, which can be read twice", .0.display())]
    ArchiveNotAFile(PathBuf),
    /// What is asked for is not in the dump.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// Not a pattern for a database.
    #[error("`{0}` is no name and no pattern")]
    DatabasePattern(String),
    /// Not a pattern for a table.
    #[error("`{0}` is no name and no pattern")]
    Pattern(String),
    /// The consumer did not read all of its input.
    #[error("`{0}` closed its input before the end of the dump")]
    ConsumerClosed(String),
    /// No way to a key.
    #[error("there is no key: no key file, no passphrase, and no terminal to ask for one")]
    NoKey,
    /// A choice between two ways to a key.
    #[error("two keys are given: {0} and {1}")]
    TwoKeys(&'static str, &'static str),
    /// The passphrase itself is in the environment.
    #[error("VAULT_PASSPHRASE is set: a passphrase does not belong into the environment")]
    PassphraseInEnvironment,
    /// A key or passphrase file cannot be read.
    #[error("cannot read the {what} `{}`: {reason}", path.display())]
    SecretUnreadable {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Others can read it.
    #[error("the {what} `{}` has mode {mode:04o}: others can read or write it", path.display())]
    SecretExposed {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It lies beside what it protects.
    #[error("the {what} `{}` lies inside the store", path.display())]
    SecretInStore {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// The dump would lie among what is encrypted.
    #[error("`{}` lies inside the store", .0.display())]
    OutputInStore(PathBuf),
    /// The key file is longer than any key file.
    #[error("the key file `{}` is longer than a key file can be", .0.display())]
    KeyFileTooLong(PathBuf),
    /// The key file cannot be used.
    #[error("the key file `{}`: {reason}", path.display())]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: KeyError,
    },
    /// Empty or too long.
    #[error("a passphrase has 1 to 1024 bytes")]
    PassphraseLength,
    /// Typed differently twice.
    #[error("the two passphrases are not the same")]
    PassphrasesDiffer,
    /// The terminal broke.
    #[error("cannot ask for the passphrase: {0}")]
    Prompt(io::Error),
    /// The command that prints the passphrase failed.
    #[error("the passphrase command {0}")]
    PassphraseCommand(String),
    /// No slot opens.
    #[error("the passphrase opens no backup in the store")]
    WrongPassphrase,
    /// There is no slot at all.
    #[error("no backup in the store can be opened with a passphrase")]
    NoSlots,
    /// A key file that would have to be encrypted again.
    #[error("the key file `{}` is encrypted with age, and cannot be changed as it is", .0.display())]
    KeyFileEncrypted(PathBuf),
    /// Not a recipient of age's. It may be a secret, and is not quoted.
    #[error("recipient {0} is not one that `age` knows, or mistyped")]
    Recipient(usize),
    /// A slot for nobody.
    #[error("a new slot is for somebody, and nobody is named")]
    NoNewSlot,
    /// Nothing would be left.
    #[error("the last slot of a key file cannot be removed")]
    LastSlot,
    /// There is no such slot.
    #[error("the key file has no slot `{0}`")]
    NoSlotOf(String),
    /// The slots of a pack-only key are copies.
    #[error("the key file `{}` holds a pack-only key, and slots are those of the full one", .0.display())]
    PackOnlySlots(PathBuf),
    /// Backups would be left without a slot.
    #[error("the key file has no slot, and those of backups are not replaced by none")]
    Unslotted,
    /// An identity is mistyped.
    #[error("line {number} of the identity file `{}` is not an identity", path.display())]
    Identity {
        /// Where it is.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
    },
    /// The identity file is empty.
    #[error("the identity file `{}` holds no identity", .0.display())]
    NoIdentity(PathBuf),
    /// No age slot opens.
    #[error("the identities open no backup in the store")]
    WrongIdentity,
    /// There is no age slot.
    #[error("no backup in the store can be opened with an age identity")]
    NoAgeSlots,
    /// The key of an age slot that nothing vouches for.
    #[error("{id} opens with key {found}, and nothing tells whether that is the right one{}", if *.known {
        ": this machine knows other epochs of its database"
    } else { "" })]
    Untrusted {
        /// The backup.
        id: BackupId,
        /// The fingerprint of the key in the slot.
        found: Fingerprint,
        /// Whether another epoch is known.
        known: bool,
    },
    /// What this machine knows of keys is out of reach.
    #[error("cannot read the fingerprints that this machine knows, `{}`: {reason}", path.display())]
    Pins {
        /// Where they are.
        path: PathBuf,
        /// What is wrong.
        reason: io::Error,
    },
    /// The key is another one.
    #[error("{what} is {found}, and {by} {wanted}")]
    Fingerprint {
        /// Whose key.
        what: String,
        /// Its fingerprint.
        found: Fingerprint,
        /// The one that it should have.
        wanted: Fingerprint,
        /// Who says so.
        by: &'static str,
    },
    /// Manifests are gone, and parts are there.
    #[error(
        "the store holds parts of vault's and no manifest that can be read, so nothing tells whether the passphrase is theirs"
    )]
    OnlyParts,
    /// Several guids could be meant.
    #[error("several databases could be meant: {}", list(.0))]
    WhichGuid(Vec<Guid>),
    /// The key is of another guid than was asked for.
    #[error("the key is that of {given}, not of {wanted}")]
    OtherGuid {
        /// The database of the key.
        given: Guid,
        /// The database that was asked for.
        wanted: Guid,
    },
    /// `--new-guid` with a key file.
    #[error("a key file has its guid already: `--new-guid` is for passphrases")]
    NewGuidWithKeyFile,
    /// The dump would be typed.
    #[error("standard input is a terminal, and no command is given")]
    InputIsTerminal,
    /// An archive would be typed.
    #[error("standard input is a terminal, and no archive comes from there")]
    ArchiveIsTerminal,
    /// The dump would fill the terminal.
    #[error("refusing to write a dump to the terminal")]
    OutputIsTerminal,
    /// More shares needed than made.
    #[error("{threshold} shares cannot be needed of {count}")]
    Threshold {
        /// How many are needed.
        threshold: u8,
        /// How many there are.
        count: u8,
    },
    /// What was typed gives no key.
    #[error("{0}")]
    Paper(PaperError),
    /// More text than all sheets have.
    #[error("the sheet `{}` makes more text than a key has on paper", .0.display())]
    SheetsTooLong(PathBuf),
    /// More text than all sheets have.
    #[error("what is typed is more text than a key has on paper")]
    TypedTooLong,
    /// It cannot be read.
    #[error("cannot read what is typed: {0}")]
    Typing(io::Error),
    /// The crate that draws it gave up.
    #[error("cannot draw the code: {0}")]
    Code(String),
    /// A secret would stand on the terminal, and in what it remembers.
    #[error("refusing to write a {0} to the terminal")]
    SecretToTerminal(&'static str),
    /// There is a file already.
    #[error("`{}` exists already", .0.display())]
    FileExists(PathBuf),
    /// There is a file already, which may be a key.
    #[error("`{}` exists already", .0.display())]
    SecretExists(PathBuf),
    /// It is something that cannot be replaced by a file.
    #[error("`{}` is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// A file cannot be written.
    #[error("cannot write `{}`: {reason}", path.display())]
    FileWrite {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// There is no place for a key file.
    #[error("there is no place for a key file: neither XDG_CONFIG_HOME nor HOME is set")]
    NoHome,
    /// Not a store that this version knows.
    #[error("`{0}` is not a store: it is a directory or a file:// URL")]
    StoreUrl(String),
    /// The segment size is none.
    #[error("a segment has 4 KiB to 1 MiB, a power of two")]
    SegmentSize,
    /// Not an id.
    #[error("`{0}` is not a whole backup id")]
    NotAnId(String),
    /// `latest` is what is in doubt.
    #[error("`vault accept` takes an id, and not `latest`")]
    AcceptLatest,
    /// Signals cannot be handled.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// A report cannot be written.
    #[error("cannot write to standard output: {0}")]
    Report(io::Error),
}

fn list(guids: &[Guid]) -> String {
    let guids: Vec<String> = guids.iter().map(ToString::to_string).collect();
    guids.join(", ")
}

impl From<StoreError> for CliError {
    fn from(source: StoreError) -> CliError {
        CliError::Run(source.into())
    }
}

impl CliError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            CliError::Run(source) => source.class(),
            CliError::Child(source) => source.class(),
            CliError::Import(source) => source.class(),
            CliError::Choose(source) => source.class(),
            CliError::ConsumerClosed(_) => FailureClass::Source,
            CliError::KeyFile { reason, .. } => reason.class(),
            CliError::Paper(reason) => reason.class(),
            CliError::KeyFileTooLong(_) | CliError::SheetsTooLong(_) | CliError::TypedTooLong => FailureClass::Limit,
            CliError::Identity { .. } => FailureClass::Damaged,
            CliError::WrongIdentity
            | CliError::NoAgeSlots
            | CliError::Fingerprint { .. }
            | CliError::PackOnlySlots(_) => FailureClass::WrongKey,
            CliError::WrongPassphrase | CliError::NoSlots | CliError::OnlyParts | CliError::OtherGuid { .. } => {
                FailureClass::WrongKey
            }
            CliError::FileExists(_) | CliError::SecretExists(_) => FailureClass::Exists,
            CliError::Prompt(error) if error.kind() == io::ErrorKind::Interrupted => FailureClass::Interrupted,
            CliError::Report(error) if error.kind() == io::ErrorKind::BrokenPipe => FailureClass::Pipe,
            CliError::FileWrite { .. }
            | CliError::PassphraseCommand(_)
            | CliError::LegacyKeyCommand(_)
            | CliError::Prompt(_)
            | CliError::Typing(_)
            | CliError::Code(_)
            | CliError::Signals(_)
            | CliError::Report(_) => FailureClass::Failure,
            CliError::NoSlotOf(_) => FailureClass::NotFound,
            // The rest is about what was asked for.
            _ => FailureClass::Usage,
        }
    }
}

/// Tells an error on standard error. A reader that went away is told nothing.
pub fn print(error: &CliError) {
    if error.class() == FailureClass::Pipe {
        return;
    }
    tell(&format!("error: {error}"));
    if let Some(hint) = error.hint() {
        tell(&format!("hint: {hint}"));
    }
}

/// A line for people on standard error, in one piece.
pub fn tell(text: &str) {
    say(&format!("vault: {}", one_line(text)));
}

/// A line on standard error. That nobody can read it must not end a backup that works.
pub fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Text that goes to a terminal: names may hold anything.
pub fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
