//! Roundtables: everybody to a table, so that whoever fits least fits as well as can be.
//!
//! A person's lot is the lowest score with anybody at their table. Of two seatings the better one has
//! the better sorted list of lots, from the worst up (leximin); where the lists are equal, the larger
//! sum of scores within tables. Up to [`EXACT`] people every seating is looked at; above that a local
//! search runs from several starts.

mod exact;
mod search;
mod seating;

use rayon::prelude::*;

use crate::error::Result;
use crate::pairs::rank;
use crate::stop::Stop;

/// Up to so many people the optimum is found.
pub const EXACT: usize = 12;
/// A table has at least so many people.
pub const LEAST: usize = 3;
/// Up to so many people the scores of all pairs are kept, 64 MB of them at most.
const MATRIX: usize = 4_000;
/// What two who must not share a table score: less than anybody.
const APART: i32 = -1;

/// Why somebody has no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There are not enough people for a table.
    TooFew,
    /// Too many of the others may not sit with them.
    KeptApart,
}

/// Who sits with whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Tables in the order of their first person; people of a table in order.
    pub groups: Vec<Vec<u32>>,
    /// Those without a table, in order.
    pub left: Vec<(u32, Left)>,
}

/// How many people sit at each table: tables for `size` people, as even as can be, none below
/// [`LEAST`]. Empty where there are fewer people than that.
#[must_use]
pub fn sizes(people: usize, size: usize) -> Vec<usize> {
    if people < LEAST {
        return vec![];
    }
    let tables = people.div_ceil(size.max(LEAST)).min(people / LEAST).max(1);
    (0..tables).map(|at| people / tables + usize::from(at < people % tables)).collect()
}

/// Seats `people` people. `score` is the score of two, `None` where they must not share a table; it
/// is the same both ways round.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn form(
    people: usize,
    score: &(impl Fn(usize, usize) -> Option<f64> + Sync),
    size: usize,
    seed: u64,
    stop: &Stop,
) -> Result<Tables> {
    let ranked = |a: u32, b: u32| {
        score(a as usize, b as usize).map_or(APART, |score| rank(score).min(i32::MAX as u32) as i32)
    };
    if people > MATRIX {
        return seat(people, &ranked, size, seed, stop);
    }
    let rows: Vec<i32> = (0..people as u32)
        .into_par_iter()
        .flat_map_iter(|a| {
            (0..people as u32).map(move |b| if a == b { 0 } else { ranked(a.min(b), a.max(b)) })
        })
        .collect();
    let known = |a: u32, b: u32| rows[a as usize * people + b as usize];
    seat(people, &known, size, seed, stop)
}

fn seat(
    people: usize,
    score: &(impl Fn(u32, u32) -> i32 + Sync),
    size: usize,
    seed: u64,
    stop: &Stop,
) -> Result<Tables> {
    let everybody: Vec<u32> = (0..people as u32).collect();
    if people < LEAST {
        let left = everybody.into_iter().map(|person| (person, Left::TooFew)).collect();
        return Ok(Tables { groups: vec![], left });
    }
    let mut groups = if people <= EXACT {
        exact::best(&everybody, score, size, stop)?
    } else {
        search::best(everybody.clone(), score, size, seed, stop)?
    };
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    let seated: std::collections::HashSet<u32> = groups.iter().flatten().copied().collect();
    let left = everybody.into_iter().filter(|person| !seated.contains(person));
    Ok(Tables { left: left.map(|person| (person, Left::KeptApart)).collect(), groups })
}

#[cfg(test)]
mod tests;
