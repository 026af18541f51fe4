//! Invented events whose structure is known: what a test can expect a model to find.

use crate::collaborative::Interactions;
use crate::error::Result;

/// A small generator of repeatable numbers (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in 0..1.
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How an event is made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) people: usize,
    pub(crate) sessions: usize,
    /// Every session and every person belongs to one of these.
    pub(crate) tastes: usize,
    /// The share of choices that ignores the taste.
    pub(crate) noise: f64,
    /// Choices per person on average.
    pub(crate) choices: f64,
    /// 1: all sessions alike; above: the first ones of each taste are ever more popular.
    pub(crate) skew: f64,
    /// 1: all people choose as much; above: a few choose most.
    pub(crate) zeal: f64,
}

impl Shape {
    /// Eight tastes, one choice in five at random.
    pub(crate) const PLANTED: Self = Self {
        people: 300,
        sessions: 120,
        tastes: 8,
        noise: 0.2,
        choices: 9.0,
        skew: 1.3,
        zeal: 1.0,
    };

    /// Which taste a person or session belongs to.
    pub(crate) fn taste(&self, index: usize) -> usize {
        index % self.tastes
    }

    /// Who chose what: (person, session, time), without repetitions.
    pub(crate) fn choices(&self, seed: u64) -> Vec<(u32, u32, i64)> {
        let mut dice = Dice::new(seed);
        let mut made = Vec::new();
        for person in 0..self.people {
            let eager = dice.roll().powf(self.zeal) * (1.0 + self.zeal);
            let wanted = (self.choices * eager).round() as usize;
            let mut chosen = vec![false; self.sessions];
            for at in 0..wanted.clamp(2, self.sessions / 2) {
                let session = self.choose(person, &mut dice);
                if !std::mem::replace(&mut chosen[session], true) {
                    made.push((person as u32, session as u32, at as i64));
                }
            }
        }
        made
    }

    fn choose(&self, person: usize, dice: &mut Dice) -> usize {
        let rank = dice.roll().powf(self.skew);
        if dice.roll() < self.noise {
            return ((rank * self.sessions as f64) as usize).min(self.sessions - 1);
        }
        let own = self.sessions / self.tastes;
        ((rank * own as f64) as usize).min(own - 1) * self.tastes + self.taste(person)
    }

    /// The choices as a matrix of visits.
    pub(crate) fn interactions(&self, seed: u64) -> Result<Interactions> {
        let rows = self.choices(seed).into_iter().map(|(p, s, at)| (p, s, 1.0, at)).collect();
        Interactions::new(self.people, self.sessions, rows)
    }
}
