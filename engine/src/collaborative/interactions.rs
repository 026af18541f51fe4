//! Who did what: a compressed matrix of people by sessions, ordered by person and session.

use crate::error::{Error, Result};
use crate::recommendation::{Person, taste_signals};

/// One entry of [`Interactions`]: what a person's signals on one session amount to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// The session's index.
    pub item: u32,
    /// The weight of the strongest signal; negative for a session the person disliked.
    pub signal: f32,
    /// When, in microseconds since the epoch.
    pub at: i64,
}

/// The interactions of an event, one per person and session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interactions {
    items: usize,
    /// Person `u` owns `entries[starts[u]..starts[u + 1]]`, in ascending item order.
    starts: Vec<usize>,
    entries: Vec<Interaction>,
}

impl Interactions {
    /// Builds the matrix from rows of (person, item, signal, at) in any order. Of several rows for
    /// the same person and item the one with the largest signal stays, of equal ones the latest.
    /// Negative signals are kept, for scoring; training takes only what is positive.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a person or item outside the matrix, or a signal that is not finite.
    pub fn new(people: usize, items: usize, mut rows: Vec<(u32, u32, f32, i64)>) -> Result<Self> {
        for row in &rows {
            check(people, items, row)?;
        }
        rows.sort_unstable_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)).then(b.3.cmp(&a.3))
        });
        rows.dedup_by_key(|row| (row.0, row.1));
        let mut starts = vec![0; people + 1];
        for row in &rows {
            starts[row.0 as usize + 1] += 1;
        }
        for person in 0..people {
            starts[person + 1] += starts[person];
        }
        let entries = rows
            .into_iter()
            .map(|(_, item, signal, at)| Interaction { item, signal, at })
            .collect();
        Ok(Self { items, starts, entries })
    }

    /// Everybody's tastes as a matrix of people and sessions, each entry as late as the person's
    /// latest signal for the session.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a signal on a session outside the programme.
    pub fn of_people(
        people: &[Person],
        sessions: usize,
        half_life_days: Option<f64>,
        now: i64,
    ) -> Result<Self> {
        let mut rows = Vec::new();
        for (index, person) in people.iter().enumerate() {
            for (session, signal) in taste_signals(&person.signals, half_life_days, now) {
                let times = person.signals.iter().filter(|s| s.session == session).map(|s| s.at);
                rows.push((index as u32, session, signal, times.max().unwrap_or_default()));
            }
        }
        Self::new(people.len(), sessions, rows)
    }

    /// How many people there are, with or without interactions.
    #[must_use]
    pub fn people(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// How many pairs of a person and a session have an interaction.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody did anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What this person did, in ascending item order; empty for a person that does not exist.
    #[must_use]
    pub fn of(&self, person: u32) -> &[Interaction] {
        let person = person as usize;
        match (self.starts.get(person), self.starts.get(person + 1)) {
            (Some(&from), Some(&to)) => &self.entries[from..to],
            _ => &[],
        }
    }

    /// This person's taste as [`super::score`] takes it: (session, signal), the zeros left out.
    #[must_use]
    pub fn taste(&self, person: u32) -> Vec<(u32, f32)> {
        let told = self.of(person).iter().filter(|entry| entry.signal != 0.0);
        told.map(|entry| (entry.item, entry.signal)).collect()
    }

    /// How many distinct people have a positive signal on each session.
    #[must_use]
    pub fn interest(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items];
        for entry in self.entries.iter().filter(|entry| entry.signal > 0.0) {
            counts[entry.item as usize] += 1;
        }
        counts
    }

    /// The same people and sessions with only the interactions that `keep` accepts.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(u32, &Interaction) -> bool) -> Self {
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut entries = Vec::with_capacity(self.entries.len());
        starts.push(0);
        for person in 0..self.people() as u32 {
            entries.extend(self.of(person).iter().filter(|entry| keep(person, entry)));
            starts.push(entries.len());
        }
        Self { items: self.items, starts, entries }
    }
}

fn check(people: usize, items: usize, row: &(u32, u32, f32, i64)) -> Result<()> {
    let &(person, item, signal, _) = row;
    if person as usize >= people || item as usize >= items {
        return Err(Error::invalid(
            format!("the interaction of person {person} with session {item} is out of range"),
            format!("there are {people} people and {items} sessions"),
            "",
        ));
    }
    if !signal.is_finite() {
        return Err(Error::invalid(
            format!("the signal {signal} of person {person} on session {item} is not a number"),
            "",
            "Pass finite signals.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::error::Result;

    #[test]
    fn the_largest_signal_wins_and_then_the_latest() -> Result<()> {
        let rows =
            vec![(1, 0, 0.2, 5), (1, 0, 0.8, 3), (1, 0, 0.8, 4), (0, 2, -0.5, 1), (1, 1, 0.0, 9)];
        let made = Interactions::new(3, 3, rows)?;
        assert_eq!((made.people(), made.items(), made.len()), (3, 3, 3));
        assert_eq!(made.of(0), [Interaction { item: 2, signal: -0.5, at: 1 }]);
        assert_eq!(made.of(1)[0], Interaction { item: 0, signal: 0.8, at: 4 });
        assert_eq!(made.taste(1), [(0, 0.8)]);
        assert!(made.of(2).is_empty() && made.of(77).is_empty());
        assert_eq!(made.interest(), [1, 0, 0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for row in [(3, 0, 1.0, 0), (0, 3, 1.0, 0), (0, 0, f32::NAN, 0), (0, 0, f32::INFINITY, 0)] {
            let refused = Interactions::new(3, 3, vec![row]);
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{row:?}");
        }
    }

    proptest! {
        #[test]
        fn every_pair_keeps_its_strongest_row(
            rows in prop::collection::vec((0..6_u32, 0..7_u32, -4..5_i8, 0..9_i64), 0..60)
        ) {
            let rows: Vec<_> =
                rows.into_iter().map(|(p, s, x, at)| (p, s, f32::from(x) / 4.0, at)).collect();
            let mut strongest = BTreeMap::new();
            for &(person, item, signal, at) in &rows {
                let kept = strongest.entry((person, item)).or_insert((signal, at));
                if (signal, at) > *kept {
                    *kept = (signal, at);
                }
            }
            let made = Interactions::new(6, 7, rows)?;
            let found: Vec<_> = (0..6)
                .flat_map(|p| made.of(p).iter().map(move |e| ((p, e.item), (e.signal, e.at))))
                .collect();
            prop_assert_eq!(found, strongest.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn filtering_keeps_the_shape() -> Result<()> {
        let made = Interactions::new(2, 2, vec![(0, 0, 1.0, 0), (0, 1, 1.0, 0), (1, 1, 1.0, 0)])?;
        let kept = made.filtered(|person, entry| person == 1 || entry.item == 0);
        assert_eq!((kept.people(), kept.items(), kept.len()), (2, 2, 2));
        assert_eq!(kept.of(0).len(), 1);
        Ok(())
    }
}
