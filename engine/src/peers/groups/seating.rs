//! What a seating is worth.

/// The lots of everybody from the worst up, then the sum of scores within tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Worth {
    pub lots: Vec<i32>,
    pub total: i64,
}

impl Worth {
    pub fn of(groups: &[Vec<u32>], score: &impl Fn(u32, u32) -> i32) -> Self {
        let mut lots: Vec<i32> = groups
            .iter()
            .flat_map(|group| group.iter().map(|person| lot(*person, group, score)))
            .collect();
        lots.sort_unstable();
        Self { lots, total: groups.iter().map(|group| total(group, score)).sum() }
    }

    /// Whether two who must not meet share a table.
    pub fn has_conflict(&self) -> bool {
        self.lots.first().is_some_and(|lot| *lot < 0)
    }
}

/// The lowest score of a person with anybody at their table.
pub(super) fn lot(person: u32, group: &[u32], score: &impl Fn(u32, u32) -> i32) -> i32 {
    let others = group.iter().filter(|other| **other != person);
    others.map(|other| score(person, *other)).min().unwrap_or(i32::MAX)
}

/// The sum of scores within a table.
pub(super) fn total(group: &[u32], score: &impl Fn(u32, u32) -> i32) -> i64 {
    let pairs =
        group.iter().enumerate().flat_map(|(at, a)| group[at + 1..].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| i64::from(score(*a, *b))).sum()
}
