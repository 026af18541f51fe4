//! The life of a match: suggested, accepted by one side, by both; declined is final; what nobody
//! answers in time expires, and may be suggested again.

use crate::error::{Error, Result};

/// Hours that a suggestion lives at least.
pub const LIVES_HOURS: i64 = 48;
/// Hours that a suggestion made before its event lives on after the start.
const LIVES_INTO_EVENT_HOURS: i64 = 24;
/// Hours for which a match that has expired is not suggested again.
pub const COOL_DOWN_HOURS: i64 = 24;
/// How often a match is suggested at most.
pub const MOST_SUGGESTED: i32 = 3;
const HOUR: i64 = 3_600_000_000;

/// Until when a suggestion lives; moments are in microseconds.
#[must_use]
pub fn lives_until(now: i64, event_starts: i64) -> i64 {
    let lives = now.saturating_add(LIVES_HOURS * HOUR);
    if now >= event_starts {
        return lives;
    }
    lives.max(event_starts.saturating_add(LIVES_INTO_EVENT_HOURS * HOUR))
}

/// Where a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for both.
    Suggested,
    /// The first has accepted.
    AcceptedBy1,
    /// The second has accepted.
    AcceptedBy2,
    /// Both have.
    MutualAccepted,
    /// One does not want it.
    Declined,
    /// Nobody answered in time.
    Expired,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Suggested,
        Self::AcceptedBy1,
        Self::AcceptedBy2,
        Self::MutualAccepted,
        Self::Declined,
        Self::Expired,
    ];

    /// The name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Suggested => "suggested",
            Self::AcceptedBy1 => "accepted_by_1",
            Self::AcceptedBy2 => "accepted_by_2",
            Self::MutualAccepted => "mutual_accepted",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Suggested | Self::AcceptedBy1 | Self::AcceptedBy2)
    }
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `attendee_1`.
    First,
    /// `attendee_2`.
    Second,
}

/// What happens to a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A side accepts; `answered` says that the other side accepts whatever comes.
    Accept {
        /// Who.
        by: Side,
        /// Whether the other side has said yes beforehand.
        answered: bool,
    },
    /// A side does not want it.
    Decline,
    /// Its time is over.
    Expire,
    /// It is suggested once more, after it was suggested `times`.
    SuggestAgain {
        /// How often before.
        times: i32,
    },
}

impl Status {
    /// Where the match is after `event`; the same status where nothing is left to do. An open match
    /// whose time is `over` takes no answer but a decline.
    ///
    /// # Errors
    /// [`Error::WrongState`] for what cannot happen any more.
    pub fn after(self, event: Event, over: bool) -> Result<Self> {
        match (self, event) {
            (Self::Declined, Event::Decline) | (Self::MutualAccepted, Event::Accept { .. }) => {
                Ok(self)
            }
            (Self::Declined, _) => Err(refused("this match was declined", "Declined is final.")),
            (_, Event::Decline) => Ok(Self::Declined),
            (Self::Expired, Event::Accept { .. }) => Err(expired()),
            (_, Event::Accept { .. }) if over => Err(expired()),
            (Self::Suggested, Event::Accept { answered: true, .. })
            | (Self::AcceptedBy1, Event::Accept { by: Side::Second, .. })
            | (Self::AcceptedBy2, Event::Accept { by: Side::First, .. })
            | (_, Event::Accept { answered: true, .. }) => Ok(Self::MutualAccepted),
            (_, Event::Accept { by: Side::First, .. }) => Ok(Self::AcceptedBy1),
            (_, Event::Accept { by: Side::Second, .. }) => Ok(Self::AcceptedBy2),
            (status, Event::Expire) if status.is_open() && over => Ok(Self::Expired),
            (Self::Expired, Event::Expire) => Ok(self),
            (_, Event::Expire) => Err(refused(
                "this match has not expired",
                "Both accepted, or its time is not over.",
            )),
            (Self::Expired, Event::SuggestAgain { times }) if times < MOST_SUGGESTED => {
                Ok(Self::Suggested)
            }
            (_, Event::SuggestAgain { .. }) => Err(refused(
                "this match cannot be suggested again",
                "Only one that expired can, and twice at most.",
            )),
        }
    }
}

fn expired() -> Error {
    refused("this match has expired", "Nobody answered in time.")
}

fn refused(message: &str, detail: &str) -> Error {
    Error::WrongState {
        message: message.to_owned(),
        detail: detail.to_owned(),
        hint: "Ask for new suggestions with generate_networking_matches.".to_owned(),
    }
}
