//! Whether a person has time, and why not.

use convene_engine::scheduling::Span;
use convene_engine::scheduling::free::{Calendar, Obstacle};
use pgrx::prelude::*;

use super::calendars::{self, Look, Person, local, windows_sql};
use super::moments::{finite, now as moment_of_now};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::{caller_is_service, with_owner};
use crate::programme::{micros, moment};

/// Whether an attendee has time for a meeting.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn check_meeting_availability(
    p_attendee_id: Option<pgrx::Uuid>,
    p_start_time: Option<TimestampWithTimeZone>,
    p_end_time: Option<TimestampWithTimeZone>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> bool {
    check(p_attendee_id, p_start_time, p_end_time, p_now).or_raise()
}

/// Everything at once, authorisation included: this is asked for every slot that a page shows. Row 1: the attendee, if
/// the caller may ask. Only bookings that touch the time are read, by the index that keeps them apart.
const CHECK: &str = concat!(
    "SELECT a.status <> 'cancelled'
            AND NOT EXISTS (SELECT FROM convene.meeting_bookings b
                             WHERE b.person_id = coalesce(a.profile_id, a.id) AND b.active AND b.during && tstzrange($2, $3)
                               AND (b.held_until IS NULL OR b.held_until > $4)),
            n.max_meetings_per_day,
            CASE WHEN n.max_meetings_per_day > 0 THEN
              (SELECT (c.meetings - (SELECT count(*) FROM convene.meeting_bookings h
                                      WHERE h.person_id = c.person_id AND h.held_until <= $4 AND h.day = c.day))::int
                 FROM convene.meeting_day_counts c
                WHERE c.person_id = coalesce(a.profile_id, a.id)
                  AND c.day = ($2 AT TIME ZONE (SELECT e.time_zone FROM convene.events e WHERE e.id = a.event_id))::date) END,
            w.starts, w.ends
       FROM convene.attendees a
       LEFT JOIN convene.networking_preferences n ON n.attendee_id = a.id AND n.event_id = a.event_id
       LEFT JOIN LATERAL (
         SELECT u.starts, u.ends FROM convene.events e CROSS JOIN LATERAL ",
    windows_sql!("n.availability_slots", "e.time_zone"),
    " u WHERE e.id = a.event_id) w ON n.availability_slots <> '[]'
      WHERE a.id = $1
        AND ($5 OR (a.profile_id = $6 AND a.status <> 'cancelled')
             OR a.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))"
);

fn check(
    attendee_id: Option<pgrx::Uuid>,
    start: Option<TimestampWithTimeZone>,
    end: Option<TimestampWithTimeZone>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<bool> {
    let caller = auth::caller()?;
    let by_service = caller_is_service()?;
    if caller == auth::Caller::Anonymous {
        return Err(not_allowed("attendee"));
    }
    let id = required(attendee_id, "p_attendee_id")?;
    // Who may not ask hears that before anything about the values.
    let idle = (moment_of_now(), moment_of_now());
    let arguments =
        start.zip(end).filter(|(from, until)| micros(*from) < micros(*until)).unwrap_or(idle);
    let moment = now.unwrap_or(idle.0);
    let found = with_owner(|| {
        db::read_one(
            CHECK,
            &[
                id.into(),
                arguments.0.into(),
                arguments.1.into(),
                moment.into(),
                by_service.into(),
                caller.person().into(),
            ],
            |row| {
                let starts = row.get::<Vec<TimestampWithTimeZone>>(4)?;
                let ends = row.get::<Vec<TimestampWithTimeZone>>(5)?.unwrap_or_default();
                let windows = starts.map(|starts| {
                    starts.into_iter().map(micros).zip(ends.into_iter().map(micros)).collect()
                });
                Ok((row.want::<bool>(1)?, row.get::<i32>(2)?, row.get::<i32>(3)?, windows))
            },
        )
    })?;
    let Some((undisturbed, cap, had, windows)) = found else {
        return Err(if by_service { not_found("attendee", id) } else { not_allowed("attendee") });
    };
    let wanted = span(start, end)?;
    required(now, "p_now")?;
    let is_full = cap.is_some_and(|cap| had.unwrap_or(0) >= cap);
    let full = if is_full { vec![wanted] } else { vec![] };
    Ok(undisturbed && Calendar { busy: vec![], windows, full }.is_free(wanted.0, wanted.1))
}

/// A time that has a beginning and an end after it.
pub fn span(
    start: Option<TimestampWithTimeZone>,
    end: Option<TimestampWithTimeZone>,
) -> Outcome<Span> {
    let start = finite(start, "p_start_time")?;
    let end = finite(end, "p_end_time")?;
    if micros(start) < micros(end) {
        return Ok((micros(start), micros(end)));
    }
    invalid(
        format!(
            "p_end_time {} is not after p_start_time {}",
            end.to_iso_string(),
            start.to_iso_string()
        ),
        "",
        "Pass the earlier moment as p_start_time.",
    )
}

type Row = (
    String,
    String,
    Option<pgrx::Uuid>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
);

/// Why an attendee has no time, a row per reason.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn meeting_conflicts(
    p_attendee_id: Option<pgrx::Uuid>,
    p_start_time: Option<TimestampWithTimeZone>,
    p_end_time: Option<TimestampWithTimeZone>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(conflict, String),
        name!(explanation, String),
        name!(meeting_id, Option<pgrx::Uuid>),
        name!(starts_at, Option<TimestampWithTimeZone>),
        name!(ends_at, Option<TimestampWithTimeZone>),
    ),
