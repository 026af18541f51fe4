//! Every algorithm against the same held-out interactions.

use std::collections::HashSet;

use super::{Metrics, Split, best, holdout, metrics};
use crate::collaborative::{
    DEFAULT_TOP, Interactions, ItemWeights, Model, Selection, select, train,
};
use crate::error::Result;
use crate::programme::Programme;
use crate::recommendation::{
    Algorithm, Interest, Neighbours, Options, Person, WeightSet, Weights, scores, taste_signals,
};
use crate::stop::Stop;

/// What one algorithm achieved.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its name.
    pub algorithm: String,
    /// How well it found what was held out.
    pub metrics: Metrics,
}

/// The ridge of a row that shows EASE where no holdout could choose one.
const PLAIN_RIDGE: f64 = 100.0;
/// The neighbours of a row that shows BM25 where no holdout could choose.
const PLAIN_NEIGHBOURS: usize = 20;

/// Judges popularity, content, topics, the three collaborative models, the one of them that would
/// be chosen, and the hybrid. Everything that learns, the counts of interest too, sees the training
/// part only; the lists are ranked by score alone, without spreading out near-duplicates and
/// without regard to clashes.
///
/// # Errors
/// [`crate::Error::Invalid`] for a signal on a session outside the programme,
/// [`crate::Error::Cancelled`].
pub fn evaluate(
    programme: &Programme,
    people: &[Person],
    k: usize,
    seed: u64,
    split: Split,
    options: &Options,
    stop: &Stop,
) -> Result<Vec<Report>> {
    let split = holdout(&ledger(programme, people, options)?, split, seed);
    let chosen = select(&split.train, seed, stop)?;
    let bench = Bench {
        programme,
        k,
        options: Options { diversify: false, demote_clashes: false, ..options.clone() },
        interest: split.train.interest(),
        asked: split.test.iter().map(|asked| without(people, asked)).collect(),
        test: split.test,
        stop,
    };
    let learn = |model: Model| train(&split.train, &model, DEFAULT_TOP, stop);
    let fallback = if chosen.is_some() { Algorithm::Collaborative } else { Algorithm::Popularity };
    let served = chosen.as_ref().map(|chosen| learn(chosen.model)).transpose()?;
    let collaborative =
        |model: Model, name: &str| bench.run(name, Algorithm::Collaborative, Some(&learn(model)?));
    Ok(vec![
        bench.run("popularity", Algorithm::Popularity, None)?,
        bench.run("content_based", Algorithm::Content, None)?,
        bench.topics()?,
        collaborative(tuned(chosen.as_ref(), Model::Ease { ridge: PLAIN_RIDGE }), "ease")?,
        collaborative(
            tuned(chosen.as_ref(), Model::Bm25 { neighbours: PLAIN_NEIGHBOURS }),
            "bm25",
        )?,
        collaborative(Model::UserUser, "user_user")?,
        bench.run("collaborative_filtering", fallback, served.as_ref())?,
        bench.run("hybrid", Algorithm::Hybrid, served.as_ref())?,
    ])
}

/// Everybody's signals as a matrix.
fn ledger(programme: &Programme, people: &[Person], options: &Options) -> Result<Interactions> {
    let mut rows = Vec::new();
    for (index, person) in people.iter().enumerate() {
        for (session, signal) in taste_signals(&person.signals, options.half_life_days, options.now)
        {
            let times = person.signals.iter().filter(|s| s.session == session).map(|s| s.at);
            rows.push((index as u32, session, signal, times.max().unwrap_or_default()));
        }
    }
    Interactions::new(people.len(), programme.len(), rows)
}

/// The person as they were before what is asked about.
fn without(people: &[Person], (index, hidden): &(u32, Vec<u32>)) -> Person {
    let mut person = people.get(*index as usize).cloned().unwrap_or_default();
    person.signals.retain(|signal| !hidden.contains(&signal.session));
    person
}

/// The best parameter the holdout found for the kind of `plain`, else `plain` itself.
fn tuned(chosen: Option<&Selection>, plain: Model) -> Model {
    let tried = chosen.map_or(&[][..], |chosen| &chosen.tried);
    let same = tried.iter().filter(|(model, _)| model.name() == plain.name());
    same.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(plain, |&(model, _)| model)
}

/// What all algorithms are judged on.
struct Bench<'a> {
    programme: &'a Programme,
    k: usize,
    options: Options,
    interest: Vec<u32>,
    test: Vec<(u32, Vec<u32>)>,
    /// Parallel to `test`.
    asked: Vec<Person>,
    stop: &'a Stop,
}

impl Bench<'_> {
    fn run(
        &self,
        name: &str,
        algorithm: Algorithm,
        weights: Option<&ItemWeights>,
    ) -> Result<Report> {
        self.judge(name, &Options { algorithm, ..self.options.clone() }, weights)
    }

    /// Stated interests alone: the hybrid with no weight on anything else.
    fn topics(&self) -> Result<Report> {
        let only = Weights { content: 0.0, topics: 1.0, collaborative: 0.0, popularity: 0.0 };
        let weights = WeightSet { none: only, few: only, many: only };
        let options = Options { algorithm: Algorithm::Hybrid, weights, ..self.options.clone() };
        self.judge("topics", &options, None)
    }

    /// The overlap of two sessions' topics.
    fn likeness(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (self.programme.session(a), self.programme.session(b));
        let (a, b): (HashSet<&String>, HashSet<&String>) =
            (a.topics.iter().collect(), b.topics.iter().collect());
        let all = a.union(&b).count();
        if all == 0 { 0.0 } else { a.intersection(&b).count() as f64 / all as f64 }
    }

    fn judge(
        &self,
        name: &str,
        options: &Options,
        weights: Option<&ItemWeights>,
    ) -> Result<Report> {
        let ranked = |index: u32| {
            let found = self.test.binary_search_by_key(&index, |asked| asked.0).ok();
            found.and_then(|at| self.asked.get(at)).map_or_else(Vec::new, |person| {
                let near = neighbours(person, options, weights);
                let interest = Interest(&self.interest);
                let scores = scores(self.programme, person, &near, interest, options);
                best(&scores, self.k, &seen(person))
            })
        };
        let similar = |a: u32, b: u32| self.likeness(a, b);
        let metrics =
            metrics(&self.test, self.k, &ranked, self.programme.len(), Some(&similar), self.stop)?;
        Ok(Report { algorithm: name.to_owned(), metrics })
    }
}

fn seen(person: &Person) -> Vec<u32> {
    let mut seen: Vec<u32> = person.signals.iter().map(|signal| signal.session).collect();
    seen.sort_unstable();
    seen
}

/// The rows of the weights that this person's taste needs.
fn neighbours(
    person: &Person,
    options: &Options,
    weights: Option<&ItemWeights>,
) -> Vec<Neighbours> {
    let Some(weights) = weights else { return Vec::new() };
    let taste = taste_signals(&person.signals, options.half_life_days, options.now);
    let row = |&(source, _): &(u32, f32)| {
        let (to, weight) = weights.rows.get(source as usize)?.iter().copied().unzip();
        Some(Neighbours { source, to, weight })
    };
    taste.iter().filter_map(row).collect()
}
