//! A whole event at once: learn from its interactions, then rank for everybody who attends.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use convene_engine::Error;
use convene_engine::collaborative::{Interactions, ItemWeights};
use convene_engine::recommendation::{Algorithm, Interest, Options, Person, recommend_all};
use pgrx::prelude::*;
use rayon::prelude::*;
use serde_json::json;

use super::cache::{self, KEPT};
use super::crowd::{self, Crowd};
use super::person::Context;
use super::training;
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome};
use crate::owner::with_owner;
use crate::programme::{self, Event, micros};
use crate::{parallel, settings};

/// Bytes that one person's signals and picks take while a batch is computed, on the high side.
const BYTES_PER_PERSON: usize = 8 * 1024;
/// First key of the advisory lock that keeps two refreshes of one event apart.
const LOCK_CLASS: i32 = 0x636e_7672;

/// Learns an event's weights where enough has changed, and keeps everybody's recommendations.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_event_recommendations(
    p_event_id: Option<pgrx::Uuid>,
    p_retrain: default!(Option<bool>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    refresh(p_event_id, p_retrain, p_now).or_raise()
}

fn refresh(
    event_id: Option<pgrx::Uuid>,
    retrain: Option<bool>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let event_id = auth::managed_event(event_id)?;
    let now = auth::moment(now, auth::caller()? == Caller::Service)?;
    with_owner(|| {
        lock(event_id)?;
        let context = Context::read(event_id)?;
        let event = programme::load(event_id, &context.state)?;
        let crowd = crowd::read(&event)?;
        let half_life = context.options(KEPT, Algorithm::Hybrid, micros(now))?.half_life_days;
        let ledger =
            Interactions::of_people(&crowd.people, event.ids.len(), half_life, micros(now))?;
        let interactions = ledger.len();
        let due = training::is_due(event_id, event.ids.len(), interactions)?;
        let trained = retrain.unwrap_or(due);
        if trained {
            let learned = training::learn(&context, ledger)?;
            training::store(&event, &learned, crowd.people.len(), interactions)?;
        }
        count_interest(event_id)?;
        let people = crowd.people.len();
        let kept = keep_all(event_id, crowd, now)?;
        summary(event_id, trained, people, kept, interactions)
    })
}

fn lock(event_id: pgrx::Uuid) -> Outcome<()> {
    const LOCK: &str = "
        SELECT pg_catalog.pg_try_advisory_xact_lock($1, pg_catalog.hashtext($2::text))";
    let free =
        db::read_one(LOCK, &[LOCK_CLASS.into(), event_id.into()], |row| row.want::<bool>(1))?;
    if free == Some(true) {
        return Ok(());
    }
    Err(Failure(Error::Locked {
        message: format!("the recommendations of event {event_id} are being refreshed already"),
        hint: "Wait for the other refresh to end.".into(),
    }))
}

/// Brings the counts of interest up to the ledger, which large events leave to this.
fn count_interest(event_id: pgrx::Uuid) -> Outcome<()> {
    const COUNT: &str = "SELECT convene_private.refresh_popularity($1)::text";
    db::write(COUNT, &[event_id.into()], |_| Ok(()))?;
    Ok(())
}

/// The span of time in which no session ends, around `now`: inside it the same sessions are past.
fn validity(event: &Event, now: i64) -> (i64, i64) {
    let ends = || (0..event.ids.len() as u32).map(|i| event.programme.session(i).end);
    (
        ends().filter(|end| *end <= now).max().unwrap_or(i64::MIN),
        ends().filter(|end| *end > now).min().unwrap_or(i64::MAX),
    )
}

/// Ranks for everybody in batches and keeps the picks; how many people have some kept.
fn keep_all(event_id: pgrx::Uuid, crowd: Crowd, now: TimestampWithTimeZone) -> Outcome<usize> {
    const FORGET: &str = "
        DELETE FROM convene.recommendation_cache c USING convene.attendee_preferences p
         WHERE c.event_id = $1 AND p.event_id = $1 AND p.attendee_id = c.attendee_id
           AND NOT p.recommendation_enabled";
    let context = Context::read(event_id)?;
    let event = programme::load(event_id, &context.state)?;
    let options = context.options(KEPT, Algorithm::Hybrid, micros(now))?;
    let weights = Arc::new(training::stored(&event)?);
    let span = match options.half_life_days {
        // Signals that fade change the answer with every moment.
        Some(_) => (micros(now), micros(now)),
        None => validity(&event, micros(now)),
    };
    let fingerprint = context.fingerprint();
    let wanting: Vec<usize> = (0..crowd.ids.len()).filter(|i| crowd.enabled[*i]).collect();
    let mut people: Vec<Option<Person>> = crowd.people.into_iter().map(Some).collect();
    let standing = standing(event_id, &fingerprint, span)?;
    let stale: Vec<usize> = wanting
        .iter()
        .copied()
        .filter(|i| !standing.contains(&(crowd.ids[*i], crowd.revs[*i])))
        .collect();
    for batch in stale.chunks((settings::max_batch_bytes() / BYTES_PER_PERSON).max(1)) {
        let of_batch: Vec<Person> = batch.iter().filter_map(|i| people[*i].take()).collect();
        let packed = rank(&event, of_batch, &weights, options.clone())?;
        let ids: Vec<pgrx::Uuid> = batch.iter().map(|i| crowd.ids[*i]).collect();
        let revs: Vec<i64> = batch.iter().map(|i| crowd.revs[*i]).collect();
        write(event_id, &fingerprint, span, ids, revs, packed)?;
        pgrx::check_for_interrupts!();
    }
    db::execute(FORGET, &[event_id.into()])?;
    Ok(wanting.len())
}

