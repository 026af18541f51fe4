//! Suggestions for one person: looked at, or kept so that they can be answered.

use std::sync::Arc;

use convene_engine::Stop;
use convene_engine::networking::{
    Algorithm, Pair, Scorer, Suggestion, one_person, settled, their_reasons,
};
use convene_engine::pairs::Wanted;
use pgrx::prelude::*;

use super::circle::{apart, circle};
use super::context::{Asked, Context};
use super::people::{self, Event};
use super::store::{self, Row, shown};
use crate::auth;
use crate::db;
use crate::document::Document;
use crate::error::{OrRaise, Outcome, required};
use crate::owner::with_owner;

/// One row of the answer.
struct Found {
    index: u32,
    id: pgrx::Uuid,
    name: Option<String>,
    title: Option<String>,
    company: Option<String>,
    score: f64,
    pair: Pair,
    reasons: Vec<String>,
    parts: String,
}

/// What a call found, and where.
struct Answer {
    event: Arc<Event>,
    of: u32,
    found: Vec<Found>,
    rows: Vec<Row>,
}

/// People whom an attendee should meet, best first; nothing is kept.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn preview_networking_matches(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
    p_algorithm: default!(Option<&str>, "'hybrid'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(other_attendee_id, pgrx::Uuid),
        name!(other_attendee_name, Option<String>),
        name!(compatibility_score, AnyNumeric),
        name!(match_reasons, pgrx::JsonB),
        name!(other_attendee_title, Option<String>),
        name!(other_attendee_company, Option<String>),
        name!(own_score, AnyNumeric),
        name!(other_score, AnyNumeric),
        name!(coverage, AnyNumeric),
        name!(score_parts, Document),
    ),
> {
    let asked = Asked::new(p_attendee_id, p_event_id, p_limit, p_algorithm).or_raise();
    let answer = required(p_now, "p_now").and_then(|now| with_owner(|| answer(&asked, now)));
    let found = answer.or_raise().map(|answer| answer.found).unwrap_or_default();
    TableIterator::new(found.into_iter().map(|row| {
        let score = shown(row.score);
        let (own, other) = (shown(row.pair.of), shown(row.pair.to));
        let reasons = pgrx::JsonB(row.reasons.into());
        let coverage = shown(row.pair.coverage);
        let parts = Document(row.parts);
        (row.id, row.name, score, reasons, row.title, row.company, own, other, coverage, parts)
    }))
}

/// People whom an attendee should meet, best first, kept as suggestions that both can answer.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn generate_networking_matches(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
    p_algorithm: default!(Option<&str>, "'hybrid'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(match_id, pgrx::Uuid),
        name!(other_attendee_id, pgrx::Uuid),
        name!(other_attendee_name, Option<String>),
        name!(compatibility_score, AnyNumeric),
        name!(match_reasons, pgrx::JsonB),
        name!(other_attendee_title, Option<String>),
        name!(other_attendee_company, Option<String>),
        name!(own_score, AnyNumeric),
        name!(other_score, AnyNumeric),
        name!(coverage, AnyNumeric),
        name!(score_parts, Document),
    ),
> {
    let asked = Asked::new(p_attendee_id, p_event_id, p_limit, p_algorithm).or_raise();
    let kept = auth::moment(p_now, asked.attendee.by_service).and_then(|now| generate(&asked, now));
    TableIterator::new(kept.or_raise().into_iter().map(|(id, row)| {
        let score = shown(row.score);
        let (own, other) = (shown(row.pair.of), shown(row.pair.to));
        let reasons = pgrx::JsonB(row.reasons.into());
        let coverage = shown(row.pair.coverage);
        let parts = Document(row.parts);
        (id, row.id, row.name, score, reasons, row.title, row.company, own, other, coverage, parts)
    }))
}

