//! Asking for fits to be computed anew.

use std::time::Instant;

use convene_engine::Error;
use pgrx::prelude::*;
use serde_json::json;

use super::recalc::timestamp;
use crate::auth::{Caller, caller};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, not_allowed, not_found};
use crate::moments::finite;
use crate::owner::{require_service, with_owner};

/// The most ids that an array may have.
const MOST_IDS: usize = 10_000;
/// Priorities of what somebody asks for by itself, and of what comes by the hundred.
const SINGLE: i32 = 10;
const BULK: i32 = 0;

/// Queues sponsors and events that changed; the endpoint's answer.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn sponsorship_score_onchange(
    sponsor_id: default!(Option<pgrx::Uuid>, "NULL"),
    event_id: default!(Option<pgrx::Uuid>, "NULL"),
    sponsor_ids: default!(Option<Vec<Option<pgrx::Uuid>>>, "NULL"),
    event_ids: default!(Option<Vec<Option<pgrx::Uuid>>>, "NULL"),
) -> pgrx::JsonB {
    on_change(sponsor_id, event_id, sponsor_ids, event_ids).or_raise()
}

/// One side of a request: the id that was named by itself, and those of the list.
struct Wanted {
    what: &'static str,
    single: Option<pgrx::Uuid>,
    list: Option<Vec<pgrx::Uuid>>,
}

impl Wanted {
    fn of(
        what: &'static str,
        single: Option<pgrx::Uuid>,
        list: Option<Vec<Option<pgrx::Uuid>>>,
    ) -> Outcome<Self> {
        let list = list.map(|list| ids(list, &format!("{what}_ids"))).transpose()?;
        Ok(Self { what, single, list })
    }

    fn all(&self) -> Vec<pgrx::Uuid> {
        self.single.iter().chain(self.list.iter().flatten()).copied().collect()
    }

    fn is_null(&self) -> bool {
        self.single.is_none() && self.list.is_none()
    }

    /// Queues them; how many targets, and the operations as the endpoint tells them.
    fn enqueue(&self, sql: &'static str, told: &mut Vec<String>) -> Outcome<usize> {
        let put = |ids: Vec<pgrx::Uuid>, priority: i32| {
            db::write(sql, &[ids.into(), priority.into()], |_| Ok(()))
        };
        if let Some(single) = self.single {
            put(vec![single], SINGLE)?;
            told.push(format!("{}:{single}", self.what));
        }
        if let Some(list) = &self.list {
            put(list.clone(), BULK)?;
            told.push(format!("bulk_{}s:{}", self.what, list.len()));
        }
        let mut all = self.all();
        all.sort_unstable();
        all.dedup();
        Ok(all.len())
    }
}

/// Each id once, in their order.
fn ids(list: Vec<Option<pgrx::Uuid>>, parameter: &str) -> Outcome<Vec<pgrx::Uuid>> {
    if list.len() > MOST_IDS {
        return Err(Failure(Error::TooLarge {
            message: format!("{parameter} has {} ids", list.len()),
            hint: format!("Pass at most {MOST_IDS} at a time."),
        }));
    }
    let named = list
        .into_iter()
        .enumerate()
        .map(|(at, id)| id.ok_or_else(|| Failure(Error::null(format!("{parameter}[{}]", at + 1)))));
    let mut ids = named.collect::<Outcome<Vec<_>>>()?;
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

fn on_change(
    sponsor_id: Option<pgrx::Uuid>,
    event_id: Option<pgrx::Uuid>,
    sponsor_ids: Option<Vec<Option<pgrx::Uuid>>>,
    event_ids: Option<Vec<Option<pgrx::Uuid>>>,
) -> Outcome<pgrx::JsonB> {
    const SPONSORS: &str =
        "SELECT convene_private.enqueue_sponsor_fits($1, 'sponsorship_score_onchange', $2)";
    const EVENTS: &str =
        "SELECT convene_private.enqueue_event_fits($1, 'sponsorship_score_onchange', $2)";
    let started = Instant::now();
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("sponsor or event"));
    }
    let sponsors = Wanted::of("sponsor", sponsor_id, sponsor_ids)?;
    let events = Wanted::of("event", event_id, event_ids)?;
    if sponsors.is_null() && events.is_null() {
        return Err(Failure(Error::null("sponsor_id, event_id, sponsor_ids and event_ids")));
    }
    with_owner(|| {
        authorise(caller, &sponsors, &events)?;
        let mut operations = Vec::new();
        let queued = sponsors.enqueue(SPONSORS, &mut operations)?
            + events.enqueue(EVENTS, &mut operations)?;
        Ok(pgrx::JsonB(json!({
            "success": true,
            "queued": queued,
            "operations": operations,
            "duration_ms": started.elapsed().as_millis() as u64,
            "timestamp": timestamp()?,
        })))
    })
}

