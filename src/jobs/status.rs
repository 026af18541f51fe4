//! How the jobs are.

use std::collections::HashMap;

use convene_engine::jobs::{JOBS, Job};
use pgrx::prelude::*;

use super::cron::{Cron, cron};
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::owner::{require_service, with_owner};

/// A run that begins in the future is from before the clock was set back, and would keep its job waiting until then.
const LAST: &str = "
    SELECT DISTINCT ON (job) job, status, started_at, finished_at, done, message,
           EXTRACT(epoch FROM pg_catalog.clock_timestamp() - started_at)::float8
      FROM convene.job_runs WHERE started_at <= pg_catalog.clock_timestamp()
     ORDER BY job, started_at DESC";

/// What the caller may see of `pg_cron`'s list; a superuser sees all of it.
const SCHEDULED: &str = "
    SELECT DISTINCT j.jobname::text FROM cron.job j
     WHERE j.active AND j.database = pg_catalog.current_database() AND j.jobname IS NOT NULL";

/// The last run of a job.
pub(super) struct Run {
    status: String,
    started_at: TimestampWithTimeZone,
    finished_at: Option<TimestampWithTimeZone>,
    done: i64,
    message: Option<String>,
    age: f64,
}

type Line = (
    String,
    String,
    Option<bool>,
    bool,
    Option<String>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<i64>,
    Option<String>,
);

/// Every job: whether `pg_cron` has it, whether it is due, and how its last run went.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn job_status() -> TableIterator<
    'static,
    (
        name!(job, String),
        name!(schedule, String),
        name!(scheduled, Option<bool>),
        name!(due, bool),
        name!(status, Option<String>),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(finished_at, Option<TimestampWithTimeZone>),
        name!(done, Option<i64>),
        name!(message, Option<String>),
    ),
> {
    TableIterator::new(lines().or_raise())
}

fn lines() -> Outcome<Vec<Line>> {
    require_service("look at jobs")?;
    let scheduled = scheduled()?;
    let mut runs = with_owner(last_runs)?;
    let line = |job: &Job| {
        let has = scheduled.as_ref().map(|names| names.iter().any(|name| name == job.name));
        let run = runs.remove(job.name);
        let due = is_due(job, run.as_ref());
        let (name, when) = (job.name.to_owned(), job.schedule.to_owned());
        match run {
            None => (name, when, has, due, None, None, None, None, None),
            Some(run) => (
                name,
                when,
                has,
                due,
                Some(run.status),
                Some(run.started_at),
                run.finished_at,
                Some(run.done),
                run.message,
            ),
        }
    };
    Ok(JOBS.iter().map(line).collect())
}

/// Names that `pg_cron` has for this database; `None` where it is not in this one, and cannot be asked.
fn scheduled() -> Outcome<Option<Vec<String>>> {
    match cron()? {
        Cron::Here => Ok(Some(db::read_once(SCHEDULED, &[], |row| row.want(1))?)),
        Cron::In(_) | Cron::Absent => Ok(None),
    }
}

/// Whether it is time for a job, by its last run.
pub(super) fn is_due(job: &Job, run: Option<&Run>) -> bool {
    job.is_due(run.map(|run| run.age), run.is_some_and(|run| run.status == "failed"))
}

/// The last run of each job that ever ran, by its name.
pub(super) fn last_runs() -> Outcome<HashMap<String, Run>> {
    let runs = db::read(LAST, &[], |row| {
        let run = Run {
            status: row.want(2)?,
            started_at: row.want(3)?,
            finished_at: row.get(4)?,
            done: row.want(5)?,
            message: row.get(6)?,
            age: row.want(7)?,
        };
        Ok((row.want::<String>(1)?, run))
    })?;
    Ok(runs.into_iter().collect())
}
