//! The sessions of an event and their embeddings, laid out for scoring.

mod names;
mod vectors;

pub(crate) use names::{Names, UNKNOWN, folded};
pub(crate) use vectors::Vectors;

use std::sync::Arc;

use names::Topics;

use crate::error::{Error, Result};
use crate::similarity::{diversified, jaccard};

/// Embedding models one programme may have vectors of.
const MODELS: usize = 64;
/// Neighbours looked at for each one asked for, so that there is a choice to spread.
const CHOICE: usize = 4;
/// And at least so many.
const CHOICE_AT_LEAST: usize = 64;

/// One session of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// What it is about.
    pub topics: Vec<String>,
    /// talk, workshop, panel, ...
    pub format: Option<String>,
    /// beginner, intermediate, advanced, ...
    pub difficulty: Option<String>,
    /// Where.
    pub room: Option<String>,
    /// Start, in microseconds since the epoch.
    pub start: i64,
    /// End, in microseconds since the epoch.
    pub end: i64,
    /// It does not take place.
    pub cancelled: bool,
    /// Places; unknown: never full.
    pub capacity: Option<u32>,
    /// Places taken.
    pub registrations: u32,
    /// Its title, for reasons.
    pub text: String,
}

/// The vectors of one embedding model.
#[derive(Debug, Clone, Default)]
pub struct Embeddings {
    /// Name of the model; vectors of two models are never compared.
    pub model: String,
    /// Length of each vector.
    pub dims: usize,
    /// Sessions that have one.
    pub sessions: Vec<u32>,
    /// The vectors one after the other, in the order of `sessions`.
    pub values: Vec<f32>,
}

/// An event's sessions, ready to be scored. Immutable.
#[derive(Debug)]
pub struct Programme {
    sessions: Vec<Session>,
    fixed: Arc<Fixed>,
}

/// What stays while places are taken and given back.
#[derive(Debug)]
struct Fixed {
    names: Names,
    topics: Topics,
    formats: Vec<u32>,
    difficulties: Vec<u32>,
    models: Vec<Vectors>,
}

impl Programme {
    /// A programme of these sessions, in ascending id order, with their embeddings. Where a
    /// session has vectors of several models the first model in `embeddings` that can be used
    /// speaks for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an embedding that is not what it says: wrong length, unknown or
    /// repeated session, a component that is not finite; for a repeated model; for a session that
    /// ends before it starts. A zero vector is no error; it counts as not there.
    pub fn new(sessions: Vec<Session>, embeddings: Vec<Embeddings>) -> Result<Self> {
        check(&sessions, &embeddings)?;
        let mut names = Names::default();
        let topics = Topics::new(sessions.iter().map(|s| s.topics.as_slice()), &mut names);
        let mut interned =
            |word: Option<&String>| word.and_then(|word| names.intern(word)).unwrap_or(UNKNOWN);
        let formats = sessions.iter().map(|s| interned(s.format.as_ref())).collect();
        let difficulties = sessions.iter().map(|s| interned(s.difficulty.as_ref())).collect();
        let models = (embeddings.into_iter())
            .map(|vectors| Vectors::new(vectors, sessions.len()))
            .collect::<Result<_>>()?;
        let fixed = Arc::new(Fixed { names, topics, formats, difficulties, models });
        Ok(Self { sessions, fixed })
    }

    /// The same programme with other numbers of places taken, by session; vectors are shared, so this
    /// costs what the sessions' texts cost. Sessions beyond the end of the slice keep theirs.
    #[must_use]
    pub fn with_registrations(&self, registrations: &[u32]) -> Self {
        let mut sessions = self.sessions.clone();
        for (session, taken) in sessions.iter_mut().zip(registrations) {
            session.registrations = *taken;
        }
        Self { sessions, fixed: Arc::clone(&self.fixed) }
    }

