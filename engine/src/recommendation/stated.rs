//! Topics: how far a session meets what a person stated.

use crate::programme::{Names, Programme, UNKNOWN, folded};

use super::person::Person;
use super::reasons::Cause;

/// What each stated facet counts; those that were not stated drop out and the rest share.
const TOPICS: f32 = 0.55;
const INDUSTRIES: f32 = 0.2;
const FORMATS: f32 = 0.15;
const SKILL: f32 = 0.1;

/// The ladder of levels, easiest first.
const LEVELS: [&str; 4] = ["beginner", "intermediate", "advanced", "expert"];
/// What sessions say that are for everybody.
const EVERY_LEVEL: [&str; 4] = ["all", "all levels", "all_levels", "any"];
/// What one step up or down the ladder is worth.
const ONE_STEP: f32 = 0.5;

/// Bits of [`Stated::wanted`].
const TOPIC: u8 = 1;
const INDUSTRY: u8 = 2;
const FORMAT: u8 = 4;

/// What a person stated, in the words of one programme.
pub(crate) struct Stated<'a> {
    programme: &'a Programme,
    /// For every word of the programme the facets it was stated in.
    wanted: Vec<u8>,
    topics: Facet,
    industries: Facet,
    /// What a liked format adds.
    format: f32,
    skill: Option<Skill>,
}

/// A facet with several words.
struct Facet {
    /// How many were stated.
    count: usize,
    /// What meeting it in full adds.
    weight: f32,
}

/// A stated level: what each of the programme's words adds as a level, and the level itself.
struct Skill {
    fits: Vec<f32>,
    own: u32,
}

impl<'a> Stated<'a> {
    /// Nothing where the person stated nothing.
    pub fn new(programme: &'a Programme, person: &Person) -> Option<Self> {
        let names = programme.names();
        let mut wanted = vec![0; names.len()];
        let topics = mark(&mut wanted, names, TOPIC, &person.topics);
        let industries = mark(&mut wanted, names, INDUSTRY, &person.industries);
        let formats = mark(&mut wanted, names, FORMAT, &person.formats);
        let level = person.skill.as_deref().map(folded).filter(|level| !level.is_empty());

        let part = |stated: bool, weight: f32| if stated { weight } else { 0.0 };
        let weights = [
            part(topics > 0, TOPICS),
            part(industries > 0, INDUSTRIES),
            part(formats > 0, FORMATS),
            part(level.is_some(), SKILL),
        ];
        let sum: f32 = weights.iter().sum();
        let [topic, industry, format, skill] = weights.map(|weight| weight / sum);
        (sum > 0.0).then(|| Self {
            programme,
            wanted,
            topics: Facet { count: topics, weight: topic },
            industries: Facet { count: industries, weight: industry },
            format,
            skill: level.map(|level| Skill::new(names, &level, skill)),
        })
    }

    /// The share of the stated facets that a session meets, weighted: topics and industries by
    /// the overlap coefficient with the session's topics, the format by being among the liked,
    /// the level by 1 if equal or for everybody and 0.5 if one step away.
    pub fn score(&self, session: u32) -> f32 {
        (self.interests(session) + self.format(session) + self.level(session)).min(1.0)
    }

    /// Every facet that a session meets, with what it adds to the score.
    pub fn causes(&self, session: u32) -> Vec<(f64, Cause)> {
        let shown = self.programme.session(session);
        let matched = self.matched(session);
        let mut causes = Vec::with_capacity(3);
        if !matched.is_empty() {
            causes.push((f64::from(self.interests(session)), Cause::Topics { matched }));
        }
        let format = self.format(session);
        if let Some(name) = shown.format.as_ref().filter(|_| format > 0.0) {
            causes.push((f64::from(format), Cause::Format { format: name.trim().to_owned() }));
        }
        let own = self.skill.as_ref().map_or(UNKNOWN, |skill| skill.own);
        let equal = own != UNKNOWN && self.programme.difficulty(session) == own;
        if let Some(level) = shown.difficulty.as_ref().filter(|_| equal) {
            let level = level.trim().to_owned();
            causes.push((f64::from(self.level(session)), Cause::Skill { level }));
        }
        causes
    }

    fn interests(&self, session: u32) -> f32 {
        let topics = self.programme.topics(session);
        let (mut by_topic, mut by_industry) = (0, 0);
        for id in topics {
            let facets = self.wanted[*id as usize];
            by_topic += usize::from(facets & TOPIC != 0);
            by_industry += usize::from(facets & INDUSTRY != 0);
        }
        self.topics.share(by_topic, topics.len()) + self.industries.share(by_industry, topics.len())
    }

    fn format(&self, session: u32) -> f32 {
        let format = self.programme.format(session);
        let facets = self.wanted.get(format as usize).copied().unwrap_or(0);
        if facets & FORMAT != 0 { self.format } else { 0.0 }
    }

    fn level(&self, session: u32) -> f32 {
        let level = self.programme.difficulty(session) as usize;
        self.skill.as_ref().and_then(|skill| skill.fits.get(level)).copied().unwrap_or(0.0)
    }

    /// The session's topics that the person named, in the session's spelling, each once.
    fn matched(&self, session: u32) -> Vec<String> {
        let mut seen: Vec<u32> = Vec::new();
        let mut matched = Vec::new();
        for topic in &self.programme.session(session).topics {
            let Some(id) = self.programme.names().id(topic) else { continue };
            let named = self.wanted[id as usize] & (TOPIC | INDUSTRY) != 0;
            if named && !seen.contains(&id) {
                seen.push(id);
                matched.push(topic.trim().to_owned());
            }
        }
        matched
    }
}

impl Facet {
    /// The overlap coefficient, weighted.
    fn share(&self, matched: usize, topics: usize) -> f32 {
        if matched == 0 {
            0.0
        } else {
            self.weight * matched as f32 / self.count.min(topics) as f32
        }
    }
}

/// Marks the stated words among the programme's and counts the distinct stated ones.
fn mark(wanted: &mut [u8], names: &Names, facet: u8, words: &[String]) -> usize {
    let mut distinct: Vec<String> = words.iter().map(|word| folded(word)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.retain(|word| !word.is_empty());
    for id in distinct.iter().filter_map(|word| names.id(word)) {
        wanted[id as usize] |= facet;
    }
    distinct.len()
}

impl Skill {
    fn new(names: &Names, level: &str, weight: f32) -> Self {
        let mut fits = vec![0.0; names.len()];
        let mut set = |word: &str, fit: f32| {
            if let Some(id) = names.id(word) {
                fits[id as usize] = fit * weight;
            }
        };
        if let Some(step) = LEVELS.iter().position(|name| *name == level) {
            let near = [step.checked_sub(1), Some(step + 1)].into_iter().flatten();
            near.filter_map(|at| LEVELS.get(at)).for_each(|name| set(name, ONE_STEP));
        }
        for name in EVERY_LEVEL.into_iter().chain([level]) {
            set(name, 1.0);
        }
        Self { fits, own: names.id(level).unwrap_or(UNKNOWN) }
    }
}
