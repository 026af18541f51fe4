//! Old months go, and what was counted of them stays.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::json;

use super::fold::{folded, folded_keys, no_measures, once, twice, unfolded};
use super::lock_all;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::moments::in_utc;
use crate::owner::{require_service, with_owner};

/// Drops months of the signal tables that ended long ago.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_old_partitions(
    p_keep: default!(Option<Interval>, "'24 months'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    run(p_keep, p_now).or_raise()
}

fn run(keep: Option<Interval>, now: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    require_service("drop partitions")?;
    let keep = required(keep, "p_keep")?;
    let now = auth::moment(now, true)?;
    with_owner(|| {
        check(keep, now)?;
        lock_all()?;
        let mut dropped = Vec::new();
        for old in in_utc(|| old(keep, now))? {
            if fold_and_drop(&old)? {
                dropped.push(old.name);
            }
        }
        Ok(pgrx::JsonB(json!({ "dropped": dropped })))
    })
}

/// What is dropped does not come back, so neither may be a slip.
fn check(keep: Interval, now: TimestampWithTimeZone) -> Outcome<()> {
    const SENSIBLE: &str = "
        SELECT $1::interval BETWEEN interval '1 month' AND interval '100 years', $1::text,
               $2::timestamptz BETWEEN '1970-01-01 UTC' AND pg_catalog.now(), $2::text";
    let told = db::read_one(SENSIBLE, &[keep.into(), now.into()], |row| {
        Ok((
            row.want::<bool>(1)?,
            row.want::<String>(2)?,
            row.want::<bool>(3)?,
            row.want::<String>(4)?,
        ))
    })?;
    match told {
        Some((false, keep, ..)) => invalid(
            format!("p_keep must be between 1 month and 100 years, not {keep}"),
            "What is younger is still being counted and looked at.",
            "Pass an interval as '24 months'.",
        ),
        Some((_, _, false, now)) => invalid(
            format!("p_now must be between 1970 and now, not {now}"),
            "Months are not dropped ahead of their time.",
            "Leave p_now out for now.",
        ),
        _ => Ok(()),
    }
}

/// A partition that goes.
struct Old {
    parent: String,
    partition: String,
    name: String,
    from: TimestampWithTimeZone,
    until: TimestampWithTimeZone,
}

/// Partitions with two bounds, the second so far back.
fn old(keep: Interval, now: TimestampWithTimeZone) -> Outcome<Vec<Old>> {
    const OLD: &str = "
        SELECT p.relname::text, c.oid::regclass::text, b.bound[1]::timestamptz, b.bound[2]::timestamptz,
               p.relname || ' ' || pg_catalog.to_char(b.bound[1]::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM')
          FROM pg_catalog.pg_class p
          JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
          JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         CROSS JOIN LATERAL (SELECT pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid),
                               'FROM \\(''([^'']+)''\\) TO \\(''([^'']+)''\\)')) b (bound)
         WHERE p.relnamespace = 'convene'::regnamespace AND p.relkind = 'p'
           AND p.relname IN ('event_impressions', 'ticket_analytics', 'post_views')
           AND b.bound[2]::timestamptz AT TIME ZONE 'UTC' <= $2::timestamptz AT TIME ZONE 'UTC' - $1::interval
         ORDER BY p.relname, b.bound[1]::timestamptz";
    db::write(OLD, &[keep.into(), now.into()], |row| {
        Ok(Old {
            parent: row.want(1)?,
            partition: row.want(2)?,
            from: row.want(3)?,
            until: row.want(4)?,
            name: row.want(5)?,
        })
    })
}

/// Adds the month to what is kept of it, under the locks that making one takes: whoever writes to
/// the table waits, and then finds the month gone and writes to DEFAULT.
fn fold_and_drop(old: &Old) -> Outcome<bool> {
    const REFERRED: &str = "
        SELECT DISTINCT 'ONLY ' || k.confrelid::regclass::text FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = ('convene.' || $1)::regclass AND k.contype = 'f' ORDER BY 1";
    const THERE: &str = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    let referred = db::write(REFERRED, &[old.parent.clone().into()], |row| row.want::<String>(1))?;
    db::script(&format!(
        "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE ONLY convene.{} IN ACCESS EXCLUSIVE MODE",
        referred.join(", "),
        old.parent
    ))?;
    // Somebody may have dropped it by hand while this one waited.
    if db::write(THERE, &[old.partition.clone().into()], |row| row.want::<bool>(1))?.first()
        != Some(&true)
    {
        return Ok(false);
    }
    keep_month(old)?;
    db::script(&format!("DROP TABLE {}", old.partition))?;
    Ok(true)
}

fn keep_month(old: &Old) -> Outcome<()> {
    const KEEP: &str = concat!(
        "WITH month (first) AS (SELECT ($2::timestamptz AT TIME ZONE 'UTC')::date),
         cells AS (
           SELECT c.event_id, c.country, c.age_bucket, c.impressions AS counted",
        once!(", c.", ""),
        " FROM convene_private.signal_cells($1, NULL, $2, $3::timestamptz - interval '1 microsecond') c
           UNION ALL ",
        unfolded!("convene.event_signal_months", "t.month = (SELECT first FROM month)"),
        ")",
        folded!(),
        " INSERT INTO convene.event_signal_months (event_id, month, ",
        once!("", ", "),
        "countries, ages)
          SELECT f.event_id, m.first, ",
        once!("f.", ", "),
        "f.countries, f.ages FROM folded f, month m
          ON CONFLICT (event_id, month) DO UPDATE SET ",
        twice!("", " = excluded.", ", "),
        "countries = excluded.countries, ages = excluded.ages, computed_at = pg_catalog.now()"
    );
    db::execute(KEEP, &[old.parent.clone().into(), old.from.into(), old.until.into()])?;
    Ok(())
}
