//! What a person can do about a failure: one line for each.

use std::io;

use super::CliError;
use super::legacy::hint_of_import;
use crate::archive::ArchiveError;
use crate::base::failure::FailureClass;
use crate::cli::child::ChildError;
use crate::crypto::passphrase::SlotError;
use crate::format::manifest::Verdict;
use crate::keys::KeyError;
use crate::keys::age::AgeError;
use crate::keys::paper::PaperError;
use crate::ops::choose::{ChooseError, NAMELESS, NoRows};
use crate::pipeline::error::RunError;
use crate::pipeline::port::{Stop, StoreError};

impl CliError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            CliError::Run(source) => hint_of_run(source),
            CliError::Child(source) => Some(hint_of_child(source).into()),
            CliError::Import(source) => hint_of_import(source),
            CliError::Choose(source) => hint_of_choice(source),
            CliError::KeyFile { reason, .. } => Some(hint_of_key(reason).into()),
            CliError::Paper(reason) => Some(hint_of_paper(reason).into()),
            CliError::SecretExposed { path, .. } => Some(format!("run `chmod 600 {}`", path.display())),
            other => {
                let hint = hint_of_secret(other).or_else(|| hint_of_slot(other)).or_else(|| hint_of_command(other));
                hint.map(Into::into)
            }
        }
    }
}

/// What to do when a key or a passphrase cannot be had.
fn hint_of_secret(error: &CliError) -> Option<&'static str> {
    Some(match error {
        CliError::NoKey => {
            "make a key file with `vault key new`, or name one with `--key-file` or VAULT_KEY_FILE; or give a passphrase with \
             `--passphrase-file`, VAULT_PASSPHRASE_FILE, `--passphrase-command` or VAULT_PASSPHRASE_COMMAND; or put `vault.key` or \
             `vault.passphrase` into $CREDENTIALS_DIRECTORY"
        }
        CliError::TwoKeys(..) => "give one of them",
        CliError::PassphraseInEnvironment => {
            "unset it, put the passphrase into a file that only you can read, and name that with VAULT_PASSPHRASE_FILE"
        }
        CliError::SecretUnreadable { what: "key file", reason, .. } if reason.kind() == io::ErrorKind::NotFound => {
            "name the right file; `vault key new` makes a key file"
        }
        CliError::SecretUnreadable { reason, .. } if reason.kind() == io::ErrorKind::NotFound => "name the right file",
        CliError::SecretUnreadable { .. } => {
            "whoever runs vault must be able to read it: see who owns it and its directory"
        }
        CliError::SecretInStore { .. } => {
            "keep it elsewhere: whoever gets a copy of the store must not get what opens it"
        }
        CliError::KeyFileTooLong(_) => "name the right file: a key file has some hundred bytes",
        CliError::Threshold { .. } => "give a `--threshold` that is no larger than `--shares`",
        CliError::PassphraseLength => "choose another one",
        CliError::PassphrasesDiffer => "try again: nothing was written",
        CliError::Prompt(_) => "give the passphrase with `--passphrase-file` or `--passphrase-command`",
        CliError::NoLegacyKey => "give it with `--legacy-key-file` or `--legacy-key-command`",
        CliError::LegacyKeyLength => {
            "it is the first line of the file, or of what the command prints; the old key stands in the settings of the service"
        }
        CliError::PassphraseCommand(_) | CliError::LegacyKeyCommand(_) => {
            "run it by hand: it has to print the secret and to exit with status 0"
        }
        CliError::WrongPassphrase => {
            "try another passphrase or key file; `vault pack --new-guid` begins a new chain of backups under this one"
        }
        CliError::OnlyParts => {
            "when manifests were lost, bring them back from another copy of the store, or with a key file and `vault rebuild-manifest`; \
             when the parts are what a killed first `vault pack` left, `--new-guid` begins beside them"
        }
        CliError::NoSlots => "give the key file with `--key-file`",
        CliError::Identity { .. } => "take the copy in escrow: an identity has a checksum, and this one does not agree",
        CliError::WhichGuid(_) => "choose one with `--guid`",
        CliError::OtherGuid { .. } => "give the key of that database; `vault list` shows which backups a key opens",
        CliError::NewGuidWithKeyFile => "make another key file with `vault key new --key-file FILE`",
        _ => return None,
    })
}

