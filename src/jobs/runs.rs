//! The two ends of a job's run. What lies between them, `convene.run_job`, is a procedure in
//! `sql/jobs.sql`, because only a procedure may commit.

use convene_engine::jobs::{JOBS, Job, Portions};
use pgrx::prelude::*;

use super::status::{is_due, last_runs};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::owner::{require_service, with_owner};

/// Whoever else runs the job holds this lock for each of its transactions.
const LOCK: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('convene job'), pg_catalog.hashtext($1))";

/// A run has no lock between two of its transactions. There its process is still busy, which was there before the run; one
/// that may not be looked at is believed for an hour.
const ALIVE: &str = "
    SELECT EXISTS (
      SELECT FROM convene.job_runs r JOIN pg_catalog.pg_stat_activity a ON a.pid = r.pid
       WHERE r.job = $1 AND r.status = 'running' AND a.pid <> pg_catalog.pg_backend_pid()
         AND a.datname = pg_catalog.current_database()
         AND CASE WHEN a.state IS NULL THEN r.updated_at > pg_catalog.now() - interval '1 hour'
                  ELSE a.state = 'active' AND a.backend_start <= r.started_at END)";

/// The lock is ours and nobody is between two portions, so whatever of this job still says that it runs has ended without a word.
const BURY: &str = "
    UPDATE convene.job_runs
       SET status = 'failed', finished_at = pg_catalog.clock_timestamp(),
           message = 'its session ended before it did'
     WHERE job = $1 AND status = 'running'";

const BEGIN: &str = "
    INSERT INTO convene.job_runs (job, pid) VALUES ($1, pg_catalog.pg_backend_pid()) RETURNING id";

/// The events whose end is at most so many days ago; one without an end is not over before it is
/// said to be.
const EVENTS: &str = "
    SELECT e.id FROM convene.events e
     WHERE e.is_public
       AND CASE WHEN e.end_at IS NULL THEN e.status = 'published'
                ELSE e.end_at > pg_catalog.now() - pg_catalog.make_interval(days => $1) END
     ORDER BY e.start_at, e.id";

/// A failure is kept, whatever is done after it.
const RECORD: &str = "
    UPDATE convene.job_runs
       SET done = least(done + coalesce($2, 0)::numeric, 9223372036854775807),
           message = pg_catalog.left(CASE WHEN status = 'failed' THEN message ELSE coalesce($4, $3, message) END, 2000),
           status = CASE WHEN $4 IS NOT NULL THEN 'failed' ELSE status END
     WHERE id = $1";

const END: &str = "
    UPDATE convene.job_runs
       SET status = CASE WHEN status = 'running' THEN 'done' ELSE status END,
           finished_at = pg_catalog.clock_timestamp()
     WHERE id = $1";

/// Which jobs a round has to run, in order.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn due_jobs(p_all: default!(Option<bool>, "false")) -> Vec<String> {
    let due = || -> Outcome<Vec<String>> {
        require_service("run jobs")?;
        let all = required(p_all, "p_all")?;
        let runs = with_owner(last_runs)?;
        let is_due = |job: &&Job| all || is_due(job, runs.get(job.name));
        Ok(JOBS.iter().filter(is_due).map(|job| job.name.to_owned()).collect())
    };
    due().or_raise()
}

/// Puts a run on record; no row where another session runs the job.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn begin_job(
    p_job: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(run_id, pgrx::Uuid),
        name!(command, String),
        name!(batches, bool),
        name!(targets, Vec<Option<pgrx::Uuid>>),
    ),
> {
    let begun = begin(p_job).or_raise();
    TableIterator::new(begun)
}

type Begun = (pgrx::Uuid, String, bool, Vec<Option<pgrx::Uuid>>);

fn begin(name: Option<&str>) -> Outcome<Option<Begun>> {
    require_service("run jobs")?;
    let job = Job::named(required(name, "p_job")?)?;
    with_owner(|| {
        let free = db::write(LOCK, &[job.name.into()], |row| row.want::<bool>(1))?;
        if free != [true]
            || db::write(ALIVE, &[job.name.into()], |row| row.want::<bool>(1))? == [true]
        {
            return Ok(None);
        }
        db::execute(BURY, &[job.name.into()])?;
        let targets = match job.portions {
            Portions::Whole | Portions::Batches => vec![None],
            Portions::Events { ended_days } => {
                db::read(EVENTS, &[ended_days.into()], |row| row.get(1))?
            }
        };
        let ids = db::write(BEGIN, &[job.name.into()], |row| row.want(1))?;
        let batches = job.portions == Portions::Batches;
        Ok(ids.into_iter().next().map(|id| (id, job.command.to_owned(), batches, targets)))
    })
}

/// Notes what one transaction of a run did, or why it failed; with `p_last`, the run's end.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn record_job_step(
    p_run_id: Option<pgrx::Uuid>,
    p_done: Option<i64>,
    p_note: Option<&str>,
    p_error: Option<&str>,
    p_last: default!(Option<bool>, "false"),
) {
    let record = || -> Outcome<()> {
        require_service("run jobs")?;
        let run = required(p_run_id, "p_run_id")?;
        let last = required(p_last, "p_last")?;
        if let Some(done) = p_done.filter(|done| *done < 0) {
            return invalid(
                format!("p_done must be 0 or more, not {done}"),
                "",
                "Pass how much this step did.",
            );
        }
        with_owner(|| {
            let step = [run.into(), p_done.into(), p_note.into(), p_error.into()];
            if db::execute(RECORD, &step)? == 0 {
                return Err(crate::error::not_found("run of a job", run));
            }
            if last {
                db::execute(END, &[run.into()])?;
            }
            Ok(())
        })
    };
    record().or_raise();
}
