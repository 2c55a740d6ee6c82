//! `vault key`: one file per subcommand.
//!
//! | file | |
//! |---|---|
//! | `file` | the key file that is looked at and changed |
//! | `place` | where secrets go |
//! | `slots` | new slots, for people as the command line names them |

mod add;
mod check;
mod export;
mod file;
mod import;
mod list;
mod new;
mod pack_only;
mod place;
mod remove;
mod rewrap;
mod rotate;
pub mod slots;

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
        KeyCommand::Check(command) => check::run(global, command),
        KeyCommand::Export(command) => export::run(global, command),
        KeyCommand::Import(command) => import::run(global, command),
        KeyCommand::PackOnly { output } => pack_only::run(global, output.as_ref()),
        KeyCommand::New => new::run(global),
        KeyCommand::Add(command) => add::run(global, command),
        KeyCommand::Remove(command) => remove::run(global, command),
        KeyCommand::List => list::run(global),
        KeyCommand::Rotate(command) => rotate::run(global, command),
        KeyCommand::Rewrap(command) => rewrap::run(global, command),
    }
}
