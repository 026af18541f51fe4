//! What came of a match: a meeting, and what the two thought of it.

use convene_engine::Error;
use pgrx::PgTryBuilder;
use pgrx::prelude::*;
use serde_json::Value;

use super::access::{self, Match};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, required, within};
use crate::moments::{COUNTABLE, micros};
use crate::owner::with_owner;

/// The longest name of a place.
const MOST_PLACE: usize = 255;
/// The longest feedback.
const MOST_TEXT: usize = 4000;

/// Notes that two contractors met, or when and where they will.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn record_peer_connection(
    p_match_id: Option<pgrx::Uuid>,
    p_meeting_details: default!(Option<Document>, "'{}'"),
) -> Document {
    connection(p_match_id, p_meeting_details).or_raise()
}

/// Where and when, as far as it was said.
#[derive(Default)]
struct Meeting {
    scheduled: Option<bool>,
    time: Option<TimestampWithTimeZone>,
    location: Option<String>,
}

fn connection(match_id: Option<pgrx::Uuid>, details: Option<Document>) -> Outcome<Document> {
    const STORE: &str = "
        UPDATE convene.event_peer_matches m
           SET connection_made = true,
               meeting_scheduled = coalesce($2, m.meeting_scheduled),
               meeting_time = coalesce($3, m.meeting_time),
               meeting_location = coalesce($4, m.meeting_location)
         WHERE m.id = $1
           AND (NOT m.connection_made OR m.meeting_scheduled IS DISTINCT FROM coalesce($2, m.meeting_scheduled)
                OR m.meeting_time IS DISTINCT FROM coalesce($3, m.meeting_time)
                OR m.meeting_location IS DISTINCT FROM coalesce($4, m.meeting_location))";
    let found = access::peer_match(match_id)?;
    let meeting = meeting(required(details, "p_meeting_details")?)?;
    with_owner(|| {
        if found.own.is_some() && !found.caller.is_service() {
            expect_both_agreed(&found)?;
        }
        db::execute(
            STORE,
            &[
                found.id.into(),
                meeting.scheduled.into(),
                meeting.time.into(),
                meeting.location.into(),
            ],
        )?;
        state(found.id)
    })
}

/// One of the two may speak of a meeting once both wanted it: nobody meets somebody by saying so.
fn expect_both_agreed(found: &Match) -> Outcome<()> {
    const AGREED: &str = "
        SELECT coalesce(m.contractor1_response AND m.contractor2_response, false) OR m.connection_made
          FROM convene.event_peer_matches m WHERE m.id = $1 FOR UPDATE";
    let agreed = db::write(AGREED, &[found.id.into()], |row| row.want::<bool>(1))?;
    if agreed == [true] {
        return Ok(());
    }
    Err(Failure(Error::WrongState {
        message: format!("match {} has not been accepted by both", found.id),
        detail: "Whether two met is noted once both said yes to the introduction.".into(),
        hint: "Wait for the answer of the other, or ask an organizer to note it.".into(),
    }))
}

fn meeting(details: Document) -> Outcome<Meeting> {
    let Value::Object(map) = details.parse("p_meeting_details")? else {
        return refused("p_meeting_details", "it is not an object");
    };
    let mut meeting = Meeting::default();
    for (key, value) in &map {
        match (key.as_str(), value) {
            ("scheduled" | "time" | "location", Value::Null) => {}
            ("scheduled", Value::Bool(scheduled)) => meeting.scheduled = Some(*scheduled),
            ("scheduled", _) => return refused(key, "it is neither true nor false"),
            ("time", Value::String(time)) => meeting.time = Some(moment(time)?),
            ("time", _) => return refused(key, "it is no text"),
            ("location", Value::String(place)) if place.chars().count() <= MOST_PLACE => {
                meeting.location = Some(place.clone());
            }
            ("location", _) => return refused(key, "it is no text of up to 255 characters"),
            _ => return refused(key, "there is no such detail"),
        }
    }
    Ok(meeting)
}

