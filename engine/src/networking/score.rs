//! What a match is worth to each of the two.

use std::ops::Range;

use super::algorithm::{Algorithm, PARTS, Weights};
use super::crowd::{Crowd, Traits};
use super::ties::{Tie, Ties};
use crate::pairs::{Score, TILE};
use crate::threads;

/// Years of experience beyond which a difference counts no more.
const FAR_APART_YEARS: f64 = 20.0;
/// Pairs that the mean of an event is taken over: all of them up to here, evenly spread ones above.
const MEAN_OVER: usize = 200_000;

/// What having met before does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetBefore {
    /// Such a pair is not suggested.
    Excludes,
    /// The score counts this share.
    Lowers(f64),
}

/// What two people are worth to each other, with the parts it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// What the match is worth to the first.
    pub of: f64,
    /// What it is worth to the second.
    pub to: f64,
    /// The share of the weights for which something was known.
    pub coverage: f64,
    /// Which of [`PARTS`] are known.
    pub known: [bool; 6],
    /// What each part gives the first.
    pub parts_of: [f64; 6],
    /// What each part gives the second.
    pub parts_to: [f64; 6],
    /// What ties the two.
    pub tie: Tie,
    /// What the score was lowered to for having met: 1 where they have not.
    pub factor: f64,
}

impl Pair {
    /// What the less interested side gets: the harmonic mean of both directions.
    #[must_use]
    pub fn mutual(&self) -> f64 {
        harmonic_mean(self.of, self.to)
    }
}

/// The harmonic mean of two scores; 0 where one is.
#[must_use]
#[inline]
pub fn harmonic_mean(a: f64, b: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

/// Scores the pairs of an event by one algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Scorer<'a> {
    crowd: &'a Crowd,
    ties: &'a Ties,
    algorithm: Algorithm,
    weights: [f64; 6],
    mean: f64,
    met: MetBefore,
}

impl<'a> Scorer<'a> {
    /// A scorer; `weights` are the hybrid's, and `mean` is what [`Scorer::mean_of`] gave for them.
    #[must_use]
    pub fn new(
        crowd: &'a Crowd,
        ties: &'a Ties,
        algorithm: Algorithm,
        weights: Weights,
        mean: f64,
        met: MetBefore,
    ) -> Self {
        Self { crowd, ties, algorithm, weights: algorithm.weights(weights).0, mean, met }
    }

