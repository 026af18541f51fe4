//! Spreading out near-duplicates: maximal marginal relevance.

/// Positions that are spread out; nobody compares what stands below with what stands above.
const DEPTH: usize = 64;

struct Candidate {
    index: usize,
    relevance: f64,
    /// Highest likeness to the first `compared` of the chosen.
    likeness: f64,
    compared: usize,
}

/// An order for items given by falling relevance, as indices into `relevance`: each next one has
/// the highest `lambda * relevance - (1 - lambda) * likeness to the likest above it`; of equals
/// the earlier. After 64 positions, or `limit`, the rest follows as it stood.
///
/// `likeness` is 0 to 1. It is asked only where the answer could matter: a candidate's value can
/// only fall as more is chosen, so what was below the best before is not looked at again.
pub(crate) fn diversified(
    relevance: &[f64],
    limit: usize,
    lambda: f64,
    likeness: impl Fn(usize, usize) -> f64,
) -> Vec<usize> {
    let lambda = lambda.clamp(0.0, 1.0);
    let mut open: Vec<Candidate> = (relevance.iter().enumerate())
        .map(|(index, &relevance)| Candidate { index, relevance, likeness: 0.0, compared: 0 })
        .collect();
    let mut chosen: Vec<usize> = Vec::with_capacity(relevance.len());
    while !open.is_empty() && lambda < 1.0 && chosen.len() < limit.min(DEPTH) {
        let at = best(&mut open, &chosen, lambda, &likeness);
        chosen.push(open.remove(at).index);
    }
    chosen.extend(open.iter().map(|candidate| candidate.index));
    chosen.truncate(limit);
    chosen
}

fn best(
    open: &mut [Candidate],
    chosen: &[usize],
    lambda: f64,
    likeness: &impl Fn(usize, usize) -> f64,
) -> usize {
    let value = |c: &Candidate| lambda * c.relevance - (1.0 - lambda) * c.likeness;
    let (mut best, mut best_value) = (0, f64::NEG_INFINITY);
    for (at, candidate) in open.iter_mut().enumerate() {
        while candidate.compared < chosen.len() && value(candidate) > best_value {
            let other = chosen[candidate.compared];
            candidate.likeness = candidate.likeness.max(likeness(candidate.index, other));
            candidate.compared += 1;
        }
        if candidate.compared == chosen.len() && value(candidate) > best_value {
            (best, best_value) = (at, value(candidate));
        }
    }
    best
}