/// What to do about slots, and about age.
fn hint_of_slot(error: &CliError) -> Option<&'static str> {
    Some(match error {
        CliError::KeyFileEncrypted(_) => {
            "decrypt it with `age -d`, change it, and encrypt it again; into memory rather than onto a disk"
        }
        CliError::Recipient(_) => {
            "check it against the original: `age1pq1…`, `age1…`, a plugin's `age1NAME1…`, or `ssh-…`"
        }
        CliError::NoNewSlot => "say for whom: `--passphrase`, `--recipient age1…` or `--recipients-file FILE`",
        CliError::LastSlot => "add another one first with `vault key add`",
        CliError::NoSlotOf(_) => {
            "`vault key list` shows the slots; after a run that was cut short, `vault key rewrap` goes on"
        }
        CliError::PackOnlySlots(_) => {
            "name the full key file with `--key-file`, and make the host's anew with `vault key pack-only`"
        }
        CliError::Unslotted => "add one with `vault key add`",
        CliError::NoIdentity(_) => "name the file that `age-keygen` made, with its line `AGE-SECRET-KEY-…`",
        CliError::WrongIdentity => "try another identity, the key file, or a passphrase; `vault show` lists the slots",
        CliError::NoAgeSlots => "give the key file with `--key-file`, or a passphrase",
        CliError::Untrusted { known: true, .. } => {
            "compare it with the fingerprint that was written down when the key was rotated, and give that with `--fingerprint`"
        }
        CliError::Untrusted { .. } => {
            "compare it with the fingerprint that was written down with the key, and give that with `--fingerprint`; \
             `--trust-on-first-use` takes it unseen: anyone who knows the recipient could have made the backup"
        }
        CliError::Pins { .. } => {
            "give the fingerprint that was written down with the key as `--fingerprint`; \
             to forget what the file says, remove it, and give that the next time"
        }
        CliError::Fingerprint { .. } => {
            "do not use what it opens: it is the key of another database or epoch, or the backup is forged"
        }
        _ => return None,
    })
}

/// What to do about the rest.
fn hint_of_command(error: &CliError) -> Option<&'static str> {
    Some(match error {
        CliError::ConsumerClosed(_) => "a consumer has to read the dump to its end: do not trust what it did so far",
        CliError::InputIsTerminal => {
            "name the command that writes the dump, `vault pack -- pg_dumpall`, or pipe a dump in"
        }
        CliError::OutputIsTerminal => {
            "a dump holds password hashes: use `-o FILE`, a pipe or `-- COMMAND`; `-o -` writes it here all the same"
        }
        CliError::SecretToTerminal(_) => "use `-o FILE` or a pipe; `-o -` writes it here all the same",
        CliError::OutputInStore(_) => "name a file elsewhere: whoever gets a copy of the store must not get the dump",
        CliError::FileExists(_) => "name another file; `vault unpack --force` replaces one",
        CliError::SecretExists(_) => "name another file: what may be a key is never overwritten",
        CliError::ArchiveIsTerminal => "pipe the archive in, or name its files with `--files`",
        CliError::ArchiveNotAFile(_) => "send it to standard input, and name `-` instead of files",
        CliError::NotAFile(_) => "redirect standard output to it instead",
        CliError::FileWrite { .. } => "see that its directory exists, has room, and may be written by you",
        CliError::NoHome => "name the file with `--key-file`",
        CliError::StoreUrl(_) => "give the path of a directory",
        CliError::DatabasePattern(_) => {
            "write the name of a database, with double quotes around what holds `*`, `?` or a double quote, and that twice"
        }
        CliError::Pattern(_) => {
            "write `table` or `schema.table`, with double quotes around what holds a dot, `*`, `?` or a double quote, and that twice; \
             the database is named with `--database`"
        }
        CliError::SegmentSize => "leave the option out",
        CliError::AcceptLatest => "`vault list` shows the ids: look at the backup before you accept it",
        CliError::NotAnId(_) => {
            "the names of its parts tell it: `<guid>-<13 digits>-<number>` is a part of `<guid>-<13 digits>`"
        }
        CliError::Typing(_) => "type it into a file that only you can read, and name that",
        CliError::SheetsTooLong(_) | CliError::TypedTooLong => "name the files with what was typed, and no others",
        CliError::Code(_) => "leave it out: the letters are enough",
        CliError::Signals(_) => "see the limits on processes and open files of this user",
        CliError::Report(_) => "see where standard output goes",
        _ => return None,
    })
}

