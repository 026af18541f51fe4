//! Who connects groups: betweenness in the graph of contacts.

use std::collections::VecDeque;

use rayon::prelude::*;

use crate::error::Result;
use crate::stop::Stop;

/// People from whom shortest ways are followed: all of them up to here, evenly spread ones above,
/// which estimates the same number (Brandes and Pich 2007).
const PIVOTS: usize = 512;

/// Somebody who connects others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connector {
    /// The person.
    pub person: u32,
    /// The share of all pairs of others whose shortest ways go through this person: 0 to 1.
    pub betweenness: f64,
    /// How many contacts they have.
    pub contacts: u32,
}

/// The people who connect most, best first; of equal ones the lower index. Nobody on no way.
///
/// # Errors
/// [`crate::Error::Cancelled`] when `stop` was requested.
pub fn connectors(
    people: usize,
    contacts: &[(u32, u32)],
    most: usize,
    stop: &Stop,
) -> Result<Vec<Connector>> {
    let mut around = vec![Vec::new(); people];
    for (a, b) in contacts.iter().filter(|(a, b)| a != b) {
        around[*a as usize].push(*b);
        around[*b as usize].push(*a);
    }
    for list in &mut around {
        list.sort_unstable();
        list.dedup();
    }
    let pivots: Vec<usize> = if people <= PIVOTS {
        (0..people).collect()
    } else {
        (0..PIVOTS).map(|at| at * people / PIVOTS).collect()
    };
    // In pieces of fixed size, so that the sums do not depend on the number of threads.
    let sums: Result<Vec<Vec<f64>>> = pivots
        .par_chunks(16)
        .map(|from| {
            let mut sum = vec![0.0; people];
            for pivot in from {
                stop.check()?;
                from_one(&around, *pivot, &mut sum);
            }
            Ok(sum)
        })
        .collect();
    let mut total = vec![0.0; people];
    for sum in sums? {
        for (total, part) in total.iter_mut().zip(sum) {
            *total += part;
        }
    }
    let (n, from) = (people as f64, pivots.len().max(1) as f64);
    let ways = ((n - 1.0) * (n - 2.0)).max(1.0) * from / n.max(1.0);
    let mut found: Vec<Connector> = (0..people)
        .filter(|person| total[*person] > 1e-9)
        .map(|person| Connector {
            person: person as u32,
            betweenness: (total[person] / ways).min(1.0),
            contacts: around[person].len() as u32,
        })
        .collect();
    found.sort_by(|x, y| y.betweenness.total_cmp(&x.betweenness).then(x.person.cmp(&y.person)));
    found.truncate(most);
    Ok(found)
}

/// Adds what the shortest ways from one person give to everybody on them (Brandes 2001).
fn from_one(around: &[Vec<u32>], from: usize, sum: &mut [f64]) {
    let people = around.len();
    let mut far = vec![u32::MAX; people];
    let mut ways = vec![0.0_f64; people];
    let mut order = Vec::new();
    let mut queue = VecDeque::from([from as u32]);
    far[from] = 0;
    ways[from] = 1.0;
    while let Some(person) = queue.pop_front() {
        order.push(person);
        for next in &around[person as usize] {
            if far[*next as usize] == u32::MAX {
                far[*next as usize] = far[person as usize] + 1;
                queue.push_back(*next);
            }
            if far[*next as usize] == far[person as usize] + 1 {
                ways[*next as usize] += ways[person as usize];
            }
        }
    }
    let mut depend = vec![0.0_f64; people];
    for person in order.into_iter().rev() {
        let share = (1.0 + depend[person as usize]) / ways[person as usize];
        for before in &around[person as usize] {
            if far[*before as usize] != u32::MAX
                && far[*before as usize] + 1 == far[person as usize]
            {
                depend[*before as usize] += ways[*before as usize] * share;
            }
        }
        if person as usize != from {
            sum[person as usize] += depend[person as usize];
        }
    }
}
