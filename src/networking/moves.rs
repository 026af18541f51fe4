//! What is done with a meeting until it is over: confirmed, moved, cancelled, completed.

use convene_engine::Error;
use convene_engine::scheduling::life::{Act, Status, lapses_at};
use pgrx::prelude::*;
use serde_json::json;

use super::calendars;
use super::meetings::{ahead, open_proposals};
use super::party::{self, Hindrance, Party, Side, party};
use super::retry::retryable;
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, not_allowed, required};
use crate::moments::{micros, moment};
use crate::owner::{require_service, with_owner};

fn answer(party: &Party, status: Status) -> pgrx::JsonB {
    pgrx::JsonB(json!({
        "meeting_id": party.id.to_string(), "status": status.word(),
        "scheduled_start": moment(party.span.0).to_iso_string(),
        "scheduled_end": moment(party.span.1).to_iso_string(),
    }))
}

/// The moment a writer works at, judged after the caller was.
fn at(party: &Party, now: Option<TimestampWithTimeZone>) -> Outcome<TimestampWithTimeZone> {
    auth::moment(now, party.by_service)
}

/// Refuses what must not come about between the two, in words that say nothing of why: one of them blocked the other,
/// or took the match back.
fn require_together(party: &Party) -> Outcome<()> {
    let pair = party::pair(party.attendees.0, party.attendees.1, Caller::Service)?
        .ok_or_else(|| not_allowed("meeting"))?;
    match party.side {
        Side::Of(_)
            if !pair.is_mutual()
                && (pair.hindrance == Some(Hindrance::Blocked) || pair.matched.is_some()) =>
        {
            Err(not_allowed("meeting"))
        }
        Side::Of(_) | Side::Above => pair.require_possible(),
    }
}

/// Says yes to a proposal, or to a meeting that was set or moved.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn confirm_meeting(
    p_meeting_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    confirm(p_meeting_id, p_now).or_raise()
}

fn confirm(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    let asked = party(id, now)?;
    let now = at(&asked, now)?;
    retryable(|| {
        with_owner(|| {
            let party = asked.locked(now)?;
            let status = party.status.after(Act::Confirm, party.begun(now))?;
            require_together(&party)?;
            if party.status == Status::Proposed {
                if party.side == party.proposed_by.map_or(Side::Above, Side::Of) {
                    return Err(Failure(Error::WrongState {
                        message: "this proposal waits for the other side".into(),
                        detail: "Whoever proposed a meeting has said yes to it.".into(),
                        hint: "Wait, or move or cancel it.".into(),
                    }));
                }
                require_free(&party, party.span, now)?;
            }
            // A set meeting that an organizer confirms is not confirmed by the two.
            let status =
                if party.side == Side::Above { keep(party.status, status) } else { status };
            set(&party, status)?;
            Ok(answer(&party, status))
        })
    })
}

/// What an organizer's yes makes: a proposal becomes a meeting that is set, the rest stays.
fn keep(was: Status, becomes: Status) -> Status {
    match was {
        Status::Proposed | Status::Scheduled => Status::Scheduled,
        _ => becomes,
    }
}

fn require_free(party: &Party, wanted: (i64, i64), now: TimestampWithTimeZone) -> Outcome<()> {
    let both = [party.attendees.0, party.attendees.1];
    let asks = match party.side {
        Side::Of(attendee) => Some(attendee),
        Side::Above => None,
    };
    calendars::require_free(&calendars::around(&both, wanted, now, Some(party.id))?, wanted, asks)
}

fn set(party: &Party, status: Status) -> Outcome<()> {
    const SET: &str = "UPDATE convene.meetings SET status = $2 WHERE id = $1 AND status <> $2";
    db::execute(SET, &[party.id.into(), status.word().into()])?;
    Ok(())
}

/// Moves a meeting.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn reschedule_meeting(
    p_meeting_id: Option<pgrx::Uuid>,
    p_start_time: Option<TimestampWithTimeZone>,
    p_duration_minutes: default!(Option<i32>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    reschedule(p_meeting_id, p_start_time, p_duration_minutes, p_now).or_raise()
}

const MOVE: &str = "
    UPDATE convene.meetings
       SET scheduled_start = $2, scheduled_end = $3, status = $4, proposed_by = $5, expires_at = $6
     WHERE id = $1";

