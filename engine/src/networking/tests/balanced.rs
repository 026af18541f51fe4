use proptest::prelude::*;

use super::super::balanced::{Edge, balance, prices, upper_bound};
use super::super::connectors::connectors;
use crate::stop::Stop;

fn run(edges: &[Edge], caps: &[u32]) -> (Vec<u32>, f64) {
    let stop = Stop::default();
    let prices = prices(edges, caps, &stop).expect("prices");
    let bound = upper_bound(edges, caps, &prices);
    let chosen = balance(edges, caps, &prices, &vec![false; caps.len()], &stop).expect("a choice");
    (chosen, bound)
}

fn worth(edges: &[Edge], chosen: &[u32]) -> f64 {
    chosen.iter().map(|at| edges[*at as usize].worth).sum()
}

/// The best choice, by trying every one.
fn best(edges: &[Edge], left: &mut Vec<u32>) -> f64 {
    let Some((edge, rest)) = edges.split_first() else { return 0.0 };
    let without = best(rest, left);
    let (a, b) = (edge.a as usize, edge.b as usize);
    if left[a] == 0 || left[b] == 0 {
        return without;
    }
    left[a] -= 1;
    left[b] -= 1;
    let with = edge.worth + best(rest, left);
    left[a] += 1;
    left[b] += 1;
    with.max(without)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn small_markets_are_nearly_solved(
        drawn in prop::collection::btree_map((0_u32..7, 0_u32..7), 1_u32..100, 1..13),
        caps in prop::collection::vec(1_u32..4, 7),
    ) {
        let edges: Vec<Edge> = drawn
            .iter()
            .filter(|((a, b), _)| a < b)
            .map(|((a, b), worth)| Edge { a: *a, b: *b, worth: f64::from(*worth) / 100.0 })
            .collect();
        let (chosen, bound) = run(&edges, &caps);
        let mut count = [0; 7];
        for at in &chosen {
            let edge = edges[*at as usize];
            count[edge.a as usize] += 1;
            count[edge.b as usize] += 1;
        }
        prop_assert!(count.iter().zip(&caps).all(|(count, cap)| count <= cap));
        let optimum = best(&edges, &mut caps.clone());
        prop_assert!(bound >= optimum - 1e-9);
        prop_assert!(worth(&edges, &chosen) <= optimum + 1e-9);
        // Whoever is alone has only partners whom nobody could spare.
        for (person, _) in count.iter().enumerate().filter(|(_, count)| **count == 0) {
            for edge in edges.iter().filter(|e| e.a as usize == person || e.b as usize == person) {
                let other = (edge.a as usize) + (edge.b as usize) - person;
                prop_assert_eq!(count[other], caps[other]);
            }
        }
    }
}

#[test]
fn a_popular_few_do_not_take_everything() {
    // Forty people whose worth falls off steeply: with two places each the bound is nearly reached.
    let edges: Vec<Edge> = (0..40_u32)
        .flat_map(|a| {
            (a + 1..40).map(move |b| {
                let noise = f64::from((a * 7919 + b * 104_729) % 101) / 1000.0;
                Edge { a, b, worth: 1.0 / f64::from(a + 1) / f64::from(b + 1) + noise }
            })
        })
        .collect();
    let caps = vec![2; 40];
    let (chosen, bound) = run(&edges, &caps);
    assert!(worth(&edges, &chosen) >= 0.97 * bound, "{} of {bound}", worth(&edges, &chosen));
    assert_eq!(chosen.len(), 40);
}

#[test]
fn nobody_is_left_out_who_can_be_placed() {
    // All want the same one, who has two places; one of them can only have that one.
    let edge = |a, b, worth| Edge { a, b, worth };
    let edges = [edge(0, 1, 0.9), edge(0, 2, 0.8), edge(0, 3, 0.1), edge(1, 2, 0.2)];
    let (chosen, _) = run(&edges, &[2, 2, 2, 2]);
    let has = |person: u32| {
        chosen.iter().any(|at| edges[*at as usize].a == person || edges[*at as usize].b == person)
    };
    assert!((0..4).all(has));
    // Along a chain: 3 takes 0 from 1, who goes to 2.
    let edges = [edge(0, 1, 0.9), edge(1, 2, 0.1), edge(0, 3, 0.1)];
    let (chosen, _) = run(&edges, &[1, 1, 1, 1]);
    assert_eq!(chosen, [1, 2]);
}

#[test]
fn the_middle_of_a_bridge_connects() {
    // Two triangles, joined by person 6.
    let ties = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 6), (6, 3), (6, 2), (1, 1)];
    let found = connectors(8, &ties, 3, &Stop::default()).expect("connectors");
    assert_eq!(found.iter().map(|c| c.person).collect::<Vec<_>>(), [6, 2, 3]);
    // 3 x 3 of the 21 pairs of the other seven go through 6.
    assert!((found[0].betweenness - 9.0 / 21.0).abs() < 1e-12 && found[0].contacts == 2);
    assert!((found[1].betweenness - 8.0 / 21.0).abs() < 1e-12 && found[1].contacts == 3);
    assert!(connectors(0, &[], 3, &Stop::default()).expect("nobody").is_empty());
}
