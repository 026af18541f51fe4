//! Suggestions for one person, and for a whole event at once.

use rayon::prelude::*;

use super::algorithm::Algorithm;
use super::balanced::{Edge, balance, prices, upper_bound};
use super::measure::{expected_matches, gini, shown};
use super::score::{Pair, Scorer};
use crate::error::{Error, Result};
use crate::pairs::{Excluded, Score, TILE, TOLERANCE, Wanted, best_of, best_of_all, best_of_each};
use crate::stop::Stop;

/// Up to so many people every pair is weighed against every other; above it the most promising of
/// each, found anew as prices become known.
const COMPLETE: usize = 1_500;
/// How closely a large event is looked at for a balanced choice.
#[derive(Clone, Copy)]
struct Effort {
    /// How many promising partners of each person, for each suggestion that they get.
    promising: usize,
    /// Times that the promising are looked for, at the prices of the time before.
    looks: usize,
    /// Whether to look once more at every pair for what no choice could exceed.
    bounded: bool,
}
/// For a choice that is to be made.
const CLOSELY: Effort = Effort { promising: 5, looks: 3, bounded: true };
/// To know about what it would come to.
const AT_A_GLANCE: Effort = Effort { promising: 2, looks: 1, bounded: false };
/// The fewest promising partners that are looked for.
const AT_LEAST: usize = 20;
/// By how much equals are told apart, each person their own way: by their number, all would be sent to
/// the same few.
const APART: f64 = 1e-6;
/// A worth and two prices, each between 0 and a little more than 1, as a score: what this is for a pair
/// that is worth its prices, and the width of it all.
const NOTHING: f64 = 2.1;
const RANGE: f64 = 3.2;
/// What a pair is worth that one side gets nothing from, for each point of the other's: little, so
/// that such pairs are only taken where nothing else is left.
const ONE_SIDED: f64 = 1e-6;

/// How the pairs of an event are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The best of each person.
    TopK,
    /// What is best for all together, nobody suggested too often.
    Balanced,
}

impl Strategy {
    /// The strategy with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "top_k" => Ok(Self::TopK),
            "balanced" => Ok(Self::Balanced),
            _ => Err(Error::invalid(
                format!("unknown strategy \"{name}\""),
                "There are two: top_k, balanced.",
                "Leave p_strategy out for top_k, or balanced where p_max_incoming is given.",
            )),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TopK => "top_k",
            Self::Balanced => "balanced",
        }
    }
}

/// What a run is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Suggestions per person.
    pub per_attendee: usize,
    /// The least score of a pair.
    pub least: f64,
    /// How often one person may be suggested; the best of each person knows no such limit.
    pub incoming: Option<u32>,
    /// How pairs are chosen.
    pub strategy: Strategy,
}

/// A pair to suggest; `a` is the lower of the two.
#[derive(Clone, Copy, Debug)]
pub struct Suggestion {
    /// One person.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// Everything about the two, from the side of `a`.
    pub pair: Pair,
}

/// What a way of choosing comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Pairs suggested.
    pub pairs: usize,
    /// Mutual matches to expect of them.
    pub expected: f64,
    /// How unequally often people are suggested.
    pub gini: f64,
    /// The most that anybody is suggested.
    pub most: u32,
    /// People without a suggestion.
    pub without: usize,
    /// What no choice within the limits could exceed, where it was computed.
    pub bound: Option<f64>,
}

/// What a run comes to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pairs to suggest, in order.
    pub suggestions: Vec<Suggestion>,
    /// The best of each person.
    pub top_k: Outlook,
    /// The balanced choice; for a large event that did not ask for it, [`balanced_instead`] says about
    /// what it would come to.
    pub balanced: Option<Outlook>,
}

/// The least score that counts: a pair that is worth nothing is none.
#[must_use]
pub fn settled(least: f64) -> f64 {
    least.max(2.0 * TOLERANCE)
}

/// The best partners of one person, best first.
///
/// # Errors
/// [`Error::Cancelled`] when `stop` was requested.
pub fn one_person(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    of: usize,
    wanted: Wanted,
    stop: &Stop,
) -> Result<Vec<(u32, Pair)>> {
    let best = best_of(scorer, excluded, of, scorer.people(), wanted, stop)?;
    Ok(best.into_iter().map(|other| (other, scorer.pair(of, other as usize))).collect())
}

