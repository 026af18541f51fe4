//! Work for the world outside, one job each: short claims under a lease, reports under its token.
//!
//! A message is rendered here, at the claim, where consent is looked at again: what has lost its
//! consent is withdrawn instead of handed out.

use std::collections::HashMap;

use convene_engine::Error;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::json;

use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, required, within};
use crate::owner::{require_service, with_owner};
use crate::peers::conversation::rendering::{Prepared, prepare};
use crate::queue::{self, MOST_JOBS};

const PARK: &str = concat!(queue::park_sql!("convene.outbox"), " RETURNING id");
// The key is each row's own: nothing is merged.
const CLAIM: &str = queue::claim_sql!(
    "convene.outbox", target: "target_id, idempotency_key", id: "target_id", further: "done",
    when: "q.topic = $3"
);
const HELD: &str = queue::held_sql!("convene.outbox");
const FINISH: &str = queue::finish_sql!("convene.outbox");
const FAIL: &str = queue::fail_sql!("convene.outbox");

/// The longest topic.
const MOST_TOPIC: usize = 100;
/// Rounds in which a claim looks for more, where what it found was withdrawn.
const MOST_ROUNDS: usize = 100;

/// Hands out work of a topic, each piece under a lease.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of a result have no other place.
fn claim_outbox(
    p_topic: Option<String>,
    p_limit: default!(Option<i32>, "100"),
    p_lease: default!(Option<Interval>, "'5 minutes'"),
) -> TableIterator<
    'static,
    (
        name!(id, pgrx::Uuid),
        name!(topic, String),
        name!(target_kind, String),
        name!(target_id, pgrx::Uuid),
        name!(event_id, Option<pgrx::Uuid>),
        name!(idempotency_key, String),
        name!(payload, Document),
        name!(attempts, i32),
        name!(lease_token, pgrx::Uuid),
        name!(lease_until, TimestampWithTimeZone),
    ),
> {
    let jobs = claim(p_topic, p_limit, p_lease).or_raise();
    TableIterator::new(jobs.into_iter().map(|job| {
        (
            job.id,
            job.topic,
            job.target_kind,
            job.target_id,
            job.event_id,
            job.key,
            job.payload,
            job.attempts,
            job.token,
            job.until,
        )
    }))
}

/// A piece of work under its lease.
struct Job {
    id: pgrx::Uuid,
    topic: String,
    target_kind: String,
    target_id: pgrx::Uuid,
    event_id: Option<pgrx::Uuid>,
    key: String,
    payload: Document,
    attempts: i32,
    token: pgrx::Uuid,
    until: TimestampWithTimeZone,
}

impl Job {
    fn is_peer_message(&self) -> bool {
        self.topic == "sms" && self.target_kind == "peer_message"
    }
}

fn claim(topic: Option<String>, limit: Option<i32>, lease: Option<Interval>) -> Outcome<Vec<Job>> {
    require_service("claim work of the outbox")?;
    let topic = required(topic, "p_topic")?;
    if topic.is_empty() || topic.len() > MOST_TOPIC {
        return invalid(
            format!("p_topic {topic:?} is not a topic"),
            "",
            "Pass the kind of work that this worker does, such as 'sms'.",
        );
    }
    let limit = within(limit, 1, MOST_JOBS, "p_limit")?;
    let lease = queue::check_lease(lease)?;
    with_owner(|| {
        queue::refuse_in_copy()?;
        park()?;
        let mut ready: Vec<Job> = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let found = take(&topic, limit - ready.len(), lease)?;
            let last = found.is_empty();
            ready.extend(look_again(found)?);
            if last || ready.len() >= limit {
                break;
            }
        }
        Ok(ready)
    })
}

/// What failed for the last time fails its message too.
fn park() -> Outcome<()> {
    let parked =
        db::write(PARK, &[queue::max_attempts()?.into()], |row| row.want::<pgrx::Uuid>(1))?;
    fail_messages(parked)
}

fn fail_messages(jobs: Vec<pgrx::Uuid>) -> Outcome<()> {
    const FAILED: &str = "
        UPDATE convene.peer_messages m SET status = 'failed', closed_at = coalesce(m.closed_at, pg_catalog.now())
         WHERE m.outbox_id = ANY ($1) AND m.status = 'queued'";
    if !jobs.is_empty() {
        db::execute(FAILED, &[jobs.into()])?;
    }
    Ok(())
}

fn take(topic: &str, limit: usize, lease: Interval) -> Outcome<Vec<Job>> {
    const DETAILS: &str = "
        SELECT o.id, o.topic, o.target_kind, o.target_id, o.event_id, o.idempotency_key, o.payload,
               o.attempts, o.lease_token, o.lease_until
          FROM convene.outbox o WHERE o.id = ANY ($1)
         ORDER BY o.priority DESC, o.available_at, o.queued_at, o.id";
    let claimed = db::write(CLAIM, &[(limit as i64).into(), lease.into(), topic.into()], |row| {
        row.want::<pgrx::Uuid>(1)
    })?;
    db::write(DETAILS, &[claimed.into()], |row| {
        Ok(Job {
            id: row.want(1)?,
            topic: row.want(2)?,
            target_kind: row.want(3)?,
            target_id: row.want(4)?,
            event_id: row.get(5)?,
            key: row.want(6)?,
            payload: row.want(7)?,
            attempts: row.want(8)?,
            token: row.want(9)?,
            until: row.want(10)?,
        })
    })
}

