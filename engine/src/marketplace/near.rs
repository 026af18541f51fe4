//! How the nearest vectors are looked for: by comparing all of them, or by an index whose finds are
//! compared again.

/// Up to so many vectors all are compared: that is complete, and as fast.
const COMPARE_ALL: i64 = 2_000;
/// The index is asked for so many times what is wanted, and for no fewer than the least.
const TIMES: usize = 4;
const LEAST: usize = 100;
/// The most that pgvector takes for `hnsw.ef_search`.
const MOST: usize = 1_000;
/// The most dimensions that an index holds.
const MOST_DIMENSIONS: usize = 4_000;
/// From here on an index holds half-precision numbers.
const MOST_SINGLE: usize = 2_000;

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Compare all.
    Exact,
    /// Ask the index.
    Index {
        /// How many it is asked for.
        candidates: usize,
        /// What `hnsw.ef_search` is set to.
        ef_search: usize,
        /// Whether it holds half-precision numbers.
        half: bool,
    },
}

/// How to find the `wanted` nearest of `vectors` vectors.
#[must_use]
pub fn plan(vectors: i64, dimensions: usize, wanted: usize) -> Plan {
    if vectors <= COMPARE_ALL || dimensions > MOST_DIMENSIONS {
        return Plan::Exact;
    }
    let candidates = (wanted * TIMES).max(LEAST);
    Plan::Index {
        candidates,
        ef_search: (candidates * 2).min(MOST),
        half: dimensions > MOST_SINGLE,
    }
}