/// The pairs to suggest at an event. `open` are suggestions that stand; they count as incoming, and
/// are suggested again.
///
/// # Errors
/// [`Error::Cancelled`] when `stop` was requested.
pub fn everybody(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    open: &[(u32, u32)],
    asked: Asked,
    stop: &Stop,
) -> Result<Plan> {
    let compared = asked.strategy == Strategy::Balanced || scorer.people() <= COMPLETE;
    let parts = if compared { 2 + CLOSELY.looks } else { 1 };
    let of_each = of_each(scorer, excluded, asked, &stop.part(0, parts))?;
    let top_k = pairs_of(scorer, &of_each);
    let outlook_of_each = outlook(scorer.people(), &top_k, asked, None);
    if !compared {
        return Ok(Plan { suggestions: top_k, top_k: outlook_of_each, balanced: None });
    }
    let standing = standing(scorer, excluded, open, asked);
    let (balanced, bound) = balanced(scorer, excluded, &standing, asked, CLOSELY, stop)?;
    let outlook_of_balanced = outlook(scorer.people(), &balanced, asked, Some(bound));
    let suggestions = match asked.strategy {
        Strategy::Balanced => balanced,
        Strategy::TopK => top_k,
    };
    Ok(Plan { suggestions, top_k: outlook_of_each, balanced: Some(outlook_of_balanced) })
}

/// What a balanced choice would come to at a large event: no less than this.
///
/// # Errors
/// [`Error::Cancelled`] when `stop` was requested.
pub fn balanced_instead(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    open: &[(u32, u32)],
    asked: Asked,
    stop: &Stop,
) -> Result<Outlook> {
    let standing = standing(scorer, excluded, open, asked);
    let (chosen, _) = balanced(scorer, excluded, &standing, asked, AT_A_GLANCE, stop)?;
    Ok(outlook(scorer.people(), &chosen, asked, None))
}

fn of_each(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    asked: Asked,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    let wanted = Wanted { most: asked.per_attendee, least: settled(asked.least) };
    if scorer.algorithm() == Algorithm::Goals {
        best_of_each(scorer, excluded, scorer.people(), wanted, stop)
    } else {
        best_of_all(scorer, excluded, scorer.people(), wanted, stop)
    }
}

/// The pairs in which somebody has somebody, once each, in order.
fn pairs_of(scorer: &Scorer<'_>, of_each: &[Vec<u32>]) -> Vec<Suggestion> {
    let mut pairs: Vec<(u32, u32)> = of_each
        .iter()
        .enumerate()
        .flat_map(|(of, list)| {
            list.iter().map(move |to| ((of as u32).min(*to), (of as u32).max(*to)))
        })
        .collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    suggest(scorer, &pairs)
}

fn suggest(scorer: &Scorer<'_>, pairs: &[(u32, u32)]) -> Vec<Suggestion> {
    pairs
        .par_iter()
        .map(|(a, b)| Suggestion { a: *a, b: *b, pair: scorer.pair(*a as usize, *b as usize) })
        .collect()
}

/// Open suggestions that may still be.
fn standing(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    open: &[(u32, u32)],
    asked: Asked,
) -> Vec<Suggestion> {
    let mut pairs: Vec<(u32, u32)> = open
        .iter()
        .map(|(a, b)| (*a.min(b), *a.max(b)))
        .filter(|(a, b)| a != b && !excluded.has(*a, *b))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut standing = suggest(scorer, &pairs);
    standing.retain(|s| scorer.eligible(&s.pair) + TOLERANCE >= settled(asked.least));
    standing
}

