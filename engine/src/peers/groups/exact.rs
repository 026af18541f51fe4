//! Every seating of a few people.

use super::seating::Worth;
use super::{LEAST, sizes};
use crate::error::Result;
use crate::stop::Stop;

/// The best seating without a conflict that leaves as few people out as can be.
pub(super) fn best(
    people: &[u32],
    score: &impl Fn(u32, u32) -> i32,
    size: usize,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    for out in 0..=people.len().saturating_sub(LEAST) {
        let mut found: Option<(Worth, Vec<Vec<u32>>)> = None;
        for seated in subsets(people, people.len() - out) {
            stop.check()?;
            let mut search = Search { score, best: &mut found, groups: vec![] };
            search.fill(&seated, &sizes(seated.len(), size));
        }
        if let Some((_, groups)) = found {
            return Ok(groups);
        }
    }
    Ok(vec![])
}

struct Search<'a, S> {
    score: &'a S,
    best: &'a mut Option<(Worth, Vec<Vec<u32>>)>,
    groups: Vec<Vec<u32>>,
}

impl<S: Fn(u32, u32) -> i32> Search<'_, S> {
    /// Seats the rest at tables of these sizes: the first of them goes to a table of each size once,
    /// with all companies that it can have there.
    fn fill(&mut self, rest: &[u32], sizes: &[usize]) {
        let Some((first, others)) = rest.split_first() else {
            let worth = Worth::of(&self.groups, self.score);
            if self.best.as_ref().is_none_or(|(best, _)| worth > *best) {
                *self.best = Some((worth, self.groups.clone()));
            }
            return;
        };
        let mut tried = 0;
        for (at, size) in sizes.iter().enumerate() {
            if *size == tried {
                continue;
            }
            tried = *size;
            let mut other_sizes = sizes.to_vec();
            other_sizes.remove(at);
            for company in subsets(others, size - 1) {
                let mut group = vec![*first];
                group.extend(&company);
                if self.has_conflict(&group) {
                    continue;
                }
                let rest: Vec<u32> =
                    others.iter().copied().filter(|person| !company.contains(person)).collect();
                self.groups.push(group);
                self.fill(&rest, &other_sizes);
                self.groups.pop();
            }
        }
    }

    fn has_conflict(&self, group: &[u32]) -> bool {
        let among = |at: usize, a: u32| group[at + 1..].iter().any(|b| (self.score)(a, *b) < 0);
        group.iter().enumerate().any(|(at, a)| among(at, *a))
    }
}

/// All ways to choose `count` of `people`, in order.
fn subsets(people: &[u32], count: usize) -> Vec<Vec<u32>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for (at, first) in people.iter().enumerate() {
        for mut rest in subsets(&people[at + 1..], count - 1) {
            rest.insert(0, *first);
            all.push(rest);
        }
    }
    all
}
