//! What an incoming message means. A message means something only if all of its words agree: the
//! one that says it, and words of politeness around it. Whatever has a word more is unclear, so that
//! neither 'yesterday' nor 'yes, if she comes too' is taken for consent.

/// What a message was understood as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// Consent.
    Yes,
    /// Refusal.
    No,
    /// Not now; at the next break.
    Later,
    /// Not in this break.
    Skip,
    /// A number from 1 to 10.
    Rating(u8),
    /// No more introductions.
    StopPeer,
    /// Introductions again.
    StartPeer,
    /// No more messages at all.
    Stop,
    /// None of these.
    Unclear,
}

impl Word {
    /// The name in the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Later => "later",
            Self::Skip => "skip",
            Self::Rating(_) => "rating",
            Self::StopPeer => "stop_peer",
            Self::StartPeer => "start_peer",
            Self::Stop => "stop",
            Self::Unclear => "unclear",
        }
    }
}

/// Nobody answers YES or NO in more letters than these.
const MOST_CHARS: usize = 200;

const YES: &str = "yes y yep yeah yup yea ya yah yas yess yse eys ysa yees yyes yesh yez ues tes yws \u{1f44d} \u{2705} \u{2714}";
const YES_TOO: &str = "please pls plz thanks thank thx ty you i id do would want like love to be introduced meet them \
    him her that it lets let us go great sure absolutely definitely of course ok okay sounds good sir maam mam a lot very \
    much im in oh hi hello hey hell heck well";
const NO: &str = "no n nope nah nop noo onn nay \u{1f44e} \u{274c}";
const NO_TOO: &str = "thanks thank thx ty you please pls plz sorry not interested i im am good dont want to really way oh \
    hi hello hey";
const LATER: &str = "later latr ltr laer lter latre laetr ltaer lateer laater llater l8r l8ter";
const LATER_TOO: &str = "please pls plz thanks thank thx ty you maybe perhaps ask me remind again on then in the at a \
    break next today for now ok okay rather";
const LATER_WHOLE: &str = "not now|not right now|not yet|no not now|next break|at the next break|in the next break|ask me at the next break";
const SKIP: &str = "skip skp skiip sskip skkip ksip sikp skpi";
const SKIP_TOO: &str = "please pls plz thanks thank thx ty you it this that one break time lunch the for now me today ok okay";
const STOP: &str = "stop sotp stpo tsop sttop sstop stopp halt";
const STOP_TOO: &str = "please pls plz all it this that now messages messaging message texts texting text sms sending me these \
    contacting thanks thank thx you already immediately everything hi hello hey and us";
const CARRIER: &str = "stopall unsubscribe unsubscribed cancel end quit optout revoke unsub";
const CARRIER_TOO: &str = "please pls plz thanks thank thx you me now all";
const START: &str = "start strat satrt sart stsrt startt restart";
const PEER: &str = "peer peers pear peeer per pere peeers prer";
const PEER_TOO: &str = "please pls plz thanks thank thx you me now matching match matches messages message introductions \
    introduction intros again texts hi hello hey the";
const RATING_TOO: &str = "i id say would give it a an was is solid about around rating score great good thanks thank thx \
    ty you definitely him her them we very nice really awesome super wow easily strong points stars the my and for chat \
    meeting talk";
const NUMBERS: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

fn among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

/// What a message means.
#[must_use]
pub fn understand(body: &str) -> Word {
    if body.chars().nth(MOST_CHARS).is_some() {
        return Word::Unclear;
    }
    let words = tokens(body);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let readings = [stop(&words), agreed(&words), rating(&words)];
    let mut found = readings.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(word), None) => word,
        _ => Word::Unclear,
    }
}

/// The words that end or begin something, for which the wish is what counts: it may be said in any
/// reasonable way.
fn stop(words: &[&str]) -> Option<Word> {
    let (first, rest) = skip_please(words).split_first()?;
    let all = |list: &str| rest.iter().all(|word| among(list, word));
    let about_peers = || {
        rest.iter().any(|w| among(PEER, w))
            && rest.iter().all(|w| among(PEER, w) || among(PEER_TOO, w))
    };
    let introductions =
        || rest.iter().any(|w| w.starts_with("intro") || *w == "matching") && all(PEER_TOO);
    let stops = stop_like(first) || among("end cancel quit unsubscribe", first);
    if ["stoppeer", "stoppeers"].contains(first) && all(PEER_TOO) {
        return Some(Word::StopPeer);
    }
    if stops && (about_peers() || introductions()) {
        return Some(Word::StopPeer);
    }
    if ["startpeer", "startpeers"].contains(first) && all(PEER_TOO)
        || among(START, first) && about_peers()
    {
        return Some(Word::StartPeer);
    }
    let opt_out = words.len() >= 2 && *first == "opt" && rest[0] == "out";
    if opt_out && rest[1..].iter().all(|word| among(CARRIER_TOO, word)) {
        return Some(Word::Stop);
    }
    let carrier = among(CARRIER, first) && all(CARRIER_TOO);
    (carrier || stop_like(first) && all(STOP_TOO)).then_some(Word::Stop)
}