/// Of what was written one after another.
const SEVERAL_DUMPS: &str = "unpack all of it, and take it apart where one dump ends; with `pg_dump -C` and `mysqldump --databases` each \
    says which database it is of";

fn hint_of_choice(error: &ChooseError) -> Option<String> {
    let text = match error {
        ChooseError::Run(source) => return hint_of_run(source),
        ChooseError::Nothing { nearest, .. } if nearest.is_empty() => "`vault show --contents` lists what there is",
        ChooseError::Nothing { nearest, .. } => {
            return Some(format!("nearest: {}; `vault show --contents` lists all", nearest.join(", ")));
        }
        ChooseError::Nameless => "leave `--database` out: there is only one",
        ChooseError::NoGlobals => {
            "leave `--globals` out; pg_dumpall writes roles and tablespaces, mysqldump writes none without `--system`: its users are rows of the database `mysql`"
        }
        ChooseError::OneDatabase { databases } | ChooseError::WhichDatabase { databases, .. }
            if databases.iter().any(|name| name == NAMELESS) =>
        {
            SEVERAL_DUMPS
        }
        ChooseError::OneDatabase { .. } => "choose one with `--database`, or leave `--no-connect` out",
        ChooseError::WhichDatabase { .. } => "choose one with `--database`; `--database '*'` takes them all",
        ChooseError::SeveralDumps { .. } => SEVERAL_DUMPS,
        ChooseError::NoRows { reason, .. } => match reason {
            NoRows::NotStored | NoRows::None => "`--with-schema` brings what makes it",
            NoRows::Unspelled => {
                "`*` and `?` match what is not UTF-8 in a name; `--with-schema` brings what makes the table"
            }
            NoRows::InChildren => "leave `--only` out",
            NoRows::InRoot { root } => {
                return Some(format!("`--table {root}` brings them, with those of its other partitions"));
            }
            NoRows::Hypertable { named: true } => {
                "bring back all of its database, `vault unpack BACKUP --database NAME`, into a new one, and copy the rows from there"
            }
            NoRows::Hypertable { named: false } => {
                "bring back all of the dump, `vault unpack BACKUP`, into a new database, and copy the rows from there"
            }
        },
    };
    Some(text.into())
}