    /// The mean score of an event: of everything that people said, over all ordered pairs of which
    /// something is known, each by its known parts alone.
    #[must_use]
    pub fn mean_of(crowd: &Crowd, weights: Weights) -> f64 {
        let ties = Ties::default();
        let scorer =
            Scorer::new(crowd, &ties, Algorithm::Hybrid, weights, 0.0, MetBefore::Lowers(1.0));
        let of_pair = |(sum, pairs): (f64, usize), a, b| {
            let pair = scorer.pair(a, b);
            if pair.coverage > 0.0 {
                (sum + (pair.of + pair.to) / pair.coverage / 2.0, pairs + 1)
            } else {
                (sum, pairs)
            }
        };
        let (people, nothing) = (crowd.len(), (0.0, 0));
        // Part by part, so that the sum is the same on however many threads.
        let parts = if people * people.saturating_sub(1) / 2 <= MEAN_OVER {
            threads::count(people, |a| (a + 1..people).fold(nothing, |sum, b| of_pair(sum, a, b)))
        } else {
            let strides = strides(people);
            threads::count(strides.len(), |at| {
                (0..people).fold(nothing, |sum, a| of_pair(sum, a, (a + strides[at]) % people))
            })
        };
        let (sum, pairs) =
            parts.iter().fold((0.0, 0), |all, part| (all.0 + part.0, all.1 + part.1));
        if pairs == 0 { 0.0 } else { sum / pairs as f64 }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The event's mean score, which stands for what is not known of a pair.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The weights of the parts.
    #[must_use]
    pub fn weights(&self) -> [f64; 6] {
        self.weights
    }

    /// How many people there are.
    #[must_use]
    pub fn people(&self) -> usize {
        self.crowd.len()
    }

    /// Two people and everything about them.
    #[must_use]
    pub fn pair(&self, of: usize, to: usize) -> Pair {
        self.assess(of, to, self.cosine(of, to))
    }

    fn cosine(&self, of: usize, to: usize) -> f64 {
        if self.weights[1] > 0.0 && self.crowd.has_vector[of] && self.crowd.has_vector[to] {
            self.crowd.cosines.exact(of, to)
        } else {
            0.0
        }
    }

    /// How far what [`Scorer::each`] says of a direction may be from what [`Scorer::pair`] says: the
    /// cosine is half of the interests.
    pub(super) fn off(&self) -> f64 {
        self.weights[1] * self.crowd.cosines.off() / 2.0
    }

    /// The pair, given the cosine of their interests.
    #[inline]
    fn assess(&self, of: usize, to: usize, cosine: f64) -> Pair {
        let tie = self.ties.between(of, to);
        let (a, b) = (&self.crowd.traits[of], &self.crowd.traits[to]);
        let goals = self.crowd.goals.both(of, to);
        let interests = self.interests(of, to, cosine);
        let background = background(a, b);
        let industry =
            |wants: &Traits| f64::from((a.industry == b.industry) == wants.same_industry);
        let interest_only = self.algorithm == Algorithm::Interests;
        let industry = if interest_only {
            let same = f64::from(a.industry == b.industry);
            (same, same)
        } else {
            (industry(a), industry(b))
        };
        let complement = goals.0 > 0.0 || goals.1 > 0.0;
        let graph = if tie.common > 0 { closeness(tie.closeness) } else { 0.0 };
        let known = [
            self.crowd.goals.known(of, to),
            interests.is_some(),
            a.industry != 0 && b.industry != 0,
            a.role != 0 && b.role != 0,
            background.is_some(),
            tie.common > 0,
        ];
        let (interests, background) = (interests.unwrap_or(0.0), background.unwrap_or(0.0));
        let roles = |wants: &Traits| roles(wants.complementary, a.role != b.role, complement);
        self.sum(Pair {
            of: 0.0,
            to: 0.0,
            coverage: 0.0,
            known,
            parts_of: [goals.0, interests, industry.0, roles(a), background, graph],
            parts_to: [goals.1, interests, industry.1, roles(b), background, graph],
            tie,
            factor: match self.met {
                MetBefore::Lowers(share) if tie.met => share,
                _ => 1.0,
            },
        })
    }

    /// Adds the parts up. What is not known counts as the event's mean in the hybrid, and nothing in
    /// an algorithm of one source.
    #[inline]
    fn sum(&self, mut pair: Pair) -> Pair {
        let (mut of, mut to, mut coverage) = (0.0, 0.0, 0.0);
        for part in 0..PARTS.len() {
            if pair.known[part] {
                of += self.weights[part] * pair.parts_of[part];
                to += self.weights[part] * pair.parts_to[part];
                coverage += self.weights[part];
            }
        }
        pair.coverage = coverage;
        let rest = match self.algorithm {
            Algorithm::Hybrid => (1.0 - coverage).max(0.0) * self.mean,
            _ => 0.0,
        };
        pair.of = pair.factor * (of + rest);
        pair.to = pair.factor * (to + rest);
        pair
    }

    /// Shared topics and likeness of all that was said, where both said something.
    #[inline]
    fn interests(&self, of: usize, to: usize, cosine: f64) -> Option<f64> {
        let (mine, theirs) = (self.crowd.topics.size(of), self.crowd.topics.size(to));
        if mine == 0 || theirs == 0 {
            return None;
        }
        let common = self.crowd.topics.common(of, to);
        let shared = f64::from(common) / f64::from(mine + theirs - common);
        if self.crowd.has_vector[of] && self.crowd.has_vector[to] {
            Some(f64::midpoint(shared, cosine.clamp(0.0, 1.0)))
        } else {
            Some(shared)
        }
    }

    /// Whether the two may be suggested to each other at all, as far as meeting before and the
    /// algorithm go.
    #[inline]
    fn may_be(&self, pair: &Pair) -> bool {
        !(pair.tie.met && (self.met == MetBefore::Excludes || self.algorithm == Algorithm::Graph))
    }

    /// What makes a pair eligible, whoever asks: the better direction in the goal-based algorithm,
    /// what both get in the others. NaN for a pair that may not be.
    #[must_use]
    #[inline]
    pub fn eligible(&self, pair: &Pair) -> f64 {
        if !self.may_be(pair) {
            return f64::NAN;
        }
        if self.algorithm == Algorithm::Goals { pair.of.max(pair.to) } else { pair.mutual() }
    }

    /// The score that people are ranked by for `of`: their own direction in the goal-based
    /// algorithm, what both get in the others. NaN for a pair that may not be.
    #[must_use]
    #[inline]
    pub fn ranked(&self, pair: &Pair) -> f64 {
        if !self.may_be(pair) {
            return f64::NAN;
        }
        if self.algorithm == Algorithm::Goals { pair.of } else { pair.mutual() }
    }

    /// Calls `each` for a person and everybody of a range, with their pair but for [`Scorer::off`].
    pub(super) fn each(&self, of: usize, with: Range<usize>, mut each: impl FnMut(usize, Pair)) {
        let (mut sums, mut cosines) = ([0; TILE], [0.0; TILE]);
        for from in with.clone().step_by(TILE) {
            let to = (from + TILE).min(with.end);
            let cosines = &mut cosines[..to - from];
            if self.weights[1] > 0.0 && self.crowd.has_vector[of] {
                self.crowd.cosines.about(of, from..to, &mut sums[..to - from], cosines);
            }
            for (cosine, other) in cosines.iter().zip(from..to) {
                each(other, self.assess(of, other, *cosine));
            }
        }
    }
}

impl Scorer<'_> {
    /// Where goals are all that counts: both directions of a person and at most a tile of others. NaN
    /// where the two may not be.
    pub(super) fn goal_directions(
        &self,
        of: usize,
        with: Range<usize>,
    ) -> Option<impl Iterator<Item = (f64, f64)>> {
        if self.algorithm != Algorithm::Goals {
            return None;
        }
        let (mut own, mut theirs) = ([0.0; TILE], [0.0; TILE]);
        let count = with.len();
        self.crowd.goals.row(of, with.clone(), &mut own[..count]);
        self.crowd.goals.column(of, with.clone(), &mut theirs[..count]);
        self.lower_those_met(of, &with, &mut own[..count]);
        self.lower_those_met(of, &with, &mut theirs[..count]);
        Some(own.into_iter().zip(theirs).take(count))
    }

