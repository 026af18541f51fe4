//! What takes people's time, read for the engine in one query.

use convene_engine::Error;
use convene_engine::scheduling::Span;
use convene_engine::scheduling::free::{Calendar, Obstacle, next_free};
use pgrx::prelude::*;

use crate::db::{self, Row};
use crate::error::{Failure, Outcome};
use crate::moments::{DAY, micros, moment};

/// How far ahead a hint looks for a free time, in microseconds.
const HINT_AHEAD: i64 = 14 * DAY;

/// All time there is.
pub const ALWAYS: Span = (i64::MIN, i64::MAX);

/// Local windows of an attendee as moments; the zone is that of the event. An end that is not after its start is on
/// the next day; a window that the clocks skip is none.
macro_rules! windows_sql {
    ($slots:literal, $zone:literal) => {
        concat!(
            "(SELECT coalesce(pg_catalog.array_agg(v.starts), '{}') AS starts,
                     coalesce(pg_catalog.array_agg(v.ends), '{}') AS ends
                FROM (SELECT (s.date + s.start) AT TIME ZONE ",
            $zone,
            " AS starts,
                       (s.date + CASE WHEN s.\"end\" <= s.start THEN 1 ELSE 0 END + s.\"end\") AT TIME ZONE ",
            $zone,
            " AS ends
                        FROM pg_catalog.jsonb_to_recordset(",
            $slots,
            ") AS s(date date, start time, \"end\" time)) v)"
        )
    };
}
pub(super) use windows_sql;

/// $1 attendees, $2 and $3 the time looked at, $4 now, $5 a meeting that does not count, $6 whether chosen sessions
/// take time, too. Expired holds stay in the counts of days until the person's next booking, so they are taken off.
const CALENDARS: &str = concat!(
    "SELECT i.n, a.status <> 'cancelled', e.time_zone, n.max_meetings_per_day,
            coalesce(n.meeting_duration_preference, 15),
            b.starts, b.ends, b.meetings, b.events, b.held,
            n.availability_slots <> '[]', w.starts, w.ends, d.starts, d.ends, s.starts, s.ends,
            coalesce(a.full_name, 'somebody'), a.profile_id
       FROM pg_catalog.unnest($1::uuid[]) WITH ORDINALITY i(id, n)
       JOIN convene.attendees a ON a.id = i.id
       JOIN convene.events e ON e.id = a.event_id
       LEFT JOIN convene.networking_preferences n ON n.attendee_id = a.id AND n.event_id = a.event_id
      CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(lower(b.during)) AS starts, pg_catalog.array_agg(upper(b.during)) AS ends,
               pg_catalog.array_agg(b.meeting_id) AS meetings, pg_catalog.array_agg(b.event_id) AS events,
               pg_catalog.array_agg(b.held_until IS NOT NULL) AS held
          FROM (SELECT * FROM convene.meeting_bookings b
                 WHERE b.person_id = coalesce(a.profile_id, a.id) AND b.active AND b.during && tstzrange($2, $3)
                   AND (b.held_until IS NULL OR b.held_until > $4) AND b.meeting_id IS DISTINCT FROM $5
                 ORDER BY lower(b.during), b.meeting_id) b) b
      CROSS JOIN LATERAL ",
    windows_sql!("coalesce(n.availability_slots, '[]')", "e.time_zone"),
    " w
      CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(c.day::timestamp AT TIME ZONE e.time_zone) AS starts,
               pg_catalog.array_agg((c.day + 1)::timestamp AT TIME ZONE e.time_zone) AS ends
          FROM convene.meeting_day_counts c
         WHERE c.person_id = coalesce(a.profile_id, a.id)
           AND c.day BETWEEN ($2 AT TIME ZONE e.time_zone)::date AND ($3 AT TIME ZONE e.time_zone)::date
           AND c.meetings - (SELECT count(*) FROM convene.meeting_bookings h
                              WHERE h.person_id = c.person_id AND h.day = c.day
                                AND (h.held_until <= $4 OR h.meeting_id = $5)) >= n.max_meetings_per_day) d
      CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(s.start_time) AS starts, pg_catalog.array_agg(s.end_time) AS ends
          FROM convene.sessions s
         WHERE $6 AND s.event_id = a.event_id AND s.status NOT IN ('cancelled', 'postponed')
           AND s.start_time < $3 AND s.end_time > $2
           AND (EXISTS (SELECT FROM convene.session_interactions x
                         WHERE x.attendee_id = a.id AND x.session_id = s.id AND x.kind = 'bookmarked')
                OR EXISTS (SELECT FROM convene.session_registrations r
                            WHERE r.attendee_id = a.id AND r.session_id = s.id
                              AND (r.status IN ('registered', 'attended')
                                   OR (r.status = 'held' AND r.hold_expires_at > $4))))) s
      ORDER BY i.n"
);