fn reschedule(
    id: Option<pgrx::Uuid>,
    start: Option<TimestampWithTimeZone>,
    minutes: Option<i32>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let asked = party(id, now)?;
    let now = at(&asked, now)?;
    let as_long = (asked.span.1 - asked.span.0) / convene_engine::scheduling::MINUTE;
    let minutes = minutes.unwrap_or_else(|| as_long.clamp(1, 480) as i32);
    let span = ahead(start, Some(minutes), "p_start_time", now)?;
    retryable(|| {
        with_owner(|| {
            let party = asked.locked(now)?;
            let becomes = party.status.after(Act::Move, party.begun(now))?;
            require_together(&party)?;
            if party.span == span {
                return Ok(answer(&party, party.status));
            }
            // Whoever moves a proposal proposes; the other one is asked.
            let (by, until) = match (becomes, party.side) {
                (Status::Proposed, Side::Of(mover)) => {
                    if party.proposed_by != Some(mover) {
                        open_proposals(party.other(mover), Some(party.id), now)?;
                    }
                    (Some(mover), Some(moment(lapses_at(micros(now), span.0))))
                }
                (Status::Proposed, Side::Above) => {
                    (party.proposed_by, Some(moment(lapses_at(micros(now), span.0))))
                }
                _ => (party.proposed_by, None),
            };
            require_free(&party, span, now)?;
            db::execute(
                MOVE,
                &[
                    party.id.into(),
                    moment(span.0).into(),
                    moment(span.1).into(),
                    becomes.word().into(),
                    by.into(),
                    until.into(),
                ],
            )?;
            Ok(answer(&Party { span, ..party }, becomes))
        })
    })
}

/// Calls a meeting off, or declines a proposal.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn cancel_meeting(
    p_meeting_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    cancel(p_meeting_id, p_now).or_raise()
}

fn cancel(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    const CANCEL: &str = "
        UPDATE convene.meetings SET status = 'cancelled', cancelled_by = $2, cancelled_at = $3
         WHERE id = $1 AND status <> 'cancelled'";
    let asked = party(id, now)?;
    let now = at(&asked, now)?;
    retryable(|| {
        with_owner(|| {
            let party = asked.locked(now)?;
            let status = party.status.after(Act::Cancel, party.begun(now))?;
            let by = match party.side {
                Side::Of(attendee) => Some(attendee),
                Side::Above => None,
            };
            db::execute(CANCEL, &[party.id.into(), by.into(), now.into()])?;
            Ok(answer(&party, status))
        })
    })
}

/// Notes that a meeting took place, or that somebody did not come.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn complete_meeting(
    p_meeting_id: Option<pgrx::Uuid>,
    p_no_show: default!(Option<bool>, "false"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    complete(p_meeting_id, p_no_show, p_now).or_raise()
}

fn complete(
    id: Option<pgrx::Uuid>,
    no_show: Option<bool>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    const COMPLETE: &str = "
        UPDATE convene.meetings SET status = $2, completed_at = CASE $2 WHEN 'completed' THEN $3 END
         WHERE id = $1 AND status <> $2";
    let asked = party(id, now)?;
    let now = at(&asked, now)?;
    let act = if required(no_show, "p_no_show")? { Act::Miss } else { Act::Complete };
    retryable(|| {
        with_owner(|| {
            let party = asked.locked(now)?;
            let status = party.status.after(act, party.begun(now))?;
            db::execute(COMPLETE, &[party.id.into(), status.word().into(), now.into()])?;
            Ok(answer(&party, status))
        })
    })
}

/// Ends the proposals that nobody answered in time.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn lapse_meeting_proposals(p_now: default!(Option<TimestampWithTimeZone>, "now()")) -> i64 {
    lapse(p_now).or_raise()
}

/// Those that somebody is answering are left to them: the answer refuses what has lapsed.
fn lapse(now: Option<TimestampWithTimeZone>) -> Outcome<i64> {
    const LAPSED: &str = "
        SELECT g.id, g.match_id FROM convene.meetings g
         WHERE g.status = 'proposed' AND g.expires_at <= $1 ORDER BY g.id FOR NO KEY UPDATE SKIP LOCKED";
    const END: &str = "
        UPDATE convene.meetings SET status = 'cancelled', cancelled_at = $2
         WHERE id = ANY ($1) AND status = 'proposed' AND expires_at <= $2";
    require_service("end proposals")?;
    let now = required(now, "p_now")?;
    retryable(|| {
        with_owner(|| {
            let ids = db::write(LAPSED, &[now.into()], |row| row.want::<pgrx::Uuid>(1))?;
            if ids.is_empty() {
                return Ok(0);
            }
            Ok(db::execute(END, &[ids.into(), now.into()])? as i64)
        })
    })
}
