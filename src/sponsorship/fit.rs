//! The fit of one pair.

use convene_engine::Error;
use convene_engine::sponsorship::{Case, Fit, difference};
use pgrx::prelude::*;

use super::access::{self, Pair};
use super::inputs;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, required};
use crate::owner::with_owner;

/// Reads both sides of a pair.
pub fn case(pair: Pair) -> Outcome<Case> {
    let now = pgrx::datum::datetime_support::transaction_timestamp();
    let mut found = with_owner(|| inputs::read(vec![pair.sponsor_id], vec![pair.event_id], now))?;
    match (found.sponsors.pop(), found.events.pop()) {
        (Some(sponsor), Some(event)) => {
            Ok(Case { sponsor: sponsor.side, event: event.side, weights: event.weights? })
        }
        _ => Err(gone()),
    }
}

/// Deleted since the caller's rights were looked at.
pub fn gone() -> Failure {
    Failure(Error::Retry {
        message: "the sponsor or the event went away meanwhile".into(),
        hint: "Try again.".into(),
    })
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
    let case = case(access::pair(event_id, sponsor_id)?)?;
    let fit = case.fit();
    Ok((stored(&fit)?, Document(fit.metrics(&case.weights))))
}

/// What the fit would be if something were otherwise; nothing is written.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn simulate_match_score(
    p_event_id: Option<pgrx::Uuid>,
    p_sponsor_id: Option<pgrx::Uuid>,
    p_overrides: Option<Document>,
) -> pgrx::JsonB {
    simulate(p_event_id, p_sponsor_id, p_overrides).or_raise()
}

fn simulate(
    event_id: Option<pgrx::Uuid>,
    sponsor_id: Option<pgrx::Uuid>,
    overrides: Option<Document>,
) -> Outcome<pgrx::JsonB> {
    let pair = access::pair(event_id, sponsor_id)?;
    let overrides = required(overrides, "p_overrides")?.parse("p_overrides")?;
    let now = case(pair)?;
    Ok(pgrx::JsonB(difference(&now, &now.with(&overrides)?)))
}