/// A booking that takes a person's time.
#[derive(Clone, Copy, Debug)]
pub struct Booking {
    /// Of which meeting.
    pub meeting_id: pgrx::Uuid,
    /// Of which event: a person is in one place, whatever the event.
    pub event_id: pgrx::Uuid,
    /// Whether it is only a proposal's hold.
    pub held: bool,
}

/// One person's time.
#[derive(Debug)]
pub struct Person {
    /// The attendee.
    pub id: pgrx::Uuid,
    /// Whether the registration stands.
    pub attends: bool,
    /// The zone of the event.
    pub time_zone: String,
    /// The most meetings on a day; none: no limit.
    pub cap: Option<i32>,
    /// How long they like meetings to be, in minutes.
    pub likes_minutes: i32,
    /// What the engine looks at.
    pub calendar: Calendar,
    /// What the first entries of `calendar.busy` are; the others are sessions.
    pub bookings: Vec<Booking>,
    /// What others call them.
    pub name: String,
    /// Who they are.
    pub profile_id: Option<pgrx::Uuid>,
}

/// What is looked at.
pub struct Look {
    /// The time.
    pub within: Span,
    /// Now.
    pub now: TimestampWithTimeZone,
    /// A meeting that does not count: the one that is being moved or confirmed.
    pub except: Option<pgrx::Uuid>,
    /// Whether bookmarked and registered sessions take time.
    pub sessions: bool,
}

/// What two columns of arrays say: beginnings, and the ends to them.
pub fn spans(row: &Row<'_>, from: usize) -> Outcome<Vec<Span>> {
    let starts = row.get::<Vec<TimestampWithTimeZone>>(from)?.unwrap_or_default();
    let ends = row.get::<Vec<TimestampWithTimeZone>>(from + 1)?.unwrap_or_default();
    Ok(starts.into_iter().map(micros).zip(ends.into_iter().map(micros)).collect())
}

fn person(row: &Row<'_>, ids: &[pgrx::Uuid]) -> Outcome<Person> {
    let cap = row.get::<i32>(4)?;
    let mut calendar = Calendar { busy: spans(row, 6)?, windows: None, full: spans(row, 14)? };
    if row.get::<bool>(11)? == Some(true) {
        calendar.windows = Some(spans(row, 12)?);
    }
    if cap == Some(0) {
        calendar.full = vec![ALWAYS];
    }
    calendar.busy.extend(spans(row, 16)?);
    let meetings = row.get::<Vec<pgrx::Uuid>>(8)?.unwrap_or_default();
    let events = row.get::<Vec<pgrx::Uuid>>(9)?.unwrap_or_default();
    let held = row.get::<Vec<bool>>(10)?.unwrap_or_default();
    let bookings = meetings.into_iter().zip(events).zip(held);
    Ok(Person {
        id: ids[(row.want::<i64>(1)? - 1) as usize],
        attends: row.want(2)?,
        time_zone: row.want(3)?,
        cap,
        likes_minutes: row.want(5)?,
        calendar,
        bookings: bookings
            .map(|((meeting_id, event_id), held)| Booking { meeting_id, event_id, held })
            .collect(),
        name: row.want(18)?,
        profile_id: row.get(19)?,
    })
}

