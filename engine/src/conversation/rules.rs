//! Who may be asked, and when: consent, one open question, one prompt an hour, so many introductions
//! at an event, nothing at night. Moments are microseconds since the epoch.

use super::{MINUTE, Phase};
use crate::{Error, Result};

/// The limits, from the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Introductions to one person at one event.
    pub introductions: i32,
    /// Between two prompts to one person, in microseconds.
    pub gap: i64,
    /// So long an unanswered question keeps others waiting.
    pub patience: i64,
    /// First minute of the night, from local midnight.
    pub quiet_from: i32,
    /// First minute after it.
    pub quiet_until: i32,
    /// Help lines to one person in an hour.
    pub help_per_hour: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            introductions: 5,
            gap: 60 * MINUTE,
            patience: 120 * MINUTE,
            quiet_from: 22 * 60,
            quiet_until: 7 * 60,
            help_per_hour: 20,
        }
    }
}

/// The minute of the day that '22:00' names.
///
/// # Errors
/// 55000 naming the setting, where it is no time of the day.
pub fn minute_of(setting: &str, text: &str) -> Result<i32> {
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let number = |part: &str| (part.len() <= 2).then(|| part.parse::<i32>().ok()).flatten();
        Some((number(hours)?, number(minutes)?))
    });
    match parsed {
        Some((hours @ 0..=23, minutes @ 0..=59)) => Ok(hours * 60 + minutes),
        _ => Err(Error::WrongState {
            message: format!("the setting {setting} is {text:?}"),
            detail: "It is a time of the day.".into(),
            hint: "Set it to a text such as \"22:00\".".into(),
        }),
    }
}

/// Where the night ends, if `local_minute` is in it: the days until then, and the minute of that
/// day. No night where it begins and ends at the same minute.
#[must_use]
pub fn quiet_ends(local_minute: i32, limits: &Limits) -> Option<(i32, i32)> {
    let (from, until) = (limits.quiet_from, limits.quiet_until);
    let quiet = if from <= until {
        (from..until).contains(&local_minute)
    } else {
        local_minute >= from || local_minute < until
    };
    quiet.then_some((i32::from(local_minute >= until), until))
}

/// The place in the programme of a prompt that needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// One is open, for this text.
    Open(Phase),
    /// The next one opens then.
    Next(i64),
    /// There is none any more.
    None,
}

/// A prompt that waits, and all that matters about it.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub struct Asked {
    /// What it asks.
    pub phase: Phase,
    /// Not before.
    pub due: i64,
    /// The person agreed to introductions at this event, and the match, if it is about one, stands.
    pub consents: bool,
    /// So does the other; neither has blocked the other.
    pub peer_consents: bool,
    /// What it asks has been answered: by either's no, by this person's yes, by a rating.
    pub settled: bool,
    /// The person wants quiet until then.
    pub muted_until: i64,
    /// The end of the event.
    pub event_end: i64,
    /// The event does not take place.
    pub event_cancelled: bool,
    /// Local minute of the day at the event.
    pub local_minute: i32,
    /// End of today's night and of tomorrow's, at the event.
    pub quiet_until: [i64; 2],
    /// Whether the person was asked about this match before.
    pub introduced: bool,
    /// Matches that the person was asked about at this event.
    pub introductions: i32,
    /// Its place in the programme.
    pub rest: Rest,
}

/// The person who would be asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// All messages have ended.
    pub stopped: bool,
    /// The last prompt.
    pub last_prompt: Option<i64>,
    /// The prompt that is open: since when.
    pub open_since: Option<i64>,
}

/// Why a prompt waits or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No consent, or no longer.
    Consent,
    /// Answered already, or the event is over.
    Settled,
    /// Introductions of the event are used up.
    Introductions,
    /// It has its time.
    Due,
    /// Less than the gap has passed since the last prompt.
    Gap,
    /// It is night at the event, or the person wants quiet.
    Quiet,
    /// Another question is open.
    Question,
}

impl Reason {
    /// In words, for whoever asked for the introduction.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Settled => "settled",
            Self::Introductions => "introductions",
            Self::Due => "due",
            Self::Gap => "gap",
            Self::Quiet => "quiet",
            Self::Question => "question",
        }
    }
}

/// What becomes of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out, with this text.
    Ask(Phase),
    /// It waits until then at least.
    Wait(i64, Reason),
    /// It is withdrawn.
    Cancel(Reason),
}

