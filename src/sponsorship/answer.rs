//! What people make of a match.

use convene_engine::sponsorship::{Action, State, answer};
use pgrx::prelude::*;
use serde_json::json;

use crate::auth::{Caller, caller};
use crate::db;
use crate::error::{OrRaise, Outcome, not_allowed, not_found, required};
use crate::owner::with_owner;

/// Notes that a match was seen, that somebody got in touch, or an answer.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn answer_sponsorship_match(
    p_event_id: Option<pgrx::Uuid>,
    p_sponsor_id: Option<pgrx::Uuid>,
    p_action: Option<&str>,
) -> pgrx::JsonB {
    run(p_event_id, p_sponsor_id, p_action).or_raise()
}

/// A match as it is stored.
struct Match {
    status: String,
    viewed: bool,
    contacted: bool,
    retired: bool,
}

// The sponsor's own people, and whoever manages the event.
const MATCH: &str = "
    SELECT m.status, m.viewed_at IS NOT NULL, m.contacted_at IS NOT NULL, m.retired_at IS NOT NULL
      FROM convene.sponsorship_matches m
     WHERE m.event_id = $1 AND m.sponsor_id = $2
       AND EXISTS (SELECT FROM convene.events e WHERE e.id = m.event_id)
       AND EXISTS (SELECT FROM convene.sponsors s WHERE s.id = m.sponsor_id)
       AND ($3 OR m.sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
            OR m.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))
       FOR NO KEY UPDATE";
const ANSWER: &str = "
    UPDATE convene.sponsorship_matches m
       SET status = $3,
           viewed_at = coalesce(m.viewed_at, CASE WHEN $4 THEN pg_catalog.now() END),
           contacted_at = coalesce(m.contacted_at, CASE WHEN $5 THEN pg_catalog.now() END)
     WHERE m.event_id = $1 AND m.sponsor_id = $2
    RETURNING pg_catalog.jsonb_build_object('event_id', m.event_id, 'sponsor_id', m.sponsor_id, 'status', m.status,
              'viewed_at', m.viewed_at, 'contacted_at', m.contacted_at)";
const SAME: &str = "
    SELECT pg_catalog.jsonb_build_object('event_id', m.event_id, 'sponsor_id', m.sponsor_id, 'status', m.status,
           'viewed_at', m.viewed_at, 'contacted_at', m.contacted_at)
      FROM convene.sponsorship_matches m WHERE m.event_id = $1 AND m.sponsor_id = $2";

fn run(
    event_id: Option<pgrx::Uuid>,
    sponsor_id: Option<pgrx::Uuid>,
    action: Option<&str>,
) -> Outcome<pgrx::JsonB> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("match"));
    }
    let event_id = required(event_id, "p_event_id")?;
    let sponsor_id = required(sponsor_id, "p_sponsor_id")?;
    with_owner(|| {
        let ids = [event_id.into(), sponsor_id.into(), caller.is_service().into()];
        let found = db::write(MATCH, &ids, |row| {
            Ok(Match {
                status: row.want(1)?,
                viewed: row.want(2)?,
                contacted: row.want(3)?,
                retired: row.want(4)?,
            })
        })?;
        let Some(found) = found.into_iter().next() else {
            return Err(if caller.is_service() {
                not_found("match", format!("of event {event_id} and sponsor {sponsor_id}"))
            } else {
                not_allowed("match")
            });
        };
        let before = State {
            status: &found.status,
            viewed: found.viewed,
            contacted: found.contacted,
            retired: found.retired,
        };
        let after = answer(before, Action::parse(required(action, "p_action")?)?)?;
        let told = if after == before {
            db::write(SAME, &[event_id.into(), sponsor_id.into()], |row| row.want(1))?
        } else {
            let arguments = [
                event_id.into(),
                sponsor_id.into(),
                after.status.into(),
                after.viewed.into(),
                after.contacted.into(),
            ];
            db::write(ANSWER, &arguments, |row| row.want(1))?
        };
        Ok(told.into_iter().next().unwrap_or_else(|| pgrx::JsonB(json!({}))))
    })
}
