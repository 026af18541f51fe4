//! How many people can have a meeting at most.

use super::Problem;
use super::state::NONE;

/// An upper bound on the people with a meeting. In every schedule each of them can name the other one of a meeting of
/// theirs, and nobody is named more often than they have time: the largest such naming is a matching of people to
/// partners with capacities, found by augmenting paths. No more than two people sit at a table.
#[must_use]
pub fn most_people(problem: &Problem) -> u32 {
    let served: u32 = problem.people.iter().map(|p| u32::from(p.served)).sum();
    let tables = problem.slots.iter().map(|s| u64::from(s.tables)).sum::<u64>();
    let seats = tables.saturating_mul(2).min(u64::from(u32::MAX)) as u32;
    served.saturating_add(naming(problem).min(seats)).min(problem.people.len() as u32)
}

/// How often each person can meet: over the days, the smaller of free slots and room.
pub fn capacities(problem: &Problem) -> Vec<u32> {
    let days = problem.days();
    let of = |person: &super::Person| {
        let mut free = vec![0u32; days];
        for (slot, is_free) in problem.slots.iter().zip(&person.free) {
            free[slot.day as usize] += u32::from(*is_free);
        }
        free.iter().zip(&person.room).map(|(free, room)| *free.min(room)).sum()
    };
    problem.people.iter().map(of).collect()
}

fn naming(problem: &Problem) -> u32 {
    let capacity = capacities(problem);
    let slots = problem.slots.len() as u32;
    let mut partners: Vec<Vec<u32>> = vec![vec![]; problem.people.len()];
    for (at, pair) in (0u32..).zip(&problem.pairs) {
        let possible = capacity[pair.a as usize] > 0
            && capacity[pair.b as usize] > 0
            && (0..slots).any(|slot| problem.allows(at, slot));
        if possible {
            partners[pair.a as usize].push(pair.b);
            partners[pair.b as usize].push(pair.a);
        }
    }
    let mut named_by: Vec<Vec<u32>> = vec![vec![]; problem.people.len()];
    let mut seen = vec![NONE; problem.people.len()];
    let mut count = 0;
    for person in 0..problem.people.len() as u32 {
        if !problem.people[person as usize].served
            && augment(person, &partners, &capacity, &mut named_by, &mut seen)
        {
            count += 1;
        }
    }
    count
}

/// Finds a partner for one more person, moving others to other partners of theirs; breadth first.
fn augment(
    person: u32,
    partners: &[Vec<u32>],
    capacity: &[u32],
    named_by: &mut [Vec<u32>],
    seen: &mut [u32],
) -> bool {
    // (who looks, through which partner they were asked to leave, the step before)
    let mut steps: Vec<(u32, u32, usize)> = vec![(person, NONE, usize::MAX)];
    let mut at = 0;
    while at < steps.len() {
        let (who, leaves, _) = steps[at];
        for &partner in &partners[who as usize] {
            if partner == leaves || seen[partner as usize] == person {
                continue;
            }
            seen[partner as usize] = person;
            if (named_by[partner as usize].len() as u32) < capacity[partner as usize] {
                reassign(&steps, at, partner, named_by);
                return true;
            }
            steps.extend(named_by[partner as usize].iter().map(|other| (*other, partner, at)));
        }
        at += 1;
    }
    false
}

fn reassign(steps: &[(u32, u32, usize)], mut at: usize, mut to: u32, named_by: &mut [Vec<u32>]) {
    loop {
        let (who, leaves, before) = steps[at];
        named_by[to as usize].push(who);
        if leaves == NONE {
            return;
        }
        named_by[leaves as usize].retain(|other| *other != who);
        to = leaves;
        at = before;
    }
}
