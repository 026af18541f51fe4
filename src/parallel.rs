//! Threads of a session: a private pool that never runs the server's code, and a main thread that
//! never blocks on it.
//!
//! `unsafe` is needed for the signal mask, for the exit callback and for asking the lock manager.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use convene_engine::{Error, Stop};
use pgrx::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Failure, Outcome};
use crate::settings;

/// How long the main thread sleeps between looking for interrupts.
const POLL: Duration = Duration::from_millis(20);
/// Progress is reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// First key of the advisory locks that bound how many calls compute in parallel.
const LOCK_CLASS: i32 = 0x636e_766e;

struct Pool {
    /// As many threads as the settings give.
    many: ThreadPool,
    /// For calls that found no place among the parallel ones: off the main thread all the same, so
    /// that a cancel is answered.
    one: ThreadPool,
    /// The flag of the job that runs now; the exit callback raises it.
    current: Stop,
}

thread_local! {
    /// Lives on the main thread only, made at the first parallel call of the session.
    static POOL: RefCell<Option<Pool>> = const { RefCell::new(None) };
}

/// Blocks every signal for the calling thread, and puts the old mask back when dropped.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> Self {
        // SAFETY: both sets live through the calls; the mask is this thread's own.
        unsafe {
            let mut every = std::mem::zeroed::<libc::sigset_t>();
            let mut before = std::mem::zeroed::<libc::sigset_t>();
            libc::sigfillset(&raw mut every);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const every, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: restores the mask saved by `new`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }
}

/// Whether the server's signals are all blocked in the thread that asks.
pub fn signals_blocked() -> bool {
    // SAFETY: reads the mask of this thread into a set that lives through the call.
    unsafe {
        let mut mask = std::mem::zeroed::<libc::sigset_t>();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
        [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2]
            .iter()
            .all(|signal| libc::sigismember(&raw const mask, *signal) == 1)
    }
}

fn build() -> Outcome<Pool> {
    // Workers inherit the mask of the thread that makes them: with nothing blocked, one of them
    // would run the server's signal handlers.
    let _blocked = SignalsBlocked::new();
    let threads = |count| {
        ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("convene {i}"))
            .build()
            .map_err(|error| Failure(Error::Worker(error.to_string())))
    };
    let pool = Pool {
        many: threads(settings::max_threads())?,
        one: threads(1)?,
        current: Stop::default(),
    };
    // SAFETY: registers a plain callback once per pool; it only touches this module's state.
    unsafe { pg_sys::before_shmem_exit(Some(end_pool), pg_sys::Datum::from(0)) };
    Ok(pool)
}

/// A terminated session never unwinds, so the workers are ended here, before the server takes its
/// memory apart.
#[pg_guard]
unsafe extern "C-unwind" fn end_pool(_code: i32, _arg: pg_sys::Datum) {
    let pool = POOL.with(|pool| pool.try_borrow_mut().ok().and_then(|mut pool| pool.take()));
    if let Some(pool) = pool {
        pool.current.request();
        // A drop only tells the workers to end; a broadcast waits until each is between jobs.
        pool.many.broadcast(|_| ());
        pool.one.broadcast(|_| ());
    }
}

/// Whether this call may compute in parallel: one of a bounded number of transaction-level locks
/// is free. None free means one thread, never a wait.
fn may_use_threads() -> bool {
    (0..settings::max_parallel_calls()).any(|place| {
        // SAFETY: a try-lock neither waits nor raises; it is released with the transaction.
        unsafe {
            pgrx::direct_function_call::<bool>(
                pg_sys::pg_try_advisory_xact_lock_int4,
                &[LOCK_CLASS.into_datum(), (place as i32).into_datum()],
            ) == Some(true)
        }
    })
}

fn describe(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without saying why".to_owned())
}

type Done<T> = std::thread::Result<convene_engine::Result<T>>;

