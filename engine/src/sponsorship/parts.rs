//! The formulas of the parts of a fit, on single values.

use crate::similarity;

/// What counts where nothing speaks for or against.
pub const NEUTRAL: f64 = 0.5;
/// The budget in minor units that is worth a half.
const HALF_BUDGET: f64 = 100_000.0;
/// Shares of categories and regions in the overlap.
const OF_CATEGORIES: f64 = 0.6;
const OF_REGIONS: f64 = 0.4;
/// Shares of engagement and sales in the quality of an audience.
const OF_ENGAGEMENT: f64 = 0.7;
const OF_CONVERSION: f64 = 0.3;

/// `clamp(b / (b + 100000))` of a budget b of a year in minor units; 0 where there is none.
#[must_use]
pub fn budget_fit(annual_budget_cents: Option<i64>) -> f64 {
    let budget = annual_budget_cents.map_or(0.0, |cents| cents.max(0) as f64);
    budget / (budget + HALF_BUDGET)
}

/// `.6 category_overlap + .4 geo_overlap`.
#[must_use]
#[inline]
pub fn audience_overlap(category_overlap: f64, geo_overlap: f64) -> f64 {
    OF_CATEGORIES * category_overlap + OF_REGIONS * geo_overlap
}

/// `.7 engagement + .3 conversion`, each brought between 0 and 1; one that is not known counts 0, as
/// both do where nothing is known of an audience.
#[must_use]
pub fn engagement_quality(engagement_score: Option<f64>, conversion_rate: Option<f64>) -> f64 {
    engagement(engagement_score, conversion_rate).0
}

/// [`engagement_quality`], and how much of it rests on data.
pub(super) fn engagement(score: Option<f64>, conversion: Option<f64>) -> (f64, f64) {
    let shares = [(OF_ENGAGEMENT, score), (OF_CONVERSION, conversion)];
    shares.into_iter().fold((0.0, 0.0), |(quality, known), (share, value)| {
        match value.filter(|value| !value.is_nan()) {
            Some(value) => (quality + share * value.clamp(0.0, 1.0), known + share),
            None => (quality, known),
        }
    })
}

/// `(1 + cosine) / 2` of two vectors of one model; neutral where one has no direction or their
/// lengths differ.
#[must_use]
pub fn objectives_similarity(objectives: &[f32], event: &[f32]) -> f64 {
    let (mut a, mut b) = (objectives.to_vec(), event.to_vec());
    let directed = similarity::normalise(&mut a) && similarity::normalise(&mut b);
    let comparable = directed && a.len() == b.len();
    similar(comparable.then(|| similarity::dot(&a, &b)))
}

/// [`objectives_similarity`] of a cosine; nothing where there is none.
#[inline]
pub(super) fn similar(cosine: Option<f32>) -> f64 {
    cosine.map_or(NEUTRAL, |cosine| f64::midpoint(1.0, f64::from(cosine).clamp(-1.0, 1.0)))
}
