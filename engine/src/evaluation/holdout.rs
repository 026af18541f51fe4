//! Which interactions are hidden from training and asked for afterwards.

use crate::collaborative::Interactions;

/// How interactions are held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The latest positive interaction of every person who has at least two.
    Last,
    /// Every positive interaction with a chance of one in five.
    Random,
}

/// The two parts of a set of interactions.
#[derive(Clone, Debug)]
pub struct Holdout {
    /// What may be learned from; every person keeps at least one positive interaction here.
    pub train: Interactions,
    /// Who is asked about, and the sessions hidden from training in ascending order.
    pub test: Vec<(u32, Vec<u32>)>,
}

/// Splits the interactions. The same seed gives the same split, whatever else is in the matrix;
/// under [`Split::Last`] it settles which of several interactions at the same time is the last.
#[must_use]
pub fn holdout(interactions: &Interactions, split: Split, seed: u64) -> Holdout {
    let mut test = Vec::new();
    for person in 0..interactions.people() as u32 {
        let hidden = match split {
            Split::Last => latest(interactions, person, seed),
            Split::Random => one_in_five(interactions, person, seed),
        };
        if !hidden.is_empty() {
            test.push((person, hidden));
        }
    }
    let train = interactions.filtered(|person, entry| {
        let asked = test.binary_search_by_key(&person, |asked| asked.0);
        !asked.is_ok_and(|index| test[index].1.contains(&entry.item))
    });
    Holdout { train, test }
}

fn latest(interactions: &Interactions, person: u32, seed: u64) -> Vec<u32> {
    let mut liked = interactions.of(person).iter().filter(|entry| entry.signal > 0.0);
    let latest = liked.clone().max_by_key(|entry| (entry.at, chance(seed, person, entry.item)));
    if liked.nth(1).is_none() {
        return Vec::new();
    }
    latest.map(|entry| entry.item).into_iter().collect()
}

fn one_in_five(interactions: &Interactions, person: u32, seed: u64) -> Vec<u32> {
    let liked = interactions.of(person).iter().filter(|entry| entry.signal > 0.0);
    let (hidden, kept): (Vec<_>, Vec<_>) = liked
        .map(|entry| entry.item)
        .partition(|&item| chance(seed, person, item).is_multiple_of(5));
    if kept.is_empty() { Vec::new() } else { hidden }
}

/// A number that looks random and depends on nothing but the three (the finaliser of splitmix64).
fn chance(seed: u64, person: u32, item: u32) -> u64 {
    let mut x =
        seed ^ (u64::from(person) << 32 | u64::from(item)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        x = (x ^ (x >> 30)).wrapping_mul(factor);
        x ^= x >> 27;
    }
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    #[test]
    fn the_last_positive_interaction_is_hidden() -> Result<()> {
        let rows = vec![
            (0, 0, 1.0, 10),
            (0, 1, 0.8, 30),
            (0, 2, -1.0, 40),
            (1, 0, 1.0, 10),
            (1, 3, -0.5, 20),
            (2, 1, 0.2, 5),
            (2, 2, 0.2, 4),
        ];
        let made = holdout(&Interactions::new(4, 4, rows)?, Split::Last, 1);
        assert_eq!(made.test, [(0, vec![1]), (2, vec![1])]);
        assert_eq!(made.train.len(), 5);
        assert_eq!(made.train.of(0).iter().map(|e| e.item).collect::<Vec<_>>(), [0, 2]);
        Ok(())
    }

    #[test]
    fn one_in_five_is_hidden_and_nobody_is_left_with_nothing() -> Result<()> {
        let rows = (0..400).flat_map(|p| (0..10).map(move |i| (p, (p + i * 7) % 90, 1.0, 0)));
        let all = Interactions::new(401, 90, rows.chain([(400, 5, 1.0, 0)]).collect())?;
        let made = holdout(&all, Split::Random, 3);
        let hidden: usize = made.test.iter().map(|asked| asked.1.len()).sum();
        assert!((700..900).contains(&hidden), "{hidden} of 4,001");
        assert_eq!(made.train.len() + hidden, all.len());
        for (person, items) in &made.test {
            assert!(!made.train.of(*person).is_empty());
            assert!(made.train.of(*person).iter().all(|entry| !items.contains(&entry.item)));
        }
        assert_eq!(holdout(&all, Split::Random, 3).test, made.test);
        assert_ne!(holdout(&all, Split::Random, 4).test, made.test);
        Ok(())
    }
}
