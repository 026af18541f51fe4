//! Every algorithm against the same held-out interactions.

use super::{Metrics, Split, best, holdout, metrics};
use crate::collaborative::{
    DEFAULT_TOP, Interactions, ItemWeights, Model, Selection, select, train,
};
use crate::error::Result;
use crate::programme::{Programme, Vectors};
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
    let (sessions, half_life) = (programme.len(), options.half_life_days);
    let ledger = Interactions::of_people(people, sessions, half_life, options.now)?;
    let split = holdout(&ledger, split, seed);
    let chosen = select(&split.train, seed, &stop.part(0, 2))?;
    let bench = Bench {
        programme,
        k,
        options: Options { diversify: false, demote_clashes: false, ..options.clone() },
        interest: split.train.interest(),
        asked: split.test.iter().map(|asked| without(people, asked)).collect(),
        test: split.test,
        stop,
    };
    let learn = |model: Model| train(&split.train, &model, DEFAULT_TOP, &stop.part(1, 2));
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

    /// How alike two sessions are: by their embeddings, else by their topics.
    fn likeness(&self, a: u32, b: u32) -> f64 {
        let cosine = |vectors: &Vectors| {
            Some(f64::from(vectors.between(vectors.row(a)?, vectors.row(b)?)).max(0.0))
        };
        let known = self.programme.models().iter().find_map(cosine);
        known.unwrap_or_else(|| self.programme.topics_in_common(a, b))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::{Dice, Shape};
    use crate::programme::{Embeddings, Session};
    use crate::recommendation::{Kind, Signal};

    fn visit(session: u32, at: i64) -> Signal {
        Signal { session, kind: Kind::Attended, value: None, at }
    }

    /// Sessions whose topic is their taste and whose vectors lie around that of their taste.
    fn programme(shape: Shape, seed: u64) -> Result<Programme> {
        const DIMS: usize = 16;
        let mut dice = Dice::new(seed);
        let sessions = (0..shape.sessions).map(|session| Session {
            topics: vec![format!("topic {}", shape.taste(session))],
            end: 1,
            ..Session::default()
        });
        let sessions: Vec<Session> = sessions.collect();
        let mut values = Vec::new();
        for session in 0..shape.sessions {
            let at = |dim| if dim == shape.taste(session) { 1.0 } else { 0.0 };
            values.extend((0..DIMS).map(|dim| at(dim) + dice.roll() as f32 - 0.5));
        }
        let embeddings = Embeddings {
            model: "planted".into(),
            dims: DIMS,
            sessions: (0..shape.sessions as u32).collect(),
            values,
        };
        Programme::new(sessions, vec![embeddings])
    }

    /// Every second person says what they like.
    fn people(shape: Shape, seed: u64) -> Vec<Person> {
        let mut people = vec![Person::default(); shape.people];
        for (person, session, at) in shape.choices(seed) {
            people[person as usize].signals.push(visit(session, at));
        }
        for (index, person) in people.iter_mut().enumerate().step_by(2) {
            person.topics.push(format!("topic {}", shape.taste(index)));
        }
        people
    }

    fn ndcg(reports: &[Report], algorithm: &str) -> f64 {
        let found = reports.iter().find(|report| report.algorithm == algorithm);
        found.map_or(f64::NAN, |report| report.metrics.ndcg)
    }

    #[test]
    fn planted_tastes_are_found() -> Result<()> {
        let shape = Shape::PLANTED;
        for seed in 1..=3 {
            let (programme, people) = (programme(shape, seed)?, people(shape, seed));
            let splits = [Split::Random, Split::Last];
            for split in splits.into_iter().take(if seed == 1 { 2 } else { 1 }) {
                let options = Options::default();
                let reports =
                    evaluate(&programme, &people, 10, 42, split, &options, &Stop::default())?;
                let names: Vec<&str> =
                    reports.iter().map(|report| report.algorithm.as_str()).collect();
                assert_eq!(
                    names,
                    [
                        "popularity",
                        "content_based",
                        "topics",
                        "ease",
                        "bm25",
                        "user_user",
                        "collaborative_filtering",
                        "hybrid"
                    ]
                );
                let popularity = ndcg(&reports, "popularity");
                for better in ["ease", "bm25", "collaborative_filtering", "hybrid"] {
                    let reached = ndcg(&reports, better);
                    assert!(reached >= 2.0 * popularity, "{better} {reached} to {popularity}");
                }
                for Report { metrics, .. } in &reports {
                    let shares = [metrics.hit_rate, metrics.recall, metrics.ndcg, metrics.mrr];
                    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{metrics:?}");
                    assert!(metrics.diversity.is_some() && metrics.people > 100);
                }
            }
        }
        Ok(())
    }

    /// Visits in time: 0 then 2; 0 then 1; 1 then 2; two people only 2. Hidden: 2, 1, 2. What is
    /// left counts 2, 1, 2 for the three sessions, so the first is shown 2 (a hit), the second 2,
    /// the third 0 (a tie, by index). Had the hidden visits counted, the third were a hit too.
    #[test]
    fn what_is_hidden_does_not_count_as_interest() -> Result<()> {
        let visits: [&[u32]; 5] = [&[0, 2], &[0, 1], &[1, 2], &[2], &[2]];
        let person = |sessions: &&[u32]| Person {
            signals: sessions.iter().zip(1..).map(|(&session, at)| visit(session, at)).collect(),
            ..Person::default()
        };
        let people: Vec<Person> = visits.iter().map(person).collect();
        let programme = Programme::new(vec![Session::default(); 3], Vec::new())?;
        let options = Options::default();
        let reports = evaluate(&programme, &people, 1, 1, Split::Last, &options, &Stop::default())?;
        let popularity = reports[0].metrics;
        assert_eq!(popularity.people, 3);
        assert!((popularity.hit_rate - 1.0 / 3.0).abs() < 1e-12);
        assert!((popularity.ndcg - 1.0 / 3.0).abs() < 1e-12);
        assert!((popularity.coverage - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(popularity.diversity, None);
        // Too young for a model: popularity stands in for the chosen one.
        assert_eq!(reports[6].metrics, popularity);
        Ok(())
    }

    #[test]
    fn nothing_is_judged_without_interactions() -> Result<()> {
        let programme = Programme::new(vec![Session::default(); 2], Vec::new())?;
        let options = Options::default();
        let reports = evaluate(
            &programme,
            &[Person::default()],
            10,
            1,
            Split::Random,
            &options,
            &Stop::default(),
        )?;
        assert!(reports.iter().all(|report| report.metrics.people == 0));
        Ok(())
    }

    #[test]
    fn a_request_to_stop_is_heard() -> Result<()> {
        let shape = Shape::PLANTED;
        let stop = Stop::default();
        stop.request();
        let options = Options::default();
        let (programme, people) = (programme(shape, 1)?, people(shape, 1));
        let refused = evaluate(&programme, &people, 10, 1, Split::Last, &options, &stop);
        assert_eq!(refused, Err(crate::Error::Cancelled));
        Ok(())
    }
}
