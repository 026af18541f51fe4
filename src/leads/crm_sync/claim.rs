//! Workers take leads to a CRM.

use std::collections::{HashMap, HashSet};

use convene_engine::leads::crm::{self, Crm, Fields, Lead};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::lead::{self, lead_columns};
use super::{LOCK_CLASS, digest_sql, follow, key_sql};
use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::{require_service, with_owner};
use crate::queue;

/// One job as a worker gets it.
type Job = (
    pgrx::Uuid,
    pgrx::Uuid,
    pgrx::Uuid,
    String,
    String,
    Option<String>,
    String,
    pgrx::JsonB,
    i32,
    pgrx::Uuid,
    TimestampWithTimeZone,
);

/// Hands out leads that wait for a CRM, rendered in its field names.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn claim_crm_sync(
    p_limit: default!(Option<i32>, "10"),
    p_lease: default!(Option<Interval>, "'5 minutes'"),
    p_crm_type: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(job_id, pgrx::Uuid),
        name!(lead_id, pgrx::Uuid),
        name!(sponsor_id, pgrx::Uuid),
        name!(crm_type, String),
        name!(operation, String),
        name!(crm_lead_id, Option<String>),
        name!(idempotency_key, String),
        name!(payload, pgrx::JsonB),
        name!(attempts, i32),
        name!(lease_token, pgrx::Uuid),
        name!(lease_until, TimestampWithTimeZone),
    ),
> {
    TableIterator::new(run(p_limit, p_lease, p_crm_type).or_raise())
}

fn run(limit: Option<i32>, lease: Option<Interval>, crm: Option<&str>) -> Outcome<Vec<Job>> {
    require_service("claim leads for a CRM")?;
    let limit = within(limit, 1, queue::MOST_JOBS, "p_limit")?;
    let lease = queue::check_lease(lease)?;
    let crm = crm.map(Crm::parse).transpose()?;
    with_owner(|| {
        queue::refuse_in_copy()?;
        park()?;
        let mut leased = take(limit, lease, crm)?;
        give_back_doubles(&mut leased)?;
        let (ready, gone) = render(&leased)?;
        cancel(gone)?;
        hand_out(leased, ready)
    })
}

fn park() -> Outcome<()> {
    const PARK: &str = concat!(queue::park_sql!("convene.crm_sync_queue"), " RETURNING lead_id");
    let parked = db::write(PARK, &[queue::max_attempts()?.into()], |row| row.want(1))?;
    follow(parked)
}

/// A job that is leased to this worker.
struct Leased {
    id: pgrx::Uuid,
    attempts: i32,
    token: pgrx::Uuid,
    until: TimestampWithTimeZone,
}

/// A lead is in one worker's hand at a time, whatever was queued for it since: two requests for one
/// lead could pass each other on the way, or each create it. Asked row by row: for NOT EXISTS the
/// server would hash every leased row to hand out one job.
const CLAIM: &str = queue::claim_sql!(
    "convene.crm_sync_queue",
    target: "lead_id, crm_type",
    id: "lead_id",
    further: "cancelled",
    when: "q.status = 'leased'
           OR (SELECT o.id FROM convene.crm_sync_queue o
                WHERE o.lead_id = q.lead_id AND o.crm_type = q.crm_type AND o.status = 'leased'
                LIMIT 1) IS NULL"
);
/// The same for one CRM, which has an order of its own in an index.
const CLAIM_ONE: &str = queue::claim_sql!(
    "convene.crm_sync_queue",
    target: "lead_id, crm_type",
    id: "lead_id",
    further: "cancelled",
    when: "q.crm_type = $3
           AND (q.status = 'leased'
                OR (SELECT o.id FROM convene.crm_sync_queue o
                     WHERE o.lead_id = q.lead_id AND o.crm_type = q.crm_type
                       AND o.status = 'leased' LIMIT 1) IS NULL)"
);

fn take(limit: usize, lease: Interval, crm: Option<Crm>) -> Outcome<Vec<Leased>> {
    let mut arguments = vec![(limit as i64).into(), lease.into()];
    arguments.extend(crm.map(|crm| crm.name().into()));
    db::write(crm.map_or(CLAIM, |_| CLAIM_ONE), &arguments, |row| {
        Ok(Leased {
            id: row.want(1)?,
            attempts: row.want(3)?,
            token: row.want(4)?,
            until: row.want(5)?,
        })
    })
}

