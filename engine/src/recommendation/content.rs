//! Content: how alike a session's embedding is to the person's taste.

use crate::programme::{Programme, Vectors};
use crate::similarity::normalise;

use super::kin::Kin;
use super::person::Liking;

/// What the vector of the stated topics weighs in a taste: as much as one bookmark.
const TOPIC_VECTOR: f64 = 0.8;
/// A taste shorter than this has no direction: likes and dislikes cancelled out.
const SHORTEST: f64 = 1e-9;
/// Marks a session that no usable model speaks for.
const NO_MODEL: u8 = u8::MAX;

/// The content score of every session.
pub(crate) struct Content<'a> {
    programme: &'a Programme,
    scores: Vec<f32>,
    model_of: Vec<u8>,
    mean: f32,
    /// The unit taste of each model whose scores are only near.
    tastes: Vec<Option<Vec<f32>>>,
}

/// The cosines of one model's rows with the taste, and the taste where they are only near.
struct Scan {
    scores: Vec<f32>,
    taste: Option<Vec<f32>>,
}

impl<'a> Content<'a> {
    /// Nothing where the person has no taste in any model.
    pub fn new(
        programme: &'a Programme,
        kin: Kin,
        likings: &[Liking],
        topic_vectors: &[(String, Vec<f32>)],
    ) -> Option<Self> {
        let mut content = Self {
            programme,
            scores: vec![0.0; programme.len()],
            model_of: vec![NO_MODEL; programme.len()],
            mean: 0.0,
            tastes: Vec::with_capacity(programme.models().len()),
        };
        let mut any = false;
        for (model, vectors) in programme.models().iter().enumerate() {
            let members: Vec<(usize, f32)> = (likings.iter())
                .filter_map(|liking| Some((vectors.row(liking.session)?, liking.signal)))
                .collect();
            let stated = stated_vector(vectors, topic_vectors);
            let scan = match (kin.gram(model), &stated) {
                (Some(gram), None) => gram
                    .scan(&members)
                    .map(|scores| Scan { scores, taste: None })
                    .or_else(|| direct(vectors, &members, None)),
                _ => direct(vectors, &members, stated.as_deref()),
            };
            any |= scan.is_some();
            content.take(model as u8, vectors, scan);
        }
        if any {
            content.mean = content.mean_score();
        }
        any.then_some(content)
    }

    fn take(&mut self, model: u8, vectors: &Vectors, scan: Option<Scan>) {
        let Some(Scan { scores, taste }) = scan else {
            self.tastes.push(None);
            return;
        };
        for (&session, score) in vectors.sessions.iter().zip(scores) {
            let at = session as usize;
            if self.model_of[at] == NO_MODEL {
                self.model_of[at] = model;
                self.scores[at] = score.clamp(0.0, 1.0);
            }
        }
        self.tastes.push(taste);
    }

    fn mean_score(&self) -> f32 {
        let scored = || self.scores.iter().zip(&self.model_of).filter(|(_, m)| **m != NO_MODEL);
        let sum: f64 = scored().map(|(score, _)| f64::from(*score)).sum();
        (sum / scored().count().max(1) as f64) as f32
    }

    /// Near scores of every session, the mean for those without an embedding.
    pub fn near(&self) -> impl Iterator<Item = f32> + '_ {
        let mean = self.mean;
        (self.scores.iter().zip(&self.model_of))
            .map(move |(score, model)| if *model == NO_MODEL { mean } else { *score })
    }

    /// The score of one session, and whether it is only the mean of the others.
    pub fn score(&self, session: u32) -> (f64, bool) {
        let at = session as usize;
        let Some(model) = self.model(session) else { return (f64::from(self.mean), true) };
        let vectors = &self.programme.models()[model];
        let exact = self.tastes[model]
            .as_ref()
            .and_then(|taste| Some(vectors.exact(vectors.row(session)?, taste)))
            .unwrap_or(self.scores[at]);
        (f64::from(exact).clamp(0.0, 1.0), false)
    }

    /// The model that speaks for a session.
    pub fn model(&self, session: u32) -> Option<usize> {
        let model = self.model_of[session as usize];
        (model != NO_MODEL).then_some(usize::from(model))
    }
}

/// The person's stated topics as a unit vector of this model.
fn stated_vector(vectors: &Vectors, given: &[(String, Vec<f32>)]) -> Option<Vec<f32>> {
    let (_, vector) = given.iter().find(|(model, _)| *model == vectors.model)?;
    let mut unit = vector.clone();
    (unit.len() == vectors.dims && normalise(&mut unit)).then_some(unit)
}

/// Taste as a vector: the weighted sum of the rows and of the stated topics, at length one.
fn direct(vectors: &Vectors, members: &[(usize, f32)], stated: Option<&[f32]>) -> Option<Scan> {
    if members.is_empty() && stated.is_none() {
        return None;
    }
    let mut sum = vec![0.0_f64; vectors.dims];
    let mut add = |unit: &[f32], weight: f64| {
        for (total, x) in sum.iter_mut().zip(unit) {
            *total += weight * f64::from(*x);
        }
    };
    for &(row, signal) in members {
        vectors.with_row(row, |unit| add(unit, f64::from(signal)));
    }
    if let Some(unit) = stated {
        add(unit, TOPIC_VECTOR);
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length < SHORTEST {
        return None;
    }
    let taste: Vec<f32> = sum.iter().map(|x| (x / length) as f32).collect();
    let scores = vectors.scan(&taste);
    Some(Scan { scores, taste: vectors.is_coarse().then_some(taste) })
}
