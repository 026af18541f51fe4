//! The best few of many.

use super::TOLERANCE;

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
}

impl Best {
    /// Room for `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, kept: Vec::with_capacity(most.min(64)), floor: f64::NEG_INFINITY }
    }

    /// Offers `index` at `score`, which is not NaN; whether it was taken.
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
            // A rank is rounded by half a step either way.
            self.floor = ((worst >> 32) as f64 - 1.0) * TOLERANCE;
        }
        true
    }

    /// The indices kept, best first.
    #[must_use]
    pub fn into_indices(self) -> Vec<u32> {
        self.kept.into_iter().map(|packed| u32::MAX - packed as u32).collect()
    }
}
