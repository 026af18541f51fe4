//! Suggestions as rows: written in bulk, untouched where nothing changed.

use std::collections::HashMap;

use convene_engine::Error;
use convene_engine::networking::{
    Algorithm, COOL_DOWN_HOURS, Company, MOST_SUGGESTED, Scorer, lives_until as engine_lives_until,
    shared_reasons,
};
use pgrx::prelude::*;
use uuid::Builder;

use super::people::Event;
use crate::db;
use crate::error::{Failure, Outcome, not_found};
use crate::programme::micros;

/// Rows written by one statement; between two of them a cancel is answered.
const BATCH: usize = 5_000;

/// A suggestion as it is kept: `a` is the lower id.
pub struct Row {
    pub a: pgrx::Uuid,
    pub b: pgrx::Uuid,
    score: f64,
    score_1: f64,
    score_2: f64,
    coverage: f64,
    parts: String,
    reasons: String,
}

/// The row of two people, whichever comes first.
pub fn row(event: &Event, scorer: &Scorer<'_>, company: Company, of: u32, to: u32) -> Row {
    let (a, b) = (of.min(to), of.max(to));
    let pair = scorer.pair(a as usize, b as usize);
    let (one, other) = (&event.people[a as usize], &event.people[b as usize]);
    let reasons = shared_reasons(one, other, &event.complements, &pair, company);
    Row {
        a: event.ids[a as usize],
        b: event.ids[b as usize],
        score: pair.mutual(),
        score_1: pair.of,
        score_2: pair.to,
        coverage: pair.coverage,
        parts: scorer.parts_json(&pair, "score_1", "score_2"),
        reasons: serde_json::Value::from(reasons).to_string(),
    }
}

/// As [`hold`], alone: nobody else suggests anything at the event either.
pub fn hold_alone(event_id: pgrx::Uuid) -> Outcome<()> {
    const HOLD: &str = "SELECT convene_private.hold_networking(ARRAY[$1::uuid], true)::text";
    db::write(HOLD, &[event_id.into()], |_| Ok(()))?;
    Ok(())
}

/// Keeps blocks out until the end of the transaction: what they say is then known here, or they see
/// what is written here.
pub fn hold(event_id: pgrx::Uuid) -> Outcome<()> {
    const HOLD: &str = "SELECT convene_private.hold_networking(ARRAY[$1::uuid], false)::text";
    db::write(HOLD, &[event_id.into()], |_| Ok(()))?;
    Ok(())
}

/// Until when a suggestion lives that is made now.
pub fn lives_until(
    event_id: pgrx::Uuid,
    now: TimestampWithTimeZone,
) -> Outcome<TimestampWithTimeZone> {
    const STARTS: &str = "SELECT e.start_at FROM convene.events e WHERE e.id = $1";
    let starts =
        db::read_one(STARTS, &[event_id.into()], |row| row.get::<TimestampWithTimeZone>(1))?;
    let starts = starts.ok_or_else(|| not_found("event", event_id))?;
    let until = engine_lives_until(micros(now), starts.map_or(i64::MIN, micros));
    Ok(crate::programme::moment(until))
}

/// Ends what nobody answered in time, at an event or of one attendee there. What somebody holds is in
/// their hands: it is looked at the next time.
pub fn expire(
    event_id: pgrx::Uuid,
    attendee: Option<pgrx::Uuid>,
    now: TimestampWithTimeZone,
) -> Outcome<usize> {
    const OF_ONE: &str = "
        UPDATE convene.matches m SET status = 'expired'
         WHERE m.id = ANY (ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.attendee_1_id = $3 AND o.status IN ('suggested', 'accepted_by_1', 'accepted_by_2')
                    AND o.expires_at <= $2 AND o.event_id = $1
                  FOR NO KEY UPDATE SKIP LOCKED)
               || ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.attendee_2_id = $3 AND o.status IN ('suggested', 'accepted_by_1', 'accepted_by_2')
                    AND o.expires_at <= $2 AND o.event_id = $1
                  FOR NO KEY UPDATE SKIP LOCKED))";
    const OF_ALL: &str = "
        UPDATE convene.matches m SET status = 'expired'
         WHERE m.id = ANY (ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.event_id = $1 AND o.status IN ('suggested', 'accepted_by_1', 'accepted_by_2')
                    AND o.expires_at <= $2
                  FOR NO KEY UPDATE SKIP LOCKED))";
    match attendee {
        Some(id) => db::execute(OF_ONE, &[event_id.into(), now.into(), id.into()]),
        None => db::execute(OF_ALL, &[event_id.into(), now.into()]),
    }
}

