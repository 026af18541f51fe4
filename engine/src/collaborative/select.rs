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
/// A small event is split several times, until about this many people were asked.
const ASKED: usize = 2_000;
/// But not more often than this.
const MAX_SPLITS: usize = 5;
/// A large event is judged by so many of its people, evenly picked: more would cost time and change
/// the third digit.
const MOST_ASKED: usize = 3_000;
/// Neighbourhoods tried for BM25; each costs milliseconds.
const NEIGHBOURS: [usize; 3] = [20, 100, 200];
/// Ridges for EASE, in units of the mean squared signal, so that an event of bookmarks (0.8) and
/// one of visits (1.0) are treated alike. Each costs an inverse, so they are climbed, not all tried.
const RIDGES: [f64; 7] = [2.0, 7.0, 20.0, 60.0, 200.0, 500.0, 1_500.0];
/// Models that are tried as a rule, for telling how far the choice is.
const USUAL_TRIALS: usize = 7;
/// Where the climb starts: what suits most public data.
const FIRST_RIDGE: usize = 4;

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
    let mut trial = Trial { splits: splits(interactions, seed), tried: Vec::new(), stop };
    if trial.splits.is_empty() {
        return Ok(None);
    }
    let popularity = trial.popularity()?;
    for neighbours in NEIGHBOURS {
        trial.run(Model::Bm25 { neighbours })?;
    }
    if interactions.items() <= MAX_DENSE_ITEMS {
        trial.climb(&RIDGES.map(|ridge| ridge * mean_square(interactions)))?;
    }
    // Of equals the first stays: the simpler ones were tried first.
    let winner = trial.tried.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    Ok(winner.filter(|&(_, ndcg)| ndcg > popularity).map(|(model, ndcg)| Selection {
        model,
        ndcg,
        popularity,
        tried: trial.tried,
    }))
}

/// The splits on which every candidate is tried, and what came of it.
struct Trial<'a> {
    splits: Vec<Holdout>,
    tried: Vec<(Model, f64)>,
    stop: &'a Stop,
}

impl Trial<'_> {
    /// Goes along the ridges from the first one in the direction that helps, while it helps.
    fn climb(&mut self, ridges: &[f64]) -> Result<()> {
        let mut best = self.run(Model::Ease { ridge: ridges[FIRST_RIDGE] })?;
        let (below, above) = (&ridges[..FIRST_RIDGE], &ridges[FIRST_RIDGE + 1..]);
        let mut better_below = false;
        for &ridge in below.iter().rev() {
            let found = self.run(Model::Ease { ridge })?;
            if found <= best {
                break;
            }
            (best, better_below) = (found, true);
        }
        for &ridge in above.iter().filter(|_| !better_below) {
            let found = self.run(Model::Ease { ridge })?;
            if found <= best {
                break;
            }
            best = found;
        }
        Ok(())
    }

    /// The mean NDCG of a model over the splits, which is noted.
    fn run(&mut self, model: Model) -> Result<f64> {
        let stop = self.stop.part(self.tried.len(), USUAL_TRIALS);
        let ndcg = self.mean(|split| {
            let weights = train(&split.train, &model, DEFAULT_TOP, &stop)?;
            judge(split, self.stop, |person| score(&weights, &split.train.taste(person)))
        })?;
        self.tried.push((model, ndcg));
        Ok(ndcg)
    }

    fn popularity(&self) -> Result<f64> {
        self.mean(|split| {
            let interest = split.train.interest();
            judge(split, self.stop, |_| interest.clone())
        })
    }

    fn mean(&self, judged: impl Fn(&Holdout) -> Result<f64>) -> Result<f64> {
        let mut sum = 0.0;
        for split in &self.splits {
            sum += judged(split)?;
        }
        Ok(sum / self.splits.len() as f64)
    }
}

/// Independent splits: one for a large event, more for a small one, where a single one is luck.
fn splits(interactions: &Interactions, seed: u64) -> Vec<Holdout> {
    let mut splits = Vec::new();
    let mut asked = 0;
    while asked < ASKED && splits.len() < MAX_SPLITS {
        let split = holdout(interactions, Split::Random, inner_seed(seed, splits.len()));
        if split.test.is_empty() {
            break;
        }
        asked += split.test.len();
        splits.push(thinned(split));
    }
    splits
}

/// The split with every n-th of the people who are asked, at most [`MOST_ASKED`] of them.
fn thinned(mut split: Holdout) -> Holdout {
    let step = split.test.len().div_ceil(MOST_ASKED).max(1);
    split.test = split.test.into_iter().step_by(step).collect();
    split
}

/// A seed of its own for every split. The caller may have held out with `seed` before: asking for
/// the same fifth again would find that it is gone.
fn inner_seed(seed: u64, split: usize) -> u64 {
    (seed.rotate_left(32) ^ 0x5e1e_c7ed_5eed_0001).wrapping_add(split as u64)
}

fn enough(interactions: &Interactions) -> bool {
    let liked = |person| interactions.of(person).iter().filter(|entry| entry.signal > 0.0).count();
    let counts: Vec<usize> = (0..interactions.people() as u32).map(liked).collect();
    counts.iter().sum::<usize>() >= MIN_INTERACTIONS
        && counts.iter().filter(|&&count| count >= MIN_EACH).count() >= MIN_PEOPLE
}

