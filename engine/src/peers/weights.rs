//! How much each criterion counts.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The share of each criterion in a score; together they are 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of what they want to talk about.
    pub focus: f64,
    /// Of the distance of their markets.
    pub geographic: f64,
    /// Of their size.
    pub scale: f64,
    /// Of their trade.
    pub industry: f64,
    /// Of years in business.
    pub years: f64,
    /// Of the tools they use.
    pub tools: f64,
    /// Of their DISC styles.
    pub disc: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            focus: 0.40,
            geographic: 0.25,
            scale: 0.20,
            industry: 0.15,
            years: 0.0,
            tools: 0.0,
            disc: 0.0,
        }
    }
}

impl Weights {
    /// The criteria by the names that `match_criteria` has.
    pub const KEYS: [&'static str; 7] = [
        "focusAreas",
        "geographic",
        "businessScale",
        "industry",
        "yearsInBusiness",
        "technologyStack",
        "discStyle",
    ];

    /// The weights in the order of [`Self::KEYS`].
    #[must_use]
    pub fn to_array(self) -> [f64; 7] {
        [self.focus, self.geographic, self.scale, self.industry, self.years, self.tools, self.disc]
    }

    fn from_array([focus, geographic, scale, industry, years, tools, disc]: [f64; 7]) -> Self {
        Self { focus, geographic, scale, industry, years, tools, disc }
    }

    /// Whether more than the four usual criteria count.
    #[must_use]
    #[inline]
    pub fn beyond_the_four(&self) -> bool {
        self.years > 0.0 || self.tools > 0.0 || self.disc > 0.0
    }

    /// Reads `{"focusAreas": 0.4, ...}`. A criterion that is left out keeps its usual number; all
    /// are then divided by their sum.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key: unknown, not a finite number, negative, or all zero.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(refused("weights", "it is not an object of criteria"));
        };
        let mut numbers = Self::default().to_array();
        for (key, value) in map {
            let Some(at) = Self::KEYS.iter().position(|known| known == key) else {
                return Err(refused(key, "there is no such criterion"));
            };
            let number = value.as_f64().filter(|number| number.is_finite());
            numbers[at] = number.ok_or_else(|| refused(key, "it is not a number"))?;
            if numbers[at] < 0.0 {
                return Err(refused(key, "it is negative"));
            }
            if numbers[at] > 1e6 {
                return Err(refused(key, "it is above a million"));
            }
        }
        let sum: f64 = numbers.iter().sum();
        if sum <= 0.0 {
            return Err(refused("weights", "all weights are zero"));
        }
        // Weights that add up to one but for the last digit are taken as they are.
        if (sum - 1.0).abs() > 1e-12 {
            numbers = numbers.map(|number| number / sum);
        }
        Ok(Self::from_array(numbers))
    }

    /// The weights as a document, those of zero left out.
    #[must_use]
    pub fn to_json(self) -> Value {
        let weighted = Self::KEYS.into_iter().zip(self.to_array()).filter(|(_, w)| *w > 0.0);
        Value::Object(weighted.map(|(key, weight)| (key.to_owned(), rounded(weight))).collect())
    }
}

impl super::Parts {
    /// `match_criteria`: the four parts, and with other weights than the usual ones also the further
    /// parts that count, and the weights.
    #[must_use]
    pub fn to_json(&self, weights: &Weights) -> Value {
        let values = [
            self.focus,
            self.geographic,
            self.scale,
            self.industry,
            self.years,
            self.tools,
            self.disc,
        ];
        let mut map = Map::new();
        for ((at, key), value) in Weights::KEYS.into_iter().enumerate().zip(values) {
            if at < 4 || weights.to_array()[at] > 0.0 {
                map.insert(key.to_owned(), rounded(value));
            }
        }
        if *weights != Weights::default() {
            map.insert("weights".to_owned(), weights.to_json());
        }
        Value::Object(map)
    }
}

/// Four decimals, as scores are stored.
fn rounded(value: f64) -> Value {
    json!(f64::from(super::ten_thousandths(value)) / 1e4)
}

fn refused(key: &str, why: &str) -> Error {
    Error::invalid(
        format!("weights are not usable at \"{key}\""),
        format!("The value at \"{key}\" was refused because {why}."),
        format!("Use an object of numbers from zero up for any of {}.", Weights::KEYS.join(", ")),
    )
}
