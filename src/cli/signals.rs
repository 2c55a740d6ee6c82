//! The signals that ask vault to stop.
//!
//! - The first one asks the run to stop; it cleans up and exits 130 or 143. A second one kills every child, so that no consumer takes
//!   our end for the end of the dump, and exits at once.
//! - SIGHUP and SIGQUIT count as SIGTERM, for the same reason: their default would close a consumer's input in the middle of a dump.
//! - What was ignored when vault was started stays ignored, as `nohup` means it.
//!
//! A thread listens, and not the handler alone, because a handler may not take the lock of `Children`. No globals: whoever installs
//! `Signals` hands them to the run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::child::Children;
use crate::base::failure::FailureClass;
use crate::pipeline::port::Stop;

/// Which signals came.
#[derive(Default)]
pub struct Signals {
    interrupted: AtomicBool,
    terminated: AtomicBool,
}

impl Signals {
    /// Listens, for the rest of the process's life.
    ///
    /// # Errors
    /// The handlers or their thread cannot be installed.
    pub fn install(children: &Children) -> io::Result<Arc<Signals>> {
        let ignored = ignored_signals();
        let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
        let wanted = wanted.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut incoming = signal_hook::iterator::Signals::new(wanted)?;
        let (signals, children) = (Arc::new(Signals::default()), children.clone());
        let seen = Arc::clone(&signals);
        let listen = move || {
            for signal in incoming.forever() {
                let interrupt = signal == SIGINT;
                if seen.stop().is_some() {
                    let class = if interrupt { FailureClass::Interrupted } else { FailureClass::Terminated };
                    children.kill_all(|| signal_hook::low_level::exit(class.exit_code().into()));
                }
                let flag = if interrupt { &seen.interrupted } else { &seen.terminated };
                flag.store(true, Ordering::SeqCst);
            }
        };
        thread::Builder::new().name("signals".into()).spawn(listen)?;
        Ok(signals)
    }

    /// What they ask for.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self.interrupted.load(Ordering::SeqCst) {
            Some(Stop::Interrupted)
        } else if self.terminated.load(Ordering::SeqCst) {
            Some(Stop::Terminated)
        } else {
            None
        }
    }
}

/// The signals that whoever started us told us to ignore, signal n as bit n-1.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
