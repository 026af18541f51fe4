//! Why a session was picked, in words a person can read.

use super::person::Kind;
use serde::{Deserialize, Serialize};

/// People below whom a number could point at somebody.
const SHOWN_FROM: u32 = 10;
/// Topics named in one sentence.
const TOPICS_NAMED: usize = 3;

/// One true cause of a pick.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is like a session the person liked.
    Liked { because: u32, kind: Kind },
    /// It is about topics or an industry the person named, in the programme's spelling.
    Topics { matched: Vec<String> },
    /// It has a format the person likes.
    Format { format: String },
    /// It is made for the person's level.
    Skill { level: String },
    /// People who liked the same session chose it. The caller checks how many there are before
    /// it uses this, and passes the number to [`sentence`].
    Together { because: u32 },
    /// At least half of the sessions that anybody chose are chosen less. The caller checks that
    /// enough people stand behind it.
    Popular,
    /// It takes place: true of every session, so the last resort.
    Listed,
}

/// The sentence for a cause. `people` is the number behind a [`Cause::Together`]; it is named
/// from ten up.
pub fn sentence<'a>(
    cause: &Cause,
    title_of: impl Fn(u32) -> &'a str,
    people: Option<u32>,
) -> String {
    match cause {
        Cause::Liked { because, kind } => liked(title_of(*because), *kind),
        Cause::Topics { matched } => {
            format!(
                "Matches your interest in {}",
                listed(&matched[..matched.len().min(TOPICS_NAMED)])
            )
        }
        Cause::Format { format } => format!("Matches your preferred format: {format}"),
        Cause::Skill { level } => format!("Fits your level: {level}"),
        Cause::Together { .. } => match people.filter(|n| *n >= SHOWN_FROM) {
            Some(n) => format!("{n} attendees who liked your sessions also chose this"),
            None => "Attendees who liked your sessions also chose this".to_owned(),
        },
        Cause::Popular => "Popular session".to_owned(),
        Cause::Listed => "Part of the programme".to_owned(),
    }
}

/// A sentence with what else the person should know: a clash with a bookmark, no free place.
pub fn with_notes<'a>(
    sentence: String,
    clashes_with: Option<u32>,
    waitlist: bool,
    title_of: impl Fn(u32) -> &'a str,
) -> String {
    let clash = clashes_with.map_or_else(String::new, |other| {
        format!("; clashes with \"{}\", which you bookmarked", title_of(other))
    });
    let full = if waitlist { "; full, waitlist" } else { "" };
    sentence + &clash + full
}

fn liked(title: &str, kind: Kind) -> String {
    match kind {
        Kind::Browsed => format!("Because you looked at \"{title}\""),
        Kind::Bookmarked => format!("Because you bookmarked \"{title}\""),
        Kind::Attended => format!("Because you attended \"{title}\""),
        Kind::Rated => format!("Because you rated \"{title}\" highly"),
    }
}

/// "A", "A and B", "A, B and C".
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
