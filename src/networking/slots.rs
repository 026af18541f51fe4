//! Times that two people have in common.

use convene_engine::scheduling::free::{Calendar, common_slots};
use convene_engine::scheduling::life::DURATION;
use convene_engine::scheduling::{MINUTE, Span};
use pgrx::prelude::*;

use super::calendars::{self, Look};
use super::party::arrangeable;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required, within};
use crate::moments::{DAY, finite, micros, moment};
use crate::owner::with_owner;

/// The most slots of an answer.
const MOST: i32 = 200;
/// The longest time looked at, in microseconds: a month.
const LONGEST: i64 = 31 * DAY;

/// Times when two attendees could meet.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn find_meeting_slots(
    p_attendee_1: Option<pgrx::Uuid>,
    p_attendee_2: Option<pgrx::Uuid>,
    p_duration_minutes: default!(Option<i32>, "NULL"),
    p_from: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_to: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_limit: default!(Option<i32>, "10"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(start_time, TimestampWithTimeZone),
        name!(end_time, TimestampWithTimeZone),
        name!(in_break, bool),
    ),
> {
    let people = (p_attendee_1, p_attendee_2);
    let found = slots(people, p_duration_minutes, (p_from, p_to), p_limit, p_now).or_raise();
    TableIterator::new(found)
}

type Row = (TimestampWithTimeZone, TimestampWithTimeZone, bool);

fn slots(
    (one, two): (Option<pgrx::Uuid>, Option<pgrx::Uuid>),
    minutes: Option<i32>,
    (from, to): (Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>),
    limit: Option<i32>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<Row>> {
    let pair = arrangeable(one, two, ("p_attendee_1", "p_attendee_2"), false)?;
    let most = within(limit, 1, MOST, "p_limit")?;
    let now = finite(now, "p_now")?;
    if let Some(minutes) = minutes {
        within(Some(minutes), DURATION.0, DURATION.1, "p_duration_minutes")?;
    }
    if pair.require_possible().is_err() {
        return Ok(vec![]);
    }
    let ids = [required(one, "p_attendee_1")?, required(two, "p_attendee_2")?];
    with_owner(|| {
        let Some(within) = bounds(pair.event_id, (from, to), now)? else { return Ok(vec![]) };
        let look = Look { within, now, except: None, sessions: true };
        let people = calendars::read(&ids, &look)?;
        // Nobody has to stay longer than they like.
        let liked = people.iter().map(|p| p.likes_minutes.min(DURATION.1)).min().unwrap_or(15);
        let length = i64::from(minutes.unwrap_or(liked)) * MINUTE;
        let breaks = breaks(pair.event_id, within)?;
        let calendars: Vec<Calendar> = people.into_iter().map(|p| p.calendar).collect();
        let found = common_slots(&calendars, within, length, &breaks, most);
        Ok(found.into_iter().map(|s| (moment(s.start), moment(s.end), s.in_break)).collect())
    })
}

/// What is looked at: from now or the beginning of the event to its end, unless said otherwise; none: it is over.
fn bounds(
    event_id: pgrx::Uuid,
    (from, to): (Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>),
    now: TimestampWithTimeZone,
) -> Outcome<Option<Span>> {
    const EVENT: &str = "SELECT e.start_at, e.end_at FROM convene.events e WHERE e.id = $1";
    let event = db::read_one(EVENT, &[event_id.into()], |row| {
        Ok((
            row.get::<TimestampWithTimeZone>(1)?.map(micros),
            row.get::<TimestampWithTimeZone>(2)?.map(micros),
        ))
    })?;
    let (start, end) = event.unwrap_or_default();
    let given = (
        from.map(|at| finite(Some(at), "p_from")).transpose()?.map(micros),
        to.map(|at| finite(Some(at), "p_to")).transpose()?.map(micros),
    );
    let now = micros(now);
    let first = given.0.unwrap_or_else(|| start.unwrap_or(now));
    // An event that says nothing of its end is taken to last a day.
    let last = given.1.unwrap_or_else(|| end.unwrap_or(first.saturating_add(DAY)));
    if first >= last && given.0.or(given.1).is_some() {
        return invalid(
            format!(
                "p_to {} is not after p_from {}",
                moment(last).to_iso_string(),
                moment(first).to_iso_string()
            ),
            "What is left out is the beginning of the event, or its end.",
            "Pass the earlier moment as p_from.",
        );
    }
    let first = first.max(now);
    let last = last.min(first.saturating_add(LONGEST));
    Ok((first < last).then_some((first, last)))
}

/// When the programme leaves time to meet. Runs as the owner of the data.
pub fn breaks(event_id: pgrx::Uuid, within: Span) -> Outcome<Vec<Span>> {
    const BREAKS: &str = "
        SELECT s.start_time, s.end_time FROM convene.sessions s
         WHERE s.event_id = $1 AND s.session_type IN ('break', 'lunch', 'networking')
           AND s.status NOT IN ('cancelled', 'postponed') AND s.start_time < $3 AND s.end_time > $2";
    db::read(BREAKS, &[event_id.into(), moment(within.0).into(), moment(within.1).into()], |row| {
        Ok((micros(row.want(1)?), micros(row.want(2)?)))
    })
}
