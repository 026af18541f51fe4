//! Why two people should meet, in sentences that are true of them.

use super::goals::Complements;
use super::profile::{Profile, word};
use super::score::Pair;

/// Words named in one sentence.
const NAMED: usize = 3;
/// Sentences of one match.
const SENTENCES: usize = 5;

/// From how many people on a sentence draws on the contacts of others.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// The least number of common contacts.
    pub least: u32,
    /// From so many on their number is named.
    pub named_from: u32,
}

/// What one seeks that the other offers: the words of both, as they wrote them.
fn met<'a>(
    wants: &'a [String],
    offers: &'a [String],
    complements: &Complements,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut wanted, mut offered) = (Vec::new(), Vec::new());
    for want in wants {
        let of_want = word(want);
        let answers = offers.iter().filter(|o| complements.strength(&of_want, &word(o)) > 0.0);
        let mut any = false;
        for answer in answers {
            any = true;
            if !offered.contains(&answer.as_str()) {
                offered.push(answer.as_str());
            }
        }
        if any {
            wanted.push(want.as_str());
        }
    }
    (wanted, offered)
}

/// What both care about, as the first wrote it.
fn common<'a>(mine: &'a [String], theirs: &[String]) -> Vec<&'a str> {
    let theirs: Vec<String> = theirs.iter().map(|topic| word(topic)).collect();
    mine.iter().filter(|topic| theirs.contains(&word(topic))).map(String::as_str).collect()
}

fn listed(words: &[&str]) -> String {
    words.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ")
}

/// Words in a sentence: 'a', 'a and b', 'a, b and c'.
fn named(words: &[&str]) -> String {
    match &words[..words.len().min(NAMED)] {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Common contacts, as far as they may be told.
#[derive(Clone, Copy)]
enum Contacts {
    Some,
    Number(u32),
}

/// The facts of a pair that sentences are made of.
struct Facts<'a> {
    i_seek: (Vec<&'a str>, Vec<&'a str>),
    they_seek: (Vec<&'a str>, Vec<&'a str>),
    topics: Vec<&'a str>,
    same_industry: Option<&'a str>,
    roles: Option<(&'static str, &'static str)>,
    stage: Option<&'static str>,
    /// Enough to be spoken of.
    common_contacts: Option<Contacts>,
}

impl<'a> Facts<'a> {
    fn new(
        me: &'a Profile,
        them: &'a Profile,
        complements: &Complements,
        pair: &Pair,
        company: Company,
    ) -> Self {
        let same_industry = match (&me.industry, &them.industry) {
            (Some(mine), Some(theirs)) if word(mine) == word(theirs) => Some(mine.trim()),
            _ => None,
        };
        let roles = match (me.role, them.role) {
            (Some(mine), Some(theirs))
                if mine != theirs && (me.complementary || them.complementary) =>
            {
                Some((mine.title(), theirs.title()))
            }
            _ => None,
        };
        let people = pair.tie.common;
        Self {
            i_seek: met(&me.looking_for, &them.can_offer, complements),
            they_seek: met(&them.looking_for, &me.can_offer, complements),
            topics: common(&me.topics, &them.topics),
            same_industry,
            roles: roles.filter(|(mine, theirs)| *mine != "other" && *theirs != "other"),
            stage: me
                .stage
                .filter(|stage| them.stage == Some(*stage))
                .map(super::profile::Stage::name),
            common_contacts: (people >= company.least).then_some(if people >= company.named_from {
                Contacts::Number(people)
            } else {
                Contacts::Some
            }),
        }
    }
}

/// Reasons as one of the two reads them, best first.
#[must_use]
pub fn their_reasons(
    me: &Profile,
    them: &Profile,
    complements: &Complements,
    pair: &Pair,
    company: Company,
) -> Vec<String> {
    let facts = Facts::new(me, them, complements, pair, company);
    let mut said = Vec::new();
    let (wants, offers) = &facts.i_seek;
    if !wants.is_empty() {
        said.push(format!("Looking for: {}. They can offer: {}", listed(wants), listed(offers)));
    }
    let (wants, offers) = &facts.they_seek;
    if !wants.is_empty() {
        said.push(format!("They look for: {}. You can offer: {}", listed(wants), listed(offers)));
    }
    if !facts.topics.is_empty() {
        said.push(format!("You both care about {}", named(&facts.topics)));
    }
    if let Some(number) = facts.common_contacts {
        said.push(match number {
            Contacts::Number(people) => {
                format!("{people} people you are in touch with are in touch with them, too")
            }
            Contacts::Some => "People you are in touch with are in touch with them, too".to_owned(),
        });
    }
    if let Some(industry) = facts.same_industry {
        said.push(format!("You both work in {industry}"));
    }
    if let Some((mine, theirs)) = facts.roles {
        said.push(format!("Your roles differ: {mine} and {theirs}"));
    }
    if let Some(stage) = facts.stage {
        said.push(format!("Your companies are at the same stage: {stage}"));
    }
    said.truncate(SENTENCES);
    said
}

/// The same reasons as both may read them.
#[must_use]
pub fn shared_reasons(
    one: &Profile,
    other: &Profile,
    complements: &Complements,
    pair: &Pair,
    company: Company,
) -> Vec<String> {
    let facts = Facts::new(one, other, complements, pair, company);
    let mut said = Vec::new();
    for (wants, offers) in [&facts.i_seek, &facts.they_seek] {
        if !wants.is_empty() {
            said.push(format!(
                "One looks for: {}. The other can offer: {}",
                listed(wants),
                listed(offers)
            ));
        }
    }
    if !facts.topics.is_empty() {
        said.push(format!("Both care about {}", named(&facts.topics)));
    }
    if let Some(number) = facts.common_contacts {
        said.push(match number {
            Contacts::Number(people) => format!("{people} people are in touch with both"),
            Contacts::Some => "There are people who are in touch with both".to_owned(),
        });
    }
    if let Some(industry) = facts.same_industry {
        said.push(format!("Both work in {industry}"));
    }
    if let Some((mine, theirs)) = facts.roles {
        said.push(format!("Their roles differ: {mine} and {theirs}"));
    }
    if let Some(stage) = facts.stage {
        said.push(format!("Their companies are at the same stage: {stage}"));
    }
    said.truncate(SENTENCES);
    said.dedup();
    said
}
