//! Which sponsor fits which event, and why: one pair at a time, or whole markets.

mod answer;
mod fit;
mod health;
mod markdown;
mod market;
mod metrics;
mod overrides;
mod parts;
mod price;
mod proposal;
mod recalc;
mod regions;
mod sides;
mod weights;
mod words;

pub use answer::{Action, State, answer};
pub use fit::{Fit, fit};
pub use health::Health;
pub use market::Market;
pub use metrics::Part;
pub use overrides::{Case, difference};
pub use parts::{NEUTRAL, audience_overlap, budget_fit, engagement_quality, objectives_similarity};
pub use price::{Comparable, Counted, LEAST_COMPARABLES, Offer, Suggestion, suggest};
pub use proposal::{Audience, Package, Proposal};
pub use recalc::{Bounds, Compared, Recalculation, Scored};
pub use regions::fold as fold_region;
pub use sides::{EventSide, Insights, SponsorSide, Vector, counts};
pub use weights::Weights;
pub use words::{jaccard, overlap_share};

#[cfg(test)]
mod tests;
