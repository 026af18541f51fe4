//! When in the day of an event people are asked: before it begins, in its breaks, and at its end.
//! All moments are microseconds since the epoch, so neither midnight nor a change of the clocks
//! touches the arithmetic.

use super::{MINUTE, Phase};

/// Before the event begins.
const ARRIVAL_LEAD: i64 = 15 * MINUTE;
/// Before a break begins.
const BREAK_LEAD: i64 = 5 * MINUTE;
/// After lunch has begun.
const LUNCH_DELAY: i64 = 5 * MINUTE;
/// Before the event ends.
const CLOSING_LEAD: i64 = 30 * MINUTE;

/// What kind of moment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// People arrive.
    Arrival,
    /// A break.
    Break,
    /// Lunch.
    Lunch,
    /// Time set aside to meet, and the end of the event.
    Networking,
}

impl Context {
    /// The name, which is that of the phase too.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.phase().name()
    }

    /// The text that asks at such a moment.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::Arrival => Phase::Arrival,
            Self::Break => Phase::Break,
            Self::Lunch => Phase::Lunch,
            Self::Networking => Phase::Networking,
        }
    }
}

/// A session that people are free in.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// `Break`, `Lunch` or `Networking`.
    pub context: Context,
    /// Start.
    pub start: i64,
    /// End.
    pub end: i64,
    /// Where.
    pub room: Option<String>,
}

/// A moment to ask at.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptTime {
    /// When people are asked.
    pub at: i64,
    /// What for.
    pub context: Context,
    /// Where they would meet; `None` where the programme does not say.
    pub location: Option<String>,
    /// What the moment is good for.
    pub message: &'static str,
    /// When the time to meet begins.
    pub starts: i64,
    /// Until when asking makes sense.
    pub until: i64,
    /// Whether it is the last chance of the event, where whoever was missed is asked.
    pub closing: bool,
}

/// The moments to ask at: 15 minutes before the event, 5 before each break and each session for
/// networking, 5 after the beginning of lunch, and 30 before the event ends. In the order of time;
/// breaks at the same time in several rooms are one.
#[must_use]
pub fn prompt_times(start: Option<i64>, end: Option<i64>, sessions: &[Session]) -> Vec<PromptTime> {
    let mut times: Vec<PromptTime> = Vec::new();
    if let Some(start) = start {
        times.push(arrival(start));
    }
    let mut sessions: Vec<&Session> = sessions.iter().collect();
    // Of breaks at the same time the one whose place has a name.
    sessions.sort_by_key(|one| (one.start, one.context, one.room.is_none(), one.room.as_deref()));
    let mut breaks = 0;
    for session in sessions {
        let time = in_session(session, breaks == 0);
        if !times.iter().any(|have| have.at == time.at && have.context == time.context) {
            breaks += usize::from(session.context == Context::Break);
            times.push(time);
        }
    }
    if let Some(end) = end {
        times.push(closing(end));
    }
    times.sort_by_key(|time| (time.at, time.context));
    times
}

fn arrival(start: i64) -> PromptTime {
    PromptTime {
        at: start - ARRIVAL_LEAD,
        context: Context::Arrival,
        location: None,
        message: "A good moment to meet somebody before the first session.",
        starts: start,
        until: start,
        closing: false,
    }
}

fn in_session(session: &Session, first_break: bool) -> PromptTime {
    let (at, place, message) = match session.context {
        Context::Lunch => {
            (session.start + LUNCH_DELAY, "lunch area", "Share a table at lunch and talk shop.")
        }
        Context::Networking => (
            session.start - BREAK_LEAD,
            "networking area",
            "Time is set aside for meeting people now.",
        ),
        _ if first_break => (
            session.start - BREAK_LEAD,
            "networking area",
            "A break is coming up, long enough for a short talk with a peer.",
        ),
        _ => (
            session.start - BREAK_LEAD,
            "networking area",
            "Another break, and another chance to meet.",
        ),
    };
    PromptTime {
        at,
        context: session.context,
        location: Some(session.room.clone().unwrap_or_else(|| place.to_owned())),
        message,
        starts: session.start,
        until: session.end,
        closing: false,
    }
}

fn closing(end: i64) -> PromptTime {
    PromptTime {
        at: end - CLOSING_LEAD,
        context: Context::Networking,
        location: None,
        message: "The last chance to meet before people leave.",
        starts: end - CLOSING_LEAD,
        until: end,
        closing: true,
    }
}

/// The moment as far as asking goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Now<'a> {
    /// The slot that is open; of several the one that began last.
    pub open: Option<&'a PromptTime>,
    /// The next one in which something can be made up for: not that of the arrival.
    pub next: Option<&'a PromptTime>,
}

/// Which slot is open at `now`, and which comes next, not before `not_before`.
#[must_use]
pub fn now_in(times: &[PromptTime], now: i64, not_before: i64) -> Now<'_> {
    let open = times.iter().rev().find(|time| time.at <= now && now < time.until);
    let next = times
        .iter()
        .find(|time| time.at > now && time.at >= not_before && time.context != Context::Arrival);
    Now { open, next }
}

