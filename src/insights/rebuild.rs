//! Counts everything anew: after rows came or went without a trigger hearing of it.

use pgrx::prelude::*;

use super::count::{Done, hold_known, progress};
use super::fold::{folded, folded_keys, keep_totals, no_measures, once, twice, unfolded};
use super::{CHUNK, figures, lock_all, lock_event};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::moments::in_utc;
use crate::owner::{caller_is_service, require_service, with_owner};

/// Counts all signals anew, of one event or of all.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn rebuild_event_insights(p_event_id: default!(Option<pgrx::Uuid>, "NULL")) -> pgrx::JsonB {
    run(p_event_id).or_raise()
}

fn run(event: Option<pgrx::Uuid>) -> Outcome<pgrx::JsonB> {
    if event.is_some() && caller_is_service()? {
        auth::managed_event(event)?;
    }
    require_service("count all signals anew")?;
    let done = with_owner(|| {
        match event {
            Some(event) => lock_event(event)?,
            None => lock_all()?,
        }
        rebuild(event)
    });
    done.map(Done::report)
}

/// The caller holds the lock.
pub(super) fn rebuild(event: Option<pgrx::Uuid>) -> Outcome<Done> {
    // In the order in which partitions are made, so that neither waits for the other.
    db::script(
        "LOCK TABLE ONLY convene.event_impressions IN ACCESS SHARE MODE;
                LOCK TABLE ONLY convene.post_views IN ROW EXCLUSIVE MODE;
                LOCK TABLE ONLY convene.ticket_analytics IN ACCESS SHARE MODE",
    )?;
    score_again(event)?;
    let held = hold(event)?;
    let deltas = count(event, &held)?;
    let events = counted(&held)?;
    let mut done = 0;
    for chunk in events.chunks(CHUNK) {
        figures::keep(chunk, false)?;
        done += chunk.len();
        progress(done, events.len())?;
    }
    Ok(Done { events: done, deltas, rebuilt: true })
}

/// Texts that were scored by another version of the lexicon, or not at all.
fn score_again(event: Option<pgrx::Uuid>) -> Outcome<()> {
    const SCORE: &str = "
        UPDATE convene.post_views p SET sentiment = convene.score_sentiment(p.mention_text)
         WHERE ($1::uuid IS NULL OR p.event_id = $1) AND p.mention_text IS NOT NULL
           AND p.sentiment IS DISTINCT FROM convene.score_sentiment(p.mention_text)::numeric(7,6)";
    db::execute(SCORE, &[event.into()])?;
    Ok(())
}

/// The events to count: all but those that are about to go, whose notes wait for whether they do.
fn hold(event: Option<pgrx::Uuid>) -> Outcome<Vec<pgrx::Uuid>> {
    const NEW: &str = "
        SELECT e.id FROM convene.events e
         WHERE ($1::uuid IS NULL OR e.id = $1)
           AND NOT EXISTS (SELECT FROM convene.event_signal_totals t
                             JOIN convene.event_audience_insights i ON i.event_id = t.event_id
                            WHERE t.event_id = e.id)";
    let one = event.map(|event| vec![event]);
    let mut held = hold_known(one.as_deref())?;
    held.extend(db::write(NEW, &[event.into()], |row| row.want::<pgrx::Uuid>(1))?);
    Ok(held)
}

/// One statement, so that it sees all at one moment: the signals that it counts are those whose
/// notes it takes. Month by month, to say how far it is.
fn count(event: Option<pgrx::Uuid>, held: &[pgrx::Uuid]) -> Outcome<i64> {
    const COUNT: &str = concat!(
        "WITH held (id) AS MATERIALIZED (SELECT pg_catalog.unnest($2::uuid[])),
         gone AS (
           DELETE FROM convene.event_signal_deltas d
            WHERE d.event_id IN (SELECT h.id FROM held h)
               OR $1::uuid IS NULL AND NOT EXISTS (SELECT FROM convene.events e WHERE e.id = d.event_id)
                  -- As long as somebody is left out, what was emptied is still to be counted.
                  AND (d.event_id <> '00000000-0000-0000-0000-000000000000' OR NOT EXISTS (
                         SELECT FROM convene.events e WHERE e.id NOT IN (SELECT h.id FROM held h)))
           RETURNING d.id),
         bounds (at) AS (
           SELECT '-infinity'::timestamptz
           UNION SELECT (pg_catalog.regexp_matches(pg_catalog.pg_get_expr(c.relpartbound, c.oid),
                                                   '\\(''([^'']+)''\\)', 'g'))[1]::timestamptz
             FROM pg_catalog.pg_class p
             JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
             JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
            WHERE $1::uuid IS NULL AND p.relkind = 'p' AND p.relnamespace = 'convene'::regnamespace
              AND p.relname IN ('event_impressions', 'ticket_analytics', 'post_views')),
         slices AS (
           SELECT b.at AS first,
                  coalesce(pg_catalog.lead(b.at) OVER (ORDER BY b.at) - interval '1 microsecond', 'infinity') AS last,
                  pg_catalog.row_number() OVER (ORDER BY b.at) - 1 AS done, pg_catalog.count(*) OVER () AS total
             FROM bounds b ORDER BY b.at),
         cells AS (
           SELECT c.event_id, c.country, c.age_bucket, c.impressions AS counted",
        once!(", c.", ""),
        " FROM slices s, LATERAL convene_private.signal_cells(NULL, $1,
                   CASE WHEN convene_private.tell_progress('counting signals, months', s.done, s.total)
                        THEN s.first END, s.last) c
           UNION ALL ",
        unfolded!("convene.event_signal_months", "$1::uuid IS NULL OR t.event_id = $1"),
        " UNION ALL SELECT e.id, NULL, NULL, NULL, ",
        no_measures!(),
        " FROM (SELECT event_id FROM convene.event_signal_totals WHERE $1::uuid IS NULL OR event_id = $1
                  UNION SELECT event_id FROM convene.attendees WHERE $1::uuid IS NULL OR event_id = $1
                  UNION SELECT event_id FROM convene.orders WHERE $1::uuid IS NULL OR event_id = $1
                  UNION SELECT event_id FROM convene.event_video_counters WHERE $1::uuid IS NULL OR event_id = $1
                  UNION SELECT $1 WHERE $1::uuid IS NOT NULL) e(id))",
        folded!(),
        ", kept AS (",
        keep_totals!("JOIN held h ON h.id = f.event_id"),
        ") SELECT pg_catalog.count(*) FROM gone"
    );
    let taken = in_utc(|| {
        db::write(COUNT, &[event.into(), held.to_vec().into()], |row| row.want::<i64>(1))
    })?;
    Ok(taken.first().copied().unwrap_or(0))
}

/// Those of which anything is known.
fn counted(held: &[pgrx::Uuid]) -> Outcome<Vec<pgrx::Uuid>> {
    const COUNTED: &str = "
        SELECT t.event_id FROM convene.event_signal_totals t WHERE t.event_id = ANY ($1) ORDER BY 1";
    db::write(COUNTED, &[held.to_vec().into()], |row| row.want(1))
}
