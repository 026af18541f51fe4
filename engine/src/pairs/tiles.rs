//! Every pair once, tile by tile.
//!
//! People are cut into tiles; a pair of tiles is a task. The rounds of a tournament (the circle
//! method) pair the tiles so that within a round no tile is in two tasks: tasks of a round own what
//! they write, without a lock, and every score is offered to both of its people.

use std::ops::Range;

use rayon::prelude::*;

use super::{Best, Excluded, Score, Wanted};
use crate::error::Result;
use crate::stop::Stop;

/// People of a tile: the features of two tiles fit a first-level cache, and a task takes about a
/// millisecond.
pub const TILE: usize = 256;

/// Scores that are looked over at a time: most stretches have none that is good enough.
const STRETCH: usize = 16;

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
    let mut best = Best::in_order(wanted);
    let mut scores = [0.0; TILE];
    for tile in (0..tiles(people)).map(|tile| range(tile, people)) {
        stop.check()?;
        one_row(score, excluded, of, &tile, &mut scores[..tile.len()], &mut best);
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
        (0..count).map(|tile| vec![Best::of(wanted); range(tile, people).len()]).collect();
    kept.par_iter_mut().enumerate().try_for_each(|(tile, kept)| {
        stop.check()?;
        within(score, excluded, &range(tile, people), kept);
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
            between(score, excluded, &range(*a, people), &range(*b, people), of_a, of_b);
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
            let mut kept = vec![Best::in_order(wanted); own.len()];
            let mut scores = [0.0; TILE];
            for others in (0..count).map(|other| range(other, people)) {
                stop.check()?;
                for (of, kept) in own.clone().zip(&mut kept) {
                    one_row(score, excluded, of, &others, &mut scores[..others.len()], kept);
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

/// Offers a person everybody of a tile, in order.
#[inline]
fn one_row(
    score: &impl Score,
    excluded: &Excluded,
    of: usize,
    others: &Range<usize>,
    scores: &mut [f64],
    kept: &mut Best,
) {
    score.row(of, others.clone(), scores);
    excluded.strike(of, others, scores);
    if others.contains(&of) {
        scores[of - others.start] = f64::NAN;
    }
    let off = score.off();
    for (stretch, from) in scores.chunks(STRETCH).zip(others.clone().step_by(STRETCH)) {
        let top = stretch.iter().fold(f64::NEG_INFINITY, |top, x| if *x > top { *x } else { top });
        if top + off < kept.floor() {
            continue;
        }
        for (about, other) in stretch.iter().zip(from..) {
            if about + off >= kept.floor() {
                kept.offer(other as u32, settle(score, off, of, other, *about));
            }
        }
    }
}

/// The score of a pair, given about what it is.
#[inline]
fn settle(score: &impl Score, off: f64, of: usize, other: usize, about: f64) -> f64 {
    if off > 0.0 { score.exact(of, other) } else { about }
}

/// The pairs inside one tile.
fn within(score: &impl Score, excluded: &Excluded, tile: &Range<usize>, kept: &mut [Best]) {
    let mut scores = [0.0; TILE];
    for a in tile.clone() {
        let others = a + 1..tile.end;
        let scores = &mut scores[..others.len()];
        score.row(a, others.clone(), scores);
        excluded.strike(a, &others, scores);
        if let Some((of_a, of_others)) = kept[a - tile.start..].split_first_mut() {
            both(score, a, others.start, scores, of_a, of_others);
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
) {
    let mut scores = [0.0; TILE];
    let scores = &mut scores[..second.len()];
    for (a, of_a) in first.clone().zip(of_first) {
        score.row(a, second.clone(), scores);
        excluded.strike(a, second, scores);
        both(score, a, second.start, scores, of_a, of_second);
    }
}

/// Offers a person and those from `from` on to each other.
#[inline]
fn both(
    score: &impl Score,
    a: usize,
    from: usize,
    scores: &[f64],
    of_a: &mut Best,
    of_others: &mut [Best],
) {
    let off = score.off();
    for ((about, of_b), b) in scores.iter().zip(of_others).zip(from..) {
        if about + off >= of_a.floor().min(of_b.floor()) {
            let score = settle(score, off, a, b, *about);
            of_a.offer(b as u32, score);
            of_b.offer(a as u32, score);
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
