//! How alike two vectors or two sets are.

mod cosines;
mod diversity;
mod kernels;
mod quantised;

pub(crate) use cosines::Cosines;
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

/// Scales a vector by a power of two, so that its largest number lies between a half and one: nothing is rounded, and
/// whoever adds up its squares in single precision neither loses them nor runs over. False, and the vector as it was,
/// where it has no direction.
pub fn scale(a: &mut [f32]) -> bool {
    let largest = a.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let directed = largest.is_finite() && largest > 0.0 && !a.iter().any(|x| x.is_nan());
    if directed {
        let power = f64::from(largest).log2().floor() as i32 + 1;
        for x in a {
            *x = (f64::from(*x) * 2.0_f64.powi(-power)) as f32;
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

/// As [`scan`], into scores that are there already.
pub(crate) fn scan_into(rows: &[f32], query: &[f32], out: &mut [f32]) {
    if !query.is_empty() {
        kernels::scan(rows, query, out);
    }
}

/// Members in common over members in either, of two ascending slices without repetition; 0 where
/// both are empty.
#[must_use]
pub fn jaccard<T: Ord>(a: &[T], b: &[T]) -> f64 {
    let common = common(a, b);
    share(common, a.len() + b.len() - common)
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
