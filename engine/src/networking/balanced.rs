//! Suggestions for everybody that do not all go to the same few: a matching with capacities that is
//! worth most in total.
//!
//! Prices of the linear program's dual say who is in demand; pairs are taken by what they are worth
//! beyond the prices of both, then exchanged while that gains, and at last everybody who has somebody
//! to be suggested to gets a place, if need be by moving others along.

use std::collections::HashMap;

use crate::error::Result;
use crate::stop::Stop;

/// A pair that may be suggested. Both people differ, and no pair comes twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// One person.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// What the pair is worth, more than 0.
    pub worth: f64,
}

impl Edge {
    fn other(&self, person: u32) -> u32 {
        self.a ^ self.b ^ person
    }
}

/// Rounds in which prices find their level.
const ROUNDS: usize = 60;
/// The most passes of exchanges.
const PASSES: usize = 12;
/// Exchanges are tried for so many pairs per place, those worth most beyond the prices.
const TRIED: usize = 6;
/// Up to so many people with room are asked one by one whether a pair with them is left.
const FEW: usize = 48;
/// Pairs between two looks at whether to go on.
const BETWEEN_CHECKS: usize = 512;
/// How far people are moved along to make a place for one.
const DEEP: usize = 40;
/// What an exchange has to gain.
const GAIN: f64 = 1e-9;

fn around(people: usize, edges: &[Edge]) -> Vec<Vec<u32>> {
    let mut around = vec![Vec::new(); people];
    for (at, edge) in edges.iter().enumerate() {
        around[edge.a as usize].push(at as u32);
        around[edge.b as usize].push(at as u32);
    }
    around
}

/// Prices of people: what the last place of each is worth when everybody wants the best for
/// themselves. Any prices give an [`upper_bound`]; these give a tight one.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn prices(edges: &[Edge], caps: &[u32], stop: &Stop) -> Result<Vec<f64>> {
    let around = around(caps.len(), edges);
    let mut prices = vec![0.0_f64; caps.len()];
    let mut best = (upper_bound(edges, caps, &prices), prices.clone());
    let mut left = Vec::new();
    for round in 0..ROUNDS {
        stop.check()?;
        // Smaller steps later: the level is approached from both sides.
        let step = 1.0 / (1.5 + round as f64 / 8.0);
        for person in 0..caps.len() {
            let cap = caps[person] as usize;
            left.clear();
            left.extend(around[person].iter().map(|at| {
                let edge = &edges[*at as usize];
                edge.worth - prices[edge.other(person as u32) as usize]
            }));
            let wanted = if cap == 0 {
                1.0
            } else if left.len() <= cap {
                0.0
            } else {
                left.select_nth_unstable_by(cap, |x, y| y.total_cmp(x));
                let next = left[cap];
                let last = left[..cap].iter().copied().fold(f64::INFINITY, f64::min);
                f64::midpoint(next, last).max(0.0)
            };
            prices[person] += step * (wanted - prices[person]);
        }
        let bound = upper_bound(edges, caps, &prices);
        if bound < best.0 {
            best = (bound, prices.clone());
        }
    }
    Ok(best.1)
}

/// What no matching within the capacities can exceed: the dual of its linear program at these prices.
#[must_use]
pub fn upper_bound(edges: &[Edge], caps: &[u32], prices: &[f64]) -> f64 {
    let places: f64 = caps.iter().zip(prices).map(|(cap, price)| f64::from(*cap) * price).sum();
    let beyond: f64 = edges
        .iter()
        .map(|edge| (edge.worth - prices[edge.a as usize] - prices[edge.b as usize]).max(0.0))
        .sum();
    places + beyond
}

struct Matching<'a> {
    edges: &'a [Edge],
    caps: &'a [u32],
    around: Vec<Vec<u32>>,
    by_pair: HashMap<(u32, u32), u32>,
    taken: Vec<bool>,
    /// The edges taken at each person.
    at: Vec<Vec<u32>>,
}

