//! Takes what was noted of the signals, and brings the figures up to it.

use pgrx::prelude::*;

use super::count::{Done, hold_known, progress};
use super::fold::{folded_apart, folded_keys, keep_totals, no_measures, once, twice};
use super::{CHUNK, figures, lock_all, lock_event, rebuild};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::owner::{require_service, with_owner};

/// Brings the audience insights up to what came in since they were last counted.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_event_insights(
    p_event_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_since: default!(Option<TimestampWithTimeZone>, "NULL"),
) -> pgrx::JsonB {
    run(p_event_id, p_since).or_raise()
}

fn run(event: Option<pgrx::Uuid>, since: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    if event.is_some() {
        auth::managed_event(event)?;
    } else {
        require_service("refresh the insights of all events")?;
    }
    with_owner(|| refresh(event, since)).map(Done::report)
}

fn refresh(event: Option<pgrx::Uuid>, since: Option<TimestampWithTimeZone>) -> Outcome<Done> {
    match event {
        Some(event) => lock_event(event)?,
        None => lock_all()?,
    }
    if emptied()? {
        return rebuild::rebuild(event);
    }
    let events = waiting(event, since)?;
    let mut deltas = 0;
    let mut done = 0;
    let mut counted = 0;
    for chunk in events.chunks(CHUNK) {
        let held = hold(chunk)?;
        deltas += take(&held)?;
        figures::keep(&held, true)?;
        counted += held.len();
        done += chunk.len();
        progress(done, events.len())?;
    }
    if event.is_none() && since.is_none() {
        deltas += forget_the_gone()?;
    }
    Ok(Done { events: counted, deltas, rebuilt: false })
}

/// Takes what this very transaction noted, and what waits beside it, so that no sum holds what it
/// took out. The caller has shared the lock before it changed anything.
pub fn count_own_changes() -> Outcome<()> {
    const NOTED: &str = "
        SELECT DISTINCT d.event_id FROM convene.event_signal_deltas d
          JOIN convene.events e ON e.id = d.event_id
         WHERE d.created_at = pg_catalog.now() ORDER BY 1";
    let events = db::write(NOTED, &[], |row| row.want::<pgrx::Uuid>(1))?;
    for chunk in events.chunks(CHUNK) {
        for event in chunk {
            lock_event(*event)?;
        }
        let held = hold(chunk)?;
        take(&held)?;
        figures::keep(&held, true)?;
    }
    Ok(())
}

/// Whether a table was emptied, which no sum of rows tells.
fn emptied() -> Outcome<bool> {
    const EMPTIED: &str = "
        SELECT EXISTS (SELECT FROM convene.event_signal_deltas d
                        WHERE d.event_id = '00000000-0000-0000-0000-000000000000')";
    Ok(db::write(EMPTIED, &[], |row| row.want::<bool>(1))?.first() == Some(&true))
}

/// The events to count.
fn waiting(
    event: Option<pgrx::Uuid>,
    since: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<pgrx::Uuid>> {
    const WAITING: &str = "
        SELECT e.id FROM convene.events e
         WHERE CASE WHEN $1::uuid IS NULL THEN e.id IN (SELECT d.event_id FROM convene.event_signal_deltas d)
                    ELSE e.id = $1 END
           AND ($2::timestamptz IS NULL
                OR EXISTS (SELECT FROM convene.event_signal_deltas d WHERE d.event_id = e.id AND d.latest >= $2)
                OR EXISTS (SELECT FROM convene.event_impressions s WHERE s.event_id = e.id AND s.created_at >= $2)
                OR EXISTS (SELECT FROM convene.ticket_analytics s WHERE s.event_id = e.id AND s.created_at >= $2)
                OR EXISTS (SELECT FROM convene.post_views s WHERE s.event_id = e.id AND s.created_at >= $2))
         ORDER BY e.id";
    db::write(WAITING, &[event.into(), since.into()], |row| row.want(1))
}

/// Holds what would go with these events, so that none goes between its notes and its figures; the
/// event itself only where it has no figures yet, because nobody could change it meanwhile. One that
/// is about to go is left out: its notes wait for whether it does.
fn hold(events: &[pgrx::Uuid]) -> Outcome<Vec<pgrx::Uuid>> {
    const NEW: &str = "
        SELECT e.id FROM convene.events e
         WHERE e.id = ANY ($1)
           AND NOT EXISTS (SELECT FROM convene.event_signal_totals t
                             JOIN convene.event_audience_insights i ON i.event_id = t.event_id
                            WHERE t.event_id = e.id)
         ORDER BY e.id FOR KEY SHARE OF e SKIP LOCKED";
    let mut held = hold_known(Some(events))?;
    held.extend(db::write(NEW, &[events.to_vec().into()], |row| row.want::<pgrx::Uuid>(1))?);
    Ok(held)
}

/// Adds the notes of these events to their totals, and counts them. What is committed after this
/// statement began is not deleted by it, and waits for the next one.
fn take(events: &[pgrx::Uuid]) -> Outcome<i64> {
    const TAKE: &str = concat!(
        "WITH taken AS (
           DELETE FROM convene.event_signal_deltas d WHERE d.event_id = ANY ($1) RETURNING d.*),
         measured AS (
           SELECT event_id",
        once!(", ", ""),
        " FROM taken
           UNION ALL SELECT t.event_id",
        once!(", t.", ""),
        " FROM convene.event_signal_totals t WHERE t.event_id = ANY ($1)
           UNION ALL SELECT e.id, ",
        no_measures!(),
        " FROM pg_catalog.unnest($1::uuid[]) e(id)),
         keys AS (
           SELECT t.event_id, c.country, c.age_bucket, c.counted
             FROM taken t, unnest(t.countries, t.ages, t.counts) c (country, age_bucket, counted)
           UNION ALL SELECT t.event_id, c.key, NULL, c.value::numeric
             FROM convene.event_signal_totals t, pg_catalog.jsonb_each_text(t.countries) c WHERE t.event_id = ANY ($1)
           UNION ALL SELECT t.event_id, NULL, a.key, a.value::numeric
             FROM convene.event_signal_totals t, pg_catalog.jsonb_each_text(t.ages) a WHERE t.event_id = ANY ($1))",
        folded_apart!(),
        ", kept AS (",
        keep_totals!("JOIN convene.events e ON e.id = f.event_id"),
        ") SELECT pg_catalog.count(*) FROM taken"
    );
    Ok(db::write(TAKE, &[events.to_vec().into()], |row| row.want(1))?.first().copied().unwrap_or(0))
}

/// Notes of events that are no more.
fn forget_the_gone() -> Outcome<i64> {
    const FORGET: &str = "
        DELETE FROM convene.event_signal_deltas d
         WHERE NOT EXISTS (SELECT FROM convene.events e WHERE e.id = d.event_id)
           AND d.event_id <> '00000000-0000-0000-0000-000000000000'";
    Ok(db::execute(FORGET, &[])? as i64)
}
