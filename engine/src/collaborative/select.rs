//! Which model serves an event: each candidate learns from four fifths of the interactions and is
//! asked for the rest.

use super::{DEFAULT_TOP, Interactions, MAX_DENSE_ITEMS, Model, score, train};
use crate::error::Result;
use crate::evaluation::{Holdout, Split, best, holdout, metrics};
use crate::stop::Stop;

/// Below this many positive interactions nothing can be told from chance.
const MIN_INTERACTIONS: usize = 50;
/// Nor with fewer people than this who have [`MIN_EACH`] of them.
const MIN_PEOPLE: usize = 10;
/// The positive interactions that make a person count.
const MIN_EACH: usize = 3;
/// The length of the lists that are compared.
const K: usize = 10;

/// The outcome of [`select`].
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The model that did best.
    pub model: Model,
    /// Its NDCG@10 on what was held out.
    pub ndcg: f64,
    /// That of popularity alone.
    pub popularity: f64,
    /// Every candidate with its NDCG@10.
    pub tried: Vec<(Model, f64)>,
}

/// Chooses a model by holdout; `None` while there is too little to learn from or no candidate
/// does better than popularity, which then serves.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub fn select(interactions: &Interactions, seed: u64, stop: &Stop) -> Result<Option<Selection>> {
    if !enough(interactions) {
        return Ok(None);
    }
    let split = holdout(interactions, Split::Random, seed);
    let interest = split.train.interest();
    let popularity = judge(&split, stop, |_| interest.clone())?;
    let mut tried = Vec::new();
    for model in candidates(interactions) {
        let weights = train(&split.train, &model, DEFAULT_TOP, stop)?;
        let ndcg = judge(&split, stop, |person| score(&weights, &split.train.taste(person)))?;
        tried.push((model, ndcg));
    }
    // The first of equals stays: simpler models come first.
    let winner = tried.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    Ok(winner.filter(|&(_, ndcg)| ndcg > popularity).map(|(model, ndcg)| Selection {
        model,
        ndcg,
        popularity,
        tried,
    }))
}

fn enough(interactions: &Interactions) -> bool {
    let liked = |person| interactions.of(person).iter().filter(|entry| entry.signal > 0.0).count();
    let counts: Vec<usize> = (0..interactions.people() as u32).map(liked).collect();
    counts.iter().sum::<usize>() >= MIN_INTERACTIONS
        && counts.iter().filter(|&&count| count >= MIN_EACH).count() >= MIN_PEOPLE
}

/// EASE ridges are in units of the mean squared signal, so that an event of bookmarks (0.8) and
/// one of visits (1.0) are treated alike.
fn candidates(interactions: &Interactions) -> Vec<Model> {
    let squares: Vec<f64> = (0..interactions.people() as u32)
        .flat_map(|person| interactions.of(person))
        .filter(|entry| entry.signal > 0.0)
        .map(|entry| f64::from(entry.signal).powi(2))
        .collect();
    let unit = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
    let mut models = vec![Model::Bm25 { neighbours: 20 }, Model::Bm25 { neighbours: 100 }];
    if interactions.items() <= MAX_DENSE_ITEMS {
        models.extend([500.0, 100.0, 20.0].map(|ridge| Model::Ease { ridge: ridge * unit }));
    }
    models
}

fn judge<T: PartialOrd + Copy>(
    split: &Holdout,
    stop: &Stop,
    scores: impl Fn(u32) -> Vec<T> + Sync,
) -> Result<f64> {
    let ranked = |person: u32| {
        let seen: Vec<u32> = split.train.of(person).iter().map(|entry| entry.item).collect();
        best(&scores(person), K, &seen)
    };
    Ok(metrics(&split.test, K, &ranked, split.train.items(), None, stop)?.ndcg)
}
