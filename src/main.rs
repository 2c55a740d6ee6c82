//! `vault`: see `vault --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vault::cli::main()
}
