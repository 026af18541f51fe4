//! Item-item similarity of BM25-weighted interactions: a session is a document, the people who
//! chose it are its terms. Somebody who chose everything says little (inverse document frequency),
//! and a session that everybody chose is not similar to all others for that reason (length).

use super::positives::Positives;
use super::{Interactions, ItemWeights};
use crate::error::{Error, Result};
use crate::stop::Stop;

/// How fast a stronger signal saturates.
const K1: f64 = 1.2;
/// How much the popularity of a session is discounted.
const B: f64 = 0.75;

/// The `neighbours` most similar sessions of each session.
pub(super) fn train(
    interactions: &Interactions,
    neighbours: usize,
    stop: &Stop,
) -> Result<ItemWeights> {
    if neighbours == 0 {
        return Err(Error::invalid(
            "0 neighbours leave nothing to score with",
            "",
            "Ask for at least one neighbour per session.",
        ));
    }
    weighted(&Positives::new(interactions)).neighbours(None, neighbours, stop)
}

/// `x (K1 + 1) / (K1 norm + x) * ln(items / (1 + sessions of the person))`, with `norm` 1 for a
/// session of average length. A person who chose nearly everything would get a negative weight;
/// they count for nothing instead.
fn weighted(raw: &Positives) -> Positives {
    let items = raw.items();
    let lengths: Vec<f64> =
        (0..items).map(|item| raw.by_item.line(item).iter().map(|cell| cell.1).sum()).collect();
    let average = lengths.iter().sum::<f64>() / items.max(1) as f64;
    raw.map(|person, item, x| {
        let chosen = raw.by_person.line(person as usize).len() as f64;
        let rarity = (items as f64 / (1.0 + chosen)).ln().max(0.0);
        let norm = 1.0 - B + B * lengths[item as usize] / average;
        x * (K1 + 1.0) / (K1 * norm + x) * rarity
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::planted::Shape;

    /// Straight from the formula, everything dense.
    fn naive(x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let items = x[0].len();
        let length = |j: usize| x.iter().map(|row| row[j]).sum::<f64>();
        let average = (0..items).map(length).sum::<f64>() / items as f64;
        let weighted: Vec<Vec<f64>> = x
            .iter()
            .map(|row| {
                let chosen = row.iter().filter(|&&value| value > 0.0).count() as f64;
                let idf = (items as f64 / (1.0 + chosen)).ln().max(0.0);
                let weigh = |j: usize| {
                    row[j] * 2.2 / (1.2 * (0.25 + 0.75 * length(j) / average) + row[j]) * idf
                };
                (0..items).map(|j| if row[j] > 0.0 { weigh(j) } else { 0.0 }).collect()
            })
            .collect();
        let product = |i: usize, j: usize| weighted.iter().map(|row| row[i] * row[j]).sum();
        (0..items).map(|i| (0..items).map(|j| product(i, j)).collect()).collect()
    }

    /// Three sessions; person 0 chose the first two, person 1 the last. Lengths 1, average 1, so
    /// each weight is `2.2 / 2.2 = 1` times the rarity: `ln(3 / 3) = 0` for person 0.
    #[test]
    fn somebody_who_chose_nearly_everything_says_nothing() -> Result<()> {
        let made = Interactions::new(2, 3, vec![(0, 0, 1.0, 0), (0, 1, 1.0, 0), (1, 2, 1.0, 0)])?;
        assert_eq!(train(&made, 9, &Stop::default())?.rows, vec![Vec::new(); 3]);
        let made = Interactions::new(2, 6, vec![(0, 0, 1.0, 0), (0, 1, 1.0, 0), (1, 2, 1.0, 0)])?;
        // Now the average length is 1/2: each is 2.2 / (1.2 * 1.75 + 1) * ln 2.
        let one = (2.2 / 3.1 * 2.0_f64.ln()).powi(2) as f32;
        let found = train(&made, 9, &Stop::default())?;
        assert_eq!(found.rows[0].len(), 1);
        assert!((found.rows[0][0].1 - one).abs() < 1e-6);
        assert_eq!(found.people[0], [1]);
        Ok(())
    }

    #[test]
    fn agrees_with_the_formula() -> Result<()> {
        let shape = Shape { people: 60, sessions: 40, choices: 6.0, ..Shape::PLANTED };
        let signal = |p: u32, s: u32| [1.0_f32, 0.8, 0.2, -0.5][(p * 3 + s) as usize % 4];
        for seed in 1..4 {
            let mut x = vec![vec![0.0; 40]; 60];
            let mut rows = Vec::new();
            for (p, s, at) in shape.choices(seed) {
                x[p as usize][s as usize] = f64::from(signal(p, s).max(0.0));
                rows.push((p, s, signal(p, s), at));
            }
            let found = train(&Interactions::new(60, 40, rows)?, 5, &Stop::default())?;
            for (i, expected) in naive(&x).iter().enumerate() {
                let mut order: Vec<usize> = (0..40).filter(|&j| j != i).collect();
                order.sort_by(|&a, &b| expected[b].total_cmp(&expected[a]));
                assert!(found.rows[i].len() <= 5);
                for (rank, &(j, weight)) in found.rows[i].iter().enumerate() {
                    assert!((f64::from(weight) - expected[j as usize]).abs() < 1e-5);
                    assert!((f64::from(weight) - expected[order[rank]]).abs() < 1e-5);
                    let both = |row: &&Vec<f64>| row[i] > 0.0 && row[j as usize] > 0.0;
                    assert_eq!(found.people[i][rank] as usize, x.iter().filter(both).count());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn no_neighbours_are_refused() -> Result<()> {
        let none = Interactions::new(1, 1, Vec::new())?;
        assert!(matches!(train(&none, 0, &Stop::default()), Err(Error::Invalid { .. })));
        Ok(())
    }
}
