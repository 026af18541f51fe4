//! What other people chose: popularity, and the item-item weights of a taste.

use crate::collaborative::ItemWeights;
use crate::programme::Programme;

use super::Interest;
use super::person::{Liking, Neighbours};

/// What a full session loses of its popularity: there is less to be had there.
const FULL: f32 = 0.5;

/// Ranks of raw scores, 0 to 1. A positive score gets (1 + positive scores strictly below it) /
/// (1 + positive scores strictly below the best), so equals rank equally, the best gets 1 and the
/// lowest positive one still more than nothing; all else gets 0. Nothing where none is positive.
pub(crate) fn percentiles(raw: &[f32]) -> Option<Vec<f32>> {
    // The bits of positive floats are in the order of the floats.
    let mut keys: Vec<u64> = (raw.iter().enumerate())
        .filter(|(_, score)| **score > 0.0)
        .map(|(at, score)| u64::from(score.to_bits()) << 32 | at as u64)
        .collect();
    keys.sort_unstable();
    let best = keys.last()? >> 32;
    let below_best = keys.partition_point(|key| key >> 32 < best);
    let mut ranks = vec![0.0; raw.len()];
    let (mut below, mut score) = (0, 0);
    for (at, key) in keys.iter().enumerate() {
        if key >> 32 != score {
            (below, score) = (at, key >> 32);
        }
        ranks[(key & u64::from(u32::MAX)) as usize] = (1 + below) as f32 / (1 + below_best) as f32;
    }
    Some(ranks)
}

/// The popularity of every session: the rank of ln(1 + people who showed interest + places
/// taken), times 1 - taken share / 2 where the capacity is known, so that a session that fills up
/// gives way to one with free places. Counts are a snapshot without times, so age does not enter.
/// Cancelled sessions do not take part.
pub(crate) fn popularity(programme: &Programme, interest: Interest) -> Option<Vec<f32>> {
    let raw: Vec<f32> = (0..programme.len() as u32)
        .map(|at| {
            let session = programme.session(at);
            if session.cancelled {
                return 0.0;
            }
            let interested = interest.0.get(at as usize).copied().unwrap_or(0);
            let demand = (interested as f32 + session.registrations as f32).ln_1p();
            let taken = match session.capacity {
                Some(places) if places > 0 => session.registrations as f32 / places as f32,
                Some(_) => 1.0,
                None => 0.0,
            };
            demand * (1.0 - FULL * taken.min(1.0))
        })
        .collect();
    percentiles(&raw)
}

/// Where the item-item weights come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Links<'a> {
    /// The rows of one person's taste.
    Rows(&'a [Neighbours]),
    /// The whole matrix.
    Matrix(&'a ItemWeights),
}

impl Links<'_> {
    /// Calls `visit` with every neighbour of a session and its weight.
    fn each(self, source: u32, mut visit: impl FnMut(u32, f32)) {
        match self {
            Self::Rows(rows) => {
                for row in rows.iter().filter(|row| row.source == source) {
                    row.to.iter().zip(&row.weight).for_each(|(to, weight)| visit(*to, *weight));
                }
            }
            Self::Matrix(matrix) => {
                let row = matrix.rows.get(source as usize).into_iter().flatten();
                row.for_each(|(to, weight)| visit(*to, *weight));
            }
        }
    }
}

/// What people with a similar history chose.
pub(crate) struct Together {
    /// The rank of every session by the sum of signal times weight over the taste.
    pub ranks: Vec<f32>,
    /// For each session the bits of the largest signal times weight and, below, the complement of
    /// the session of the taste it comes from: one number, so that its maximum needs no branch.
    strongest: Vec<u64>,
}

impl Together {
    /// Nothing where the taste speaks for no session.
    pub fn new(links: Links, sessions: usize, likings: &[Liking]) -> Option<Self> {
        let mut raw = vec![0.0_f32; sessions];
        let mut strongest = vec![0_u64; sessions];
        for liking in likings {
            links.each(liking.session, |to, weight| {
                let at = to as usize;
                if at >= sessions {
                    return;
                }
                let share = liking.signal * weight;
                raw[at] += share;
                let bits = u64::from(share.max(0.0).to_bits());
                strongest[at] = strongest[at].max(bits << 32 | u64::from(!liking.session));
            });
        }
        percentiles(&raw).map(|ranks| Self { ranks, strongest })
    }

    /// The session of the taste that speaks most for a session, the lower of equals.
    pub fn because(&self, session: u32) -> Option<u32> {
        let strongest = self.strongest.get(session as usize)?;
        (strongest >> 32 > 0).then_some(!(*strongest as u32))
    }
}
