//! The producer: a program whose output is the dump. Its input is empty, its errors go where ours go.
//!
//! The end of its output says nothing: a `pg_dumpall` that lost its server closes the pipe as one that is done does. Only its exit
//! status tells, and it is asked for before a manifest is written.

use std::ffi::OsString;
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use super::{ChildError, Children, Group, command};

/// A running producer. Dropped before it was accepted, it is killed with all that it started.
pub struct Producer {
    group: Group,
}

impl Producer {
    /// Starts it; the second value is its output.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub fn spawn(argv: &[OsString], children: &Children) -> Result<(Producer, ChildStdout), ChildError> {
        let (mut command, program) = command(argv)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut group = Group::spawn(command, program, children)?;
        let Some(output) = group.leader.stdout.take() else {
            return Err(ChildError::NotStarted {
                program: group.program.clone(),
                reason: std::io::Error::other("it has no output"),
            });
        };
        Ok((Producer { group }, output))
    }

    /// Whether it has ended well.
    ///
    /// # Errors
    /// It ended otherwise, or waits for a terminal that it cannot have.
    pub fn try_wait(&self) -> Result<bool, ChildError> {
        self.group.succeeded()
    }

    /// Lets go of it after it ended well and its output ended: what it left in the background is its own affair.
    pub fn accept(mut self) {
        self.group.reap_within(Duration::ZERO);
    }

    /// Ends it and all that it started: SIGTERM, up to two seconds, SIGKILL.
    pub fn kill_group(mut self) {
        self.group.terminate();
    }

    /// The process group, which is the process id of the program.
    pub fn id(&self) -> i32 {
        self.group.id.as_raw_pid()
    }
}
