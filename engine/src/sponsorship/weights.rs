//! How much each part counts.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// How far the sum of weights may be from one: what sums of decimals lose in binary.
const TOLERANCE: f64 = 1e-9;

/// The share of each part in a score; together they are 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the sponsor's budget.
    pub budget_fit: f64,
    /// Of categories and regions that both name.
    pub audience_overlap: f64,
    /// Of the audience that lives in the sponsor's regions.
    pub geo_fit: f64,
    /// Of how engaged the audience is.
    pub engagement_quality: f64,
    /// Of how near objectives and event are in meaning.
    pub objectives_similarity: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            budget_fit: 0.25,
            audience_overlap: 0.35,
            geo_fit: 0.15,
            engagement_quality: 0.15,
            objectives_similarity: 0.10,
        }
    }
}

impl Weights {
    /// The parts by the names that `overlap_metrics` has.
    pub const KEYS: [&'static str; 5] = [
        "budget_fit",
        "audience_overlap",
        "geo_fit",
        "engagement_quality",
        "objectives_similarity",
    ];

    /// The weights in the order of [`Self::KEYS`].
    #[must_use]
    pub const fn to_array(self) -> [f64; 5] {
        [
            self.budget_fit,
            self.audience_overlap,
            self.geo_fit,
            self.engagement_quality,
            self.objectives_similarity,
        ]
    }

    /// Reads `{"budget_fit": 0.25, ...}`. A part that is left out counts nothing; together they must
    /// be 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key: unknown, no number, negative; or the sum.
    pub fn from_json(value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(refused("weights are not an object of parts".into()));
        };
        let mut numbers = [0.0; Self::KEYS.len()];
        for (key, value) in map {
            let Some(at) = Self::KEYS.iter().position(|known| known == key) else {
                return Err(refused(format!(
                    "weights name {key:?}, which is no part of the score"
                )));
            };
            let number = value.as_f64().filter(|number| number.is_finite());
            numbers[at] =
                number.ok_or_else(|| refused(format!("the weight of {key} is no number")))?;
            if numbers[at] < 0.0 {
                return Err(refused(format!("the weight of {key} is negative: {}", numbers[at])));
            }
        }
        let sum: f64 = numbers.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE {
            return Err(refused(format!("weights must add up to 1, not {sum}")));
        }
        let [budget_fit, audience_overlap, geo_fit, engagement_quality, objectives_similarity] =
            numbers;
        Ok(Self {
            budget_fit,
            audience_overlap,
            geo_fit,
            engagement_quality,
            objectives_similarity,
        })
    }

    /// The weights as a document.
    #[must_use]
    pub fn to_json(self) -> Value {
        let entries = Self::KEYS.into_iter().zip(self.to_array());
        Value::Object(
            entries.map(|(key, weight)| (key.to_owned(), json!(weight))).collect::<Map<_, _>>(),
        )
    }
}

fn refused(message: String) -> Error {
    Error::invalid(
        message,
        "",
        format!(
            "Use an object of numbers from zero up for any of {}, which add up to 1.",
            Weights::KEYS.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_must_add_up_to_one() {
        assert_eq!(Weights::from_json(&Weights::default().to_json()).unwrap(), Weights::default());
        let alone = Weights::from_json(&json!({"geo_fit": 1})).unwrap();
        assert_eq!(alone.to_json()["geo_fit"], json!(1.0));
        assert_eq!(alone.to_json()["budget_fit"], json!(0.0));
        // Ten tenths are not one in binary, but near enough.
        let tenths = json!({"budget_fit": 0.1, "audience_overlap": 0.2, "geo_fit": 0.3, "engagement_quality": 0.4});
        assert!(Weights::from_json(&tenths).is_ok());
        for (value, says) in [
            (json!({"budget_fit": 0.5}), "0.5"),
            (json!({"budget_fit": 1.5, "geo_fit": -0.5}), "negative"),
            (json!({"budget_fit": "1"}), "budget_fit"),
            (json!({"budget_fit": null}), "budget_fit"),
            (json!({"budget": 1}), "\"budget\""),
            (json!({}), "add up"),
            (json!([1]), "object"),
        ] {
            let error = Weights::from_json(&value).unwrap_err();
            assert_eq!(error.sqlstate(), "22023");
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