fn mean_square(interactions: &Interactions) -> f64 {
    let all = (0..interactions.people() as u32).flat_map(|person| interactions.of(person));
    let liked = all.filter(|entry| entry.signal > 0.0);
    let (count, sum) = liked.fold((0_usize, 0.0), |(count, sum), entry| {
        (count + 1, sum + f64::from(entry.signal).powi(2))
    });
    sum / count.max(1) as f64
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::Shape;

    fn chosen(shape: Shape, seed: u64) -> Result<Option<Selection>> {
        select(&shape.interactions(seed)?, 42, &Stop::default())
    }

    /// On interactions that `select` never saw, the choice is not far from the best of all
    /// candidates, whatever the event looks like.
    #[test]
    fn the_choice_holds_on_what_was_never_seen() -> Result<()> {
        let planted = Shape::PLANTED;
        let shapes = [
            planted,
            Shape { skew: 4.0, zeal: 4.0, ..planted },
            Shape { tastes: 30, skew: 2.5, choices: 6.0, ..planted },
        ];
        let stop = Stop::default();
        for shape in shapes {
            let outer = holdout(&shape.interactions(3)?, Split::Random, 9);
            let reached = |model: Model| {
                let weights = train(&outer.train, &model, DEFAULT_TOP, &stop)?;
                judge(&outer, &stop, |person| score(&weights, &outer.train.taste(person)))
            };
            let selection = select(&outer.train, 5, &stop)?;
            let found = selection.map_or(Ok(0.0), |selection| reached(selection.model))?;
            let mut best = 0.0_f64;
            for neighbours in NEIGHBOURS {
                best = best.max(reached(Model::Bm25 { neighbours })?);
            }
            for ridge in RIDGES {
                best = best.max(reached(Model::Ease { ridge })?);
            }
            assert!(found >= 0.92 * best, "{shape:?}: {found} of {best}");
        }
        Ok(())
    }

    #[test]
    fn popularity_serves_where_there_is_nothing_else_to_learn() -> Result<()> {
        for seed in 1..3 {
            let alike = Shape { tastes: 1, skew: 2.5, sessions: 80, ..Shape::PLANTED };
            assert_eq!(chosen(alike, seed)?, None);
        }
        Ok(())
    }

    #[test]
    fn popularity_serves_a_young_event() -> Result<()> {
        assert_eq!(chosen(Shape { people: 9, ..Shape::PLANTED }, 1)?, None);
        assert_eq!(select(&Interactions::default(), 1, &Stop::default())?, None);
        let rows = (0..60).map(|p| (p, p % 2, 1.0, 0)).collect();
        assert_eq!(select(&Interactions::new(60, 2, rows)?, 1, &Stop::default())?, None);
        Ok(())
    }

    #[test]
    fn the_same_seed_chooses_the_same_and_few_models_are_tried() -> Result<()> {
        let shape = Shape { sessions: 64, ..Shape::PLANTED };
        let first = chosen(shape, 1)?;
        assert_eq!(first, chosen(shape, 1)?);
        let Some(first) = first else { return Err(crate::Error::Worker("no choice".into())) };
        assert!(first.ndcg > 2.0 * first.popularity, "{first:?}");
        assert!(first.tried.len() <= 8, "{first:?}");
        assert!(first.tried.iter().all(|&(_, ndcg)| ndcg <= first.ndcg));
        Ok(())
    }

    /// What an outer holdout hid with the same seed must not decide what the inner one hides.
    #[test]
    fn a_seed_that_was_used_before_still_splits() -> Result<()> {
        let outer = holdout(&Shape::PLANTED.interactions(1)?, Split::Random, 42);
        for seed in 40..44 {
            for (index, split) in splits(&outer.train, seed).iter().enumerate() {
                let hidden = outer.train.len() - split.train.len();
                let share = hidden as f64 / outer.train.len() as f64;
                assert!((0.15..0.25).contains(&share), "seed {seed}, split {index}: {share}");
            }
        }
        Ok(())
    }

    /// Bookmarks (0.8) in place of visits (1.0) change no order, so they change no choice.
    #[test]
    fn the_ridge_follows_the_size_of_the_signals() -> Result<()> {
        let shape = Shape { sessions: 64, ..Shape::PLANTED };
        let choices = shape.choices(2);
        let scaled = |signal: f32| {
            let rows = choices.iter().map(|&(p, s, at)| (p, s, signal, at)).collect();
            Interactions::new(shape.people, shape.sessions, rows)
        };
        let only_ease = |interactions: &Interactions| {
            let found = select(interactions, 3, &Stop::default())?;
            let tried = found.map(|found| found.tried).unwrap_or_default();
            Ok(tried.into_iter().filter(|tried| tried.0.name() == "ease").collect::<Vec<_>>())
        };
        let (visits, bookmarks) = (only_ease(&scaled(1.0)?)?, only_ease(&scaled(0.8)?)?);
        assert!(!visits.is_empty());
        for (visit, bookmark) in visits.iter().zip(&bookmarks) {
            assert!((bookmark.0.parameter() / visit.0.parameter() - 0.64).abs() < 1e-6);
            assert!((visit.1 - bookmark.1).abs() < 1e-3, "{visit:?} {bookmark:?}");
        }
        Ok::<(), crate::Error>(())
    }

    #[test]
    fn a_request_to_stop_is_heard() -> Result<()> {
        let stop = Stop::default();
        stop.request();
        let refused = select(&Shape::PLANTED.interactions(1)?, 1, &stop);
        assert_eq!(refused, Err(crate::Error::Cancelled));
        Ok(())
    }
}