/// Whose kept picks still hold: nothing that they were computed from has changed.
fn standing(
    event_id: pgrx::Uuid,
    fingerprint: &str,
    span: (i64, i64),
) -> Outcome<HashSet<(pgrx::Uuid, i64)>> {
    const STANDING: &str = "
        SELECT attendee_id, attendee_rev FROM convene.recommendation_cache
         WHERE event_id = $1 AND fingerprint = pg_catalog.md5($2)
           AND valid_from = $3 AND valid_until = $4 AND valid_from < valid_until";
    let (from, until) = (programme::moment(span.0), programme::moment(span.1));
    let arguments = [event_id.into(), fingerprint.into(), from.into(), until.into()];
    let rows = db::read(STANDING, &arguments, |row| Ok((row.want(1)?, row.want(2)?)))?;
    Ok(rows.into_iter().collect())
}

/// Ranks for some people, and packs the picks, all on the pool.
fn rank(
    event: &Rc<Event>,
    people: Vec<Person>,
    weights: &Arc<Option<ItemWeights>>,
    options: Options,
) -> Outcome<Vec<Vec<u8>>> {
    let (programme, interest) = (Arc::clone(&event.programme), Arc::clone(&event.interest));
    let (weights, ids) = (Arc::clone(weights), Arc::clone(&event.ids));
    parallel::run("recommendations", move |stop| {
        let weights = weights.as_ref().as_ref();
        let picks =
            recommend_all(&programme, &people, weights, Interest(&interest), &options, stop)?;
        picks.into_par_iter().map(|picks| cache::pack(&ids, picks)).collect()
    })
}

fn write(
    event_id: pgrx::Uuid,
    fingerprint: &str,
    span: (i64, i64),
    ids: Vec<pgrx::Uuid>,
    revs: Vec<i64>,
    picks: Vec<Vec<u8>>,
) -> Outcome<()> {
    const WRITE: &str = "
        INSERT INTO convene.recommendation_cache AS c
               (attendee_id, event_id, attendee_rev, fingerprint, valid_from, valid_until, picks, computed_at)
        SELECT w.id, $1, w.rev, pg_catalog.md5($2), $3, $4, w.picks, pg_catalog.now()
          FROM unnest($5::uuid[], $6::int8[], $7::bytea[]) w (id, rev, picks)
          JOIN convene.attendees a ON a.id = w.id
        ON CONFLICT (attendee_id) DO UPDATE
           SET event_id = excluded.event_id, attendee_rev = excluded.attendee_rev,
               fingerprint = excluded.fingerprint, valid_from = excluded.valid_from,
               valid_until = excluded.valid_until, picks = excluded.picks,
               computed_at = excluded.computed_at";
    db::execute(
        WRITE,
        &[
            event_id.into(),
            fingerprint.into(),
            programme::moment(span.0).into(),
            programme::moment(span.1).into(),
            ids.into(),
            revs.into(),
            picks.into(),
        ],
    )?;
    Ok(())
}

fn summary(
    event_id: pgrx::Uuid,
    trained: bool,
    people: usize,
    kept: usize,
    interactions: usize,
) -> Outcome<pgrx::JsonB> {
    const MODEL: &str = "
        SELECT algorithm, parameter, holdout_ndcg, sessions
          FROM convene.recommendation_models WHERE event_id = $1";
    let model = db::read_one(MODEL, &[event_id.into()], |row| {
        Ok(json!({
            "algorithm": row.want::<String>(1)?,
            "parameter": row.get::<f64>(2)?,
            "holdout_ndcg": row.get::<f64>(3)?,
        }))
    })?;
    Ok(pgrx::JsonB(json!({
        "event_id": event_id.to_string(), "attendees": people, "kept": kept,
        "interactions": interactions, "trained": trained, "model": model,
    })))
}
