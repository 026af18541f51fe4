//! Whether a person has time, and why not.

use convene_engine::scheduling::Span;
use convene_engine::scheduling::free::{Calendar, Obstacle};
use pgrx::prelude::*;

use super::calendars::{self, Look, Person, local, windows_sql};
use super::moments::{finite, now as moment_of_now};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, required};
use crate::owner::with_owner;
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

/// This is asked for every slot that a page shows, and most of what it costs is to set a query up: so a small one, and
/// others only for those who said when they have time. Bookings of a person are apart, so the first that ends after the
/// beginning is the only one that can be in the way.
const CHECK: &str = "
    SELECT a.event_id, coalesce(a.profile_id, a.id), coalesce(a.profile_id = $5 AND a.status <> 'cancelled', false),
           n.max_meetings_per_day, n.availability_slots <> '[]',
           CASE WHEN a.status = 'cancelled'
                  OR (SELECT lower(b.during) < $3 FROM convene.meeting_bookings b
                       WHERE b.person_id = coalesce(a.profile_id, a.id) AND b.active AND upper(b.during) > $2
                         AND (b.held_until IS NULL OR b.held_until > $4)
                       ORDER BY upper(b.during) LIMIT 1) THEN 'busy'
                WHEN n.max_meetings_per_day = 0
                  OR (n.max_meetings_per_day > 0
                      AND EXISTS (SELECT FROM convene.meeting_day_counts c
                                   WHERE c.person_id = coalesce(a.profile_id, a.id) AND c.meetings >= n.max_meetings_per_day
                                     AND c.day BETWEEN ($2 AT TIME ZONE 'UTC')::date - 1 AND ($2 AT TIME ZONE 'UTC')::date + 1))
                THEN 'perhaps full' ELSE 'free' END
      FROM convene.attendees a
      LEFT JOIN convene.networking_preferences n ON n.attendee_id = a.id AND n.event_id = a.event_id
     WHERE a.id = $1";

/// An attendee as far as the time that was asked about is concerned.
struct Asked {
    event_id: pgrx::Uuid,
    person_id: pgrx::Uuid,
    own: bool,
    time: Time,
    cap: Option<i32>,
    has_windows: bool,
}

/// What takes an attendee's time, apart from when they said that they have any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    /// A meeting, a hold, or they do not attend.
    Busy,
    /// Nothing, but a day that could be the one, whatever the time zone, is full.
    PerhapsFull,
    /// Nothing.
    Free,
}

fn check(
    attendee_id: Option<pgrx::Uuid>,
    start: Option<TimestampWithTimeZone>,
    end: Option<TimestampWithTimeZone>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<bool> {
    let caller = auth::caller()?;
    if caller == auth::Caller::Anonymous {
        return Err(not_allowed("attendee"));
    }
    let id = required(attendee_id, "p_attendee_id")?;
    with_owner(|| {
        // Who may not ask hears that before anything about the values.
        let idle = moment_of_now();
        let times = start.zip(end).filter(|(from, until)| micros(*from) < micros(*until));
        let (from, until) = times.unwrap_or((idle, idle));
        let moment = now.unwrap_or(idle);
        let arguments =
            [id.into(), from.into(), until.into(), moment.into(), caller.person().into()];
        let asked = db::read_one(CHECK, &arguments, |row| {
            Ok(Asked {
                event_id: row.want(1)?,
                person_id: row.want(2)?,
                own: row.want(3)?,
                cap: row.get(4)?,
                has_windows: row.get(5)?.unwrap_or(false),
                time: match row.want::<String>(6)?.as_str() {
                    "free" => Time::Free,
                    "perhaps full" => Time::PerhapsFull,
                    _ => Time::Busy,
                },
            })
        })?;
        let asked = asked.ok_or_else(|| caller.refuse("attendee", id))?;
        if !caller.is_service() && !asked.own && !managed(asked.event_id)? {
            return Err(caller.refuse("attendee", id));
        }
        let wanted = span(start, end)?;
        required(now, "p_now")?;
        Ok(asked.time != Time::Busy
            && !is_full(&asked, from, moment)?
            && (!asked.has_windows || windows(id)?.is_free(wanted.0, wanted.1)))
    })
}

fn managed(event_id: pgrx::Uuid) -> Outcome<bool> {
    const MANAGED: &str =
        "SELECT 1 WHERE $1 = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))";
    Ok(!db::read(MANAGED, &[event_id.into()], |_| Ok(()))?.is_empty())
}

/// Whether the day takes no more. Expired holds stay in the counts of days until the person's next booking, so they are
/// taken off.
fn is_full(
    asked: &Asked,
    from: TimestampWithTimeZone,
    moment: TimestampWithTimeZone,
) -> Outcome<bool> {
    const HAD: &str = "
        SELECT (c.meetings - (SELECT count(*) FROM convene.meeting_bookings h
                               WHERE h.person_id = c.person_id AND h.held_until <= $4 AND h.day = c.day))::int
          FROM convene.events e
          JOIN convene.meeting_day_counts c ON c.person_id = $1 AND c.day = ($3 AT TIME ZONE e.time_zone)::date
         WHERE e.id = $2";
    let Some(cap) = asked.cap.filter(|_| asked.time == Time::PerhapsFull) else { return Ok(false) };
    if cap == 0 {
        return Ok(true);
    }
    let arguments = [asked.person_id.into(), asked.event_id.into(), from.into(), moment.into()];
    let had = db::read_one(HAD, &arguments, |row| row.want::<i32>(1))?;
    Ok(had.unwrap_or(0) >= cap)
}

/// The times that somebody gave, as a calendar that is empty otherwise.
fn windows(attendee_id: pgrx::Uuid) -> Outcome<Calendar> {
    const WINDOWS: &str = concat!(
        "SELECT u.starts, u.ends
           FROM convene.networking_preferences n
           JOIN convene.events e ON e.id = n.event_id
          CROSS JOIN LATERAL ",
        windows_sql!("n.availability_slots", "e.time_zone"),
        " u WHERE n.attendee_id = $1"
    );
    let found = db::read_one(WINDOWS, &[attendee_id.into()], |row| {
        let starts: Vec<TimestampWithTimeZone> = row.want(1)?;
        let ends: Vec<TimestampWithTimeZone> = row.want(2)?;
        Ok(starts.into_iter().map(micros).zip(ends.into_iter().map(micros)).collect())
    })?;
    Ok(Calendar { busy: vec![], windows: found, full: vec![] })
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
