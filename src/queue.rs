//! Work for the world outside: short claims with a lease and a fencing token, at least once.
//!
//! The statements are written once, as macros over the queue's table, and shared by every queue.

use convene_engine::Error;
use pgrx::datum::Interval;
use pgrx::prelude::*;

use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required};
use crate::install;
use crate::owner::{caller_is_owner, require_service, with_owner};

/// Parks what failed too often and whose last worker went away without a word.
macro_rules! park_sql {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET status = 'failed', processed_at = pg_catalog.now(),
                    last_error = coalesce(last_error, 'the lease ran out on the last attempt')
              WHERE status = 'leased' AND lease_until < pg_catalog.now() AND attempts >= $1"
        )
    };
}

/// Claims up to `$1` jobs for `$2`: pending ones whose time has come, and leased ones whose lease
/// ran out. Several pending rows of one target count as one; the rest are done with it. A row that
/// an open transaction enqueued or confirmed is locked by it and stays for later.
///
/// That `attempts` is not negative, which is always so, lets this and nothing else use the index for
/// claiming: whoever looks for a target would read all that is pending by it, if a plan was kept
/// since the queue was empty.
///
/// A queue whose target has other columns says so: which columns make the target, which of them is
/// reported, what becomes of the further rows of a target, and what else makes a row `q` claimable.
macro_rules! claim_sql {
    ($table:literal) => {
        $crate::queue::claim_sql!(
            $table, target: "target_kind, target_id", id: "target_id", further: "done", when: "true"
        )
    };
    ($table:literal, target: $target:literal, id: $id:literal, further: $further:literal,
     when: $when:literal) => {
        concat!(
            "WITH picked AS MATERIALIZED (
               SELECT id, ",
            $target,
            " FROM ",
            $table,
            " q
                WHERE attempts >= 0
                  AND ((status = 'pending' AND available_at <= pg_catalog.now())
                   OR (status = 'leased' AND lease_until < pg_catalog.now()))
                  AND (",
            $when,
            ")
                ORDER BY priority DESC, available_at, id
                LIMIT $1 FOR UPDATE SKIP LOCKED),
             first AS (
               SELECT DISTINCT ON (",
            $target,
            ") id FROM picked
                ORDER BY ",
            $target,
            ", id),
             merged AS (
               UPDATE ",
            $table,
            " SET status = '",
            $further,
            "', processed_at = pg_catalog.now()
                WHERE id IN (SELECT id FROM picked EXCEPT SELECT id FROM first))
             UPDATE ",
            $table,
            "
                SET status = 'leased', attempts = attempts + 1,
                    claimed_at = pg_catalog.now(), claimed_by = session_user,
                    lease_token = pg_catalog.gen_random_uuid(),
                    lease_until = pg_catalog.now() + $2
              WHERE id IN (SELECT id FROM first)
             RETURNING id, ",
            $id,
            ", attempts, lease_token, lease_until"
        )
    };
}

/// Locks the job that a worker reports on. `id` is the target that is reported, `given` a text that
/// the worker was given with it.
macro_rules! held_sql {
    ($table:literal) => {
        $crate::queue::held_sql!($table, id: "target_id", given: "payload->>'source_text'")
    };
    ($table:literal, id: $id:literal, given: $given:literal) => {
        concat!(
            "SELECT ",
            $id,
            ", status, lease_token, attempts, ",
            $given,
            "
               FROM ",
            $table,
            " WHERE id = $1 FOR UPDATE"
        )
    };
}

/// Ends jobs well.
macro_rules! finish_sql {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET status = 'done', processed_at = pg_catalog.now(),
                    lease_until = NULL, last_error = NULL WHERE id = ANY ($1)"
        )
    };
}

/// Gives a failed job back: to wait `$2` seconds, or parked where `$4` says that it was the last try.
macro_rules! fail_sql {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            "
                SET status = CASE WHEN $4 THEN 'failed' ELSE 'pending' END,
                    processed_at = CASE WHEN $4 THEN pg_catalog.now() END,
                    available_at = pg_catalog.now() + pg_catalog.make_interval(secs => $2),
                    lease_token = NULL, lease_until = NULL, last_error = $3
              WHERE id = $1
             RETURNING status, available_at"
        )
    };
}

pub(crate) use {claim_sql, fail_sql, finish_sql, held_sql, park_sql};

/// The most jobs that one call hands out.
pub const MOST_JOBS: i32 = 1000;
/// The longest error text that is kept.
const ERROR_CHARS: usize = 2000;

/// A job that a worker reports on.
pub struct Held {
    /// What the job is about.
    pub target_id: pgrx::Uuid,
    /// Attempts so far, this one included.
    pub attempts: i32,
    /// A text that the worker was given with it.
    pub given: Option<String>,
    /// Whether this very report has been taken already.
    pub done: bool,
}