/// Work on the pool that has not been waited for. Dropped before it is done, by a cancel, a time-out
/// or an error that unwinds, it is told to end.
pub struct Job<T> {
    what: &'static str,
    stop: Stop,
    receive: Receiver<Done<T>>,
    done: bool,
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        if !self.done {
            self.stop.request();
        }
    }
}

/// Runs `work` on the pool while this thread keeps answering the server; `what` names it in
/// progress messages. The job owns its data, because the caller may be gone before it ends.
///
/// Cancel, time-out and terminate act within a few polls; a panic is an error of this call.
pub fn run<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce(&Stop) -> convene_engine::Result<T> + Send + 'static,
) -> Outcome<T> {
    start(what, &Stop::default(), work)?.wait()
}

/// Hands `work` to the pool, so that this thread can do something else before it waits. Parts of one
/// stop are ended together.
pub fn start<T: Send + 'static>(
    what: &'static str,
    stop: &Stop,
    work: impl FnOnce(&Stop) -> convene_engine::Result<T> + Send + 'static,
) -> Outcome<Job<T>> {
    // The first thread that calls a guarded server function is the one that may: that is this one.
    pgrx::check_for_interrupts!();
    hand_over(what, stop, may_use_threads(), work)
}

/// As [`start`], on one thread: for work whose result is not needed before this thread is done with
/// something else, and that shall not take the processors from it.
pub fn start_aside<T: Send + 'static>(
    what: &'static str,
    stop: &Stop,
    work: impl FnOnce(&Stop) -> convene_engine::Result<T> + Send + 'static,
) -> Outcome<Job<T>> {
    pgrx::check_for_interrupts!();
    hand_over(what, stop, false, work)
}

fn hand_over<T: Send + 'static>(
    what: &'static str,
    stop: &Stop,
    in_parallel: bool,
    work: impl FnOnce(&Stop) -> convene_engine::Result<T> + Send + 'static,
) -> Outcome<Job<T>> {
    let of_worker = stop.clone();
    let (send, receive) = channel();
    let job = move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&of_worker)));
        // Nobody listens any more after a cancel.
        let _ = send.send(result);
    };
    POOL.with_borrow_mut(|pool| -> Outcome<()> {
        let pool = match pool {
            Some(pool) => pool,
            none => none.insert(build()?),
        };
        pool.current = stop.clone();
        if in_parallel {
            pool.many.spawn(job);
        } else {
            pool.one.spawn(job);
        }
        Ok(())
    })?;
    Ok(Job { what, stop: stop.clone(), receive, done: false })
}

impl<T> Job<T> {
    /// The result, once it is there.
    pub fn wait(mut self) -> Outcome<T> {
        let started = Instant::now();
        let mut reported = started;
        loop {
            match self.receive.recv_timeout(POLL) {
                Ok(Ok(Ok(value))) => {
                    self.done = true;
                    return Ok(value);
                }
                Ok(Ok(Err(error))) => return Err(error.into()),
                Ok(Err(panic)) => return Err(Failure(Error::Worker(describe(&*panic)))),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure(Error::Worker("it ended without an answer".into())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            pgrx::check_for_interrupts!();
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                report(self.what, self.stop.permille(), started.elapsed());
            }
        }
    }
}

/// What a job hands over before it is done.
pub struct Parts<P>(Receiver<P>);

/// Two ends: the job sends, this thread receives.
pub fn parts<P>() -> (Sender<P>, Parts<P>) {
    let (send, receive) = channel();
    (send, Parts(receive))
}

impl<P> Parts<P> {
    /// The next part, once it is there; `None` when no more will come, of a job that failed as well.
    pub fn next(&self) -> Outcome<Option<P>> {
        loop {
            match self.0.recv_timeout(POLL) {
                Ok(part) => return Ok(Some(part)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            pgrx::check_for_interrupts!();
        }
    }
}

fn report(what: &str, permille: u32, elapsed: Duration) {
    if permille == 0 {
        return;
    }
    let left = elapsed.as_secs_f64() * f64::from(1000 - permille) / f64::from(permille);
    notice!("{what}: {}.{} % done, about {left:.0} s left", permille / 10, permille % 10);
}