/// What becomes of the prompts that wait for one person, given in the order in which they would be
/// asked. At most one of them goes out.
#[must_use]
pub fn decide(now: i64, limits: &Limits, person: &Person, waiting: &[Asked]) -> Vec<Verdict> {
    let mut asked = false;
    waiting
        .iter()
        .map(|prompt| {
            let verdict = one(now, limits, person, prompt);
            match verdict {
                Verdict::Ask(_) if asked => Verdict::Wait(now + limits.gap, Reason::Question),
                Verdict::Ask(phase) => {
                    asked = true;
                    Verdict::Ask(phase)
                }
                other => other,
            }
        })
        .collect()
}

fn one(now: i64, limits: &Limits, person: &Person, prompt: &Asked) -> Verdict {
    if person.stopped || !prompt.consents || !prompt.peer_consents {
        return Verdict::Cancel(Reason::Consent);
    }
    let over = prompt.phase.asks_to_meet() && now >= prompt.event_end;
    if prompt.settled || prompt.event_cancelled || over {
        return Verdict::Cancel(Reason::Settled);
    }
    let another = prompt.phase.asks_to_meet() && !prompt.introduced;
    if another && prompt.introductions >= limits.introductions {
        return Verdict::Cancel(Reason::Introductions);
    }
    let wait = |until: i64, reason: Reason| (until > now).then_some(Verdict::Wait(until, reason));
    let gap = person.last_prompt.and_then(|last| wait(last + limits.gap, Reason::Gap));
    let open = person.open_since.and_then(|since| wait(since + limits.patience, Reason::Question));
    let night = quiet_ends(prompt.local_minute, limits)
        .map(|(days, _)| Verdict::Wait(prompt.quiet_until[days as usize], Reason::Quiet));
    wait(prompt.due, Reason::Due)
        .or(wait(prompt.muted_until, Reason::Quiet))
        .or(open)
        .or(gap)
        .or(night)
        .unwrap_or_else(|| in_place(prompt))
}

