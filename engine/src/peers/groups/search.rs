//! Local search among seatings of many people.
//!
//! Neighbours of a seating swap two people of different tables, or move one from a larger table to a
//! smaller one. Only the lots of those two tables change, and what the rest has in common cancels out
//! of a leximin comparison, so a neighbour is judged by a handful of scores. A chain descends to where
//! no neighbour is better, shakes a few seats and descends again, and keeps the best it saw.

use rayon::prelude::*;

use super::seating::{Worth, lot};
use super::{LEAST, sizes};
use crate::error::Result;
use crate::stop::Stop;

/// Chains that run side by side: as many whatever the number of threads, so that the answer is the
/// same everywhere.
const CHAINS: u64 = 4;
/// Neighbours that a chain may judge: some, and some for everybody.
const JUDGED: usize = 150_000;
const JUDGED_EACH: usize = 1_500;
/// Neighbours judged between two looks at the stop flag.
const BREATH: usize = 4_096;

/// The best seating found. Who must not sit with too many others is left out.
pub(super) fn best(
    mut people: Vec<u32>,
    score: &(impl Fn(u32, u32) -> i32 + Sync),
    size: usize,
    seed: u64,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    loop {
        if people.len() < LEAST {
            return Ok(vec![]);
        }
        let chains: Vec<Result<(Worth, Vec<Vec<u32>>)>> = (0..CHAINS)
            .into_par_iter()
            .map(|chain| Chain::new(&people, score, size, seed.wrapping_add(chain), stop)?.run())
            .collect();
        let mut found: Option<(Worth, Vec<Vec<u32>>)> = None;
        for chain in chains {
            let chain = chain?;
            if found.as_ref().is_none_or(|best| chain.0 > best.0) {
                found = Some(chain);
            }
        }
        let Some((worth, groups)) = found else { return Ok(vec![]) };
        if !worth.has_conflict() {
            return Ok(groups);
        }
        let out = hardest(&groups, score);
        people.retain(|person| !out.contains(person));
    }
}

/// Of each table with a conflict the one with most conflicts there.
fn hardest(groups: &[Vec<u32>], score: &impl Fn(u32, u32) -> i32) -> Vec<u32> {
    let conflicts = |person: u32, group: &[u32]| {
        group.iter().filter(|other| **other != person && score(person, **other) < 0).count()
    };
    groups
        .iter()
        .filter_map(|group| {
            let worst = group.iter().map(|person| (conflicts(*person, group), *person)).max()?;
            (worst.0 > 0).then_some(worst.1)
        })
        .collect()
}

/// The generator `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }

    fn shuffle(&mut self, people: &mut [u32]) {
        for at in (1..people.len()).rev() {
            people.swap(at, self.below(at + 1));
        }
    }
}

struct Chain<'a, S> {
    score: &'a S,
    groups: Vec<Vec<u32>>,
    random: Random,
    /// Tables that changed since all their neighbours were judged.
    dirty: Vec<bool>,
    judged: usize,
    most: usize,
    stop: &'a Stop,
}

impl<'a, S: Fn(u32, u32) -> i32> Chain<'a, S> {
    fn new(people: &[u32], score: &'a S, size: usize, seed: u64, stop: &'a Stop) -> Result<Self> {
        let mut random = Random(seed);
        let mut order = people.to_vec();
        random.shuffle(&mut order);
        let groups = greedy(order, &sizes(people.len(), size), score, stop)?;
        let most = JUDGED + JUDGED_EACH * people.len();
        Ok(Self { score, dirty: vec![true; groups.len()], groups, random, judged: 0, most, stop })
    }

    fn run(mut self) -> Result<(Worth, Vec<Vec<u32>>)> {
        self.descend()?;
        let mut best = (Worth::of(&self.groups, self.score), self.groups.clone());
        while self.judged < self.most && self.groups.len() > 1 {
            self.stop.progress((1000 * self.judged / self.most) as u32);
            self.shake();
            self.descend()?;
            let worth = Worth::of(&self.groups, self.score);
            if worth >= best.0 {
                best = (worth, self.groups.clone());
            } else {
                self.groups.clone_from(&best.1);
                self.dirty.fill(false);
            }
        }
        Ok(best)
    }

    /// To a seating that no neighbour betters, or to the end of the allowance.
    fn descend(&mut self) -> Result<()> {
        while let Some(first) = self.dirty.iter().position(|dirty| *dirty) {
            self.dirty[first] = false;
            for second in 0..self.groups.len() {
                if second != first && self.improve(first, second)? {
                    self.dirty[first] = true;
                    self.dirty[second] = true;
                }
            }
            if self.judged >= self.most {
                break;
            }
        }
        Ok(())
    }

