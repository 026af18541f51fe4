//! How alike two vectors or two sets are.

/// Scalar product; over the shorter length where they differ.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
