//! The search: a greedy beginning, annealing, and a last climb that puts people before weight.

use super::Problem;
use super::moves::{force, halves, kempe, settle, settle_somewhere};
use super::random::Random;
use super::state::{NONE, State};
use crate::error::Result;
use crate::stop::Stop;

/// Steps between two looks at the stop flag.
const STEPS_PER_CHECK: u64 = 4096;
/// One in so many steps with a pair that meets takes it out.
const REMOVALS: usize = 6;
/// Passes of the last climb, at most.
const CLIMBS: usize = 12;
/// What a person with a first meeting is worth while annealing, in mean weights, in turn for the runs: where it is
/// little, the search passes through schedules that serve fewer; the last climb knows no exchange rate.
const FIRST_MEETING: [f64; 6] = [4.0, 2.0, 1.5, 3.0, 10.0, 1.0];

/// How much is searched: decided by the size of the problem alone, so that the answer is repeatable.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Searches from different beginnings.
    pub runs: u64,
    /// Steps of each.
    pub steps: u64,
    /// Places tried by a climb, at most.
    climb: u64,
    /// The first temperature, in mean weights.
    heat: f64,
    /// The mean weight of a pair, at least 1: the scale of temperatures.
    scale: f64,
}

impl Plan {
    /// The plan for a problem.
    pub fn of(problem: &Problem) -> Self {
        let size = (problem.pairs.len() * problem.slots.len()) as u64;
        let (runs, steps, heat, climb) = match size {
            0 => (1, 0, 0.0, 0),
            1..=1_000 => (24, 200 * size, 0.7, u64::MAX),
            1_001..=20_000 => (4, 60 * size, 0.3, 1_000_000),
            20_001..=200_000 => (2, (20 * size).min(1_500_000), 0.15, 400_000),
            _ => (1, 2_000_000, 0.15, 400_000),
        };
        let sum: u64 = problem.pairs.iter().map(|p| u64::from(p.weight)).sum();
        Self {
            runs,
            steps,
            heat,
            climb,
            scale: (sum as f64 / problem.pairs.len().max(1) as f64).max(1.0),
        }
    }
}

/// One search.
pub fn run<'p>(
    mut state: State<'p>,
    plan: &Plan,
    number: u64,
    mut random: Random,
    stop: &Stop,
) -> Result<State<'p>> {
    let free: Vec<u32> = (0..state.problem.pairs.len() as u32)
        .filter(|pair| !state.is_fixed(*pair) && state.open_count(*pair) > 0)
        .collect();
    if free.is_empty() {
        return Ok(state);
    }
    begin(&mut state, &free, &mut random);
    climb(&mut state, &free, plan.climb, &mut random, stop)?;
    let mut best = state.clone();
    let first = FIRST_MEETING[number as usize % FIRST_MEETING.len()] * plan.scale;
    let (hot, cold) = (plan.heat * plan.scale, 0.004 * plan.scale);
    for step in 0..plan.steps {
        if step % STEPS_PER_CHECK == 0 {
            stop.check()?;
            stop.progress((step * 950 / plan.steps) as u32);
        }
        let heat = hot * (cold / hot).powf(step as f64 / plan.steps as f64);
        let pair = free[random.below(free.len())];
        let before = (state.covered(), state.total());
        let mark = state.mark();
        if !change(&mut state, pair, &mut random) {
            continue;
        }
        let more = (f64::from(state.covered()) - f64::from(before.0)) * first
            + (state.total() as f64 - before.1 as f64);
        if more >= 0.0 || random.share() < (more / heat).exp() {
            state.keep();
        } else {
            state.back(mark);
        }
    }
    climb(&mut state, &free, plan.climb, &mut random, stop)?;
    if (state.covered(), state.total()) > (best.covered(), best.total()) {
        best = state;
    }
    Ok(best)
}

/// One step: the pair meets, or meets at another time.
fn change(state: &mut State<'_>, pair: u32, random: &mut Random) -> bool {
    let now = state.slot(pair);
    if now == NONE {
        if settle_somewhere(state, pair, random) {
            return true;
        }
        if random.below(4) == 0
            && let Some((here, there)) = halves(state, pair, random)
        {
            return kempe(state, pair, here, there);
        }
    }
    // Room is sometimes worth more than what fills it.
    if now != NONE && random.below(REMOVALS) == 0 {
        state.take(pair);
        return true;
    }
    let slot = state.open_slot(pair, random.below(state.open_count(pair)));
    slot != now && force(state, pair, slot, random)
}

/// People with the fewest possibilities first, each with the partner of most use; then whatever is worth most.
fn begin(state: &mut State<'_>, free: &[u32], random: &mut Random) {
    let mut people: Vec<(usize, u64, u32)> = (0..state.problem.people.len() as u32)
        .map(|person| (state.pairs_of(person).len(), random.next(), person))
        .collect();
    people.sort_unstable();
    for (_, _, person) in people {
        if state.is_covered(person) {
            continue;
        }
        let mut wanted: Vec<u32> = state.pairs_of(person).to_vec();
        wanted.sort_by_key(|pair| {
            let both = state.problem.pairs[*pair as usize];
            let other = if both.a == person { both.b } else { both.a };
            (state.is_covered(other), std::cmp::Reverse(both.weight), *pair)
        });
        for pair in wanted {
            if settle(state, pair) {
                break;
            }
        }
    }
    let mut rest = free.to_vec();
    rest.sort_by_key(|pair| (std::cmp::Reverse(state.problem.pairs[*pair as usize].weight), *pair));
    for pair in rest {
        settle(state, pair);
    }
    state.keep();
}

/// Takes every step that serves more people, or as many with more weight, until none is left or enough was tried; pairs
/// of somebody without a meeting come first, and are never too many.
fn climb(
    state: &mut State<'_>,
    free: &[u32],
    most: u64,
    random: &mut Random,
    stop: &Stop,
) -> Result<()> {
    let mut tried = 0;
    for _ in 0..CLIMBS {
        let before = (state.covered(), state.total());
        for serves in [true, false] {
            for &pair in free {
                let both = state.problem.pairs[pair as usize];
                let serving = !(state.is_covered(both.a) && state.is_covered(both.b));
                if state.slot(pair) == NONE && serving == serves && (serves || tried < most) {
                    stop.check()?;
                    tried += improve(state, pair, random);
                }
            }
        }
        if (state.covered(), state.total()) == before || tried >= most {
            break;
        }
    }
    Ok(())
}

/// Lets a pair meet if that is better for all; how many places were tried.
fn improve(state: &mut State<'_>, pair: u32, random: &mut Random) -> u64 {
    if settle(state, pair) {
        state.keep();
        return 1;
    }
    let before = (state.covered(), state.total());
    let places = state.open_count(pair);
    for at in 0..places {
        let slot = state.open_slot(pair, at);
        let mark = state.mark();
        if force(state, pair, slot, random) {
            if (state.covered(), state.total()) > before {
                state.keep();
                return at as u64 + 1;
            }
            state.back(mark);
        }
    }
    if let Some((here, there)) = halves(state, pair, random)
        && kempe(state, pair, here, there)
    {
        state.keep();
    }
    places as u64 + 1
}