pub(super) fn hint_of_run(error: &RunError) -> Option<String> {
    let text = match error {
        RunError::Store(source) => hint_of_store(source),
        RunError::Archive(source) => hint_of_archive(source),
        RunError::Key(source) => hint_of_key(source),
        RunError::NotFound { .. } => {
            "`vault list` shows the backups; when its parts are there and only the manifest is lost, see `vault rebuild-manifest`"
        }
        RunError::NoneOfKey { earlier: true, .. } => {
            "name one by its id, which `vault list` shows, or pack one with the new key"
        }
        RunError::NoneOfKey { .. } => "give the key of that database, or name the store of this one with `--store`",
        RunError::NoSlotOpens { .. } => "try another passphrase, identity or key file; `vault show` lists the slots",
        RunError::Ambiguous { .. } => "give more of the id",
        RunError::Missing { .. } => {
            "bring the object back from another copy of the store; `vault show --objects` lists all that are needed"
        }
        RunError::Size { .. } | RunError::Sha256 { .. } | RunError::Digest { .. } => DAMAGED,
        RunError::ReadBack { .. } => "do not trust this disk or store: check it, then pack again",
        RunError::Legacy { .. } => {
            "it was written by another program, and vault never changes or deletes it; `vault legacy unpack` reads those of the a9s backup manager"
        }
        RunError::NoMap { .. } => {
            "only backups of the text of pg_dump, pg_dumpall and mysqldump have one; `vault unpack BACKUP` gives all of any other"
        }
        RunError::CutShort(_) => {
            "see why the program that writes the dump ended early, then pack again: no backup was made; `--allow-incomplete` keeps such a dump, \
             marked as incomplete for ever"
        }
        RunError::Unproven(_) => {
            "let vault run the program, `vault pack -- COMMAND`: then its exit status tells; or leave out what makes it write no end; \
             `--allow-incomplete` keeps the dump as it is, marked as incomplete for ever"
        }
        RunError::Shrunk { .. } => {
            "see what the dump has lost: no backup was made; when that is right, `--allow-shrink` packs it as a good backup"
        }
        RunError::Doubtful { id, good: Some(good) } => {
            return Some(format!(
                "see with `vault diff {good} {id}` or `vault show --contents` what it has lost, and give the id of one of them; \
                 when it is right, `vault accept {id}`"
            ));
        }
        RunError::Doubtful { id, good: None } => {
            return Some(format!("give its id, or, when it is right, `vault accept {id}`"));
        }
        RunError::NotShrunk { verdict: Verdict::Incomplete, .. } => {
            "what is cut short stays so: pack a whole dump, or give the id where this one will do"
        }
        RunError::NotShrunk { .. } => "it counts as good already: there is nothing to accept",
        RunError::Empty => "see why the dump is empty; `--allow-empty` takes it all the same",
        RunError::Input(_) | RunError::Source(_) => {
            "see what the program that writes the dump says, then pack again: no backup was made"
        }
        RunError::Output(_) => "see whether there is room where it goes; what was written is incomplete",
        RunError::Stopped(Stop::Timeout(_)) => "find out what is slow, or give a longer `--timeout`",
        RunError::Stopped(Stop::Stalled(_)) => {
            "find out why the source was silent (a lock, perhaps), or give a longer `--stall-timeout`"
        }
        RunError::Stopped(_) => "nothing is left behind: run it again",
        RunError::Clock { newest: None, .. } => "set this machine's clock",
        RunError::Clock { newest: Some(id), .. } => {
            return Some(format!(
                "when this machine's clock is behind, set it; when {id} was made under a wrong clock, keep a copy of `{}` elsewhere and \
                 delete it here, and a backup can be made again",
                id.manifest_name()
            ));
        }
        RunError::Audit => "pack again: the cache was thrown away, and catalogues are read from the store",
        RunError::Limit { .. } => "see spec/limits.md; a larger `--part-size` makes fewer parts",
        RunError::Generation { .. } => {
            "another copy of the key file changed the slots since: use that one; `vault key rewrap --force` puts this one's in their place"
        }
        RunError::Option(_) => "`vault pack --help` tells what is allowed",
        RunError::Section(_) => "give a larger `--part-size`",
        RunError::Zstd(_) => "see how much memory there is, or give a lower `--level`",
        RunError::Worker => "report it with the lines before this one",
    };
    Some(text.into())
}

const DAMAGED: &str =
    "bring the object back from another copy of the store; `vault verify --all --read-data` shows what else is hit";

