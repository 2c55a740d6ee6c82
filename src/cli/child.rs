//! The programs that vault runs: the producer of a dump and the consumer of a restored one.
//!
//! Each is the leader of a process group of its own, so that what it starts can be ended with it: a shell that has exited may leave a
//! grandchild that holds the pipe open for ever. `Group` keeps three promises:
//!
//! - A group is signalled only while its leader is not yet reaped, or while it has members: until then the number cannot belong to
//!   anybody else. How the leader ended is therefore read without reaping it.
//! - A group that is dropped before its end was accepted is killed.
//! - `Children` knows every group that lives, so that a second signal can end them all and leave at once.
//!
//! A group of its own is a background group of the terminal. A program that asks the terminal for a password is stopped by the system;
//! it is then reported, because it would wait for ever. Passwords come from `~/.pgpass` and the like.
//!
//! Not guaranteed: that nothing is left when a child moves to another group, or when vault itself is killed with SIGKILL.

pub mod consumer;
pub mod producer;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

pub use consumer::Consumer;
pub use producer::Producer;

use crate::base::failure::FailureClass;

/// 1 MiB, the most that an unprivileged process may ask for: whoever is at the other end goes on for a while when vault is busy.
pub(super) const PIPE_BYTES: usize = 1 << 20;
/// How long a child may take to end itself after SIGTERM: enough for `pg_dump` to cancel its query.
const GRACE: Duration = Duration::from_secs(2);
/// How often a child is looked at while its end is awaited.
const POLL: Duration = Duration::from_millis(10);

/// Why a child did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There was nothing to run.
    #[error("no command was given")]
    Empty,
    /// There is no such program.
    #[error("cannot run `{program}`: there is no such program")]
    NotFound {
        /// The program, as it was given.
        program: String,
    },
    /// The program could not be started.
    #[error("cannot run `{program}`: {reason}")]
    NotStarted {
        /// The program, as it was given.
        program: String,
        /// What the system said.
        reason: io::Error,
    },
    /// It ended with a status that is not 0.
    #[error("`{program}` exited with status {status}")]
    Exited {
        /// The program, as it was given.
        program: String,
        /// Its exit status.
        status: i32,
    },
    /// A signal ended it.
    #[error("`{program}` was killed by signal {}", signal_text(*.signal))]
    Killed {
        /// The program, as it was given.
        program: String,
        /// The number of the signal.
        signal: i32,
    },
    /// It tried to use the terminal, and was stopped.
    #[error("`{program}` waits for the terminal, which it cannot have: give it its password in a file")]
    WantsTerminal {
        /// The program, as it was given.
        program: String,
    },
    /// It ended well, but not at the end of its input.
    #[error("`{program}` did not read the dump to its end")]
    Unread {
        /// The program, as it was given.
        program: String,
    },
    /// The run was told to stop, and the child with it.
    #[error("`{program}` was killed because the run was told to stop")]
    Stopped {
        /// The program, as it was given.
        program: String,
    },
    /// How it ended cannot be found out.
    #[error("cannot wait for `{program}`: {reason}")]
    Lost {
        /// The program, as it was given.
        program: String,
        /// What the system said.
        reason: io::Error,
    },
}

impl ChildError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            ChildError::Empty => FailureClass::Usage,
            _ => FailureClass::Source,
        }
    }
}

/// `9 (KILL)`.
fn signal_text(signal: i32) -> String {
    match signal_hook::low_level::signal_name(signal) {
        Some(name) => format!("{signal} ({})", name.trim_start_matches("SIG")),
        None => signal.to_string(),
    }
}

/// Every group that lives. Clones share it.
#[derive(Clone, Default)]
pub struct Children {
    groups: Arc<Mutex<Vec<Pid>>>,
}

impl Children {
    /// The list. A thread that panicked left it whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills every group, and keeps new ones from being started while `then` runs.
    pub(super) fn kill_all<T>(&self, then: impl FnOnce() -> T) -> T {
        let groups = self.lock();
        for group in groups.iter() {
            let _ = rustix::process::kill_process_group(*group, Signal::KILL);
        }
        then()
    }
}

/// How a leader is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    WantsTerminal,
    Exited(i32),
    Killed(i32),
}

