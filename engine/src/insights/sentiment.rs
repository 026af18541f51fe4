//! How a text sounds, from a lexicon of its own: words and emoji with a valence of -4 to 4, turned by
//! negations and weighed by intensifiers.
//!
//! The sum of the valences is brought to -1 to 1 by `s / sqrt(s² + 15)`, as in Hutto and Gilbert,
//! VADER (2014); lexicon and rules are our own and simpler. English only: words of other languages
//! are words it does not know, and count as neutral.

use std::collections::HashMap;
use std::sync::OnceLock;

/// A word, a tab, its valence.
const LEXICON: &str = include_str!("lexicon.tsv");
/// What turns a word around, up to [`REACH`] words before it.
const NEGATIONS: [&str; 22] = [
    "not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "hardly",
    "barely", "scarcely", "cannot", "cant", "dont", "doesnt", "didnt", "isnt", "wasnt", "wont",
    "wouldnt", "aint",
];
/// A word that is turned around says less than its opposite: "not bad" is no praise.
const TURNED: f64 = -0.75;
/// What weighs the word after it, and by how much.
const INTENSIFIERS: [(&str, f64); 27] = [
    ("absolutely", 1.5),
    ("amazingly", 1.4),
    ("completely", 1.4),
    ("deeply", 1.3),
    ("entirely", 1.4),
    ("especially", 1.3),
    ("extremely", 1.5),
    ("highly", 1.4),
    ("incredibly", 1.5),
    ("insanely", 1.5),
    ("most", 1.3),
    ("particularly", 1.3),
    ("quite", 1.2),
    ("really", 1.3),
    ("so", 1.3),
    ("such", 1.2),
    ("super", 1.4),
    ("totally", 1.4),
    ("truly", 1.4),
    ("utterly", 1.5),
    ("very", 1.3),
    ("fairly", 0.8),
    ("kinda", 0.6),
    ("partly", 0.6),
    ("slightly", 0.6),
    ("somewhat", 0.7),
    ("mildly", 0.6),
];
/// How many words a negation or an intensifier reaches ahead, within its clause.
const REACH: usize = 3;
/// A word in capitals, in a text that is not all capitals, says it louder.
const CAPITALS: f64 = 1.25;
/// What stands before the last "but" counts less, what follows more.
const BEFORE_BUT: f64 = 0.5;
const AFTER_BUT: f64 = 1.5;
/// Each of the first three exclamation marks.
const EXCLAMATION: f64 = 0.1;
/// The sum at which a text reaches 0.7 of the way is the root of this.
const SATURATION: f64 = 15.0;
/// Characters that are read of a text: a mention has fewer, and each word of a longer one takes memory.
const MOST: usize = 100_000;

/// -1 (very bad) to 1 (very good); 0 where nothing speaks for either, and nothing for a blank text.
#[must_use]
pub fn sentiment(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let text = text.char_indices().nth(MOST).map_or(text, |(end, _)| &text[..end]);
    let words = words(text);
    let mixed = words.iter().any(|word| !word.capitals && word.is_letters());
    let turn = words.iter().rposition(|word| word.text == "but");
    // From nought up: nothing at all adds up to a nought with a sign.
    let sum = (0..words.len())
        .filter_map(|at| Some(valence(&words, at, mixed)? * around(turn, at)))
        .fold(0.0, |sum, value| sum + value);
    let marks = text.chars().filter(|c| *c == '!').take(3).count();
    let sum = sum * (1.0 + EXCLAMATION * marks as f64);
    Some(sum / (sum * sum + SATURATION).sqrt())
}

fn around(turn: Option<usize>, at: usize) -> f64 {
    match turn {
        None => 1.0,
        Some(turn) if at < turn => BEFORE_BUT,
        Some(_) => AFTER_BUT,
    }
}

/// What the word at a place adds, if it is in the lexicon.
fn valence(words: &[Word], at: usize, mixed: bool) -> Option<f64> {
    let word = &words[at];
    let mut value = *lexicon().get(word.text.as_str())?;
    if mixed && word.capitals {
        value *= CAPITALS;
    }
    let mut next = at;
    for _ in 0..REACH {
        // A clause ends what reaches out of it.
        if next == 0 || words[next].begins {
            break;
        }
        next -= 1;
        let before = words[next].text.as_str();
        if is_negation(before) {
            value *= TURNED;
        } else if let Some((_, factor)) = INTENSIFIERS.iter().find(|(word, _)| *word == before) {
            value *= factor;
        }
    }
    Some(value)
}

fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word) || word.ends_with("n't")
}

fn lexicon() -> &'static HashMap<&'static str, f64> {
    static WORDS: OnceLock<HashMap<&'static str, f64>> = OnceLock::new();
    WORDS.get_or_init(|| {
        LEXICON
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter_map(|(word, value)| Some((word, value.parse().ok()?)))
            .collect()
    })
}

/// A word of a text, in lower case.
struct Word {
    text: String,
    /// Written in capitals, two at least.
    capitals: bool,
    /// The first of a clause.
    begins: bool,
}

impl Word {
    fn is_letters(&self) -> bool {
        self.text.chars().any(char::is_alphabetic)
    }
}

