//! How good a ranking is, as seen by the people it was made for.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::error::Result;
use crate::stop::Stop;

/// The averages over the people asked about. All but `people` lie in 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// How many people were asked about.
    pub people: usize,
    /// The share of them with a held-out session among the first `k`.
    pub hit_rate: f64,
    /// The share of a person's held-out sessions among the first `k`.
    pub recall: f64,
    /// Discounted gain of the first `k`, each held-out session worth 1, over that of the best
    /// possible list (`min(k, held out)` sessions on top).
    pub ndcg: f64,
    /// One over the rank of the first held-out session; 0 where none is among the first `k`.
    pub mrr: f64,
    /// The share of all sessions that are among anybody's first `k`.
    pub coverage: f64,
    /// One minus the mean similarity of two sessions on a person's list; nothing where no
    /// similarity is known or no list has two sessions.
    pub diversity: Option<f64>,
}

/// What is told about two sessions, 0..1.
pub type Similarity<'a> = &'a (dyn Fn(u32, u32) -> f64 + Sync);

/// Judges the first `k` of each person's ranking, which must not hold what the person is known to
/// have seen. Lists may be longer than `k`; the rest of them is not looked at.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub fn metrics(
    test: &[(u32, Vec<u32>)],
    k: usize,
    ranked: &(dyn Fn(u32) -> Vec<u32> + Sync),
    items: usize,
    similarity: Option<Similarity<'_>>,
    stop: &Stop,
) -> Result<Metrics> {
    let judged: Vec<(Judgement, Vec<u32>)> = test
        .par_iter()
        .map(|(person, held_out)| {
            stop.check()?;
            let mut list = ranked(*person);
            list.truncate(k);
            let mut judgement = judge(&list, held_out, k);
            judgement.sameness = similarity.and_then(|similar| mean_similarity(&list, similar));
            Ok((judgement, list))
        })
        .collect::<Result<_>>()?;
    let shown: HashSet<u32> = judged.iter().flat_map(|entry| entry.1.iter().copied()).collect();
    let mean = |of: fn(&Judgement) -> f64| {
        judged.iter().map(|entry| of(&entry.0)).sum::<f64>() / judged.len().max(1) as f64
    };
    let sameness: Vec<f64> = judged.iter().filter_map(|entry| entry.0.sameness).collect();
    Ok(Metrics {
        people: judged.len(),
        hit_rate: mean(|of| f64::from(of.reciprocal_rank > 0.0)),
        recall: mean(|of| of.recall),
        ndcg: mean(|of| of.ndcg),
        mrr: mean(|of| of.reciprocal_rank),
        coverage: shown.len() as f64 / items.max(1) as f64,
        diversity: (!sameness.is_empty())
            .then(|| 1.0 - sameness.iter().sum::<f64>() / sameness.len() as f64),
    })
}

struct Judgement {
    recall: f64,
    ndcg: f64,
    reciprocal_rank: f64,
    sameness: Option<f64>,
}

fn judge(list: &[u32], held_out: &[u32], k: usize) -> Judgement {
    let hits: Vec<usize> = (0..list.len()).filter(|&rank| held_out.contains(&list[rank])).collect();
    let ideal: f64 = (0..held_out.len().min(k)).map(gain).sum();
    let share = |value: f64, of: f64| if of > 0.0 { value / of } else { 0.0 };
    Judgement {
        recall: share(hits.len() as f64, held_out.len() as f64),
        ndcg: share(hits.iter().copied().map(gain).sum(), ideal),
        reciprocal_rank: hits.first().map_or(0.0, |&rank| 1.0 / (rank as f64 + 1.0)),
        sameness: None,
    }
}

/// The worth of a hit at this rank, counted from 0.
fn gain(rank: usize) -> f64 {
    (rank as f64 + 2.0).log2().recip()
}

fn mean_similarity(list: &[u32], similarity: Similarity<'_>) -> Option<f64> {
    let pairs = list.iter().enumerate().flat_map(|(n, &a)| list[..n].iter().map(move |&b| (a, b)));
    let (count, sum) = pairs.fold((0_u32, 0.0), |(count, sum), (a, b)| {
        (count + 1, sum + similarity(a, b).clamp(0.0, 1.0))
    });
    (count > 0).then(|| sum / f64::from(count))
}

/// The `k` best sessions by score, ties by index, without those that `skip` names (ascending).
#[must_use]
pub fn best<T: PartialOrd + Copy>(scores: &[T], k: usize, skip: &[u32]) -> Vec<u32> {
    let order = |a: &u32, b: &u32| {
        let (left, right) = (scores[*a as usize], scores[*b as usize]);
        right.partial_cmp(&left).unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(b))
    };
    let mut open: Vec<u32> =
        (0..scores.len() as u32).filter(|item| skip.binary_search(item).is_err()).collect();
    if open.len() > k && k > 0 {
        open.select_nth_unstable_by(k - 1, order);
    }
    open.truncate(k);
    open.sort_unstable_by(order);
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    /// Person 0 holds out 3 and 5 and is shown 1 3 2 5 (k 3: 1 3 2); person 1 holds out 0 and is
    /// shown 0 4 2; person 2 holds out 9 and is shown 6 7.
    #[test]
    fn every_metric_by_hand() -> Result<()> {
        let test = vec![(0, vec![3, 5]), (1, vec![0]), (2, vec![9])];
        let lists = [vec![1, 3, 2, 5], vec![0, 4, 2], vec![6, 7]];
        let similar = |a: u32, b: u32| if a.min(b) == 6 { 0.5 } else { 0.2 };
        let found = metrics(
            &test,
            3,
            &|p| lists[p as usize].clone(),
            10,
            Some(&similar),
            &Stop::default(),
        )?;
        assert_eq!(found.people, 3);
        close(found.hit_rate, 2.0 / 3.0);
        close(found.recall, (0.5 + 1.0 + 0.0) / 3.0);
        // 1/log2(3) over 1 + 1/log2(3) = 0.63093 / 1.63093 = 0.38685; then 1; then 0.
        assert!((found.ndcg - (0.386_852_8 + 1.0) / 3.0).abs() < 1e-6);
        close(found.mrr, (0.5 + 1.0) / 3.0);
        close(found.coverage, 7.0 / 10.0);
        close(found.diversity.unwrap_or(-1.0), 1.0 - (0.2 + 0.2 + 0.5) / 3.0);
        Ok(())
    }

    #[test]
    fn nobody_asked_about_is_no_division_by_zero() -> Result<()> {
        let none = metrics(&[], 10, &|_| Vec::new(), 0, None, &Stop::default())?;
        assert_eq!(none, Metrics::default());
        Ok(())
    }

    #[test]
    fn a_request_to_stop_is_heard() {
        let stop = Stop::default();
        stop.request();
        assert!(metrics(&[(0, vec![1])], 10, &|_| vec![1], 2, None, &stop).is_err());
    }

    #[test]
    fn the_best_come_first_and_ties_by_index() {
        assert_eq!(best(&[0.5, 2.0, 0.5, 3.0, 0.5], 3, &[3]), [1, 0, 2]);
        assert_eq!(best(&[0.5, 2.0], 9, &[]), [1, 0]);
        assert!(best(&[0.5, 2.0], 0, &[]).is_empty());
    }
}
