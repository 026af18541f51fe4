//! Offline evaluation: what each algorithm would have said about interactions it did not see.

mod compare;
mod holdout;
mod metrics;
#[cfg(test)]
pub(crate) mod planted;

pub use compare::{Report, evaluate};
pub use holdout::{Holdout, Split, holdout};
pub use metrics::{Metrics, Similarity, best, metrics};
