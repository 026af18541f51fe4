//! Texts of the conversation: which names they may use, and how they are filled in.

use std::collections::HashMap;

use super::Phase;
use crate::{Error, Result};

/// What stands for each name of a text.
pub type Values = HashMap<&'static str, String>;

const ABOUT_PEER: [&str; 7] = [
    "peerName",
    "peerFirstName",
    "peerCompany",
    "peerLocation",
    "commonFocusAreas",
    "matchReason",
    "marketNote",
];
const ABOUT_PLACE: [&str; 3] = ["location", "minutes", "nextBreak"];
const CONTACT: [&str; 2] = ["peerPhone", "peerEmail"];

/// The names that are filled in at a phase: the same that the table accepts when a text is saved.
#[must_use]
pub fn known_names(phase: Phase) -> Vec<&'static str> {
    let mut known = vec!["firstName", "eventTitle"];
    if !matches!(phase, Phase::OptedOut | Phase::OptedIn | Phase::Stopped | Phase::Help) {
        known.extend(ABOUT_PEER);
    }
    if phase.asks_to_meet() || matches!(phase, Phase::Later | Phase::Skipped) {
        known.extend(ABOUT_PLACE);
    }
    if phase == Phase::ContactExchange {
        known.extend(CONTACT);
    }
    known
}

/// The longest text, in letters.
const MOST_CHARS: usize = 1600;