/// A child and all that it started.
struct Group {
    program: String,
    leader: Child,
    id: Pid,
    children: Children,
    reaped: bool,
}

/// The command that `argv` names, and the name to call it by.
fn command(argv: &[OsString]) -> Result<(Command, String), ChildError> {
    let (program, arguments) = argv.split_first().ok_or(ChildError::Empty)?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok((command, program.to_string_lossy().into_owned()))
}

impl Group {
    /// Starts the command as the leader of a new group.
    fn spawn(mut command: Command, program: String, children: &Children) -> Result<Group, ChildError> {
        // Locked until the group is in the list: a second signal must not come between.
        let mut groups = children.lock();
        let leader = match command.process_group(0).spawn() {
            Ok(leader) => leader,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Err(ChildError::NotFound { program }),
            Err(reason) => return Err(ChildError::NotStarted { program, reason }),
        };
        let id = Pid::from_child(&leader);
        groups.push(id);
        Ok(Group { program, leader, id, children: children.clone(), reaped: false })
    }

    /// How the leader is doing; it stays unreaped, and its number its own.
    fn state(&self) -> Result<State, ChildError> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = rustix::process::waitid(WaitId::Pid(self.id), options)
            .map_err(|reason| ChildError::Lost { program: self.program.clone(), reason: reason.into() })?;
        let Some(status) = status else {
            return Ok(State::Running);
        };
        let terminal = [Signal::TTIN, Signal::TTOU].map(|signal| Some(signal.as_raw()));
        Ok(match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => State::Exited(status),
            (_, Some(signal)) => State::Killed(signal),
            _ if terminal.contains(&status.stopping_signal()) => State::WantsTerminal,
            _ => State::Running,
        })
    }

    /// Whether the leader has ended well; an error when it has not and will not.
    fn succeeded(&self) -> Result<bool, ChildError> {
        let program = self.program.clone();
        match self.state()? {
            State::Running => Ok(false),
            State::Exited(0) => Ok(true),
            State::Exited(status) => Err(ChildError::Exited { program, status }),
            State::Killed(signal) => Err(ChildError::Killed { program, signal }),
            State::WantsTerminal => Err(ChildError::WantsTerminal { program }),
        }
    }

    fn signal(&self, signal: Signal) {
        // Gone already is what was wanted.
        let _ = rustix::process::kill_process_group(self.id, signal);
    }

    /// Waits a while for the leader to end, and reaps it. Its number may belong to somebody else from now on.
    fn reap_within(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while matches!(self.state(), Ok(State::Running | State::WantsTerminal)) {
            if Instant::now() >= deadline {
                return;
            }
            sleep(POLL);
        }
        self.children.lock().retain(|group| *group != self.id);
        let _ = self.leader.wait();
        self.reaped = true;
    }

    /// Asks the group to end, and after the grace period kills what is left of it.
    fn terminate(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::TERM);
        // A stopped process would not hear it.
        self.signal(Signal::CONT);
        let deadline = Instant::now() + GRACE;
        self.reap_within(GRACE);
        // While the group has members, dead or alive, nobody else has its number; that of an empty one is not given away in 10 ms.
        while self.reaped && Instant::now() < deadline && self.has_members() {
            sleep(POLL);
        }
        if !self.reaped || self.has_members() {
            self.signal(Signal::KILL);
        }
        self.kill();
    }

    /// Whether somebody in the group lives. Its dead do not count: in a container it may take long until somebody reaps an orphan.
    fn has_members(&self) -> bool {
        if rustix::process::test_kill_process_group(self.id).is_err() {
            return false;
        }
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return true;
        };
        let stats = processes.flatten().map(|process| process.path().join("stat"));
        stats.flat_map(std::fs::read_to_string).any(|stat| self.is_living_member(&stat))
    }

    /// Reads one `/proc/<pid>/stat`: after the name, which may hold anything, come state, parent and group.
    fn is_living_member(&self, stat: &str) -> bool {
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next();
        let group = fields.nth(1).and_then(|group| group.parse().ok());
        group == Some(self.id.as_raw_pid()) && state != Some("Z")
    }

    /// Kills the whole group at once.
    fn kill(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            // A process that hangs in the kernel is not waited for.
            self.reap_within(GRACE);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
