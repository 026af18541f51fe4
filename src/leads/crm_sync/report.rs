//! Workers report on the leads that they took.

use convene_engine::Error;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::json;

use super::follow;
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required};
use crate::owner::{require_service, with_owner};
use crate::queue;

const HELD: &str = queue::held_sql!("convene.crm_sync_queue", id: "lead_id", given: "crm_type");
const FINISH: &str = queue::finish_sql!("convene.crm_sync_queue");
const FAIL: &str = queue::fail_sql!("convene.crm_sync_queue");

/// The longest id that a CRM can have given a lead.
const ID_CHARS: usize = 255;

/// Takes the id under which a CRM keeps a lead now.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn complete_crm_sync(
    p_job_id: Option<pgrx::Uuid>,
    p_crm_lead_id: Option<&str>,
    p_lease_token: Option<pgrx::Uuid>,
) -> pgrx::JsonB {
    complete(p_job_id, p_crm_lead_id, p_lease_token).or_raise()
}

fn complete(
    job_id: Option<pgrx::Uuid>,
    crm_lead_id: Option<&str>,
    token: Option<pgrx::Uuid>,
) -> Outcome<pgrx::JsonB> {
    require_service("complete leads for a CRM")?;
    let crm_lead_id = checked_id(crm_lead_id)?;
    with_owner(|| {
        let held = queue::held(HELD, job_id, token)?;
        if !held.done {
            db::execute(FINISH, &[vec![job_id].into()])?;
            keep(job_id, held.target_id, crm_lead_id)?;
        }
        Ok(pgrx::JsonB(json!({
            "lead_id": held.target_id.to_string(), "crm_type": held.given, "status": "done",
            "crm_lead_id": reported(job_id)?,
        })))
    })
}

fn checked_id(id: Option<&str>) -> Outcome<&str> {
    let id = required(id, "p_crm_lead_id")?;
    if id.trim().is_empty() || id.chars().count() > ID_CHARS {
        return invalid(
            format!("p_crm_lead_id {id:?} is not an id"),
            "It is the id that the CRM answered with.",
            format!("Pass a text that is not blank, of at most {ID_CHARS} characters."),
        );
    }
    Ok(id)
}

/// Notes the id with the job and with the lead.
fn keep(job_id: Option<pgrx::Uuid>, lead: pgrx::Uuid, crm_lead_id: &str) -> Outcome<()> {
    const RESULT: &str = "
        UPDATE convene.crm_sync_queue
           SET result = pg_catalog.jsonb_build_object('crm_lead_id', $2) WHERE id = $1";
    const LEAD: &str = "UPDATE convene.lead_scoring SET crm_lead_id = $2
                         WHERE id = $1 AND crm_lead_id IS DISTINCT FROM $2";
    db::execute(RESULT, &[job_id.into(), crm_lead_id.into()])?;
    db::execute(LEAD, &[lead.into(), crm_lead_id.into()])?;
    follow(vec![lead])
}

/// The id that was reported first: a second report under the same token changes nothing.
fn reported(job_id: Option<pgrx::Uuid>) -> Outcome<Option<String>> {
    const REPORTED: &str =
        "SELECT result->>'crm_lead_id' FROM convene.crm_sync_queue WHERE id = $1";
    Ok(db::write(REPORTED, &[job_id.into()], |row| row.get(1))?.into_iter().next().flatten())
}

/// Gives a lead back that could not be brought to its CRM.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn fail_crm_sync(
    p_job_id: Option<pgrx::Uuid>,
    p_error: Option<&str>,
    p_lease_token: Option<pgrx::Uuid>,
    p_retry_after: default!(Option<Interval>, "NULL"),
) -> pgrx::JsonB {
    fail(p_job_id, p_error, p_lease_token, p_retry_after).or_raise()
}

fn fail(
    job_id: Option<pgrx::Uuid>,
    error: Option<&str>,
    token: Option<pgrx::Uuid>,
    retry_after: Option<Interval>,
) -> Outcome<pgrx::JsonB> {
    require_service("fail leads for a CRM")?;
    let error = queue::shortened(required(error, "p_error")?);
    let pause = retry_after.map(seconds).transpose()?;
    with_owner(|| {
        let held = queue::held(HELD, job_id, token)?;
        if held.done {
            return Err(Failure(Error::WrongState {
                message: "this job is done".into(),
                detail: "It was completed under the same lease token.".into(),
                hint: "Nothing needs to be done.".into(),
            }));
        }
        let mut retry = queue::retry(held.attempts)?;
        let mut attempts = held.attempts;
        if let Some(pause) = pause {
            forget_attempt(job_id)?;
            attempts -= 1;
            retry = queue::Retry { seconds: pause, last: false };
        }
        let arguments =
            [job_id.into(), retry.seconds.into(), error.as_str().into(), retry.last.into()];
        let state = db::write(FAIL, &arguments, |row| {
            Ok((row.want::<String>(1)?, row.want::<TimestampWithTimeZone>(2)?))
        })?;
        follow(vec![held.target_id])?;
        let (status, next) = state.into_iter().next().unzip();
        Ok(pgrx::JsonB(json!({
            "status": status, "attempts": attempts,
            "next_attempt_at": (!retry.last).then_some(next).flatten(),
        })))
    })
}

/// The seconds of a wait that the CRM asked for.
fn seconds(wait: Interval) -> Outcome<f64> {
    const SECONDS: &str = "
        SELECT $1 >= '0'::pg_catalog.interval AND $1 <= '1 day'::pg_catalog.interval,
               EXTRACT(epoch FROM $1)::float8, $1::text";
    let found = db::read_one(SECONDS, &[wait.into()], |row| {
        Ok((row.want::<bool>(1)?, row.want::<f64>(2)?, row.want::<String>(3)?))
    })?;
    match found {
        Some((true, seconds, _)) => Ok(seconds),
        found => invalid(
            format!(
                "p_retry_after must be between nothing and a day, not {}",
                found.map_or_else(String::new, |found| found.2)
            ),
            "It is how long the CRM asks to be left alone.",
            "Pass an interval such as '30 seconds', or leave it out.",
        ),
    }
}

/// A CRM that asks to come again later has not looked at the lead: that is no attempt.
fn forget_attempt(job_id: Option<pgrx::Uuid>) -> Outcome<()> {
    const FORGET: &str = "
        UPDATE convene.crm_sync_queue SET attempts = greatest(attempts - 1, 0) WHERE id = $1";
    db::execute(FORGET, &[job_id.into()])?;
    Ok(())
}
