//! How the queue of fits is doing, and removing what is done with.

use convene_engine::sponsorship::Health;
use pgrx::datum::Interval;
use pgrx::prelude::*;

use super::recalc::LOCK_CLASS;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::moments::finite;
use crate::owner::{require_service, with_owner};

/// Entries that are deleted at a time.
const BATCH: i64 = 10_000;

type Row = (i64, Option<TimestampWithTimeZone>, i64, i64, f64, String);

/// How the queue of fits is doing.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn check_recalc_queue_health(
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(depth, i64),
        name!(oldest, Option<TimestampWithTimeZone>),
        name!(processing, i64),
        name!(failed, i64),
        name!(throughput, f64),
        name!(status, String),
    ),
> {
    TableIterator::once(health(p_now).or_raise())
}

fn health(now: Option<TimestampWithTimeZone>) -> Outcome<Row> {
    // A worker holds its entries under row locks, which nobody sees; the lock that it shares with
    // other workers is seen.
    const HEALTH: &str = "
        WITH limits AS (
          SELECT coalesce(pg_catalog.max(n.value) FILTER (WHERE n.key = 'health.queue_lag_minutes'), 15)::float8 AS lag,
                 coalesce(pg_catalog.max(n.value) FILTER (WHERE n.key = 'health.queue_stuck_minutes'), 60)::float8 AS stuck
            FROM (SELECT s.key, CASE pg_catalog.jsonb_typeof(s.value) WHEN 'number'
                         THEN least(greatest(s.value::numeric, 0), 1e9) END AS value
                    FROM convene.settings s WHERE s.key LIKE 'health.queue%') n),
        waiting AS (
          SELECT pg_catalog.count(*) AS depth, pg_catalog.min(q.queued_at) AS oldest,
                 -- What is put off for ever waits for nobody.
                 pg_catalog.date_part('epoch', $1 - pg_catalog.min(greatest(q.available_at, q.queued_at, '1970-01-01 UTC'))
                   FILTER (WHERE greatest(q.available_at, q.queued_at) < 'infinity')) / 60 AS waited
            FROM convene.fit_recalc_queue q WHERE q.status = 'pending'),
        ended AS (
          SELECT pg_catalog.count(*) FILTER (WHERE q.status = 'failed') AS failed,
                 pg_catalog.count(*) FILTER (WHERE q.status = 'done' AND q.processed_at > $1 - interval '1 hour'
                                               AND q.processed_at <= $1) AS done
            FROM convene.fit_recalc_queue q WHERE q.status IN ('done', 'failed')),
        workers AS (
          SELECT pg_catalog.count(*) AS n
            FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
           WHERE l.locktype = 'advisory' AND d.datname = pg_catalog.current_database()
             AND l.classid = $2::bigint::oid AND l.objid = 0 AND l.objsubid = 2 AND l.granted)
        SELECT w.depth, w.oldest, k.n, e.failed, e.done / 60.0::float8, w.waited, l.lag, l.stuck
          FROM limits l, waiting w, ended e, workers k";
    require_service("look at queues")?;
    let now = finite(now, "p_now")?;
    let found = with_owner(|| {
        db::read_one(HEALTH, &[now.into(), i64::from(LOCK_CLASS).into()], |row| {
            let health = Health::of(row.get(6)?, row.want(7)?, row.want(8)?);
            Ok((
                row.want(1)?,
                row.get(2)?,
                row.want(3)?,
                row.want(4)?,
                row.want(5)?,
                health.as_str().to_owned(),
            ))
        })
    })?;
    Ok(found.unwrap_or((0, None, 0, 0, 0.0, Health::Ok.as_str().to_owned())))
}

/// Deletes entries that were done or parked longer ago than they are kept; how many.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn cleanup_recalc_queue(p_keep: default!(Option<Interval>, "'7 days'")) -> i64 {
    cleanup(p_keep).or_raise()
}

fn cleanup(keep: Option<Interval>) -> Outcome<i64> {
    const CHECK: &str = "SELECT $1 >= '0'::pg_catalog.interval AND $1 <= '100 years'::pg_catalog.interval, $1::text";
    const CLEAN: &str = "
        DELETE FROM convene.fit_recalc_queue q
         WHERE q.id = ANY (ARRAY(
                 SELECT o.id FROM convene.fit_recalc_queue o
                  WHERE o.status IN ('done', 'failed') AND o.processed_at < pg_catalog.now() - $1
                  ORDER BY o.processed_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    // A revision began at the clock of its time. What a worker of then may have had in hand is written by now.
    const FORGET: &str = "
        DELETE FROM convene.fit_revisions r
         WHERE r.kind <> 'weights' AND r.rev < EXTRACT(epoch FROM pg_catalog.now() - $1) * 1000000
           AND NOT EXISTS (SELECT FROM convene.events e WHERE e.id = r.target_id)";
    require_service("clean up queues")?;
    let keep = required(keep, "p_keep")?;
    let checked =
        db::read_one(CHECK, &[keep.into()], |row| Ok((row.want(1)?, row.want::<String>(2)?)))?;
    if !matches!(checked, Some((true, _))) {
        return invalid(
            format!(
                "p_keep must be between nothing and 100 years, not {}",
                checked.map_or_else(String::new, |found| found.1)
            ),
            "",
            "Pass an interval such as '7 days'.",
        );
    }
    with_owner(|| {
        db::execute(FORGET, &[keep.into()])?;
        let mut deleted = 0;
        loop {
            let batch = db::execute(CLEAN, &[keep.into(), BATCH.into()])? as i64;
            deleted += batch;
            if batch < BATCH {
                return Ok(deleted);
            }
            pgrx::check_for_interrupts!();
        }
    })
}
