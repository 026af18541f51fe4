//! The sessions of an event and their embeddings, laid out for scoring.

use crate::error::Result;

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
}

impl Programme {
    /// A programme of these sessions, in ascending id order, with their embeddings.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for an embedding that is not what it says.
    pub fn new(sessions: Vec<Session>, embeddings: Vec<Embeddings>) -> Result<Self> {
        let _ = embeddings;
        Ok(Self { sessions })
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
        self.sessions.len() * size_of::<Session>()
    }

    /// The session with this index.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn session(&self, index: u32) -> &Session {
        &self.sessions[index as usize]
    }

    /// Sessions still to come that are most like this one, by cosine within one embedding model.
    #[must_use]
    pub fn similar(&self, index: u32, limit: usize, now: i64, lambda: f64) -> Vec<(u32, f64)> {
        let _ = (index, limit, now, lambda);
        Vec::new()
    }
}