fn generate(asked: &Asked, now: TimestampWithTimeZone) -> Outcome<Vec<(pgrx::Uuid, Found)>> {
    let event_id = asked.attendee.event_id;
    with_owner(|| {
        store::hold(event_id)?;
        store::expire(event_id, Some(asked.attendee.id), now)?;
        let Some(answer) = answer(asked, now)? else { return Ok(vec![]) };
        let until = store::lives_until(event_id, now)?;
        let run = store::Run { event_id, algorithm: asked.algorithm, now, until };
        store::keep(&run, &answer.rows)?;
        let mut ids = store::ids(
            &answer.event,
            answer.of,
            &answer.found.iter().map(|row| row.index).collect::<Vec<_>>(),
        )?;
        // Whatever somebody else did to the match in the meantime, it is no suggestion any more.
        Ok(answer.found.into_iter().filter_map(|row| Some((ids.remove(&row.id)?, row))).collect())
    })
}

/// The answer to a checked call; nothing for somebody who does not take part.
fn answer(asked: &Asked, now: TimestampWithTimeZone) -> Outcome<Option<Answer>> {
    let event_id = asked.attendee.event_id;
    let context = Context::read(event_id)?;
    let event = people::load(event_id, &context.state, context.weights)?.wait()?;
    let Some(of) = event.who.index(asked.attendee.id) else { return Ok(None) };
    let circle = circle(&event.who, Some(of))?;
    let excluded = apart(&event.who, Some(of), asked.algorithm, &circle, now)?;
    let (weights, mean) = event.mean;
    let scorer = Scorer::new(
        &event.crowd,
        &circle.ties,
        asked.algorithm,
        weights,
        mean,
        context.met_before(),
    );
    // By goals the document lists those who fit not at all, too.
    let least = if asked.algorithm == Algorithm::Goals { 0.0 } else { settled(0.0) };
    let wanted = Wanted { most: asked.limit, least };
    let best = one_person(&scorer, &excluded, of as usize, wanted, &Stop::default())?;
    let (found, rows) = describe(&event, of, &scorer, &best, &context)?;
    Ok(Some(Answer { event, of, found, rows }))
}

const NAMES: &str = "
    SELECT a.id, a.full_name, a.job_title, a.company_name
      FROM convene.attendees a WHERE a.id = ANY ($1) ORDER BY a.id";

/// Names, reasons and parts of those found, and the rows to keep of them.
fn describe(
    event: &Event,
    of: u32,
    scorer: &Scorer<'_>,
    best: &[(u32, Pair)],
    context: &Context,
) -> Outcome<(Vec<Found>, Vec<Row>)> {
    let ids: Vec<pgrx::Uuid> =
        best.iter().map(|(other, _)| event.who.ids[*other as usize]).collect();
    let names = db::read(NAMES, &[ids.into()], |row| {
        Ok((row.want::<pgrx::Uuid>(1)?, (row.get(2)?, row.get(3)?, row.get(4)?)))
    })?;
    let me = &event.people[of as usize];
    let company = context.company();
    let mut fresh = store::fresh_ids(best.len())?.into_iter();
    let mut rows = Vec::new();
    let found = best.iter().filter_map(|(other, pair)| {
        let id = event.who.ids[*other as usize];
        let at = names.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (name, title, works_for) = names[at].1.clone();
        let them = &event.people[*other as usize];
        let (a, b) = (of.min(*other), of.max(*other));
        let suggestion = Suggestion { a, b, pair: scorer.pair(a as usize, b as usize) };
        rows.push(store::row(event, scorer, company, &suggestion, fresh.next()?));
        Some(Found {
            index: *other,
            id,
            name,
            title,
            company: works_for,
            score: if scorer.algorithm() == Algorithm::Goals { pair.of } else { pair.mutual() },
            pair: *pair,
            reasons: their_reasons(me, them, &event.complements, pair, company),
            parts: scorer.parts_json(pair, "own", "other"),
        })
    });
    let found = found.collect();
    rows.sort_by_key(|row: &Row| (row.a, row.b));
    Ok((found, rows))
}