    fn lower_those_met(&self, of: usize, with: &Range<usize>, scores: &mut [f64]) {
        for (to, tie) in self.ties.of(of) {
            let to = *to as usize;
            if tie.met && with.contains(&to) {
                match self.met {
                    MetBefore::Excludes => scores[to - with.start] = f64::NAN,
                    MetBefore::Lowers(share) => scores[to - with.start] *= share,
                }
            }
        }
    }
}

impl Score for Scorer<'_> {
    fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]) {
        let start = with.start;
        if self.algorithm == Algorithm::Goals {
            self.crowd.goals.row(of, with.clone(), scores);
            self.lower_those_met(of, &with, scores);
            return;
        }
        self.each(of, with, |other, pair| scores[other - start] = self.ranked(&pair));
    }

    /// Both directions of a pair are off by the same, and the harmonic mean by twice that at most:
    /// its two slopes, 2b2/(a+b)2 and 2a2/(a+b)2, add up to no more than 2.
    fn off(&self) -> f64 {
        2.0 * Scorer::off(self)
    }

    fn exact(&self, of: usize, with: usize) -> f64 {
        self.ranked(&self.pair(of, with))
    }
}

/// How far apart, by number and round a circle, the people of evenly spread pairs are.
fn strides(people: usize) -> Vec<usize> {
    let turns = (MEAN_OVER / people).max(1);
    (1..=turns).map(|turn| (turn * (people - 1) / (turns + 1)).max(1)).collect()
}

/// Between one half, for a faint tie, and 1.
fn closeness(adamic_adar: f64) -> f64 {
    (1.0 + adamic_adar) / (2.0 + adamic_adar)
}

fn roles(complementary: bool, different: bool, complement: bool) -> f64 {
    match (complementary, different) {
        (true, true) => 0.5 + 0.5 * f64::from(complement),
        (false, false) => 1.0,
        _ => 0.0,
    }
}

/// How near stage, seniority and experience are: the mean of those that are known of both.
#[inline]
fn background(a: &Traits, b: &Traits) -> Option<f64> {
    let near = |x: u8, y: u8, most: f64| 1.0 - f64::from(x.abs_diff(y)) / most;
    let (mut sum, mut known) = (0.0, 0.0);
    if a.stage != 0 && b.stage != 0 {
        sum += near(a.stage, b.stage, 3.0);
        known += 1.0;
    }
    if a.seniority != 0 && b.seniority != 0 {
        sum += near(a.seniority, b.seniority, 2.0);
        known += 1.0;
    }
    if a.years != 0 && b.years != 0 {
        let apart = f64::from(a.years.abs_diff(b.years)).min(FAR_APART_YEARS);
        sum += 1.0 - apart / FAR_APART_YEARS;
        known += 1.0;
    }
    (known > 0.0).then(|| sum / known)
}
