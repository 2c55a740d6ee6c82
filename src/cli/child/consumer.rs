//! The consumer: a program that is fed a restored dump, `psql` for one.
//!
//! It takes the end of its input for success and commits what it has. So its input is closed in one place only, `finish`, when the
//! whole dump was released and nobody told the run to stop. In every other case, a panic included, its whole group is killed first
//! and its input closed afterwards; SIGKILL, because `psql` ends well on less.
//!
//! It has a group of its own like the producer: a Ctrl-C comes to vault alone, which decides, and what it started dies with it.
//!
//! Our end of the pipe does not block. A consumer that waits for a lock would otherwise keep vault in a write that no signal ends.
//!
//! It may exit with status 0 before it has read all that it was given: what is left in the pipe then tells.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{ChildStdin, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use super::{ChildError, Children, Group, PIPE_BYTES, POLL, State, command};
use crate::pipeline::port::Control;

/// How often a write that waits looks whether the run was told to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A running consumer. Dropped, it is killed with all that it started, and never sees the end of its input.
pub struct Consumer {
    group: Group,
    /// Taken by `finish` alone.
    input: Option<ChildStdin>,
    control: Arc<dyn Control>,
}

impl Consumer {
    /// Starts it. `control` ends a write that waits, and the wait for its exit.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub fn spawn(argv: &[OsString], children: &Children, control: Arc<dyn Control>) -> Result<Consumer, ChildError> {
        let (mut command, program) = command(argv)?;
        command.stdin(Stdio::piped());
        let mut group = Group::spawn(command, program, children)?;
        let input = group.leader.stdin.take();
        if let Some(input) = &input {
            let _ = rustix::pipe::fcntl_setpipe_size(input, PIPE_BYTES);
            rustix::fs::fcntl_setfl(input, OFlags::NONBLOCK)
                .map_err(|reason| ChildError::NotStarted { program: group.program.clone(), reason: reason.into() })?;
        }
        Ok(Consumer { group, input, control })
    }

    /// Closes its input and waits for it to end well. Only for when the whole dump was written.
    ///
    /// # Errors
    /// It ended otherwise or left some of its input unread, or the run was told to stop: then it was killed, before its input was
    /// closed if there was time.
    pub fn finish(mut self) -> Result<(), ChildError> {
        let rest = self.input.as_ref().and_then(|input| reader(input).ok());
        loop {
            if self.control.stop().is_some() {
                self.group.kill();
                let program = self.group.program.clone();
                return Err(ChildError::Stopped { program });
            }
            drop(self.input.take());
            if self.group.succeeded()? {
                let unread = rest.map(rustix::io::ioctl_fionread);
                if unread.is_some_and(|unread| unread.is_ok_and(|bytes| bytes > 0)) {
                    self.group.kill();
                    let program = self.group.program.clone();
                    return Err(ChildError::Unread { program });
                }
                self.group.reap_within(Duration::ZERO);
                return Ok(());
            }
            sleep(POLL);
        }
    }

    /// Kills it, and then closes its input. `Some` says how it had failed by itself before that, which is then the reason for the
    /// failed write that led here.
    pub fn kill(mut self) -> Option<ChildError> {
        // A broken pipe is seen a moment before the exit that caused it.
        for _ in 0..10 {
            if !self.broken() || !matches!(self.group.state(), Ok(State::Running)) {
                break;
            }
            sleep(POLL);
        }
        let failed = self.group.succeeded().err();
        self.group.kill();
        failed
    }

    /// Whether nobody can read its input any more.
    fn broken(&self) -> bool {
        let Some(input) = &self.input else { return true };
        let mut wait = [PollFd::new(input, PollFlags::OUT)];
        let looked = rustix::event::poll(&mut wait, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        looked.is_ok() && wait[0].revents().contains(PollFlags::ERR)
    }

    /// The process group, which is the process id of the program.
    pub fn id(&self) -> i32 {
        self.group.id.as_raw_pid()
    }
}

/// The other end of the pipe, to see what is left in it once ours is closed. Nothing is read from it.
fn reader(input: &ChildStdin) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", input.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

impl Write for Consumer {
    /// Waits for room, and fails when the run is told to stop meanwhile.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        loop {
            match input.write(bytes) {
                Err(reason) if reason.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.control.stop().is_some() {
                return Err(io::Error::other("the run was told to stop"));
            }
            // It is gone though something else holds its input, or it is stopped and will never read.
            self.group.succeeded().map_err(io::Error::other)?;
            let mut wait = [PollFd::new(&*input, PollFlags::OUT)];
            match rustix::event::poll(&mut wait, Some(&TICK)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(reason) => return Err(reason.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // Before the fields go, and the input with them.
        self.group.kill();
    }
}
