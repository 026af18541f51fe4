//! Who knows whom: closeness by common contacts, and who has met already.

use std::collections::{BTreeMap, BTreeSet};

/// Contacts above which somebody says nothing about whom they connect.
const MOST_CONTACTS: usize = 1_000;

/// What ties a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tie {
    /// Adamic-Adar: the sum of 1 / ln(contacts) over common contacts.
    pub closeness: f64,
    /// How many common contacts.
    pub common: u32,
    /// They have met.
    pub met: bool,
}

/// The ties of everybody, or of one person; only those that say something.
#[derive(Clone, Debug, Default)]
pub struct Ties {
    of: Vec<Vec<(u32, Tie)>>,
}

impl Ties {
    /// Ties of `people` people from their contacts. `contacts` are pairs of nodes, the first
    /// `people` of which are the people; `met` are pairs of people. With `only`, the ties of that
    /// one person, from either side.
    #[must_use]
    pub fn new(
        people: usize,
        contacts: &[(u32, u32)],
        met: &[(u32, u32)],
        only: Option<u32>,
    ) -> Self {
        let mut around: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (a, b) in contacts.iter().filter(|(a, b)| a != b) {
            around.entry(*a).or_default().insert(*b);
            around.entry(*b).or_default().insert(*a);
        }
        let mut of = vec![BTreeMap::<u32, Tie>::new(); people];
        // In the order of the nodes, so that the sums are the same whoever asks.
        for all in around.values().filter(|all| all.len() <= MOST_CONTACTS) {
            let worth = 1.0 / (all.len() as f64).ln();
            let here: Vec<u32> = all.iter().copied().filter(|p| (*p as usize) < people).collect();
            for a in here.iter().filter(|a| only.is_none_or(|only| only == **a)) {
                for b in here.iter().filter(|b| *b != a) {
                    let ties = |of: &mut BTreeMap<u32, Tie>, to: u32| {
                        let tie = of.entry(to).or_default();
                        tie.closeness += worth;
                        tie.common += 1;
                    };
                    ties(&mut of[*a as usize], *b);
                    // A row is of the lower of the two, whoever asked for it.
                    if only.is_some() {
                        ties(&mut of[*b as usize], *a);
                    }
                }
            }
        }
        for (a, b) in met.iter().filter(|(a, b)| a != b) {
            for (a, b) in [(*a, *b), (*b, *a)] {
                if (a as usize) < people && (b as usize) < people {
                    of[a as usize].entry(b).or_default().met = true;
                }
            }
        }
        Self { of: of.into_iter().map(|ties| ties.into_iter().collect()).collect() }
    }

    /// Everybody whom something ties to a person.
    pub(super) fn of(&self, of: usize) -> &[(u32, Tie)] {
        self.of.get(of).map_or(&[], Vec::as_slice)
    }

    /// What ties two people.
    #[must_use]
    #[inline]
    pub fn between(&self, of: usize, to: usize) -> Tie {
        let Some(ties) = self.of.get(of).filter(|ties| !ties.is_empty()) else {
            return Tie::default();
        };
        match ties.binary_search_by_key(&(to as u32), |(other, _)| *other) {
            Ok(at) => ties[at].1,
            Err(_) => Tie::default(),
        }
    }
}