/// Looks at what was taken as its domain wants it: what may go out, ready; the rest is put back or
/// withdrawn.
fn look_again(found: Vec<Job>) -> Outcome<Vec<Job>> {
    let messages: Vec<pgrx::Uuid> =
        found.iter().filter(|job| job.is_peer_message()).map(|job| job.target_id).collect();
    let mut prepared = if messages.is_empty() { HashMap::new() } else { prepare(&messages)? };
    let stopped = stopped(&found)?;
    let mut ready = Vec::with_capacity(found.len());
    let mut sorted = Sorted::default();
    for mut job in found {
        if !job.is_peer_message() {
            if stopped.contains(&job.id) {
                sorted.cancel(&job, "all messages to this person have ended");
            } else {
                ready.push(job);
            }
            continue;
        }
        match prepared.remove(&job.target_id) {
            Some(Prepared::Ready { to, body, kind }) => {
                sorted.hand_out(&job, &to, &body);
                let message = json!({"to": to, "body": body, "kind": kind});
                job.payload = Document(message.to_string());
                ready.push(job);
            }
            Some(Prepared::Cancel(reason)) => sorted.cancel(&job, reason),
            Some(Prepared::Hold(seconds)) => sorted.hold(&job, seconds),
            None => sorted.hold(&job, BUSY_SECONDS),
        }
    }
    sorted.write()?;
    Ok(ready)
}

/// Whose messages have ended: jobs that are texted to a person, whatever they are about.
fn stopped(found: &[Job]) -> Outcome<Vec<pgrx::Uuid>> {
    const STOPPED: &str = "
        SELECT o.id FROM convene.outbox o
          JOIN convene.contractors c ON c.profile_id = o.profile_id AND c.messages_stopped_at IS NOT NULL
         WHERE o.id = ANY ($1) AND o.topic = 'sms' AND o.target_kind <> 'peer_message'";
    let ids: Vec<pgrx::Uuid> = found.iter().map(|job| job.id).collect();
    db::write(STOPPED, &[ids.into()], |row| row.want(1))
}

/// A person who is being answered is free again in no time.
const BUSY_SECONDS: f64 = 0.05;

/// What becomes of taken jobs, written in one statement each.
#[derive(Default)]
struct Sorted {
    bodies: (Vec<pgrx::Uuid>, Vec<String>, Vec<String>),
    cancelled: (Vec<pgrx::Uuid>, Vec<&'static str>),
    held: (Vec<pgrx::Uuid>, Vec<f64>),
}

impl Sorted {
    fn hand_out(&mut self, job: &Job, to: &str, body: &str) {
        self.bodies.0.push(job.target_id);
        self.bodies.1.push(to.to_owned());
        self.bodies.2.push(body.to_owned());
    }

    fn cancel(&mut self, job: &Job, reason: &'static str) {
        self.cancelled.0.push(job.id);
        self.cancelled.1.push(reason);
    }

    fn hold(&mut self, job: &Job, seconds: f64) {
        self.held.0.push(job.id);
        self.held.1.push(seconds);
    }

    fn write(self) -> Outcome<()> {
        const WORDS: &str = "
            UPDATE convene.peer_messages m SET phone = w.phone, body = w.body
              FROM unnest($1::uuid[], $2::text[], $3::text[]) w (id, phone, body) WHERE m.id = w.id";
        // Whatever a worker has had before may have been sent, and counts.
        const CANCEL: &str = "
            WITH gone AS (
              UPDATE convene.outbox o
                 SET status = 'cancelled', processed_at = pg_catalog.now(), last_error = w.reason,
                     lease_token = NULL, lease_until = NULL
                FROM unnest($1::uuid[], $2::text[]) w (id, reason) WHERE o.id = w.id
              RETURNING o.target_id, o.id)
            UPDATE convene.peer_messages m
               SET status = CASE WHEN m.body IS NULL THEN 'cancelled' ELSE 'failed' END,
                   closed_at = coalesce(m.closed_at, pg_catalog.now())
              FROM gone WHERE m.outbox_id = gone.id AND m.status = 'queued'";
        // As if it had never been taken.
        const HOLD: &str = "
            UPDATE convene.outbox o
               SET status = 'pending', attempts = o.attempts - 1, lease_token = NULL, lease_until = NULL,
                   available_at = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => w.seconds)
              FROM unnest($1::uuid[], $2::float8[]) w (id, seconds) WHERE o.id = w.id";
        if !self.bodies.0.is_empty() {
            db::execute(
                WORDS,
                &[self.bodies.0.into(), self.bodies.1.into(), self.bodies.2.into()],
            )?;
        }
        if !self.cancelled.0.is_empty() {
            db::execute(CANCEL, &[self.cancelled.0.into(), self.cancelled.1.into()])?;
        }
        if !self.held.0.is_empty() {
            db::execute(HOLD, &[self.held.0.into(), self.held.1.into()])?;
        }
        Ok(())
    }
}

