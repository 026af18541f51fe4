//! Suggestions for one person, and for a whole event at once.

use rayon::prelude::*;

use super::algorithm::Algorithm;
use super::balanced::{balance, prices, upper_bound};
use super::measure::{expected_matches, gini, shown};
use super::score::{Pair, Scorer};
use super::worth::{AT_A_GLANCE, CLOSELY, Effort, Worth};
use crate::error::{Error, Result};
use crate::pairs::{Excluded, TOLERANCE, Wanted, best_of, best_of_all, best_of_each};
use crate::stop::Stop;

/// Up to so many people every pair is weighed against every other; above it the most promising of
/// each, found anew as prices become known.
const COMPLETE: usize = 1_500;

/// Pairs of people.
type Pairs = [(u32, u32)];

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
    /// Pairs to weigh for that, where the run came across them.
    pub promising: Vec<(u32, u32)>,
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
    let (of_each, promising) = of_each(scorer, excluded, (asked, compared), &stop.part(0, parts))?;
    let top_k = pairs_of(scorer, &of_each);
    let outlook_of_each = outlook(scorer.people(), &top_k, asked, None);
    if !compared {
        let top_k = (top_k, outlook_of_each);
        return Ok(Plan { suggestions: top_k.0, top_k: top_k.1, balanced: None, promising });
    }
    let standing = standing(scorer, excluded, open, asked);
    let (balanced, bound) = balanced(scorer, excluded, (&standing, &[]), asked, CLOSELY, stop)?;
    let outlook_of_balanced = outlook(scorer.people(), &balanced, asked, Some(bound));
    let suggestions = match asked.strategy {
        Strategy::Balanced => balanced,
        Strategy::TopK => top_k,
    };
    let balanced = Some(outlook_of_balanced);
    Ok(Plan { suggestions, top_k: outlook_of_each, balanced, promising })
}

/// What a balanced choice would come to at a large event: no less than this. `promising` are the pairs
/// to choose from; without them, they are looked for.
///
/// # Errors
/// [`Error::Cancelled`] when `stop` was requested.
pub fn balanced_instead(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    (open, promising): (&Pairs, &Pairs),
    asked: Asked,
    stop: &Stop,
) -> Result<Outlook> {
    let standing = standing(scorer, excluded, open, asked);
    let (chosen, _) = balanced(scorer, excluded, (&standing, promising), asked, AT_A_GLANCE, stop)?;
    Ok(outlook(scorer.people(), &chosen, asked, None))
}

/// The best of each, and what else is promising where that is looked for as well: who gets the most
/// out of a match is found by the same look at all pairs, except where people are ranked by their own
/// direction alone.
#[allow(clippy::type_complexity)]
fn of_each(
    scorer: &Scorer<'_>,
    excluded: &Excluded,
    (asked, compared): (Asked, bool),
    stop: &Stop,
) -> Result<(Vec<Vec<u32>>, Vec<(u32, u32)>)> {
    let mut wanted = Wanted { most: asked.per_attendee, least: settled(asked.least) };
    if scorer.algorithm() == Algorithm::Goals {
        return Ok((best_of_each(scorer, excluded, scorer.people(), wanted, stop)?, vec![]));
    }
    if compared {
        return Ok((best_of_all(scorer, excluded, scorer.people(), wanted, stop)?, vec![]));
    }
    wanted.most = AT_A_GLANCE.wanted(asked.per_attendee);
    let mut of_each = best_of_all(scorer, excluded, scorer.people(), wanted, stop)?;
    let promising = unordered(&of_each);
    for list in &mut of_each {
        list.truncate(asked.per_attendee);
    }
    Ok((of_each, promising))
}

/// The pairs in which somebody has somebody, once each.
fn unordered(of_each: &[Vec<u32>]) -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32)> = of_each
        .iter()
        .enumerate()
        .flat_map(|(of, list)| {
            list.iter().map(move |to| ((of as u32).min(*to), (of as u32).max(*to)))
        })
        .collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    pairs
}

/// The pairs in which somebody has somebody, once each, in order.
fn pairs_of(scorer: &Scorer<'_>, of_each: &[Vec<u32>]) -> Vec<Suggestion> {
    suggest(scorer, &unordered(of_each))
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
    (standing, promising): (&[Suggestion], &Pairs),
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
    } else if !promising.is_empty() {
        let edges = worth.edges(promising, &fixed);
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
