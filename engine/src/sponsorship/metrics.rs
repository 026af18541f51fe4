//! A fit as it is stored and shown.

use std::fmt::Write;

use super::fit::Fit;
use super::weights::Weights;

/// Decimals of a stored score.
const SCORE: f64 = 1e6;
/// Decimals of a part: enough that parts times weights give the score to its last decimal.
const PART: f64 = 1e12;

/// Half goes up, also where binary fractions put it a hair below.
fn units(value: f64, to: f64) -> f64 {
    (value * to + 0.5 + 1e-6).floor()
}

/// A part as it is shown.
pub(super) fn part(value: f64) -> f64 {
    units(value, PART) / PART
}

/// What stands under a key of `overlap_metrics`.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A number.
    Number(f64),
    /// Numbers under keys of their own.
    Group(&'static [&'static str], [f64; 5]),
}

impl Part {
    /// A part as it is kept: in trillionths.
    #[must_use]
    pub fn trillionths(value: f64) -> i64 {
        units(value, PART) as i64
    }
}

/// Keys of the two overlaps.
const OVERLAPS: [&str; 2] = ["categories", "geo"];

impl Fit {
    /// The score as it is stored: six decimals.
    #[must_use]
    pub fn stored_score(&self) -> f64 {
        units(self.score, SCORE) / SCORE
    }

    /// The stored score in millionths.
    #[must_use]
    pub fn millionths(&self) -> i64 {
        units(self.score, SCORE) as i64
    }

    /// `overlap_metrics`, key by key: the parts, the weights, what each part brings to the score, and
    /// how much of the score's weight rests on data.
    #[must_use]
    pub fn outline(&self, weights: &Weights) -> [(&'static str, Part); 8] {
        let (parts, weights) = (self.parts(), weights.to_array());
        let contributions = std::array::from_fn(|i| weights[i] * parts[i]);
        let overlaps = [self.category_overlap, self.geo_overlap, 0.0, 0.0, 0.0];
        [
            ("budget_fit", Part::Number(self.budget_fit)),
            ("audience_overlap", Part::Group(&OVERLAPS, overlaps)),
            ("geo_fit", Part::Number(self.geo_fit)),
            ("engagement_quality", Part::Number(self.engagement_quality)),
            ("objectives_similarity", Part::Number(self.objectives_similarity)),
            ("weights", Part::Group(&Weights::KEYS, weights)),
            ("contributions", Part::Group(&Weights::KEYS, contributions)),
            ("coverage", Part::Number(self.coverage)),
        ]
    }

    /// [`Self::outline`] as JSON text.
    #[must_use]
    pub fn metrics(&self, weights: &Weights) -> String {
        let mut text = String::with_capacity(640);
        // Writing to a string does not fail.
        let number = |text: &mut String, key: &str, value: f64| {
            let _ = write!(text, "\"{key}\": {}, ", part(value));
        };
        text.push('{');
        for (key, part) in self.outline(weights) {
            match part {
                Part::Number(value) => number(&mut text, key, value),
                Part::Group(keys, values) => {
                    let _ = write!(text, "\"{key}\": {{");
                    for (key, value) in keys.iter().zip(values) {
                        number(&mut text, key, value);
                    }
                    text.truncate(text.len() - 2);
                    text.push_str("}, ");
                }
            }
        }
        text.truncate(text.len() - 2);
        text.push('}');
        text
    }
}