/// Two claims at the same time can each take one of two rows of a lead without seeing the other.
/// The lock tells them apart, until the one that has it has committed; after that the row does.
fn give_back_doubles(leased: &mut Vec<Leased>) -> Outcome<()> {
    const MINE: &str = "
        WITH claimed AS MATERIALIZED (
          SELECT q.id, q.lead_id::text || q.crm_type AS target
            FROM convene.crm_sync_queue q WHERE q.id = ANY ($1))
        SELECT c.id FROM claimed c
         WHERE pg_catalog.pg_try_advisory_xact_lock($2, pg_catalog.hashtext(c.target))";
    const GIVE_BACK: &str = "
        UPDATE convene.crm_sync_queue q
           SET status = 'pending', attempts = q.attempts - 1, lease_token = NULL, lease_until = NULL,
               available_at = pg_catalog.now() + '1 second'::pg_catalog.interval
         WHERE q.id = ANY ($1)
           AND (NOT q.id = ANY ($2)
                OR EXISTS (SELECT FROM convene.crm_sync_queue o
                            WHERE o.lead_id = q.lead_id AND o.crm_type = q.crm_type
                              AND o.status = 'leased' AND o.id <> q.id))
        RETURNING q.id";
    let ids: Vec<pgrx::Uuid> = leased.iter().map(|job| job.id).collect();
    let mine =
        db::write(MINE, &[ids.clone().into(), LOCK_CLASS.into()], |row| row.want::<pgrx::Uuid>(1))?;
    let given = db::write(GIVE_BACK, &[ids.into(), mine.into()], |row| row.want(1))?;
    let given: HashSet<pgrx::Uuid> = given.into_iter().collect();
    leased.retain(|job| !given.contains(&job.id));
    Ok(())
}

/// A job with what is to be sent.
struct Ready {
    id: pgrx::Uuid,
    lead_id: pgrx::Uuid,
    sponsor_id: pgrx::Uuid,
    crm: Crm,
    crm_lead_id: Option<String>,
    fields: Fields,
    lead: Lead,
}

/// What is known of the leads at this moment, with their id in the CRM: what the last job reported,
/// else what the lead says, unless another CRM gave it that id.
const READ: &str = concat!(
    "SELECT q.id, q.crm_type, q.sponsor_id, q.payload->'sync_fields',
            coalesce(d.crm_lead_id, CASE WHEN o.other THEN NULL ELSE l.crm_lead_id END),
            coalesce(l.consented, false), ",
    lead_columns!(),
    " FROM convene.crm_sync_queue q
      LEFT JOIN convene.lead_scoring l ON l.id = q.lead_id
      LEFT JOIN convene.attendees a ON a.id = l.attendee_id
      LEFT JOIN convene.profiles p ON p.id = a.profile_id
      LEFT JOIN convene.events e ON e.id = l.event_id
      LEFT JOIN LATERAL (
           SELECT f.result->>'crm_lead_id' AS crm_lead_id FROM convene.crm_sync_queue f
            WHERE f.lead_id = q.lead_id AND f.crm_type = q.crm_type AND f.status = 'done'
              AND f.result->>'crm_lead_id' <> ''
            ORDER BY f.processed_at DESC, f.id DESC LIMIT 1) d ON true
      LEFT JOIN LATERAL (
           SELECT EXISTS (SELECT FROM convene.crm_sync_queue f
                           WHERE f.lead_id = q.lead_id AND f.crm_type <> q.crm_type
                             AND f.status = 'done') AS other) o ON true
     WHERE q.id = ANY ($1)"
);
/// The columns of it before the lead's.
const BEFORE_LEAD: usize = 6;