    /// Swaps or moves people between two tables while that makes them better; whether it did.
    fn improve(&mut self, first: usize, second: usize) -> Result<bool> {
        let mut improved = false;
        'again: loop {
            // Nobody new may score below whoever scores least at the two tables.
            let floor = self.worst(first).min(self.worst(second));
            for a in 0..self.groups[first].len() {
                for b in 0..self.groups[second].len() {
                    if self.judge()? && self.swap_if_better((first, a), (second, b), floor) {
                        improved = true;
                        continue 'again;
                    }
                }
            }
            let (x, y) = (self.groups[first].len(), self.groups[second].len());
            if x != y {
                let (from, to) = if x > y { (first, second) } else { (second, first) };
                for a in 0..self.groups[from].len() {
                    if self.judge()? && self.move_if_better((from, a), to) {
                        improved = true;
                        continue 'again;
                    }
                }
            }
            return Ok(improved);
        }
    }

    /// Counts a neighbour; whether it may still be judged.
    fn judge(&mut self) -> Result<bool> {
        self.judged += 1;
        if self.judged.is_multiple_of(BREATH) {
            self.stop.check()?;
        }
        Ok(self.judged < self.most)
    }

    fn swap_if_better(
        &mut self,
        (g, a): (usize, usize),
        (h, b): (usize, usize),
        floor: i32,
    ) -> bool {
        let (x, y) = (self.groups[g][a], self.groups[h][b]);
        let fits = |person: u32, group: &[u32], instead: u32| {
            group.iter().all(|o| *o == instead || (self.score)(person, *o) >= floor)
        };
        if !fits(y, &self.groups[g], x) || !fits(x, &self.groups[h], y) {
            return false;
        }
        let before = self.worth_of(g, h);
        self.groups[g][a] = y;
        self.groups[h][b] = x;
        let better = self.worth_of(g, h) > before;
        if !better {
            self.groups[g][a] = x;
            self.groups[h][b] = y;
        }
        better
    }

    fn move_if_better(&mut self, (g, a): (usize, usize), h: usize) -> bool {
        let before = self.worth_of(g, h);
        let person = self.groups[g].remove(a);
        self.groups[h].push(person);
        let better = self.worth_of(g, h) > before;
        if !better {
            self.groups[h].pop();
            self.groups[g].insert(a, person);
        }
        better
    }

    fn worst(&self, group: usize) -> i32 {
        let group = &self.groups[group];
        group.iter().map(|person| lot(*person, group, self.score)).min().unwrap_or(i32::MAX)
    }

    fn worth_of(&self, g: usize, h: usize) -> Worth {
        let two = [self.groups[g].clone(), self.groups[h].clone()];
        Worth::of(&two, self.score)
    }

    /// Swaps a few people blindly, one of them from one of the worst tables.
    fn shake(&mut self) {
        let tables = self.groups.len();
        let candidates = (0..3).map(|_| self.random.below(tables)).collect::<Vec<_>>();
        let worst = candidates.into_iter().min_by_key(|group| self.worst(*group)).unwrap_or(0);
        let mut from = worst;
        for _ in 0..2 + self.random.below(3) {
            let to = (from + 1 + self.random.below(tables - 1)) % tables;
            let (a, b) = (
                self.random.below(self.groups[from].len()),
                self.random.below(self.groups[to].len()),
            );
            let (x, y) = (self.groups[from][a], self.groups[to][b]);
            self.groups[from][a] = y;
            self.groups[to][b] = x;
            self.dirty[from] = true;
            self.dirty[to] = true;
            from = to;
        }
    }
}

/// Fills one table after the other: the next person begins, then joins whoever has the best lowest
/// score with those who sit there.
fn greedy(
    mut order: Vec<u32>,
    sizes: &[usize],
    score: &impl Fn(u32, u32) -> i32,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    let mut groups = Vec::with_capacity(sizes.len());
    for size in sizes {
        stop.check()?;
        let mut group: Vec<u32> = order.pop().into_iter().collect();
        // The lowest score of everybody unseated with this table so far, and the sum.
        let mut fit: Vec<(i32, i64)> = vec![(i32::MAX, 0); order.len()];
        while group.len() < *size && !order.is_empty() {
            if let Some(last) = group.last() {
                for (fit, person) in fit.iter_mut().zip(&order) {
                    let score = score(*last, *person);
                    *fit = (fit.0.min(score), fit.1 + i64::from(score));
                }
            }
            let next = (0..order.len()).max_by_key(|at| fit[*at]).unwrap_or(0);
            group.push(order.swap_remove(next));
            fit.swap_remove(next);
        }
        groups.push(group);
    }
    Ok(groups)
}
