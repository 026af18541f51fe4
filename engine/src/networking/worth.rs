//! What pairs are worth to a choice for everybody, and which are worth weighing.

use std::collections::HashSet;
use std::ops::Range;

use rayon::prelude::*;

use super::balanced::{Edge, prices};
use super::score::{Pair, Scorer};
use crate::error::Result;
use crate::pairs::{Excluded, Score, TILE, TOLERANCE, Wanted, best_of_all};
use crate::stop::Stop;

/// How closely a large event is looked at for a balanced choice.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// How many promising partners of each person, for each suggestion that they get.
    pub(super) promising: usize,
    /// Times that the promising are looked for, at the prices of the time before.
    pub(super) looks: usize,
    /// Whether to look once more at every pair for what no choice could exceed.
    pub(super) bounded: bool,
}

impl Effort {
    /// How many promising partners of each person.
    pub(super) fn wanted(self, per_attendee: usize) -> usize {
        (self.promising * per_attendee).max(AT_LEAST)
    }
}

/// For a choice that is to be made.
pub(super) const CLOSELY: Effort = Effort { promising: 5, looks: 3, bounded: true };
/// To know about what it would come to.
pub(super) const AT_A_GLANCE: Effort = Effort { promising: 2, looks: 1, bounded: false };
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

/// Scores pairs by what they are worth to both, beyond the prices of the two people.
pub(super) struct Worth<'a> {
    pub(super) scorer: &'a Scorer<'a>,
    pub(super) least: f64,
    pub(super) prices: Vec<f64>,
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

    pub(super) fn all(&self, excluded: &Excluded, fixed: &HashSet<(u32, u32)>) -> Vec<Edge> {
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

    /// What these pairs are worth, but for those that stand.
    pub(super) fn edges(&self, pairs: &[(u32, u32)], fixed: &HashSet<(u32, u32)>) -> Vec<Edge> {
        let edge = |(a, b): &(u32, u32)| {
            let worth = self.of(&self.scorer.pair(*a as usize, *b as usize));
            Edge { a: *a, b: *b, worth }
        };
        let edges = pairs.par_iter().filter(|pair| !fixed.contains(pair)).map(edge);
        edges.filter(|edge| edge.worth > 0.0).collect()
    }

    /// The promising pairs of everybody and the prices at which they were found.
    pub(super) fn promising(
        &mut self,
        excluded: &Excluded,
        fixed: &HashSet<(u32, u32)>,
        caps: &[u32],
        (effort, most): (Effort, usize),
        stop: &Stop,
    ) -> Result<(Vec<Edge>, Vec<f64>)> {
        let wanted = Wanted { most: effort.wanted(most), least: 0.0 };
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
            edges = self.edges(&pairs, fixed);
            self.prices = prices(&edges, caps, &stop)?;
        }
        Ok((edges, self.prices.clone()))
    }

    /// What no choice could exceed, of all pairs: the dual of the linear program at these prices, for
    /// which every pair is looked at once more.
    pub(super) fn bound(
        &self,
        excluded: &Excluded,
        fixed: &HashSet<(u32, u32)>,
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
    fn likely(&self, of: usize, with: Range<usize>, mut each: impl FnMut(usize)) {
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
    fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]) {
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
