//! Whose introductions work.

/// What came of an introduction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Introduction {
    /// Both said yes.
    pub accepted: bool,
    /// They met.
    pub met: bool,
    /// Mean of the ratings given, 1 to 10.
    pub pcr: Option<f64>,
}

/// Introductions without any success that everybody starts with: one good meeting is no habit.
const DOUBT: f64 = 3.0;

impl Introduction {
    /// How well it went: 0.3 for both saying yes, 0.3 for meeting, up to 0.4 for the rating.
    #[must_use]
    pub fn success(&self) -> f64 {
        let rated = self.pcr.map_or(0.0, |pcr| pcr.clamp(0.0, 10.0) / 10.0);
        0.3 * f64::from(u8::from(self.accepted)) + 0.3 * f64::from(u8::from(self.met)) + 0.4 * rated
    }
}

/// The mean success of a person's introductions, three failures added: 0 to 1.
#[must_use]
pub fn connector_score(introductions: &[Introduction]) -> f64 {
    let sum: f64 = introductions.iter().map(Introduction::success).sum();
    sum / (introductions.len() as f64 + DOUBT)
}
