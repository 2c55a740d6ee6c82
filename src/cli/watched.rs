//! The input of a run, read so that the producer is disturbed least.
//!
//! A pipe has one lock, and who writes or reads holds it while bytes are copied; the other one spins. `cat` and a reader that is after every byte
//! take turns, and a quarter of the reader's time is spinning. So the pipe is left alone while it fills.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::child::PIPE_BYTES;
use super::control::RunControl;

/// How often a read that waits looks whether the run was told to stop.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long a pipe is left alone after it was emptied: `cat` fills half of it in that time.
const REFILL: Duration = Duration::from_micros(200);
/// A pipe that holds less by then is that of a slower producer, such as `pg_dump`, which writes 4 KiB at a time: to wake up for each costs more
/// than all that is done with them.
const GATHERED_BYTES: usize = 256 << 10;
/// How long the pipe of a slower producer is left alone: a quarter of what 1 MiB lasts at 250 MB/s.
const GATHERING: Duration = Duration::from_millis(1);

/// The source of a dump, which tells the control when it waits, and stops waiting when the control says so.
///
/// The reader must not hold bytes back in a buffer of its own, since the descriptor is asked whether there are any: the output of
/// `Producer::spawn`, or a `File` made of a duplicate of standard input.
pub struct Watched<R> {
    inner: R,
    control: Arc<RunControl>,
    is_pipe: bool,
    /// Until when the pipe is left alone.
    rests: Option<Instant>,
}

impl<R: Read + AsFd> Watched<R> {
    /// Watches `inner` for `control`.
    pub fn new(inner: R, control: Arc<RunControl>) -> Watched<R> {
        let is_pipe = rustix::pipe::fcntl_getpipe_size(&inner).is_ok();
        if is_pipe {
            // A small pipe is slower, and nothing else.
            let _ = rustix::pipe::fcntl_setpipe_size(&inner, PIPE_BYTES);
        }
        Watched { inner, control, is_pipe, rests: None }
    }

    /// Returns when a read would not wait, and is worth its while.
    fn readable(&self) -> io::Result<()> {
        loop {
            let mut wait = [PollFd::new(&self.inner, PollFlags::IN)];
            match rustix::event::poll(&mut wait, Some(&TICK)) {
                Ok(0) | Err(Errno::INTR) => self.control.check_wait()?,
                Ok(_) => {
                    let more_may_come = wait[0].revents() == PollFlags::IN;
                    if let Some(rests) = self.rests.filter(|_| more_may_come) {
                        thread::sleep(rests.saturating_duration_since(Instant::now()));
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
        if let Ok(read) = done
            && self.is_pipe
        {
            let is_slow = read < buffer.len().min(GATHERED_BYTES);
            self.rests = Some(Instant::now() + if is_slow { GATHERING } else { REFILL });
        }
        done
    }
}
