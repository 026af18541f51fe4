//! The two sides of a fit, read from the tables as one statement sees them. Runs as the owner of the
//! data.

use std::collections::HashMap;

use convene_engine::sponsorship::{EventSide, Insights, SponsorSide, Vector, Weights, counts};
use pgrx::prelude::*;

use crate::db::{self, Row};
use crate::document::Document;
use crate::error::Outcome;
use crate::vector::Floats;

/// Whether a sponsor `s` with the profile `p`, or none, is on the market.
macro_rules! live_sponsor {
    () => {
        "(s.status <> 'churned' AND p.sponsor_id IS NOT NULL)"
    };
}
pub(crate) use live_sponsor;

/// Whether an event `e` is on the market at the moment that a parameter gives: published, and not
/// over. One that does not say when it ends is not over.
macro_rules! live_event {
    ($now:literal) => {
        concat!("(e.status = 'published' AND (e.end_at IS NULL OR e.end_at > ", $now, "))")
    };
}
pub(crate) use live_event;

/// The revision of an event's side: of the event itself, its insights `i`, its vector `x` and of all
/// weights, each of which only grows, so that the sum does. What was deleted has left its own behind.
macro_rules! event_rev {
    () => {
        "(e.fit_rev
          + coalesce(i.rev, (SELECT g.rev FROM convene.fit_revisions g
                              WHERE g.kind = 'insights' AND g.target_id = e.id), 0)
          + coalesce(x.rev, (SELECT g.rev FROM convene.fit_revisions g
                              WHERE g.kind = 'vector' AND g.target_id = e.id), 0)
          + coalesce((SELECT g.rev FROM convene.fit_revisions g WHERE g.kind = 'weights'), 0))"
    };
}

/// A sponsor as it is compared.
#[derive(Debug)]
pub struct SponsorInput {
    /// Its id.
    pub id: pgrx::Uuid,
    /// What it looks for; a sponsor without a profile looks for nothing.
    pub side: SponsorSide,
    /// What this was read from.
    pub rev: i64,
    /// Whether it is on the market.
    pub live: bool,
}

/// An event as it is compared.
#[derive(Debug)]
pub struct EventInput {
    /// Its id.
    pub id: pgrx::Uuid,
    /// What it is.
    pub side: EventSide,
    /// What this was read from.
    pub rev: i64,
    /// Whether it is on the market.
    pub live: bool,
    /// What counts here: the event's own weights, else those for all, else the built-in ones; an
    /// error where those are no weights.
    pub weights: Outcome<Weights>,
}

/// Both sides, each by ascending id.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The sponsors that were asked for and are there.
    pub sponsors: Vec<SponsorInput>,
    /// Likewise the events.
    pub events: Vec<EventInput>,
}

/// One statement, so that both sides are of one snapshot, whatever the isolation level.
const SIDES: &str = concat!(
    "SELECT s.id, ",
    live_sponsor!(),
    " AS live, coalesce(p.rev, 0) AS rev, p.preferred_categories AS categories, p.regions,
       p.embedding_model AS model, p.objectives_embedding AS vector, p.annual_budget_cents AS budget,
       NULL::bool AS insights, NULL::jsonb AS geo, NULL::float8 AS engagement, NULL::float8 AS conversion,
       NULL::jsonb AS weights
  FROM convene.sponsors s LEFT JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id
 WHERE s.id = ANY ($1)
 UNION ALL
SELECT e.id, ",
    live_event!("$3"),
    ", ",
    event_rev!(),
    ", e.categories, e.regions, x.embedding_model, x.embedding, NULL,
       i.event_id IS NOT NULL, i.geo_distribution, i.engagement_score::float8, i.ticket_conversion_rate::float8,
       w.weights
  FROM convene.events e
  LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
  LEFT JOIN convene.event_embeddings x ON x.event_id = e.id
  LEFT JOIN LATERAL (SELECT w.weights FROM convene.scoring_weights w
                      WHERE w.surface = 'sponsorship' AND w.is_active
                        AND (w.event_id = e.id OR w.event_id IS NULL)
                      ORDER BY w.event_id NULLS LAST LIMIT 1) w ON true
 WHERE e.id = ANY ($2)"
);

/// Reads the sides of sponsors and events; what is not there is left out.
pub fn read(
    sponsors: Vec<pgrx::Uuid>,
    events: Vec<pgrx::Uuid>,
    now: TimestampWithTimeZone,
) -> Outcome<Inputs> {
    let mut inputs = Inputs::default();
    let mut known = HashMap::new();
    let keys = sponsors.len() + events.len();
    db::read_by_keys(keys, SIDES, &[sponsors.into(), events.into(), now.into()], |row| {
        match row.get::<bool>(9)? {
            None => inputs.sponsors.push(sponsor(row)?),
            Some(insights) => inputs.events.push(event(row, insights, &mut known)?),
        }
        Ok(())
    })?;
    inputs.sponsors.sort_unstable_by_key(|sponsor| sponsor.id);
    inputs.events.sort_unstable_by_key(|event| event.id);
    Ok(inputs)
}

fn sponsor(row: &Row<'_>) -> Outcome<SponsorInput> {
    Ok(SponsorInput {
        id: row.want(1)?,
        live: row.want(2)?,
        rev: row.want(3)?,
        side: SponsorSide {
            annual_budget_cents: row.get(8)?,
            preferred_categories: words(row, 4)?,
            regions: words(row, 5)?,
            objectives: vector(row)?,
        },
    })
}

fn event(
    row: &Row<'_>,
    insights: bool,
    known: &mut HashMap<String, Weights>,
) -> Outcome<EventInput> {
    let weights = match row.get::<Document>(13)? {
        None => Ok(Weights::default()),
        Some(document) => parsed(document, known),
    };
    Ok(EventInput {
        id: row.want(1)?,
        live: row.want(2)?,
        rev: row.want(3)?,
        side: EventSide {
            categories: words(row, 4)?,
            regions: words(row, 5)?,
            insights: if insights { Some(audience(row)?) } else { None },
            embedding: vector(row)?,
        },
        weights,
    })
}

fn audience(row: &Row<'_>) -> Outcome<Insights> {
    // Numbers that no double holds are in no audience: such a distribution says nothing.
    let distribution = row.get::<Document>(10)?;
    let distribution = distribution.and_then(|geo| serde_json::from_str(&geo.0).ok());
    Ok(Insights {
        geo_distribution: distribution.as_ref().map_or_else(Vec::new, counts),
        engagement_score: row.get(11)?,
        ticket_conversion_rate: row.get(12)?,
    })
}

/// Most events share their weights, so each text is read once.
fn parsed(document: Document, known: &mut HashMap<String, Weights>) -> Outcome<Weights> {
    if let Some(weights) = known.get(&document.0) {
        return Ok(*weights);
    }
    let weights = Weights::from_json(&document.parse("weights of scoring_weights")?)?;
    known.insert(document.0, weights);
    Ok(weights)
}

/// The words of a column of type `text[]`, without nulls.
pub fn words(row: &Row<'_>, ordinal: usize) -> Outcome<Vec<String>> {
    let words = row.get::<Vec<Option<String>>>(ordinal)?.unwrap_or_default();
    Ok(words.into_iter().flatten().collect())
}

fn vector(row: &Row<'_>) -> Outcome<Option<Vector>> {
    let Some(Floats(values)) = row.get(7)? else { return Ok(None) };
    Ok(Some(Vector { model: row.get(6)?.unwrap_or_default(), values }))
}
