//! Every pair once, tile by tile.
//!
//! People are cut into tiles; a pair of tiles is a task. The rounds of a tournament (the circle
//! method) pair the tiles so that within a round no tile is in two tasks: tasks of a round own what
//! they write, without a lock, and every score is offered to both of its people.

use std::ops::Range;

use rayon::prelude::*;

use super::{Best, Excluded, Score, TOLERANCE, Wanted};
use crate::error::Result;
use crate::stop::Stop;

/// People of a tile: the features of two tiles fit a first-level cache, and a task takes about a
/// millisecond.
pub const TILE: usize = 256;

/// The best partners of one of `people` people, best first.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn best_of(
    score: &impl Score,
    excluded: &Excluded,
    of: usize,
    people: usize,
    wanted: Wanted,
    stop: &Stop,
) -> Result<Vec<u32>> {
    let mut best = Best::new(wanted.most);
    let mut scores = [0.0; TILE];
    for tile in (0..tiles(people)).map(|tile| range(tile, people)) {
        stop.check()?;
        let scores = &mut scores[..tile.len()];
        score.row(of, tile.clone(), scores);
        excluded.strike(of, &tile, scores);
        for (other, score) in tile.zip(scores) {
            if other != of && *score + TOLERANCE >= wanted.least {
                best.offer(other as u32, *score);
            }
        }
    }
    Ok(best.into_indices())
}

/// The best partners of everybody, best first.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn best_of_all(
    score: &impl Score,
    excluded: &Excluded,
    people: usize,
    wanted: Wanted,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    let count = tiles(people);
    let mut kept: Vec<Vec<Best>> =
        (0..count).map(|tile| vec![Best::new(wanted.most); range(tile, people).len()]).collect();
    kept.par_iter_mut().enumerate().try_for_each(|(tile, kept)| {
        stop.check()?;
        within(score, excluded, &range(tile, people), kept, wanted.least);
        Ok(())
    })?;
    let rounds = rounds(count);
    for (at, round) in rounds.iter().enumerate() {
        stop.progress((1000 * (at + 1) / (rounds.len() + 1)) as u32);
        let mut tasks: Vec<_> = round
            .iter()
            .map(|(a, b)| (*a, *b, std::mem::take(&mut kept[*a]), std::mem::take(&mut kept[*b])))
            .collect();
        tasks.par_iter_mut().try_for_each(|(a, b, of_a, of_b)| {
            stop.check()?;
            between(score, excluded, &range(*a, people), &range(*b, people), of_a, of_b, wanted);
            Ok(())
        })?;
        for (a, b, of_a, of_b) in tasks {
            kept[a] = of_a;
            kept[b] = of_b;
        }
    }
    Ok(kept.into_iter().flatten().map(Best::into_indices).collect())
}

/// The best partners of everybody by their own judgement, best first: `score` need not be symmetric,
/// and every pair is scored from both sides.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn best_of_each(
    score: &impl Score,
    excluded: &Excluded,
    people: usize,
    wanted: Wanted,
    stop: &Stop,
) -> Result<Vec<Vec<u32>>> {
    let count = tiles(people);
    let done = std::sync::atomic::AtomicUsize::new(0);
    let kept: Result<Vec<Vec<Vec<u32>>>> = (0..count)
        .into_par_iter()
        .map(|tile| {
            let own = range(tile, people);
            let mut kept = vec![Best::new(wanted.most); own.len()];
            let mut scores = [0.0; TILE];
            for others in (0..count).map(|other| range(other, people)) {
                stop.check()?;
                for (of, kept) in own.clone().zip(&mut kept) {
                    let scores = &mut scores[..others.len()];
                    score.row(of, others.clone(), scores);
                    excluded.strike(of, &others, scores);
                    for (other, score) in others.clone().zip(&*scores) {
                        if other != of && *score + TOLERANCE >= wanted.least {
                            kept.offer(other as u32, *score);
                        }
                    }
                }
            }
            let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            stop.progress((1000 * done / count) as u32);
            Ok(kept.into_iter().map(Best::into_indices).collect())
        })
        .collect();
    Ok(kept?.into_iter().flatten().collect())
}

fn tiles(people: usize) -> usize {
    people.div_ceil(TILE)
}

fn range(tile: usize, people: usize) -> Range<usize> {
    tile * TILE..((tile + 1) * TILE).min(people)
}

/// The pairs inside one tile.
fn within(
    score: &impl Score,
    excluded: &Excluded,
    tile: &Range<usize>,
    kept: &mut [Best],
    least: f64,
) {
    let mut scores = [0.0; TILE];
    for a in tile.clone() {
        let others = a + 1..tile.end;
        let scores = &mut scores[..others.len()];
        score.row(a, others.clone(), scores);
        excluded.strike(a, &others, scores);
        for (b, score) in others.zip(scores) {
            if *score + TOLERANCE >= least {
                kept[a - tile.start].offer(b as u32, *score);
                kept[b - tile.start].offer(a as u32, *score);
            }
        }
    }
}

/// The pairs of one person of each of two tiles.
fn between(
    score: &impl Score,
    excluded: &Excluded,
    first: &Range<usize>,
    second: &Range<usize>,
    of_first: &mut [Best],
    of_second: &mut [Best],
    wanted: Wanted,
) {
    let mut scores = [0.0; TILE];
    let scores = &mut scores[..second.len()];
    for (a, of_a) in first.clone().zip(of_first) {
        score.row(a, second.clone(), scores);
        excluded.strike(a, second, scores);
        for ((b, score), of_b) in second.clone().zip(&*scores).zip(&mut *of_second) {
            if *score + TOLERANCE >= wanted.least {
                of_a.offer(b as u32, *score);
                of_b.offer(a as u32, *score);
            }
        }
    }
}

/// The rounds in which `tiles` tiles meet: one stays, the others move on round a circle.
fn rounds(tiles: usize) -> Vec<Vec<(usize, usize)>> {
    if tiles < 2 {
        return vec![];
    }
    // With an odd number the seat that stays is empty, and whoever meets it rests.
    let turning = (tiles + tiles % 2) - 1;
    (0..turning)
        .map(|round| {
            let across = (1..=turning / 2)
                .map(|step| ((round + step) % turning, (round + turning - step) % turning));
            std::iter::once((round, turning)).chain(across).filter(|(_, b)| *b < tiles).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::rounds;

    #[test]
    fn every_two_tiles_meet_once_and_none_is_in_two_tasks_of_a_round() {
        for tiles in 0..14 {
            let mut met = std::collections::BTreeSet::new();
            for round in rounds(tiles) {
                let mut busy = std::collections::BTreeSet::new();
                for (a, b) in round {
                    assert!(a < tiles && b < tiles && busy.insert(a) && busy.insert(b));
                    assert!(met.insert((a.min(b), a.max(b))));
                }
            }
            assert_eq!(met.len(), tiles * tiles.saturating_sub(1) / 2);
        }
    }
}