/// In the order of the pairs, so that two who suggest the same never wait for each other in a circle.
const KEEP: &str = "
    INSERT INTO convene.matches AS m
           (event_id, attendee_1_id, attendee_2_id, compatibility_score, score_1, score_2, coverage,
            score_parts, matching_algorithm, match_reasons, suggested_at, expires_at)
    SELECT $1, s.a, s.b, pg_catalog.round(s.score::numeric, 4), pg_catalog.round(s.score_1::numeric, 4),
           pg_catalog.round(s.score_2::numeric, 4), pg_catalog.round(s.coverage::numeric, 4),
           s.parts::jsonb, $2, s.reasons::jsonb, $3, $4
      FROM unnest($5::uuid[], $6::uuid[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],
                  $11::text[], $12::text[])
           s (a, b, score, score_1, score_2, coverage, parts, reasons)
    ON CONFLICT (event_id, attendee_1_id, attendee_2_id) DO UPDATE
       SET compatibility_score = excluded.compatibility_score, score_1 = excluded.score_1,
           score_2 = excluded.score_2, coverage = excluded.coverage, score_parts = excluded.score_parts,
           matching_algorithm = excluded.matching_algorithm, match_reasons = excluded.match_reasons,
           status = 'suggested',
           suggested_at = CASE m.status WHEN 'expired' THEN excluded.suggested_at ELSE m.suggested_at END,
           expires_at = CASE m.status WHEN 'expired' THEN excluded.expires_at ELSE m.expires_at END
     WHERE (m.status = 'suggested'
            AND (m.compatibility_score, m.score_1, m.score_2, m.coverage, m.score_parts,
                 m.matching_algorithm, m.match_reasons)
                IS DISTINCT FROM
                (excluded.compatibility_score, excluded.score_1, excluded.score_2, excluded.coverage,
                 excluded.score_parts, excluded.matching_algorithm, excluded.match_reasons))
        OR (m.status = 'expired' AND m.times_suggested < $13
            AND m.expires_at + pg_catalog.make_interval(hours => $14) <= $3)";

/// Writes suggestions, in order of their pairs; how many rows changed. Runs as the owner of the data.
pub fn keep(
    event_id: pgrx::Uuid,
    algorithm: Algorithm,
    rows: &[Row],
    now: TimestampWithTimeZone,
    until: TimestampWithTimeZone,
) -> Outcome<usize> {
    let mut changed = 0;
    for batch in rows.chunks(BATCH) {
        pgrx::check_for_interrupts!();
        let numbers = |of: fn(&Row) -> f64| batch.iter().map(of).collect::<Vec<f64>>();
        let texts = |of: fn(&Row) -> &str| batch.iter().map(of).collect::<Vec<&str>>();
        changed += db::execute(
            KEEP,
            &[
                event_id.into(),
                algorithm.name().into(),
                now.into(),
                until.into(),
                batch.iter().map(|row| row.a).collect::<Vec<_>>().into(),
                batch.iter().map(|row| row.b).collect::<Vec<_>>().into(),
                numbers(|row| row.score).into(),
                numbers(|row| row.score_1).into(),
                numbers(|row| row.score_2).into(),
                numbers(|row| row.coverage).into(),
                texts(|row| &row.parts).into(),
                texts(|row| &row.reasons).into(),
                MOST_SUGGESTED.into(),
                (COOL_DOWN_HOURS as i32).into(),
            ],
        )?;
    }
    Ok(changed)
}

/// For pairs that have no row, while nobody else makes one: an insert that has not to look for a conflict takes a third less.
/// Scores come as whole ten-thousandths, which become decimals sooner than floating-point numbers do, and ids in order, so that
/// the indexes on them grow at their end.
const ADD: &str = "
    INSERT INTO convene.matches
           (id, event_id, attendee_1_id, attendee_2_id, compatibility_score, score_1, score_2, coverage,
            score_parts, matching_algorithm, match_reasons, suggested_at, expires_at)
    SELECT s.id, $1, s.a, s.b, s.score * 0.0001, s.score_1 * 0.0001, s.score_2 * 0.0001, s.coverage * 0.0001,
           s.parts::jsonb, $2, s.reasons::jsonb, $3, $4
      FROM unnest($13::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::int[], $9::int[], $10::int[],
                  $11::text[], $12::text[])
           s (id, a, b, score, score_1, score_2, coverage, parts, reasons)";

