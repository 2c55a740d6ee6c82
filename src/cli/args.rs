//! The command line.
//!
//! Names of the environment begin with `VAULT_`. Another program called `vault` owns VAULT_ADDR, VAULT_TOKEN and the like: none of those is
//! ever read.

mod help;
pub mod key;
mod legacy;
mod part;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::base::id::Guid;
use crate::crypto::keys::Fingerprint;
use crate::pipeline::pack::Level;
use help::{ABOUT_KEYS, EXIT_ACCEPT, EXIT_ALL, EXIT_DIFF, EXIT_LIST};
use help::{EXIT_PACK, EXIT_REBUILD, EXIT_SHOW, EXIT_UNPACK, EXIT_VERIFY};
use key::KeyCommand;
pub use legacy::{LegacyArchive, LegacyCommand, LegacyImport, LegacyUnpack};
pub use part::Part;
use values::{parse_duration, parse_fingerprint, parse_level, parse_size, parse_tag};

/// Encrypted, deduplicating archives of database dumps.
#[derive(Parser)]
#[command(name = "vault", version, after_help = EXIT_ALL, max_term_width = 110)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Where the backups are: a directory, or its file:// URL [env: VAULT_STORE] [default: the current directory].
    #[arg(long, global = true, value_name = "STORE")]
    pub store: Option<OsString>,
    /// The key file [env: VAULT_KEY_FILE].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Keys")]
    pub key_file: Option<PathBuf>,
    /// A file that holds the passphrase [env: VAULT_PASSPHRASE_FILE].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Keys")]
    pub passphrase_file: Option<PathBuf>,
    /// A command, run by sh, that prints the passphrase [env: VAULT_PASSPHRASE_COMMAND].
    #[arg(long, global = true, value_name = "COMMAND", help_heading = "Keys")]
    pub passphrase_command: Option<OsString>,
    /// age identities: they open backups through their age slots, and a key file that is encrypted with age [env: VAULT_IDENTITY_FILE].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Keys")]
    pub identity_file: Option<PathBuf>,
    /// The fingerprint that the key must have, all 32 digits: an age slot alone does not tell who packed.
    #[arg(long, global = true, value_name = "HEX", value_parser = parse_fingerprint, help_heading = "Keys")]
    pub fingerprint: Option<Fingerprint>,
    /// Take the key in an age slot unseen, when this machine knows no fingerprint of its database.
    #[arg(long, global = true, help_heading = "Keys", conflicts_with = "fingerprint")]
    pub trust_on_first_use: bool,
    /// The database, where a key, a passphrase or a store leaves a choice.
    #[arg(long, global = true, value_name = "GUID")]
    pub guid: Option<Guid>,
    /// Answer with one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors and warnings.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to show progress on standard error; auto: when that is a terminal.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub progress: When,
}

/// When to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// When somebody looks.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Make a key file, and look after it.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Pack a dump: what COMMAND writes, or standard input.
    #[command(after_help = EXIT_PACK, after_long_help = [ABOUT_KEYS, "\n\n", EXIT_PACK].concat())]
    Pack(Pack),
    /// Unpack a dump: to standard output, a file, or the input of COMMAND.
    #[command(after_help = EXIT_UNPACK, after_long_help = [ABOUT_KEYS, "\n\n", EXIT_UNPACK].concat())]
    Unpack(Unpack),
    /// List the backups.
    #[command(after_help = EXIT_LIST)]
    List(List),
    /// Show one backup: its manifest, and the objects that a restore needs.
    #[command(after_help = EXIT_SHOW)]
    Show(Show),
    /// Show which tables changed between two backups, from their indexes alone.
    #[command(after_help = EXIT_DIFF)]
    Diff(Diff),
    /// Verify backups: presence and size; with --read-data, and with a key, everything.
    #[command(after_help = EXIT_VERIFY)]
    Verify(Verify),
    /// Accept a backup that is marked as shrunk: it counts as good from now on.
    #[command(after_help = EXIT_ACCEPT, after_long_help = [ABOUT_KEYS, "\n\n", EXIT_ACCEPT].concat())]
    Accept(Accept),
    /// Read archives of the a9s backup manager: `openssl enc -aes256` around gzip.
    #[command(subcommand)]
    Legacy(LegacyCommand),
    /// Write a manifest that was lost anew, from the parts of its backup.
    #[command(after_help = EXIT_REBUILD, after_long_help = [ABOUT_KEYS, "\n\n", EXIT_REBUILD].concat())]
    RebuildManifest(RebuildManifest),
}

