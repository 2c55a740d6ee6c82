//! How hard to compress, when that is left to the run: as hard as the wait for the input pays for.
//!
//! While most of the time goes into waiting for the input, and the workers have two thirds of theirs to spare, the level rises: the next one
//! may cost twice as much. When the workers have less than a third to spare, or the input waits for them, it falls. A database on the
//! same machine makes the workers slower, and so counts as theirs.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How hard a run compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As zstd's level of that number does.
    Fixed(i32),
    /// As there is time for.
    Auto,
}

/// Levels that are chosen by themselves. Level 6 takes four times as long as level 2, and level 9 half as long again for 2 % of the size.
const FIRST: i32 = 1;
const LAST: i32 = 6;
/// Bytes of the dump after which the level may change.
const WINDOW_BYTES: u64 = 4 << 20;

/// The level of a run, and what it depends on.
pub struct Pace {
    rule: Level,
    threads: u32,
    level: AtomicI32,
    /// Nanoseconds of work in the window, of all workers together.
    worked: AtomicU64,
    window: Mutex<Window>,
}

struct Window {
    began: Instant,
    bytes: u64,
    waited: Duration,
}

impl Window {
    fn new() -> Window {
        Window { began: Instant::now(), bytes: 0, waited: Duration::ZERO }
    }
}

impl Pace {
    /// The pace of a run of that many workers.
    pub fn new(rule: Level, threads: usize) -> Pace {
        let level = match rule {
            Level::Fixed(level) => level,
            Level::Auto => FIRST,
        };
        Pace {
            rule,
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            level: AtomicI32::new(level),
            worked: AtomicU64::new(0),
            window: Mutex::new(Window::new()),
        }
    }

    /// The level for the next block.
    pub fn level(&self) -> i32 {
        self.level.load(Ordering::Relaxed)
    }

    /// Does a worker's work.
    pub fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let nanoseconds = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.worked.fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    /// So many bytes came, and were waited for so long.
    pub fn came(&self, bytes: usize, waited: Duration) {
        if self.rule != Level::Auto {
            return;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.bytes += bytes as u64;
        window.waited += waited;
        if window.bytes < WINDOW_BYTES {
            return;
        }
        let took = window.began.elapsed();
        let worked = Duration::from_nanos(self.worked.swap(0, Ordering::Relaxed));
        let level = next(self.level(), took, window.waited, worked / self.threads.max(1));
        self.level.store(level, Ordering::Relaxed);
        *window = Window::new();
    }
}

/// The level after a window that took so long, of which the input was waited for and each worker worked so long.
fn next(level: i32, took: Duration, waited: Duration, worked: Duration) -> i32 {
    let change = if worked > took * 2 / 3 || waited < took / 8 {
        -1
    } else if worked < took / 3 && waited > took / 2 {
        1
    } else {
        0
    };
    (level + change).clamp(FIRST, LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn waiting_raises_the_level_and_work_lowers_it() {
        let cases = [
            // (level, took, waited, worked by each) → level
            ((1, 100, 90, 5), 2),
            ((6, 100, 90, 5), 6),
            ((3, 100, 90, 40), 3),
            ((3, 100, 40, 20), 3),
            ((3, 100, 90, 70), 2),
            ((3, 100, 5, 30), 2),
            ((1, 100, 0, 100), 1),
        ];
        for ((level, took, waited, worked), expected) in cases {
            assert_eq!(next(level, ms(took), ms(waited), ms(worked)), expected, "{level} {took} {waited} {worked}");
        }
    }

    #[test]
    fn a_fixed_level_stays() {
        let pace = Pace::new(Level::Fixed(9), 2);
        pace.came(WINDOW_BYTES as usize, ms(10_000));
        assert_eq!(pace.level(), 9);
    }

    #[test]
    fn a_slow_input_is_compressed_harder_and_a_fast_one_not() {
        let pace = Pace::new(Level::Auto, 2);
        for _ in 0..10 {
            pace.came(WINDOW_BYTES as usize, ms(10_000));
        }
        assert_eq!(pace.level(), LAST);
        for _ in 0..10 {
            pace.work(|| std::thread::sleep(ms(1)));
            pace.came(WINDOW_BYTES as usize, Duration::ZERO);
        }
        assert_eq!(pace.level(), FIRST);
    }
}
