//! Peers: contractors who should meet, what they say to it, and what comes of it.

mod access;
mod apart;
pub mod conversation;
mod create;
mod crowd;
mod find;
mod generate;
mod groups;
mod list;
mod metrics;
mod outcome;

use pgrx::prelude::*;

use crate::error::{Outcome, invalid, required};

/// A score that callers name: from 0 to 1.
fn least_score(score: Option<AnyNumeric>) -> Outcome<f64> {
    let score = f64::try_from(required(score, "p_min_score")?).unwrap_or(f64::NAN);
    if (0.0..=1.0).contains(&score) {
        return Ok(score);
    }
    invalid(
        format!("p_min_score must be from 0 to 1, not {score}"),
        "A match score lies between 0 and 1.",
        "Pass 0.6 for matches worth an introduction, 0 for all.",
    )
}

/// A score as SQL shows it: four decimals.
fn score_numeric(score: f64) -> AnyNumeric {
    let shown = f64::from(convene_engine::peers::ten_thousandths(score)) / 1e4;
    AnyNumeric::try_from(format!("{shown:.4}").as_str()).unwrap_or_else(|_| AnyNumeric::from(0))
}
