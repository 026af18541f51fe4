//! Tiles, threads and bits against the plain double loop.

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::stop::Stop;

/// A score that has many ties: a small hash of the two, the same both ways round.
fn hashed(a: usize, b: usize) -> f64 {
    let (a, b) = (a.min(b) as u64, a.max(b) as u64);
    let mixed = (a * 0x9e37_79b9 + b * 0x85eb_ca6b) ^ (a << 7);
    (mixed % 23) as f64 / 22.0
}

fn plainly(people: usize, excluded: &Excluded, wanted: Wanted, of: usize) -> Vec<u32> {
    let mut all: Vec<(f64, u32)> = (0..people as u32)
        .filter(|other| *other as usize != of && !excluded.has(of as u32, *other))
        .map(|other| (hashed(of, other as usize), other))
        .filter(|(score, _)| score + TOLERANCE >= wanted.least)
        .collect();
    all.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
    all.into_iter().take(wanted.most).map(|(_, other)| other).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn tiles_find_what_the_double_loop_finds(
        people in 0_usize..900,
        most in 0_usize..6,
        least in 0.0_f64..1.0,
        pairs in prop::collection::vec((0_u32..950, 0_u32..950), 0..200),
    ) {
        let excluded = Excluded::new(people, pairs);
        let wanted = Wanted { most, least };
        let found = best_of_all(&hashed, &excluded, people, wanted, &Stop::default()).unwrap();
        prop_assert_eq!(found.len(), people);
        for (of, best) in found.iter().enumerate().step_by(37) {
            let expected = plainly(people, &excluded, wanted, of);
            prop_assert_eq!(best, &expected);
            let one = best_of(&hashed, &excluded, of, people, wanted, &Stop::default()).unwrap();
            prop_assert_eq!(one, expected);
        }
    }

    #[test]
    fn packed_sets_count_like_sets(
        lists in prop::collection::vec(prop::collection::btree_set(0_u32..3000, 0..60), 0..40),
        modulus in prop::sample::select(vec![5_u32, 60, 200, 3000]),
    ) {
        let lists: Vec<Vec<u32>> = lists
            .into_iter()
            .map(|set| {
                let narrow: std::collections::BTreeSet<u32> =
                    set.into_iter().map(|word| word % modulus).collect();
                narrow.into_iter().collect()
            })
            .collect();
        let sets = Sets::new(&lists);
        for (a, x) in lists.iter().enumerate() {
            prop_assert_eq!(sets.size(a) as usize, x.len());
            for (b, y) in lists.iter().enumerate().filter(|(b, _)| *b != a) {
                prop_assert_eq!(sets.common(a, b) as usize, x.iter().filter(|w| y.contains(w)).count());
            }
        }
    }
}

#[test]
fn wide_vocabularies_become_lists() {
    let lists: Vec<Vec<u32>> = (0..4).map(|_| (0..2000).collect()).collect();
    let sets = Sets::new(&lists);
    assert_eq!(sets.common(0, 3), 2000);
    assert!(sets.bytes() >= 4 * 2000 * 4);
}

#[test]
fn equal_but_for_the_last_digit_is_equal() {
    let mut best = Best::new(2);
    for (index, score) in [(7, 0.1 + 0.2), (3, 0.3), (9, 0.300_000_01), (1, 0.299)] {
        best.offer(index, score);
    }
    assert_eq!(best.into_indices(), [9, 3]);
}

#[test]
fn nan_is_a_pair_that_may_not_be() {
    let score = |a: usize, b: usize| if (a + b).is_multiple_of(2) { f64::NAN } else { 1.0 };
    let wanted = Wanted { most: 10, least: 0.0 };
    let found = best_of_all(&score, &Excluded::default(), 4, wanted, &Stop::default())
        .expect("not stopped");
    assert_eq!(found, [vec![1, 3], vec![0, 2], vec![1, 3], vec![0, 2]]);
}

#[test]
fn a_stop_ends_it_and_progress_is_told() {
    let stop = Stop::default();
    let wanted = Wanted { most: 1, least: 0.0 };
    assert!(best_of_all(&hashed, &Excluded::default(), 2000, wanted, &stop).is_ok());
    assert!(stop.permille() > 500);
    stop.request();
    let ended = best_of_all(&hashed, &Excluded::default(), 2000, wanted, &stop);
    assert_eq!(ended, Err(Error::Cancelled));
    assert_eq!(best_of(&hashed, &Excluded::default(), 0, 9, wanted, &stop), Err(Error::Cancelled));
}
