//! People who do not want to have to do with each other. A block is about persons, not about an
//! event, and the one who is blocked never learns of it.

use convene_engine::Error;
use pgrx::prelude::*;

use super::retry::retryable;
use crate::auth::{self, Attendee};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::with_owner;

/// The longest reason and the longest details of a report, in characters.
const MOST_REASON: usize = 200;
const MOST_DETAILS: usize = 5_000;

/// Blocks a person, at every event.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn block_person(
    p_attendee_id: Option<pgrx::Uuid>,
    p_other_attendee_id: Option<pgrx::Uuid>,
) -> pgrx::JsonB {
    two(p_attendee_id, p_other_attendee_id)
        .and_then(|two| retryable(|| with_owner(|| block(&two))))
        .or_raise()
}

/// Takes a block back. What it ended stays ended.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn unblock_person(
    p_attendee_id: Option<pgrx::Uuid>,
    p_other_attendee_id: Option<pgrx::Uuid>,
) -> bool {
    const UNBLOCK: &str = "
        DELETE FROM convene.person_blocks b WHERE b.blocker_profile = $1 AND b.blocked_profile = $2";
    let unblock = || -> Outcome<bool> {
        let two = two(p_attendee_id, p_other_attendee_id)?;
        with_owner(|| Ok(db::execute(UNBLOCK, &[two.me.into(), two.them.into()])? > 0))
    };
    unblock().or_raise()
}

/// Tells the organizer about a person.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn report_person(
    p_attendee_id: Option<pgrx::Uuid>,
    p_other_attendee_id: Option<pgrx::Uuid>,
    p_reason: Option<&str>,
    p_details: default!(Option<&str>, "NULL"),
) -> pgrx::Uuid {
    let report = || -> Outcome<pgrx::Uuid> {
        let two = two(p_attendee_id, p_other_attendee_id)?;
        let reason = text(required(p_reason, "p_reason")?, MOST_REASON, "p_reason")?;
        let details = p_details.map(|said| text(said, MOST_DETAILS, "p_details")).transpose()?;
        with_owner(|| report(&two, reason, details))
    };
    report().or_raise()
}

/// The caller and somebody else at the same event.
struct Two {
    attendee: Attendee,
    other: pgrx::Uuid,
    me: pgrx::Uuid,
    them: pgrx::Uuid,
}

/// Only somebody at the same event, so that nobody learns by asking who is known at all.
const OTHER: &str = "
    SELECT me.profile_id, other.profile_id
      FROM convene.attendees me
      JOIN convene.attendees other ON other.event_id = me.event_id AND other.id = $2
     WHERE me.id = $1";

fn two(attendee_id: Option<pgrx::Uuid>, other_id: Option<pgrx::Uuid>) -> Outcome<Two> {
    let attendee = auth::own_attendee(attendee_id)?;
    let other = required(other_id, "p_other_attendee_id")?;
    let arguments = [attendee.id.into(), other.into()];
    let profiles = with_owner(|| {
        db::read_one(OTHER, &arguments, |row| {
            Ok((row.get::<pgrx::Uuid>(1)?, row.get::<pgrx::Uuid>(2)?))
        })
    })?;
    let unknown =
        || if attendee.by_service { not_found("attendee", other) } else { not_allowed("attendee") };
    let (me, them) = profiles.ok_or_else(unknown)?;
    if other == attendee.id || (me.is_some() && me == them) {
        return invalid(
            format!("attendee {other} is the same person"),
            "",
            "Pass the id of somebody else in p_other_attendee_id.",
        );
    }
    match (me, them) {
        (Some(me), Some(them)) => Ok(Two { attendee, other, me, them }),
        _ => Err(Failure(Error::WrongState {
            message: "one of the two is not known as a person yet".into(),
            detail: "A block is about persons: both attendees need a profile.".into(),
            hint: "Decline the match instead.".into(),
        })),
    }
}

fn text<'a>(said: &'a str, most: usize, parameter: &str) -> Outcome<&'a str> {
    let said = said.trim();
    if said.is_empty() {
        return invalid(format!("{parameter} is empty"), "", "Say in a few words what happened.");
    }
    if said.chars().count() > most {
        return Err(Failure(Error::TooLarge {
            message: format!("{parameter} is longer than {most} characters"),
            hint: "Shorten it.".into(),
        }));
    }
    Ok(said)
}

/// The events that both attend: suggestions there wait until the block is known, and it for them.
const HOLD: &str = "
    SELECT convene_private.hold_networking(ARRAY(
             SELECT x.event_id FROM convene.attendees x JOIN convene.attendees y ON y.event_id = x.event_id
              WHERE x.profile_id = $1 AND y.profile_id = $2), true)::text";
const PART: &str = "SELECT p.meetings, p.matches FROM convene_private.part_people($1, $2) p";
const BLOCK: &str = "
    INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES ($1, $2)
    ON CONFLICT DO NOTHING";

/// What the row does by itself is done here first, to tell how much there was.
fn block(two: &Two) -> Outcome<pgrx::JsonB> {
    let both = [two.me.into(), two.them.into()];
    db::write(HOLD, &both, |_| Ok(()))?;
    let ended = db::write(PART, &both, |row| Ok((row.want::<i32>(1)?, row.want::<i32>(2)?)))?;
    let (meetings, matches) = ended.first().copied().unwrap_or_default();
    let new = db::execute(BLOCK, &both)? > 0;
    Ok(pgrx::JsonB(serde_json::json!({
        "attendee_id": two.attendee.id.to_string(),
        "other_attendee_id": two.other.to_string(),
        "new": new,
        "meetings_cancelled": meetings,
        "matches_ended": matches,
    })))
}

/// The same complaint while it is open is one.
fn report(two: &Two, reason: &str, details: Option<&str>) -> Outcome<pgrx::Uuid> {
    const OPEN: &str = "
        SELECT r.id FROM convene.person_reports r
         WHERE r.event_id = $1 AND r.reporter_profile = $2 AND r.reported_profile = $3
           AND r.reason = $4 AND r.details IS NOT DISTINCT FROM $5 AND r.status = 'open'
         ORDER BY r.created_at, r.id LIMIT 1";
    const REPORT: &str = "
        INSERT INTO convene.person_reports (event_id, reporter_profile, reported_profile, reason, details)
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let arguments = [
        two.attendee.event_id.into(),
        two.me.into(),
        two.them.into(),
        reason.into(),
        details.into(),
    ];
    if let Some(id) = db::read_one(OPEN, &arguments, |row| row.want(1))? {
        return Ok(id);
    }
    let id = db::write(REPORT, &arguments, |row| row.want(1))?.into_iter().next();
    required(id, "the report")
}
