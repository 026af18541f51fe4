//! Answers to suggestions. The row is locked before it is looked at, so that two answers at the same
//! moment come one after the other, and time that runs out comes before or after them.

use convene_engine::networking::{MatchEvent, Side, Status};
use pgrx::prelude::*;
use serde_json::json;

use super::party::hold_match;
use super::{meetings, store};
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::{require_service, with_owner};

/// The longest meeting.
const MOST_MINUTES: i32 = 480;
/// The length of a meeting of somebody who says nothing about it.
const USUAL_MINUTES: i32 = 15;

/// Accepts a suggestion; both sides have to.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn accept_match(
    p_match_id: Option<pgrx::Uuid>,
    p_attendee_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_schedule_meeting: default!(Option<bool>, "false"),
    p_preferred_time: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_duration_minutes: default!(Option<i32>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let accept = || -> Outcome<pgrx::JsonB> {
        let part = part(p_match_id, p_attendee_id)?;
        let now = auth::moment(p_now, part.by_service)?;
        let wish = wish(p_schedule_meeting, p_preferred_time, p_duration_minutes)?;
        with_owner(|| accept(&part, wish, now))
    };
    accept().or_raise()
}

/// Declines a suggestion, for good.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn decline_match(
    p_match_id: Option<pgrx::Uuid>,
    p_attendee_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> pgrx::JsonB {
    part(p_match_id, p_attendee_id).and_then(|part| with_owner(|| decline(&part))).or_raise()
}

/// Ends the suggestions that nobody answered in time.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn expire_matches(p_now: default!(Option<TimestampWithTimeZone>, "now()")) -> i32 {
    let expire = || -> Outcome<i32> {
        require_service("let matches expire")?;
        let now = auth::moment(p_now, true)?;
        with_owner(|| expire_all(now))
    };
    expire().or_raise()
}

/// What somebody has to do with a match.
struct Part {
    match_id: pgrx::Uuid,
    attendee_id: pgrx::Uuid,
    by_service: bool,
}

/// The attendees of a match, and which of them the caller is: both, where one person holds two.
const PART: &str = "
    SELECT a.id, a.profile_id IS NOT DISTINCT FROM $2 AND a.status <> 'cancelled'
      FROM convene.matches m
      JOIN convene.attendees a ON a.id IN (m.attendee_1_id, m.attendee_2_id)
     WHERE m.id = $1 ORDER BY a.id";

/// Who answers: the person themselves, or the service in the name of one of the two.
fn part(match_id: Option<pgrx::Uuid>, attendee_id: Option<pgrx::Uuid>) -> Outcome<Part> {
    let caller = auth::caller()?;
    let by_service = caller == Caller::Service;
    if caller == Caller::Anonymous {
        return Err(not_allowed("match"));
    }
    let match_id = required(match_id, "p_match_id")?;
    let both: Vec<(pgrx::Uuid, bool)> = with_owner(|| {
        db::read(PART, &[match_id.into(), caller.person().into()], |row| {
            Ok((row.want(1)?, row.want(2)?))
        })
    })?;
    if by_service {
        if both.is_empty() {
            return Err(not_found("match", match_id));
        }
        let attendee_id = required(attendee_id, "p_attendee_id")?;
        if !both.iter().any(|(id, _)| *id == attendee_id) {
            return invalid(
                format!("attendee {attendee_id} is not one of the two of match {match_id}"),
                "",
                "Pass attendee_1_id or attendee_2_id of the match.",
            );
        }
        return Ok(Part { match_id, attendee_id, by_service });
    }
    let own = both.iter().find(|(id, own)| *own && attendee_id.is_none_or(|asked| asked == *id));
    let (attendee_id, _) = own.ok_or_else(|| not_allowed("match"))?;
    Ok(Part { match_id, attendee_id: *attendee_id, by_service })
}

/// A meeting that is asked for along with the acceptance.
struct Wish {
    start: TimestampWithTimeZone,
    minutes: Option<i32>,
}

fn wish(
    schedule: Option<bool>,
    start: Option<TimestampWithTimeZone>,
    minutes: Option<i32>,
) -> Outcome<Option<Wish>> {
    if !required(schedule, "p_schedule_meeting")? {
        return Ok(None);
    }
    if let Some(minutes) = minutes.filter(|minutes| !(1..=MOST_MINUTES).contains(minutes)) {
        return invalid(
            format!("p_duration_minutes must be between 1 and {MOST_MINUTES}, not {minutes}"),
            "",
            "Pass a whole number of minutes, or leave it out for the person's preference.",
        );
    }
    Ok(Some(Wish { start: required(start, "p_preferred_time")?, minutes }))
}

/// A match under lock.
struct Locked {
    side: Side,
    status: Status,
    over: bool,
    /// The other side takes whatever comes.
    answered: bool,
    /// One of the two has blocked the other.
    blocked: bool,
}

const LOCK: &str = "
    SELECT 1 FROM convene.matches m WHERE m.id = $1 FOR NO KEY UPDATE";

/// After the lock, as another statement: what was committed while it was waited for is seen.
const LOOK: &str = "
    SELECT m.attendee_1_id = $2, m.status, m.expires_at <= $3,
           coalesce(n.auto_accept_matches AND n.networking_enabled, false)
             AND other.status NOT IN ('cancelled', 'no_show'),
           EXISTS (SELECT FROM convene.person_blocks b
                    WHERE (b.blocker_profile, b.blocked_profile) IN ((me.profile_id, other.profile_id),
                                                                     (other.profile_id, me.profile_id)))
      FROM convene.matches m
      JOIN convene.attendees me ON me.id = $2
      JOIN convene.attendees other
        ON other.id = CASE m.attendee_1_id WHEN $2 THEN m.attendee_2_id ELSE m.attendee_1_id END
      LEFT JOIN convene.networking_preferences n
        ON n.attendee_id = other.id AND n.event_id = m.event_id
     WHERE m.id = $1";

