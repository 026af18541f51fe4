//! Collaborative filtering by item-item weights: every model here ends as one sparse matrix `W`,
//! and a person's score for session `j` is the sum of `signal_i * W[i][j]` over what they did.
//! That makes a read cheap (a few rows) and the weights themselves the explanation.

mod bm25;
mod ease;
mod interactions;
pub mod linalg;
mod positives;
mod select;
mod user_user;

pub use ease::{MAX_DENSE_ITEMS, ease_dense};
pub use interactions::{Interaction, Interactions};
pub use select::{Selection, select};

use crate::error::{Error, Result};
use crate::stop::Stop;

/// How many neighbours a session keeps when nothing else is asked for.
pub const DEFAULT_TOP: usize = 200;

/// A way to learn item-item weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Model {
    /// Steck 2019: the closed-form linear autoencoder with a zero diagonal.
    Ease {
        /// The L2 penalty, in the units of the squared signals.
        ridge: f64,
    },
    /// Item-item similarity of BM25-weighted interactions.
    Bm25 {
        /// How many neighbours per session count.
        neighbours: usize,
    },
    /// Every other person as a neighbour, by cosine.
    UserUser,
}

impl Model {
    /// The name under which the model is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ease { .. } => "ease",
            Self::Bm25 { .. } => "bm25",
            Self::UserUser => "user_user",
        }
    }

    /// The one number that tunes the model; 0 where there is none.
    #[must_use]
    pub fn parameter(&self) -> f64 {
        match self {
            Self::Ease { ridge } => *ridge,
            Self::Bm25 { neighbours } => *neighbours as f64,
            Self::UserUser => 0.0,
        }
    }

    /// The model that is stored as this name and parameter.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another name, a ridge that is not positive, or no neighbours.
    pub fn from_parts(name: &str, parameter: f64) -> Result<Self> {
        let usable = parameter.is_finite() && parameter > 0.0;
        match name {
            "ease" if usable => Ok(Self::Ease { ridge: parameter }),
            "bm25" if usable && parameter >= 1.0 => {
                Ok(Self::Bm25 { neighbours: parameter as usize })
            }
            "user_user" => Ok(Self::UserUser),
            "ease" | "bm25" => Err(Error::invalid(
                format!("the parameter {parameter} does not fit the model {name}"),
                "ease takes a ridge above 0, bm25 a number of neighbours from 1 up",
                "Pass a positive number.",
            )),
            _ => Err(Error::invalid(
                format!("there is no collaborative model named \"{name}\""),
                "",
                "Use ease, bm25 or user_user.",
            )),
        }
    }
}

/// A sparse item-item matrix by outgoing rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemWeights {
    /// How many sessions the event has.
    pub items: usize,
    /// Row `i`: the sessions `j` that session `i` speaks for or against, strongest first, with
    /// the weight that is added to the score of `j` per unit of signal on `i`.
    pub rows: Vec<Vec<(u32, f32)>>,
    /// Parallel to `rows`: how many distinct people have a positive signal on both.
    pub people: Vec<Vec<u32>>,
}

/// Learns the weights of `model`, keeping the `top` strongest neighbours of each session.
///
/// # Errors
/// [`Error::Invalid`] for a parameter outside its range, [`Error::TooLarge`] where EASE would need
/// a dense matrix of more than [`MAX_DENSE_ITEMS`] sessions, [`Error::Cancelled`].
pub fn train(
    interactions: &Interactions,
    model: &Model,
    top: usize,
    stop: &Stop,
) -> Result<ItemWeights> {
    match *model {
        Model::Ease { ridge } => ease::train(interactions, ridge, top, stop),
        Model::Bm25 { neighbours } => bm25::train(interactions, neighbours.min(top), stop),
        Model::UserUser => user_user::train(interactions, top, stop),
    }
}

/// The scores of all sessions for a taste, a list of (session, signal). A signal on a session that
/// the weights do not know counts for nothing.
#[must_use]
pub fn score(weights: &ItemWeights, taste: &[(u32, f32)]) -> Vec<f32> {
    let mut scores = vec![0.0; weights.items];
    for &(session, signal) in taste {
        for &(to, weight) in weights.rows.get(session as usize).map_or(&[][..], Vec::as_slice) {
            if let Some(sum) = scores.get_mut(to as usize) {
                *sum += signal * weight;
            }
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_survives_its_stored_form() -> Result<()> {
        for model in [Model::Ease { ridge: 37.5 }, Model::Bm25 { neighbours: 20 }, Model::UserUser]
        {
            assert_eq!(Model::from_parts(model.name(), model.parameter())?, model);
        }
        Ok(())
    }

    #[test]
    fn a_stored_form_that_fits_no_model_is_refused() {
        for (name, parameter) in
            [("ease", 0.0), ("ease", f64::NAN), ("bm25", 0.5), ("als", 1.0), ("bm25", -1.0)]
        {
            assert!(Model::from_parts(name, parameter).is_err(), "{name} {parameter}");
        }
    }

    #[test]
    fn scores_add_signal_times_weight() {
        let weights = ItemWeights {
            items: 3,
            rows: vec![vec![(1, 0.5), (2, -0.25)], vec![(2, 1.0)], vec![]],
            people: vec![vec![1, 1], vec![1], vec![]],
        };
        assert_eq!(score(&weights, &[(0, 0.8), (1, -0.5), (9, 1.0)]), [0.0, 0.4, -0.7]);
    }
}