fn hint_of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Missing { .. } => "bring the object back from another copy of the store",
        StoreError::Exists { .. } => "nothing was overwritten: `vault list` shows what is there",
        StoreError::Changed { .. } => {
            "somebody else changes its slots or accepts it: see what is there with `vault show`, then try again"
        }
        StoreError::NoStore { .. } => "name the store with `--store` or VAULT_STORE; `vault pack` makes a new one",
        StoreError::Failed { reason, .. } if reason.kind() == io::ErrorKind::StorageFull => {
            "make room in the store; nothing of this run is left, and earlier backups are as they were"
        }
        StoreError::Failed { .. } => {
            "see whether the store is mounted, has room, and may be used by whoever runs vault"
        }
    }
}

fn hint_of_archive(error: &ArchiveError) -> &'static str {
    match error.class() {
        FailureClass::WrongKey => "give the key with that fingerprint: it stands beside the copy in escrow",
        FailureClass::Unsupported => "use the version of vault that wrote it, or a newer one",
        FailureClass::Limit => "no vault writes such an object: treat it as damaged or forged",
        FailureClass::Failure => "see how much memory there is",
        _ => DAMAGED,
    }
}

fn hint_of_key(error: &KeyError) -> &'static str {
    match error {
        KeyError::File(_) => "name the right file, or take the copy in escrow",
        KeyError::PackOnly => {
            "use the full key or a passphrase, from escrow if need be: what this machine packs can only be read elsewhere"
        }
        KeyError::Encrypted => "name the identity that opens it with `--identity-file` or VAULT_IDENTITY_FILE",
        KeyError::Age(AgeError::NoMatch(_)) => "give the identity that it is sealed to with `--identity-file`",
        KeyError::Age(AgeError::Program(_)) => {
            "see what it says above; Debian's package is `age`, and post-quantum keys need 1.3"
        }
        KeyError::Age(error) if error.class() == FailureClass::Unsupported => "decrypt it with the `age` that wrote it",
        KeyError::Age(_) | KeyError::SlotContents => DAMAGED,
        KeyError::NoEpoch { .. } => "give the key file that has it: older ones belong into escrow",
        KeyError::Slot(SlotError::Limit(_)) => "no vault writes such a slot: treat the manifest as forged",
        KeyError::Slot(SlotError::Memory(_) | SlotError::Short { .. }) => {
            "free some memory, raise its limit, or do it on another machine; `--kdf small` makes slots of 64 MiB"
        }
        KeyError::Slot(SlotError::WrongPassphrase) => "try another passphrase or key file",
        KeyError::Slot(SlotError::Damaged) | KeyError::ForeignSlot => DAMAGED,
    }
}

fn hint_of_child(error: &ChildError) -> &'static str {
    match error {
        ChildError::Empty => "name a command after `--`",
        ChildError::NotFound { .. } | ChildError::NotStarted { .. } => {
            "see that it is installed, executable and in PATH"
        }
        ChildError::WantsTerminal { .. } => "put the password into `~/.pgpass` or the like",
        ChildError::Unread { .. } => "a consumer has to read the dump to its end: do not trust what it did so far",
        _ => "see what it says above",
    }
}

fn hint_of_paper(error: &PaperError) -> &'static str {
    match error {
        PaperError::Typed(_) => {
            "compare it with the paper, letter by letter: B, I, O and 1 do not occur, and the last two of each group are its check"
        }
        PaperError::Nothing => "type what stands on the sheet from VAULT-KEY-1 or VAULT-SHARE-1 on",
        PaperError::TooFew { .. } => "collect more of the sheets that show this fingerprint",
        PaperError::Keys => "import the sheets of one database at a time, each epoch once",
        PaperError::Shares(_) => "sort the sheets by the fingerprint that stands on them",
        PaperError::Twice(_) => "take another sheet in the place of one of the two",
        PaperError::Fingerprint(_) => "one share is not what it was: try with others",
    }
}
