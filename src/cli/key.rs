//! `vault key`: one file per subcommand.

mod new;

use crate::base::failure::FailureClass;
use crate::cli::args::Global;
use crate::cli::args::key::KeyCommand;
use crate::cli::message::CliError;

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(global: &Global, command: &KeyCommand) -> Result<Option<FailureClass>, CliError> {
    match command {
        KeyCommand::New => new::run(global),
    }
}
