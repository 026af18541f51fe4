//! User-user filtering with every other person as a neighbour. Under cosine,
//! `score_j = sum_v cos(u, v) x_vj = sum_i x_ui (sum_v x_vi x_vj / |x_v|) / |x_u|`: the inner sum is
//! an item-item matrix, `W = X' diag(1 / |x_v|) X`, and `1 / |x_u|` does not change the order. So the
//! weights say exactly what the neighbourhoods would, without a scan of the people at reading time.

use super::positives::Positives;
use super::{Interactions, ItemWeights};
use crate::error::Result;
use crate::stop::Stop;

/// The strongest `top` entries of each row of `W`.
pub(super) fn train(interactions: &Interactions, top: usize, stop: &Stop) -> Result<ItemWeights> {
    let positives = Positives::new(interactions);
    let factors: Vec<f64> = (0..positives.by_person.len())
        .map(|person| {
            let squares: f64 =
                positives.by_person.line(person).iter().map(|cell| cell.1 * cell.1).sum();
            if squares > 0.0 { squares.sqrt().recip() } else { 0.0 }
        })
        .collect();
    positives.neighbours(Some(&factors), top, stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collaborative::score;
    use crate::evaluation::planted::Shape;

    /// For every person: scores by going over all other people with their cosines.
    #[test]
    fn agrees_with_a_scan_of_the_neighbours() -> Result<()> {
        let shape = Shape { people: 50, sessions: 40, choices: 6.0, ..Shape::PLANTED };
        let all = shape.interactions(4)?;
        let weights = train(&all, 40, &Stop::default())?;
        let x = |person: u32| {
            let mut row = [0.0_f64; 40];
            for entry in all.of(person) {
                row[entry.item as usize] = f64::from(entry.signal);
            }
            row
        };
        let dot = |a: &[f64; 40], b: &[f64; 40]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        for person in 0..50 {
            let me = x(person);
            let mut expected = [0.0; 40];
            for other in 0..50 {
                let them = x(other);
                let cosine = dot(&me, &them) / (dot(&me, &me) * dot(&them, &them)).sqrt();
                for (sum, value) in expected.iter_mut().zip(them) {
                    *sum += cosine * value;
                }
            }
            let found = score(&weights, &all.taste(person));
            for (item, (&score, expected)) in found.iter().zip(expected).enumerate() {
                // The diagonal is left out: what a person has seen is not recommended to them.
                if me[item] == 0.0 {
                    let score = f64::from(score) / dot(&me, &me).sqrt();
                    assert!((score - expected).abs() < 1e-5, "{person} {item}");
                }
            }
        }
        Ok(())
    }
}
