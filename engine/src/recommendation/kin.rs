//! Cosines between sessions: worked out when asked, or for a whole event at once.

use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use rayon::prelude::*;

use crate::error::Result;
use crate::programme::{Programme, Vectors};
use crate::stop::Stop;

/// Rows multiplied at a time: a few milliseconds of work between two looks at the stop.
const BLOCK: usize = 64;
/// Below this share of its longest possible length a taste in single precision is mostly rounding.
const SHORTEST: f64 = 0.03;

/// Cosines of all pairs of one model's rows.
#[derive(Debug)]
pub(crate) struct Gram {
    rows: usize,
    cells: Vec<f32>,
}

impl Gram {
    pub fn new(vectors: &Vectors, stop: &Stop) -> Result<Self> {
        let rows = vectors.sessions.len();
        let mut cells = vec![0.0_f32; rows * rows];
        if rows == 0 {
            return Ok(Self { rows, cells });
        }
        let dims = vectors.dims;
        let mut units = Vec::with_capacity(rows * dims);
        for row in 0..rows {
            vectors.with_row(row, |unit| units.extend_from_slice(unit));
        }
        // A copy and no view: where a side of a product is at most five, nalgebra's own loop takes the span of a column
        // for its length and writes past the end of the result, unless the numbers of a column lie side by side.
        let across = DMatrix::from_row_slice(rows, dims, &units);
        let blocks = cells.par_chunks_mut(rows * BLOCK).zip(units.par_chunks(dims * BLOCK));
        blocks.try_for_each(|(cells, units)| {
            stop.check()?;
            let width = units.len() / dims;
            let mut product = DMatrixViewMut::from_slice(cells, rows, width);
            product.gemm(1.0, &across, &DMatrixView::from_slice(units, dims, width), 0.0);
            Ok(())
        })?;
        Ok(Self { rows, cells })
    }

    /// The cosine of every row with the weighted sum of some: `G w / sqrt(w' G w)`. Nothing where
    /// there is no sum, or one too short for single precision.
    pub fn scan(&self, members: &[(usize, f32)]) -> Option<Vec<f32>> {
        let longest: f64 = members.iter().map(|(_, signal)| f64::from(signal.abs())).sum();
        let mut sums = vec![0.0_f32; self.rows];
        for &(row, signal) in members {
            for (sum, cell) in sums.iter_mut().zip(self.row(row)) {
                *sum += signal * cell;
            }
        }
        let square: f64 =
            members.iter().map(|&(row, signal)| f64::from(signal) * f64::from(sums[row])).sum();
        let length = square.max(0.0).sqrt();
        if longest == 0.0 || length < SHORTEST * longest {
            return None;
        }
        let scale = (1.0 / length) as f32;
        for sum in &mut sums {
            *sum *= scale;
        }
        Some(sums)
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.cells[row * self.rows..(row + 1) * self.rows]
    }
}

/// Where the cosine of two sessions comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kin<'a> {
    /// From their vectors.
    Direct,
    /// From the matrix of their model, one per model of the programme.
    Grams(&'a [Gram]),
}

impl<'a> Kin<'a> {
    pub fn gram(self, model: usize) -> Option<&'a Gram> {
        match self {
            Self::Direct => None,
            Self::Grams(grams) => grams.get(model),
        }
    }

    /// The cosine of two sessions in one model; nothing where one has no vector of it.
    pub fn cosine(self, programme: &Programme, model: usize, a: u32, b: u32) -> Option<f64> {
        let vectors = &programme.models()[model];
        let (a, b) = (vectors.row(a)?, vectors.row(b)?);
        Some(f64::from(match self.gram(model) {
            Some(gram) => gram.row(a)[b],
            None => vectors.between(a, b),
        }))
    }

    /// How alike two sessions are, 0 to 1: by the first model that has both, else by topics in
    /// common.
    pub fn likeness(self, programme: &Programme, a: u32, b: u32) -> f64 {
        (0..programme.models().len())
            .find_map(|model| self.cosine(programme, model, a, b))
            .map_or_else(|| programme.topics_in_common(a, b), |cosine| cosine.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::Dice;
    use crate::programme::Embeddings;

    #[test]
    fn every_cell_is_the_cosine_of_its_pair_whatever_the_shape() -> Result<()> {
        let mut dice = Dice::new(11);
        for rows in
            [0, 1, 2, 5, 6, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 5, BLOCK + 6, 2 * BLOCK + 3]
        {
            for dims in [1, 2, 5, 6, 33] {
                let embeddings = Embeddings {
                    model: "m".into(),
                    dims,
                    sessions: (0..rows as u32).collect(),
                    values: (0..rows * dims).map(|_| dice.roll() as f32 + 0.1).collect(),
                };
                let vectors = Vectors::new(embeddings, rows)?;
                let gram = Gram::new(&vectors, &Stop::default())?;
                for (a, b) in (0..rows).flat_map(|a| (0..rows).map(move |b| (a, b))) {
                    let off = (gram.row(a)[b] - vectors.between(a, b)).abs();
                    assert!(off < 1e-5, "{rows} rows of {dims}: {a} and {b} are off by {off}");
                }
            }
        }
        Ok(())
    }
}
