//! The fit of one pair.

use convene_engine::Error;
use convene_engine::sponsorship::{EventSide, Fit, SponsorSide, Weights, fit};
use pgrx::prelude::*;

use super::access::{self, Pair};
use super::inputs;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome};
use crate::owner::with_owner;

/// A pair with what it is compared by.
pub struct Sides {
    /// The sponsor's.
    pub sponsor: SponsorSide,
    /// The event's.
    pub event: EventSide,
    /// What counts at the event.
    pub weights: Weights,
    /// The name of these weights.
    pub weight_set: String,
}

/// Reads both sides of a pair.
pub fn sides(pair: Pair) -> Outcome<Sides> {
    let now = pgrx::datum::datetime_support::transaction_timestamp();
    let mut found = with_owner(|| inputs::read(vec![pair.sponsor_id], vec![pair.event_id], now))?;
    match (found.sponsors.pop(), found.events.pop()) {
        (Some(sponsor), Some(event)) => Ok(Sides {
            sponsor: sponsor.side,
            event: event.side,
            weights: event.weights,
            weight_set: event.weight_set,
        }),
        // Deleted since it was looked at.
        _ => Err(Failure(Error::Retry {
            message: "the sponsor or the event went away meanwhile".into(),
            hint: "Try again.".into(),
        })),
    }
}

/// A score as the table holds it.
pub fn stored(fit: &Fit) -> Outcome<AnyNumeric> {
    AnyNumeric::try_from(fit.stored_score())
        .map_err(|error| Failure(Error::Worker(error.to_string())))
}

/// How well a sponsor and an event fit, and why, computed now.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn fn_compute_match_score(
    p_event_id: Option<pgrx::Uuid>,
    p_sponsor_id: Option<pgrx::Uuid>,
) -> TableIterator<'static, (name!(score, AnyNumeric), name!(overlap_metrics, Document))> {
    TableIterator::once(compute(p_event_id, p_sponsor_id).or_raise())
}

fn compute(
    event_id: Option<pgrx::Uuid>,
    sponsor_id: Option<pgrx::Uuid>,
) -> Outcome<(AnyNumeric, Document)> {
    let sides = sides(access::pair(event_id, sponsor_id)?)?;
    let fit = fit(&sides.sponsor, &sides.event, &sides.weights);
    Ok((stored(&fit)?, Document(fit.metrics(&sides.weights))))
}
