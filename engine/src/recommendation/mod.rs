//! Which session to see next, and why.
//!
//! Four sources score every session from 0 to 1: likeness to the person's taste, agreement with
//! what they stated, what people with a similar history chose, what everybody chose. They are
//! added up with weights that depend on how much is known of the person; sources that have
//! nothing to say drop out. What is left of a session's score are its parts, and every true cause.

mod batch;
mod clashes;
mod company;
mod content;
mod context;
mod crowd;
mod kin;
mod options;
mod person;
mod pick;
mod rank;
mod reasons;
mod sources;
mod stated;
mod weights;

pub use batch::{Likeness, recommend_all, recommend_each};
pub use company::{Choice, company};
pub use options::{Algorithm, Options};
pub use person::{Kind, Neighbours, Person, Signal, taste_signals};
pub use pick::{Part, Parts, Pick};
pub use reasons::{Cause, sentence, with_notes};
pub use weights::{WeightSet, Weights};

use crate::programme::Programme;
use context::Context;
use crowd::Links;
use kin::Kin;
use sources::Sources;

/// Distinct people who showed interest in each session when it was last counted, by session. A
/// session beyond the end of the slice counts zero.
#[derive(Debug, Clone, Copy)]
pub struct Interest<'a>(pub &'a [u32]);

/// The best sessions for one person, at most `options.limit`.
///
/// Never one that is cancelled, over or a break, nor one the person attended, bookmarked, rated or
/// dismissed. What clashes with a bookmark ranks below all that does not. A single source that
/// knows nothing of the person gives way to popularity. Of equals the lower index comes first.
/// Signals for sessions that are not in the programme and vectors that do not fit it count for
/// nothing.
#[must_use]
pub fn recommend(
    programme: &Programme,
    person: &Person,
    neighbours: &[Neighbours],
    interest: Interest,
    options: &Options,
) -> Vec<Pick> {
    let links = Links::Rows(neighbours);
    rank::rank(&Context::new(programme, interest, links, Kin::Direct, options), person)
}

/// The fused score of every session for one person, nothing filtered, nothing moved.
#[must_use]
pub fn scores(
    programme: &Programme,
    person: &Person,
    neighbours: &[Neighbours],
    interest: Interest,
    options: &Options,
) -> Vec<f64> {
    let links = Links::Rows(neighbours);
    let context = Context::new(programme, interest, links, Kin::Direct, options);
    let sources = Sources::new(&context, person);
    (0..programme.len() as u32).map(|session| sources.parts(session).total()).collect()
}

#[cfg(test)]
mod tests;
