//! `get_session_recommendations` and the picks behind everything that recommends sessions.

use std::rc::Rc;

use convene_engine::recommendation::{Algorithm, Interest, Pick, recommend};
use pgrx::prelude::*;

use super::asked::Asked;
use super::cache;
use super::person::{Known, known, neighbours};
use super::reasons::sentences;
use crate::error::{OrRaise, Outcome};
use crate::moments::micros;
use crate::owner::with_owner;
use crate::programme::{self, Event};

/// One row of the answer.
#[derive(Clone)]
pub struct Recommended {
    /// The session.
    pub session_id: pgrx::Uuid,
    /// Its title.
    pub title: String,
    /// The fused score, 0 to 1.
    pub score: f64,
    /// Why, in words.
    pub reason: String,
    /// Start and end.
    pub time: (TimestampWithTimeZone, TimestampWithTimeZone),
    /// Scores and weights of the sources.
    pub parts: serde_json::Value,
    /// How many sessions the person had had to do with.
    pub interactions: usize,
}

/// Sessions that an attendee should see next.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_session_recommendations(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
    p_algorithm: default!(Option<&str>, "'hybrid'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(session_id, pgrx::Uuid),
        name!(session_title, String),
        name!(similarity_score, AnyNumeric),
        name!(recommendation_reason, String),
        name!(recommendation_algorithm, String),
        name!(start_time, TimestampWithTimeZone),
        name!(end_time, TimestampWithTimeZone),
        name!(score_parts, pgrx::JsonB),
    ),
> {
    let asked = Asked::new(p_attendee_id, p_event_id, p_limit, p_algorithm, p_now).or_raise();
    let name = asked.algorithm.name();
    TableIterator::new(answer(&asked).or_raise().into_iter().map(move |row| {
        let (start, end) = row.time;
        let parts = pgrx::JsonB(row.parts);
        let score = score_numeric(row.score);
        (row.session_id, row.title, score, row.reason, name.to_owned(), start, end, parts)
    }))
}

/// A score as SQL shows it: four decimals.
pub fn score_numeric(score: f64) -> AnyNumeric {
    AnyNumeric::try_from(format!("{score:.4}").as_str()).unwrap_or_else(|_| AnyNumeric::from(0))
}

/// The rows for a checked call.
pub fn answer(asked: &Asked) -> Outcome<Vec<Recommended>> {
    with_owner(|| {
        let known = known(asked.attendee.id, asked.attendee.event_id)?;
        if !known.enabled {
            return Ok(vec![]);
        }
        let (event, picks) = ranked(asked, &known)?;
        let mine = known.liked();
        let interactions = known.distinct_sessions();
        let reasons = sentences(&event, asked.attendee.id, &mine, &picks, &known.context)?;
        Ok(picks
            .iter()
            .zip(reasons)
            .map(|(pick, reason)| Recommended {
                session_id: event.session_id(pick.session),
                title: event.title(pick.session).to_owned(),
                score: pick.score,
                reason,
                time: event.time(pick.session),
                parts: pick.parts.to_json(),
                interactions,
            })
            .collect())
    })
}

/// The picks, by the shortest way that gives the same answer: from the programme where this
/// session of the server has it at hand, from the cache where that is still true, and otherwise
/// from the programme as it is read now.
fn ranked(asked: &Asked, known: &Known) -> Outcome<(Rc<Event>, Vec<Pick>)> {
    let event_id = asked.attendee.event_id;
    let event = match programme::kept(event_id, &known.context.state) {
        Some(event) => event,
        None => match cache::find(asked, known)? {
            Some(found) => return Ok(found),
            None => programme::load(event_id, &known.context.state)?,
        },
    };
    let picks = pick(asked.limit, asked.algorithm, asked.now, known, &event)?;
    Ok((event, picks))
}

/// Ranks the programme for one person.
pub fn pick(
    limit: usize,
    algorithm: Algorithm,
    now: TimestampWithTimeZone,
    known: &Known,
    event: &Event,
) -> Outcome<Vec<Pick>> {
    let options = known.context.options(limit, algorithm, micros(now))?;
    let neighbours = match algorithm {
        Algorithm::Hybrid | Algorithm::Collaborative => neighbours(event, &known.sessions())?,
        Algorithm::Content | Algorithm::Popularity => vec![],
    };
    let interest = Interest(&event.interest);
    Ok(recommend(&event.programme, &known.person(event), &neighbours, interest, &options))
}
