//! Checks that an operator can run on their own machine.

use std::time::{Duration, Instant};

use convene_engine::Error;
use pgrx::prelude::*;
use rayon::prelude::*;
use serde_json::json;

use crate::error::{OrRaise, Outcome, invalid, required};
use crate::owner::require_owner;
use crate::parallel;

/// The longest run that may be asked for, in seconds.
const LONGEST: f64 = 3600.0;
/// How long a worker computes between two looks at the stop flag.
const STEP: Duration = Duration::from_millis(2);

/// Keeps the session's pool busy for a while and reports on its threads: whether a cancel, a
/// time-out and a termination are answered promptly can then be tried on this very machine.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn check_threads(
    p_seconds: default!(Option<f64>, "1"),
    p_fault: default!(Option<String>, "NULL"),
) -> pgrx::JsonB {
    run_check(p_seconds, p_fault.as_deref()).or_raise()
}

fn run_check(seconds: Option<f64>, fault: Option<&str>) -> Outcome<pgrx::JsonB> {
    require_owner("check the threads")?;
    let seconds = required(seconds, "p_seconds")?;
    if !(0.0..=LONGEST).contains(&seconds) {
        return invalid(
            format!("p_seconds must be between 0 and {LONGEST}, not {seconds}"),
            "",
            "Pass a number of seconds.",
        );
    }
    let panics = match fault {
        None => false,
        Some("panic") => true,
        Some(other) => {
            return invalid(
                format!("p_fault {other:?} is not known"),
                "",
                "Pass NULL, or 'panic' to see a failing worker become an error of this call.",
            );
        }
    };
    let lasts = Duration::from_secs_f64(seconds);
    let (threads, blocked) = parallel::run("check_threads", move |stop| busy(lasts, panics, stop))?;
    Ok(pgrx::JsonB(json!({
        "threads": threads, "seconds": seconds, "signals_blocked": blocked,
    })))
}

/// Computes on every thread of the pool until the time is over; how many threads there were, and
/// whether all had the server's signals blocked.
fn busy(
    lasts: Duration,
    panics: bool,
    stop: &convene_engine::Stop,
) -> convene_engine::Result<(usize, bool)> {
    let threads = rayon::current_num_threads();
    let until = Instant::now() + lasts;
    let blocked = (0..threads)
        .into_par_iter()
        .map(|_| {
            while Instant::now() < until {
                stop.check()?;
                let step = Instant::now();
                while step.elapsed() < STEP {
                    std::hint::spin_loop();
                }
                let left = until.saturating_duration_since(Instant::now());
                stop.progress(1000 - (left.as_secs_f64() / lasts.as_secs_f64() * 1000.0) as u32);
            }
            assert!(!panics, "a worker panicked, as it was asked to");
            Ok(parallel::signals_blocked())
        })
        .collect::<Result<Vec<bool>, Error>>()?;
    Ok((threads, blocked.into_iter().all(|b| b)))
}
