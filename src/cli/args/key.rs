//! `vault key` and its subcommands.

use clap::Subcommand;

use super::help::EXIT_KEY;

/// `vault key`.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key file, and never overwrite one.
    #[command(after_help = EXIT_KEY)]
    New,
}
