//! What is known of one person: what they did, what they said they want, what they refused.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

const MICROS_PER_DAY: f64 = 86_400_000_000.0;
const ATTENDED: f32 = 1.0;
const BOOKMARKED: f32 = 0.8;
const BROWSED: f32 = 0.2;
/// The rating that says neither yes nor no.
const NEUTRAL_RATING: f32 = 3.0;

/// What a person did with a session.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Looked at its page.
    Browsed,
    /// Put it on their list.
    Bookmarked,
    /// Was there.
    Attended,
    /// Gave it one to five stars.
    Rated,
}

impl Kind {
    /// Every kind, weakest first.
    pub const ALL: [Self; 4] = [Self::Browsed, Self::Bookmarked, Self::Attended, Self::Rated];

    /// The kind with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            Error::invalid(
                format!("unknown kind of interaction \"{name}\""),
                "An interaction is browsed, bookmarked, attended or rated.",
                "Pass one of these four.",
            )
        })
    }

    /// The name of this kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browsed => "browsed",
            Self::Bookmarked => "bookmarked",
            Self::Attended => "attended",
            Self::Rated => "rated",
        }
    }
}

/// One line of a person's ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Index of the session.
    pub session: u32,
    /// What happened.
    pub kind: Kind,
    /// The stars of a rating; nothing else has a value.
    pub value: Option<f32>,
    /// When, in microseconds since the epoch.
    pub at: i64,
}

/// One person as the recommender sees them.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// Topics they said they care about.
    pub topics: Vec<String>,
    /// Session formats they like.
    pub formats: Vec<String>,
    /// Industries they work in.
    pub industries: Vec<String>,
    /// beginner, intermediate, advanced or expert.
    pub skill: Option<String>,
    /// What they did.
    pub signals: Vec<Signal>,
    /// Sessions they do not want to be shown again.
    pub dismissed: Vec<u32>,
    /// Their stated topics as a vector, one per embedding model that has an embedder.
    pub topic_vectors: Vec<(String, Vec<f32>)>,
}

/// One row of the item-item weights: the strongest neighbours of a session of the person's taste.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Neighbours {
    /// The session of the taste.
    pub source: u32,
    /// Sessions it speaks for.
    pub to: Vec<u32>,
    /// How strongly, parallel to `to`.
    pub weight: Vec<f32>,
}

/// One session of a taste, and the deed that put it there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liking {
    pub session: u32,
    pub signal: f32,
    pub kind: Kind,
}

/// A person's taste: one signed weight per session they had to do with, ascending by session.
///
/// Attended counts 1, bookmarked 0.8, browsed 0.2, and of several the largest. A rating counts
/// (stars - 3) / 2 and replaces all of them: a hated session does not attract because somebody
/// sat through it. With a half-life a signal fades by its age at `now`. What comes to exactly
/// zero is left out.
#[must_use]
pub fn taste_signals(signals: &[Signal], half_life_days: Option<f64>, now: i64) -> Vec<(u32, f32)> {
    likings(signals, half_life_days, now).into_iter().map(|l| (l.session, l.signal)).collect()
}

/// [`taste_signals`] with the kind that decided each.
pub(crate) fn likings(signals: &[Signal], half_life_days: Option<f64>, now: i64) -> Vec<Liking> {
    let mut ordered: Vec<(Liking, i64)> = signals
        .iter()
        .filter_map(|s| {
            let signal = strength(s)? * faded(s.at, half_life_days, now);
            Some((Liking { session: s.session, signal, kind: s.kind }, s.at))
        })
        .collect();
    // The one that decides comes first in its session: a rating, the latest; else the largest.
    ordered.sort_by(|(a, at_a), (b, at_b)| {
        let rated = |l: &Liking| l.kind == Kind::Rated;
        let newest = if rated(a) && rated(b) { at_b.cmp(at_a) } else { std::cmp::Ordering::Equal };
        a.session
            .cmp(&b.session)
            .then(rated(b).cmp(&rated(a)))
            .then(newest)
            .then(b.signal.total_cmp(&a.signal))
            .then(b.kind.cmp(&a.kind))
    });
    ordered.dedup_by_key(|(liking, _)| liking.session);
    ordered.into_iter().map(|(liking, _)| liking).filter(|l| l.signal != 0.0).collect()
}

fn strength(signal: &Signal) -> Option<f32> {
    match signal.kind {
        Kind::Attended => Some(ATTENDED),
        Kind::Bookmarked => Some(BOOKMARKED),
        Kind::Browsed => Some(BROWSED),
        Kind::Rated => signal
            .value
            .filter(|v| v.is_finite())
            .map(|v| (v.clamp(1.0, 5.0) - NEUTRAL_RATING) / 2.0),
    }
}

/// The share of a signal that is left at `now`; what lies in the future has not faded.
fn faded(at: i64, half_life_days: Option<f64>, now: i64) -> f32 {
    match half_life_days {
        Some(days) if days > 0.0 => {
            let age = now.saturating_sub(at).max(0) as f64 / MICROS_PER_DAY;
            (-age / days).exp2() as f32
        }
        _ => 1.0,
    }
}