/// Reports that a piece of work is done.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn ack_outbox(
    p_id: Option<pgrx::Uuid>,
    p_result: Option<Document>,
    p_lease_token: Option<pgrx::Uuid>,
) -> pgrx::JsonB {
    ack(p_id, p_result, p_lease_token).or_raise()
}

/// The most that a worker can report of one piece of work.
const MOST_RESULT: usize = 10_000;

fn ack(
    id: Option<pgrx::Uuid>,
    result: Option<Document>,
    token: Option<pgrx::Uuid>,
) -> Outcome<pgrx::JsonB> {
    const RESULT: &str = "UPDATE convene.outbox SET result = $2 WHERE id = $1";
    // A message was sent as much later than it was queued as the work lay in the outbox.
    const SENT: &str = "
        UPDATE convene.peer_messages m
           SET status = 'sent', sent_at = coalesce(m.queued_at + (pg_catalog.now() - least(o.queued_at, pg_catalog.now())), pg_catalog.now())
          FROM convene.outbox o WHERE o.id = $1 AND m.outbox_id = o.id AND m.status = 'queued'";
    require_service("report on work of the outbox")?;
    let id = required(id, "p_id")?;
    let length = result.as_ref().map_or(0, |result| result.0.len());
    if length > MOST_RESULT {
        return Err(Failure(Error::TooLarge {
            message: format!("p_result has {length} bytes"),
            hint: format!("Report at most {MOST_RESULT}: the other side's id says enough."),
        }));
    }
    with_owner(|| {
        let held = queue::held(HELD, Some(id), token)?;
        if !held.done {
            db::execute(FINISH, &[vec![Some(id)].into()])?;
            db::execute(RESULT, &[id.into(), result.into()])?;
            db::execute(SENT, &[id.into()])?;
        }
        Ok(pgrx::JsonB(json!({"id": id.to_string(), "status": "done", "attempts": held.attempts})))
    })
}

/// Reports that a piece of work could not be done.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn nack_outbox(
    p_id: Option<pgrx::Uuid>,
    p_error: Option<String>,
    p_lease_token: Option<pgrx::Uuid>,
    p_retry_after: default!(Option<Interval>, "NULL"),
    p_permanent: default!(Option<bool>, "false"),
) -> pgrx::JsonB {
    nack(p_id, p_error, p_lease_token, p_retry_after, p_permanent).or_raise()
}

fn nack(
    id: Option<pgrx::Uuid>,
    error: Option<String>,
    token: Option<pgrx::Uuid>,
    after: Option<Interval>,
    permanent: Option<bool>,
) -> Outcome<pgrx::JsonB> {
    require_service("report on work of the outbox")?;
    let id = required(id, "p_id")?;
    let error = queue::shortened(&required(error, "p_error")?);
    let permanent = required(permanent, "p_permanent")?;
    let least = after.map(seconds).transpose()?.unwrap_or(0.0);
    with_owner(|| {
        let held = queue::held(HELD, Some(id), token)?;
        if held.done {
            return Err(Failure(Error::WrongState {
                message: "this job is done".into(),
                detail: "It was reported on under the same lease token.".into(),
                hint: "Nothing needs to be done.".into(),
            }));
        }
        let retry = queue::retry(held.attempts)?;
        let last = retry.last || permanent;
        let arguments =
            [id.into(), retry.seconds.max(least).into(), error.as_str().into(), last.into()];
        let state = db::write(FAIL, &arguments, |row| {
            Ok((row.want::<String>(1)?, row.want::<TimestampWithTimeZone>(2)?))
        })?;
        if last {
            fail_messages(vec![id])?;
        }
        let (status, next) = state.into_iter().next().unzip();
        Ok(pgrx::JsonB(json!({
            "id": id.to_string(), "status": status, "attempts": held.attempts,
            "next_attempt_at": (!last).then_some(next).flatten(),
        })))
    })
}

/// How long the other side asked to be left alone: at most a day.
fn seconds(after: Interval) -> Outcome<f64> {
    const SECONDS: &str = "
        SELECT $1 >= '0'::pg_catalog.interval AND $1 <= '1 day'::pg_catalog.interval,
               pg_catalog.date_part('epoch', $1), $1::text";
    let read = db::read_one(SECONDS, &[after.into()], |row| {
        Ok((row.want::<bool>(1)?, row.want::<f64>(2)?, row.want::<String>(3)?))
    })?;
    match read {
        Some((true, seconds, _)) => Ok(seconds),
        found => invalid(
            format!(
                "p_retry_after must be between nothing and a day, not {}",
                found.map_or_else(String::new, |found| found.2)
            ),
            "",
            "Pass what the other side asked for, such as '30 seconds', or leave it out.",
        ),
    }
}
