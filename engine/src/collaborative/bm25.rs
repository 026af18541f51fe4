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
