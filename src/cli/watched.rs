//! The input of a run, and the wait for it.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::child::PIPE_BYTES;
use super::control::RunControl;

/// How often a read that waits looks whether the run was told to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// A read that gave less, a write or two of `pg_dump`, shows that the producer is slower: its pipe is given some time to fill, since to wake up for
/// each write costs more than all that is done with it.
const GATHERED_BYTES: usize = 16 << 10;
/// How long: a tenth of what a pipe of 1 MiB lasts at 100 MB/s.
const GATHERING: Duration = Duration::from_millis(1);

/// The source of a dump, which tells the control when it waits, and stops waiting when the control says so.
///
/// The reader must not hold bytes back in a buffer of its own, since the descriptor is asked whether there are any: the output of
/// `Producer::spawn`, or a `File` made of a duplicate of standard input.
pub struct Watched<R> {
    inner: R,
    control: Arc<RunControl>,
    is_pipe: bool,
    /// The last read gave little.
    is_slow: bool,
}

impl<R: Read + AsFd> Watched<R> {
    /// Watches `inner` for `control`.
    pub fn new(inner: R, control: Arc<RunControl>) -> Watched<R> {
        let is_pipe = rustix::pipe::fcntl_getpipe_size(&inner).is_ok();
        if is_pipe {
            // A small pipe is slower, and nothing else.
            let _ = rustix::pipe::fcntl_setpipe_size(&inner, PIPE_BYTES);
        }
        Watched { inner, control, is_pipe, is_slow: false }
    }

    /// Returns when a read would not wait, and is worth its while.
    fn readable(&self) -> io::Result<()> {
        loop {
            let mut wait = [PollFd::new(&self.inner, PollFlags::IN)];
            match rustix::event::poll(&mut wait, Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) => self.control.check_wait()?,
                Ok(_) => {
                    let more_may_come = wait[0].revents() == PollFlags::IN;
                    if more_may_come && self.is_slow {
                        thread::sleep(GATHERING);
                    }
                    return Ok(());
                }
                Err(reason) => return Err(reason.into()),
            }
        }
    }
}

impl<R: Read + AsFd> Read for Watched<R> {
    /// Fails when the run is told to stop, also while nothing comes; `Control::stop` then says why.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.control.check_stop()?;
        self.control.wait_begins();
        let done = self.readable().and_then(|()| self.inner.read(buffer));
        self.control.wait_ends();
        if let Ok(read) = done {
            self.is_slow = self.is_pipe && read < buffer.len().min(GATHERED_BYTES);
        }
        done
    }
}
