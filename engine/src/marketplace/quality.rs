//! The quality of events, 0 to 100, from five parts between 0 and 1.
//!
//! `quality = 100 (.25 completeness + .25 engagement + .20 conversion + .15 social proof + .15 history)`.
//! A part of which nothing is known is null and counts as the middle, 0.5: it speaks neither for the
//! event nor against it. So a new event that is well described is good and not perfect, and what
//! becomes known moves it from there.

use std::collections::HashMap;
use std::hash::Hash;

/// The parts, in the order of everything here.
pub const PARTS: [&str; 5] =
    ["completeness", "engagement", "conversion", "social_proof", "history"];
/// What they count; together 1.
pub const WEIGHTS: [f64; 5] = [0.25, 0.25, 0.20, 0.15, 0.15];
/// What an unknown part counts as, and the event before the first one.
const MIDDLE: f64 = 0.5;
/// How many things an event is described by.
pub const DESCRIBED_OF: i32 = 10;
/// The share of buyers among those who looked that is worth a half.
const HALF_CONVERSION: f64 = 0.05;
/// The mentions that are worth a half.
const HALF_MENTIONS: f64 = 100.0;
/// Scores have two places, parts six.
const SCORE: f64 = 100.0;
const PART: f64 = 1e6;

/// What is known of an event. `O` tells organizations apart; times are in any unit that grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<O> {
    /// Whose it is.
    pub organization: O,
    /// When it begins, where it says so.
    pub start: Option<i64>,
    /// When it ended: only of events that are over.
    pub ended: Option<i64>,
    /// How many of the [`DESCRIBED_OF`] things that describe an event are there.
    pub described: i32,
    /// 0 to 1.
    pub engagement: Option<f64>,
    /// Buyers among those who looked, 0 to 1.
    pub conversion_rate: Option<f64>,
    /// How often it was mentioned; `None` where nobody counted.
    pub mentions: Option<i32>,
    /// -1 to 1, of the mentions.
    pub sentiment: Option<f64>,
}

/// The quality of an event as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// 0 to 100, to two places.
    pub score: f64,
    /// The parts in the order of [`PARTS`], to six places; `None`: nothing to compute it from.
    pub parts: [Option<f64>; 5],
    /// The share of the weights whose parts are known.
    pub coverage: f64,
}

fn saturated(value: f64, half: f64) -> f64 {
    let value = value.max(0.0);
    value / (value + half)
}

fn rounded(value: f64, to: f64) -> f64 {
    (value * to).round() / to
}

impl<O> Event<O> {
    fn completeness(&self) -> f64 {
        f64::from(self.described.clamp(0, DESCRIBED_OF)) / f64::from(DESCRIBED_OF)
    }

    fn engagement(&self) -> Option<f64> {
        self.engagement.map(|share| share.clamp(0.0, 1.0))
    }

    fn conversion(&self) -> Option<f64> {
        self.conversion_rate.map(|rate| saturated(rate, HALF_CONVERSION))
    }

    /// How much is said of it and, where that is known, how well.
    fn social_proof(&self) -> Option<f64> {
        let volume = saturated(f64::from(self.mentions?), HALF_MENTIONS);
        Some(match self.sentiment {
            Some(mood) => f64::midpoint(volume, f64::midpoint(1.0, mood.clamp(-1.0, 1.0))),
            None => volume,
        })
    }

    /// How an event went that is over: the mean of engagement and conversion, of those that are known.
    fn outcome(&self) -> Option<f64> {
        match (self.engagement(), self.conversion()) {
            (Some(engagement), Some(conversion)) => Some(f64::midpoint(engagement, conversion)),
            (one, other) => one.or(other),
        }
    }
}

/// How the events of one organization went, by the time they ended.
#[derive(Default)]
struct Past {
    ended: Vec<i64>,
    /// Sum of the outcomes of the first so many.
    sums: Vec<f64>,
}

impl Past {
    fn new(mut outcomes: Vec<(i64, f64)>) -> Self {
        outcomes.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut past = Self { ended: Vec::with_capacity(outcomes.len()), sums: vec![0.0] };
        let mut sum = 0.0;
        for (at, outcome) in outcomes {
            sum += outcome;
            past.ended.push(at);
            past.sums.push(sum);
        }
        past
    }

    /// The mean over the events that ended by then and one more in the middle, so that a single event
    /// does not settle it.
    fn history(&self, by: Option<i64>) -> Option<f64> {
        let count = match by {
            Some(by) => self.ended.partition_point(|ended| *ended <= by),
            None => self.ended.len(),
        };
        #[allow(clippy::cast_precision_loss)] // Nobody holds 2^53 events.
        (count > 0).then(|| (self.sums[count] + MIDDLE) / (count as f64 + 1.0))
    }
}

/// The qualities of events, in their order. All events of their organizations that are over have to be
/// among them: they are the history of the others.
pub fn qualities<O: Copy + Eq + Hash>(events: &[Event<O>]) -> Vec<Quality> {
    let mut outcomes: HashMap<O, Vec<(i64, f64)>> = HashMap::new();
    for event in events {
        if let (Some(ended), Some(outcome)) = (event.ended, event.outcome()) {
            outcomes.entry(event.organization).or_default().push((ended, outcome));
        }
    }
    let past: HashMap<O, Past> =
        outcomes.into_iter().map(|(whose, outcomes)| (whose, Past::new(outcomes))).collect();
    events
        .iter()
        .map(|event| {
            // An event that does not say when it begins comes after all. One that is over and does not
            // say when it began, or not when it ended, is not its own history.
            let before = event.ended.map(|ended| ended.saturating_sub(1));
            let by = match (event.start, before) {
                (Some(start), Some(before)) => Some(start.min(before)),
                (start, before) => start.or(before),
            };
            let history = past.get(&event.organization).and_then(|past| past.history(by));
            quality([
                Some(event.completeness()),
                event.engagement(),
                event.conversion(),
                event.social_proof(),
                history,
            ])
        })
        .collect()
}

fn quality(parts: [Option<f64>; 5]) -> Quality {
    let score: f64 =
        WEIGHTS.iter().zip(parts).map(|(weight, part)| weight * part.unwrap_or(MIDDLE)).sum();
    let known: f64 = WEIGHTS
        .iter()
        .zip(parts)
        .filter(|(_, part)| part.is_some())
        .map(|(weight, _)| weight)
        .sum();
    Quality {
        score: rounded(100.0 * score, SCORE),
        parts: parts.map(|part| part.map(|part| rounded(part, PART))),
        coverage: rounded(known, PART),
    }
}
