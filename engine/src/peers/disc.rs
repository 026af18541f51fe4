//! Styles of working by DISC.

/// The strongest style of a DISC profile, in the order of the circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disc {
    /// Dominance.
    D,
    /// Influence.
    I,
    /// Steadiness.
    S,
    /// Conscientiousness.
    C,
}

impl Disc {
    /// The style of a letter.
    #[must_use]
    pub fn parse(letter: &str) -> Option<Self> {
        match letter {
            "D" => Some(Self::D),
            "I" => Some(Self::I),
            "S" => Some(Self::S),
            "C" => Some(Self::C),
            _ => None,
        }
    }
}
