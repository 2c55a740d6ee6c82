//! `vault legacy`: its arguments.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::HowToPack;
use super::help::{ABOUT_KEYS, ABOUT_LEGACY_KEYS, EXIT_LEGACY_IMPORT, EXIT_LEGACY_UNPACK};
use super::values::parse_duration;

/// `vault legacy`.
#[derive(Subcommand)]
pub enum LegacyCommand {
    /// Unpack an archive: to standard output, a file, or the input of COMMAND.
    #[command(
        after_help = EXIT_LEGACY_UNPACK,
        after_long_help = [ABOUT_LEGACY_KEYS, "\n\n", EXIT_LEGACY_UNPACK].concat()
    )]
    Unpack(LegacyUnpack),
    /// Pack what an archive holds as a new backup.
    #[command(
        after_help = EXIT_LEGACY_IMPORT,
        after_long_help = [ABOUT_LEGACY_KEYS, "\n\n", ABOUT_KEYS, "\n\n", EXIT_LEGACY_IMPORT].concat()
    )]
    Import(LegacyImport),
}

/// Which archive it is, and how it is decoded.
#[derive(Args)]
pub struct LegacyArchive {
    /// The id of an archive in the store, or as much of it as is unique; `-`: standard input.
    #[arg(value_name = "ARCHIVE", required_unless_present = "files", conflicts_with = "files")]
    pub archive: Option<String>,
    /// Files instead: the parts, in the order of the numbers in their names, or the one object.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// The file that holds the old key.
    #[arg(long, value_name = "FILE", conflicts_with = "legacy_key_command")]
    pub legacy_key_file: Option<PathBuf>,
    /// A command, run by sh, that prints the old key.
    #[arg(long, value_name = "COMMAND")]
    pub legacy_key_command: Option<OsString>,
    /// The old key was used as `openssl enc -pbkdf2` uses it.
    #[arg(long)]
    pub pbkdf2: bool,
    /// With so many iterations, as `openssl enc -iter N`; implies --pbkdf2, whose default is 10000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub iter: Option<u32>,
    /// The archive holds gzip inside gzip: inflate that, too.
    #[arg(long)]
    pub gunzip: bool,
    /// Decode once: what is damaged shows only after what comes before it was used.
    #[arg(long)]
    pub stream: bool,
}

/// `vault legacy unpack`.
#[derive(Args)]
pub struct LegacyUnpack {
    /// What is unpacked.
    #[command(flatten)]
    pub archive: LegacyArchive,
    /// Write to this file, which appears when it is whole; `-`: to standard output, even if that is a terminal.
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub output: Option<PathBuf>,
    /// Replace the output file if it exists.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Give up when the whole run takes longer, e.g. 90, 90s, 10m, 2h.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// The command that is fed the dump; it is killed when the dump cannot be completed.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `vault legacy import`.
#[derive(Args)]
pub struct LegacyImport {
    /// What is imported.
    #[command(flatten)]
    pub archive: LegacyArchive,
    /// The store that the archive is in [default: the one that it is imported into].
    #[arg(long, value_name = "STORE", conflicts_with = "files")]
    pub from: Option<OsString>,
    /// What becomes of the dump.
    #[command(flatten)]
    pub how: HowToPack,
}