    /// Number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Heap bytes it holds, for a cache with a bound.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words =
            (self.fixed.formats.capacity() + self.fixed.difficulties.capacity()) * size_of::<u32>();
        self.sessions.capacity() * size_of::<Session>()
            + self.sessions.iter().map(Session::heap).sum::<usize>()
            + self.fixed.models.capacity() * size_of::<Vectors>()
            + self.fixed.models.iter().map(Vectors::bytes).sum::<usize>()
            + self.fixed.names.bytes()
            + self.fixed.topics.bytes()
            + words
    }

    /// The session with this index.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn session(&self, index: u32) -> &Session {
        &self.sessions[index as usize]
    }

    /// Sessions still to come that are most like this one, by cosine within one embedding model,
    /// near-duplicates spread out by `lambda` (1: not at all). Empty if it has no embedding.
    #[must_use]
    pub fn similar(&self, index: u32, limit: usize, now: i64, lambda: f64) -> Vec<(u32, f64)> {
        let Some((vectors, row)) = self.fixed.models.iter().find_map(|v| Some((v, v.row(index)?)))
        else {
            return Vec::new();
        };
        let near = vectors.with_row(row, |query| vectors.scan(query));
        let mut found: Vec<(u32, f32)> = (vectors.sessions.iter().copied().zip(near))
            .filter(|&(session, _)| session != index && self.is_ahead(session, now))
            .collect();
        let by_likeness = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let window = limit.saturating_mul(CHOICE).max(CHOICE_AT_LEAST);
        if found.len() > window {
            found.select_nth_unstable_by(window, by_likeness);
            found.truncate(window);
        }
        let exact = |session| vectors.row(session).map_or(0.0, |at| vectors.between(row, at));
        for (session, likeness) in &mut found {
            *likeness = exact(*session);
        }
        found.retain(|(_, likeness)| *likeness > 0.0);
        found.sort_unstable_by(by_likeness);
        let relevance: Vec<f64> = found.iter().map(|(_, l)| f64::from(*l).min(1.0)).collect();
        let rows: Vec<usize> = found.iter().filter_map(|(at, _)| vectors.row(*at)).collect();
        diversified(&relevance, limit, lambda, |a, b| {
            f64::from(vectors.between(rows[a], rows[b])).clamp(0.0, 1.0)
        })
        .into_iter()
        .map(|at| (found[at].0, relevance[at]))
        .collect()
    }

    /// Whether a session takes place and has not ended.
    pub(crate) fn is_ahead(&self, session: u32, now: i64) -> bool {
        let session = self.session(session);
        !session.cancelled && session.end > now
    }

    /// Topics two sessions share, over topics of either.
    pub(crate) fn topics_in_common(&self, a: u32, b: u32) -> f64 {
        jaccard(self.fixed.topics.of(a), self.fixed.topics.of(b))
    }

    /// Whether any session has an embedding of this model.
    #[must_use]
    pub fn has_model(&self, model: &str) -> bool {
        self.fixed.models.iter().any(|vectors| vectors.model == model)
    }

    pub(crate) fn models(&self) -> &[Vectors] {
        &self.fixed.models
    }

    pub(crate) fn names(&self) -> &Names {
        &self.fixed.names
    }

    pub(crate) fn topics(&self, session: u32) -> &[u32] {
        self.fixed.topics.of(session)
    }

    /// The number of a session's format, [`UNKNOWN`] where it has none.
    pub(crate) fn format(&self, session: u32) -> u32 {
        self.fixed.formats[session as usize]
    }

    /// The number of a session's level, [`UNKNOWN`] where it has none.
    pub(crate) fn difficulty(&self, session: u32) -> u32 {
        self.fixed.difficulties[session as usize]
    }
}

impl Session {
    fn heap(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        self.topics.capacity() * size_of::<String>()
            + self.topics.iter().map(String::capacity).sum::<usize>()
            + optional(&self.format)
            + optional(&self.difficulty)
            + optional(&self.room)
            + self.text.capacity()
    }
}

fn check(sessions: &[Session], embeddings: &[Embeddings]) -> Result<()> {
    if let Some(backwards) = sessions.iter().position(|session| session.end < session.start) {
        return Err(Error::invalid(
            format!("session {backwards} ends before it starts"),
            "Its end is earlier than its start.",
            "Correct its times.",
        ));
    }
    let mut models: Vec<&str> = embeddings.iter().map(|e| e.model.as_str()).collect();
    models.sort_unstable();
    if let Some(twice) = models.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) {
        return Err(Error::invalid(
            format!("embedding model \"{twice}\" is given twice"),
            "Each model has one set of vectors.",
            "Pass the vectors of a model together.",
        ));
    }
    if models.len() > MODELS {
        return Err(Error::TooLarge {
            message: format!("{} embedding models for one programme", models.len()),
            hint: format!("Use at most {MODELS}."),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
