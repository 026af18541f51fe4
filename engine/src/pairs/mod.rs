//! All pairs of n people: scored once each, in tiles that fit the cache, spread over threads, with
//! only the best few of everybody kept. What a pair is worth is the caller's: a closure, or a
//! [`Score`] that fills a row at a time.
//!
//! n people cost n(n - 1) / 2 scores and n x k words of memory. Equal scores go to the lower index,
//! and the answer does not depend on the number of threads.

mod best;
mod excluded;
mod sets;
mod tiles;

use std::ops::Range;

pub use best::{Best, rank};
pub use excluded::Excluded;
pub use sets::{Sets, common};
pub use tiles::{TILE, best_of, best_of_all, best_of_each};

/// What a pair is worth. Symmetric: the score of (a, b) is that of (b, a).
pub trait Score: Sync {
    /// Writes the scores of person `of` with each of `with`, or about the scores; `scores` is as long
    /// as `with`. A score lies between 0 and 1; NaN is a pair that may not be.
    fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]);

    /// How far a score of [`Score::row`] may be from that of [`Score::exact`].
    fn off(&self) -> f64 {
        0.0
    }

    /// The score of one pair; asked for where a row only comes near.
    fn exact(&self, of: usize, with: usize) -> f64 {
        let mut score = [f64::NAN];
        self.row(of, with..with + 1, &mut score);
        score[0]
    }
}

impl<F: Fn(usize, usize) -> f64 + Sync> Score for F {
    fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]) {
        for (score, other) in scores.iter_mut().zip(with) {
            *score = self(of, other);
        }
    }
}

/// How many partners everybody gets, and how good a pair has to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The most partners of one person.
    pub most: usize,
    /// The least score; a score a billionth below it still counts.
    pub least: f64,
}

/// Scores that lie this close together are equal: far below what two different pairs can differ by,
/// far above what the order of a sum does to its last digit.
pub const TOLERANCE: f64 = 1e-9;

#[cfg(test)]
mod tests;
