//! What a sponsor's sales person should do next about a lead.

use super::score::Grade;

/// Days without contact after which somebody who was contacted is asked again.
const FOLLOW_UP_DAYS: f64 = 7.0;
/// Days after which an open opportunity has gone quiet.
const QUIET_DAYS: f64 = 14.0;
/// Days after which a lead that is kept warm has cooled down.
const COOL_DAYS: f64 = 30.0;

/// Where a lead stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation<'a> {
    /// Status of the lead.
    pub status: &'a str,
    /// Grade of its score.
    pub grade: Grade,
    /// Whether the attendee asked for a meeting.
    pub meeting_requested: bool,
    /// Days since the last interaction; `None` where there was none.
    pub days_since: Option<f64>,
}

/// How soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Today.
    High,
    /// This week.
    Medium,
    /// When there is time.
    Low,
    /// Nothing is to be done.
    None,
}

impl Urgency {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::None => "none",
        }
    }
}

/// What to do, how soon, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// A word for programs.
    pub action: &'static str,
    /// How soon.
    pub urgency: Urgency,
    /// What to do, as a sentence.
    pub text: &'static str,
    /// Why, as a sentence that is true of the lead.
    pub because: String,
}

fn action(action: &'static str, urgency: Urgency, text: &'static str, because: String) -> Action {
    Action { action, urgency, text, because }
}

fn quiet(days: f64) -> String {
    match days.floor() as i64 {
        1 => "The last interaction was a day ago".to_owned(),
        days if days > 1 => format!("The last interaction was {days} days ago"),
        _ => "The last interaction was today".to_owned(),
    }
}

/// The next best action. A meeting that was asked for goes before everything but a closed lead.
#[must_use]
pub fn next_action(situation: &Situation<'_>) -> Action {
    let days = situation.days_since.unwrap_or(f64::INFINITY).max(0.0);
    let since = |fallback: &str| situation.days_since.map_or_else(|| fallback.to_owned(), quiet);
    match situation.status {
        "closed_won" => action(
            "ask_for_referral",
            Urgency::Low,
            "Thank them, and ask whom else you should know",
            "The lead is won".to_owned(),
        ),
        "closed_lost" => {
            action("none", Urgency::None, "Nothing to do", "The lead is lost".to_owned())
        }
        "new" | "contacted" | "nurturing" if situation.meeting_requested => action(
            "schedule_meeting",
            Urgency::High,
            "Offer two times for the meeting",
            "They asked for a meeting".to_owned(),
        ),
        "contacted" if days >= FOLLOW_UP_DAYS => {
            action("follow_up", Urgency::Medium, "Follow up", since("There was no answer yet"))
        }
        "contacted" => action("wait", Urgency::Low, "Wait for the answer", since("Just contacted")),
        "qualified" => action(
            "send_proposal",
            Urgency::High,
            "Send a proposal",
            "The lead is qualified".to_owned(),
        ),
        "opportunity" if days >= QUIET_DAYS => action(
            "revive_opportunity",
            Urgency::High,
            "Call before it goes cold",
            since("Nothing was heard of them"),
        ),
        "opportunity" => action(
            "close",
            Urgency::High,
            "Agree on the next step towards signing",
            "The lead is an opportunity".to_owned(),
        ),
        "nurturing" if situation.grade <= Grade::B => action(
            "qualify_again",
            Urgency::Medium,
            "Talk to them again",
            format!("Grade {}, and still nurtured", situation.grade.letter()),
        ),
        "nurturing" if days >= COOL_DAYS => action(
            "re_engage",
            Urgency::Low,
            "Send something new",
            since("Nothing was heard of them"),
        ),
        "nurturing" => action(
            "keep_informed",
            Urgency::Low,
            "Keep them informed",
            since("Nothing was heard of them"),
        ),
        _ => first_contact(situation.grade),
    }
}

fn first_contact(grade: Grade) -> Action {
    let because = format!("Grade {}, and not contacted yet", grade.letter());
    match grade {
        Grade::A => action("call", Urgency::High, "Call today", because),
        Grade::B => action("write", Urgency::Medium, "Write to them in person this week", because),
        Grade::C => action("send_material", Urgency::Low, "Send material that suits them", because),
        Grade::D => action("keep_informed", Urgency::Low, "Keep them informed", because),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(status: &str, grade: Grade, meeting: bool, days: f64) -> &'static str {
        next_action(&Situation {
            status,
            grade,
            meeting_requested: meeting,
            days_since: Some(days),
        })
        .action
    }

    #[test]
    fn each_status_has_its_action() {
        let new =
            [Grade::A, Grade::B, Grade::C, Grade::D].map(|grade| next("new", grade, false, 0.0));
        assert_eq!(new, ["call", "write", "send_material", "keep_informed"]);
        assert_eq!(next("new", Grade::D, true, 90.0), "schedule_meeting");
        assert_eq!(
            [next("contacted", Grade::A, false, 6.9), next("contacted", Grade::A, false, 7.0)],
            ["wait", "follow_up"]
        );
        assert_eq!(next("qualified", Grade::D, true, 1.0), "send_proposal");
        assert_eq!(
            [next("opportunity", Grade::A, true, 13.0), next("opportunity", Grade::A, true, 14.0)],
            ["close", "revive_opportunity"]
        );
        assert_eq!(
            [
                next("nurturing", Grade::B, false, 50.0),
                next("nurturing", Grade::C, false, 50.0),
                next("nurturing", Grade::C, false, 5.0)
            ],
            ["qualify_again", "re_engage", "keep_informed"]
        );
        assert_eq!(
            [next("closed_won", Grade::A, true, 0.0), next("closed_lost", Grade::A, true, 0.0)],
            ["ask_for_referral", "none"]
        );
    }

    #[test]
    fn causes_are_true() {
        let because = |days: Option<f64>| {
            next_action(&Situation {
                status: "contacted",
                grade: Grade::A,
                meeting_requested: false,
                days_since: days,
            })
            .because
        };
        assert_eq!(because(Some(9.9)), "The last interaction was 9 days ago");
        assert_eq!(because(Some(1.5)), "The last interaction was a day ago");
        assert_eq!(because(Some(-1.0)), "The last interaction was today");
        assert_eq!(because(None), "There was no answer yet");
    }
}
