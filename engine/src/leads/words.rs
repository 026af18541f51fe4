//! Words about people, brought to one form so that they can be compared.

/// Lower case, with single blanks for whatever is neither letter nor digit nor part of a number
/// range: "C-Level" and "c  level" are the same.
#[must_use]
pub fn normal(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || c == '+' || c == '#' {
            result.push(c);
        } else if !result.is_empty() && !result.ends_with(' ') {
            result.push(' ');
        }
    }
    result.truncate(result.trim_end().len());
    result
}

/// Whether the words of `phrase` stand in `text`, in order and without others between; both normal.
#[must_use]
pub fn holds(text: &str, phrase: &str) -> bool {
    !phrase.is_empty() && format!(" {text} ").contains(&format!(" {phrase} "))
}

/// Levels of seniority, and the words of a title that say so. A person may have several.
const LEVELS: [(&str, &[&str]); 9] = [
    (
        "c level",
        &[
            "chief",
            "ceo",
            "cto",
            "cfo",
            "coo",
            "cmo",
            "cio",
            "ciso",
            "cpo",
            "cro",
            "cdo",
            "chro",
            "cso",
            "president",
        ],
    ),
    ("founder", &["founder", "cofounder", "co founder", "owner", "proprietor"]),
    ("vp", &["vp", "svp", "evp", "avp", "vice president"]),
    ("director", &["director"]),
    ("head", &["head"]),
    ("manager", &["manager", "team lead", "teamlead", "supervisor"]),
    ("senior", &["senior", "sr", "principal", "staff", "lead"]),
    ("junior", &["junior", "jr", "graduate", "associate", "assistant"]),
    ("intern", &["intern", "trainee", "student", "apprentice"]),
];

/// Levels that are called executive together.
const EXECUTIVE: [&str; 3] = ["c level", "founder", "vp"];

/// Other words that people use for a level.
const SAME_LEVEL: [(&str, &str); 14] = [
    ("c suite", "c level"),
    ("csuite", "c level"),
    ("clevel", "c level"),
    ("cxo", "c level"),
    ("chief", "c level"),
    ("vice president", "vp"),
    ("directors", "director"),
    ("managers", "manager"),
    ("executives", "executive"),
    ("founders", "founder"),
    ("owner", "founder"),
    ("head of", "head"),
    ("entry", "junior"),
    ("entry level", "junior"),
];

/// A level as a sponsor writes it, in the word used here; unknown words as they are.
#[must_use]
pub fn level(word: &str) -> String {
    let word = normal(word);
    SAME_LEVEL.iter().find(|(other, _)| *other == word).map_or(word, |(_, same)| (*same).to_owned())
}

/// The levels that a job title and a category of role tell of.
#[must_use]
pub fn levels(title: &str, role: &str) -> Vec<&'static str> {
    let is_vice = holds(title, "vice president");
    let mut found: Vec<&str> = LEVELS
        .iter()
        .filter(|(level, words)| {
            words.iter().any(|word| holds(title, word) && !(is_vice && *word == "president"))
                || *level == role
        })
        .map(|(level, _)| *level)
        .collect();
    if role == "executive" || found.iter().any(|level| EXECUTIVE.contains(level)) {
        found.push("executive");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet() {
        assert_eq!(normal("  C-Level_x "), "c level x");
        assert_eq!(normal("Fin/Tech & more"), "fin tech more");
        assert_eq!(normal("C++"), "c++");
        assert_eq!(normal("--"), "");
        assert_eq!(level("C-Suite"), "c level");
        assert_eq!(level("Vice President"), "vp");
        assert_eq!(level("wizard"), "wizard");
    }

    #[test]
    fn titles_tell_levels() {
        let told = |title: &str, role: &str| levels(&normal(title), &normal(role));
        assert_eq!(told("Director of Marketing", ""), ["director"]);
        assert_eq!(told("Vice President, Sales", ""), ["vp", "executive"]);
        assert_eq!(told("Chief Data Officer", ""), ["c level", "executive"]);
        assert_eq!(told("CTO & Co-Founder", ""), ["c level", "founder", "executive"]);
        assert_eq!(told("", "executive"), ["executive"]);
        assert_eq!(told("", "manager"), ["manager"]);
        assert!(told("Directorate clerk", "").is_empty());
    }

    #[test]
    fn phrases_are_whole_words() {
        assert!(holds("director of marketing", "marketing"));
        assert!(!holds("telemarketing agent", "marketing"));
        assert!(!holds("anything", ""));
    }
}
