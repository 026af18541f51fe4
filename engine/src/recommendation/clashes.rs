//! Which sessions take place while one that the person bookmarked does.

use crate::programme::Programme;

use super::person::{Kind, Person};

/// The bookmarked sessions that take place, by start.
pub(crate) struct Bookmarks<'a> {
    programme: &'a Programme,
    sessions: Vec<u32>,
    starts: Vec<i64>,
    /// The latest end among each session and those before it.
    latest_end: Vec<i64>,
}

impl<'a> Bookmarks<'a> {
    pub fn new(programme: &'a Programme, person: &Person) -> Self {
        let mut sessions: Vec<u32> = (person.signals.iter())
            .filter(|signal| signal.kind == Kind::Bookmarked)
            .map(|signal| signal.session)
            .filter(|&at| (at as usize) < programme.len() && !programme.session(at).cancelled)
            .collect();
        sessions.sort_unstable_by_key(|&at| (programme.session(at).start, at));
        sessions.dedup();
        let starts = sessions.iter().map(|&at| programme.session(at).start).collect();
        let latest_end = (sessions.iter())
            .scan(i64::MIN, |latest, &at| {
                *latest = (*latest).max(programme.session(at).end);
                Some(*latest)
            })
            .collect();
        Self { programme, sessions, starts, latest_end }
    }

    /// Whether a session overlaps one of them in time.
    pub fn clash(&self, session: u32) -> bool {
        if self.sessions.is_empty() {
            return false;
        }
        let candidate = self.programme.session(session);
        let started = self.starts.partition_point(|start| *start < candidate.end);
        started > 0 && self.latest_end[started - 1] > candidate.start
    }

    /// The first of them that a session overlaps in time.
    pub fn clashing(&self, session: u32) -> Option<u32> {
        if !self.clash(session) {
            return None;
        }
        let candidate = self.programme.session(session);
        (self.sessions.iter().copied()).find(|&at| {
            let bookmarked = self.programme.session(at);
            bookmarked.start < candidate.end && candidate.start < bookmarked.end
        })
    }
}
