//! `vault key` and its subcommands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::Kdf;
use super::help::{
    EXIT_CHECK, EXIT_EXPORT, EXIT_IMPORT, EXIT_KEY, EXIT_KEY_EDIT, EXIT_KEY_LIST, EXIT_KEY_REWRAP, EXIT_PACK_ONLY,
};
use super::values::parse_duration;

/// `vault key`.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key file, and never overwrite one.
    #[command(after_help = EXIT_KEY)]
    New,
    /// Check that what is in escrow opens the backups: reads kilobytes of each.
    #[command(after_help = EXIT_CHECK)]
    Check(Check),
    /// Put the key on paper, whole or in shares, or into a key file.
    #[command(after_help = EXIT_EXPORT)]
    Export(Export),
    /// Make a key file from paper or from shares, and never overwrite one.
    #[command(after_help = EXIT_IMPORT)]
    Import(Import),
    /// Make a key for the host of the database: it writes backups, and reads none.
    #[command(after_help = EXIT_PACK_ONLY)]
    PackOnly {
        /// Write to this new file, which only its owner can read; `-`: to standard output, even if that is a terminal.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Add slots: other ways to open the backups that are packed with this key file from now on.
    #[command(after_help = EXIT_KEY_EDIT)]
    Add(Add),
    /// Remove a slot.
    #[command(after_help = EXIT_KEY_EDIT)]
    Remove(Remove),
    /// List the epochs and the slots of the key file.
    #[command(after_help = EXIT_KEY_LIST)]
    List,
    /// Put new slots in the place of all others; with --new-epoch, a new key.
    #[command(after_help = EXIT_KEY_EDIT)]
    Rotate(Rotate),
    /// Give the backups in the store the slots of the key file, or go on with it after a failure.
    #[command(after_help = EXIT_KEY_REWRAP)]
    Rewrap(Rewrap),
}

/// For whom new slots are.
#[derive(Args)]
pub struct NewSlots {
    /// For who knows a passphrase, which is asked for twice, or comes from --passphrase-file or --passphrase-command.
    #[arg(long)]
    pub passphrase: bool,
    /// For an age recipient: age1pq1… (post-quantum, the one to choose), age1…, or what the program `age` and its plugins know.
    #[arg(long = "recipient", value_name = "RECIPIENT")]
    pub recipients: Vec<String>,
    /// For every age recipient in a file, one a line.
    #[arg(long, value_name = "FILE")]
    pub recipients_file: Option<PathBuf>,
    /// What a guess of the passphrase costs: 256 MiB, 64 MiB or 2 GiB of memory.
    #[arg(long, value_name = "COST", default_value = "default")]
    pub kdf: Kdf,
}

/// `vault key add`.
#[derive(Args)]
pub struct Add {
    /// For whom.
    #[command(flatten)]
    pub slots: NewSlots,
    /// Change the backups in the store, too: kilobytes each, their data is not touched.
    #[arg(long)]
    pub rewrap: bool,
}

/// `vault key remove`.
#[derive(Args)]
pub struct Remove {
    /// The id of the slot, or as much of it as is unique.
    #[arg(value_name = "SLOT")]
    pub slot: String,
    /// Change the backups in the store, too: kilobytes each, their data is not touched.
    #[arg(long)]
    pub rewrap: bool,
}

/// `vault key rotate`.
#[derive(Args)]
pub struct Rotate {
    /// For whom.
    #[command(flatten)]
    pub slots: NewSlots,
    /// Make a new key, under which the next backup is a full one. The old ones stay in the key file.
    #[arg(long, conflicts_with = "rewrap")]
    pub new_epoch: bool,
    /// Change the backups in the store, too: kilobytes each, their data is not touched.
    #[arg(long)]
    pub rewrap: bool,
}

/// `vault key rewrap`.
#[derive(Args)]
pub struct Rewrap {
    /// Also when another copy of the key file gave the backups newer slots.
    #[arg(long)]
    pub force: bool,
}

/// `vault key check`.
#[derive(Args)]
pub struct Check {
    /// An id, as much of one as is unique, or `latest` [default: every backup in the store, or of --guid].
    #[arg(value_name = "BACKUP")]
    pub backup: Option<String>,
    /// Ask for the passphrase, whatever key is at hand.
    #[arg(long)]
    pub prompt: bool,
    /// Open so many segments of each backup, drawn from all its parts, those of earlier backups included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub probe: Option<u32>,
    /// Read the index of each backup, and see that its recipe covers the dump without a gap.
    #[arg(long)]
    pub index: bool,
    /// Exit with status 3 when a slot has not been seen to open the newest backup for so long: 35d, say.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
    /// Write the result for Prometheus' node exporter into this file, in one step.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Leave no record of this check in the store.
    #[arg(long)]
    pub no_record: bool,
}

/// `vault key export`.
#[derive(Args)]
// The group that is derived would be one of all options, so that any of them would ask for a sheet.
#[group(skip)]
#[command(group = ArgGroup::new("form").required(true).args(["paper", "shares", "as_file"]))]
pub struct Export {
    /// One sheet with the whole key.
    #[arg(long)]
    pub paper: bool,
    /// A key file with the slots that backups carry: for a database that was begun with a passphrase, or out of an identity's slot.
    #[arg(long)]
    pub as_file: bool,
    /// So many sheets, 2 to 16, each with a share of the key.
    #[arg(long, value_name = "N", requires = "threshold", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub shares: Option<u8>,
    /// How many of the shares give the key, 2 or more.
    #[arg(long, value_name = "K", requires = "shares", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub threshold: Option<u8>,
    /// The epoch of the key [default: the newest on paper, and all that are at hand in a key file].
    #[arg(long, value_name = "EPOCH")]
    pub epoch: Option<u32>,
    /// Write to this new file, which only its owner can read; `-`: to standard output, even if that is a terminal.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the code of the whole key into this new file, too, as SVG.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shares", "as_file"])]
    pub svg: Option<PathBuf>,
}

/// `vault key import`.
#[derive(Args)]
pub struct Import {
    /// Files with what was typed or scanned [default: standard input].
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
