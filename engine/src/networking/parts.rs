//! The parts of a score as JSON: weights times parts add up to the score.

use std::fmt::Write;

use super::algorithm::{Algorithm, PARTS};
use super::score::{Pair, Scorer};

/// A share with six decimals at most.
fn number(value: f64, text: &mut String) {
    let mut digits = format!("{value:.6}");
    while digits.ends_with('0') {
        digits.pop();
    }
    text.push_str(digits.trim_end_matches('.'));
}

impl Scorer<'_> {
    /// `{"goals": {"weight": 0.45, "<first>": 1, "<second>": 0.5}, ...}` with the parts that are
    /// known; what is not known stands as "unknown" with the event's mean.
    #[must_use]
    pub fn parts_json(&self, pair: &Pair, first: &str, second: &str) -> String {
        let weights = self.weights();
        let mut text = String::with_capacity(320);
        text.push('{');
        let mut part = |name: &str, weight: f64, of: f64, to: f64| {
            let comma = if text.len() > 1 { "," } else { "" };
            let _ = write!(text, "{comma}\"{name}\":{{\"weight\":");
            number(weight * pair.factor, &mut text);
            let _ = write!(text, ",\"{first}\":");
            number(of, &mut text);
            let _ = write!(text, ",\"{second}\":");
            number(to, &mut text);
            text.push('}');
        };
        for at in 0..PARTS.len() {
            if pair.known[at] && weights[at] > 0.0 {
                part(PARTS[at], weights[at], pair.parts_of[at], pair.parts_to[at]);
            }
        }
        let unknown = 1.0 - pair.coverage;
        if self.algorithm() == Algorithm::Hybrid && unknown > 1e-12 {
            part("unknown", unknown, self.mean(), self.mean());
        }
        text.push('}');
        text
    }
}
