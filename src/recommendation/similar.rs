//! Sessions like a session.

use std::rc::Rc;

use pgrx::prelude::*;

use super::person::{Context, neighbours};
use super::sessions::score_numeric;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::with_owner;
use crate::programme::{self, Event};

/// Likeness does not depend on the clock: a session that is over may have a recording.
const ANY_TIME: i64 = i64::MIN;
/// The most similar sessions that one call gives.
const MOST: i32 = 100;

/// One row of the answer.
type Row = (pgrx::Uuid, String, AnyNumeric, String, TimestampWithTimeZone, TimestampWithTimeZone);

/// Sessions of the same event that are most like a session, whenever they are.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_similar_sessions(
    p_session_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(session_id, pgrx::Uuid),
        name!(session_title, String),
        name!(similarity_score, AnyNumeric),
        name!(recommendation_reason, String),
        name!(start_time, TimestampWithTimeZone),
        name!(end_time, TimestampWithTimeZone),
    ),
> {
    TableIterator::new(find(p_session_id, p_limit).or_raise())
}

fn find(session_id: Option<pgrx::Uuid>, limit: Option<i32>) -> Outcome<Vec<Row>> {
    let event_id = auth::visible_session(session_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    with_owner(|| {
        let context = Context::read(event_id)?;
        let event = programme::load(event_id, &context.state)?;
        let Some(index) = session_id.and_then(|id| event.index(id)) else { return Ok(vec![]) };
        let by_text = event.programme.similar(index, limit, ANY_TIME, 1.0);
        if !by_text.is_empty() {
            let reason = format!("Similar to \"{}\"", event.title(index));
            return Ok(by_text
                .into_iter()
                .map(|(s, score)| row(&event, s, score, &reason))
                .collect());
        }
        by_people(&event, index, limit, context.min_people())
    })
}

/// Sessions that the same attendees chose, where there is no embedding to compare.
fn by_people(event: &Rc<Event>, index: u32, limit: usize, min_people: u32) -> Outcome<Vec<Row>> {
    let learned = neighbours(event, &[event.session_id(index)])?;
    let Some(learned) = learned.into_iter().next() else { return Ok(vec![]) };
    let people = people_of_both(event, index)?;
    let most = learned.weight.iter().copied().fold(0.0f32, f32::max);
    let reason = format!("Chosen by attendees of \"{}\" too", event.title(index));
    Ok(learned
        .to
        .iter()
        .zip(&learned.weight)
        .filter(|(to, weight)| {
            let session = event.programme.session(**to);
            **weight > 0.0
                && !session.cancelled
                && people.get(to).is_some_and(|count| *count >= min_people)
        })
        .take(limit)
        .map(|(to, weight)| row(event, *to, f64::from(weight / most), &reason))
        .collect())
}

/// How many distinct people chose both sessions, as of the last training.
fn people_of_both(event: &Event, index: u32) -> Outcome<std::collections::HashMap<u32, u32>> {
    const PEOPLE: &str = "
        SELECT n.id, n.people FROM convene.session_weights w,
               unnest(w.neighbour_ids, w.people) n (id, people)
         WHERE w.event_id = $1 AND w.session_id = $2";
    let rows = db::read(PEOPLE, &[event.id.into(), event.session_id(index).into()], |row| {
        Ok((row.want::<pgrx::Uuid>(1)?, row.want::<i32>(2)?))
    })?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, people)| Some((event.index(id)?, people.max(0) as u32)))
        .collect())
}

fn row(event: &Event, index: u32, score: f64, reason: &str) -> Row {
    let (start, end) = event.time(index);
    let title = event.title(index).to_owned();
    (event.session_id(index), title, score_numeric(score), reason.to_owned(), start, end)
}