/// A prompt that belongs into a break goes out in one, with the text of that one.
fn in_place(prompt: &Asked) -> Verdict {
    if !prompt.phase.has_a_slot() {
        return Verdict::Ask(prompt.phase);
    }
    match prompt.rest {
        Rest::Open(phase) => Verdict::Ask(phase),
        Rest::Next(at) => Verdict::Wait(at, Reason::Due),
        Rest::None => Verdict::Cancel(Reason::Settled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: i64 = 720 * MINUTE;

    fn prompt() -> Asked {
        Asked {
            phase: Phase::Introduction,
            due: NOON,
            consents: true,
            peer_consents: true,
            settled: false,
            muted_until: i64::MIN,
            event_end: 1020 * MINUTE,
            event_cancelled: false,
            local_minute: 720,
            quiet_until: [420 * MINUTE, (420 + 1440) * MINUTE],
            introduced: false,
            introductions: 0,
            rest: Rest::None,
        }
    }

    fn verdict(person: &Person, prompt: Asked) -> Verdict {
        decide(NOON, &Limits::default(), person, &[prompt])[0]
    }

    #[test]
    fn a_prompt_goes_out_where_nothing_speaks_against_it() {
        assert_eq!(verdict(&Person::default(), prompt()), Verdict::Ask(Phase::Introduction));
    }

    #[test]
    fn without_consent_nothing_goes_out() {
        let gone = Verdict::Cancel(Reason::Consent);
        let person = Person::default();
        assert_eq!(verdict(&person, Asked { consents: false, ..prompt() }), gone);
        assert_eq!(verdict(&person, Asked { peer_consents: false, ..prompt() }), gone);
        assert_eq!(verdict(&Person { stopped: true, ..person }, prompt()), gone);
    }

    #[test]
    fn the_limit_counts_people_and_not_reminders() {
        let full = |introductions, introduced| {
            verdict(&Person::default(), Asked { introduced, introductions, ..prompt() })
        };
        assert_eq!(full(4, false), Verdict::Ask(Phase::Introduction));
        assert_eq!(full(5, false), Verdict::Cancel(Reason::Introductions));
        assert_eq!(full(5, true), Verdict::Ask(Phase::Introduction));
        let rating = Asked { phase: Phase::RatingRequest, introductions: 9, ..prompt() };
        assert_eq!(verdict(&Person::default(), rating), Verdict::Ask(Phase::RatingRequest));
    }

    #[test]
    fn an_hour_lies_between_two_prompts_to_the_microsecond() {
        let after = |micros: i64| Person { last_prompt: Some(NOON - micros), ..Person::default() };
        let hour = 60 * MINUTE;
        assert_eq!(verdict(&after(hour), prompt()), Verdict::Ask(Phase::Introduction));
        assert_eq!(verdict(&after(hour - 1), prompt()), Verdict::Wait(NOON + 1, Reason::Gap));
    }

    #[test]
    fn an_open_question_keeps_the_rest_waiting_for_a_while() {
        let open = |minutes: i64| Person {
            open_since: Some(NOON - minutes * MINUTE),
            last_prompt: Some(NOON - minutes * MINUTE),
            ..Person::default()
        };
        assert_eq!(
            verdict(&open(61), prompt()),
            Verdict::Wait(NOON + 59 * MINUTE, Reason::Question)
        );
        assert_eq!(verdict(&open(120), prompt()), Verdict::Ask(Phase::Introduction));
    }

    #[test]
    fn of_several_that_could_go_one_goes() {
        let verdicts =
            decide(NOON, &Limits::default(), &Person::default(), &[prompt(), prompt(), prompt()]);
        let wait = Verdict::Wait(NOON + 60 * MINUTE, Reason::Question);
        assert_eq!(verdicts, [Verdict::Ask(Phase::Introduction), wait, wait]);
    }

    #[test]
    fn the_night_wraps_around_midnight() {
        let limits = Limits::default();
        let ends = |minute| quiet_ends(minute, &limits);
        assert_eq!([ends(1319), ends(1320), ends(1439)], [None, Some((1, 420)), Some((1, 420))]);
        assert_eq!([ends(0), ends(419), ends(420)], [Some((0, 420)), Some((0, 420)), None]);
        let siesta = Limits { quiet_from: 780, quiet_until: 840, ..Limits::default() };
        assert_eq!(
            [quiet_ends(779, &siesta), quiet_ends(780, &siesta), quiet_ends(840, &siesta)],
            [None, Some((0, 840)), None]
        );
        let never = Limits { quiet_from: 0, quiet_until: 0, ..Limits::default() };
        assert!((0..1440).all(|minute| quiet_ends(minute, &never).is_none()));
    }

    #[test]
    fn at_night_a_prompt_waits_for_the_morning() {
        let at = |local_minute| verdict(&Person::default(), Asked { local_minute, ..prompt() });
        assert_eq!(at(1380), Verdict::Wait((420 + 1440) * MINUTE, Reason::Quiet));
        assert_eq!(at(60), Verdict::Wait(420 * MINUTE, Reason::Quiet));
    }

    #[test]
    fn what_belongs_into_a_break_waits_for_one() {
        let rest =
            |rest| verdict(&Person::default(), Asked { phase: Phase::Break, rest, ..prompt() });
        assert_eq!(rest(Rest::Open(Phase::Lunch)), Verdict::Ask(Phase::Lunch));
        assert_eq!(rest(Rest::Next(NOON + 5)), Verdict::Wait(NOON + 5, Reason::Due));
        assert_eq!(rest(Rest::None), Verdict::Cancel(Reason::Settled));
    }

    #[test]
    fn nobody_is_asked_to_meet_after_the_end() {
        let end = |phase| verdict(&Person::default(), Asked { phase, event_end: NOON, ..prompt() });
        assert_eq!(end(Phase::Introduction), Verdict::Cancel(Reason::Settled));
        assert_eq!(end(Phase::RatingRequest), Verdict::Ask(Phase::RatingRequest));
        assert_eq!(end(Phase::FollowUp), Verdict::Ask(Phase::FollowUp));
    }

    #[test]
    fn times_of_the_day_are_read_strictly() {
        assert_eq!(minute_of("s", "22:00"), Ok(1320));
        assert_eq!(minute_of("s", "7:05"), Ok(425));
        for text in ["24:00", "22", "22:60", "", "a:b", "22:000", "-1:00", "22:00:00"] {
            assert!(
                minute_of("peers.quiet_from", text)
                    .is_err_and(|e| e.to_string().contains("quiet_from")),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_two_and_never_within_the_gap(
            count in 0_usize..6, last in prop::option::of(0_i64..200), open in prop::option::of(0_i64..300), minute in 0..1440,
        ) {
            let ago = |minutes: Option<i64>| minutes.map(|m| NOON - m * MINUTE);
            let person = Person { stopped: false, last_prompt: ago(last), open_since: ago(open) };
            let waiting = vec![Asked { local_minute: minute, ..prompt() }; count];
            let verdicts = decide(NOON, &Limits::default(), &person, &waiting);
            let asked = verdicts.iter().filter(|v| matches!(v, Verdict::Ask(_))).count();
            prop_assert!(asked <= 1);
            if asked == 1 {
                prop_assert!(last.is_none_or(|m| m >= 60) && open.is_none_or(|m| m >= 120) && (420..1320).contains(&minute));
            }
        }
    }
}
