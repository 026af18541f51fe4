//! The best sponsors of events, computed without being kept: a look at the market, and at what other
//! weights would make of it.

use std::sync::Arc;

use convene_engine::pairs::Wanted;
use convene_engine::sponsorship::{Market, SponsorSide, Weights};
use pgrx::prelude::*;

use super::inputs::{self, live_event, live_sponsor};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, required, share, within};
use crate::owner::{require_service, with_owner};
use crate::{parallel, settings};

/// The most sponsors of one event.
const MOST: i32 = 1_000;
/// What an event takes in memory, its vector included, twice.
const BYTES_PER_EVENT: usize = 16 * 1024;

type Row = (pgrx::Uuid, pgrx::Uuid, i32, AnyNumeric);

/// The best sponsors on the market for each event on it, best first; nothing is kept.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn preview_sponsorship_matches(
    p_per_event: default!(Option<i32>, "10"),
    p_min_score: default!(Option<f64>, "0"),
    p_weights: default!(Option<Document>, "NULL"),
    p_event_ids: default!(Option<Vec<Option<pgrx::Uuid>>>, "NULL"),
    p_sponsor_ids: default!(Option<Vec<Option<pgrx::Uuid>>>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(event_id, pgrx::Uuid),
        name!(sponsor_id, pgrx::Uuid),
        name!(rank, i32),
        name!(score, AnyNumeric),
    ),
> {
    let rows =
        preview(p_per_event, p_min_score, p_weights, p_event_ids, p_sponsor_ids, p_now).or_raise();
    TableIterator::new(rows)
}

fn preview(
    per_event: Option<i32>,
    least: Option<f64>,
    weights: Option<Document>,
    events: Option<Vec<Option<pgrx::Uuid>>>,
    sponsors: Option<Vec<Option<pgrx::Uuid>>>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<Row>> {
    require_service("preview the market")?;
    let most = within(per_event, 1, MOST, "p_per_event")?;
    let least = share(least, 0.0, "p_min_score")?;
    let weights = match weights {
        Some(weights) => Some(Weights::from_json(&weights.parse("p_weights")?)?),
        None => None,
    };
    let now = required(now, "p_now")?;
    with_owner(|| {
        let sponsors = live(SPONSORS, sponsors, now)?;
        let events = live(EVENTS, events, now)?;
        let sponsors = inputs::read(sponsors, vec![], now)?.sponsors;
        let ids: Vec<pgrx::Uuid> = sponsors.iter().map(|sponsor| sponsor.id).collect();
        let sides: Arc<[SponsorSide]> = sponsors.into_iter().map(|sponsor| sponsor.side).collect();
        let at_once = (settings::max_batch_bytes() / BYTES_PER_EVENT).max(1);
        let mut rows = Vec::new();
        for batch in events.chunks(at_once) {
            best(batch, now, weights, &sides, &ids, Wanted { most, least }, &mut rows)?;
        }
        Ok(rows)
    })
}

const SPONSORS: &str = concat!(
    "SELECT s.id FROM convene.sponsors s JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id
      WHERE ($1::uuid[] IS NULL OR s.id = ANY ($1)) AND $2 IS NOT NULL AND ",
    live_sponsor!(),
    " ORDER BY s.id"
);
const EVENTS: &str = concat!(
    "SELECT e.id FROM convene.events e WHERE ($1::uuid[] IS NULL OR e.id = ANY ($1)) AND ",
    live_event!("$2"),
    " ORDER BY e.id"
);

/// Ids of what is on the market, of these or of all.
fn live(
    sql: &'static str,
    ids: Option<Vec<Option<pgrx::Uuid>>>,
    now: TimestampWithTimeZone,
) -> Outcome<Vec<pgrx::Uuid>> {
    db::read(sql, &[ids.into(), now.into()], |row| row.want(1))
}

/// The best sponsors of a batch of events.
fn best(
    events: &[pgrx::Uuid],
    now: TimestampWithTimeZone,
    weights: Option<Weights>,
    sponsors: &Arc<[SponsorSide]>,
    ids: &[pgrx::Uuid],
    wanted: Wanted,
    rows: &mut Vec<Row>,
) -> Outcome<()> {
    let events = inputs::read(vec![], events.to_vec(), now)?.events;
    let keys: Vec<pgrx::Uuid> = events.iter().map(|event| event.id).collect();
    let mut own = Vec::with_capacity(events.len());
    let mut sides = Vec::with_capacity(events.len());
    for event in events {
        own.push(weights.map_or(event.weights, Ok)?);
        sides.push(event.side);
    }
    let sponsors = Arc::clone(sponsors);
    let found = parallel::run("sponsorship fits", move |stop| {
        Market::new(&sponsors, &sides).best(|event| own[event], wanted, stop)
    })?;
    for (event, best) in keys.into_iter().zip(found) {
        for (rank, (sponsor, score)) in (1..).zip(best) {
            let score = AnyNumeric::try_from(score)
                .map_err(|error| Failure(convene_engine::Error::Worker(error.to_string())))?;
            rows.push((event, ids[sponsor as usize], rank, score));
        }
    }
    Ok(())
}
