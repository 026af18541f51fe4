//! How much each source counts, by how much is known of the person.

use serde_json::Value;

use crate::error::{Error, Result};

/// Interactions at which [`WeightSet::few`] holds exactly.
const FEW: f64 = 3.0;
/// Interactions from which [`WeightSet::many`] holds.
const MANY: f64 = 40.0;

/// The share of each source in a score. Not negative; they need not add up to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Likeness to what the person liked.
    pub content: f64,
    /// Agreement with what they stated.
    pub topics: f64,
    /// What people with a similar history chose.
    pub collaborative: f64,
    /// What everybody chose.
    pub popularity: f64,
}

impl Weights {
    const KEYS: [&'static str; 4] = ["content", "topics", "collaborative", "popularity"];

    /// Weights from the four numbers in the order content, topics, collaborative, popularity.
    #[must_use]
    pub const fn new(content: f64, topics: f64, collaborative: f64, popularity: f64) -> Self {
        Self { content, topics, collaborative, popularity }
    }

    pub(crate) fn to_array(self) -> [f64; 4] {
        [self.content, self.topics, self.collaborative, self.popularity]
    }

    fn from_array([content, topics, collaborative, popularity]: [f64; 4]) -> Self {
        Self { content, topics, collaborative, popularity }
    }

    /// The same weights over the sources that are there, adding up to one. Popularity alone where
    /// none of the weighted ones is.
    #[must_use]
    pub(crate) fn over(self, present: [bool; 4]) -> Self {
        let mut kept = self.to_array();
        for (weight, there) in kept.iter_mut().zip(present) {
            if !there {
                *weight = 0.0;
            }
        }
        let sum: f64 = kept.iter().sum();
        if sum <= 0.0 {
            return Self::new(0.0, 0.0, 0.0, 1.0);
        }
        Self::from_array(kept.map(|weight| weight / sum))
    }

    fn between(a: Self, b: Self, share: f64) -> Self {
        let (a, b) = (a.to_array(), b.to_array());
        Self::from_array(std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share))
    }

    fn from_json(anchor: &str, value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(refused(anchor, "it is not an object of the four sources"));
        };
        if let Some(key) = map.keys().find(|key| !Self::KEYS.contains(&key.as_str())) {
            return Err(refused(&format!("{anchor}.{key}"), "there is no such source"));
        }
        let mut numbers = [0.0; 4];
        for (number, key) in numbers.iter_mut().zip(Self::KEYS) {
            let Some(value) = map.get(key) else { continue };
            let path = format!("{anchor}.{key}");
            let parsed = value.as_f64().filter(|n| n.is_finite());
            *number = parsed.ok_or_else(|| refused(&path, "it is not a number"))?;
            if *number < 0.0 {
                return Err(refused(&path, "it is negative"));
            }
        }
        if numbers.iter().all(|n| *n == 0.0) {
            return Err(refused(anchor, "all its weights are zero"));
        }
        Ok(Self::from_array(numbers))
    }
}

/// Weights for a newcomer, for somebody with a few interactions and for a regular.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightSet {
    /// No interaction yet, topics stated.
    pub none: Weights,
    /// Three interactions.
    pub few: Weights,
    /// Forty interactions or more.
    pub many: Weights,
}

impl Default for WeightSet {
    fn default() -> Self {
        Self {
            none: Weights::new(0.0, 0.6, 0.0, 0.4),
            few: Weights::new(0.45, 0.2, 0.2, 0.15),
            many: Weights::new(0.35, 0.1, 0.5, 0.05),
        }
    }
}

impl WeightSet {
    /// Reads `{"none": {..}, "few": {..}, "many": {..}}`. A missing anchor keeps its default, a
    /// missing source within an anchor counts zero.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key: unknown, not a finite number, negative, or all zero.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(refused("weights", "it is not an object of none, few and many"));
        };
        let mut set = Self::default();
        for (key, value) in map {
            let anchor = match key.as_str() {
                "none" => &mut set.none,
                "few" => &mut set.few,
                "many" => &mut set.many,
                _ => return Err(refused(key, "it is none of none, few and many")),
            };
            *anchor = Weights::from_json(key, value)?;
        }
        Ok(set)
    }

    /// The weights for somebody with this many interactions: linear in ln(1 + n) between the
    /// anchors at 0, 3 and 40, constant after that.
    #[must_use]
    pub fn blend(&self, interactions: usize) -> Weights {
        let at = (interactions as f64).ln_1p();
        let (few, many) = (FEW.ln_1p(), MANY.ln_1p());
        if at <= few {
            Weights::between(self.none, self.few, at / few)
        } else {
            Weights::between(self.few, self.many, ((at - few) / (many - few)).min(1.0))
        }
    }
}

fn refused(key: &str, why: &str) -> Error {
    Error::invalid(
        format!("weights are not usable at \"{key}\""),
        format!("The value at \"{key}\" was refused because {why}."),
        "Use {\"none\": {..}, \"few\": {..}, \"many\": {..}} with numbers from zero up for \
         content, topics, collaborative and popularity.",
    )
}
