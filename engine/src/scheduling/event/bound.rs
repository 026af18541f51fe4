//! What no schedule can be worth more than: the Lagrangian dual of the relaxation in which meetings may be parts.
//!
//! Every limit has a price: a body's slot, a person's day, a slot's tables, a set of exclusive pairs. A pair then earns
//! at best its weight less the prices of its cheapest slot, or nothing. The prices times the limits, plus what all
//! pairs earn, is at least what any schedule is worth, whatever the prices (weak duality); the rest is to find good
//! ones: first prices that are the same in all slots, by coordinate descent, then subgradient steps (Held and Karp 1971)
//! on all of them, with the length of Polyak (1969) towards the best schedule that is known.

use super::Problem;
use super::cover::capacities;
use crate::error::Result;
use crate::stop::Stop;

/// Steps of the subgradient, at most, and visits of a pair's slot over all of them.
const STEPS: usize = 600;
const VISITS: usize = 150_000_000;
/// Sweeps of coordinate descent.
const SWEEPS: usize = 60;
/// Where the bound is so near to what is known, the rest is not worth the time.
const NEAR: f64 = 0.005;
/// Visits of a step below which it costs nothing to go on.
const SMALL: usize = 2000;
/// How much of the last direction is kept.
const MOMENTUM: f64 = 0.7;

/// An upper bound on the total weight of any schedule. `known` is what some schedule is worth.
///
/// # Errors
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub fn upper_bound(problem: &Problem, known: u64, stop: &Stop) -> Result<u64> {
    if problem.pairs.is_empty() || problem.slots.is_empty() {
        return Ok(0);
    }
    let dual = Dual::of(problem);
    let mut prices = dual.first_prices(stop)?;
    let mut best = dual.value(&prices, &mut dual.usage());
    let steps = STEPS.min(VISITS / dual.visits().max(1)).max(20);
    let known = known as f64;
    let (mut stretch, mut stalled) = (1.0, 0);
    let mut direction = vec![0.0; prices.len()];
    let mut usage = dual.usage();
    for _ in 0..steps {
        stop.check()?;
        let value = dual.value(&prices, &mut usage);
        if value < best - 1e-9 * best.abs() {
            stalled = if value < best * 0.9999 { 0 } else { stalled + 1 };
            best = value;
        } else {
            stalled += 1;
        }
        if best - known <= NEAR * best && dual.visits() > SMALL || best.floor() <= known {
            break;
        }
        if stalled >= 12 {
            stretch *= 0.6;
            stalled = 0;
        }
        dual.step(&mut prices, &usage, &mut direction, stretch * (value - known));
    }
    // Rounding of the sums must not push a bound below what it bounds; weights are whole numbers.
    Ok((best * (1.0 + 1e-9)).floor() as u64)
}

/// The problem as limits, and what each slot of each pair uses of them.
struct Dual<'p> {
    problem: &'p Problem,
    /// How much there is of each: bodies' slots, people's days, slots' tables, exclusive sets, in this order.
    limits: Vec<f64>,
    bodies: usize,
    days: usize,
    groups: Vec<Vec<u32>>,
    open: Vec<Vec<u32>>,
}

impl<'p> Dual<'p> {
    fn of(problem: &'p Problem) -> Self {
        let (slots, days, bodies) = (problem.slots.len(), problem.days(), problem.bodies());
        let mut limits = vec![1.0; bodies * slots];
        for person in &problem.people {
            limits.extend(person.room[..days].iter().map(|room| f64::from(*room)));
        }
        for (at, slot) in problem.slots.iter().enumerate() {
            // Two bodies to a meeting.
            let mut present = vec![false; bodies];
            for person in problem.people.iter().filter(|p| p.free[at]) {
                present[person.body as usize] = true;
            }
            let halves = present.iter().filter(|p| **p).count() / 2;
            limits.push(f64::from(slot.tables).min(halves as f64));
        }
        limits.extend(problem.exclusive.iter().map(|_| 1.0));
        let mut groups = vec![vec![]; problem.pairs.len()];
        for (group, pairs) in (0u32..).zip(&problem.exclusive) {
            for pair in pairs {
                groups[*pair as usize].push(group);
            }
        }
        let open = (0..problem.pairs.len() as u32)
            .map(|pair| (0..slots as u32).filter(|slot| problem.allows(pair, *slot)).collect())
            .collect();
        Self { problem, limits, bodies, days, groups, open }
    }

    fn visits(&self) -> usize {
        self.open.iter().map(Vec::len).sum()
    }

    fn usage(&self) -> Vec<f64> {
        vec![0.0; self.limits.len()]
    }

    fn slots(&self) -> usize {
        self.problem.slots.len()
    }

    fn of_body(&self, person: u32, slot: u32) -> usize {
        self.problem.people[person as usize].body as usize * self.slots() + slot as usize
    }

    fn of_day(&self, person: u32, slot: u32) -> usize {
        self.bodies * self.slots()
            + person as usize * self.days
            + self.problem.slots[slot as usize].day as usize
    }

    fn of_tables(&self, slot: u32) -> usize {
        self.bodies * self.slots() + self.problem.people.len() * self.days + slot as usize
    }

    fn of_group(&self, group: u32) -> usize {
        self.of_tables(0) + self.slots() + group as usize
    }

    fn parts(&self, pair: u32, slot: u32) -> [usize; 5] {
        let both = self.problem.pairs[pair as usize];
        [
            self.of_body(both.a, slot),
            self.of_body(both.b, slot),
            self.of_day(both.a, slot),
            self.of_day(both.b, slot),
            self.of_tables(slot),
        ]
    }

