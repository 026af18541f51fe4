//! The criteria of a match, each from 0 to 1, and what follows from their sum.

use super::disc::Disc;
use super::places::Separation;
use super::weights::Weights;
use crate::pairs::TOLERANCE;

/// How well two contractors fit, by criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// What they want to talk about.
    pub focus: f64,
    /// How far their markets are apart.
    pub geographic: f64,
    /// How alike they are in size.
    pub scale: f64,
    /// How much of their trade they share.
    pub industry: f64,
    /// How alike they are in years in business; counts with a weight of its own only.
    pub years: f64,
    /// Tools they share; counts with a weight of its own only.
    pub tools: f64,
    /// How well their styles go together; counts with a weight of its own only.
    pub disc: f64,
}

/// What is unknown is neither for nor against.
const UNKNOWN: f64 = 0.5;
/// Services of one family are half the same trade.
const SAME_FAMILY: f64 = 0.5;

impl Parts {
    /// The weighted sum.
    #[must_use]
    #[inline]
    pub fn score(&self, weights: &Weights) -> f64 {
        let sum = weights.focus * self.focus
            + weights.geographic * self.geographic
            + weights.scale * self.scale
            + weights.industry * self.industry;
        if !weights.beyond_the_four() {
            return sum;
        }
        sum + weights.years * self.years + weights.tools * self.tools + weights.disc * self.disc
    }
}

/// Shared over all: |A and B| / |A or B|, 0 where both are empty.
#[inline]
pub(super) fn jaccard(common: u32, a: u32, b: u32) -> f64 {
    let all = a + b - common;
    if all == 0 { 0.0 } else { f64::from(common) / f64::from(all) }
}

/// How far two markets are apart.
#[inline]
pub(super) fn geographic(separation: Separation) -> f64 {
    match separation {
        Separation::States => 1.0,
        Separation::Cities | Separation::Unknown => 0.5,
        Separation::None => 0.2,
    }
}

/// The mean of how close revenue and team size are; of one where the other is unknown. Tiers are
/// counted from 1, and 0 is unknown, as is a team of 0.
#[inline]
pub(super) fn scale(tiers: (u8, u8), teams: (u32, u32)) -> f64 {
    let revenue = tiers.0 != 0 && tiers.1 != 0;
    let team = teams.0 != 0 && teams.1 != 0;
    match (revenue, team) {
        (true, true) => f64::midpoint(revenue_closeness(tiers), team_closeness(teams)),
        (true, false) => revenue_closeness(tiers),
        (false, true) => team_closeness(teams),
        (false, false) => UNKNOWN,
    }
}

#[inline]
fn revenue_closeness((a, b): (u8, u8)) -> f64 {
    match a.abs_diff(b) {
        0 => 1.0,
        1 => 0.8,
        2 => 0.5,
        _ => 0.3,
    }
}

/// By how much the larger exceeds the smaller. In whole numbers, so that 20% is exactly 20%.
#[inline]
fn team_closeness((a, b): (u32, u32)) -> f64 {
    let (small, large) = (u64::from(a.min(b)), u64::from(a.max(b)));
    if 10 * large <= 12 * small {
        1.0
    } else if 10 * large <= 15 * small {
        0.8
    } else if large <= 2 * small {
        0.5
    } else {
        0.3
    }
}

/// Common services over the longer list; half where that is less and both offer something of one
/// family.
#[inline]
pub(super) fn industry(common: u32, a: u32, b: u32, same_family: impl FnOnce() -> bool) -> f64 {
    let most = a.max(b);
    let shared = if most == 0 { 0.0 } else { f64::from(common) / f64::from(most) };
    if shared < SAME_FAMILY && same_family() { SAME_FAMILY } else { shared }
}

/// Years in business: up to two apart 1, up to five 0.8, up to ten 0.5, else 0.3.
pub(super) fn years(a: Option<u32>, b: Option<u32>) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => match a.abs_diff(b) {
            0..=2 => 1.0,
            3..=5 => 0.8,
            6..=10 => 0.5,
            _ => 0.3,
        },
        _ => UNKNOWN,
    }
}

/// Styles: the same 1, neighbours on the circle D, I, S, C 0.7, opposites 0.4.
pub(super) fn disc(a: Option<Disc>, b: Option<Disc>) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => match (a as i8 - b as i8).rem_euclid(4) {
            0 => 1.0,
            2 => 0.4,
            _ => 0.7,
        },
        _ => UNKNOWN,
    }
}

/// A score in ten-thousandths, the form in which it is stored and shown: rounded once, half up, and a
/// half is a half although a sum of fractions may miss it by its last digit.
#[must_use]
pub fn ten_thousandths(score: f64) -> i32 {
    (score * 1e4 + 0.5 + TOLERANCE * 1e4).floor() as i32
}

/// What kind of match a score makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchType {
    /// From 0.8.
    Ideal,
    /// From 0.7.
    FocusArea,
    /// From 0.6.
    Scale,
    /// Below.
    General,
}

impl MatchType {
    /// The type of an unrounded score. What lies a billionth below a threshold has reached it.
    #[must_use]
    pub fn of(score: f64) -> Self {
        let reaches = |threshold: f64| score + TOLERANCE >= threshold;
        if reaches(0.8) {
            Self::Ideal
        } else if reaches(0.7) {
            Self::FocusArea
        } else if reaches(0.6) {
            Self::Scale
        } else {
            Self::General
        }
    }

    /// Its name in tables and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ideal => "ideal_peer",
            Self::FocusArea => "focus_area_match",
            Self::Scale => "scale_match",
            Self::General => "general_match",
        }
    }

    /// The type of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ideal, Self::FocusArea, Self::Scale, Self::General]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}