/// Words as they stand between spaces, without the punctuation around them; emoji by themselves.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut begins = true;
    for chunk in text.split_whitespace() {
        // Emoticons are all punctuation, and known as they are.
        if let Some(known) = emoticon(chunk) {
            found.push(Word { text: known, capitals: false, begins: false });
            continue;
        }
        for part in parts(chunk) {
            push(&mut found, part, &mut begins);
        }
    }
    found
}

fn emoticon(chunk: &str) -> Option<String> {
    let text = chunk.to_lowercase();
    let symbols = chunk.chars().filter(|c| !c.is_alphanumeric()).count();
    (symbols > 0 && chunk.len() <= 3 && lexicon().contains_key(text.as_str())).then_some(text)
}

/// Letters and what joins them stay together; each other character is a part of its own.
fn parts(chunk: &str) -> Vec<&str> {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-' | '_');
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in chunk.char_indices() {
        if joins(c) {
            start.get_or_insert(at);
            continue;
        }
        if let Some(from) = start.take() {
            found.push(&chunk[from..at]);
        }
        found.push(&chunk[at..at + c.len_utf8()]);
    }
    if let Some(from) = start {
        found.push(&chunk[from..]);
    }
    found
}

fn push(found: &mut Vec<Word>, part: &str, begins: &mut bool) {
    if part.chars().all(|c| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '…' | '—'))
    {
        *begins = true;
        return;
    }
    let trimmed = part.trim_matches(|c| matches!(c, '\'' | '’' | '-' | '_'));
    let text = trimmed.to_lowercase().replace('’', "'");
    if text.is_empty()
        || !(text.chars().any(char::is_alphanumeric) || lexicon().contains_key(text.as_str()))
    {
        return;
    }
    let letters = trimmed.chars().filter(|c| c.is_alphabetic());
    let capitals = letters.clone().count() > 1 && letters.clone().all(char::is_uppercase);
    found.push(Word { text, capitals, begins: std::mem::take(begins) });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sum of valences comes to.
    fn scale(sum: f64) -> f64 {
        sum / (sum * sum + 15.0).sqrt()
    }

    fn near(text: &str, sum: f64) {
        let found = sentiment(text).unwrap_or(f64::NAN);
        assert!((found - scale(sum)).abs() < 1e-12, "{text}: {found}, not {}", scale(sum));
    }

    #[test]
    fn lexicon_is_well_formed() {
        assert_eq!(lexicon().len(), LEXICON.lines().count());
        assert!(lexicon().len() > 400);
        for (word, value) in lexicon() {
            assert!(value.abs() >= 1.0 && value.abs() <= 4.0, "{word}");
            assert_eq!(*word, word.to_lowercase());
            assert!(!is_negation(word));
            assert!(INTENSIFIERS.iter().all(|(other, _)| other != word), "{word}");
        }
    }

    #[test]
    fn words_add_up() {
        near("A good talk", 2.0);
        near("good, good", 4.0);
        near("Great venue, terrible food.", 3.0 - 3.0);
        near("The room was on the second floor", 0.0);
        near("Das war sehr schön", 0.0);
        near("👍👍 what a day ❤️", 2.0 + 2.0 + 3.5);
        near("see you there :)", 2.0);
    }

    #[test]
    fn negations_turn_what_follows_in_their_clause() {
        near("not good", -1.5);
        near("It wasn't bad", 1.5);
        near("it wasn’t bad", 1.5);
        near("never a very good day", 2.0 * 1.3 * -0.75);
        near("I do not think that it was good", 2.0);
        near("No, good", 2.0);
        near("not not good", 2.0 * 0.5625);
    }

    #[test]
    fn intensifiers_weigh() {
        near("very good", 2.6);
        near("slightly boring", -0.9);
        near("really, really very good", 2.0 * 1.3 * 1.3);
        near("GOOD stuff", 2.5);
        near("GOOD STUFF", 2.0);
        near("good!", 2.2);
        near("good!!!!!", 2.6);
    }

    #[test]
    fn what_follows_but_counts_more() {
        near("Good talks but terrible food", 1.0 - 4.5);
        near("terrible food but good talks", -1.5 + 3.0);
    }

    #[test]
    fn blank_is_nothing() {
        assert_eq!(sentiment(""), None);
        assert_eq!(sentiment(" \n\t"), None);
        assert_eq!(sentiment("..."), Some(0.0));
    }

    #[test]
    fn nothing_speaks_for_either_without_a_sign() {
        for text in ["...", "Wo ist der Eingang?", "the second floor"] {
            assert_eq!(sentiment(text).map(f64::to_bits), Some(0.0_f64.to_bits()), "{text}");
        }
    }

    #[test]
    fn a_text_is_read_as_far_as_a_mention_goes() {
        let long = "é ".repeat(MOST / 2 - 3);
        assert_eq!(sentiment(&format!("{long}good")), sentiment("good"));
        assert_eq!(sentiment(&format!("{long}é é é é good")), Some(0.0));
        assert_eq!(sentiment(&format!("{}good", " ".repeat(2 * MOST))), sentiment("good"));
    }

    #[test]
    fn stays_within_its_range() {
        let all = lexicon().iter().filter(|(_, v)| **v > 0.0).map(|(w, _)| *w).collect::<Vec<_>>();
        let score = sentiment(&all.join(" ")).unwrap_or(f64::NAN);
        assert!(score > 0.99 && score <= 1.0);
        let score = sentiment(&"worst ".repeat(100_000)).unwrap_or(f64::NAN);
        assert!((-1.0..-0.99).contains(&score));
    }
}
