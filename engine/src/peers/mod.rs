//! Peers: how well two contractors fit, and who sits at which table.
//!
//! The score is 0.40 focus + 0.25 geography + 0.20 scale + 0.15 industry, unless a weight set says
//! otherwise. [`parts`] has the formulas, on counts and codes; [`Contractor`] and [`Crowd`] bring
//! people into that form, one by one with words for the reasons, or packed for all pairs.

mod connectors;
mod contractor;
mod crowd;
mod disc;
pub mod groups;
mod parts;
mod places;
mod reasons;
mod weights;
mod words;

pub use connectors::{Introduction, connector_score};
pub use contractor::{Contractor, Families, Profile};
pub use crowd::Crowd;
pub use disc::Disc;
pub use parts::{MatchType, Parts, ten_thousandths};
pub use places::{Separation, state_code};
pub use reasons::reason;
pub use weights::Weights;
pub use words::normalised;

#[cfg(test)]
mod tests;
