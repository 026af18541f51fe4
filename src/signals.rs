//! The signal tables: partitions by month.

use pgrx::prelude::*;
use serde_json::json;

use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::{require_service, with_owner};

/// The most months that are made ahead.
const MOST_MONTHS: i32 = 60;

/// Months to make: from this one on, and those of the last ten years that rows came late for. Every
/// table that is partitioned is a signal table.
const WANTED: &str = "
    WITH strays (parent, at) AS (
      SELECT 'event_impressions', created_at FROM convene.event_impressions_default
      UNION ALL SELECT 'ticket_analytics', created_at FROM convene.ticket_analytics_default
      UNION ALL SELECT 'post_views', created_at FROM convene.post_views_default),
    present (month) AS (
      SELECT pg_catalog.date_trunc('month', pg_catalog.now() AT TIME ZONE 'UTC')),
    months (parent, month) AS (
      SELECT p.relname::text, t.month + pg_catalog.make_interval(months => n)
        FROM pg_catalog.pg_class p, present t, pg_catalog.generate_series(0, $1) n
       WHERE p.relnamespace = 'convene'::regnamespace AND p.relkind = 'p'
      UNION
      SELECT s.parent, pg_catalog.date_trunc('month', s.at AT TIME ZONE 'UTC') FROM strays s, present t
       WHERE s.at AT TIME ZONE 'UTC' >= t.month - interval '10 years' AND s.at AT TIME ZONE 'UTC' < t.month)
    SELECT parent, pg_catalog.to_char(month, 'YYYY-MM-DD') FROM months ORDER BY parent, month";

/// A query of its own: no partition can be attached while one that reads the table is open.
const MAKE: &str = "
    SELECT w.parent || ' ' || pg_catalog.left(w.month, 7),
           convene_private.make_month_partition(w.parent, w.month::date)
      FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) w (parent, month)";

/// Makes the monthly partitions from this month on, and moves early rows into them.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn create_next_month_partitions(p_months_ahead: default!(Option<i32>, "1")) -> pgrx::JsonB {
    run_create(p_months_ahead).or_raise()
}

fn run_create(months_ahead: Option<i32>) -> Outcome<pgrx::JsonB> {
    require_service("make partitions")?;
    let months = within(months_ahead, 0, MOST_MONTHS, "p_months_ahead")? as i32;
    with_owner(|| {
        let wanted = db::read(WANTED, &[months.into()], |row| {
            Ok((row.want::<String>(1)?, row.want::<String>(2)?))
        })?;
        let (parents, days): (Vec<String>, Vec<String>) = wanted.into_iter().unzip();
        let tried = db::write(MAKE, &[parents.into(), days.into()], |row| {
            Ok((row.want::<String>(1)?, row.want::<bool>(2)?))
        })?;
        let made: Vec<String> =
            tried.into_iter().filter_map(|(name, made)| made.then_some(name)).collect();
        Ok(pgrx::JsonB(json!({ "made": made })))
    })
}
