//! Recommendations that are shown to somebody, and remembered.

use pgrx::prelude::*;

use super::asked::Asked;
use super::sessions::{Recommended, answer, score_numeric};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::owner::with_owner;

/// Sessions that an attendee should see next, logged as shown to them.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn serve_session_recommendations(
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
        name!(recommendation_id, pgrx::Uuid),
    ),
> {
    let asked = Asked::new(p_attendee_id, p_event_id, p_limit, p_algorithm, p_now).or_raise();
    let name = asked.algorithm.name();
    TableIterator::new(serve(&asked).or_raise().into_iter().map(move |(row, id)| {
        let (start, end) = row.time;
        let parts = pgrx::JsonB(row.parts);
        let score = score_numeric(row.score);
        (row.session_id, row.title, score, row.reason, name.to_owned(), start, end, parts, id)
    }))
}

/// Ids are made here, so that the order of the answer needs no help from the insert.
const LOG: &str = "
    INSERT INTO convene.recommendation_history
           (id, attendee_id, event_id, recommended_item_type, recommended_item_id,
            recommendation_algorithm, confidence_score, shown_at, recommendation_context)
    SELECT s.id, $1, $2, 'session', s.session_id, $3, pg_catalog.round(s.score::numeric, 4), $4,
           pg_catalog.jsonb_build_object('position', s.position, 'reason', s.reason,
             'score_parts', s.parts, 'interactions', $10::int)
      FROM unnest($5::uuid[], $6::uuid[], $7::float8[], $8::text[], $9::jsonb[])
           WITH ORDINALITY s (id, session_id, score, reason, parts, position)";

fn serve(asked: &Asked) -> Outcome<Vec<(Recommended, pgrx::Uuid)>> {
    let now = auth::moment(Some(asked.now), asked.attendee.by_service)?;
    let rows = answer(asked)?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    with_owner(|| {
        let ids = new_ids(rows.len())?;
        let column = |text: fn(&Recommended) -> String| rows.iter().map(text).collect::<Vec<_>>();
        db::execute(
            LOG,
            &[
                asked.attendee.id.into(),
                asked.attendee.event_id.into(),
                asked.algorithm.name().into(),
                now.into(),
                ids.clone().into(),
                rows.iter().map(|row| row.session_id).collect::<Vec<_>>().into(),
                rows.iter().map(|row| row.score).collect::<Vec<_>>().into(),
                column(|row| row.reason.clone()).into(),
                rows.iter().map(|row| pgrx::JsonB(row.parts.clone())).collect::<Vec<_>>().into(),
                (rows[0].interactions as i32).into(),
            ],
        )?;
        Ok(rows.into_iter().zip(ids).collect())
    })
}

fn new_ids(count: usize) -> Outcome<Vec<pgrx::Uuid>> {
    const IDS: &str = "
        SELECT pg_catalog.gen_random_uuid() FROM pg_catalog.generate_series(1, $1)";
    db::read(IDS, &[(count as i32).into()], |row| row.want(1))
}
