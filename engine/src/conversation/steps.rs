//! What a message does, by what it means and what was asked.

use super::{Phase, Word};

/// What is asked of a person at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether they want to meet somebody.
    Meet,
    /// How it was.
    Rating,
    /// Whether they are still in touch.
    InTouch,
}

impl Question {
    /// What a prompt of this phase asks; nothing where it is no prompt.
    #[must_use]
    pub fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::RatingRequest => Some(Self::Rating),
            Phase::FollowUp => Some(Self::InTouch),
            asking if asking.asks_to_meet() => Some(Self::Meet),
            _ => None,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Consent to the match that was asked about.
    Accept,
    /// The match is declined.
    Decline,
    /// A yes that nothing came of yet is taken back.
    TakeBack,
    /// Asked again at the next break.
    Postpone,
    /// Not in this break.
    Skip,
    /// The meeting is rated.
    Rate(u8),
    /// The question is answered, and there is nothing to note but the answer.
    Close,
    /// Consent to introductions is taken back.
    OptOut,
    /// Consent to introductions is given.
    OptIn,
    /// All messages end.
    Stop,
}

/// What is done and what is said. An exchange of contacts takes the place of `Accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub effect: Effect,
    /// What is said; a silence where nothing may be sent.
    pub reply: Option<Phase>,
}

/// The step that a message takes. `open` is what was asked last and not answered; `pending` says
/// that nothing is open but a yes of theirs still waits for the other side; `stopped` that all
/// messages to them have ended: then nothing but START PEER does anything, and nothing is said.
#[must_use]
pub fn step(word: Word, open: Option<Question>, pending: bool, stopped: bool) -> Step {
    let say = |effect, reply| Step { effect, reply: Some(reply) };
    if stopped && word != Word::StartPeer {
        return Step { effect: Effect::None, reply: None };
    }
    match (word, open) {
        (Word::Stop, _) => say(Effect::Stop, Phase::Stopped),
        (Word::StopPeer, _) => say(Effect::OptOut, Phase::OptedOut),
        (Word::StartPeer, _) => say(Effect::OptIn, Phase::OptedIn),
        (Word::Yes, Some(Question::Meet)) => say(Effect::Accept, Phase::Accepted),
        (Word::No, Some(Question::Meet)) => say(Effect::Decline, Phase::Declined),
        (Word::Later, Some(Question::Meet)) => say(Effect::Postpone, Phase::Later),
        (Word::Skip, Some(Question::Meet)) => say(Effect::Skip, Phase::Skipped),
        (Word::Rating(given), Some(Question::Rating)) => {
            say(Effect::Rate(given), Phase::RatingThanks)
        }
        (Word::No | Word::Skip, Some(Question::Rating))
        | (Word::Yes | Word::No, Some(Question::InTouch)) => {
            say(Effect::Close, Phase::RatingThanks)
        }
        (Word::No, None) if pending => say(Effect::TakeBack, Phase::Declined),
        _ => say(Effect::None, Phase::Help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [Word; 9] = [
        Word::Yes,
        Word::No,
        Word::Later,
        Word::Skip,
        Word::Rating(7),
        Word::StopPeer,
        Word::StartPeer,
        Word::Stop,
        Word::Unclear,
    ];
    const OPEN: [Option<Question>; 4] =
        [None, Some(Question::Meet), Some(Question::Rating), Some(Question::InTouch)];

    #[test]
    fn only_a_yes_to_a_question_about_a_meeting_is_consent() {
        for word in WORDS {
            for open in OPEN {
                for pending in [false, true] {
                    let consent = step(word, open, pending, false).effect == Effect::Accept;
                    assert_eq!(consent, word == Word::Yes && open == Some(Question::Meet));
                }
            }
        }
    }

    #[test]
    fn after_stop_there_is_silence() {
        for word in WORDS {
            for open in OPEN {
                let quiet = step(word, open, true, true);
                if word == Word::StartPeer {
                    assert_eq!(quiet.effect, Effect::OptIn);
                } else {
                    assert_eq!(quiet, Step { effect: Effect::None, reply: None });
                }
            }
        }
    }

    #[test]
    fn what_does_not_answer_the_question_gets_help_and_changes_nothing() {
        let help = Step { effect: Effect::None, reply: Some(Phase::Help) };
        for open in OPEN {
            assert_eq!(step(Word::Unclear, open, true, false), help);
        }
        assert_eq!(step(Word::Rating(7), Some(Question::Meet), false, false), help);
        assert_eq!(step(Word::Yes, Some(Question::Rating), false, false), help);
        assert_eq!(step(Word::Later, Some(Question::InTouch), false, false), help);
        assert_eq!(step(Word::Yes, None, true, false), help);
        assert_eq!(step(Word::No, None, false, false), help);
        assert_eq!(step(Word::No, None, true, false).effect, Effect::TakeBack);
    }
}
