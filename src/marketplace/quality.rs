//! The quality of events: read in one go, computed by the engine, and written where it changed.

use convene_engine::marketplace::{Event, Quality, qualities};
use pgrx::prelude::*;

use crate::db::{self, Row};
use crate::error::Outcome;
use crate::moments::micros;
use crate::sponsorship::inputs::live_event;

/// Rows that are read at a time, and written.
const CHUNK: i64 = 10_000;

/// An event, what is stored of it, and whether it is on the market.
struct Known {
    id: pgrx::Uuid,
    on_market: bool,
    stored: Option<(Quality, bool)>,
}

// Ten things describe an event (engine::marketplace::DESCRIBED_OF). Only what took place is history.
const EVENTS: &str = concat!(
    "SELECT e.id, e.organization_id,
       e.start_at,
       CASE WHEN e.status = 'completed' OR e.status = 'published' AND e.end_at <= $1
            THEN coalesce(e.end_at, e.start_at) END,
       (coalesce(e.description, '') ~ '[^[:space:]]')::integer + (e.start_at IS NOT NULL)::integer + (e.end_at IS NOT NULL)::integer
         + (e.venue_id IS NOT NULL OR coalesce(e.city, '') ~ '[^[:space:]]')::integer
         + (e.regions <> '{}' OR coalesce(e.country, '') ~ '[^[:space:]]')::integer
         + (e.categories <> '{}')::integer + (e.capacity IS NOT NULL)::integer
         + (coalesce(e.website, '') ~ '[^[:space:]]')::integer
         + (e.id IN (SELECT s.event_id FROM convene.sessions s WHERE s.status <> 'cancelled'))::integer
         + (e.id IN (SELECT p.event_id FROM convene.sponsorship_packages p WHERE p.status <> 'archived'))::integer,
       i.engagement_score::float8, i.ticket_conversion_rate::float8, i.social_mentions, i.sentiment_score::float8, ",
    live_event!("$1"),
    ", q.quality_score, q.completeness, q.engagement, q.conversion, q.social_proof, q.history, q.coverage, q.on_market
  FROM convene.events e
  LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
  LEFT JOIN convene.event_quality_scores q ON q.event_id = e.id
 WHERE e.status <> 'cancelled'
 ORDER BY e.id"
);

fn event(row: &Row<'_>) -> Outcome<Event<[u8; 16]>> {
    Ok(Event {
        organization: *row.want::<pgrx::Uuid>(2)?.as_bytes(),
        start: row.get(3)?.map(micros),
        ended: row.get(4)?.map(micros),
        described: row.want(5)?,
        engagement: row.get(6)?,
        conversion_rate: row.get(7)?,
        mentions: row.get(8)?,
        sentiment: row.get(9)?,
    })
}

fn known(row: &Row<'_>) -> Outcome<Known> {
    let stored = match row.get::<f64>(11)? {
        None => None,
        Some(score) => {
            let parts = [row.get(12)?, row.get(13)?, row.get(14)?, row.get(15)?, row.get(16)?];
            // A row that somebody wrote by hand has no coverage, and is not what we would write.
            let coverage = row.get(17)?.unwrap_or(-1.0);
            Some((Quality { score, parts, coverage }, row.want(18)?))
        }
    };
    Ok(Known { id: row.want(1)?, on_market: row.want(10)?, stored })
}

/// Cancelled events have a row and no quality.
const GONE: &str = "
    UPDATE convene.event_quality_scores q
       SET quality_score = NULL, completeness = NULL, engagement = NULL, conversion = NULL, social_proof = NULL,
           history = NULL, coverage = NULL, on_market = false, computed_at = $1
      FROM convene.events e
     WHERE e.id = q.event_id AND e.status = 'cancelled' AND (q.quality_score IS NOT NULL OR q.on_market)";

// An event that went away meanwhile is left out.
const WRITE: &str = "
    INSERT INTO convene.event_quality_scores
           (event_id, quality_score, completeness, engagement, conversion, social_proof, history, coverage, on_market,
            computed_at)
    SELECT w.id, w.score, w.completeness, w.engagement, w.conversion, w.social_proof, w.history, w.coverage, w.on_market,
           $10
      FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
                  $8::float8[], $9::bool[])
           w (id, score, completeness, engagement, conversion, social_proof, history, coverage, on_market)
      JOIN convene.events e ON e.id = w.id
     ORDER BY w.id
    ON CONFLICT (event_id) DO UPDATE
       SET quality_score = excluded.quality_score, completeness = excluded.completeness, engagement = excluded.engagement,
           conversion = excluded.conversion, social_proof = excluded.social_proof, history = excluded.history,
           coverage = excluded.coverage, on_market = excluded.on_market, computed_at = excluded.computed_at";

/// Brings the qualities up to date; how many changed.
pub fn refresh(now: TimestampWithTimeZone) -> Outcome<i64> {
    let gone = db::execute(GONE, &[now.into()])?;
    let mut events = Vec::new();
    let mut rows = Vec::new();
    db::stream(EVENTS, &[now.into()], CHUNK, |row| {
        events.push(event(row)?);
        rows.push(known(row)?);
        Ok(())
    })?;
    let changed: Vec<(Known, Quality)> = rows
        .into_iter()
        .zip(qualities(&events))
        .filter(|(known, quality)| known.stored != Some((*quality, known.on_market)))
        .collect();
    let mut written = gone;
    for chunk in changed.chunks(CHUNK as usize) {
        pgrx::check_for_interrupts!();
        written += write(chunk, now)?;
    }
    Ok(written as i64)
}

fn write(rows: &[(Known, Quality)], now: TimestampWithTimeZone) -> Outcome<usize> {
    let part = |at: usize| rows.iter().map(|row| row.1.parts[at]).collect::<Vec<Option<f64>>>();
    db::execute(
        WRITE,
        &[
            rows.iter().map(|row| row.0.id).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.1.score).collect::<Vec<_>>().into(),
            part(0).into(),
            part(1).into(),
            part(2).into(),
            part(3).into(),
            part(4).into(),
            rows.iter().map(|row| row.1.coverage).collect::<Vec<_>>().into(),
            rows.iter().map(|row| row.0.on_market).collect::<Vec<_>>().into(),
            now.into(),
        ],
    )
}
