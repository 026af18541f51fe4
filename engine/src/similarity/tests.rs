use proptest::prelude::*;

use super::*;

fn dot_plainly(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    normalise(&mut vector).then_some(vector)
}

fn pair_of_units() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1_usize..400).prop_flat_map(|dims| {
        let vector = || proptest::collection::vec(-1.0_f32..1.0, dims);
        (vector(), vector()).prop_filter_map("has a direction", |(a, b)| Some((unit(a)?, unit(b)?)))
    })
}

#[test]
fn cosine_of_known_angles() {
    assert_eq!(cosine(&[3.0, 0.0], &[5.0, 0.0]), Some(1.0));
    assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), Some(0.0));
    assert_eq!(cosine(&[1.0, 2.0], &[-1.0, -2.0]), Some(-1.0));
    assert!((cosine(&[3.0, 4.0], &[4.0, 3.0]).unwrap() - 0.96).abs() < 1e-12);
}

#[test]
fn cosine_needs_two_directions() {
    assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), None);
    assert_eq!(cosine(&[f32::NAN, 0.0], &[1.0, 0.0]), None);
    assert_eq!(cosine(&[f32::INFINITY, 0.0], &[1.0, 0.0]), None);
    assert_eq!(cosine(&[1.0], &[1.0, 0.0]), None);
    assert_eq!(cosine(&[], &[]), None);
}

#[test]
fn very_long_and_very_short_vectors_have_a_direction() {
    assert_eq!(cosine(&[f32::MAX, 0.0], &[f32::MAX, 0.0]), Some(1.0));
    assert_eq!(cosine(&[1e-38, 0.0], &[1e-38, 0.0]), Some(1.0));
}

#[test]
fn normalise_leaves_alone_what_has_no_direction() {
    let mut vector = [3.0, 4.0];
    assert!(normalise(&mut vector));
    assert_eq!(vector.map(f32::to_bits), [0.6_f32, 0.8].map(f32::to_bits));
    let mut zero = [0.0; 3];
    assert!(!normalise(&mut zero));
    assert!(!normalise(&mut [f32::NAN, 1.0]));
}

#[test]
fn scale_keeps_the_direction_to_the_last_bit() {
    for given in
        [[3.0, -4.0, 0.1], [1e-30, -1e-31, 0.0], [f32::MAX, 1.0, -1e30], [1e-45, 0.0, -1e-44]]
    {
        let mut vector = given;
        assert!(scale(&mut vector));
        let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        assert!((0.5..=1.0).contains(&largest), "{vector:?}");
        assert_eq!(cosine(&given, &vector).map(|c| (c * 1e12).round()), Some(1e12));
    }
    let mut whole = [0.3, 0.6, 0.9];
    assert!(scale(&mut whole));
    assert_eq!(whole.map(f32::to_bits), [0.3_f32, 0.6, 0.9].map(f32::to_bits));
    assert!(!scale(&mut [0.0; 3]) && !scale(&mut [f32::INFINITY, 1.0]) && !scale(&mut []));
    let mut broken = [f32::NAN, 2.0];
    assert!(!scale(&mut broken) && broken[1].to_bits() == 2.0_f32.to_bits());
}

#[test]
fn sets_by_hand() {
    assert!((jaccard(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-12);
    assert!(jaccard::<u8>(&[], &[]).abs() < 1e-12);
}

#[test]
fn a_zero_row_scores_zero() {
    let mut matrix = QuantisedMatrix::new(3);
    matrix.push(&[0.0; 3]);
    matrix.push(&[0.0, 1.0, 0.0]);
    assert_eq!(matrix.exact(0, &[1.0, 1.0, 1.0]).to_bits(), 0);
    assert_eq!(matrix.coarse(&[0.0; 3]), vec![0.0, 0.0]);
    assert!((matrix.exact(1, &[0.0, 1.0, 0.0]) - 1.0).abs() < 1e-6);
}

#[test]
fn the_longest_vectors_do_not_overflow() {
    let even = unit(vec![1.0; 16_000]).unwrap();
    let mut matrix = QuantisedMatrix::new(16_000);
    matrix.push(&even);
    assert!((matrix.coarse(&even)[0] - 1.0).abs() < 1e-2);
    assert!((matrix.exact(0, &even) - 1.0).abs() < 1e-4);
}

/// Maximal marginal relevance, word for word.
fn diversified_plainly(
    relevance: &[f64],
    limit: usize,
    lambda: f64,
    likeness: impl Fn(usize, usize) -> f64,
) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < limit.min(relevance.len()) {
        let value = |at: usize| {
            let likest = chosen.iter().map(|&other| likeness(at, other)).fold(0.0, f64::max);
            lambda * relevance[at] - (1.0 - lambda) * likest
        };
        let open = (0..relevance.len()).filter(|at| !chosen.contains(at));
        let next = open.reduce(|best, at| if value(at) > value(best) { at } else { best });
        chosen.extend(next);
    }
    chosen
}

#[test]
fn a_duplicate_steps_back() {
    // 0 and 1 are the same; 2 is different and a little less relevant.
    let likeness = |a: usize, b: usize| if a + b == 1 { 1.0 } else { 0.0 };
    assert_eq!(diversified(&[0.9, 0.9, 0.6], 3, 0.7, likeness), vec![0, 2, 1]);
    assert_eq!(diversified(&[0.9, 0.9, 0.6], 3, 1.0, likeness), vec![0, 1, 2]);
    assert_eq!(diversified(&[0.9, 0.9, 0.6], 1, 0.7, likeness), vec![0]);
    assert_eq!(diversified(&[], 3, 0.7, likeness), Vec::<usize>::new());
}

proptest! {
    #[test]
    fn kernels_agree_with_the_plain_sum((a, b) in pair_of_units()) {
        let plain = dot_plainly(&a, &b);
        prop_assert!((f64::from(dot(&a, &b)) - plain).abs() < 1e-5);
        prop_assert!((kernels::dot_wide(&a, &b) - plain).abs() < 1e-12);
        prop_assert!((f64::from(scan(&a, &b)[0]) - plain).abs() < 1e-5);
    }

    #[test]
    fn sixteen_bits_are_exact_to_a_ten_thousandth((a, b) in pair_of_units()) {
        let mut matrix = QuantisedMatrix::new(a.len());
        matrix.push(&a);
        matrix.push(&b);
        let plain = dot_plainly(&a, &b);
        prop_assert!((f64::from(matrix.exact(0, &b)) - plain).abs() <= 1e-4);
        prop_assert!((f64::from(matrix.between(0, 1)) - plain).abs() <= 1e-4);
        prop_assert!((f64::from(matrix.coarse(&b)[0]) - plain).abs() <= 2e-2);
        prop_assert!(matrix.row(0).iter().zip(&a).all(|(x, y)| (x - y).abs() < 1e-4));
    }

    #[test]
    fn looking_less_finds_the_same_order(
        mut relevance in proptest::collection::vec(0.0..1.0, 0..24),
        likenesses in proptest::collection::vec(0.0..1.0, 24 * 24),
        lambda in 0.0..1.0,
        limit in 0_usize..30,
    ) {
        relevance.sort_by(|a, b| f64::total_cmp(b, a));
        let likeness = |a: usize, b: usize| likenesses[a.min(b) * 24 + a.max(b)];
        prop_assert_eq!(
            diversified(&relevance, limit, lambda, likeness),
            diversified_plainly(&relevance, limit, lambda, likeness)
        );
    }
}
