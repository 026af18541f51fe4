//! A whole event at once: learn from its interactions, then rank for everybody who attends.

use convene_engine::Error;
use convene_engine::collaborative::Interactions;
use convene_engine::recommendation::Algorithm;
use pgrx::prelude::*;
use serde_json::json;

use super::person::Context;
use super::{ahead, crowd, training};
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome};
use crate::moments::micros;
use crate::owner::with_owner;
use crate::programme;

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
        let half_life = context.options(1, Algorithm::Hybrid, micros(now))?.half_life_days;
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
        let kept = ahead::keep_all(event_id, crowd, now)?;
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
