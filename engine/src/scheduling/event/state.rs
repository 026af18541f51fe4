//! A schedule that can be changed step by step and taken back.

use std::sync::Arc;

use super::{Pair, Problem};
use crate::error::{Error, Result};

/// No slot, no pair.
pub const NONE: u32 = u32::MAX;
/// Slots in a word of a set.
const WORD: u32 = u64::BITS;

/// What of the problem the search looks up all the time.
#[derive(Debug)]
struct Index {
    slots: usize,
    days: usize,
    /// Pairs of each person.
    of_person: Vec<Vec<u32>>,
    /// Pairs of each person with the other one, in the order of the other.
    others: Vec<Vec<(u32, u32)>>,
    /// Sets of exclusive pairs of each pair; empty for all where there are none.
    groups: Vec<Vec<u32>>,
    /// Words of a set of slots, a slot being a bit.
    words: usize,
    /// By person: the slots in which they are free.
    free: Vec<u64>,
    /// By day: its slots.
    of_day: Vec<u64>,
}

/// Who meets when, with everything that is counted about it.
#[derive(Debug, Clone)]
pub struct State<'p> {
    /// What is to be arranged.
    pub problem: &'p Problem,
    index: Arc<Index>,
    slot_of: Vec<u32>,
    fixed: Arc<Vec<bool>>,
    /// By body and slot: the pair that takes it.
    at: Vec<u32>,
    /// By slot: the pairs in it, and by pair its place in that list.
    in_slot: Vec<Vec<u32>>,
    place: Vec<u32>,
    /// By person and day, and by person.
    on_day: Vec<u32>,
    degree: Vec<u32>,
    group_by: Vec<u32>,
    /// Sets of slots: by body those in which it has nothing, by person those of days that take more, and those with a
    /// table. What is common to all, and to the two of a pair, is where that pair fits.
    idle: Vec<u64>,
    roomy: Vec<u64>,
    tabled: Vec<u64>,
    covered: u32,
    total: u64,
    /// Changes since the last mark: pair and the slot it had.
    journal: Vec<(u32, u32)>,
}

impl<'p> State<'p> {
    /// A schedule of the fixed meetings alone.
    pub fn with_fixed(problem: &'p Problem) -> Result<Self> {
        let (pairs, people) = (problem.pairs.len(), problem.people.len());
        let index = Index::of(problem);
        let mut fixed = vec![false; pairs];
        for (pair, _) in &problem.fixed {
            fixed[*pair as usize] = true;
        }
        let all = index.all();
        let mut state = Self {
            problem,
            idle: all.repeat(problem.bodies()),
            roomy: index.roomy(problem),
            tabled: index.tabled(problem),
            slot_of: vec![NONE; pairs],
            fixed: Arc::new(fixed),
            at: vec![NONE; problem.bodies() * index.slots],
            in_slot: vec![vec![]; index.slots],
            place: vec![0; pairs],
            on_day: vec![0; people * index.days],
            degree: vec![0; people],
            group_by: vec![NONE; problem.exclusive.len()],
            covered: problem.people.iter().map(|p| u32::from(p.served)).sum(),
            total: 0,
            journal: vec![],
            index: Arc::new(index),
        };
        for &(pair, slot) in &problem.fixed {
            if !state.fits(pair, slot) {
                return Err(Error::Clash {
                    message: format!(
                        "fixed meeting of pair {pair} cannot take place in slot {slot}"
                    ),
                    detail: "One of the two is not free, has a full day, or no table is left."
                        .into(),
                    hint: "Take it out, or fix another time.".into(),
                });
            }
            state.put(pair, slot);
        }
        state.journal.clear();
        Ok(state)
    }

    /// People with a meeting.
    pub fn covered(&self) -> u32 {
        self.covered
    }

    /// What the meetings are worth together.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// For each pair its slot.
    pub fn slots(&self) -> Vec<u32> {
        self.slot_of.clone()
    }

    /// The slot of a pair.
    pub fn slot(&self, pair: u32) -> u32 {
        self.slot_of[pair as usize]
    }

    /// Whether a pair's meeting takes place whatever happens.
    pub fn is_fixed(&self, pair: u32) -> bool {
        self.fixed[pair as usize]
    }

