//! Networking: what two people at an event are worth to each other.
//!
//! Attendees become compact features once ([`Crowd`]); a [`Scorer`] then says of any two what the
//! match is worth to each side, for one person or for everybody, by [`crate::pairs`].

mod algorithm;
mod balanced;
mod connectors;
mod crowd;
mod event;
mod goals;
mod measure;
mod parts;
mod profile;
mod reasons;
mod score;
mod state;
mod ties;
mod worth;

pub use algorithm::{Algorithm, PARTS, Weights};
pub use balanced::{Edge, balance, prices, upper_bound};
pub use connectors::{Connector, connectors};
pub use crowd::{Crowd, Traits};
pub use event::{
    Asked, Outlook, Plan, Strategy, Suggestion, balanced_instead, everybody, one_person, settled,
};
pub use goals::Complements;
pub use measure::{expected_matches, gini};
pub use parts::{PART_DECIMALS, Part};
pub use profile::{Profile, Role, Stage, share, word};
pub use reasons::{Company, shared_reasons, their_reasons};
pub use score::{MetBefore, Pair, Scorer, harmonic_mean};
pub use state::{
    COOL_DOWN_HOURS, Event as MatchEvent, LIVES_HOURS, MOST_SUGGESTED, Side, Status, lives_until,
};
pub use ties::Ties;

#[cfg(test)]
mod tests;
