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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::Shape;

    fn dense(interactions: &Interactions) -> DMatrix<f64> {
        let mut x = DMatrix::zeros(interactions.people(), interactions.items());
        for person in 0..interactions.people() as u32 {
            for entry in interactions.of(person) {
                x[(person as usize, entry.item as usize)] = f64::from(entry.signal).max(0.0);
            }
        }
        x
    }

    /// Two sessions, three people: both, both, the first only; ridge 1.
    /// `X'X + I = [4 2; 2 3]`, `P = [3 -2; -2 4] / 8`, so `B01 = 2/4`, `B10 = 2/3`.
    #[test]
    fn two_sessions_by_hand() -> Result<()> {
        let rows = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)].map(|(p, s)| (p, s, 1.0, 0));
        let made = Interactions::new(3, 2, rows.to_vec())?;
        let b = ease_dense(&made, 1.0, &Stop::default())?;
        let expected = DMatrix::from_row_slice(2, 2, &[0.0, 0.5, 2.0 / 3.0, 0.0]);
        assert!((b - expected).amax() < 1e-12);
        let kept = train(&made, 1.0, 200, &Stop::default())?;
        assert_eq!(kept.rows, [vec![(1, 0.5)], vec![(0, 2.0 / 3.0)]]);
        assert_eq!(kept.people, [[2], [2]]);
        Ok(())
    }

    #[test]
    fn agrees_with_the_textbook() -> Result<()> {
        let shape = Shape { people: 200, sessions: 140, ..Shape::PLANTED };
        for (seed, ridge) in [(1, 0.5), (2, 20.0), (3, 500.0)] {
            let rows = shape.choices(seed).into_iter();
            let rows =
                rows.map(|(p, s, at)| (p, s, [1.0, 0.8, 0.2, -1.0][(p + s) as usize % 4], at));
            let made = Interactions::new(200, 140, rows.collect())?;
            let x = dense(&made);
            let gram = x.tr_mul(&x) + DMatrix::identity(140, 140) * ridge;
            let p = gram.try_inverse().unwrap_or_default();
            let expected =
                DMatrix::from_fn(
                    140,
                    140,
                    |i, j| if i == j { 0.0 } else { -p[(i, j)] / p[(j, j)] },
                );
            let found = ease_dense(&made, ridge, &Stop::default())?;
            assert!((&found - expected).amax() < 1e-9, "ridge {ridge}");
            let kept = train(&made, ridge, 7, &Stop::default())?;
            for (item, row) in kept.rows.iter().enumerate() {
                let mut strongest: Vec<f64> = found.row(item).iter().map(|w| w.abs()).collect();
                strongest.sort_by(|a, b| b.total_cmp(a));
                for (&(other, weight), expected) in row.iter().zip(strongest) {
                    assert!((f64::from(weight) - found[(item, other as usize)]).abs() < 1e-6);
                    assert!((f64::from(weight.abs()) - expected).abs() < 1e-6);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn impossible_wishes_are_refused() -> Result<()> {
        let none = Interactions::new(1, 2, Vec::new())?;
        for ridge in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = ease_dense(&none, ridge, &Stop::default());
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{ridge}");
        }
        let wide = Interactions::new(1, MAX_DENSE_ITEMS + 1, Vec::new())?;
        assert!(matches!(ease_dense(&wide, 1.0, &Stop::default()), Err(Error::TooLarge { .. })));
        Ok(())
    }

    #[test]
    fn nothing_known_weighs_nothing() -> Result<()> {
        let none = Interactions::new(0, 3, Vec::new())?;
        assert_eq!(train(&none, 1.0, 5, &Stop::default())?.rows, vec![Vec::new(); 3]);
        let empty = Interactions::new(0, 0, Vec::new())?;
        assert!(train(&empty, 1.0, 5, &Stop::default())?.rows.is_empty());
        Ok(())
    }
}