/// What to send of each job, and the jobs whose lead is gone or no longer the sponsor's to see.
fn render(leased: &[Leased]) -> Outcome<(Vec<Ready>, Vec<pgrx::Uuid>)> {
    let ids: Vec<pgrx::Uuid> = leased.iter().map(|job| job.id).collect();
    let mut gone = Vec::new();
    // By a writer's snapshot: it shows what is committed by now, a withdrawal a moment ago as well.
    let ready = db::write(READ, &[ids.into()], |row| {
        let id = row.want(1)?;
        if !row.want::<bool>(BEFORE_LEAD)? {
            gone.push(id);
            return Ok(None);
        }
        let (lead_id, lead) = lead::read(row, BEFORE_LEAD)?;
        Ok(Some(Ready {
            id,
            lead_id,
            sponsor_id: row.want(3)?,
            crm: Crm::parse(&row.want::<String>(2)?)?,
            crm_lead_id: row.get(5)?,
            fields: asked(row.get::<pgrx::JsonB>(4)?),
            lead,
        }))
    })?;
    Ok((ready.into_iter().flatten().collect(), gone))
}

/// The groups that a row asks for; a row that was written by hand may name none that is known.
fn asked(fields: Option<pgrx::JsonB>) -> Fields {
    let names = fields.and_then(|fields| match fields.0 {
        Value::Array(names) => Some(names),
        _ => None,
    });
    let names: Vec<String> =
        names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    Fields::parse(names.iter().map(String::as_str)).unwrap_or(Fields::ALL)
}

fn cancel(gone: Vec<pgrx::Uuid>) -> Outcome<()> {
    const CANCEL: &str = "
        UPDATE convene.crm_sync_queue
           SET status = 'cancelled', attempts = attempts - 1, processed_at = pg_catalog.now(),
               lease_token = NULL, lease_until = NULL,
               last_error = 'the lead is gone, or its attendee does not share it with the sponsor'
         WHERE id = ANY ($1)
        RETURNING lead_id";
    if gone.is_empty() {
        return Ok(());
    }
    let leads = db::write(CANCEL, &[gone.into()], |row| row.want(1))?;
    follow(leads)
}

/// Keeps what each job was handed out with, and answers with the jobs in the order of the claim.
fn hand_out(leased: Vec<Leased>, ready: Vec<Ready>) -> Outcome<Vec<Job>> {
    let mut keys = keep(&ready)?;
    let mut ready: HashMap<pgrx::Uuid, Ready> =
        ready.into_iter().map(|job| (job.id, job)).collect();
    let jobs = leased.into_iter().filter_map(|Leased { id, attempts, token, until }| {
        let job = ready.remove(&id)?;
        let key = keys.remove(&id)?;
        let create = job.crm_lead_id.is_none();
        let payload = crm::render(job.crm, job.fields, &job.lead, create);
        let operation = if create { "create" } else { "update" };
        Some((
            id,
            job.lead_id,
            job.sponsor_id,
            job.crm.name().to_owned(),
            operation.to_owned(),
            job.crm_lead_id,
            key,
            pgrx::JsonB(payload),
            attempts,
            token,
            until,
        ))
    });
    Ok(jobs.collect())
}

/// Digests are of the body that creates the lead, so that the first one and an update compare.
const KEEP: &str = concat!(
    "WITH given AS MATERIALIZED (
       SELECT i.id, i.fields, ",
    digest_sql!("i.content"),
    " AS content FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) i (id, content, fields))
     UPDATE convene.crm_sync_queue q
        SET payload = pg_catalog.jsonb_build_object('content', g.content, 'sync_fields', g.fields),
            idempotency_key = ",
    key_sql!("q.crm_type", "q.lead_id", "q.id", "g.content"),
    " FROM given g WHERE q.id = g.id RETURNING q.id, q.idempotency_key"
);

fn keep(ready: &[Ready]) -> Outcome<HashMap<pgrx::Uuid, String>> {
    let ids: Vec<pgrx::Uuid> = ready.iter().map(|job| job.id).collect();
    let contents: Vec<String> = ready
        .iter()
        .map(|job| crm::render(job.crm, job.fields, &job.lead, true).to_string())
        .collect();
    let fields: Vec<pgrx::JsonB> =
        ready.iter().map(|job| pgrx::JsonB(json!(job.fields.names()))).collect();
    let kept = db::write(KEEP, &[ids.into(), contents.into(), fields.into()], |row| {
        Ok((row.want(1)?, row.want(2)?))
    })?;
    Ok(kept.into_iter().collect())
}
