//! The inverse of a large symmetric positive definite matrix, on every core, stoppable.
//!
//! A blocked sweep: for each block of pivots `K`, with `D = A[K][K]^-1` (by Cholesky),
//! `A[i][j] -= A[i][K] D A[K][j]` elsewhere, `A[i][K] = A[i][K] D`, `A[K][K] = -D`; after the last
//! block `A` holds the negated inverse. What is not swept yet is the Schur complement, exactly as in
//! a Cholesky factorisation, so positive definiteness is all the pivoting it needs. Only the lower
//! half is kept up to date: `n^3` operations, the same as factor and inverse apart, but every one of
//! them in a matrix product of the same shape.

use nalgebra::{Cholesky, DMatrix, DMatrixViewMut};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::stop::Stop;

/// Pivots per step, and columns per task: large enough for the product to run from the cache,
/// small enough that the serial inverse of a pivot block does not show.
const BLOCK: usize = 128;

/// Replaces a symmetric positive definite matrix by its inverse. Reads the lower half only.
///
/// # Errors
/// [`Error::Invalid`] if the matrix is not square or not positive definite, [`Error::Cancelled`].
pub fn invert_symmetric(matrix: &mut DMatrix<f64>, stop: &Stop) -> Result<()> {
    let size = matrix.nrows();
    if size != matrix.ncols() {
        return Err(Error::invalid("the matrix is not square", "", ""));
    }
    for from in (0..size).step_by(BLOCK) {
        stop.check()?;
        stop.progress((from * 1000 / size) as u32);
        sweep(matrix, from, (from + BLOCK).min(size), stop)?;
    }
    negate_and_mirror(matrix, stop)
}

/// Sweeps the pivots `from..to`.
fn sweep(matrix: &mut DMatrix<f64>, from: usize, to: usize, stop: &Stop) -> Result<()> {
    let size = matrix.nrows();
    let panel = panel(matrix, from, to);
    let pivot = invert_block(panel.rows(from, to - from).into_owned())?;
    let scaled = scale(&pivot, &panel);
    matrix.as_mut_slice().par_chunks_mut(size * BLOCK).enumerate().try_for_each(
        |(chunk, columns)| {
            stop.check()?;
            let first = chunk * BLOCK;
            let width = columns.len() / size;
            let mut target = DMatrixViewMut::from_slice(columns, size, width);
            if first == from {
                target.rows_mut(from, width).copy_from(&-&pivot);
                target.rows_mut(to, size - to).tr_copy_from(&scaled.columns(to, size - to));
                return Ok(());
            }
            let right = scaled.columns(first, width);
            let rows = size - first;
            target.rows_mut(first, rows).gemm(-1.0, &panel.rows(first, rows), &right, 1.0);
            if first < from {
                target.rows_mut(from, to - from).copy_from(&right);
            }
            Ok(())
        },
    )
}

/// The columns `from..to` of the whole symmetric matrix, put together from its lower half.
fn panel(matrix: &DMatrix<f64>, from: usize, to: usize) -> DMatrix<f64> {
    let (size, width) = (matrix.nrows(), to - from);
    let mut panel = DMatrix::zeros(size, width);
    panel.rows_mut(0, from).tr_copy_from(&matrix.view((from, 0), (width, from)));
    panel.rows_mut(from, size - from).copy_from(&matrix.view((from, from), (size - from, width)));
    panel
}

/// `D A[K][..]`, one column per row of the panel.
fn scale(pivot: &DMatrix<f64>, panel: &DMatrix<f64>) -> DMatrix<f64> {
    let width = pivot.nrows();
    let mut scaled = DMatrix::zeros(width, panel.nrows());
    scaled.as_mut_slice().par_chunks_mut(width * BLOCK).enumerate().for_each(|(chunk, columns)| {
        let count = columns.len() / width;
        let block = panel.rows(chunk * BLOCK, count).transpose();
        DMatrixViewMut::from_slice(columns, width, count).gemm(1.0, pivot, &block, 0.0);
    });
    scaled
}

/// The inverse of one block of pivots; its upper half is not up to date and is not read.
fn invert_block(block: DMatrix<f64>) -> Result<DMatrix<f64>> {
    let inverse = Cholesky::new(block).map(|factor| factor.inverse());
    inverse.filter(|found| found.iter().all(|value| value.is_finite())).ok_or_else(|| {
        Error::invalid(
            "the matrix is not positive definite",
            "a pivot is not positive",
            "Use a larger ridge.",
        )
    })
}

/// Turns the swept lower half into the whole inverse, tile by tile for the sake of the cache.
fn negate_and_mirror(matrix: &mut DMatrix<f64>, stop: &Stop) -> Result<()> {
    const TILE: usize = 32;
    let size = matrix.nrows();
    for left in (0..size).step_by(TILE) {
        stop.check()?;
        for top in (left..size).step_by(TILE) {
            for column in left..(left + TILE).min(size) {
                for row in top.max(column)..(top + TILE).min(size) {
                    let value = -matrix[(row, column)];
                    matrix[(row, column)] = value;
                    matrix[(column, row)] = value;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::Dice;

    /// `X'X + I` for a random `X`.
    fn definite(size: usize, seed: u64) -> DMatrix<f64> {
        let mut dice = Dice::new(seed);
        let x = DMatrix::from_fn(size, size, |_, _| dice.roll() - 0.5);
        x.tr_mul(&x) + DMatrix::identity(size, size)
    }

    #[test]
    fn agrees_with_a_plain_inverse_at_every_edge_of_a_block() -> Result<()> {
        for size in [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 41] {
            let matrix = definite(size, size as u64);
            let mut found = matrix.clone();
            invert_symmetric(&mut found, &Stop::default())?;
            let expected = matrix.try_inverse().unwrap_or_default();
            assert!((&found - expected).amax() < 1e-9, "{size}");
            assert_eq!(found, found.transpose(), "{size}");
        }
        Ok(())
    }

    #[test]
    fn only_the_lower_half_is_read() -> Result<()> {
        let whole = definite(BLOCK + 9, 3);
        let (mut lower, mut expected) = (whole.clone(), whole);
        lower.fill_upper_triangle(f64::NAN, 1);
        invert_symmetric(&mut lower, &Stop::default())?;
        invert_symmetric(&mut expected, &Stop::default())?;
        assert_eq!(lower, expected);
        Ok(())
    }

    #[test]
    fn an_empty_matrix_is_its_own_inverse() -> Result<()> {
        invert_symmetric(&mut DMatrix::zeros(0, 0), &Stop::default())
    }

    #[test]
    fn what_has_no_inverse_is_refused() {
        let mut negative = -definite(BLOCK + 3, 5);
        let mut oblong = DMatrix::zeros(2, 3);
        for matrix in [&mut negative, &mut oblong] {
            let refused = invert_symmetric(matrix, &Stop::default());
            assert!(matches!(refused, Err(Error::Invalid { .. })));
        }
    }

    #[test]
    fn a_request_to_stop_is_heard() {
        let stop = Stop::default();
        stop.request();
        assert_eq!(invert_symmetric(&mut definite(3, 1), &stop), Err(Error::Cancelled));
    }
}
