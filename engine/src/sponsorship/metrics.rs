//! A fit as it is stored and shown.

use std::fmt::Write;

use super::fit::Fit;
use super::weights::Weights;

/// Decimals of a stored score.
const SCORE: f64 = 1e6;
/// Decimals of a part: enough that parts times weights give the score to its last decimal.
const PART: f64 = 1e12;

/// Half goes up, also where binary fractions put it a hair below.
fn rounded(value: f64, to: f64) -> f64 {
    (value * to + 0.5 + 1e-6).floor() / to
}

/// A part as it is shown.
pub(super) fn part(value: f64) -> f64 {
    rounded(value, PART)
}

impl Fit {
    /// The score as it is stored: six decimals.
    #[must_use]
    pub fn stored_score(&self) -> f64 {
        rounded(self.score, SCORE)
    }

    /// `overlap_metrics` as JSON text: the parts, the weights, what each part brings to the score,
    /// and how much of the score's weight rests on data.
    #[must_use]
    pub fn metrics(&self, weights: &Weights) -> String {
        let parts = self.parts();
        let mut text = String::with_capacity(640);
        let number = |text: &mut String, key: &str, value: f64| {
            // Writing to a string does not fail.
            let _ = write!(text, "\"{key}\": {}, ", rounded(value, PART));
        };
        let list = |text: &mut String, key: &str, values: [f64; 5]| {
            let _ = write!(text, "\"{key}\": {{");
            for (key, value) in Weights::KEYS.iter().zip(values) {
                number(text, key, value);
            }
            text.truncate(text.len() - 2);
            text.push_str("}, ");
        };
        text.push('{');
        number(&mut text, "budget_fit", self.budget_fit);
        text.push_str("\"audience_overlap\": {");
        number(&mut text, "categories", self.category_overlap);
        number(&mut text, "geo", self.geo_overlap);
        text.truncate(text.len() - 2);
        text.push_str("}, ");
        number(&mut text, "geo_fit", self.geo_fit);
        number(&mut text, "engagement_quality", self.engagement_quality);
        number(&mut text, "objectives_similarity", self.objectives_similarity);
        let weights = weights.to_array();
        list(&mut text, "weights", weights);
        list(&mut text, "contributions", std::array::from_fn(|i| weights[i] * parts[i]));
        number(&mut text, "coverage", self.coverage);
        text.truncate(text.len() - 2);
        text.push('}');
        text
    }
}
