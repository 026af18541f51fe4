//! Sponsors for an event and events for a sponsor, best first, as they were last scored.

use pgrx::prelude::*;

use crate::auth;
use crate::db;
use crate::document::Document;
use crate::error::{OrRaise, Outcome, share, within};
use crate::owner::with_owner;
use crate::sponsorship::inputs::live_event;

/// The most rows of one answer.
pub const MOST: i32 = 500;

type Sponsor =
    (pgrx::Uuid, Option<String>, Option<String>, Option<String>, AnyNumeric, Document, String);

// The index is by (event_id, score DESC). A worker comes some time after a sponsor or an event left the market: meanwhile
// neither is shown. Asked row by row, in the order of the index, until the page is full.
const SPONSORS: &str = concat!(
    "SELECT m.sponsor_id, c.company_name, c.industry, c.company_size, m.score, m.overlap_metrics, m.status
      FROM convene.sponsorship_matches m
      LEFT JOIN convene.sponsor_cards c ON c.sponsor_id = m.sponsor_id
     WHERE m.event_id = $1 AND m.score >= $2::numeric AND m.retired_at IS NULL AND m.status <> 'rejected'
       AND (SELECT c.audience FROM convene.sponsor_cards c WHERE c.sponsor_id = m.sponsor_id) IS NOT NULL
       AND (SELECT ",
    live_event!("pg_catalog.now()"),
    " FROM convene.events e WHERE e.id = m.event_id)
     ORDER BY m.score DESC, m.sponsor_id LIMIT $3"
);

/// Sponsors that suit an event, best first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_sponsor_recommendations(
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
    p_min_score: default!(Option<f64>, "0"),
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, Option<String>),
        name!(industry, Option<String>),
        name!(company_size, Option<String>),
        name!(score, AnyNumeric),
        name!(overlap_metrics, Document),
        name!(status, String),
    ),
> {
    TableIterator::new(sponsors(p_event_id, p_limit, p_min_score).or_raise())
}

fn sponsors(
    event_id: Option<pgrx::Uuid>,
    limit: Option<i32>,
    least: Option<f64>,
) -> Outcome<Vec<Sponsor>> {
    let event_id = auth::staffed_event(event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")? as i64;
    let least = share(least, 0.0, "p_min_score")?;
    with_owner(|| {
        db::read(SPONSORS, &[event_id.into(), least.into(), limit.into()], |row| {
            Ok((
                row.want(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.want(5)?,
                row.want(6)?,
                row.want(7)?,
            ))
        })
    })
}

const OWN: &str = "
    SELECT s.id FROM convene.sponsors s
     WHERE s.id = $1 AND ($2 OR s.id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())))";

/// The sponsor, if the caller acts for it or is the service.
fn own_sponsor(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    auth::signed_in_by(OWN, id, "sponsor", "p_sponsor_id")
}

type Event = (
    pgrx::Uuid,
    String,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    AnyNumeric,
    Document,
    String,
    Option<f64>,
    Option<String>,
    i64,
    Option<i64>,
);

// The index is by (sponsor_id, score DESC). Packages are looked up for the page only.
const EVENTS: &str = concat!(
    "SELECT b.event_id, e.title, e.start_at, e.end_at, b.score, b.overlap_metrics, b.status, q.quality_score, q.quality_tier,
           k.available, k.affordable
      FROM (SELECT m.event_id, m.score, m.overlap_metrics, m.status FROM convene.sponsorship_matches m
             WHERE m.sponsor_id = $1 AND m.score >= $2::numeric AND m.retired_at IS NULL AND m.status <> 'rejected'
               AND (SELECT ",
    live_event!("pg_catalog.now()"),
    " FROM convene.events e WHERE e.id = m.event_id)
             ORDER BY m.score DESC, m.event_id LIMIT $3) b
      JOIN convene.events e ON e.id = b.event_id
      LEFT JOIN convene.event_quality_scores q ON q.event_id = b.event_id
      LEFT JOIN convene.sponsor_profiles s ON s.sponsor_id = $1
     CROSS JOIN LATERAL (
            SELECT count(*) AS available,
                   CASE WHEN s.annual_budget_cents IS NOT NULL THEN count(*) FILTER (
                       WHERE p.price_cents <= s.annual_budget_cents AND p.currency = s.currency) END AS affordable
              FROM convene.sponsorship_packages p
             WHERE p.event_id = b.event_id AND p.available > 0 AND p.status IN ('available', 'limited')) k
     ORDER BY b.score DESC, b.event_id"
);

/// Events that suit a sponsor, best first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_event_recommendations(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
    p_min_score: default!(Option<f64>, "0"),
) -> TableIterator<
    'static,
    (
        name!(event_id, pgrx::Uuid),
        name!(event_title, String),
        name!(start_at, Option<TimestampWithTimeZone>),
        name!(end_at, Option<TimestampWithTimeZone>),
        name!(score, AnyNumeric),
        name!(overlap_metrics, Document),
        name!(status, String),
        name!(quality_score, Option<f64>),
        name!(quality_tier, Option<String>),
        name!(available_packages, i64),
        name!(affordable_packages, Option<i64>),
    ),
> {
    TableIterator::new(events(p_sponsor_id, p_limit, p_min_score).or_raise())
}

fn events(
    sponsor_id: Option<pgrx::Uuid>,
    limit: Option<i32>,
    least: Option<f64>,
) -> Outcome<Vec<Event>> {
    let sponsor_id = own_sponsor(sponsor_id)?;
    let limit = within(limit, 1, MOST, "p_limit")? as i64;
    let least = share(least, 0.0, "p_min_score")?;
    with_owner(|| {
        db::read(EVENTS, &[sponsor_id.into(), least.into(), limit.into()], |row| {
            Ok((
                row.want(1)?,
                row.want(2)?,
                row.get(3)?,
                row.get(4)?,
                row.want(5)?,
                row.want(6)?,
                row.want(7)?,
                row.get(8)?,
                row.get(9)?,
                row.want(10)?,
                row.get(11)?,
            ))
        })
    })
}
