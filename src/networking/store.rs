//! Suggestions as rows: written in bulk, untouched where nothing changed.

use std::collections::HashMap;

use convene_engine::Error;
use convene_engine::networking::{
    Algorithm, COOL_DOWN_HOURS, Company, MOST_SUGGESTED, PART_DECIMALS, Part, Scorer, Suggestion,
    lives_until as engine_lives_until, shared_reasons,
};
use pgrx::prelude::*;
use uuid::Builder;

use super::people::Event;
use crate::db;
use crate::error::{Outcome, not_found};
use crate::moments::micros;
use crate::packed::{self, Decimals, Documents, Ids, Json};

/// Rows written by one statement; between two of them a cancel is answered.
pub const BATCH: usize = 5_000;

/// Decimals of a stored score, and the units of the last of them in 1.
const DECIMALS: u32 = 4;
const UNITS: f64 = 1e4;

/// A score in units of its last decimal.
fn units(score: f64) -> i64 {
    (score * UNITS).round() as i64
}

/// A score as it is shown, with the decimals that it is kept with: what is told of a match is what its row says.
pub fn shown(score: f64) -> AnyNumeric {
    let units = units(score);
    let text = format!("{}.{:04}", units / UNITS as i64, units % UNITS as i64);
    AnyNumeric::try_from(text.as_str()).unwrap_or_else(|_| AnyNumeric::from(0))
}

/// A suggestion as it is kept: `a` is the lower id.
pub struct Row {
    /// Its id, if the pair has none.
    id: pgrx::Uuid,
    pub a: pgrx::Uuid,
    pub b: pgrx::Uuid,
    /// The common score, those of the two, and the coverage: in units.
    scores: [i64; 4],
    /// Both as a `jsonb`.
    parts: Vec<u8>,
    reasons: Vec<u8>,
}

/// The row of a suggestion.
pub fn row(
    event: &Event,
    scorer: &Scorer<'_>,
    company: Company,
    suggestion: &Suggestion,
    id: pgrx::Uuid,
) -> Row {
    let (a, b, pair) = (suggestion.a as usize, suggestion.b as usize, &suggestion.pair);
    let (one, other) = (&event.people[a], &event.people[b]);
    let reasons = shared_reasons(one, other, &event.complements, pair, company);
    let scores = [pair.mutual(), pair.of, pair.to, pair.coverage];
    Row {
        id,
        a: event.who.ids[a],
        b: event.who.ids[b],
        scores: scores.map(units),
        parts: packed::document(|out| parts(out, &scorer.parts(pair))),
        reasons: packed::document(|out| {
            Json::list(out, &reasons, |out, said| Json::text(out, said))
        }),
    }
}

/// `score_parts` of a suggestion.
fn parts(out: &mut Vec<u8>, parts: &[Part]) -> Json {
    let mut fields: Vec<(&str, Part)> = parts.iter().map(|part| (part.name, *part)).collect();
    Json::object(out, &mut fields, |out, part| {
        let mut numbers = [("weight", part.weight), ("score_1", part.of), ("score_2", part.to)];
        Json::object(out, &mut numbers, |out, units| {
            Json::number(out, u64::from(units), PART_DECIMALS)
        })
    })
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
    Ok(crate::moments::moment(until))
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

/// A run of suggestions that is written: at which event, by which algorithm, when, and until when they live.
pub struct Run {
    pub event_id: pgrx::Uuid,
    pub algorithm: Algorithm,
    pub now: TimestampWithTimeZone,
    pub until: TimestampWithTimeZone,
}

macro_rules! add_sql {
    () => {
        "
    INSERT INTO convene.matches AS m
           (id, event_id, attendee_1_id, attendee_2_id, compatibility_score, score_1, score_2, coverage,
            score_parts, matching_algorithm, match_reasons, suggested_at, expires_at)
    SELECT s.id, $1, s.a, s.b, s.score, s.score_1, s.score_2, s.coverage, s.parts, $2, s.reasons, $3, $4
      FROM (SELECT unnest($5::uuid[]) AS id, unnest($6::uuid[]) AS a, unnest($7::uuid[]) AS b,
                   unnest($8::numeric[]) AS score, unnest($9::numeric[]) AS score_1,
                   unnest($10::numeric[]) AS score_2, unnest($11::numeric[]) AS coverage,
                   unnest($12::jsonb[]) AS parts, unnest($13::jsonb[]) AS reasons) s"
    };
}

/// For pairs that have no row, while nobody else makes one: an insert that has not to look for a conflict takes a third less.
const ADD: &str = add_sql!();

/// In the order of the pairs, so that two who suggest the same never wait for each other in a circle.
const KEEP: &str = concat!(
    add_sql!(),
    "
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
        OR (m.status = 'expired' AND m.times_suggested < $14
            AND m.expires_at + pg_catalog.make_interval(hours => $15) <= $3)"
);

/// Fresh ids, of randomness that is read at once: asked of the server one by one they would cost as much as an
/// index does. In order, so that the indexes on them grow at their end.
pub fn fresh_ids(count: usize) -> Result<Vec<pgrx::Uuid>, Error> {
    let mut bytes = vec![[0; 16]; count];
    getrandom::fill(bytes.as_flattened_mut())
        .map_err(|error| Error::Worker(format!("no randomness: {error}")))?;
    let id = |bytes| Builder::from_random_bytes(bytes).into_uuid().into_bytes();
    let mut ids: Vec<pgrx::Uuid> =
        bytes.into_iter().map(|bytes| pgrx::Uuid::from_bytes(id(bytes))).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Writes a batch of rows by one of the statements; how many changed.
fn write(sql: &'static str, run: &Run, rows: &[Row]) -> Outcome<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = |of: fn(&Row) -> pgrx::Uuid| rows.iter().map(of).collect::<Ids>();
    let scores = |at: usize| rows.iter().map(|row| row.scores[at]).collect::<Decimals<DECIMALS>>();
    let documents = |of: fn(&Row) -> &Vec<u8>| rows.iter().map(of).collect::<Documents>();
    let arguments = [
        run.event_id.into(),
        run.algorithm.name().into(),
        run.now.into(),
        run.until.into(),
        ids(|row| row.id).into(),
        ids(|row| row.a).into(),
        ids(|row| row.b).into(),
        scores(0).into(),
        scores(1).into(),
        scores(2).into(),
        scores(3).into(),
        documents(|row| &row.parts).into(),
        documents(|row| &row.reasons).into(),
        MOST_SUGGESTED.into(),
        (COOL_DOWN_HOURS as i32).into(),
    ];
    db::execute(sql, &arguments)
}

/// Writes suggestions, in order of their pairs; how many rows changed. Runs as the owner of the data.
pub fn keep(run: &Run, rows: &[Row]) -> Outcome<usize> {
    write(KEEP, run, rows)
}

/// Writes suggestions of pairs that have no row, while [`hold_alone`] stands; how many there are.
pub fn add(run: &Run, rows: &[Row]) -> Outcome<usize> {
    write(ADD, run, rows)
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
    let others: Vec<pgrx::Uuid> =
        others.iter().map(|other| event.who.ids[*other as usize]).collect();
    let me = event.who.ids[of as usize];
    let found = db::read(IDS, &[event.who.event_id.into(), others.into(), me.into()], |row| {
        Ok((row.want(1)?, row.want(2)?))
    })?;
    Ok(found.into_iter().collect())
}