/// The pairs to suggest, as indices into `edges`: nobody has more than their capacity, and nobody
/// with a pair is left out where that can be avoided. `served` people have a suggestion already.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn balance(
    edges: &[Edge],
    caps: &[u32],
    prices: &[f64],
    served: &[bool],
    stop: &Stop,
) -> Result<Vec<u32>> {
    let mut matching = Matching {
        edges,
        caps,
        around: around(caps.len(), edges),
        by_pair: edges
            .iter()
            .enumerate()
            .map(|(at, e)| ((e.a.min(e.b), e.a.max(e.b)), at as u32))
            .collect(),
        taken: vec![false; edges.len()],
        at: vec![Vec::new(); caps.len()],
    };
    let beyond = |at: u32| {
        let edge = &edges[at as usize];
        edge.worth - prices[edge.a as usize] - prices[edge.b as usize]
    };
    let mut order: Vec<u32> = (0..edges.len() as u32).collect();
    order.sort_by(|x, y| beyond(*y).total_cmp(&beyond(*x)).then(x.cmp(y)));
    matching.fill(&order);
    let places: usize = caps.iter().map(|cap| *cap as usize).sum();
    let tried = (TRIED * places).min(order.len());
    for _ in 0..PASSES {
        stop.check()?;
        if !matching.exchange(&order[..tried], stop)? {
            break;
        }
        matching.fill(&order);
    }
    matching.place_everybody(served);
    Ok((0..edges.len() as u32).filter(|at| matching.taken[*at as usize]).collect())
}

