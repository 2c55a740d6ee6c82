//! `vault key` and its subcommands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Kdf;
use super::help::{EXIT_KEY, EXIT_KEY_EDIT, EXIT_KEY_LIST, EXIT_KEY_REWRAP};

/// `vault key`.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key file, and never overwrite one.
    #[command(after_help = EXIT_KEY)]
    New,
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
