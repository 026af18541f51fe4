//! The life of a meeting: what it is, what may be done with it, and what it becomes.

use crate::error::{Error, Result};

use super::{MINUTE, Span};

/// Open proposals that may wait for one person.
pub const MOST_OPEN_PROPOSALS: i64 = 3;
/// How long a proposal stays open, unless its time comes first.
pub const PROPOSAL_OPEN: i64 = 48 * 60 * MINUTE;
/// The shortest and the longest meeting, in minutes.
pub const DURATION: (i32, i32) = (1, 480);

/// What a meeting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for the other side, and holds the time of the side that proposed it.
    Proposed,
    /// A proposal that nobody confirmed in time; it holds nothing.
    Lapsed,
    /// Agreed on.
    Scheduled,
    /// Agreed on, and confirmed.
    Confirmed,
    /// Going on.
    InProgress,
    /// Over.
    Completed,
    /// Called off.
    Cancelled,
    /// Somebody did not come.
    NoShow,
}

/// What somebody wants to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Say yes.
    Confirm,
    /// Move it.
    Move,
    /// Call it off, or decline the proposal.
    Cancel,
    /// Note that it took place.
    Complete,
    /// Note that it did not, because somebody did not come.
    Miss,
    /// Say how it was.
    Rate,
}

impl Status {
    /// The status of a row at a moment: what is proposed lapses at its end.
    ///
    /// # Errors
    /// [`Error::WrongState`] for a word that no row has.
    pub fn of(word: &str, expires_at: Option<i64>, now: i64) -> Result<Self> {
        Ok(match word {
            "proposed" if expires_at.is_some_and(|end| end <= now) => Self::Lapsed,
            "proposed" => Self::Proposed,
            "scheduled" => Self::Scheduled,
            "confirmed" => Self::Confirmed,
            "in_progress" => Self::InProgress,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            "no_show" => Self::NoShow,
            other => {
                return Err(Error::WrongState {
                    message: format!("a meeting has the unknown status {other:?}"),
                    detail: String::new(),
                    hint: "Compare the tables with a fresh install().".into(),
                });
            }
        })
    }

    /// The word for it; that of a lapsed proposal is in no row.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Lapsed => "lapsed",
            Self::Scheduled => "scheduled",
            Self::Confirmed => "confirmed",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// What a reader is told at a moment: what was agreed on goes on from its start to its end, whether or not anybody
    /// has noted that.
    #[must_use]
    pub fn seen(self, span: Span, now: i64) -> Self {
        if self.is_agreed() && span.0 <= now && now < span.1 { Self::InProgress } else { self }
    }

    /// Whether both sides have agreed and it is not over.
    #[must_use]
    pub fn is_agreed(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed | Self::InProgress)
    }

    /// What the act makes of it: the same status where there is nothing left to do.
    ///
    /// `begun`: its start has passed. A proposal that is moved stays one; what was confirmed and moves waits to be
    /// confirmed again.
    ///
    /// # Errors
    /// [`Error::WrongState`], saying what it is and what can be done.
    pub fn after(self, act: Act, begun: bool) -> Result<Self> {
        let done = match (act, self) {
            (Act::Confirm, Self::Proposed) if begun => None,
            (Act::Confirm, Self::Proposed | Self::Scheduled | Self::Confirmed) => {
                Some(Self::Confirmed)
            }
            (Act::Move, Self::Proposed) if !begun => Some(Self::Proposed),
            (Act::Move, Self::Scheduled | Self::Confirmed) if !begun => Some(Self::Scheduled),
            (
                Act::Cancel,
                Self::Proposed | Self::Lapsed | Self::Scheduled | Self::Confirmed | Self::Cancelled,
            ) => Some(Self::Cancelled),
            (Act::Complete, _) if begun && (self.is_agreed() || self == Self::Completed) => {
                Some(Self::Completed)
            }
            (Act::Miss, _) if begun && (self.is_agreed() || self == Self::NoShow) => {
                Some(Self::NoShow)
            }
            (Act::Rate, Self::Completed) => Some(self),
            (Act::Rate, _) if begun && self.is_agreed() => Some(self),
            _ => None,
        };
        done.ok_or_else(|| self.refusal(act, begun))
    }

    fn refusal(self, act: Act, begun: bool) -> Error {
        let (what, hint) = match act {
            Act::Confirm => ("be confirmed", "Propose a new time with schedule_meeting()."),
            Act::Move => ("be moved", "Propose a new time with schedule_meeting()."),
            Act::Cancel => ("be cancelled", "What took place stays."),
            Act::Complete | Act::Miss => {
                ("be completed", "A meeting that was agreed on can be completed once it has begun.")
            }
            Act::Rate => ("be rated", "Rate a meeting that was agreed on once it has begun."),
        };
        let when = match (self.is_agreed() || self == Self::Proposed, begun) {
            (true, true) => " and has begun",
            (true, false) => " and has not begun",
            (false, _) => "",
        };
        Error::WrongState {
            message: format!(
                "a meeting that is {}{when} cannot {what}",
                self.word().replace('_', " ")
            ),
            detail: String::new(),
            hint: hint.into(),
        }
    }
}