fn stop_like(word: &str) -> bool {
    among(STOP, word) || squeezed(word) == "stop" && word != "stoop"
}

fn skip_please<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let polite = words.iter().take_while(|word| among("please pls plz hi hello hey", word)).count();
    &words[polite..]
}

/// The words that answer: at least one says it, and the others are polite.
fn agreed(words: &[&str]) -> Option<Word> {
    let whole = words.join(" ");
    if LATER_WHOLE.split('|').any(|known| known == whole) {
        return Some(Word::Later);
    }
    if whole == "not interested" {
        return Some(Word::No);
    }
    let kinds = [
        (Word::Yes, YES, YES_TOO),
        (Word::No, NO, NO_TOO),
        (Word::Later, LATER, LATER_TOO),
        (Word::Skip, SKIP, SKIP_TOO),
    ];
    let says = |list: &str, word: &str| among(list, word) || stretched(list, word);
    kinds.into_iter().find_map(|(meaning, list, too)| {
        let said = words.iter().any(|word| says(list, word));
        let polite = words.iter().all(|word| says(list, word) || among(too, word));
        (said && polite).then_some(meaning)
    })
}

/// 'yesss', 'nooooo' and 'skipp': a letter held down. 'latter' is another word.
fn stretched(list: &str, word: &str) -> bool {
    const WHOLE: &str = "yes yep yeah yup no nope later skip";
    let short = squeezed(word);
    word != "latter" && short != word && among(WHOLE, &short) && among(list, &short)
}

/// Each run of one letter as one letter.
fn squeezed(word: &str) -> String {
    let mut short = String::new();
    for letter in word.chars() {
        if !short.ends_with(letter) {
            short.push(letter);
        }
    }
    short
}

/// A whole number from 1 to 10, alone or out of ten.
fn rating(words: &[&str]) -> Option<Word> {
    let words = match words {
        [start @ .., "out", "of", "10" | "ten"] => start,
        whole => whole,
    };
    let mut numbers = words.iter().filter_map(|word| number(word));
    let given = numbers.next()?;
    let polite = words.iter().all(|word| number(word).is_some() || among(RATING_TOO, word));
    (numbers.next().is_none() && polite && (1..=10).contains(&given))
        .then_some(Word::Rating(given as u8))
}

fn number(word: &str) -> Option<u32> {
    let word = word.strip_suffix("/10").unwrap_or(word);
    if let Some(at) = NUMBERS.iter().position(|name| *name == word) {
        return Some(at as u32 + 1);
    }
    (!word.is_empty() && word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit()))
        .then(|| word.parse().ok())
        .flatten()
}

/// The words of a message, in lower case, without punctuation and without emoji that say nothing. A
/// word with a digit in it stays whole, so that '8.5', '-5' and '7-8' are none of the numbers 1 to 10.
fn tokens(body: &str) -> Vec<String> {
    let plain: String = body.chars().filter_map(plain).collect::<String>().to_lowercase();
    let plain = plain.replace('\u{1f51f}', " 10 ");
    let mut words = Vec::new();
    for chunk in plain.split_whitespace() {
        if chunk.chars().any(|c| c.is_ascii_digit()) {
            words.push(bare(chunk));
            continue;
        }
        let mut word = String::new();
        for letter in chunk.chars() {
            if letter.is_alphabetic() {
                word.push(letter);
            } else if !matches!(letter, '\'' | '\u{2019}') {
                words.push(std::mem::take(&mut word));
                if among(YES, &letter.to_string()) || among(NO, &letter.to_string()) {
                    words.push(letter.to_string());
                }
            }
        }
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    // 'Y.E.S.' and 'n o'.
    if words.len() > 1 && words.iter().all(|word| word.chars().count() == 1 && word.is_ascii()) {
        let whole = words.concat();
        if among("yes no skip stop later", &whole) {
            return vec![whole];
        }
    }
    words
}

/// A word with digits, without the punctuation around it. A sign in front belongs to the number.
fn bare(chunk: &str) -> String {
    let chunk = chunk.trim_start_matches(['#', '(', '"', '\'', '*', '\u{201c}', '\u{2018}']);
    let end = |c: char| !c.is_alphanumeric() && !matches!(c, '%' | '+' | '-');
    chunk.trim_end_matches(end).to_owned()
}

/// Marks that change how a letter looks, and nothing else, are left out; full-width letters are
/// letters.
fn plain(c: char) -> Option<char> {
    match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2060}'
        | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{20e3}'
        | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{ad}' => None,
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        '\u{a0}' | '\u{3000}' => Some(' '),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests;
