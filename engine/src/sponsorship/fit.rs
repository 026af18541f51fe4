//! The fit of a pair: a weighted sum of five parts between 0 and 1.
//!
//! `score = .25 budget_fit + .35 audience_overlap + .15 geo_fit + .15 engagement_quality
//!          + .10 objectives_similarity`, or other weights that add up to one.

use super::parts::{NEUTRAL, audience_overlap, similar};
use super::sides::{Direction, Event, EventSide, Facts, Sponsor, SponsorSide};
use super::weights::Weights;
use crate::{pairs, similarity};

/// A fit and its parts, all between 0 and 1, in full precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The weighted sum of the five parts.
    pub score: f64,
    /// How far the budget goes.
    pub budget_fit: f64,
    /// Of the categories wanted, those that the event has.
    pub category_overlap: f64,
    /// Of the regions wanted, those that the event or its audience has.
    pub geo_overlap: f64,
    /// The two overlaps together.
    pub audience_overlap: f64,
    /// The share of the audience that lives in the regions wanted.
    pub geo_fit: f64,
    /// How engaged the audience is.
    pub engagement_quality: f64,
    /// How near objectives and event are in meaning.
    pub objectives_similarity: f64,
    /// How much of the score's weight rests on data.
    pub coverage: f64,
}

impl Fit {
    /// What stands where nothing is computed yet.
    pub(super) const NONE: Self = Self {
        score: 0.0,
        budget_fit: 0.0,
        category_overlap: 0.0,
        geo_overlap: 0.0,
        audience_overlap: 0.0,
        geo_fit: 0.0,
        engagement_quality: 0.0,
        objectives_similarity: 0.0,
        coverage: 0.0,
    };

    /// The five weighted parts in the order of [`Weights::KEYS`].
    #[must_use]
    pub fn parts(&self) -> [f64; 5] {
        [
            self.budget_fit,
            self.audience_overlap,
            self.geo_fit,
            self.engagement_quality,
            self.objectives_similarity,
        ]
    }
}

/// What a sponsor brings to every fit, whichever the event is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub budget: Option<f64>,
    pub categories: u32,
    pub regions: u32,
}

impl Wanted {
    pub(super) fn of(sponsor: &Sponsor) -> Self {
        Self {
            budget: sponsor.budget,
            categories: sponsor.categories.len() as u32,
            regions: sponsor.regions.len() as u32,
        }
    }
}

/// What a sponsor and an event have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    pub categories: u32,
    pub regions: u32,
    /// People of the audience in the regions wanted.
    pub people: f64,
    /// Where both have a vector of one model.
    pub cosine: Option<f32>,
}

/// The one place where a fit is computed, for a pair alone and for a pair of a market alike.
#[inline]
pub(super) fn combine(wanted: &Wanted, event: &Facts, shared: &Shared, weights: &Weights) -> Fit {
    let share =
        |common: u32, of: u32| if of == 0 { NEUTRAL } else { f64::from(common) / f64::from(of) };
    let category_overlap = share(shared.categories, wanted.categories);
    let geo_overlap = share(shared.regions, wanted.regions);
    let regions_known = wanted.regions > 0 && event.regions > 0;
    let (geo_fit, geo_known) = if !event.insights {
        (geo_overlap, regions_known)
    } else if wanted.regions == 0 || event.total <= 0.0 {
        (NEUTRAL, false)
    } else {
        // Sums of the same numbers in two orders may differ in their last digit.
        ((shared.people / event.total).min(1.0), true)
    };
    let parts = [
        wanted.budget.unwrap_or(0.0),
        audience_overlap(category_overlap, geo_overlap),
        geo_fit,
        event.engagement,
        similar(shared.cosine),
    ];
    let known = |known: bool| f64::from(u8::from(known));
    let coverage = [
        known(wanted.budget.is_some()),
        audience_overlap(
            known(wanted.categories > 0 && event.categories > 0),
            known(regions_known),
        ),
        known(geo_known),
        event.engagement_known,
        known(shared.cosine.is_some()),
    ];
    let weighted = |values: [f64; 5]| -> f64 {
        let sum: f64 =
            weights.to_array().iter().zip(values).map(|(weight, value)| weight * value).sum();
        sum.min(1.0)
    };
    Fit {
        score: weighted(parts),
        budget_fit: parts[0],
        category_overlap,
        geo_overlap,
        audience_overlap: parts[1],
        geo_fit,
        engagement_quality: parts[3],
        objectives_similarity: parts[4],
        coverage: weighted(coverage),
    }
}

/// How well a sponsor and an event fit.
#[must_use]
pub fn fit(sponsor: &SponsorSide, event: &EventSide, weights: &Weights) -> Fit {
    let (sponsor, event) = (Sponsor::new(sponsor), Event::new(event));
    let shared = Shared {
        categories: pairs::common(&sponsor.categories, &event.categories),
        regions: pairs::common(&sponsor.regions, &event.regions),
        people: people(&sponsor.regions, &event.counts),
        cosine: cosine(sponsor.objectives.as_ref(), event.embedding.as_ref()),
    };
    combine(&Wanted::of(&sponsor), &event.facts, &shared, weights)
}

/// People in the regions wanted, summed in the order of the regions.
fn people(wanted: &[String], counts: &[(String, f64)]) -> f64 {
    let counted = |region: &String| counts.binary_search_by(|(known, _)| known.cmp(region)).ok();
    wanted.iter().filter_map(counted).fold(0.0, |people, at| people + counts[at].1)
}

fn cosine(objectives: Option<&Direction>, event: Option<&Direction>) -> Option<f32> {
    let (a, b) = (objectives?, event?);
    a.comparable(b).then(|| similarity::dot(&a.values, &b.values))
}