/// When a proposal made now lapses: in two days, at the latest when it would begin.
#[must_use]
pub fn lapses_at(now: i64, start: i64) -> i64 {
    now.saturating_add(PROPOSAL_OPEN).min(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{
        Cancelled, Completed, Confirmed, InProgress, Lapsed, NoShow, Proposed, Scheduled,
    };

    const ALL: [Status; 8] =
        [Proposed, Lapsed, Scheduled, Confirmed, InProgress, Completed, Cancelled, NoShow];

    fn allowed(act: Act, begun: bool) -> Vec<(Status, Status)> {
        ALL.iter().filter_map(|s| Some((*s, s.after(act, begun).ok()?))).collect()
    }

    #[test]
    fn every_transition() {
        let yes = [(Scheduled, Confirmed), (Confirmed, Confirmed)];
        assert_eq!(allowed(Act::Confirm, false), [&[(Proposed, Confirmed)], &yes[..]].concat());
        assert_eq!(allowed(Act::Confirm, true), yes);
        assert_eq!(
            allowed(Act::Move, false),
            [(Proposed, Proposed), (Scheduled, Scheduled), (Confirmed, Scheduled)]
        );
        assert_eq!(allowed(Act::Move, true), []);
        let off = [Proposed, Lapsed, Scheduled, Confirmed, Cancelled].map(|s| (s, Cancelled));
        assert_eq!(allowed(Act::Cancel, false), off);
        assert_eq!(allowed(Act::Cancel, true), off);
        assert_eq!(allowed(Act::Complete, false), []);
        let over = [Scheduled, Confirmed, InProgress, Completed].map(|s| (s, Completed));
        assert_eq!(allowed(Act::Complete, true), over);
        let missed = [Scheduled, Confirmed, InProgress, NoShow].map(|s| (s, NoShow));
        assert_eq!(allowed(Act::Miss, true), missed);
        assert_eq!(allowed(Act::Rate, false), [(Completed, Completed)]);
        assert_eq!(
            allowed(Act::Rate, true),
            [Scheduled, Confirmed, InProgress, Completed].map(|s| (s, s))
        );
    }

    #[test]
    fn words_go_both_ways_and_a_proposal_lapses_at_its_end() {
        for status in ALL.into_iter().filter(|s| *s != Lapsed) {
            assert_eq!(Status::of(status.word(), None, 0), Ok(status));
        }
        assert_eq!(Status::of("proposed", Some(5), 4), Ok(Proposed));
        assert_eq!(Status::of("proposed", Some(5), 5), Ok(Lapsed));
        assert!(Status::of("odd", None, 0).is_err());
        assert_eq!(lapses_at(0, 10), 10);
        assert_eq!(lapses_at(7, i64::MAX), 7 + PROPOSAL_OPEN);
    }

    #[test]
    fn what_was_agreed_on_goes_on_between_its_start_and_its_end() {
        for status in ALL {
            let going = if status.is_agreed() { InProgress } else { status };
            let seen = [9, 10, 19, 20].map(|now| status.seen((10, 20), now));
            assert_eq!(seen, [status, going, going, status]);
        }
    }
}
