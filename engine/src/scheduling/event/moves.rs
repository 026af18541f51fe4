//! The steps of the search. Each changes the schedule and leaves it to the caller to keep that or take it back.

use super::random::Random;
use super::state::{NONE, State};

/// Meetings of a Kempe chain, at most.
const LONGEST_CHAIN: usize = 120;
/// Partners that somebody who lost a meeting is offered.
const OFFERS: usize = 6;

/// Gives a pair this slot, at the cost of whatever stands in the way; what had to go is put elsewhere where it fits,
/// and those who were left alone in the slot are brought together where they want to. False: nothing was changed.
pub fn force(state: &mut State<'_>, pair: u32, slot: u32, random: &mut Random) -> bool {
    let mark = state.mark();
    let both = state.problem.pairs[pair as usize];
    if state.slot(pair) != NONE {
        state.take(pair);
    }
    let mut gone = [NONE; 6];
    let mut count = 0;
    while !state.fits(pair, slot) {
        let Some(victim) = in_the_way(state, pair, slot, random) else {
            state.back(mark);
            return false;
        };
        if count == gone.len() || state.is_fixed(victim) {
            state.back(mark);
            return false;
        }
        state.take(victim);
        gone[count] = victim;
        count += 1;
    }
    state.put(pair, slot);
    reunite(state, &gone[..count], (both.a, both.b), slot);
    for &victim in &gone[..count] {
        settle(state, victim);
    }
    for &victim in &gone[..count] {
        if state.slot(victim) == NONE {
            let lost = state.problem.pairs[victim as usize];
            offer(state, lost.a, slot, random);
            offer(state, lost.b, slot, random);
        }
    }
    true
}

/// One of the meetings that keep a pair from a slot.
fn in_the_way(state: &State<'_>, pair: u32, slot: u32, random: &mut Random) -> Option<u32> {
    let both = state.problem.pairs[pair as usize];
    if !state.problem.allows(pair, slot) {
        return None;
    }
    for person in [both.a, both.b] {
        let there = state.at(person, slot);
        if there != NONE {
            return Some(there);
        }
    }
    for person in [both.a, both.b] {
        if !state.has_room(person, slot) {
            return cheapest_of_day(state, person, slot);
        }
    }
    if !state.has_table(slot) {
        let there = state.meetings(slot);
        return (!there.is_empty()).then(|| there[random.below(there.len())]);
    }
    state.rival(pair)
}

/// A person's meeting of that day that is worth least.
fn cheapest_of_day(state: &State<'_>, person: u32, slot: u32) -> Option<u32> {
    let day = state.problem.slots[slot as usize].day;
    let of_day = (0u32..).zip(&state.problem.slots).filter(|(_, s)| s.day == day);
    of_day
        .map(|(at, _)| state.at(person, at))
        .filter(|pair| {
            *pair != NONE && !state.is_fixed(*pair) && {
                let both = state.problem.pairs[*pair as usize];
                both.a == person || both.b == person
            }
        })
        .min_by_key(|pair| state.problem.pairs[*pair as usize].weight)
}

/// The partners that two people left in a slot for each other are free there: they may want to meet.
fn reunite(state: &mut State<'_>, gone: &[u32], (a, b): (u32, u32), slot: u32) {
    let left = |person: u32| {
        gone.iter().find_map(|pair| {
            let both = state.problem.pairs[*pair as usize];
            (both.a == person).then_some(both.b).or((both.b == person).then_some(both.a))
        })
    };
    if let (Some(one), Some(two)) = (left(a), left(b))
        && let Some(pair) = state.pair_of(one, two)
        && state.slot(pair) == NONE
        && state.fits(pair, slot)
    {
        state.put(pair, slot);
    }
}

/// Gives a pair the first slot that fits.
pub fn settle(state: &mut State<'_>, pair: u32) -> bool {
    if state.slot(pair) != NONE {
        return false;
    }
    let found = state.fitting(pair, 0);
    if let Some(slot) = found {
        state.put(pair, slot);
    }
    found.is_some()
}

