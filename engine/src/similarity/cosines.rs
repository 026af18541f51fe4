//! Cosines of many unit vectors: about, from whole numbers of 16 bits, to see which pairs are worth a
//! look, and exactly for those. The table knows how far the two may lie apart.

use std::ops::Range;

use super::kernels;

/// What 1 is in 16 bits. By Cauchy and Schwarz every partial sum of a product of two such vectors
/// stays near its square, within 32 bits.
const UNIT: f32 = 32_767.0;

/// Unit vectors of `dims` components, or zeros, twice: as they came and in 16 bits.
#[derive(Debug)]
pub(crate) struct Cosines {
    dims: usize,
    exact: Vec<f32>,
    words: Vec<i16>,
    /// The most that a vector lost when it was rounded, as a length.
    loss: f64,
}

impl Cosines {
    /// An empty table with room for `rows` rows.
    pub(crate) fn new(dims: usize, rows: usize) -> Self {
        let room = dims * rows;
        let (exact, words) = (Vec::with_capacity(room), Vec::with_capacity(room));
        Self { dims, exact, words, loss: 0.0 }
    }

    /// Adds a row of `dims` components.
    pub(crate) fn push(&mut self, row: &[f32]) {
        debug_assert_eq!(row.len(), self.dims, "every row has the same number of components");
        let mut lost = 0.0;
        for component in row {
            let word = (component.clamp(-1.0, 1.0) * UNIT).round() as i16;
            lost += (f64::from(word) / f64::from(UNIT) - f64::from(*component)).powi(2);
            self.words.push(word);
        }
        self.exact.extend_from_slice(row);
        self.loss = self.loss.max(lost.sqrt());
    }

    /// How far a cosine of [`Cosines::about`] may be from that of [`Cosines::exact`]. For `u` and `v`
    /// rounded to `u + d` and `v + e` the difference is `u e + d v + d e`; the vectors are of length 1
    /// to seven digits, and the losses no longer than the longest.
    pub(crate) fn off(&self) -> f64 {
        2.000_01 * self.loss + self.loss * self.loss
    }

    /// The cosine of two rows, which is the same both ways round.
    pub(crate) fn exact(&self, a: usize, b: usize) -> f64 {
        let row = |at: usize| &self.exact[at * self.dims..][..self.dims];
        kernels::dot_wide(row(a), row(b))
    }

    /// About the cosines of one row and each of `with`; `sums` and `cosines` are as long as that.
    pub(crate) fn about(
        &self,
        of: usize,
        with: Range<usize>,
        sums: &mut [i32],
        cosines: &mut [f64],
    ) {
        let row = |at: usize| at * self.dims;
        let query = &self.words[row(of)..row(of + 1)];
        kernels::scan_words(&self.words[row(with.start)..row(with.end)], query, sums);
        for (cosine, sum) in cosines.iter_mut().zip(sums) {
            *cosine = f64::from(*sum) / f64::from(UNIT * UNIT);
        }
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.exact.capacity() * size_of::<f32>() + self.words.capacity() * size_of::<i16>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::similarity::normalise;

    fn table(rows: &[Vec<f32>]) -> Cosines {
        let mut table = Cosines::new(rows.first().map_or(0, Vec::len), rows.len());
        for row in rows {
            table.push(row);
        }
        table
    }

    proptest! {
        #[test]
        fn about_is_no_further_off_than_it_says(
            mut rows in proptest::collection::vec(proptest::collection::vec(-1.0_f32..1.0, 48), 2..12),
            zeros in 0_usize..47,
        ) {
            for row in &mut rows {
                row[..zeros].fill(0.0);
                normalise(row);
            }
            let table = table(&rows);
            let (mut sums, mut about) = (vec![0; rows.len()], vec![0.0; rows.len()]);
            for (of, row) in rows.iter().enumerate() {
                table.about(of, 0..rows.len(), &mut sums, &mut about);
                for (with, other) in rows.iter().enumerate() {
                    let plain: f64 =
                        row.iter().zip(other).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                    prop_assert!((table.exact(of, with) - plain).abs() < 1e-14);
                    prop_assert_eq!(table.exact(of, with).to_bits(), table.exact(with, of).to_bits());
                    prop_assert!((about[with] - plain).abs() <= table.off());
                }
            }
            prop_assert!(table.off() < 3e-4);
        }
    }

    #[test]
    fn a_row_of_zeros_has_no_direction() {
        let table = table(&[vec![0.0; 64], vec![0.125; 64]]);
        let (mut sums, mut about) = ([0; 2], [0.0; 2]);
        table.about(0, 0..2, &mut sums, &mut about);
        assert_eq!((about, table.exact(0, 1)), ([0.0, 0.0], 0.0));
        assert!((table.exact(1, 1) - 1.0).abs() < 1e-15);
    }
}
