//! Fits of plain values, for people's own tables. They look nothing up, so they need no path of their
//! own, which would cost more than they do.

use convene_engine::sponsorship::{
    self, Case, EventSide, Insights, NEUTRAL, SponsorSide, Vector, Weights, counts, fold_region,
};
use pgrx::prelude::*;

use crate::document::Document;
use crate::error::{OrRaise, Outcome};

type Words = Option<Vec<Option<String>>>;
type Numbers = Option<Vec<Option<f32>>>;

fn given(words: Words) -> Vec<String> {
    words.unwrap_or_default().into_iter().flatten().collect()
}

/// A vector with a null in it has no direction.
fn vector(numbers: Numbers) -> Option<Vector> {
    let values = numbers?.into_iter().collect::<Option<Vec<f32>>>()?;
    Some(Vector { model: String::new(), values })
}

#[allow(clippy::too_many_arguments)] // Everything that a fit is computed from.
fn case(
    annual_budget_cents: Option<i64>,
    preferred_categories: Words,
    event_categories: Words,
    regions: Words,
    event_regions: Words,
    geo_distribution: Option<Document>,
    engagement_score: Option<f64>,
    ticket_conversion_rate: Option<f64>,
    objectives: Numbers,
    event_embedding: Numbers,
    weights: Option<Document>,
) -> Outcome<Case> {
    let known = geo_distribution.is_some()
        || engagement_score.is_some()
        || ticket_conversion_rate.is_some();
    let distribution = geo_distribution.map(|geo| geo.parse("p_geo_distribution")).transpose()?;
    let weights = weights.map(|weights| weights.parse("p_weights")).transpose()?;
    Ok(Case {
        sponsor: SponsorSide {
            annual_budget_cents,
            preferred_categories: given(preferred_categories),
            regions: given(regions),
            objectives: vector(objectives),
        },
        event: EventSide {
            categories: given(event_categories),
            regions: given(event_regions),
            insights: known.then(|| Insights {
                geo_distribution: distribution.as_ref().map_or_else(Vec::new, counts),
                engagement_score,
                ticket_conversion_rate,
            }),
            embedding: vector(event_embedding),
        },
        weights: match weights {
            Some(weights) => Weights::from_json(&weights)?,
            None => Weights::default(),
        },
    })
}

/// The fit of a sponsor and an event, 0 to 1.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::too_many_arguments)] // Everything that a fit is computed from.
fn sponsor_fit_score(
    p_annual_budget_cents: Option<i64>,
    p_preferred_categories: Words,
    p_event_categories: Words,
    p_regions: Words,
    p_event_regions: Words,
    p_geo_distribution: default!(Option<Document>, "NULL"),
    p_engagement_score: default!(Option<f64>, "NULL"),
    p_ticket_conversion_rate: default!(Option<f64>, "NULL"),
    p_objectives: default!(Numbers, "NULL"),
    p_event_embedding: default!(Numbers, "NULL"),
    p_weights: default!(Option<Document>, "NULL"),
) -> f64 {
    case(
        p_annual_budget_cents,
        p_preferred_categories,
        p_event_categories,
        p_regions,
        p_event_regions,
        p_geo_distribution,
        p_engagement_score,
        p_ticket_conversion_rate,
        p_objectives,
        p_event_embedding,
        p_weights,
    )
    .or_raise()
    .fit()
    .score
}

/// The parts of `sponsor_fit_score`, as `overlap_metrics` has them.
#[pg_extern(immutable, parallel_safe)]
#[allow(clippy::too_many_arguments)] // Everything that a fit is computed from.
fn sponsor_fit_metrics(
    p_annual_budget_cents: Option<i64>,
    p_preferred_categories: Words,
    p_event_categories: Words,
    p_regions: Words,
    p_event_regions: Words,
    p_geo_distribution: default!(Option<Document>, "NULL"),
    p_engagement_score: default!(Option<f64>, "NULL"),
    p_ticket_conversion_rate: default!(Option<f64>, "NULL"),
    p_objectives: default!(Numbers, "NULL"),
    p_event_embedding: default!(Numbers, "NULL"),
    p_weights: default!(Option<Document>, "NULL"),
) -> Document {
    let case = case(
        p_annual_budget_cents,
        p_preferred_categories,
        p_event_categories,
        p_regions,
        p_event_regions,
        p_geo_distribution,
        p_engagement_score,
        p_ticket_conversion_rate,
        p_objectives,
        p_event_embedding,
        p_weights,
    )
    .or_raise();
    Document(case.fit().metrics(&case.weights))
}

/// Words in common over words in either, 0 to 1.
#[pg_extern(immutable, parallel_safe, strict)]
fn jaccard(p_a: Vec<Option<String>>, p_b: Vec<Option<String>>) -> f64 {
    sponsorship::jaccard(&given(Some(p_a)), &given(Some(p_b)))
}

/// The share of the words wanted that are present, 0 to 1.
#[pg_extern(immutable, parallel_safe, strict)]
fn overlap_share(p_wanted: Vec<Option<String>>, p_present: Vec<Option<String>>) -> f64 {
    sponsorship::overlap_share(&given(Some(p_wanted)), &given(Some(p_present))).unwrap_or(NEUTRAL)
}

/// How far a budget goes, 0 to 1.
#[pg_extern(immutable, parallel_safe)]
fn budget_fit(p_annual_budget_cents: Option<i64>) -> f64 {
    sponsorship::budget_fit(p_annual_budget_cents)
}

/// How engaged an audience is, 0 to 1.
#[pg_extern(immutable, parallel_safe)]
fn engagement_quality(
    p_engagement_score: Option<f64>,
    p_ticket_conversion_rate: Option<f64>,
) -> f64 {
    sponsorship::engagement_quality(p_engagement_score, p_ticket_conversion_rate)
}

/// The form in which a region is compared.
#[pg_extern(immutable, parallel_safe, strict)]
fn region_code(p_region: &str) -> String {
    fold_region(p_region)
}
