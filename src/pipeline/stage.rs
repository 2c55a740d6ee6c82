//! Jobs that run in parallel and are awaited in order.
//!
//! The one who submits decides how many are under way; the order of the results is the order of the waiting, so nothing that comes out
//! depends on the number of threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::pipeline::error::RunError;

/// Threads that do jobs: some of their own, and one that submits and awaits them.
///
/// The one that waits does what is in the queue when it begins to wait, so that there is a thread less: on two processors, where the producer of the dump runs as
/// well, one more that competes for them costs a tenth of the time (benches/README.md). A thread that has nothing to do sleeps until it is
/// woken for a job: beside a database that writes its dump, threads that look for work in vain take from it what they look for.
pub struct Workers {
    queue: Arc<Queue>,
    /// Those of our own: one less than there are, but at least one, for jobs that a thread awaits that does none.
    own: Vec<JoinHandle<()>>,
    threads: usize,
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Work>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs until there are to be no more.
    fn serve(&self) {
        let mut state = self.state();
        while !state.closed {
            match state.jobs.pop_front() {
                Some(work) => {
                    drop(state);
                    work();
                    state = self.state();
                }
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Workers {
    /// That many threads, the one that waits among them.
    ///
    /// # Errors
    /// The machine does not give them.
    pub fn new(threads: usize) -> Result<Workers, RunError> {
        let mut workers = Workers { queue: Arc::default(), own: Vec::new(), threads: threads.max(1) };
        for _ in 0..threads.saturating_sub(1).max(1) {
            let queue = Arc::clone(&workers.queue);
            let thread =
                Builder::new().name("worker".into()).spawn(move || queue.serve()).map_err(|_| RunError::Worker)?;
            workers.own.push(thread);
        }
        Ok(workers)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The result of a job. Meanwhile the caller does others.
    ///
    /// # Errors
    /// The job panicked.
    pub fn take<T>(&self, job: Job<T>) -> Result<T, RunError> {
        self.help(&job);
        job.take()
    }

    /// The result of a job that others wait for, too. Meanwhile the caller does others.
    ///
    /// # Errors
    /// The job panicked.
    pub fn wait<T: Clone>(&self, job: &Shared<T>) -> Result<T, RunError> {
        self.help(&job.0);
        job.0.when_done(|result| result.clone())
    }

    /// Does jobs until there is none that nobody does, or `job` is done.
    fn help<T>(&self, job: &Job<T>) {
        while self.threads > 1 && !job.is_done() {
            let Some(work) = self.queue.state().jobs.pop_front() else { return };
            work();
        }
    }

    /// Runs a job on some thread.
    pub fn submit<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let slot = Arc::new((Mutex::new(None), Condvar::new()));
        let filled = Arc::clone(&slot);
        let work = move || {
            let outcome = catch_unwind(AssertUnwindSafe(job)).map_err(|_| ());
            let (result, ready) = &*filled;
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            ready.notify_all();
        };
        self.queue.state().jobs.push_back(Box::new(work));
        self.queue.changed.notify_one();
        Job(slot)
    }
}

impl Drop for Workers {
    /// What nobody waits for any more is not begun.
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.changed.notify_all();
        for thread in self.own.drain(..) {
            // A job's panic is its own.
            let _ = thread.join();
        }
    }
}

type Slot<T> = Arc<(Mutex<Option<Result<T, ()>>>, Condvar)>;

/// A job under way.
pub struct Job<T>(Slot<T>);

impl<T> Job<T> {
    /// The result, when it is there. A caller that has nothing else to do takes it from the [`Workers`].
    ///
    /// # Errors
    /// The job panicked.
    pub fn take(self) -> Result<T, RunError> {
        self.when_done(Option::take)
    }

    fn is_done(&self) -> bool {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The same job for several who wait for it.
    pub fn share(self) -> Shared<T> {
        Shared(self)
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

/// A job that every holder may wait for.
pub struct Shared<T>(Job<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(Job(Arc::clone(&self.0.0)))
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread::{ThreadId, current};

    use super::*;

    /// Who does a job while the only thread of the workers' own is held up: whoever waits for it, if anybody does.
    fn who_does_what_waits(threads: usize) -> ThreadId {
        let workers = Workers::new(threads).expect("a thread");
        let ((began, begins), (release, held)) = (channel(), channel::<()>());
        let holding = workers.submit(move || {
            began.send(()).expect("somebody waits");
            let _ = held.recv();
        });
        begins.recv().expect("the job begins");
        let job = workers.submit(|| current().id());
        let releasing = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            drop(release);
        });
        let who = workers.take(job).expect("a job that ends well");
        releasing.join().expect("a thread that ends well");
        holding.take().expect("a job that ends well");
        who
    }

    #[test]
    fn the_one_that_waits_works() {
        assert_eq!(who_does_what_waits(2), current().id());
    }

    #[test]
    fn with_one_thread_only_that_one_works() {
        assert_ne!(who_does_what_waits(1), current().id());
    }

    #[test]
    fn a_panic_is_of_the_job_alone() {
        for threads in [1, 2, 4] {
            let workers = Workers::new(threads).expect("threads");
            let jobs: Vec<_> = (0..20).map(|number| workers.submit(move || assert_ne!(number % 3, 0))).collect();
            for (number, job) in jobs.into_iter().enumerate() {
                let shared = job.share();
                let outcome = workers.wait(&shared);
                assert_eq!(
                    matches!(outcome, Err(RunError::Worker)),
                    number % 3 == 0,
                    "job {number} of {threads} threads"
                );
                assert_eq!(workers.wait(&shared.clone()).is_err(), number % 3 == 0, "the same again");
            }
        }
    }
}
