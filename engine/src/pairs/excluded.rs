//! Pairs that may not be.

use std::ops::Range;

/// For everybody the people that they may not be paired with: few, so lists in order.
#[derive(Clone, Debug, Default)]
pub struct Excluded {
    of: Vec<Vec<u32>>,
}

impl Excluded {
    /// The pairs of `pairs`, either way round, among `people` people; others are left out.
    #[must_use]
    pub fn new(people: usize, pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut of = vec![Vec::new(); people];
        for (a, b) in pairs {
            if (a as usize) < people && (b as usize) < people {
                of[a as usize].push(b);
                of[b as usize].push(a);
            }
        }
        for list in &mut of {
            list.sort_unstable();
            list.dedup();
        }
        Self { of }
    }

    /// Whether the two may not be paired.
    #[must_use]
    pub fn has(&self, a: u32, b: u32) -> bool {
        self.of.get(a as usize).is_some_and(|list| list.binary_search(&b).is_ok())
    }

    /// Strikes out the excluded of `with` in a row of scores.
    pub(super) fn strike(&self, of: usize, with: &Range<usize>, scores: &mut [f64]) {
        let Some(list) = self.of.get(of).filter(|list| !list.is_empty()) else { return };
        let from = list.partition_point(|other| (*other as usize) < with.start);
        for other in list[from..].iter().map(|other| *other as usize) {
            if other >= with.end {
                break;
            }
            scores[other - with.start] = f64::NAN;
        }
    }
}
