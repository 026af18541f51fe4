//! Sizes, the optimum, and people who are kept apart.

use proptest::prelude::*;

use super::seating::Worth;
use super::*;

/// Scores of pairs by a hash, in hundredths.
fn scores(seed: u64) -> impl Fn(usize, usize) -> Option<f64> + Sync {
    move |a, b| {
        let (a, b) = (a.min(b) as u64, a.max(b) as u64);
        let mut z = (seed ^ (a << 20) ^ b).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(((z >> 32) % 101) as f64 / 100.0)
    }
}

fn worth(tables: &Tables, score: &impl Fn(usize, usize) -> Option<f64>) -> Worth {
    let ranked = |a: u32, b: u32| rank(score(a as usize, b as usize).unwrap_or(0.0)) as i32;
    Worth::of(&tables.groups, &ranked)
}

#[test]
fn tables_are_even_and_none_is_below_three() {
    assert!(sizes(2, 4).is_empty());
    for (people, expected) in
        [(3, vec![3]), (5, vec![5]), (6, vec![3, 3]), (7, vec![4, 3]), (10, vec![4, 3, 3])]
    {
        assert_eq!(sizes(people, 4), expected, "{people} people");
    }
    for size in 3..9 {
        for people in 3..200 {
            let sizes = sizes(people, size);
            assert_eq!(sizes.iter().sum::<usize>(), people);
            assert!(sizes.iter().all(|s| *s >= LEAST));
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}

#[test]
fn two_people_are_too_few() {
    let tables = form(2, &scores(1), 4, 1, &Stop::default()).unwrap();
    assert_eq!(tables.left, [(0, Left::TooFew), (1, Left::TooFew)]);
}

#[test]
fn whoever_may_not_sit_with_most_is_left_out() {
    for people in [7_usize, 30] {
        let score = |a: usize, b: usize| if a == 4 || b == 4 { None } else { scores(2)(a, b) };
        let tables = form(people, &score, 4, 1, &Stop::default()).unwrap();
        assert_eq!(tables.left, [(4, Left::KeptApart)]);
        assert_eq!(tables.groups.iter().map(Vec::len).sum::<usize>(), people - 1);
    }
}

#[test]
fn two_who_are_kept_apart_sit_apart() {
    for people in [6_usize, 40] {
        let score = |a: usize, b: usize| if a + b == 1 { None } else { scores(3)(a, b) };
        let tables = form(people, &score, 3, 1, &Stop::default()).unwrap();
        assert!(tables.left.is_empty());
        assert!(!tables.groups.iter().any(|group| group.contains(&0) && group.contains(&1)));
    }
}

#[test]
fn the_same_seed_gives_the_same_tables() {
    let form = |seed| form(50, &scores(4), 4, seed, &Stop::default()).unwrap();
    assert_eq!(form(9), form(9));
}

#[test]
fn a_stop_ends_it() {
    let stop = Stop::default();
    stop.request();
    assert!(form(300, &scores(5), 4, 1, &stop).is_err());
    assert!(form(9, &scores(5), 4, 1, &stop).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Where both can be had, the search finds what looking at everything finds.
    #[test]
    fn the_search_finds_the_optimum_of_few(seed in any::<u64>(), people in 7_usize..=12) {
        let score = scores(seed);
        let ranked = |a: u32, b: u32| rank(score(a as usize, b as usize).unwrap()) as i32;
        let everybody: Vec<u32> = (0..people as u32).collect();
        let all = exact::best(&everybody, &ranked, 4, &Stop::default()).unwrap();
        let some = search::best(everybody, &ranked, 4, 1, &Stop::default()).unwrap();
        prop_assert_eq!(Worth::of(&all, &ranked), Worth::of(&some, &ranked));
    }

    #[test]
    fn everybody_has_one_table(seed in any::<u64>(), people in 3_usize..60, size in 3_usize..7) {
        let tables = form(people, &scores(seed), size, seed, &Stop::default()).unwrap();
        let mut seated: Vec<u32> = tables.groups.iter().flatten().copied().collect();
        seated.sort_unstable();
        prop_assert_eq!(seated, (0..people as u32).collect::<Vec<_>>());
        let mut found: Vec<usize> = tables.groups.iter().map(Vec::len).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        prop_assert_eq!(found, sizes(people, size));
        prop_assert!(worth(&tables, &scores(seed)).lots.len() == people);
    }
}