    /// The slots that a pair can have if nothing else is there, as bits.
    fn open(&self, pair: u32) -> impl Iterator<Item = u64> + '_ {
        let Pair { a, b, .. } = self.problem.pairs[pair as usize];
        let words = if self.same_body(a, b) { 0 } else { self.index.words };
        (0..words).map(move |word| self.index.free_in(a, word) & self.index.free_in(b, word))
    }

    /// How many slots a pair can have.
    pub fn open_count(&self, pair: u32) -> usize {
        self.open(pair).map(|word| word.count_ones() as usize).sum()
    }

    /// The slot of this number among those that a pair can have.
    pub fn open_slot(&self, pair: u32, mut number: usize) -> u32 {
        for (at, mut word) in self.open(pair).enumerate() {
            let count = word.count_ones() as usize;
            if number < count {
                for _ in 0..number {
                    word &= word - 1;
                }
                return at as u32 * WORD + word.trailing_zeros();
            }
            number -= count;
        }
        NONE
    }

    /// The first slot from this one on, and then from the first of all, in which a pair that does not meet could, with
    /// everything else as it is.
    pub fn fitting(&self, pair: u32, from: u32) -> Option<u32> {
        let Pair { a, b, .. } = self.problem.pairs[pair as usize];
        if self.same_body(a, b) || self.rival(pair).is_some() {
            return None;
        }
        let words = self.index.words;
        let (first, low) = ((from / WORD) as usize, (1u64 << (from % WORD)) - 1);
        for step in 0..=words {
            let at = (first + step) % words;
            let asked = match step {
                0 => !low,
                _ if step == words => low,
                _ => u64::MAX,
            };
            let word = self.fit_in(a, b, at) & asked;
            if word != 0 {
                return Some(at as u32 * WORD + word.trailing_zeros());
            }
        }
        None
    }

    fn fit_in(&self, a: u32, b: u32, word: usize) -> u64 {
        let words = self.index.words;
        let of = |sets: &[u64], of: usize| sets[of * words + word];
        self.tabled[word]
            & self.index.free_in(a, word)
            & self.index.free_in(b, word)
            & of(&self.idle, self.body(a))
            & of(&self.idle, self.body(b))
            & of(&self.roomy, a as usize)
            & of(&self.roomy, b as usize)
    }

    /// The pairs of a person.
    pub fn pairs_of(&self, person: u32) -> &[u32] {
        &self.index.of_person[person as usize]
    }

    /// The pair of two people, if they want to meet.
    pub fn pair_of(&self, a: u32, b: u32) -> Option<u32> {
        let others = &self.index.others[a as usize];
        others.binary_search_by_key(&b, |o| o.0).ok().map(|at| others[at].1)
    }

    /// What a person's body does in a slot.
    pub fn at(&self, person: u32, slot: u32) -> u32 {
        self.at[self.body(person) * self.index.slots + slot as usize]
    }

    /// Whether a person has a meeting, now or from before.
    pub fn is_covered(&self, person: u32) -> bool {
        self.degree[person as usize] > 0 || self.problem.people[person as usize].served
    }

    /// The pairs that meet in a slot.
    pub fn meetings(&self, slot: u32) -> &[u32] {
        &self.in_slot[slot as usize]
    }

    /// Whether a slot has a table left.
    pub fn has_table(&self, slot: u32) -> bool {
        (self.in_slot[slot as usize].len() as u64)
            < u64::from(self.problem.slots[slot as usize].tables)
    }

    /// Whether a person's day takes another meeting.
    pub fn has_room(&self, person: u32, slot: u32) -> bool {
        let day = self.problem.slots[slot as usize].day as usize;
        self.on_day[person as usize * self.index.days + day]
            < self.problem.people[person as usize].room[day]
    }

    /// The pair that keeps this one from meeting, of those of which one may.
    pub fn rival(&self, pair: u32) -> Option<u32> {
        let groups = self.index.groups.get(pair as usize)?;
        groups.iter().map(|g| self.group_by[*g as usize]).find(|by| *by != NONE && *by != pair)
    }

    /// Whether a pair that does not meet could in this slot, with everything else as it is.
    pub fn fits(&self, pair: u32, slot: u32) -> bool {
        let Pair { a, b, .. } = self.problem.pairs[pair as usize];
        !self.same_body(a, b)
            && self.fit_in(a, b, (slot / WORD) as usize) >> (slot % WORD) & 1 == 1
            && self.rival(pair).is_none()
    }

    /// Whether two people are represented by one and the same.
    pub fn same_body(&self, a: u32, b: u32) -> bool {
        self.body(a) == self.body(b)
    }

    fn body(&self, person: u32) -> usize {
        self.problem.people[person as usize].body as usize
    }

    /// Notes a meeting that fits.
    pub fn put(&mut self, pair: u32, slot: u32) {
        self.journal.push((pair, NONE));
        self.set(pair, slot);
    }

    /// Takes a meeting out.
    pub fn take(&mut self, pair: u32) {
        self.journal.push((pair, self.slot_of[pair as usize]));
        self.clear(pair);
    }

    fn set(&mut self, pair: u32, slot: u32) {
        let Pair { a, b, weight } = self.problem.pairs[pair as usize];
        let day = self.problem.slots[slot as usize].day as usize;
        for person in [a, b] {
            let body = self.body(person);
            self.at[body * self.index.slots + slot as usize] = pair;
            flip(&mut self.idle, body * self.index.words, slot);
            self.on_day[person as usize * self.index.days + day] += 1;
            if !self.has_room(person, slot) {
                self.flip_day(person, day);
            }
            self.covered += u32::from(!self.is_covered(person));
            self.degree[person as usize] += 1;
        }
        self.place[pair as usize] = self.in_slot[slot as usize].len() as u32;
        self.in_slot[slot as usize].push(pair);
        if !self.has_table(slot) {
            flip(&mut self.tabled, 0, slot);
        }
        self.slot_of[pair as usize] = slot;
        self.total += u64::from(weight);
        self.mark_groups(pair, pair);
    }

    fn clear(&mut self, pair: u32) {
        let Pair { a, b, weight } = self.problem.pairs[pair as usize];
        let slot = self.slot_of[pair as usize];
        let day = self.problem.slots[slot as usize].day as usize;
        for person in [a, b] {
            let body = self.body(person);
            self.at[body * self.index.slots + slot as usize] = NONE;
            flip(&mut self.idle, body * self.index.words, slot);
            if !self.has_room(person, slot) {
                self.flip_day(person, day);
            }
            self.on_day[person as usize * self.index.days + day] -= 1;
            self.degree[person as usize] -= 1;
            self.covered -= u32::from(!self.is_covered(person));
        }
        if !self.has_table(slot) {
            flip(&mut self.tabled, 0, slot);
        }
        let (place, list) = (self.place[pair as usize] as usize, &mut self.in_slot[slot as usize]);
        list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            self.place[*moved as usize] = place as u32;
        }
        self.slot_of[pair as usize] = NONE;
        self.total -= u64::from(weight);
        self.mark_groups(pair, NONE);
    }

    /// The last meeting that a day takes closes it, and opens it when it goes.
    fn flip_day(&mut self, person: u32, day: usize) {
        let words = self.index.words;
        let day = &self.index.of_day[day * words..][..words];
        for (word, bits) in self.roomy[person as usize * words..][..words].iter_mut().zip(day) {
            *word ^= bits;
        }
    }

    fn mark_groups(&mut self, pair: u32, by: u32) {
        if let Some(groups) = self.index.groups.get(pair as usize) {
            for group in groups {
                self.group_by[*group as usize] = by;
            }
        }
    }

    /// Where the journal stands.
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back what was done since the mark.
    pub fn back(&mut self, mark: usize) {
        while self.journal.len() > mark {
            if let Some((pair, had)) = self.journal.pop() {
                if self.slot_of[pair as usize] != NONE {
                    self.clear(pair);
                }
                if had != NONE {
                    self.set(pair, had);
                }
            }
        }
    }

    /// What was done stays.
    pub fn keep(&mut self) {
        self.journal.clear();
    }
}

