//! Programmes small enough to work out by hand.

mod batch;
mod care;
mod fusion;
mod reasons;
mod taste;
mod weights;

use super::*;
use crate::programme::{Embeddings, Session};

/// A session in hour `hour`.
pub(super) fn session(hour: i64) -> Session {
    Session { start: hour * 60, end: hour * 60 + 60, ..Session::default() }
}

pub(super) fn embeddings(model: &str, rows: &[(u32, &[f32])]) -> Embeddings {
    Embeddings {
        model: model.to_owned(),
        dims: rows.first().map_or(1, |(_, values)| values.len()),
        sessions: rows.iter().map(|(session, _)| *session).collect(),
        values: rows.iter().flat_map(|(_, values)| values.iter().copied()).collect(),
    }
}

/// Sessions in consecutive hours, with these vectors of one model.
pub(super) fn programme(sessions: usize, rows: &[(u32, &[f32])]) -> Programme {
    let list = (0..sessions as i64).map(session).collect();
    Programme::new(list, vec![embeddings("m", rows)]).unwrap()
}

pub(super) fn did(kind: Kind, session: u32) -> Signal {
    Signal { session, kind, value: None, at: 0 }
}

pub(super) fn rated(session: u32, stars: f32) -> Signal {
    Signal { session, kind: Kind::Rated, value: Some(stars), at: 0 }
}

pub(super) fn who(signals: &[Signal]) -> Person {
    Person { signals: signals.to_vec(), ..Person::default() }
}

pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

pub(super) fn by_score() -> Options {
    Options { diversify: false, ..Options::default() }
}

pub(super) fn only(algorithm: Algorithm) -> Options {
    Options { algorithm, ..by_score() }
}

pub(super) fn order(picks: &[Pick]) -> Vec<u32> {
    picks.iter().map(|pick| pick.session).collect()
}

#[track_caller]
pub(super) fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}
