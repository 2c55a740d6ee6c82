//! Jobs that run in parallel and are awaited in order.
//!
//! The one who submits decides how many are under way; the order of the results is the order of the waiting, so nothing that comes out
//! depends on the number of threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::pipeline::error::RunError;

/// A pool of worker threads.
pub struct Workers {
    pool: rayon::ThreadPool,
}

impl Workers {
    /// A pool of that many threads.
    ///
    /// # Errors
    /// The machine does not give them.
    pub fn new(threads: usize) -> Result<Workers, RunError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        pool.map(|pool| Workers { pool }).map_err(|_| RunError::Worker)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs a job on some thread.
    pub fn submit<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let slot = Arc::new((Mutex::new(None), Condvar::new()));
        let filled = Arc::clone(&slot);
        self.pool.spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(job)).map_err(|_| ());
            let (result, ready) = &*filled;
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            ready.notify_all();
        });
        Job(slot)
    }
}

type Slot<T> = Arc<(Mutex<Option<Result<T, ()>>>, Condvar)>;

/// A job under way; every holder may wait for its result.
pub struct Job<T>(Slot<T>);

impl<T> Clone for Job<T> {
    fn clone(&self) -> Job<T> {
        Job(Arc::clone(&self.0))
    }
}

impl<T> Job<T> {
    /// The result, when it is there, for a job that nobody else waits for.
    ///
    /// # Errors
    /// The job panicked.
    pub fn take(self) -> Result<T, RunError> {
        self.when_done(Option::take)
    }

    fn when_done(&self, read: impl Fn(&mut Option<Result<T, ()>>) -> Option<Result<T, ()>>) -> Result<T, RunError> {
        let (result, ready) = &*self.0;
        let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match read(&mut result) {
                Some(outcome) => return outcome.map_err(|()| RunError::Worker),
                None => result = ready.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<T: Clone> Job<T> {
    /// The result, when it is there.
    ///
    /// # Errors
    /// The job panicked.
    pub fn wait(&self) -> Result<T, RunError> {
        self.when_done(|result| result.clone())
    }
}

/// A pool of things that are dear to make, such as zstd contexts.
pub struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// Lends one, a new one when none is idle.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn with<R, E>(&self, make: impl FnOnce() -> Result<T, E>, run: impl FnOnce(&mut T) -> R) -> Result<R, E> {
        let mut thing = match self.take() {
            Some(thing) => thing,
            None => make()?,
        };
        let result = run(&mut thing);
        self.give(thing);
        Ok(result)
    }

    /// One that is idle.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Takes one in.
    pub fn give(&self, thing: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
    }
}

/// Bytes in a buffer of a pool, which gets it back: fresh memory costs as much as filling it.
pub struct Pooled {
    /// The bytes.
    pub bytes: Vec<u8>,
    pool: Arc<Pool<Vec<u8>>>,
}

impl Pooled {
    /// An idle buffer, or a new one. What is in it is of no meaning.
    pub fn of(pool: &Arc<Pool<Vec<u8>>>) -> Pooled {
        Pooled { bytes: pool.take().unwrap_or_default(), pool: Arc::clone(pool) }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}
