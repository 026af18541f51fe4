//! Whether a person has time, and why not.

use convene_engine::scheduling::Span;
use convene_engine::scheduling::free::{Calendar, Obstacle};
use pgrx::datum::Date;
use pgrx::prelude::*;

use super::calendars::{self, ALWAYS, Look, Person, local, windows_sql};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, required};
use crate::moments::{DAY, finite, micros, moment, now as moment_of_now};
use crate::owner::with_owner;

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
/// others only for those whom their own words could keep. Bookings of a person are apart, so the first that ends
/// after the beginning is the only one that can be in the way.
const CHECK: &str = "
    SELECT a.event_id, a.profile_id, a.status <> 'cancelled',
           CASE WHEN (SELECT lower(b.during) < $3 FROM convene.meeting_bookings b
                       WHERE b.person_id = coalesce(a.profile_id, a.id) AND b.active AND upper(b.during) > $2
                         AND (b.held_until IS NULL OR b.held_until > $4)
                       ORDER BY upper(b.during) LIMIT 1) THEN -1
                ELSE (SELECT CASE WHEN n.availability_slots = '[]' THEN n.max_meetings_per_day ELSE 0 END
                        FROM convene.networking_preferences n WHERE n.attendee_id = a.id) END
      FROM convene.attendees a
     WHERE a.id = $1";

/// An attendee as far as the time that was asked about is concerned.
struct Asked {
    event_id: pgrx::Uuid,
    profile_id: Option<pgrx::Uuid>,
    attends: bool,
    time: Time,
}

/// What takes an attendee's time.
enum Time {
    /// A meeting, or a hold.
    Busy,
    /// No meeting; but a day takes no more than so many: none, without a closer look, for those who said when they
    /// have time.
    Limited(i32),
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
        let asked = asked(id, (from, until), moment)?;
        let asked = asked.ok_or_else(|| caller.refuse("attendee", id))?;
        let own = asked.attends && caller.person().is_some() && asked.profile_id == caller.person();
        if !caller.is_service() && !own && !managed(asked.event_id)? {
            return Err(caller.refuse("attendee", id));
        }
        let wanted = span(start, end)?;
        required(now, "p_now")?;
        Ok(asked.attends
            && match asked.time {
                Time::Busy => false,
                Time::Limited(cap) => {
                    !may_be_full(asked.profile_id.unwrap_or(id), from, cap)?
                        || limits(id, from, moment)?.is_free(wanted.0, wanted.1)
                }
                Time::Free => true,
            })
    })
}

fn asked(
    id: pgrx::Uuid,
    (from, until): (TimestampWithTimeZone, TimestampWithTimeZone),
    now: TimestampWithTimeZone,
) -> Outcome<Option<Asked>> {
    db::read_one(CHECK, &[id.into(), from.into(), until.into(), now.into()], |row| {
        Ok(Asked {
            event_id: row.want(1)?,
            profile_id: row.get(2)?,
            attends: row.want(3)?,
            time: match row.get::<i32>(4)? {
                Some(-1) => Time::Busy,
                Some(cap) => Time::Limited(cap),
                None => Time::Free,
            },
        })
    })
}

/// Whether a day that could be the one, whatever the time zone, takes no more.
fn may_be_full(person: pgrx::Uuid, from: TimestampWithTimeZone, cap: i32) -> Outcome<bool> {
    const FULL: &str = "
        SELECT 1 FROM convene.meeting_day_counts c
         WHERE c.person_id = $1 AND c.day BETWEEN $2 AND $3 AND c.meetings >= $4";
    let (first, last) = days_around(from);
    let arguments = [person.into(), first.into(), last.into(), cap.into()];
    Ok(cap == 0 || !db::read(FULL, &arguments, |_| Ok(()))?.is_empty())
}

/// The days beside the one of a moment in UTC: they and what lies between hold its day in every zone.
fn days_around(at: TimestampWithTimeZone) -> (Date, Date) {
    let day = micros(at).div_euclid(DAY) as i32; // An eight-byte count of microseconds has few enough days.
    (Date::saturating_from_raw(day - 1), Date::saturating_from_raw(day + 1))
}

fn managed(event_id: pgrx::Uuid) -> Outcome<bool> {
    const MANAGED: &str =
        "SELECT 1 WHERE $1 = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))";
    Ok(!db::read(MANAGED, &[event_id.into()], |_| Ok(()))?.is_empty())
}

/// What somebody said of their time, as a calendar that is empty otherwise. Expired holds stay in the counts of days
/// until the person's next booking, so they are taken off.
fn limits(
    attendee_id: pgrx::Uuid,
    from: TimestampWithTimeZone,
    now: TimestampWithTimeZone,
) -> Outcome<Calendar> {
    const LIMITS: &str = concat!(
        "SELECT n.availability_slots <> '[]', w.starts, w.ends,
                n.max_meetings_per_day = 0 OR c.meetings - (
                  SELECT count(*) FROM convene.meeting_bookings h
                   WHERE h.person_id = c.person_id AND h.held_until <= $3 AND h.day = c.day) >= n.max_meetings_per_day
           FROM convene.networking_preferences n
           JOIN convene.attendees a ON a.id = n.attendee_id
           JOIN convene.events e ON e.id = n.event_id
          CROSS JOIN LATERAL ",
        windows_sql!("n.availability_slots", "e.time_zone"),
        " w
           LEFT JOIN convene.meeting_day_counts c
             ON c.person_id = coalesce(a.profile_id, a.id) AND c.day = ($2 AT TIME ZONE e.time_zone)::date
          WHERE n.attendee_id = $1"
    );
    let found = db::read_one(LIMITS, &[attendee_id.into(), from.into(), now.into()], |row| {
        let windows = if row.want(1)? { Some(calendars::spans(row, 2)?) } else { None };
        let is_full: bool = row.get(4)?.unwrap_or(false);
        Ok(Calendar { busy: vec![], windows, full: if is_full { vec![ALWAYS] } else { vec![] } })
    })?;
    Ok(found.unwrap_or_default())
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
