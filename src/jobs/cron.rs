//! Jobs in the hands of `pg_cron`.

use convene_engine::Error;
use convene_engine::jobs::JOBS;
use pgrx::prelude::*;

use crate::db;
use crate::error::{Failure, OrRaise, Outcome};
use crate::owner::require_owner;
use crate::settings::config;

/// Whether `pg_cron` is in this database, is loaded for another one, or is not there at all.
pub(super) enum Cron {
    Here,
    In(String),
    Absent,
}

/// Where `pg_cron` is. It lives in one database of a server.
pub(super) fn cron() -> Outcome<Cron> {
    const HERE: &str = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'";
    if db::read_one(HERE, &[], |row| row.want::<i32>(1))?.is_some() {
        return Ok(Cron::Here);
    }
    Ok(config(c"cron.database_name").map_or(Cron::Absent, Cron::In))
}

fn absent() -> Failure {
    Failure(Error::WrongState {
        message: "pg_cron is not there".into(),
        detail: "This server does not load it, so that nothing would run what is scheduled.".into(),
        hint: "Add pg_cron to shared_preload_libraries, restart and CREATE EXTENSION pg_cron; or let another \
               scheduler run CALL convene.run_due_jobs(); every few minutes."
            .into(),
    })
}

fn not_created(database: &str) -> Failure {
    Failure(Error::WrongState {
        message: format!("pg_cron is loaded for this database, {database:?}, and not created in it"),
        detail: String::new(),
        hint: "As a superuser: CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO whoever schedules.".into(),
    })
}

/// Registers every job with `pg_cron`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn schedule_jobs() -> TableIterator<
    'static,
    (
        name!(job, String),
        name!(schedule, String),
        name!(job_id, Option<i64>),
        name!(statement, String),
    ),
> {
    TableIterator::new(schedule().or_raise())
}

type Scheduled = (String, String, Option<i64>, String);

/// Each job's name, schedule and the statement that registers it, as `pg_cron`'s own database takes it
/// from this one or another.
fn statements(here: bool) -> Outcome<Vec<(String, String, String)>> {
    const STATEMENTS: &str = "
        SELECT j.name, j.schedule,
               CASE WHEN $3 THEN pg_catalog.format('SELECT cron.schedule(%L, %L, %L)', j.name, j.schedule, c.command)
                    ELSE pg_catalog.format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L)', j.name, j.schedule,
                                           c.command, pg_catalog.current_database(), current_user) END
          FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY j (name, schedule, place),
       LATERAL (SELECT pg_catalog.format('CALL convene.run_job(%L)', j.name) AS command) c
         ORDER BY j.place";
    let (names, schedules): (Vec<&str>, Vec<&str>) =
        JOBS.iter().map(|job| (job.name, job.schedule)).unzip();
    db::read(STATEMENTS, &[names.into(), schedules.into(), here.into()], |row| {
        Ok((row.want(1)?, row.want(2)?, row.want(3)?))
    })
}

/// Not as the owner of the data but as the caller: `pg_cron` runs a job as whoever scheduled it.
fn schedule() -> Outcome<Vec<Scheduled>> {
    require_owner("schedule jobs")?;
    let here = match cron()? {
        Cron::Here => true,
        Cron::In(database) if database == crate::install::database_name()? => {
            return Err(not_created(&database));
        }
        Cron::In(_) => false,
        Cron::Absent => return Err(absent()),
    };
    let mut scheduled = Vec::with_capacity(JOBS.len());
    for (job, when, statement) in statements(here)? {
        let id = if here { register(&statement)? } else { None };
        scheduled.push((job, when, id, format!("{statement};")));
    }
    Ok(scheduled)
}

fn register(statement: &str) -> Outcome<Option<i64>> {
    let ids = db::write_once(statement, &[], |row| row.get::<i64>(1))?;
    Ok(ids.into_iter().next().flatten())
}

/// Takes every job back from `pg_cron`, and counts them.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn unschedule_jobs() -> i32 {
    let unschedule = || -> Outcome<i32> {
        require_owner("unschedule jobs")?;
        if !matches!(cron()?, Cron::Here) {
            return Err(absent());
        }
        let names: Vec<String> = JOBS.iter().map(|job| job.name.to_owned()).collect();
        let removed = db::write_once(UNSCHEDULE, &[names.into()], |row| row.want::<bool>(1))?;
        Ok(removed.len() as i32)
    };
    unschedule().or_raise()
}

/// By the id, and of the caller only: another role may have scheduled the same names for itself.
const UNSCHEDULE: &str = "
    SELECT cron.unschedule(j.jobid) FROM cron.job j
     WHERE j.jobname = ANY ($1) AND j.username = current_user
       AND j.database = pg_catalog.current_database()";
