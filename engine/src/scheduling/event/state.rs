//! A schedule that can be changed step by step and taken back.

use std::sync::Arc;

use super::{Pair, Problem};
use crate::error::{Error, Result};

/// No slot, no pair.
pub const NONE: u32 = u32::MAX;

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
    /// Slots that each pair can have.
    open: Vec<Vec<u32>>,
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
        let mut state = Self {
            problem,
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

    /// The slots that a pair can have.
    pub fn open(&self, pair: u32) -> &[u32] {
        &self.index.open[pair as usize]
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
        self.problem.allows(pair, slot)
            && self.at(a, slot) == NONE
            && self.at(b, slot) == NONE
            && self.has_table(slot)
            && self.has_room(a, slot)
            && self.has_room(b, slot)
            && self.rival(pair).is_none()
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
            self.on_day[person as usize * self.index.days + day] += 1;
            self.covered += u32::from(!self.is_covered(person));
            self.degree[person as usize] += 1;
        }
        self.place[pair as usize] = self.in_slot[slot as usize].len() as u32;
        self.in_slot[slot as usize].push(pair);
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
            self.on_day[person as usize * self.index.days + day] -= 1;
            self.degree[person as usize] -= 1;
            self.covered -= u32::from(!self.is_covered(person));
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
        let slots = problem.slots.len() as u32;
        let open = (0..problem.pairs.len() as u32)
            .map(|pair| (0..slots).filter(|slot| problem.allows(pair, *slot)).collect())
            .collect();
        Self { slots: problem.slots.len(), days: problem.days(), of_person, others, groups, open }
    }
}
