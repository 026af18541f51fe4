//! How good the suggestions of a whole event are.

/// The expected number of mutual matches: over all suggested pairs `(a, b, of, to)` the product of
/// both directions and of the attention that each side has for it, which is 1 for up to
/// `per_attendee` suggestions and shared out above.
#[must_use]
pub fn expected_matches(people: usize, pairs: &[(u32, u32, f64, f64)], per_attendee: usize) -> f64 {
    let shown = shown(people, pairs.iter().map(|(a, b, ..)| (*a, *b)));
    let attention =
        |person: u32| (per_attendee as f64 / f64::from(shown[person as usize].max(1))).min(1.0);
    pairs.iter().map(|(a, b, of, to)| of * to * attention(*a) * attention(*b)).sum()
}

/// How often everybody is suggested: a pair counts once for both of its people.
pub(super) fn shown(people: usize, pairs: impl IntoIterator<Item = (u32, u32)>) -> Vec<u32> {
    let mut shown = vec![0; people];
    for (a, b) in pairs {
        shown[a as usize] += 1;
        shown[b as usize] += 1;
    }
    shown
}

/// The Gini coefficient of counts: 0 where all are equal, towards 1 where one has everything.
#[must_use]
pub fn gini(counts: &[u32]) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let total: f64 = sorted.iter().map(|count| f64::from(*count)).sum();
    if total == 0.0 {
        return 0.0;
    }
    let weighted: f64 =
        sorted.iter().enumerate().map(|(at, count)| (at as f64 + 1.0) * f64::from(*count)).sum();
    2.0 * weighted / (n * total) - (n + 1.0) / n
}
