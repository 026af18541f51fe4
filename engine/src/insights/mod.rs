//! Figures of an event's audience, from sums of its signals.

mod figures;
mod sentiment;

pub use figures::{Facts, Figures, Sums, engagement, figures};
pub use sentiment::sentiment;