fn locked(part: &Part, now: TimestampWithTimeZone) -> Outcome<Locked> {
    db::write(LOCK, &[part.match_id.into()], |_| Ok(()))?;
    let arguments = [part.match_id.into(), part.attendee_id.into(), now.into()];
    let found = db::write(LOOK, &arguments, |row| {
        let status: String = row.want(2)?;
        Ok(Locked {
            side: if row.want(1)? { Side::First } else { Side::Second },
            status: Status::parse(&status).unwrap_or(Status::Declined),
            over: row.want(3)?,
            answered: row.want(4)?,
            blocked: row.want(5)?,
        })
    })?;
    // Gone between authorising and locking.
    let gone =
        || if part.by_service { not_found("match", part.match_id) } else { not_allowed("match") };
    found.into_iter().next().ok_or_else(gone)
}

/// Before any row: blocks, and whatever else is done with this match or its meetings, come before or after.
fn hold(part: &Part) -> Outcome<()> {
    const EVENT: &str = "SELECT m.event_id FROM convene.matches m WHERE m.id = $1";
    if let Some(event) = db::read_one(EVENT, &[part.match_id.into()], |row| row.want(1))? {
        store::hold(event)?;
    }
    hold_match(Some(part.match_id))
}

const SET: &str = "
    UPDATE convene.matches m SET status = $2, declined_by = $3 WHERE m.id = $1 AND m.status <> $2";

fn accept(part: &Part, wish: Option<Wish>, now: TimestampWithTimeZone) -> Outcome<pgrx::JsonB> {
    hold(part)?;
    let found = locked(part, now)?;
    let event = MatchEvent::Accept { by: found.side, answered: found.answered };
    // Whoever is blocked hears what somebody hears whose match was declined.
    let status =
        if found.blocked { Status::Declined } else { found.status }.after(event, found.over)?;
    let nobody: Option<pgrx::Uuid> = None;
    db::execute(SET, &[part.match_id.into(), status.name().into(), nobody.into()])?;
    let meeting = match wish {
        Some(wish) if status == Status::MutualAccepted => Some(propose(part, &wish, now)?),
        _ => None,
    };
    Ok(answer(part, status, meeting))
}

/// Asks the other side for a meeting, as long as the person likes them where nothing else is said.
fn propose(part: &Part, wish: &Wish, now: TimestampWithTimeZone) -> Outcome<pgrx::Uuid> {
    const PREFERENCE: &str = "
        SELECT n.meeting_duration_preference
          FROM convene.matches m
          JOIN convene.networking_preferences n ON n.attendee_id = $2 AND n.event_id = m.event_id
         WHERE m.id = $1";
    let minutes = if let Some(minutes) = wish.minutes {
        minutes
    } else {
        let arguments = [part.match_id.into(), part.attendee_id.into()];
        let likes: Option<i32> = db::read_one(PREFERENCE, &arguments, |row| row.want(1))?;
        likes.unwrap_or(USUAL_MINUTES).min(MOST_MINUTES)
    };
    meetings::propose(part.match_id, part.attendee_id, wish.start, minutes, now)
}

/// What is over stays as it was. Nobody is named, as a block names nobody: the two must not be told apart. Meetings
/// first, then their match: the order in which everybody locks them.
const CANCEL_MEETINGS: &str = "
    UPDATE convene.meetings g SET status = 'cancelled', cancelled_by = NULL
     WHERE g.match_id = $1 AND g.status IN ('proposed', 'scheduled', 'confirmed')
       AND g.scheduled_end > pg_catalog.now()";

fn decline(part: &Part) -> Outcome<pgrx::JsonB> {
    hold(part)?;
    db::execute(CANCEL_MEETINGS, &[part.match_id.into()])?;
    let now = pgrx::datum::datetime_support::transaction_timestamp();
    let found = locked(part, now)?;
    let status = found.status.after(MatchEvent::Decline, found.over)?;
    db::execute(SET, &[part.match_id.into(), status.name().into(), part.attendee_id.into()])?;
    Ok(answer(part, status, None))
}

fn answer(part: &Part, status: Status, meeting: Option<pgrx::Uuid>) -> pgrx::JsonB {
    pgrx::JsonB(json!({
        "match_id": part.match_id.to_string(),
        "attendee_id": part.attendee_id.to_string(),
        "status": status.name(),
        "meeting_id": meeting.map(|id| id.to_string()),
    }))
}

fn expire_all(now: TimestampWithTimeZone) -> Outcome<i32> {
    /// Rows of one statement.
    const BATCH: i32 = 10_000;
    const EXPIRE: &str = "
        UPDATE convene.matches m SET status = 'expired'
         WHERE m.id = ANY (ARRAY(
                 SELECT o.id FROM convene.matches o
                  WHERE o.status IN ('suggested', 'accepted_by_1', 'accepted_by_2') AND o.expires_at <= $1
                  LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED))";
    let mut expired = 0;
    loop {
        pgrx::check_for_interrupts!();
        let batch = db::execute(EXPIRE, &[now.into(), BATCH.into()])? as i32;
        expired += batch;
        if batch < BATCH {
            return Ok(expired);
        }
    }
}
