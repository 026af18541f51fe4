//! What a caller may choose.

use crate::error::{Error, Result};

use super::weights::WeightSet;

/// Which sources rank the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// All of them, weighted by how much is known of the person.
    #[default]
    Hybrid,
    /// Likeness to what the person liked.
    Content,
    /// What people with a similar history chose.
    Collaborative,
    /// What everybody chose.
    Popularity,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Hybrid, Self::Content, Self::Collaborative, Self::Popularity];

    /// The algorithm with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or_else(|| {
            Error::invalid(
                format!("unknown recommendation algorithm \"{name}\""),
                "There are four: hybrid, content_based, collaborative_filtering, popularity.",
                "Use hybrid unless one source alone is wanted.",
            )
        })
    }

    /// The name SQL callers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Content => "content_based",
            Self::Collaborative => "collaborative_filtering",
            Self::Popularity => "popularity",
        }
    }
}

/// How to recommend.
#[derive(Debug, Clone)]
pub struct Options {
    /// At most so many picks.
    pub limit: usize,
    /// Which sources rank.
    pub algorithm: Algorithm,
    /// The present, in microseconds since the epoch.
    pub now: i64,
    /// How much each source counts.
    pub weights: WeightSet,
    /// 1 ranks by score alone, 0 by difference to what stands above.
    pub mmr_lambda: f64,
    /// Days after which a signal counts half; none: signals do not fade.
    pub half_life_days: Option<f64>,
    /// Whether near-duplicates are spread out.
    pub diversify: bool,
    /// Whether what clashes with a bookmark ranks below all that does not.
    pub demote_clashes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: 10,
            algorithm: Algorithm::Hybrid,
            now: 0,
            weights: WeightSet::default(),
            mmr_lambda: 0.7,
            half_life_days: None,
            diversify: true,
            demote_clashes: true,
        }
    }
}
