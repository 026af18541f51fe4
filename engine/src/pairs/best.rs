//! The best few of many.

use super::{TOLERANCE, Wanted};

/// A score as it is ranked, in billionths: what is equal but for the last digits of a sum is equal.
#[must_use]
pub fn rank(score: f64) -> u32 {
    (score / TOLERANCE).round() as u32
}

/// The best `most` of what was offered, best first; of equal scores the lower index.
#[derive(Clone, Debug, Default)]
pub struct Best {
    most: usize,
    /// Rank above, complement of the index below: one comparison decides.
    kept: Vec<u64>,
    /// Below this nothing is taken any more: most of what is offered needs no closer look.
    floor: f64,
    /// Once full, how much better than the worst a score has to be for a closer look, in ranks.
    lead: f64,
}

impl Best {
    /// Room for `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self::of(Wanted { most, least: f64::NEG_INFINITY })
    }

    /// Room for those that are wanted.
    #[must_use]
    pub fn of(wanted: Wanted) -> Self {
        // A rank is rounded by half a step either way, and a lower index with the same rank goes first.
        Self {
            most: wanted.most,
            kept: Vec::with_capacity(wanted.most.min(64)),
            floor: if wanted.most == 0 { f64::INFINITY } else { wanted.least - TOLERANCE },
            lead: -1.0,
        }
    }

    /// The same for indices that are offered in ascending order: once full, an equal score is too late.
    #[must_use]
    pub fn in_order(wanted: Wanted) -> Self {
        Self { lead: 0.25, ..Self::of(wanted) }
    }

    /// What a score has to reach to be taken.
    #[must_use]
    #[inline]
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// Offers `index` at `score`; whether it was taken. NaN is never.
    #[inline]
    pub fn offer(&mut self, index: u32, score: f64) -> bool {
        score >= self.floor && self.take(index, score)
    }

    fn take(&mut self, index: u32, score: f64) -> bool {
        let packed = (u64::from(rank(score)) << 32) | u64::from(u32::MAX - index);
        let full = self.kept.len() >= self.most;
        if full && self.kept.last().is_none_or(|worst| *worst >= packed) {
            return false;
        }
        if full {
            self.kept.pop();
        }
        let at = self.kept.partition_point(|kept| *kept > packed);
        self.kept.insert(at, packed);
        if self.kept.len() == self.most
            && let Some(worst) = self.kept.last()
        {
            let bar = ((worst >> 32) as f64 + self.lead) * TOLERANCE;
            self.floor = self.floor.max(bar);
        }
        true
    }

    /// The indices kept, best first.
    #[must_use]
    pub fn into_indices(self) -> Vec<u32> {
        self.kept.into_iter().map(|packed| u32::MAX - packed as u32).collect()
    }
}
