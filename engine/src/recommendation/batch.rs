//! A whole event at once, in parallel.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::collaborative::ItemWeights;
use crate::error::Result;
use crate::programme::Programme;
use crate::stop::Stop;

use super::Interest;
use super::context::Context;
use super::crowd::Links;
use super::kin::{Gram, Kin};
use super::options::{Algorithm, Options};
use super::person::Person;
use super::pick::Pick;
use super::rank::rank;

/// Sessions up to which all cosines are worked out beforehand: their matrix has 64 MB then.
const GRAM_AT_MOST: usize = 4_000;
/// Sessions per person up to which that is cheaper than scanning the vectors for each person.
const SESSIONS_PER_PERSON: usize = 3;

/// [`super::recommend`] for every one of `people`, in parallel, with the whole matrix of item
/// weights in place of each person's rows.
///
/// Taste is a weighted sum of session vectors, so its cosine with every session follows from the
/// cosines of the sessions with each other; those are worked out once. Scores are the same as one
/// by one to 1e-4.
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
    let likeness = Likeness::new(programme, people.len(), options, stop)?;
    recommend_each(programme, &likeness, people, weights, interest, options, stop, Ok)
}

/// How alike the sessions of a programme are to each other, worked out once for many people.
#[derive(Debug)]
pub struct Likeness(Option<Vec<Gram>>);

impl Likeness {
    /// Works it out where so many people make it worth while; otherwise each person's scan does.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] once `stop` was requested.
    pub fn new(
        programme: &Programme,
        people: usize,
        options: &Options,
        stop: &Stop,
    ) -> Result<Self> {
        Ok(Self(grams(programme, people, options, stop)?))
    }
}

/// [`recommend_all`] for some of many people, with each person's picks turned into something smaller
/// by the thread that made them: the picks of a large event take hundreds of megabytes, what becomes
/// of them need not.
///
/// # Errors
/// [`crate::Error::Cancelled`] once `stop` was requested, and whatever `finish` fails with.
#[allow(clippy::too_many_arguments)] // Each of another kind, and none optional.
pub fn recommend_each<T: Send>(
    programme: &Programme,
    likeness: &Likeness,
    people: &[Person],
    weights: Option<&ItemWeights>,
    interest: Interest,
    options: &Options,
    stop: &Stop,
    finish: impl Fn(Vec<Pick>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    stop.check()?;
    let kin = likeness.0.as_deref().map_or(Kin::Direct, Kin::Grams);
    let links = weights.map_or(Links::Rows(&[]), Links::Matrix);
    let context = Context::new(programme, interest, links, kin, options);
    let done = AtomicUsize::new(0);
    people
        .par_iter()
        .map(|person| {
            stop.check()?;
            let finished = finish(rank(&context, person))?;
            stop.progress((done.fetch_add(1, Ordering::Relaxed) * 1000 / people.len()) as u32);
            Ok(finished)
        })
        .collect()
}

fn grams(
    programme: &Programme,
    people: usize,
    options: &Options,
    stop: &Stop,
) -> Result<Option<Vec<Gram>>> {
    let rows: usize = programme.models().iter().map(|vectors| vectors.sessions.len()).sum();
    let needed =
        options.diversify || matches!(options.algorithm, Algorithm::Hybrid | Algorithm::Content);
    let worthwhile = rows <= GRAM_AT_MOST && rows <= people.saturating_mul(SESSIONS_PER_PERSON);
    if !(needed && worthwhile) {
        return Ok(None);
    }
    programme
        .models()
        .iter()
        .map(|vectors| Gram::new(vectors, stop))
        .collect::<Result<_>>()
        .map(Some)
}