/// The sponsor's own people for their sponsor, an event's staff for the event, the service for all.
fn authorise(caller: Caller, sponsors: &Wanted, events: &Wanted) -> Outcome<()> {
    const UNKNOWN_SPONSOR: &str = "
        SELECT w.id FROM unnest($1::uuid[]) w (id)
         WHERE NOT EXISTS (SELECT FROM convene.sponsors s WHERE s.id = w.id) ORDER BY w.id LIMIT 1";
    const UNKNOWN_EVENT: &str = "
        SELECT w.id FROM unnest($1::uuid[]) w (id)
         WHERE NOT EXISTS (SELECT FROM convene.events e WHERE e.id = w.id) ORDER BY w.id LIMIT 1";
    const FOREIGN_SPONSOR: &str = "
        SELECT w.id FROM unnest($1::uuid[]) w (id)
         WHERE w.id <> ALL (ARRAY(SELECT convene_private.my_sponsor_ids())) LIMIT 1";
    const FOREIGN_EVENT: &str = "
        SELECT w.id FROM unnest($1::uuid[]) w (id)
         WHERE w.id <> ALL (ARRAY(SELECT convene_private.my_staffed_event_ids())) LIMIT 1";
    let find = |sql, ids: Vec<pgrx::Uuid>| {
        if ids.is_empty() {
            return Ok(None);
        }
        db::read_one(sql, &[ids.into()], |row| row.want::<pgrx::Uuid>(1))
    };
    if caller.is_service() {
        if let Some(id) = find(UNKNOWN_SPONSOR, sponsors.all())? {
            return Err(not_found("sponsor", id));
        }
        return match find(UNKNOWN_EVENT, events.all())? {
            Some(id) => Err(not_found("event", id)),
            None => Ok(()),
        };
    }
    let foreign = find(FOREIGN_SPONSOR, sponsors.all())?.is_some()
        || find(FOREIGN_EVENT, events.all())?.is_some();
    if foreign { Err(not_allowed("sponsor or event")) } else { Ok(()) }
}

/// Queues the events that have left the market by the clock; how many.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn queue_expired_events(p_now: default!(Option<TimestampWithTimeZone>, "now()")) -> i64 {
    expired(p_now).or_raise()
}

fn expired(now: Option<TimestampWithTimeZone>) -> Outcome<i64> {
    const EXPIRED: &str = "
        WITH over AS MATERIALIZED (
          SELECT e.id FROM convene.events e
           WHERE e.status = 'published' AND e.end_at <= $1
             AND EXISTS (SELECT FROM convene.sponsorship_matches m
                          WHERE m.event_id = e.id AND m.retired_at IS NULL))
        SELECT pg_catalog.count(*),
               convene_private.enqueue_event_fits(pg_catalog.array_agg(id), 'end of the event', 0)
          FROM over HAVING pg_catalog.count(*) > 0";
    require_service("queue what has ended")?;
    let now = finite(now, "p_now")?;
    with_owner(|| {
        Ok(db::write(EXPIRED, &[now.into()], |row| row.want::<i64>(1))?.into_iter().sum())
    })
}