/// Which matches are asked about at a slot, by their score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// From this score.
    pub from: f64,
    /// Up to, and without, this one.
    pub below: f64,
}

/// A match that is this good is not kept waiting.
const AT_ONCE: f64 = 0.85;
/// From here a break is the moment.
const AT_BREAKS: f64 = 0.7;
/// Scores that differ by less are the same.
const TINY: f64 = 1e-9;

impl Band {
    /// At check-in: the best.
    #[must_use]
    pub fn at_check_in() -> Self {
        Self { from: AT_ONCE - TINY, below: f64::INFINITY }
    }

    /// In a slot: the good ones in breaks and time for networking, all at lunch and at the end, and
    /// before the event nobody but those who have checked in.
    #[must_use]
    pub fn of(slot: &PromptTime) -> Option<Self> {
        match slot.context {
            Context::Arrival => None,
            Context::Lunch => Some(Self { from: 0.0, below: f64::INFINITY }),
            Context::Networking if slot.closing => Some(Self { from: 0.0, below: f64::INFINITY }),
            Context::Break | Context::Networking => {
                Some(Self { from: AT_BREAKS - TINY, below: AT_ONCE - TINY })
            }
        }
    }

    /// Whether a score is in it.
    #[must_use]
    pub fn has(self, score: f64) -> bool {
        self.from <= score && score < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(context: Context, start: i64, minutes: i64) -> Session {
        Session { context, start: start * MINUTE, end: (start + minutes) * MINUTE, room: None }
    }

    /// Nine to five, in minutes of the day.
    fn day() -> Vec<PromptTime> {
        let sessions = [
            session(Context::Break, 870, 30),
            session(Context::Lunch, 720, 60),
            session(Context::Break, 630, 30),
            session(Context::Break, 630, 30),
            session(Context::Networking, 960, 60),
        ];
        prompt_times(Some(540 * MINUTE), Some(1020 * MINUTE), &sessions)
    }

    #[test]
    fn the_day_of_the_document() {
        let found: Vec<(i64, &str)> =
            day().iter().map(|t| (t.at / MINUTE, t.context.name())).collect();
        assert_eq!(
            found,
            [
                (525, "arrival"),
                (625, "break"),
                (725, "lunch"),
                (865, "break"),
                (955, "networking"),
                (990, "networking")
            ]
        );
    }

    #[test]
    fn the_second_break_is_another_one() {
        let breaks: Vec<&str> =
            day().iter().filter(|t| t.context == Context::Break).map(|t| t.message).collect();
        assert!(breaks[0].starts_with("A break") && breaks[1].starts_with("Another"));
    }

    #[test]
    fn without_times_there_is_what_the_programme_has() {
        assert_eq!(prompt_times(None, None, &[]), []);
        assert_eq!(
            prompt_times(None, None, &[session(Context::Lunch, 720, 60)])[0].at,
            725 * MINUTE
        );
    }

    #[test]
    fn slots_open_and_close() {
        let times = day();
        let at = |minute: i64| now_in(&times, minute * MINUTE, 0).open.map(|t| t.context.name());
        assert_eq!(
            [at(524), at(525), at(539), at(540)],
            [None, Some("arrival"), Some("arrival"), None]
        );
        assert_eq!(
            [at(624), at(625), at(659), at(660)],
            [None, Some("break"), Some("break"), None]
        );
        assert_eq!(
            [at(724), at(725), at(779), at(780)],
            [None, Some("lunch"), Some("lunch"), None]
        );
        assert_eq!([at(990), at(1019), at(1020)], [Some("networking"), Some("networking"), None]);
        assert!(now_in(&times, 1000 * MINUTE, 0).open.is_some_and(|t| t.closing));
    }

    #[test]
    fn the_next_slot_leaves_time_since_the_last_prompt() {
        let times = day();
        let next = |minute: i64, from: i64| {
            now_in(&times, minute * MINUTE, from * MINUTE).next.map(|t| t.at / MINUTE)
        };
        assert_eq!(next(500, 0), Some(625));
        assert_eq!(next(620, 680), Some(725));
        assert_eq!(next(625, 0), Some(725));
        assert_eq!(next(990, 0), None);
    }

    #[test]
    fn scores_have_their_moments() {
        let times = day();
        let bands: Vec<Option<Band>> = times.iter().map(Band::of).collect();
        let has = |at: usize, score: f64| bands[at].is_some_and(|band| band.has(score));
        assert!(bands[0].is_none());
        assert_eq!(
            [has(1, 0.6999), has(1, 0.7), has(1, 0.8499), has(1, 0.85)],
            [false, true, true, false]
        );
        assert_eq!([has(2, 0.1), has(2, 0.6), has(2, 0.99), has(5, 0.0)], [true, true, true, true]);
        assert_eq!([has(4, 0.75), has(4, 0.65)], [true, false]);
        assert!(
            Band::at_check_in().has(0.85)
                && Band::at_check_in().has(0.849_999_999_999_9)
                && !Band::at_check_in().has(0.8499)
        );
    }
}
