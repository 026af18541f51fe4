//! Everybody at an event, packed so that all pairs can be scored.

use std::collections::HashMap;
use std::ops::Range;

use super::contractor::Contractor;
use super::parts::{self, Parts};
use super::places::Separation;
use super::weights::Weights;
use crate::pairs::{Score, Sets};

/// The features of many contractors, a few words each.
#[derive(Clone, Debug)]
pub struct Crowd {
    weights: Weights,
    focus: Sets,
    services: Sets,
    families: Sets,
    tools: Sets,
    traits: Vec<Traits>,
}

/// What is compared by code.
#[derive(Clone, Copy, Debug)]
struct Traits {
    state: u32,
    city: u32,
    team: u32,
    tier: u8,
    disc: Option<super::Disc>,
    years: Option<u32>,
}

impl Crowd {
    /// Packs contractors; the index of each stays.
    #[must_use]
    pub fn new(people: &[Contractor], weights: Weights) -> Self {
        let sets = |keys: fn(&Contractor) -> &[String]| {
            Sets::new(&people.iter().map(keys).collect::<Vec<&[String]>>())
        };
        let mut places = Places::default();
        Self {
            weights,
            focus: sets(|person| &person.focus.keys),
            services: sets(|person| &person.services.keys),
            tools: sets(|person| &person.tools.keys),
            families: Sets::new(
                &people.iter().map(|person| person.families.as_slice()).collect::<Vec<_>>(),
            ),
            traits: people.iter().map(|person| places.traits(person)).collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.traits.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.traits.is_empty()
    }

    /// The weights that pairs are scored by.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The score of two.
    #[must_use]
    #[inline]
    pub fn score(&self, a: usize, b: usize) -> f64 {
        let (x, y) = (self.traits[a], self.traits[b]);
        let of = |sets: &Sets| parts::jaccard(sets.common(a, b), sets.size(a), sets.size(b));
        let further = self.weights.beyond_the_four();
        let services = &self.services;
        let separation = Separation::of((x.state, y.state), (x.city, y.city));
        let same_family = || self.families.common(a, b) > 0;
        Parts {
            focus: of(&self.focus),
            geographic: parts::geographic(separation),
            scale: parts::scale((x.tier, y.tier), (x.team, y.team)),
            industry: parts::industry(
                services.common(a, b),
                services.size(a),
                services.size(b),
                same_family,
            ),
            years: if further { parts::years(x.years, y.years) } else { 0.0 },
            tools: if further { of(&self.tools) } else { 0.0 },
            disc: if further { parts::disc(x.disc, y.disc) } else { 0.0 },
        }
        .score(&self.weights)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sets = [&self.focus, &self.services, &self.families, &self.tools];
        let sets: usize = sets.into_iter().map(Sets::bytes).sum();
        sets + self.traits.len() * size_of::<Traits>()
    }
}

impl Score for Crowd {
    fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]) {
        for (score, other) in scores.iter_mut().zip(with) {
            *score = self.score(of, other);
        }
    }
}

/// Numbers for the states and cities of a crowd, from 1.
#[derive(Default)]
struct Places<'a> {
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Places<'a> {
    fn number(&mut self, place: &'a str) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        if place.is_empty() { 0 } else { *self.numbers.entry(place).or_insert(next) }
    }

    fn traits(&mut self, person: &'a Contractor) -> Traits {
        Traits {
            state: self.number(&person.state),
            city: self.number(&person.city),
            team: person.team,
            tier: person.tier,
            disc: person.disc,
            years: person.years,
        }
    }
}
