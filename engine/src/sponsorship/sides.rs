//! The two sides of a fit: as they are written, and in the form in which they are compared.

use serde_json::Value;

use super::{parts, regions, words};
use crate::similarity;

/// The most that one count of an audience weighs: no sum of them overflows.
pub(super) const MOST_COUNT: f64 = 1e15;

/// A vector and the model that made it; vectors of two models are never compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// Name of the model.
    pub model: String,
    /// The numbers.
    pub values: Vec<f32>,
}

/// What a sponsor looks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SponsorSide {
    /// Budget of a year in minor units; `None`: not told.
    pub annual_budget_cents: Option<i64>,
    /// Categories of events.
    pub preferred_categories: Vec<String>,
    /// Countries by name or code, or other regions.
    pub regions: Vec<String>,
    /// What the sponsor wants to achieve.
    pub objectives: Option<Vector>,
}

/// What an event is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventSide {
    /// Its categories.
    pub categories: Vec<String>,
    /// Its regions.
    pub regions: Vec<String>,
    /// What is known of its audience; `None`: nothing.
    pub insights: Option<Insights>,
    /// What it is about.
    pub embedding: Option<Vector>,
}

/// What is known of an audience.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Insights {
    /// People by region.
    pub geo_distribution: Vec<(String, f64)>,
    /// 0 to 1.
    pub engagement_score: Option<f64>,
    /// 0 to 1.
    pub ticket_conversion_rate: Option<f64>,
}

/// The counts of a `geo_distribution`. What is no count (no number, or below zero) keeps its region
/// and counts nobody; what is no object has no regions.
#[must_use]
pub fn counts(distribution: &Value) -> Vec<(String, f64)> {
    let Value::Object(map) = distribution else { return vec![] };
    map.iter().map(|(region, count)| (region.clone(), count.as_f64().unwrap_or(0.0))).collect()
}

/// A sponsor's side in the form in which it is compared.
#[derive(Debug)]
pub(super) struct Sponsor {
    pub budget: Option<f64>,
    pub categories: Vec<String>,
    pub regions: Vec<String>,
    pub objectives: Option<Direction>,
}

/// An event's side in the form in which it is compared.
#[derive(Debug)]
pub(super) struct Event {
    pub categories: Vec<String>,
    /// Its own regions and those of its audience.
    pub regions: Vec<String>,
    /// People by region, in the order of the regions.
    pub counts: Vec<(String, f64)>,
    pub facts: Facts,
    pub embedding: Option<Direction>,
}

/// What an event brings to every fit, whoever the sponsor is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Whether anything is known of the audience.
    pub insights: bool,
    /// People counted.
    pub total: f64,
    /// Categories that it has.
    pub categories: u32,
    /// Regions that it has.
    pub regions: u32,
    pub engagement: f64,
    /// How much of that rests on data, 0 to 1.
    pub engagement_known: f64,
}

/// A vector of length one.
#[derive(Debug)]
pub(super) struct Direction {
    pub model: String,
    pub values: Vec<f32>,
}

impl Direction {
    /// `None` for a vector without a direction: zero, or not finite.
    fn of(vector: &Vector) -> Option<Self> {
        let mut values = vector.values.clone();
        similarity::normalise(&mut values).then(|| Self { model: vector.model.clone(), values })
    }

    pub(super) fn comparable(&self, other: &Self) -> bool {
        self.model == other.model && self.values.len() == other.values.len()
    }
}

impl Sponsor {
    pub(super) fn new(side: &SponsorSide) -> Self {
        Self {
            budget: side.annual_budget_cents.map(|cents| parts::budget_fit(Some(cents))),
            categories: words::categories(&side.preferred_categories),
            regions: regions::folded(side.regions.iter().map(String::as_str)),
            objectives: side.objectives.as_ref().and_then(Direction::of),
        }
    }
}

impl Event {
    pub(super) fn new(side: &EventSide) -> Self {
        let counted = side.insights.iter().flat_map(|insights| &insights.geo_distribution);
        let own = side.regions.iter().map(String::as_str);
        let regions = regions::folded(own.chain(counted.map(|(region, _)| region.as_str())));
        let counts = merged(side.insights.as_ref());
        let categories = words::categories(&side.categories);
        let insights = side.insights.as_ref();
        let (engagement, engagement_known) = parts::engagement(
            insights.and_then(|insights| insights.engagement_score),
            insights.and_then(|insights| insights.ticket_conversion_rate),
        );
        let facts = Facts {
            insights: insights.is_some(),
            total: counts.iter().fold(0.0, |total, (_, count)| total + count),
            categories: categories.len() as u32,
            regions: regions.len() as u32,
            engagement,
            engagement_known,
        };
        let embedding = side.embedding.as_ref().and_then(Direction::of);
        Self { categories, regions, counts, facts, embedding }
    }
}

/// People by region, a region once, in an order that does not depend on the one they came in.
fn merged(insights: Option<&Insights>) -> Vec<(String, f64)> {
    let given = insights.map_or(&[][..], |insights| &insights.geo_distribution);
    let usable = given.iter().map(|(region, count)| {
        let count = if *count > 0.0 { count.min(MOST_COUNT) } else { 0.0 };
        (regions::fold(region), count)
    });
    let mut counts: Vec<(String, f64)> =
        usable.filter(|(region, count)| !region.is_empty() && *count > 0.0).collect();
    counts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    counts.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    counts
}