    /// The bound at these prices; `usage` becomes what the pairs that earn something would use.
    fn value(&self, prices: &[f64], usage: &mut [f64]) -> f64 {
        usage.fill(0.0);
        let mut value: f64 = prices.iter().zip(&self.limits).map(|(p, l)| p * l).sum();
        for pair in 0..self.problem.pairs.len() as u32 {
            let open = &self.open[pair as usize];
            let groups = &self.groups[pair as usize];
            let dues: f64 = groups.iter().map(|g| prices[self.of_group(*g)]).sum();
            let weight = f64::from(self.problem.pairs[pair as usize].weight) - dues;
            // Of equally cheap slots the pairs take different ones, or all would crowd into the first.
            let turn = pair as usize * 7 % open.len().max(1);
            let mut cheapest = (f64::INFINITY, 0);
            for slot in open[turn..].iter().chain(&open[..turn]) {
                let price = self.parts(pair, *slot).iter().map(|at| prices[*at]).sum::<f64>();
                if price < cheapest.0 {
                    cheapest = (price, *slot);
                }
            }
            if weight > cheapest.0 {
                value += weight - cheapest.0;
                for at in self.parts(pair, cheapest.1) {
                    usage[at] += 1.0;
                }
                for group in groups {
                    usage[self.of_group(*group)] += 1.0;
                }
            }
        }
        value
    }

    /// Prices rise where more is used than there is, and fall where less is.
    fn step(&self, prices: &mut [f64], usage: &[f64], direction: &mut [f64], reach: f64) {
        let mut length = 0.0;
        for at in 0..prices.len() {
            let excess = usage[at] - self.limits[at];
            // What is unlimited, or free and not used up, pulls nowhere.
            let idle = prices[at] <= 0.0 && excess <= 0.0;
            direction[at] =
                if idle || self.limits[at] > 1e9 { 0.0 } else { excess + MOMENTUM * direction[at] };
            length += direction[at] * direction[at];
        }
        if length > 0.0 {
            let factor = reach.max(0.0) / length;
            for (price, along) in prices.iter_mut().zip(direction.iter()) {
                *price = (*price + factor * along).max(0.0);
            }
        }
    }

    /// Prices that do not tell slots apart: of people, and one of all tables. For each in turn the price at which what
    /// they can have and what they want come nearest, which is between the values of the last that is taken and the
    /// first that is not.
    fn first_prices(&self, stop: &Stop) -> Result<Vec<f64>> {
        let capacity = capacities(self.problem);
        let (mut of_person, mut of_table) = (vec![0.0; capacity.len()], 0.0);
        let tables: f64 = (0..self.slots() as u32).map(|s| self.limits[self.of_tables(s)]).sum();
        let mut pairs_of = vec![vec![]; capacity.len()];
        for (at, pair) in
            self.problem.pairs.iter().enumerate().filter(|(at, _)| !self.open[*at].is_empty())
        {
            pairs_of[pair.a as usize].push((pair.b, f64::from(pair.weight), at));
            pairs_of[pair.b as usize].push((pair.a, f64::from(pair.weight), at));
        }
        let mut values = Vec::new();
        for _ in 0..SWEEPS {
            stop.check()?;
            for (person, pairs) in pairs_of.iter().enumerate() {
                values.clear();
                values.extend(
                    pairs.iter().map(|(other, w, _)| w - of_person[*other as usize] - of_table),
                );
                of_person[person] = between(&mut values, capacity[person] as usize);
            }
            if (tables as usize) < self.problem.pairs.len() {
                values.clear();
                let pairs =
                    self.problem.pairs.iter().zip(&self.open).filter(|(_, open)| !open.is_empty());
                values.extend(pairs.map(|(p, _)| {
                    f64::from(p.weight) - of_person[p.a as usize] - of_person[p.b as usize]
                }));
                of_table = between(&mut values, tables as usize);
            }
        }
        Ok(self.spread(&of_person, of_table))
    }

    /// The same prices as those of slots and days: a day that is shorter than its free slots has the price itself.
    fn spread(&self, of_person: &[f64], of_table: f64) -> Vec<f64> {
        let mut prices = vec![0.0; self.limits.len()];
        for (at, person) in (0u32..).zip(&self.problem.people) {
            for day in 0..self.days {
                let of_day: Vec<u32> = (0..self.slots() as u32)
                    .filter(|s| {
                        self.problem.slots[*s as usize].day as usize == day
                            && person.free[*s as usize]
                    })
                    .collect();
                let Some(first) = of_day.first() else { continue };
                if (person.room[day] as usize) < of_day.len() {
                    prices[self.of_day(at, *first)] = of_person[at as usize];
                } else {
                    for slot in of_day {
                        let price = &mut prices[self.of_body(at, slot)];
                        *price = price.max(of_person[at as usize]);
                    }
                }
            }
        }
        for slot in 0..self.slots() as u32 {
            prices[self.of_tables(slot)] = of_table;
        }
        prices
    }
}

/// The middle between the last of the `most` largest values and the next one; 0 where there is room for all.
fn between(values: &mut [f64], most: usize) -> f64 {
    if values.len() <= most {
        return 0.0;
    }
    let (_, next, _) = values.select_nth_unstable_by(most, |a, b| b.total_cmp(a));
    let next = next.max(0.0);
    let last = values[..most].iter().copied().fold(f64::INFINITY, f64::min);
    if last.is_finite() { (f64::midpoint(last.max(0.0), next)).max(0.0) } else { next }
}