/// The balanced choice, and what no choice could exceed.
fn balanced(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    standing: &[Suggestion],
    asked: Asked,
    effort: Effort,
    stop: &Stop,
) -> Result<(Vec<Suggestion>, f64)> {
    let people = scorer.people();
    let most = (asked.per_attendee as u32).min(asked.incoming.unwrap_or(u32::MAX));
    let mut caps = vec![most; people];
    let mut served = vec![false; people];
    for one in standing {
        for person in [one.a, one.b] {
            caps[person as usize] = caps[person as usize].saturating_sub(1);
            served[person as usize] = true;
        }
    }
    let fixed: std::collections::HashSet<(u32, u32)> =
        standing.iter().map(|one| (one.a, one.b)).collect();
    let mut worth = Worth { scorer, least: settled(asked.least), prices: vec![0.0; people] };
    let (edges, prices) = if people <= COMPLETE {
        let edges = worth.all(excluded, &fixed);
        let prices = prices(&edges, &caps, stop)?;
        (edges, prices)
    } else {
        worth.promising(excluded, &fixed, &caps, (effort, most as usize), stop)?
    };
    let chosen = balance(&edges, &caps, &prices, &served, stop)?;
    let fixed_worth: f64 = standing.iter().map(|one| one.pair.of * one.pair.to).sum();
    let bound = if people <= COMPLETE {
        upper_bound(&edges, &caps, &prices)
    } else if effort.bounded {
        Worth { prices, ..worth }.bound(excluded, &fixed, &caps, stop)?
    } else {
        f64::INFINITY
    } + fixed_worth;
    let mut pairs: Vec<(u32, u32)> = chosen
        .iter()
        .map(|at| &edges[*at as usize])
        .map(|edge| (edge.a.min(edge.b), edge.a.max(edge.b)))
        .chain(fixed)
        .collect();
    pairs.sort_unstable();
    Ok((suggest(scorer, &pairs), bound))
}

/// Scores pairs by what they are worth to both, beyond the prices of the two people.
struct Worth<'a> {
    scorer: &'a Scorer<'a>,
    least: f64,
    prices: Vec<f64>,
}

impl Worth<'_> {
    fn of(&self, pair: &Pair) -> f64 {
        self.of_those_from(pair, self.least)
    }

    fn of_those_from(&self, pair: &Pair, least: f64) -> f64 {
        // NaN, which a pair that may not be has, is not more than anything.
        if self.scorer.eligible(pair) + TOLERANCE >= least {
            pair.of * pair.to + ONE_SIDED * pair.of.max(pair.to)
        } else {
            f64::NAN
        }
    }

    fn all(&self, excluded: &Excluded, fixed: &std::collections::HashSet<(u32, u32)>) -> Vec<Edge> {
        let people = self.scorer.people();
        (0..people)
            .into_par_iter()
            .flat_map_iter(|a| {
                let mut edges = Vec::new();
                for b in a + 1..people {
                    let worth = self.of(&self.scorer.pair(a, b));
                    let (a, b) = (a as u32, b as u32);
                    if worth > 0.0 && !excluded.has(a, b) && !fixed.contains(&(a, b)) {
                        edges.push(Edge { a, b, worth });
                    }
                }
                edges
            })
            .collect()
    }

    /// The promising pairs of everybody and the prices at which they were found.
    fn promising(
        &mut self,
        excluded: &Excluded,
        fixed: &std::collections::HashSet<(u32, u32)>,
        caps: &[u32],
        (effort, most): (Effort, usize),
        stop: &Stop,
    ) -> Result<(Vec<Edge>, Vec<f64>)> {
        let wanted = Wanted { most: (effort.promising * most).max(AT_LEAST), least: 0.0 };
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut edges = Vec::new();
        for look in 0..effort.looks {
            let stop = stop.part(1 + look, 2 + effort.looks);
            let found = best_of_all(&*self, excluded, self.scorer.people(), wanted, &stop)?;
            pairs.extend(found.iter().enumerate().flat_map(|(a, list)| {
                list.iter().map(move |b| ((a as u32).min(*b), (a as u32).max(*b)))
            }));
            pairs.par_sort_unstable();
            pairs.dedup();
            edges = pairs
                .par_iter()
                .filter(|pair| !fixed.contains(pair))
                .map(|(a, b)| {
                    let worth = self.of(&self.scorer.pair(*a as usize, *b as usize));
                    Edge { a: *a, b: *b, worth }
                })
                .collect();
            self.prices = prices(&edges, caps, &stop)?;
        }
        Ok((edges, self.prices.clone()))
    }

    /// What no choice could exceed, of all pairs: the dual of the linear program at these prices, for
    /// which every pair is looked at once more.
    fn bound(
        &self,
        excluded: &Excluded,
        fixed: &std::collections::HashSet<(u32, u32)>,
        caps: &[u32],
        stop: &Stop,
    ) -> Result<f64> {
        let people = self.scorer.people();
        let beyond: Result<Vec<f64>> = (0..people)
            .into_par_iter()
            .map(|a| {
                stop.check()?;
                let mut sum = 0.0;
                self.likely(a, a + 1..people, |b| {
                    let worth = self.of(&self.scorer.pair(a, b));
                    let (low, high) = (a as u32, b as u32);
                    if worth > 0.0 && !excluded.has(low, high) && !fixed.contains(&(low, high)) {
                        sum += (worth - self.prices[a] - self.prices[b]).max(0.0);
                    }
                });
                Ok(sum)
            })
            .collect();
        let places: f64 = caps.iter().zip(&self.prices).map(|(c, p)| f64::from(*c) * p).sum();
        Ok(places + beyond?.iter().sum::<f64>())
    }

    /// Calls `each` for everybody of a range whose pair with a person may be worth more than both
    /// prices.
    fn likely(&self, of: usize, with: std::ops::Range<usize>, mut each: impl FnMut(usize)) {
        let (mut scores, off) = ([0.0; TILE], self.off());
        let nothing = NOTHING / RANGE;
        for from in with.clone().step_by(TILE) {
            let tile = from..(from + TILE).min(with.end);
            let scores = &mut scores[..tile.len()];
            self.row(of, tile.clone(), scores);
            for (other, score) in tile.zip(scores) {
                if *score + off >= nothing {
                    each(other);
                }
            }
        }
    }
}

