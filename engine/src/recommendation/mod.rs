//! Which session to see next, and why.

mod options;
mod person;
mod pick;
mod reasons;
mod weights;

pub use options::{Algorithm, Options};
pub use person::{Kind, Neighbours, Person, Signal, taste_signals};
pub use pick::{Part, Parts, Pick};
pub use reasons::{Cause, sentence, with_notes};
pub use weights::{WeightSet, Weights};

use crate::collaborative::ItemWeights;
use crate::error::Result;
use crate::programme::Programme;
use crate::stop::Stop;

/// Distinct people who showed interest in each session when it was last counted, by session. A
/// session beyond the end of the slice counts zero.
#[derive(Debug, Clone, Copy)]
pub struct Interest<'a>(pub &'a [u32]);

/// The best sessions for one person.
#[must_use]
pub fn recommend(
    programme: &Programme,
    person: &Person,
    neighbours: &[Neighbours],
    interest: Interest,
    options: &Options,
) -> Vec<Pick> {
    let _ = (programme, person, neighbours, interest, options);
    Vec::new()
}

/// The fused score of every session for one person, nothing filtered.
#[must_use]
pub fn scores(
    programme: &Programme,
    person: &Person,
    neighbours: &[Neighbours],
    interest: Interest,
    options: &Options,
) -> Vec<f64> {
    let _ = (person, neighbours, interest, options);
    vec![0.0; programme.len()]
}

/// [`recommend`] for a whole event at once, in parallel.
///
/// # Errors
/// [`crate::Error::Cancelled`] once `stop` was requested.
pub fn recommend_all(
    programme: &Programme,
    people: &[Person],
    weights: Option<&ItemWeights>,
    interest: Interest,
    options: &Options,
    stop: &Stop,
) -> Result<Vec<Vec<Pick>>> {
    let _ = (programme, weights, interest, options);
    stop.check()?;
    Ok(vec![Vec::new(); people.len()])
}