impl Index {
    fn of(problem: &Problem) -> Self {
        let mut of_person = vec![vec![]; problem.people.len()];
        let mut others: Vec<Vec<(u32, u32)>> = vec![vec![]; problem.people.len()];
        for (at, pair) in (0u32..).zip(&problem.pairs) {
            of_person[pair.a as usize].push(at);
            of_person[pair.b as usize].push(at);
            others[pair.a as usize].push((pair.b, at));
            others[pair.b as usize].push((pair.a, at));
        }
        for list in &mut others {
            list.sort_unstable();
        }
        let mut groups = vec![];
        if !problem.exclusive.is_empty() {
            groups = vec![vec![]; problem.pairs.len()];
            for (group, pairs) in (0u32..).zip(&problem.exclusive) {
                for pair in pairs {
                    groups[*pair as usize].push(group);
                }
            }
        }
        let (slots, days) = (problem.slots.len(), problem.days());
        let words = slots.div_ceil(WORD as usize).max(1);
        let mut free = vec![0; problem.people.len() * words];
        for (at, person) in problem.people.iter().enumerate() {
            for slot in (0..slots as u32).filter(|slot| person.free[*slot as usize]) {
                flip(&mut free, at * words, slot);
            }
        }
        let mut of_day = vec![0; days * words];
        for (at, slot) in (0u32..).zip(&problem.slots) {
            flip(&mut of_day, slot.day as usize * words, at);
        }
        Self { slots, days, of_person, others, groups, words, free, of_day }
    }

    fn free_in(&self, person: u32, word: usize) -> u64 {
        self.free[person as usize * self.words + word]
    }

    /// All slots.
    fn all(&self) -> Vec<u64> {
        let mut all = vec![0; self.words];
        (0..self.slots as u32).for_each(|slot| flip(&mut all, 0, slot));
        all
    }

    /// By person, the slots of days that take meetings at all.
    fn roomy(&self, problem: &Problem) -> Vec<u64> {
        let mut roomy = vec![0; problem.people.len() * self.words];
        for (at, person) in problem.people.iter().enumerate() {
            for (slot, _) in
                (0u32..).zip(&problem.slots).filter(|(_, s)| person.room[s.day as usize] > 0)
            {
                flip(&mut roomy, at * self.words, slot);
            }
        }
        roomy
    }

    /// The slots that have tables at all.
    fn tabled(&self, problem: &Problem) -> Vec<u64> {
        let mut tabled = vec![0; self.words];
        for (slot, _) in (0u32..).zip(&problem.slots).filter(|(_, s)| s.tables > 0) {
            flip(&mut tabled, 0, slot);
        }
        tabled
    }
}

/// Adds a slot to the set that begins there, or takes it away.
fn flip(sets: &mut [u64], begin: usize, slot: u32) {
    sets[begin + (slot / WORD) as usize] ^= 1 << (slot % WORD);
}
