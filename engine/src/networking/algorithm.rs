//! Which parts make a score, and how much each counts.

use serde_json::Value;

use crate::error::{Error, Result};

/// The parts of a score, in the order in which they are kept everywhere.
pub const PARTS: [&str; 6] = ["goals", "interests", "industry", "roles", "background", "graph"];

/// How a match is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// Everything that is known, weighed.
    #[default]
    Hybrid,
    /// What one looks for and the other offers.
    Goals,
    /// What both care about.
    Interests,
    /// Whom both know.
    Graph,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Hybrid, Self::Goals, Self::Interests, Self::Graph];

    /// The algorithm with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or_else(|| {
            Error::invalid(
                format!("unknown matching algorithm \"{name}\""),
                "There are four: hybrid, goal_based, interest_based, graph_based.",
                "Use hybrid unless one source alone is wanted.",
            )
        })
    }

    /// The name SQL callers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Goals => "goal_based",
            Self::Interests => "interest_based",
            Self::Graph => "graph_based",
        }
    }

    /// What each part counts; the hybrid's are the event's.
    #[must_use]
    pub fn weights(self, hybrid: Weights) -> Weights {
        match self {
            Self::Hybrid => hybrid,
            Self::Goals => Weights([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            Self::Interests => Weights([0.0, 0.75, 0.25, 0.0, 0.0, 0.0]),
            Self::Graph => Weights([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        }
    }
}

/// The share of each of [`PARTS`] in a score: not negative, adding up to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights(pub [f64; 6]);

impl Default for Weights {
    fn default() -> Self {
        Self([0.45, 0.25, 0.10, 0.10, 0.05, 0.05])
    }
}

impl Weights {
    /// Reads `{"goals": 0.45, ...}`; a part that is missing counts nothing, and the rest is scaled to
    /// add up to one.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key: unknown, not a finite number, negative, or all zero.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(refused("weights", "it is not an object of the parts"));
        };
        if let Some(key) = map.keys().find(|key| !PARTS.contains(&key.as_str())) {
            return Err(refused(key, "there is no such part"));
        }
        let mut weights = [0.0; 6];
        for (weight, part) in weights.iter_mut().zip(PARTS) {
            let Some(value) = map.get(part) else { continue };
            let number = value.as_f64().filter(|number| number.is_finite());
            *weight = number.ok_or_else(|| refused(part, "it is not a number"))?;
            if *weight < 0.0 {
                return Err(refused(part, "it is negative"));
            }
        }
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return Err(refused("weights", "all of them are zero"));
        }
        // By the largest first, so that no sum overflows.
        let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
        Ok(Self(weights.map(|weight| weight / largest / sum)))
    }
}

fn refused(key: &str, why: &str) -> Error {
    Error::invalid(
        format!("weights are not usable at \"{key}\""),
        format!("The value at \"{key}\" was refused because {why}."),
        format!("Use numbers from zero up for {}.", PARTS.join(", ")),
    )
}