/// A moment with its time zone, as ISO 8601 writes it.
fn moment(text: &str) -> Outcome<TimestampWithTimeZone> {
    let has_zone =
        text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|time| time.contains(['+', '-']));
    // An offset that no place on earth has is an error of its own to the server.
    let parsed = PgTryBuilder::new(|| text.parse::<TimestampWithTimeZone>().ok())
        .catch_when(PgSqlErrorCode::ERRCODE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE, |_| None)
        .execute();
    // Ratings and follow-ups are asked for days after it.
    match parsed {
        Some(moment) if has_zone && COUNTABLE.contains(&micros(moment)) => Ok(moment),
        _ => refused(
            "time",
            "it is no moment of the years 1 to 9999 with its time zone, such as 2026-09-26T12:30:00Z",
        ),
    }
}

fn refused<T>(key: &str, why: &str) -> Outcome<T> {
    invalid(
        format!("p_meeting_details is not usable at \"{key}\""),
        format!("The value at \"{key}\" was refused because {why}."),
        "Pass any of scheduled (true or false), time and location, or {} for a meeting without more.",
    )
}

/// Takes a contractor's rating of a meeting, and their words.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn record_peer_feedback(
    p_match_id: Option<pgrx::Uuid>,
    p_contractor_id: Option<pgrx::Uuid>,
    p_rating: Option<i32>,
    p_text: default!(Option<&str>, "NULL"),
) -> Document {
    feedback(p_match_id, p_contractor_id, p_rating, p_text).or_raise()
}

fn feedback(
    match_id: Option<pgrx::Uuid>,
    contractor_id: Option<pgrx::Uuid>,
    rating: Option<i32>,
    text: Option<&str>,
) -> Outcome<Document> {
    let found = access::peer_match(match_id)?;
    // In confidence, and one's own: an organizer neither reads nor writes it.
    if found.own.is_none() && !found.caller.is_service() {
        return Err(not_allowed("match"));
    }
    let contractor_id = required(contractor_id, "p_contractor_id")?;
    if !found.caller.is_service() && found.own != Some(contractor_id) {
        return Err(not_allowed("match"));
    }
    let first = contractor_id == found.contractors.0;
    if !first && contractor_id != found.contractors.1 {
        return invalid(
            format!("contractor {contractor_id} is not one of match {}", found.id),
            "",
            "Pass one of the two contractors of the match.",
        );
    }
    let rating = within(rating, 1, 10, "p_rating")? as i32;
    if text.is_some_and(|text| text.chars().count() > MOST_TEXT) {
        return Err(Failure(Error::TooLarge {
            message: format!("p_text is longer than {MOST_TEXT} characters"),
            hint: "Shorten it.".into(),
        }));
    }
    with_owner(|| {
        if !found.caller.is_service() {
            expect_both_agreed(&found)?;
        }
        store(&found, first, rating, text)?;
        state(found.id)
    })
}

fn store(found: &Match, first: bool, rating: i32, text: Option<&str>) -> Outcome<()> {
    const FIRST: &str = "
        UPDATE convene.event_peer_matches m
           SET rating_contractor1 = $2, feedback_contractor1 = coalesce($3, m.feedback_contractor1)
         WHERE m.id = $1 AND (m.rating_contractor1 IS DISTINCT FROM $2
                              OR m.feedback_contractor1 IS DISTINCT FROM coalesce($3, m.feedback_contractor1))";
    const SECOND: &str = "
        UPDATE convene.event_peer_matches m
           SET rating_contractor2 = $2, feedback_contractor2 = coalesce($3, m.feedback_contractor2)
         WHERE m.id = $1 AND (m.rating_contractor2 IS DISTINCT FROM $2
                              OR m.feedback_contractor2 IS DISTINCT FROM coalesce($3, m.feedback_contractor2))";
    db::execute(
        if first { FIRST } else { SECOND },
        &[found.id.into(), rating.into(), text.into()],
    )?;
    Ok(())
}

/// The match as it then is, without what is in confidence.
fn state(id: pgrx::Uuid) -> Outcome<Document> {
    const STATE: &str = "
        SELECT pg_catalog.jsonb_build_object('id', m.id, 'event_id', m.event_id,
                 'connection_made', m.connection_made, 'meeting_scheduled', m.meeting_scheduled,
                 'meeting_time', m.meeting_time, 'meeting_location', m.meeting_location,
                 'pcr_score', m.pcr_score)
          FROM convene.event_peer_matches m WHERE m.id = $1";
    // Read as a write is: of the rows that this call has just changed.
    let found = db::write(STATE, &[id.into()], |row| row.want(1))?;
    found.into_iter().next().ok_or_else(|| crate::error::not_found("match", id))
}
