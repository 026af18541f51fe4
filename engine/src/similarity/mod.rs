//! How alike two vectors or two sets are.

mod diversity;
mod kernels;
mod quantised;

pub(crate) use diversity::diversified;
pub use quantised::QuantisedMatrix;

use std::cmp::Ordering;

/// Scalar product; over the shorter length where they differ.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    kernels::dot(&a[..len], &b[..len])
}

/// Euclidean length.
#[must_use]
pub fn norm(a: &[f32]) -> f64 {
    kernels::dot_wide(a, a).sqrt()
}

/// Cosine of the angle between two vectors; nothing where one has no direction (zero, or not
/// finite) or their lengths differ.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let lengths = (kernels::dot_wide(a, a) * kernels::dot_wide(b, b)).sqrt();
    let comparable = a.len() == b.len() && lengths.is_finite() && lengths > 0.0;
    comparable.then(|| (kernels::dot_wide(a, b) / lengths).clamp(-1.0, 1.0))
}

/// Scales a vector to length one. False, and the vector as it was, where it has no direction.
pub fn normalise(a: &mut [f32]) -> bool {
    let length = norm(a);
    let directed = length.is_finite() && length > 0.0;
    if directed {
        for x in a {
            *x = (f64::from(*x) / length) as f32;
        }
    }
    directed
}

/// Scores of every row of a row-major matrix against one query of the rows' length.
pub(crate) fn scan(rows: &[f32], query: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() / query.len().max(1)];
    if !query.is_empty() {
        kernels::scan(rows, query, &mut out);
    }
    out
}

/// A component of a unit vector in 16 bits, 1 being [`UNIT`].
#[must_use]
pub(crate) fn word_of(component: f32) -> i16 {
    (component.clamp(-1.0, 1.0) * UNIT).round() as i16
}

/// What 1 is in 16 bits. The product of two unit vectors then fits 32 bits.
const UNIT: f32 = 32_767.0;

/// Cosines of unit vectors in 16 bits, every row of a matrix with one of them: exact in whole numbers,
/// so that it is the same both ways round and for whoever says the same.
pub(crate) fn cosines(rows: &[i16], query: &[i16], sums: &mut [i32], out: &mut [f32]) {
    if query.is_empty() {
        return;
    }
    kernels::scan_words(rows, query, sums);
    for (cosine, sum) in out.iter_mut().zip(sums) {
        *cosine = (f64::from(*sum) / f64::from(UNIT * UNIT)) as f32;
    }
}

/// Members in common over members in either, of two ascending slices without repetition; 0 where
/// both are empty.
#[must_use]
pub fn jaccard<T: Ord>(a: &[T], b: &[T]) -> f64 {
    let common = common(a, b);
    share(common, a.len() + b.len() - common)
}

/// Members in common over members of the smaller of two ascending slices without repetition; 0
/// where one is empty.
#[must_use]
pub fn overlap_coefficient<T: Ord>(a: &[T], b: &[T]) -> f64 {
    share(common(a, b), a.len().min(b.len()))
}

fn common<T: Ord>(a: &[T], b: &[T]) -> usize {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                count += 1;
                i += 1;
                j += 1;
            }
        }
    }
    count
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;
