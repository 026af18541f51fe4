//! EASE (Steck 2019): the linear weights with a zero diagonal that best rebuild every person's
//! signals from the rest of them, under an L2 penalty. Closed form, one matrix inverse:
//! `P = (X'X + ridge I)^-1`, `B[i][j] = -P[i][j] / P[j][j]`.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::positives::{Positives, Row, assemble, keep_strongest};
use super::{Interactions, ItemWeights, linalg};
use crate::error::{Error, Result};
use crate::stop::Stop;

/// The most sessions for which the dense inverse is made: 800 MB of doubles.
pub const MAX_DENSE_ITEMS: usize = 10_000;

/// The whole weight matrix `B`, diagonal zero; the score of `j` is `sum_i signal_i B[(i, j)]`.
///
/// # Errors
/// [`Error::Invalid`] for a ridge that is not positive, [`Error::TooLarge`] beyond
/// [`MAX_DENSE_ITEMS`], [`Error::Cancelled`].
pub fn ease_dense(interactions: &Interactions, ridge: f64, stop: &Stop) -> Result<DMatrix<f64>> {
    let mut inverse = inverse(&Positives::new(interactions), ridge, stop)?;
    for mut column in inverse.column_iter_mut().enumerate() {
        let pivot = column.1[column.0];
        column.1 /= -pivot;
        column.1[column.0] = 0.0;
    }
    Ok(inverse)
}

/// The strongest `top` weights of each row of `B`, by magnitude: a negative weight is as telling.
pub(super) fn train(
    interactions: &Interactions,
    ridge: f64,
    top: usize,
    stop: &Stop,
) -> Result<ItemWeights> {
    let positives = Positives::new(interactions);
    let inverse = inverse(&positives, ridge, stop)?;
    let items = positives.items();
    let pivots: Vec<f64> = inverse.diagonal().iter().copied().collect();
    let rows = (0..items)
        .into_par_iter()
        .map_init(
            || Row::new(items),
            |row, item| {
                stop.check()?;
                positives.gram_row(item, None, row);
                // The inverse is symmetric, so a column of it is the row, and contiguous.
                let column = inverse.column(item);
                let weight = |other: usize| (-column[other] / pivots[other]) as f32;
                let others = (0..items).filter(|&other| other != item);
                let all = others.map(|other| (other as u32, weight(other))).collect();
                Ok(keep_strongest(all, &row.counts, top))
            },
        )
        .collect::<Result<_>>()?;
    Ok(assemble(items, rows))
}

fn inverse(positives: &Positives, ridge: f64, stop: &Stop) -> Result<DMatrix<f64>> {
    if !(ridge.is_finite() && ridge > 0.0) {
        return Err(Error::invalid(
            format!("a ridge of {ridge} is not positive"),
            "without a penalty the weights have no unique solution",
            "Pass a ridge above 0.",
        ));
    }
    let items = positives.items();
    if items > MAX_DENSE_ITEMS {
        return Err(Error::TooLarge {
            message: format!("{items} sessions are too many for EASE"),
            hint: format!("Use bm25 for events of more than {MAX_DENSE_ITEMS} sessions."),
        });
    }
    let mut gram = DMatrix::zeros(items, items);
    gram.as_mut_slice().par_chunks_mut(items.max(1)).enumerate().try_for_each_init(
        || Row::new(items),
        |row, (item, column)| {
            stop.check()?;
            positives.gram_row(item, None, row);
            column.copy_from_slice(&row.sums);
            column[item] += ridge;
            Ok(())
        },
    )?;
    linalg::invert_symmetric(&mut gram, stop)?;
    Ok(gram)
}
