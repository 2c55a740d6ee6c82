//! The program: its commands, and the process around the library with its children, its signals and its clock.
//!
//! One file per command: its call into the library and its report. What they share:
//!
//! | file | |
//! |---|---|
//! | `args` | the command line |
//! | `secrets` | which key file or passphrase it is, and where it is read from |
//! | `identity` | age identities, and the program `age` |
//! | `trust` | whether a key from an age slot is the right one |
//! | `unlock` | the vault key that it stands for |
//! | `memory` | how much of it is to be had |
//! | `world` | store, clock, randomness, observer and control of one run |
//! | `latest` | which backup `latest` is, and what is to be said of one that is not good |
//! | `output` | where a restored dump goes |
//! | `part` | which part of it |
//! | `report` | tables, sizes, ages, JSON |
//! | `message` | every failure: its words, its hint, its class |
//!
//! Data goes to standard output, everything else to standard error. Nothing secret is printed.

pub mod args;
pub mod child;
pub mod control;
pub mod message;
pub mod signals;

mod accept;
mod contents;
mod diff;
mod identity;
mod key;
mod latest;
mod legacy;
mod list;
mod memory;
mod output;
mod pack;
mod part;
mod rebuild;
mod report;
mod secrets;
mod show;
mod trust;
mod unlock;
mod unpack;
mod verify;
pub mod watched;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::base::failure::FailureClass;
use args::{Arguments, Command};
use message::CliError;

/// Runs the command line; what comes back is the exit code of the process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // clap's own: help and version are no error, everything else exits 2.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    match run(arguments) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(class)) => ExitCode::from(class.exit_code()),
        Err(error) => {
            message::print(&error);
            ExitCode::from(error.class().exit_code())
        }
    }
}

/// The class is that of a command that did all it was asked to and has bad news.
fn run(arguments: Arguments) -> Result<Option<FailureClass>, CliError> {
    let Arguments { global, command } = arguments;
    secrets::refuse_passphrase_in_environment()?;
    match command {
        Command::Key(command) => key::run(&global, &command),
        Command::Pack(command) => pack::run(&global, command),
        Command::Unpack(command) => unpack::run(&global, &command),
        Command::List(command) => list::run(&global, &command),
        Command::Show(command) if command.contents => contents::run(&global, &command),
        Command::Show(command) => show::run(&global, &command),
        Command::Diff(command) => diff::run(&global, &command),
        Command::Verify(command) => verify::run(&global, &command),
        Command::Accept(command) => accept::run(&global, &command),
        Command::Legacy(command) => legacy::run(&global, command),
        Command::RebuildManifest(command) => rebuild::run(&global, &command),
    }
}