impl Matching<'_> {
    fn has_room(&self, person: u32) -> bool {
        (self.at[person as usize].len() as u32) < self.caps[person as usize]
    }

    fn take(&mut self, at: u32) {
        let edge = &self.edges[at as usize];
        self.taken[at as usize] = true;
        self.at[edge.a as usize].push(at);
        self.at[edge.b as usize].push(at);
    }

    fn drop(&mut self, at: u32) {
        let edge = &self.edges[at as usize];
        self.taken[at as usize] = false;
        for person in [edge.a, edge.b] {
            self.at[person as usize].retain(|other| *other != at);
        }
    }

    fn fill(&mut self, order: &[u32]) {
        for at in order {
            let edge = &self.edges[*at as usize];
            if !self.taken[*at as usize] && self.has_room(edge.a) && self.has_room(edge.b) {
                self.take(*at);
            }
        }
    }

    /// The pair of a person that is worth least, where there is no room for another.
    fn weakest(&self, person: u32) -> Option<u32> {
        if self.has_room(person) {
            return None;
        }
        let worth = |at: &u32| self.edges[*at as usize].worth;
        self.at[person as usize]
            .iter()
            .copied()
            .min_by(|x, y| worth(x).total_cmp(&worth(y)).then(x.cmp(y)))
    }

    /// The best pair that a person could still take, with somebody who has room.
    fn spare(&self, person: u32, not: u32, roomy: &[u32]) -> Option<u32> {
        let worth = |at: &u32| self.edges[*at as usize].worth;
        let free = |at: &u32| {
            let other = self.edges[*at as usize].other(person);
            *at != not && !self.taken[*at as usize] && self.has_room(other)
        };
        let better = |x: &u32, y: &u32| worth(x).total_cmp(&worth(y)).then(y.cmp(x));
        if roomy.len() > FEW {
            return self.around[person as usize].iter().copied().filter(free).max_by(better);
        }
        let with =
            |other: &u32| self.by_pair.get(&(person.min(*other), person.max(*other))).copied();
        roomy.iter().filter_map(with).filter(free).max_by(better)
    }

    /// People who could take more, as far as is known: those who have since been served are among
    /// them.
    fn roomy(&self) -> Vec<u32> {
        (0..self.caps.len() as u32).filter(|person| self.has_room(*person)).collect()
    }

    /// Takes pairs in place of others where that gains; whether anything changed.
    fn exchange(&mut self, order: &[u32], stop: &Stop) -> Result<bool> {
        let mut changed = false;
        let mut roomy = self.roomy();
        for (tried, at) in order.iter().enumerate() {
            if tried % BETWEEN_CHECKS == 0 {
                stop.check()?;
                roomy = self.roomy();
            }
            if self.taken[*at as usize] {
                continue;
            }
            let edge = self.edges[*at as usize];
            if self.caps[edge.a as usize] == 0 || self.caps[edge.b as usize] == 0 {
                continue;
            }
            let (out_a, out_b) = (self.weakest(edge.a), self.weakest(edge.b));
            let loss: f64 =
                [out_a, out_b].iter().flatten().map(|out| self.edges[*out as usize].worth).sum();
            let left_a = out_a.map(|out| self.edges[out as usize].other(edge.a));
            let left_b = out_b.map(|out| self.edges[out as usize].other(edge.b));
            let between = match (left_a, left_b) {
                (Some(x), Some(y)) if x != y => self
                    .by_pair
                    .get(&(x.min(y), x.max(y)))
                    .copied()
                    .filter(|at| !self.taken[*at as usize]),
                _ => None,
            };
            let spares: Vec<u32> = if between.is_some() {
                between.into_iter().collect()
            } else {
                [(left_a, out_a), (left_b, out_b)]
                    .into_iter()
                    .filter_map(|(left, out)| self.spare(left?, out?, &roomy))
                    .take(1)
                    .collect()
            };
            let repaired: f64 = spares.iter().map(|at| self.edges[*at as usize].worth).sum();
            if edge.worth + repaired <= loss + GAIN {
                continue;
            }
            for out in [out_a, out_b].into_iter().flatten() {
                self.drop(out);
            }
            self.take(*at);
            for spare in spares {
                let edge = &self.edges[spare as usize];
                if !self.taken[spare as usize] && self.has_room(edge.a) && self.has_room(edge.b) {
                    self.take(spare);
                }
            }
            changed = true;
        }
        Ok(changed)
    }

    fn place_everybody(&mut self, served: &[bool]) {
        for person in 0..self.caps.len() as u32 {
            let alone = self.at[person as usize].is_empty() && !served[person as usize];
            if alone && self.caps[person as usize] > 0 && !self.around[person as usize].is_empty() {
                let mut seen = vec![false; self.caps.len()];
                self.place(person, served, &mut seen, DEEP);
            }
        }
    }

    /// Finds a pair for somebody who has none: with somebody who has room, in place of a pair whose
    /// other person has more, or by finding another pair for that one first.
    fn place(&mut self, person: u32, served: &[bool], seen: &mut [bool], deep: usize) -> bool {
        seen[person as usize] = true;
        let mut wanted: Vec<u32> = self.around[person as usize]
            .iter()
            .copied()
            .filter(|at| {
                let other = self.edges[*at as usize].other(person);
                !self.taken[*at as usize] && self.caps[other as usize] > 0 && !seen[other as usize]
            })
            .collect();
        wanted.sort_by(|x, y| {
            self.edges[*y as usize].worth.total_cmp(&self.edges[*x as usize].worth).then(x.cmp(y))
        });
        for at in &wanted {
            let other = self.edges[*at as usize].other(person);
            if self.has_room(other) {
                self.take(*at);
                return true;
            }
        }
        for at in &wanted {
            let other = self.edges[*at as usize].other(person);
            let given_up = self.at[other as usize].iter().copied().filter(|pair| {
                let third = self.edges[*pair as usize].other(other);
                self.at[third as usize].len() > 1 || served[third as usize]
            });
            let worth = |pair: &u32| self.edges[*pair as usize].worth;
            let given_up = given_up.min_by(|x, y| worth(x).total_cmp(&worth(y)).then(x.cmp(y)));
            if let Some(out) = given_up {
                self.drop(out);
                self.take(*at);
                return true;
            }
        }
        if deep == 0 {
            return false;
        }
        for at in &wanted {
            let other = self.edges[*at as usize].other(person);
            if std::mem::replace(&mut seen[other as usize], true) {
                continue;
            }
            for out in self.at[other as usize].clone() {
                let third = self.edges[out as usize].other(other);
                if !seen[third as usize] && self.taken[out as usize] {
                    self.drop(out);
                    if self.has_room(other) && self.place(third, served, seen, deep - 1) {
                        if self.has_room(other) {
                            self.take(*at);
                            return true;
                        }
                        return false;
                    }
                    self.take(out);
                }
            }
        }
        false
    }
}