/// The job, if the token is the one that it was handed out with last.
pub fn held(
    sql: &'static str,
    job_id: Option<pgrx::Uuid>,
    token: Option<pgrx::Uuid>,
) -> Outcome<Held> {
    let job_id = required(job_id, "p_job_id")?;
    let token = required(token, "p_lease_token")?;
    let found = db::write(sql, &[job_id.into()], |row| {
        Ok((
            Held {
                target_id: row.want(1)?,
                attempts: row.want(4)?,
                given: row.get(5)?,
                done: row.want::<String>(2)? == "done",
            },
            row.want::<String>(2)?,
            row.get::<pgrx::Uuid>(3)?,
        ))
    })?;
    match found.into_iter().next() {
        None => Err(crate::error::not_found("job", job_id)),
        Some((held, status, Some(current)))
            if current == token && (status == "leased" || status == "done") =>
        {
            Ok(held)
        }
        Some((_, status, _)) => Err(Failure(Error::WrongState {
            message: format!("job {job_id} is not held under this lease token"),
            detail: format!(
                "The job is {status}; its lease ran out and was handed on, or it has been reported on."
            ),
            hint: "Drop this result, and claim again.".into(),
        })),
    }
}

/// What to do with a job that failed.
pub struct Retry {
    /// Seconds to wait.
    pub seconds: f64,
    /// Whether it was the last attempt.
    pub last: bool,
}

/// How many attempts a job gets.
pub fn max_attempts() -> Outcome<i32> {
    Ok(limits()?.0)
}

fn limits() -> Outcome<(i32, f64, f64, f64)> {
    // A value of another kind is as good as none, and none of them leaves what can be worked with.
    const LIMITS: &str = "
        SELECT coalesce(pg_catalog.max(n.value) FILTER (WHERE key = 'queue.max_attempts'), 5)::int,
               coalesce(pg_catalog.max(n.value) FILTER (WHERE key = 'queue.backoff_base_seconds'), 10)::float8,
               coalesce(pg_catalog.max(n.value) FILTER (WHERE key = 'queue.backoff_cap_seconds'), 3600)::float8,
               pg_catalog.random()
          FROM (SELECT s.key, CASE pg_catalog.jsonb_typeof(s.value) WHEN 'number'
                       THEN pg_catalog.round(least(greatest(s.value::numeric, 0), 1e6), 3) END AS value
                  FROM convene.settings s WHERE s.key LIKE 'queue.%') n";
    let found = db::read_one(LIMITS, &[], |row| {
        Ok((row.want(1)?, row.want(2)?, row.want(3)?, row.want(4)?))
    })?;
    Ok(found.unwrap_or((5, 10.0, 3600.0, 0.5)))
}

/// Whether and when a job that failed `attempts` times is tried again.
pub fn retry(attempts: i32) -> Outcome<Retry> {
    let (most, base, cap, jitter) = limits()?;
    let seconds = convene_engine::queue::backoff_seconds(attempts.max(0) as u32, base, cap, jitter);
    Ok(Retry { seconds, last: attempts >= most })
}

/// The text of an error as it is kept.
pub fn shortened(error: &str) -> String {
    error.chars().take(ERROR_CHARS).collect()
}

/// A lease must be positive and no longer than a day.
pub fn check_lease(lease: Option<Interval>) -> Outcome<Interval> {
    const CHECK: &str =
        "SELECT $1 > '0'::pg_catalog.interval AND $1 <= '1 day'::pg_catalog.interval, $1::text";
    let lease = required(lease, "p_lease")?;
    let checked =
        db::read_one(CHECK, &[lease.into()], |row| Ok((row.want(1)?, row.want::<String>(2)?)))?;
    match checked {
        Some((true, _)) => Ok(lease),
        found => invalid(
            format!(
                "p_lease must be more than nothing and at most a day, not {}",
                found.map_or_else(String::new, |f| f.1)
            ),
            "A job whose lease runs out is handed to the next worker.",
            "Pass an interval such as '5 minutes'.",
        ),
    }
}

/// A copy of a database must not send what the original sends.
pub fn refuse_in_copy() -> Outcome<()> {
    const SAME: &str = "SELECT value = $1 FROM convene.settings WHERE key = 'home'";
    let same = db::read_one(SAME, &[install::home()?.into()], |row| row.want::<bool>(1))?;
    if same == Some(true) {
        return Ok(());
    }
    Err(Failure(Error::WrongState {
        message: "this database is a copy, and its queues are closed".into(),
        detail: "The setting 'home' names another system or database; two databases working off the same queue would do everything twice.".into(),
        hint: "If the original is gone or its workers are stopped: SELECT convene.adopt_copy();".into(),
    }))
}

/// Declares this database the one whose workers may send.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn adopt_copy() -> String {
    run_adopt_copy().or_raise()
}

fn run_adopt_copy() -> Outcome<String> {
    if !caller_is_owner()? {
        require_service("adopt a copy")?;
    }
    with_owner(|| {
        install::remember_home()?;
        Ok("this database is now the home of its queues".to_owned())
    })
}