> {
    TableIterator::new(conflicts(p_attendee_id, p_start_time, p_end_time, p_now).or_raise())
}

fn conflicts(
    attendee_id: Option<pgrx::Uuid>,
    start: Option<TimestampWithTimeZone>,
    end: Option<TimestampWithTimeZone>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<Row>> {
    let attendee = auth::attendee(attendee_id)?;
    let wanted = span(start, end)?;
    let now = required(now, "p_now")?;
    let caller = auth::caller()?;
    with_owner(|| {
        let look = Look { within: wanted, now, except: None, sessions: false };
        let people = calendars::read(&[attendee.id], &look)?;
        let mut rows = vec![];
        for person in &people {
            // Of what somebody does at other events an organizer learns that it takes time, and no more.
            let knows = attendee.by_service
                || (caller.person().is_some() && person.profile_id == caller.person());
            if !person.attends {
                let gone = "The registration was cancelled.".to_owned();
                rows.push(("not_attending".to_owned(), gone, None, None, None));
            }
            for obstacle in person.calendar.obstacles(wanted.0, wanted.1) {
                rows.push(explained(person, obstacle, wanted, attendee.event_id, knows)?);
            }
        }
        Ok(rows)
    })
}

fn explained(
    person: &Person,
    obstacle: Obstacle,
    wanted: Span,
    event_id: pgrx::Uuid,
    knows: bool,
) -> Outcome<Row> {
    let zone = &person.time_zone;
    let clock = |at: i64| local(at, zone, "YYYY-MM-DD HH24:MI");
    Ok(match obstacle {
        Obstacle::Busy(at) => {
            let (from, until) = person.calendar.busy[at];
            let booking = person.bookings.get(at);
            let meeting = booking.filter(|b| knows || b.event_id == event_id).map(|b| b.meeting_id);
            let held = booking.is_some_and(|b| b.held);
            let what = if held { "A proposal holds" } else { "A meeting takes" };
            (
                if held { "hold" } else { "meeting" }.to_owned(),
                format!("{what} {} to {} ({zone}).", clock(from)?, clock(until)?),
                meeting,
                Some(moment(from)),
                Some(moment(until)),
            )
        }
        Obstacle::Outside => (
            "outside_availability".to_owned(),
            format!("{} is not within the times that they gave.", clock(wanted.0)?),
            None,
            None,
            None,
        ),
        Obstacle::FullDay => (
            "day_is_full".to_owned(),
            format!(
                "They take {} meetings a day, and {} has them.",
                person.cap.unwrap_or_default(),
                local(wanted.0, zone, "YYYY-MM-DD")?
            ),
            None,
            None,
            None,
        ),
    })
}