/// Fresh ids in order, of randomness that is read at once: asked of the server one by one they would cost
/// as much as an index does.
fn fresh_ids(count: usize) -> Outcome<Vec<pgrx::Uuid>> {
    let mut bytes = vec![[0; 16]; count];
    getrandom::fill(bytes.as_flattened_mut())
        .map_err(|error| Failure(Error::Worker(format!("no randomness: {error}"))))?;
    let id =
        |bytes| pgrx::Uuid::from_bytes(Builder::from_random_bytes(bytes).into_uuid().into_bytes());
    let mut ids: Vec<pgrx::Uuid> = bytes.into_iter().map(id).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Writes suggestions of pairs that have no row, while [`hold_alone`] stands; how many there are.
pub fn add(
    event_id: pgrx::Uuid,
    algorithm: Algorithm,
    rows: &[Row],
    now: TimestampWithTimeZone,
    until: TimestampWithTimeZone,
) -> Outcome<usize> {
    let ids = fresh_ids(rows.len())?;
    for (batch, ids) in rows.chunks(BATCH).zip(ids.chunks(BATCH)) {
        pgrx::check_for_interrupts!();
        let numbers = |of: fn(&Row) -> f64| {
            batch.iter().map(|row| (of(row) * 1e4).round() as i32).collect::<Vec<i32>>()
        };
        let texts = |of: fn(&Row) -> &str| batch.iter().map(of).collect::<Vec<&str>>();
        db::execute(
            ADD,
            &[
                event_id.into(),
                algorithm.name().into(),
                now.into(),
                until.into(),
                batch.iter().map(|row| row.a).collect::<Vec<_>>().into(),
                batch.iter().map(|row| row.b).collect::<Vec<_>>().into(),
                numbers(|row| row.score).into(),
                numbers(|row| row.score_1).into(),
                numbers(|row| row.score_2).into(),
                numbers(|row| row.coverage).into(),
                texts(|row| &row.parts).into(),
                texts(|row| &row.reasons).into(),
                ids.to_vec().into(),
            ],
        )?;
    }
    Ok(rows.len())
}

/// Takes suggestions back that nobody has answered; how many. One that had expired before goes back to
/// that, so that it is still known how often it was made. What somebody holds is in their hands.
pub fn withdraw(ids: Vec<pgrx::Uuid>, now: TimestampWithTimeZone) -> Outcome<usize> {
    const FIRST: &str = "
        DELETE FROM convene.matches m
         WHERE m.id = ANY (ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.id = ANY ($1) AND o.status = 'suggested' AND o.meeting_id IS NULL
                    AND o.times_suggested = 1
                  FOR UPDATE SKIP LOCKED))";
    const AGAIN: &str = "
        UPDATE convene.matches m SET status = 'expired', expires_at = least(m.expires_at, $2)
         WHERE m.id = ANY (ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.id = ANY ($1) AND o.status = 'suggested' AND o.meeting_id IS NULL
                  FOR NO KEY UPDATE SKIP LOCKED))";
    let mut withdrawn = 0;
    for batch in ids.chunks(BATCH) {
        pgrx::check_for_interrupts!();
        withdrawn += db::execute(FIRST, &[batch.to_vec().into()])?;
        withdrawn += db::execute(AGAIN, &[batch.to_vec().into(), now.into()])?;
    }
    Ok(withdrawn)
}

/// The open suggestions between one person and others, by the attendee id of the other.
pub fn ids(event: &Event, of: u32, others: &[u32]) -> Outcome<HashMap<pgrx::Uuid, pgrx::Uuid>> {
    const IDS: &str = "
        SELECT p.other, m.id
          FROM unnest($2::uuid[]) p (other)
          JOIN convene.matches m ON m.event_id = $1 AND m.attendee_1_id = least(p.other, $3)
                                AND m.attendee_2_id = greatest(p.other, $3)
         WHERE m.status = 'suggested'";
    let others: Vec<pgrx::Uuid> = others.iter().map(|other| event.ids[*other as usize]).collect();
    let me = event.ids[of as usize];
    let found = db::read(IDS, &[event.id.into(), others.into(), me.into()], |row| {
        Ok((row.want(1)?, row.want(2)?))
    })?;
    Ok(found.into_iter().collect())
}
