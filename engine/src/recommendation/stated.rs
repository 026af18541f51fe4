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

/// What a person stated, in the words of one programme.
pub(crate) struct Stated<'a> {
    programme: &'a Programme,
    topics: Option<Wanted>,
    industries: Option<Wanted>,
    formats: Option<Wanted>,
    skill: Option<Skill>,
    /// One over the sum of the weights of the stated facets.
    scale: f32,
}

/// Some stated words: how many, and which of the programme's are among them.
struct Wanted {
    count: usize,
    among: Vec<bool>,
}

/// A stated level: how well each of the programme's levels fits, and the level itself.
struct Skill {
    fits: Vec<f32>,
    own: u32,
}

impl<'a> Stated<'a> {
    /// Nothing where the person stated nothing.
    pub fn new(programme: &'a Programme, person: &Person) -> Option<Self> {
        let names = programme.names();
        let mut stated = Self {
            programme,
            topics: Wanted::new(names, &person.topics),
            industries: Wanted::new(names, &person.industries),
            formats: Wanted::new(names, &person.formats),
            skill: person.skill.as_deref().and_then(|level| Skill::new(names, level)),
            scale: 0.0,
        };
        let sum = stated.topics.as_ref().map_or(0.0, |_| TOPICS)
            + stated.industries.as_ref().map_or(0.0, |_| INDUSTRIES)
            + stated.formats.as_ref().map_or(0.0, |_| FORMATS)
            + stated.skill.as_ref().map_or(0.0, |_| SKILL);
        stated.scale = 1.0 / sum;
        (sum > 0.0).then_some(stated)
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
        let share = |wanted: &Option<Wanted>| wanted.as_ref().map_or(0.0, |w| w.share(topics));
        (TOPICS * share(&self.topics) + INDUSTRIES * share(&self.industries)) * self.scale
    }

    fn format(&self, session: u32) -> f32 {
        let format = self.programme.format(session);
        let liked = self.formats.as_ref().is_some_and(|wanted| wanted.has(format));
        if liked { FORMATS * self.scale } else { 0.0 }
    }

    fn level(&self, session: u32) -> f32 {
        let level = self.programme.difficulty(session) as usize;
        let fit = self.skill.as_ref().and_then(|skill| skill.fits.get(level));
        fit.map_or(0.0, |fit| SKILL * fit * self.scale)
    }

    /// The session's topics that the person named, in the session's spelling, each once.
    fn matched(&self, session: u32) -> Vec<String> {
        let names = self.programme.names();
        let mut seen: Vec<u32> = Vec::new();
        let mut matched = Vec::new();
        for topic in &self.programme.session(session).topics {
            let Some(id) = names.id(topic) else { continue };
            let named = [&self.topics, &self.industries].into_iter().flatten().any(|w| w.has(id));
            if named && !seen.contains(&id) {
                seen.push(id);
                matched.push(topic.trim().to_owned());
            }
        }
        matched
    }
}

impl Wanted {
    fn new(names: &Names, words: &[String]) -> Option<Self> {
        let mut distinct: Vec<String> = words.iter().map(|word| folded(word)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.retain(|word| !word.is_empty());
        if distinct.is_empty() {
            return None;
        }
        let mut among = vec![false; names.len()];
        for id in distinct.iter().filter_map(|word| names.id(word)) {
            among[id as usize] = true;
        }
        Some(Self { count: distinct.len(), among })
    }

    fn has(&self, id: u32) -> bool {
        self.among.get(id as usize).copied().unwrap_or(false)
    }

    /// The overlap coefficient with a session's topics.
    fn share(&self, topics: &[u32]) -> f32 {
        let matched = topics.iter().filter(|id| self.has(**id)).count();
        let smaller = self.count.min(topics.len());
        if smaller == 0 { 0.0 } else { matched as f32 / smaller as f32 }
    }
}

impl Skill {
    fn new(names: &Names, level: &str) -> Option<Self> {
        let level = folded(level);
        if level.is_empty() {
            return None;
        }
        let mut fits = vec![0.0; names.len()];
        let mut set = |word: &str, fit: f32| {
            if let Some(id) = names.id(word) {
                fits[id as usize] = fit;
            }
        };
        if let Some(step) = LEVELS.iter().position(|name| *name == level) {
            let near = [step.checked_sub(1), Some(step + 1)].into_iter().flatten();
            near.filter_map(|at| LEVELS.get(at)).for_each(|name| set(name, ONE_STEP));
        }
        for name in EVERY_LEVEL.into_iter().chain([level.as_str()]) {
            set(name, 1.0);
        }
        Some(Self { fits, own: names.id(&level).unwrap_or(UNKNOWN) })
    }
}