/// The time of some attendees, in the order of their ids; those that do not exist are left out. Runs as the owner of
/// the data. After a lock was taken, it sees what was there when the lock came.
pub fn read(ids: &[pgrx::Uuid], look: &Look) -> Outcome<Vec<Person>> {
    db::read_by_keys(
        ids.len(),
        CALENDARS,
        &[
            ids.to_vec().into(),
            moment(look.within.0).into(),
            moment(look.within.1).into(),
            look.now.into(),
            look.except.into(),
            look.sessions.into(),
        ],
        |row| person(row, ids),
    )
}

/// As [`read`], for a time and what follows it, so that a refusal can name the next free time.
pub fn around(
    ids: &[pgrx::Uuid],
    wanted: Span,
    now: TimestampWithTimeZone,
    except: Option<pgrx::Uuid>,
) -> Outcome<Vec<Person>> {
    let within = (wanted.0, wanted.1.saturating_add(HINT_AHEAD));
    read(ids, &Look { within, now, except, sessions: false })
}

/// A moment in a zone, as people write it.
pub fn local(at: i64, time_zone: &str, format: &'static str) -> Outcome<String> {
    const LOCAL: &str = "SELECT pg_catalog.to_char($1 AT TIME ZONE $2, $3)";
    let text =
        db::read_one(LOCAL, &[moment(at).into(), time_zone.into(), format.into()], |r| r.want(1))?;
    Ok(text.unwrap_or_default())
}

const DAY_AND_TIME: &str = "YYYY-MM-DD HH24:MI";

/// Refuses a time that does not suit one of them, naming the slot and the next one that suits all. `asks` is the one of
/// them who is calling, and learns why only where it is their own time; none: somebody who may know. Runs as the owner of
/// the data.
pub fn require_free(people: &[Person], wanted: Span, asks: Option<pgrx::Uuid>) -> Outcome<()> {
    let first = |person: &Person| person.calendar.obstacles(wanted.0, wanted.1).first().copied();
    let Some((person, obstacle)) =
        people.iter().find_map(|person| first(person).map(|obstacle| (person, obstacle)))
    else {
        return Ok(());
    };
    let calendars: Vec<Calendar> = people.iter().map(|p| p.calendar.clone()).collect();
    let within = (wanted.0, wanted.1.saturating_add(HINT_AHEAD));
    let zone = &person.time_zone;
    let hint = match next_free(&calendars, within, wanted.1 - wanted.0) {
        Some(at) => format!(
            "The next time that suits both begins at {} ({zone}).",
            local(at, zone, DAY_AND_TIME)?
        ),
        None => "Nothing that long suits both in the two weeks that follow.".to_owned(),
    };
    let told =
        |why: String| if asks.is_none_or(|asks| asks == person.id) { why } else { String::new() };
    Err(Failure(match obstacle {
        Obstacle::FullDay => Error::WrongState {
            message: format!(
                "attendee {} takes no more meetings on {}",
                person.id,
                local(wanted.0, zone, "YYYY-MM-DD")?
            ),
            detail: told(format!(
                "Their max_meetings_per_day is {}.",
                person.cap.unwrap_or_default()
            )),
            hint,
        },
        Obstacle::Busy(_) | Obstacle::Outside => Error::Clash {
            message: format!(
                "attendee {} is not free from {} to {} ({zone})",
                person.id,
                local(wanted.0, zone, DAY_AND_TIME)?,
                local(wanted.1, zone, "HH24:MI")?
            ),
            detail: told(match obstacle {
                Obstacle::Outside => "It is not within the times that they gave.".into(),
                _ => "Another meeting takes a part of that time, or the hold of a proposal does."
                    .into(),
            }),
            hint,
        },
    }))
}
