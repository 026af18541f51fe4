//! The conversation about a peer: what a message means, what is done and said about it, when
//! somebody may be asked, and how a text is filled in. All of it by rules; nothing is guessed, and
//! consent least of all.

mod fill;
mod phone;
mod rules;
mod slots;
mod steps;
mod words;

pub use fill::{Values, check_text, common_areas, fill, known_names, tidy};
pub use phone::{gives_away, same_number};
pub use rules::{Asked, Limits, Person, Reason, Rest, Verdict, decide, minute_of, quiet_ends};
pub use slots::{Band, Context, Now, PromptTime, Session, now_in, prompt_times};
pub use steps::{Effect, Question, Step, step};
pub use words::{Word, understand};

/// One minute in the microseconds that moments are counted in.
pub const MINUTE: i64 = 60_000_000;
/// One hour.
pub const HOUR: i64 = 60 * MINUTE;
/// One day.
pub const DAY: i64 = 24 * HOUR;

/// A rating is asked for from so long after a meeting.
pub const RATING_FROM: i64 = 2 * HOUR;
/// And no longer than this after it.
pub const RATING_UNTIL: i64 = 3 * HOUR;
/// Days after a meeting on which the two are asked whether they are still in touch.
pub const FOLLOW_UP_DAYS: [i32; 3] = [30, 60, 90];
/// How often somebody is asked about one match, answers of 'later' and 'skip' included.
pub const MOST_ASKS: i32 = 3;
/// The same words again within so many seconds, while the next question is still on its way, are a
/// message that came twice and no answer to what was not read yet.
pub const REPEAT_SECONDS: f64 = 120.0;
/// Letters of an incoming message that are kept.
pub const MOST_LETTERS: usize = 1600;

/// What goes out: a phase of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Somebody is worth meeting.
    Introduction,
    /// The same before the event begins.
    Arrival,
    /// A break comes.
    Break,
    /// Lunch is on.
    Lunch,
    /// The last chance.
    Networking,
    /// A yes was noted, the other has not answered.
    Accepted,
    /// A no was noted.
    Declined,
    /// Asked again at the next break.
    Later,
    /// Not in this break.
    Skipped,
    /// Both said yes.
    ContactExchange,
    /// How was it?
    RatingRequest,
    /// The rating was noted.
    RatingThanks,
    /// Still in touch?
    FollowUp,
    /// No more introductions.
    OptedOut,
    /// Introductions again.
    OptedIn,
    /// No more messages.
    Stopped,
    /// What we understand.
    Help,
}

impl Phase {
    /// Every phase with the name that it has in the tables.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::Introduction, "introduction"),
        (Self::Arrival, "arrival"),
        (Self::Break, "break"),
        (Self::Lunch, "lunch"),
        (Self::Networking, "networking"),
        (Self::Accepted, "accepted"),
        (Self::Declined, "declined"),
        (Self::Later, "later"),
        (Self::Skipped, "skipped"),
        (Self::ContactExchange, "contact_exchange"),
        (Self::RatingRequest, "rating_request"),
        (Self::RatingThanks, "rating_thanks"),
        (Self::FollowUp, "follow_up"),
        (Self::OptedOut, "opted_out"),
        (Self::OptedIn, "opted_in"),
        (Self::Stopped, "stopped"),
        (Self::Help, "help"),
    ];

    /// The name in the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("", |(_, name)| name)
    }

    /// The phase of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(phase, _)| *phase)
    }

    /// Whether it asks for a meeting, and so belongs to the day of the event.
    #[must_use]
    pub fn asks_to_meet(self) -> bool {
        matches!(
            self,
            Self::Introduction | Self::Arrival | Self::Break | Self::Lunch | Self::Networking
        )
    }

    /// Whether it has its place in the programme: before the event, in a break, at the end.
    #[must_use]
    pub fn has_a_slot(self) -> bool {
        self.asks_to_meet() && self != Self::Introduction
    }

    /// Whether it is a prompt: it asks, waits for its turn, and counts against the hourly limit.
    #[must_use]
    pub fn is_prompt(self) -> bool {
        self.asks_to_meet() || matches!(self, Self::RatingRequest | Self::FollowUp)
    }
}

#[cfg(test)]
mod tests {
    use super::Phase;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (phase, name) in Phase::ALL {
            assert_eq!((phase.name(), Phase::parse(name)), (name, Some(phase)));
        }
        assert_eq!(Phase::parse("Introduction"), None);
    }

    #[test]
    fn seven_phases_ask() {
        let asking: Vec<_> = Phase::ALL.iter().filter(|p| p.0.is_prompt()).map(|p| p.1).collect();
        let expected = "introduction arrival break lunch networking rating_request follow_up";
        assert_eq!(asking.join(" "), expected);
    }
}
