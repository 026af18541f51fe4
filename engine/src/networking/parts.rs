//! The parts of a score as they are kept: weights times parts add up to the score.

use std::fmt::Write;

use super::algorithm::{Algorithm, PARTS};
use super::score::{Pair, Scorer};

/// Decimals of a part.
pub const PART_DECIMALS: u32 = 6;
/// Units of its last decimal in 1.
const UNITS: u32 = 10u32.pow(PART_DECIMALS);

/// A part of a score, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// One of [`PARTS`], or "unknown".
    pub name: &'static str,
    /// What it counts.
    pub weight: u32,
    /// What it gives the first.
    pub of: u32,
    /// What it gives the second.
    pub to: u32,
}

fn units(share: f64) -> u32 {
    (share * f64::from(UNITS)).round() as u32
}

/// A share with as many decimals as it has.
fn number(units: u32, text: &mut String) {
    let _ = write!(text, "{}.{:06}", units / UNITS, units % UNITS);
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
}

impl Scorer<'_> {
    /// The parts that are known; what is not known stands as "unknown" with the event's mean.
    #[must_use]
    pub fn parts(&self, pair: &Pair) -> Vec<Part> {
        let weights = self.weights();
        let part = |name, weight: f64, of, to| {
            let weight = units(weight * pair.factor);
            Part { name, weight, of: units(of), to: units(to) }
        };
        let known = (0..PARTS.len()).filter(|at| pair.known[*at] && weights[*at] > 0.0);
        let mut parts: Vec<Part> = known
            .map(|at| part(PARTS[at], weights[at], pair.parts_of[at], pair.parts_to[at]))
            .collect();
        let unknown = 1.0 - pair.coverage;
        if self.algorithm() == Algorithm::Hybrid && unknown > 1e-12 {
            parts.push(part("unknown", unknown, self.mean(), self.mean()));
        }
        parts
    }

    /// [`Scorer::parts`] as JSON: `{"goals": {"weight": 0.45, "<first>": 1, "<second>": 0.5}, ...}`.
    #[must_use]
    pub fn parts_json(&self, pair: &Pair, first: &str, second: &str) -> String {
        let mut text = String::with_capacity(320);
        text.push('{');
        for part in self.parts(pair) {
            let comma = if text.len() > 1 { "," } else { "" };
            let _ = write!(text, "{comma}\"{}\":{{\"weight\":", part.name);
            number(part.weight, &mut text);
            let _ = write!(text, ",\"{first}\":");
            number(part.of, &mut text);
            let _ = write!(text, ",\"{second}\":");
            number(part.to, &mut text);
            text.push('}');
        }
        text.push('}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_decimals_that_they_have() {
        let shown = |share| {
            let mut text = String::from("0,");
            number(units(share), &mut text);
            text
        };
        let shares =
            [(0.0, "0"), (1.0, "1"), (0.45, "0.45"), (0.1, "0.1"), (0.000_001_4, "0.000001")];
        for (share, expected) in
            [(1.0 / 3.0, "0.333333"), (2.0 / 3.0, "0.666667")].into_iter().chain(shares)
        {
            assert_eq!(shown(share), format!("0,{expected}"));
        }
    }
}
