//! Everybody at an event as compact features.

use std::collections::HashMap;

use super::goals::{Complements, Goals};
use super::profile::{Profile, Role, word};
use crate::pairs::Sets;
use crate::similarity::Cosines;
use crate::text;
use crate::threads;

/// The small facts of a person. Numbers stand for words; 0 is unknown.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// The industry.
    pub industry: u32,
    /// 1 + the stage of the company.
    pub stage: u8,
    /// 1 + the role.
    pub role: u8,
    /// 1 + the seniority of the role.
    pub seniority: u8,
    /// 1 + the years of experience.
    pub years: u32,
    /// Wants the same industry.
    pub same_industry: bool,
    /// Wants another role.
    pub complementary: bool,
}

/// What scoring needs of everybody, made once.
#[derive(Debug)]
pub struct Crowd {
    pub(super) goals: Goals,
    pub(super) topics: Sets,
    /// Of the texts of the stated interests; zeros where there are none.
    pub(super) cosines: Cosines,
    pub(super) has_vector: Vec<bool>,
    pub(super) traits: Vec<Traits>,
}

impl Crowd {
    /// Features of everybody. Profiles are [`Profile::tidy`].
    #[must_use]
    pub fn new(people: &[Profile], complements: &Complements) -> Self {
        let topics: Vec<Vec<String>> =
            threads::map(people, |p| p.topics.iter().map(|t| word(t)).collect());
        let (cosines, has_vector) = cosines(people);
        let mut industries = HashMap::new();
        Self {
            goals: Goals::new(people, complements),
            topics: Sets::new(&topics),
            cosines,
            has_vector,
            traits: people.iter().map(|person| traits(person, &mut industries)).collect(),
        }
    }

    /// How many people there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.traits.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.traits.is_empty()
    }

    /// Bytes that the features take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.goals.bytes()
            + self.topics.bytes()
            + self.cosines.bytes()
            + self.traits.len() * (size_of::<Traits>() + 1)
    }
}

/// The text whose embedding stands for somebody's interests.
fn interests(person: &Profile) -> String {
    person.topics.join(". ")
}

/// People who say the same have the same vector, which is computed once.
fn cosines(people: &[Profile]) -> (Cosines, Vec<bool>) {
    let said = threads::map(people, interests);
    let (mut numbers, mut distinct) = (HashMap::new(), Vec::new());
    let number = |said: &str| -> usize {
        *numbers.entry(said.to_owned()).or_insert_with(|| {
            distinct.push(said.to_owned());
            distinct.len() - 1
        })
    };
    let of_person: Vec<usize> = said.iter().map(String::as_str).map(number).collect();
    let vectors = threads::map(&distinct, |said| text::embed(said));
    let directed: Vec<bool> =
        vectors.iter().map(|vector| vector.iter().any(|component| *component != 0.0)).collect();
    let mut cosines = Cosines::new(text::DIMENSIONS, people.len());
    for at in &of_person {
        cosines.push(&vectors[*at]);
    }
    (cosines, of_person.iter().map(|at| directed[*at]).collect())
}

fn traits(person: &Profile, industries: &mut HashMap<String, u32>) -> Traits {
    let next = industries.len() as u32 + 1;
    let industry =
        person.industry.as_deref().map_or(0, |name| *industries.entry(word(name)).or_insert(next));
    let seniority = person.role.and_then(Role::seniority);
    Traits {
        industry,
        stage: person.stage.map_or(0, |stage| stage as u8 + 1),
        role: person.role.map_or(0, |role| role as u8 + 1),
        seniority: seniority.map_or(0, |rank| rank + 1),
        years: person.years.map_or(0, |years| years.saturating_add(1)),
        same_industry: person.same_industry,
        complementary: person.complementary,
    }
}