/// `vault pack`.
#[derive(Args)]
pub struct Pack {
    /// What becomes of the dump.
    #[command(flatten)]
    pub how: HowToPack,
    /// Take an empty dump for a dump.
    #[arg(long)]
    pub allow_empty: bool,
    /// The command whose output is the dump; there is a backup only if it exits with status 0.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// How a dump is packed, wherever it comes from.
#[derive(Args)]
pub struct HowToPack {
    /// zstd level, 1 to 19; auto: as high as the wait for the input pays for, up to 6.
    #[arg(long, value_name = "LEVEL", default_value = "2", value_parser = parse_level)]
    pub level: Level,
    /// Bytes of a part at most: 128KiB, say, or up to 1GiB.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_size)]
    pub part_size: u64,
    /// Bytes of a segment, a power of two from 4KiB to 1MiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, hide = true)]
    pub segment_size: Option<u64>,
    /// Worker threads, of some 3 MiB each [default: one for each processor, 16 at most].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Reference no earlier backup.
    #[arg(long)]
    pub full: bool,
    /// Before the commit, recompute from the catalogues in the store which chunks the backup consists of.
    #[arg(long)]
    pub paranoid: bool,
    /// A note for the manifest, in clear text: whoever can list the store can read it. Up to 32, each with a key of its own; up to 64
    /// bytes of key and 256 of value.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub tags: Vec<(String, String)>,
    /// Keep a dump that is cut short, marked as incomplete for ever: it never counts as a good backup. A command that fails makes no backup
    /// all the same.
    #[arg(long)]
    pub allow_incomplete: bool,
    /// This dump is expected to be less than half of the last good one: do not mark it as shrunk.
    #[arg(long, conflicts_with = "refuse_shrink")]
    pub allow_shrink: bool,
    /// Make no backup of a dump that is less than half of the last good one, instead of one that is marked.
    #[arg(long)]
    pub refuse_shrink: bool,
    /// Keep no cache: read the catalogues of earlier backups from the store.
    #[arg(long)]
    pub no_cache: bool,
    /// Give up when the whole run takes longer, e.g. 90, 90s, 10m, 2h.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Give up when no byte comes for so long.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub stall_timeout: Option<Duration>,
    /// Begin a new guid under a passphrase, in a store that has backups already.
    #[arg(long)]
    pub new_guid: bool,
    /// What a guess of a new passphrase costs: 256 MiB, 64 MiB or 2 GiB of memory.
    #[arg(long, value_name = "COST", default_value = "default", hide_short_help = true)]
    pub kdf: Kdf,
}

/// What a guess of a new passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kdf {
    /// 256 MiB.
    Default,
    /// 64 MiB.
    Small,
    /// 2 GiB.
    Max,
}

/// `vault unpack`.
#[derive(Args)]
pub struct Unpack {
    /// An id, as much of one as is unique, or `latest`: the newest good backup of the key.
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// Write to this file, which appears when it is whole; `-`: to standard output, even if that is a terminal.
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub output: Option<PathBuf>,
    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Read and authenticate everything before the first byte is written.
    #[arg(long)]
    pub check_first: bool,
    /// Worker threads [default: one for each processor, 16 at most].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Give up when the whole run takes longer, e.g. 90, 90s, 10m, 2h.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// A part of the dump.
    #[command(flatten)]
    pub part: Part,
    /// The command that is fed the dump; it is killed when the dump cannot be completed.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `vault list`.
#[derive(Args)]
pub struct List {}

/// `vault show`.
#[derive(Args)]
pub struct Show {
    /// An id, as much of one as is unique, or `latest`.
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// List every object to download for it, of earlier backups too.
    #[arg(long)]
    pub objects: bool,
    /// Show what is inside the dump: databases, schemas and tables, with rows and sizes. Takes the key.
    #[arg(long, conflicts_with = "objects")]
    pub contents: bool,
}

/// `vault diff`.
#[derive(Args)]
pub struct Diff {
    /// The earlier one: an id, as much of one as is unique, or `latest`.
    #[arg(value_name = "BEFORE")]
    pub before: String,
    /// The later one.
    #[arg(value_name = "AFTER")]
    pub after: String,
    /// Read what the two do not share, too, where the indexes leave open whether it is the same.
    #[arg(long)]
    pub exact: bool,
}

/// `vault verify`.
#[derive(Args)]
pub struct Verify {
    /// Ids, as much of each as is unique, or `latest`, which is the default.
    #[arg(value_name = "BACKUP")]
    pub backups: Vec<String>,
    /// Every backup in the store.
    #[arg(long, conflicts_with = "backups")]
    pub all: bool,
    /// Read the data: SHA-256 of every object, and with a key every segment, block and chunk.
    #[arg(long)]
    pub read_data: bool,
    /// Worker threads [default: one for each processor, 16 at most].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
}

/// `vault accept`.
#[derive(Args)]
pub struct Accept {
    /// An id, or as much of one as is unique.
    #[arg(value_name = "BACKUP")]
    pub backup: String,
}

/// `vault rebuild-manifest`.
#[derive(Args)]
pub struct RebuildManifest {
    /// The whole id: its manifest is gone, so there is nothing to match it with.
    #[arg(value_name = "BACKUP-ID")]
    pub backup: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_says_how_it_exits() {
        fn check(command: &mut clap::Command, checked: &mut usize) {
            let leaf = command.get_subcommands().next().is_none();
            if leaf && command.get_name() != "help" {
                let help = command.render_help().to_string() + &command.render_long_help().to_string();
                assert_eq!(help.matches("EXIT STATUS").count(), 2, "{}", command.get_name());
                *checked += 1;
            }
            command.get_subcommands_mut().for_each(|command| check(command, checked));
        }
        let mut checked = 0;
        check(&mut Arguments::command(), &mut checked);
        assert_eq!(checked, 20);
    }
}