/// Refuses a text that a phase could not fill in.
///
/// # Errors
/// 22023 naming what is wrong with it.
pub fn check_text(parameter: &str, phase: Phase, text: &str) -> Result<()> {
    if text.trim().is_empty() || text.chars().nth(MOST_CHARS).is_some() {
        return Err(Error::invalid(
            format!("{parameter} has {} letters", text.chars().count()),
            "",
            format!("Pass 1 to {MOST_CHARS} letters, or leave it out for the event's own text."),
        ));
    }
    let known = known_names(phase);
    for piece in pieces(text) {
        match piece {
            Piece::Name(name) if !known.contains(&name) => {
                return Err(Error::invalid(
                    format!("nothing fills in {{{name}}} in {parameter}"),
                    "Phone and email are known once both have said yes.",
                    format!("Use of these: {{{}}}.", known.join("}, {")),
                ));
            }
            Piece::Plain(plain) if plain.contains(['{', '}']) => {
                return Err(Error::invalid(
                    format!("a brace stands alone in {parameter}"),
                    "",
                    "Write names to be filled in as {firstName}.",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

enum Piece<'a> {
    Plain(&'a str),
    Name(&'a str),
}

/// Text and names, in turn. A brace without its other half is plain text.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(close) = rest.find('}') {
        match rest[..close].rfind('{') {
            Some(open) => {
                found.push(Piece::Plain(&rest[..open]));
                found.push(Piece::Name(&rest[open + 1..close]));
            }
            None => found.push(Piece::Plain(&rest[..=close])),
        }
        rest = &rest[close + 1..];
    }
    found.push(Piece::Plain(rest));
    found
}

/// Words that lead to a name, and go with it where there is nothing to lead to.
const LEADING: [&str; 5] = [" of ", " from ", " at ", " in ", " with "];

/// A text with its names filled in, in one pass: a value is never read as a text. What is unknown is
/// left out with the bracket around it, or with the word that leads to it; a line that has nothing
/// else goes too.
#[must_use]
pub fn fill(text: &str, values: &Values) -> String {
    let mut filled = String::new();
    let mut drop_bracket = false;
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => {
                let plain =
                    if drop_bracket { plain.strip_prefix(')').unwrap_or(plain) } else { plain };
                filled.push_str(plain);
                drop_bracket = false;
            }
            Piece::Name(name) => match values.get(name).filter(|value| !value.is_empty()) {
                Some(value) => filled.push_str(value),
                None => drop_bracket = leave_out(&mut filled),
            },
        }
    }
    lines(&filled)
}

/// Takes back what leads to a value that is not there; whether a bracket is to be closed no more.
fn leave_out(filled: &mut String) -> bool {
    if filled.ends_with('(') {
        filled.truncate(filled.trim_end_matches('(').trim_end_matches(' ').len());
        return true;
    }
    if let Some(word) = LEADING.iter().find(|word| filled.ends_with(**word)) {
        filled.truncate(filled.len() - word.len());
    }
    false
}

/// No spaces doubled or at the end of a line, and no more than one empty line.
fn lines(text: &str) -> String {
    let mut tidy: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        if !(line.is_empty() && tidy.last().is_none_or(String::is_empty)) {
            tidy.push(line);
        }
    }
    while tidy.last().is_some_and(String::is_empty) {
        tidy.pop();
    }
    tidy.join("\n")
}

/// The longest value that goes into a text.
const MOST_VALUE: usize = 160;

/// Somebody's own words (a name, a company) as a value: one line, without control characters.
#[must_use]
pub fn tidy(value: &str) -> String {
    let plain: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(MOST_VALUE).collect()
}

/// What both care about, as the first writes it: 'hiring', 'hiring and operations', 'a, b and c'.
#[must_use]
pub fn common_areas(mine: &[String], theirs: &[String]) -> String {
    let key = |area: &String| tidy(area).to_lowercase();
    let known: Vec<String> = theirs.iter().map(key).collect();
    let mut common: Vec<String> = Vec::new();
    for area in mine {
        let seen = common.iter().any(|have| have.to_lowercase() == key(area));
        if !key(area).is_empty() && known.contains(&key(area)) && !seen {
            common.push(tidy(area));
        }
    }
    match common.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(pairs: &[(&'static str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    #[test]
    fn names_are_filled_in() {
        let known = values(&[
            ("firstName", "Ann"),
            ("peerName", "Bo Li"),
            ("peerCompany", "Air Co"),
            ("peerLocation", "Dallas, TX"),
        ]);
        let text = "Hi {firstName}: {peerName} of {peerCompany} ({peerLocation}).";
        assert_eq!(fill(text, &known), "Hi Ann: Bo Li of Air Co (Dallas, TX).");
    }

    #[test]
    fn what_is_unknown_leaves_no_hole() {
        let known = values(&[("firstName", "Ann"), ("peerName", "Bo")]);
        assert_eq!(
            fill("{peerName} of {peerCompany} ({peerLocation}), {firstName}", &known),
            "Bo, Ann"
        );
        assert_eq!(fill("Call:\n{peerPhone}\n{peerEmail}\n\nBye", &known), "Call:\n\nBye");
        assert_eq!(fill("A. {matchReason} {marketNote}\n\nYES", &known), "A.\n\nYES");
        assert_eq!(fill("Meet at {location}?", &known), "Meet?");
    }

    #[test]
    fn a_value_is_never_read_as_a_text() {
        let known = values(&[("firstName", "{peerPhone}"), ("peerPhone", "555")]);
        assert_eq!(fill("Hi {firstName}", &known), "Hi {peerPhone}");
    }

    #[test]
    fn texts_are_checked() {
        let told = |text: &str| {
            check_text("p_message", Phase::Introduction, text).map_err(|e| e.to_string())
        };
        assert_eq!(told("Hi {firstName}, meet {peerName} in {minutes} minutes"), Ok(()));
        for (text, part) in [
            ("{peerPhone}", "{peerPhone}"),
            ("{firstname}", "{firstname}"),
            ("{}", "{}"),
            ("a { b", "brace"),
            ("a } b", "brace"),
            ("{{firstName}}", "brace"),
            ("", "0 letters"),
            ("  ", "2 letters"),
        ] {
            assert!(told(text).is_err_and(|message| message.contains(part)), "{text}");
        }
        assert!(told(&"x".repeat(1601)).is_err() && told(&"x".repeat(1600)).is_ok());
        assert!(check_text("t", Phase::ContactExchange, "{peerPhone}").is_ok());
    }

    #[test]
    fn only_an_exchange_knows_contacts() {
        for (phase, name) in Phase::ALL {
            assert_eq!(known_names(phase).contains(&"peerPhone"), name == "contact_exchange");
        }
    }

    #[test]
    fn common_areas_read_as_a_sentence() {
        let list = |text: &str| text.split('|').map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(common_areas(&list("Hiring|Ops"), &list(" ops |hiring|x")), "Hiring and Ops");
        assert_eq!(common_areas(&list("a|b|c|B"), &list("c|b|a")), "a, b and c");
        assert_eq!(common_areas(&list("a"), &list("b")), "");
        assert_eq!(common_areas(&list("|a"), &list("|a")), "a");
    }

    #[test]
    fn own_words_stay_on_one_line() {
        assert_eq!(tidy(" Ann\r\nSTOP\u{7} "), "Ann STOP");
        assert_eq!(tidy(&"x".repeat(500)).len(), 160);
    }

    proptest! {
        #[test]
        fn a_filled_text_is_as_long_as_its_parts(text in "[a-z{} ()]{0,60}") {
            let filled = fill(&text, &values(&[("a", "value")]));
            let most = text.len() + 5 * text.matches('}').count();
            prop_assert!(filled.len() <= most);
        }
    }
}
