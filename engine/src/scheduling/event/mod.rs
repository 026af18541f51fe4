//! Everybody's meetings at once: which of the pairs that want to meet do, and when.
//!
//! First as many people as possible shall have a meeting, then the total weight of the meetings shall be as large as
//! possible; nobody is in two places at once, people come only when they are free and as often as their days take, and
//! a slot has so many tables. This is edge colouring with weights and lists, so no exact method is fast; the search is
//! simulated annealing over complete schedules (Kirkpatrick and others 1983) with exchanges and Kempe chains as moves,
//! and a Lagrangian dual says how far from the best it can be at most.

mod bound;
mod cover;
mod moves;
mod random;
mod search;
mod state;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::stop::Stop;

pub use bound::upper_bound;
pub use cover::most_people;
pub use state::NONE;

use random::Random;
use state::State;

/// Weights are whole numbers up to this: shares of one in ten thousandths.
pub const FULL_WEIGHT: u32 = 10_000;

/// Somebody who could meet others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// Whose body it takes: people of the same number are represented by one and the same.
    pub body: u32,
    /// For each slot, whether they are free.
    pub free: Vec<bool>,
    /// For each day, how many more meetings they take.
    pub room: Vec<u32>,
    /// Whether they have a meeting already, so that one more is no first one.
    pub served: bool,
}

/// A time at which meetings can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// Its day, an index.
    pub day: u32,
    /// How many meetings have a place; `u32::MAX` for any number.
    pub tables: u32,
}

/// Two people who want to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// One, an index.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// What it is worth, up to [`FULL_WEIGHT`].
    pub weight: u32,
}

/// What there is to be arranged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problem {
    /// Who.
    pub people: Vec<Person>,
    /// When.
    pub slots: Vec<Slot>,
    /// Who with whom, each pair once.
    pub pairs: Vec<Pair>,
    /// Meetings that take place: a pair, a slot.
    pub fixed: Vec<(u32, u32)>,
    /// Sets of pairs of which at most one meets.
    pub exclusive: Vec<Vec<u32>>,
}

/// Who meets when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// For each pair its slot, or [`NONE`].
    pub slot_of: Vec<u32>,
    /// People with a meeting, those who were served before included.
    pub people: u32,
    /// What the meetings are worth together.
    pub total: u64,
    /// No schedule serves more people.
    pub people_bound: u32,
    /// No schedule is worth more.
    pub total_bound: u64,
}

impl Schedule {
    /// How much more the best could be worth at most, as a share of the bound.
    #[must_use]
    pub fn gap(&self) -> f64 {
        if self.total_bound == 0 {
            return 0.0;
        }
        (self.total_bound - self.total) as f64 / self.total_bound as f64
    }
}

impl Problem {
    /// Bodies there are.
    #[must_use]
    pub fn bodies(&self) -> usize {
        self.people.iter().map(|p| p.body as usize + 1).max().unwrap_or(0)
    }

    /// Days there are.
    #[must_use]
    pub fn days(&self) -> usize {
        self.slots.iter().map(|s| s.day as usize + 1).max().unwrap_or(0)
    }

    /// Whether the two of a pair are free in a slot and are two.
    #[must_use]
    pub fn allows(&self, pair: u32, slot: u32) -> bool {
        let Pair { a, b, .. } = self.pairs[pair as usize];
        let (a, b) = (&self.people[a as usize], &self.people[b as usize]);
        a.body != b.body && a.free[slot as usize] && b.free[slot as usize]
    }

    fn check(&self) -> Result<()> {
        let (slots, days) = (self.slots.len(), self.days());
        let people_fit = self.people.iter().all(|p| p.free.len() == slots && p.room.len() >= days);
        let pairs_fit = self.pairs.iter().all(|p| {
            p.a != p.b && (p.a.max(p.b) as usize) < self.people.len() && p.weight <= FULL_WEIGHT
        });
        let known = |pair: u32| (pair as usize) < self.pairs.len();
        let rest = self.fixed.iter().all(|f| known(f.0) && (f.1 as usize) < slots)
            && self.exclusive.iter().flatten().all(|pair| known(*pair));
        if people_fit && pairs_fit && rest {
            return Ok(());
        }
        Err(Error::invalid("the schedule that is asked for has parts that do not fit", "", ""))
    }
}

/// The best schedule that was found, with what no schedule can exceed. The same problem gives the same answer.
///
/// # Errors
/// [`Error::Cancelled`]; [`Error::Clash`] where the fixed meetings cannot all take place, naming the pair's index;
/// [`Error::Invalid`] for indices and lengths that do not fit.
pub fn schedule(problem: &Problem, stop: &Stop) -> Result<Schedule> {
    problem.check()?;
    let start = State::with_fixed(problem)?;
    let plan = search::Plan::of(problem);
    let first = plan.runs.min(2);
    let (found, people_bound) = rayon::join(
        || best_of(&start, &plan, 0..first, stop),
        || most_people(problem).max(start.covered()),
    );
    let mut best = found?;
    let total_bound = upper_bound(problem, best.total(), stop)?.max(best.total());
    // What reaches both bounds cannot be better.
    if (best.covered(), best.total()) != (people_bound, total_bound) {
        let other = best_of(&start, &plan, first..plan.runs, stop)?;
        if worth(&other) > worth(&best) {
            best = other;
        }
    }
    Ok(Schedule {
        people: best.covered(),
        total: best.total(),
        people_bound: people_bound.max(best.covered()),
        total_bound: total_bound.max(best.total()),
        slot_of: best.slots(),
    })
}

fn worth(state: &State<'_>) -> (u32, u64) {
    (state.covered(), state.total())
}

/// The best of some searches from different beginnings.
fn best_of<'p>(
    start: &State<'p>,
    plan: &search::Plan,
    runs: std::ops::Range<u64>,
    stop: &Stop,
) -> Result<State<'p>> {
    let found: Vec<State<'p>> = runs
        .into_par_iter()
        .map(|run| {
            let part = stop.part(run as usize, plan.runs as usize);
            search::run(start.clone(), plan, run, Random::new(run + 1), &part)
        })
        .collect::<Result<_>>()?;
    // The first of equals, so that the answer does not depend on which thread was faster.
    let best = found.into_iter().reduce(|a, b| if worth(&b) > worth(&a) { b } else { a });
    Ok(best.unwrap_or_else(|| start.clone()))
}

#[cfg(test)]
mod tests;
