//! User-user filtering with every other person as a neighbour. Under cosine,
//! `score_j = sum_v cos(u, v) x_vj = sum_i x_ui (sum_v x_vi x_vj / |x_v|) / |x_u|`: the inner sum is
//! an item-item matrix, `W = X' diag(1 / |x_v|) X`, and `1 / |x_u|` does not change the order. So the
//! weights say exactly what the neighbourhoods would, without a scan of the people at reading time.

use super::positives::Positives;
use super::{Interactions, ItemWeights};
use crate::error::Result;
use crate::stop::Stop;

/// The strongest `top` entries of each row of `W`.
pub(super) fn train(interactions: &Interactions, top: usize, stop: &Stop) -> Result<ItemWeights> {
    let positives = Positives::new(interactions);
    let factors: Vec<f64> = (0..positives.by_person.len())
        .map(|person| {
            let squares: f64 =
                positives.by_person.line(person).iter().map(|cell| cell.1 * cell.1).sum();
            if squares > 0.0 { squares.sqrt().recip() } else { 0.0 }
        })
        .collect();
    positives.neighbours(Some(&factors), top, stop)
}