impl Worth<'_> {
    /// What a pair is worth beyond the prices, as a score; equals apart.
    fn beyond(&self, worth: f64, of: usize, other: usize) -> f64 {
        let apart = ((of ^ other) as u32).wrapping_mul(0x9e37_79b1) >> 8;
        let apart = APART * f64::from(apart) / f64::from(1 << 24);
        (worth + apart - self.prices[of] - self.prices[other] + NOTHING) / RANGE
    }
}

impl Score for Worth<'_> {
    fn row(&self, of: usize, with: std::ops::Range<usize>, scores: &mut [f64]) {
        let start = with.start;
        // Whoever may be above the least score is looked at again.
        let least = self.least - 2.0 * self.scorer.off();
        if let Some(directions) = self.scorer.goal_directions(of, with.clone()) {
            for ((score, (own, theirs)), other) in scores.iter_mut().zip(directions).zip(with) {
                let worth = if own.max(theirs) + TOLERANCE >= least {
                    own * theirs + ONE_SIDED * own.max(theirs)
                } else {
                    f64::NAN
                };
                *score = self.beyond(worth, of, other);
            }
            return;
        }
        self.scorer.each(of, with, |other, pair| {
            scores[other - start] = self.beyond(self.of_those_from(&pair, least), of, other);
        });
    }

    /// Two directions of at most 1 that are off by the same.
    fn off(&self) -> f64 {
        let off = self.scorer.off();
        (off * (2.0 + off) + ONE_SIDED * off) / RANGE
    }

    fn exact(&self, of: usize, with: usize) -> f64 {
        self.beyond(self.of(&self.scorer.pair(of, with)), of, with)
    }
}

fn outlook(people: usize, pairs: &[Suggestion], asked: Asked, bound: Option<f64>) -> Outlook {
    let shown = shown(people, pairs.iter().map(|s| (s.a, s.b)));
    let both: Vec<(u32, u32, f64, f64)> =
        pairs.iter().map(|s| (s.a, s.b, s.pair.of, s.pair.to)).collect();
    Outlook {
        pairs: pairs.len(),
        expected: expected_matches(people, &both, asked.per_attendee),
        gini: gini(&shown),
        most: shown.iter().copied().max().unwrap_or(0),
        without: shown.iter().filter(|count| **count == 0).count(),
        bound,
    }
}