/// Gives a pair a slot that fits, the first from a random one on.
pub fn settle_somewhere(state: &mut State<'_>, pair: u32, random: &mut Random) -> bool {
    let found = state.fitting(pair, random.below(state.problem.slots.len()) as u32);
    if let Some(slot) = found {
        state.put(pair, slot);
    }
    found.is_some()
}

/// Somebody who lost a meeting meets whom they can, of a few that are tried: in that slot, or else in any. Without
/// this a step that is good as a whole would first have to look bad.
fn offer(state: &mut State<'_>, person: u32, slot: u32, random: &mut Random) {
    let count = state.pairs_of(person).len();
    let tried = OFFERS.min(count);
    let first = random.below(count.max(1));
    let mut best: Option<(u32, u32, u32)> = None;
    for at in 0..tried {
        // All of them where they are few, else a sample.
        let at = if count <= OFFERS { (first + at) % count } else { random.below(count) };
        let pair = state.pairs_of(person)[at];
        if state.slot(pair) != NONE {
            continue;
        }
        let weight = state.problem.pairs[pair as usize].weight;
        if best.is_some_and(|b| (weight, pair) <= (b.0, b.1)) {
            continue;
        }
        let found = if state.fits(pair, slot) { Some(slot) } else { state.fitting(pair, 0) };
        if let Some(found) = found {
            best = Some((weight, pair, found));
        }
    }
    if let Some((_, pair, slot)) = best {
        state.put(pair, slot);
    }
}

/// Makes two people free at the same time by exchanging two slots along a chain of meetings, and lets them meet. One is
/// free in `here` and the other one in `there`; nobody else wins or loses a meeting. False: nothing was changed.
pub fn kempe(state: &mut State<'_>, pair: u32, here: u32, there: u32) -> bool {
    let both = state.problem.pairs[pair as usize];
    let (mover, waiter) =
        if state.at(both.a, here) == NONE { (both.a, both.b) } else { (both.b, both.a) };
    let mark = state.mark();
    // The chain begins with the mover's meeting in `there`, which shall go to `here`.
    let mut chain = Vec::new();
    let (mut person, mut from) = (mover, there);
    loop {
        let next = state.at(person, from);
        if next == NONE {
            break;
        }
        if chain.len() == LONGEST_CHAIN || state.is_fixed(next) {
            return false;
        }
        chain.push((next, from));
        let met = state.problem.pairs[next as usize];
        person = if state.same_body(met.a, person) { met.b } else { met.a };
        if state.same_body(person, waiter) {
            return false;
        }
        from = if from == there { here } else { there };
    }
    for (moved, _) in &chain {
        state.take(*moved);
    }
    for (moved, from) in &chain {
        let to = if *from == there { here } else { there };
        if !state.fits(*moved, to) {
            state.back(mark);
            return false;
        }
        state.put(*moved, to);
    }
    if !state.fits(pair, there) {
        state.back(mark);
        return false;
    }
    state.put(pair, there);
    true
}

/// Two slots of a pair in which one of the two is free each, from a random place on: where a Kempe chain can help.
pub fn halves(state: &State<'_>, pair: u32, random: &mut Random) -> Option<(u32, u32)> {
    let both = state.problem.pairs[pair as usize];
    let slots = state.problem.slots.len();
    let first = random.below(slots);
    let order = || (0..slots).map(|i| ((first + i) % slots) as u32);
    let free = |person: u32, slot: u32| {
        state.problem.people[person as usize].free[slot as usize] && state.at(person, slot) == NONE
    };
    // The pair must be able to be where the chain makes room: where the waiter is free.
    let (mover, waiter) = if random.below(2) == 0 { (both.a, both.b) } else { (both.b, both.a) };
    let there = order().find(|slot| state.problem.allows(pair, *slot) && free(waiter, *slot))?;
    let here = order().find(|slot| *slot != there && free(mover, *slot) && !free(waiter, *slot))?;
    (state.at(mover, there) != NONE).then_some((here, there))
}
