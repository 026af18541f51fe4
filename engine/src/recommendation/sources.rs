//! The four sources of one person, fused.

use super::content::Content;
use super::context::Context;
use super::crowd::Together;
use super::options::{Algorithm, Options};
use super::person::{Liking, Person, likings};
use super::pick::{Part, Parts};
use super::reasons::Cause;
use super::stated::Stated;
use super::weights::Weights;

/// Two sessions less alike than this are not 'because' of each other.
const ALIKE: f64 = 0.2;
/// Ranks above this are the upper half of what anybody chose.
const POPULAR: f32 = 0.5;

/// Everything that is known of the sessions for one person.
pub(crate) struct Sources<'a> {
    context: &'a Context<'a>,
    likings: Vec<Liking>,
    weights: Weights,
    content: Option<Content<'a>>,
    stated: Option<Stated<'a>>,
    topics: Vec<f32>,
    collaborative: Option<Together>,
}

impl<'a> Sources<'a> {
    pub fn new(context: &'a Context<'a>, person: &Person) -> Self {
        let Context { programme, options, .. } = context;
        let sessions = programme.len();
        let mut likings = likings(&person.signals, options.half_life_days, options.now);
        likings.retain(|liking| (liking.session as usize) < sessions);
        let base = base_weights(options, likings.len());

        let content = (base.content > 0.0)
            .then(|| Content::new(programme, context.kin, &likings, &person.topic_vectors))
            .flatten();
        let stated = (base.topics > 0.0).then(|| Stated::new(programme, person)).flatten();
        let collaborative = (base.collaborative > 0.0)
            .then(|| Together::new(context.links, sessions, &likings))
            .flatten();
        let topics = stated.as_ref().map_or_else(Vec::new, |stated| {
            (0..sessions as u32).map(|session| stated.score(session)).collect()
        });
        let present = [
            content.is_some(),
            stated.is_some(),
            collaborative.is_some(),
            context.popularity.is_some(),
        ];
        let weights = base.over(present);
        Self { context, likings, weights, content, stated, topics, collaborative }
    }

    /// The fused score of every session, content as near as its scan.
    pub fn near(&self) -> Vec<f32> {
        let mut sums = vec![0.0_f32; self.context.programme.len()];
        let mut add = |weight: f64, scores: &mut dyn Iterator<Item = f32>| {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += weight as f32 * score;
            }
        };
        if let Some(content) = &self.content {
            add(self.weights.content, &mut content.near());
        }
        add(self.weights.topics, &mut self.topics.iter().copied());
        for (weight, ranks) in [
            (self.weights.collaborative, self.together_ranks()),
            (self.weights.popularity, self.context.popularity.as_ref()),
        ] {
            add(weight, &mut ranks.into_iter().flatten().copied());
        }
        sums
    }

    fn together_ranks(&self) -> Option<&Vec<f32>> {
        self.collaborative.as_ref().map(|together| &together.ranks)
    }

    /// What each source says of one session, exactly.
    pub fn parts(&self, session: u32) -> Parts {
        let at = session as usize;
        let part = |weight: f64, score: Option<f64>, imputed: bool| {
            (weight > 0.0).then(|| Part { score: score.unwrap_or(0.0), weight, imputed })
        };
        let of = |ranks: Option<&Vec<f32>>| ranks.and_then(|r| r.get(at)).map(|r| f64::from(*r));
        let (content, imputed) = match &self.content {
            Some(content) if self.weights.content > 0.0 => {
                let (score, imputed) = content.score(session);
                (Some(score), imputed)
            }
            _ => (None, false),
        };
        Parts {
            content: part(self.weights.content, content, imputed),
            topics: part(self.weights.topics, of(Some(&self.topics)), false),
            collaborative: part(self.weights.collaborative, of(self.together_ranks()), false),
            popularity: part(self.weights.popularity, of(self.context.popularity.as_ref()), false),
        }
    }

    /// Every true cause of a session, the one that adds most to its score first.
    pub fn causes(&self, session: u32, parts: &Parts) -> Vec<Cause> {
        let mut causes: Vec<(f64, Cause)> = Vec::with_capacity(6);
        if let Some(part) = parts.content.filter(|part| !part.imputed && part.score > 0.0) {
            causes.extend(self.liked(session).map(|cause| (part.weight * part.score, cause)));
        }
        if let (Some(part), Some(stated)) = (parts.topics, &self.stated) {
            let facets = stated.causes(session).into_iter();
            causes.extend(facets.map(|(score, cause)| (part.weight * score, cause)));
        }
        if let Some(part) = parts.collaborative.filter(|part| part.score > 0.0) {
            let because = self.collaborative.as_ref().and_then(|t| t.because(session));
            causes.extend(
                because.map(|because| (part.weight * part.score, Cause::Together { because })),
            );
        }
        causes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let popularity = &self.context.popularity;
        let popular = popularity.as_ref().is_some_and(|ranks| ranks[session as usize] > POPULAR);
        let last = popular.then_some(Cause::Popular).into_iter().chain([Cause::Listed]);
        causes.into_iter().map(|(_, cause)| cause).chain(last).collect()
    }

    /// The liked session with the largest signal times cosine, if it is like this one at all.
    fn liked(&self, session: u32) -> Option<Cause> {
        let model = self.content.as_ref()?.model(session)?;
        let Context { programme, kin, .. } = self.context;
        let mut best: Option<(f64, Cause)> = None;
        for liking in self.likings.iter().filter(|liking| liking.signal > 0.0) {
            let cosine = kin.cosine(programme, model, session, liking.session).unwrap_or(0.0);
            let share = f64::from(liking.signal) * cosine;
            let higher = best.as_ref().is_none_or(|(top, _)| share > *top);
            if cosine >= ALIKE && higher && liking.session != session {
                best = Some((share, Cause::Liked { because: liking.session, kind: liking.kind }));
            }
        }
        best.map(|(_, cause)| cause)
    }
}

/// The weights before it is known which sources the person has.
fn base_weights(options: &Options, interactions: usize) -> Weights {
    match options.algorithm {
        Algorithm::Hybrid => options.weights.blend(interactions),
        Algorithm::Content => Weights::new(1.0, 0.0, 0.0, 0.0),
        Algorithm::Collaborative => Weights::new(0.0, 0.0, 1.0, 0.0),
        Algorithm::Popularity => Weights::new(0.0, 0.0, 0.0, 1.0),
    }
}
