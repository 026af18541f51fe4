//! Vectors in 16 bits, in two planes: a scan for the best reads one byte per component, and only
//! what it finds is read in full.

use super::kernels;

/// The largest magnitude whose upper half, rounded to nearest, still fits into a byte.
const FULL: f32 = 32_639.0;

/// A matrix whose rows are `(256 hi + lo) * scale`, each row with its own scale.
#[derive(Debug, Clone, Default)]
pub struct QuantisedMatrix {
    dims: usize,
    hi: Vec<i8>,
    lo: Vec<i8>,
    scales: Vec<f32>,
}

impl QuantisedMatrix {
    /// A matrix without rows, for vectors of `dims` finite components.
    #[must_use]
    pub fn new(dims: usize) -> Self {
        Self { dims, ..Self::default() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If `row` does not have the matrix' number of components.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dims, "a row has the matrix' number of components");
        let largest = row.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
        let scale = largest / FULL;
        self.scales.push(scale);
        for x in row {
            let whole = if scale > 0.0 { (x / scale).round().clamp(-FULL, FULL) as i32 } else { 0 };
            let hi = (whole + 128) >> 8;
            self.hi.push(hi as i8);
            self.lo.push((whole - (hi << 8)) as i8);
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Heap bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.hi.capacity() + self.lo.capacity() + self.scales.capacity() * size_of::<f32>()
    }

    /// About the scalar product of every row with `query`, from the upper plane alone: an error
    /// of a few thousandths of the two lengths, enough to know whom to look at again.
    ///
    /// # Panics
    /// If `query` does not have the matrix' number of components.
    #[must_use]
    pub fn coarse(&self, query: &[f32]) -> Vec<f32> {
        assert_eq!(query.len(), self.dims, "a query has the matrix' number of components");
        let mut sums = vec![0; self.rows()];
        if self.dims == 0 {
            return vec![0.0; self.rows()];
        }
        let (small, step) = self.small(query);
        kernels::scan_bytes(&self.hi, &small, &mut sums);
        sums.iter()
            .zip(&self.scales)
            .map(|(sum, scale)| *sum as f32 * 256.0 * scale * step)
            .collect()
    }

    /// The scalar product of one row with `query`, from both planes.
    ///
    /// # Panics
    /// If there is no such row or `query` does not have the matrix' number of components.
    #[must_use]
    pub fn exact(&self, row: usize, query: &[f32]) -> f32 {
        assert_eq!(query.len(), self.dims, "a query has the matrix' number of components");
        let at = row * self.dims..(row + 1) * self.dims;
        kernels::dot_planes(&self.hi[at.clone()], &self.lo[at], query) * self.scales[row]
    }

    /// The scalar product of two rows, from both planes.
    ///
    /// # Panics
    /// If one of the rows is not there.
    #[must_use]
    pub fn between(&self, a: usize, b: usize) -> f32 {
        let (of_a, of_b) = (a * self.dims..(a + 1) * self.dims, b * self.dims..(b + 1) * self.dims);
        let sum = kernels::dot_both_planes(
            (&self.hi[of_a.clone()], &self.lo[of_a]),
            (&self.hi[of_b.clone()], &self.lo[of_b]),
        );
        sum * self.scales[a] * self.scales[b]
    }

    /// Gives back what [`QuantisedMatrix::push`] reserved beyond the rows.
    pub fn shrink(&mut self) {
        self.hi.shrink_to_fit();
        self.lo.shrink_to_fit();
        self.scales.shrink_to_fit();
    }

    /// One row in single precision.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<f32> {
        let at = row * self.dims..(row + 1) * self.dims;
        let whole = |(hi, lo): (&i8, &i8)| ((i32::from(*hi) << 8) + i32::from(*lo)) as f32;
        let scale = self.scales[row];
        self.hi[at.clone()].iter().zip(&self.lo[at]).map(|pair| whole(pair) * scale).collect()
    }

    /// A query in 16 bits and its step, small enough that a row's sum fits 32 bits.
    fn small(&self, query: &[f32]) -> (Vec<i16>, f32) {
        let room = (i32::MAX as usize / (128 * self.dims)).clamp(1, i16::MAX as usize) as f32;
        let largest = query.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
        let step = largest / room;
        if step > 0.0 && step.is_finite() {
            (query.iter().map(|x| (x / step).round() as i16).collect(), step)
        } else {
            (vec![0; query.len()], 0.0)
        }
    }
}
