//! What is due at an event: prompts by the clock of its programme, ratings after meetings, and
//! whether people are still in touch a month later.

use std::collections::BTreeMap;

use convene_engine::conversation::{
    Band, Context, FOLLOW_UP_DAYS, Limits, MOST_ASKS, Phase, PromptTime, RATING_FROM, RATING_UNTIL,
    Verdict, now_in,
};
use pgrx::prelude::*;
use serde_json::json;

use super::{asking, limits, lock_people, places, working_moment};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, required};
use crate::moments::moment;
use crate::owner::{caller_is_service, require_service, with_owner};

/// Sends what is due at an event.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn dispatch_due_prompts(
    p_event_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    dispatch(p_event_id, p_now).or_raise()
}

fn dispatch(
    event_id: Option<pgrx::Uuid>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let by_service = caller_is_service()?;
    let event = auth::managed_event(event_id)?;
    let now = working_moment(now, by_service)?;
    with_owner(|| {
        let limits = limits()?;
        let people = db::write(PEOPLE, &[event.into()], |row| row.want::<pgrx::Uuid>(1))?;
        lock_people(&people)?;
        let lapsed = lapse(event, now)?;
        if !is_over(event, now)? {
            ask_in_slots(event, now, &limits)?;
        }
        ask_for_ratings(event, now)?;
        ask_whether_in_touch(event, now)?;
        let outgoing = asking::promote(&people, now, &limits)?;
        let mut queued: BTreeMap<&str, usize> = BTreeMap::new();
        let mut waiting = 0;
        for one in &outgoing {
            match one.verdict {
                Verdict::Ask(phase) => *queued.entry(phase.name()).or_default() += 1,
                Verdict::Wait(..) => waiting += 1,
                Verdict::Cancel(_) => {}
            }
        }
        Ok(pgrx::JsonB(json!({
            "event_id": event.to_string(),
            "queued": queued.values().sum::<usize>(),
            "by_kind": queued,
            "waiting": waiting,
            "lapsed": lapsed,
        })))
    })
}

/// Whoever is at the event, or still has a message about it.
const PEOPLE: &str = "
    SELECT a.contractor_id FROM convene.event_attendees a WHERE a.event_id = $1
    UNION
    SELECT m.contractor_id FROM convene.peer_messages m
     WHERE m.event_id = $1 AND m.status = 'waiting' AND m.contractor_id IS NOT NULL
    ORDER BY 1";

fn is_over(event: pgrx::Uuid, now: i64) -> Outcome<bool> {
    const OVER: &str = "
        SELECT e.status = 'cancelled'
            OR $2 >= coalesce(e.end_at, (SELECT pg_catalog.max(s.end_time) FROM convene.sessions s WHERE s.event_id = e.id), 'infinity')
          FROM convene.events e WHERE e.id = $1";
    let over = db::write(OVER, &[event.into(), moment(now).into()], |row| row.want(1))?;
    Ok(over.first() != Some(&false))
}

/// After the end of the event nothing is asked that belongs to it, and a yes that nothing came of is
/// none any more; how many of these there were.
fn lapse(event: pgrx::Uuid, now: i64) -> Outcome<usize> {
    const CLOSE: &str = "
        UPDATE convene.peer_messages m
           SET closed_at = $2, status = CASE m.status WHEN 'waiting' THEN 'cancelled' ELSE m.status END
         WHERE m.event_id = $1 AND m.direction = 'out' AND m.closed_at IS NULL
           AND m.kind IN ('introduction', 'arrival', 'break', 'lunch', 'networking')
           AND m.status IN ('waiting', 'queued', 'sent')";
    const LAPSE: &str = "
        UPDATE convene.event_peer_matches p
           SET contractor1_response = nullif(p.contractor1_response, true),
               contractor2_response = nullif(p.contractor2_response, true)
         WHERE p.event_id = $1 AND p.contacts_exchanged_at IS NULL
           AND (p.contractor1_response OR p.contractor2_response)";
    if !is_over(event, now)? {
        return Ok(0);
    }
    db::execute(CLOSE, &[event.into(), moment(now).into()])?;
    db::execute(LAPSE, &[event.into()])
}

/// Puts in line whom this moment is for: the best matches of those who have checked in, and in a
/// slot the matches that it is meant for. One of each person, and none of those who could not be
/// asked now anyway.
fn ask_in_slots(event: pgrx::Uuid, now: i64, limits: &Limits) -> Outcome<()> {
    let times = places::of_events(&[event])?.remove(&event).unwrap_or_default();
    let open = now_in(&times, now, now).open;
    let arriving = open.is_some_and(|slot| slot.context == Context::Arrival);
    let at_check_in = if arriving { Phase::Arrival } else { Phase::Introduction };
    put_in_line(
        event,
        now,
        limits,
        &Choice {
            band: Band::at_check_in(),
            checked_in: true,
            since: i64::MIN,
            phase: at_check_in,
            first: at_check_in,
        },
    )?;
    let Some((slot, band)) = open.and_then(|slot| Some((slot, Band::of(slot)?))) else {
        return Ok(());
    };
    put_in_line(event, now, limits, &in_slot(slot, band))
}

/// The people and matches that a moment is for.
struct Choice {
    band: Band,
    /// Only of people who have checked in, and who were not asked about it yet.
    checked_in: bool,
    /// Nobody who was asked about the match, or wanted to be left alone, since then.
    since: i64,
    /// The text.
    phase: Phase,
    /// The text where the match is new to the person.
    first: Phase,
}

fn in_slot(slot: &PromptTime, band: Band) -> Choice {
    let phase = slot.context.phase();
    // The text of a break is short: it speaks of somebody who was introduced before.
    let first = if phase == Phase::Break { Phase::Introduction } else { phase };
    Choice { band, checked_in: false, since: slot.at, phase, first }
}

const PUT_IN_LINE: &str = "
    INSERT INTO convene.peer_messages
           (event_id, contractor_id, match_id, direction, kind, status, due_at, created_at)
    SELECT DISTINCT ON (x.me) p.event_id, x.me, p.id, 'out',
           CASE WHEN h.asked = 0 THEN $8 ELSE $7 END, 'waiting', $2, $2
      FROM convene.event_peer_matches p
      CROSS JOIN LATERAL (VALUES (p.contractor1_id, p.contractor2_id, p.contractor1_response, p.contractor2_response),
                                 (p.contractor2_id, p.contractor1_id, p.contractor2_response, p.contractor1_response))
                         x (me, peer, mine, theirs)
      JOIN convene.event_attendees a ON a.event_id = p.event_id AND a.contractor_id = x.me AND convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id)
      JOIN convene.event_attendees b ON b.event_id = p.event_id AND b.contractor_id = x.peer AND convene_private.takes_part(b.peer_matching_opt_in, b.attendee_id)
      JOIN convene.contractors c ON c.id = x.me AND c.messages_stopped_at IS NULL
      JOIN convene.contractors d ON d.id = x.peer AND d.messages_stopped_at IS NULL
      CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE m.status <> 'cancelled')::int AS asked,
               coalesce(pg_catalog.bool_or(m.status = 'waiting' OR m.queued_at >= $6), false) AS now
          FROM convene.peer_messages m
         WHERE m.contractor_id = x.me AND m.match_id = p.id
           AND m.kind IN ('introduction', 'arrival', 'break', 'lunch', 'networking')) h
     WHERE p.event_id = $1 AND x.mine IS NULL AND x.theirs IS DISTINCT FROM false AND p.contacts_exchanged_at IS NULL
       AND p.match_score::float8 >= $3 AND p.match_score::float8 < $4
       AND (NOT $5 OR (a.checked_in_at <= $2 AND h.asked = 0))
       AND NOT h.now AND h.asked < $9
       AND coalesce(a.muted_until, '-infinity') <= $2
       AND NOT EXISTS (SELECT FROM convene.person_blocks k
                        WHERE (k.blocker_profile, k.blocked_profile) IN ((c.profile_id, d.profile_id), (d.profile_id, c.profile_id)))
       AND NOT EXISTS (
         SELECT FROM convene.peer_messages m
          WHERE m.contractor_id = x.me
            AND ((m.status = 'waiting' AND coalesce(m.due_at, $2) <= $2)
                 OR (m.answer = 'skip' AND m.closed_at >= $6)
                 OR (m.is_prompt AND m.status IN ('queued', 'sent')
                     AND (greatest(m.queued_at, m.sent_at) > $2 - pg_catalog.make_interval(secs => $10)
                          OR (m.closed_at IS NULL AND m.queued_at > $2 - pg_catalog.make_interval(secs => $11))))))
       AND (h.asked > 0
            OR (SELECT count(*) FROM convene.peer_messages m
                 WHERE m.contractor_id = x.me AND m.event_id = p.event_id
                   AND m.introduction_no IS NOT NULL AND m.status <> 'cancelled') < $12)
     ORDER BY x.me, x.theirs IS TRUE DESC, p.match_score DESC, p.id";

fn put_in_line(event: pgrx::Uuid, now: i64, limits: &Limits, choice: &Choice) -> Outcome<()> {
    let since = if choice.since == i64::MIN {
        TimestampWithTimeZone::positive_infinity()
    } else {
        moment(choice.since)
    };
    db::execute(
        PUT_IN_LINE,
        &[
            event.into(),
            moment(now).into(),
            choice.band.from.into(),
            choice.band.below.into(),
            choice.checked_in.into(),
            since.into(),
            choice.phase.name().into(),
            choice.first.name().into(),
            MOST_ASKS.into(),
            (limits.gap as f64 / 1e6).into(),
            (limits.patience as f64 / 1e6).into(),
            i64::from(limits.introductions).into(),
        ],
    )?;
    Ok(())
}

/// When two people met: the time that was arranged, or else when they got each other's contacts. A
/// time that no day can be added to is none: one of them would keep the whole event from being asked.
macro_rules! met_sql {
    () => {
        "CASE WHEN (p.connection_made OR p.meeting_scheduled) AND p.meeting_time < '10000-01-01 00:00:00+00'::timestamptz THEN p.meeting_time
              ELSE p.contacts_exchanged_at END"
    };
}

/// Asks for a rating two hours after a meeting; three hours after it, it is too late to begin.
fn ask_for_ratings(event: pgrx::Uuid, now: i64) -> Outcome<()> {
    const ASK: &str = concat!(
        "INSERT INTO convene.peer_messages
                (event_id, contractor_id, match_id, direction, kind, status, due_at, created_at)
         SELECT p.event_id, x.me, p.id, 'out', 'rating_request', 'waiting', met.at + pg_catalog.make_interval(secs => $3), $2
           FROM convene.event_peer_matches p
           CROSS JOIN LATERAL (SELECT ",
        met_sql!(),
        " AS at) met
           CROSS JOIN LATERAL (VALUES (p.contractor1_id, p.rating_contractor1), (p.contractor2_id, p.rating_contractor2)) x (me, given)
           JOIN convene.event_attendees a ON a.event_id = p.event_id AND a.contractor_id = x.me AND convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id)
           JOIN convene.contractors c ON c.id = x.me AND c.messages_stopped_at IS NULL
          WHERE p.event_id = $1 AND x.given IS NULL
            AND $2 >= met.at + pg_catalog.make_interval(secs => $3) AND $2 <= met.at + pg_catalog.make_interval(secs => $4)
            AND NOT EXISTS (SELECT FROM convene.peer_messages m
                             WHERE m.match_id = p.id AND m.contractor_id = x.me
                               AND m.kind = 'rating_request' AND m.status <> 'cancelled')
          ORDER BY x.me, p.id"
    );
    let seconds = |micros: i64| micros as f64 / 1e6;
    let arguments = [
        event.into(),
        moment(now).into(),
        seconds(RATING_FROM).into(),
        seconds(RATING_UNTIL).into(),
    ];
    db::execute(ASK, &arguments)?;
    Ok(())
}

/// Who is to be asked whether they are still in touch: at the last of the marks that has passed,
/// unless they were asked at it or after it, or have said that they are not.
macro_rules! follow_up_sql {
    () => {
        concat!(
            "SELECT p.event_id, p.id AS match_id, x.me, mark.days, met.at + pg_catalog.make_interval(days => mark.days) AS due
               FROM convene.event_peer_matches p
               CROSS JOIN LATERAL (SELECT ",
            met_sql!(),
            " AS at) met
               CROSS JOIN LATERAL (VALUES (p.contractor1_id), (p.contractor2_id)) x (me)
               CROSS JOIN LATERAL (
                 SELECT pg_catalog.max(d) AS days FROM unnest($2::int[]) d
                  WHERE met.at + pg_catalog.make_interval(days => d) <= $1) mark
               JOIN convene.events e ON e.id = p.event_id AND e.status <> 'cancelled'
               JOIN convene.event_attendees a ON a.event_id = p.event_id AND a.contractor_id = x.me AND convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id)
               JOIN convene.contractors c ON c.id = x.me AND c.messages_stopped_at IS NULL
              WHERE (p.contacts_exchanged_at IS NOT NULL OR p.connection_made)
                AND $1 < met.at + pg_catalog.make_interval(days => mark.days + 30)
                AND NOT EXISTS (SELECT FROM convene.peer_messages m
                                 WHERE m.match_id = p.id AND m.contractor_id = x.me AND m.kind = 'follow_up'
                                   AND m.status <> 'cancelled' AND (m.follow_up_days >= mark.days OR m.answer = 'no'))"
        )
    };
}

fn ask_whether_in_touch(event: pgrx::Uuid, now: i64) -> Outcome<()> {
    const ASK: &str = concat!(
        "INSERT INTO convene.peer_messages
                (event_id, contractor_id, match_id, direction, kind, status, due_at, created_at, follow_up_days)
         SELECT f.event_id, f.me, f.match_id, 'out', 'follow_up', 'waiting', f.due, $1, f.days
           FROM (",
        follow_up_sql!(),
        ") f WHERE f.event_id = $3 ORDER BY f.me, f.match_id"
    );
    db::execute(ASK, &[moment(now).into(), FOLLOW_UP_DAYS.to_vec().into(), event.into()])?;
    Ok(())
}

/// Whom to ask whether they are still in touch, and how many were of those who answered.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn follow_up_due(
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(event_id, pgrx::Uuid),
        name!(match_id, pgrx::Uuid),
        name!(contractor_id, pgrx::Uuid),
        name!(days, i32),
        name!(due_at, TimestampWithTimeZone),
        name!(follow_up_rate, Option<f64>),
    ),
> {
    TableIterator::new(due(p_now).or_raise())
}

type Due = (pgrx::Uuid, pgrx::Uuid, pgrx::Uuid, i32, TimestampWithTimeZone, Option<f64>);

fn due(now: Option<TimestampWithTimeZone>) -> Outcome<Vec<Due>> {
    const DUE: &str = concat!(
        "SELECT f.event_id, f.match_id, f.me, f.days, f.due, r.rate FROM (",
        follow_up_sql!(),
        ") f
           LEFT JOIN LATERAL (
             SELECT (count(*) FILTER (WHERE m.answer = 'yes'))::float8 / nullif(count(*), 0) AS rate
               FROM convene.peer_messages m
              WHERE m.event_id = f.event_id AND m.kind = 'follow_up' AND m.answer IN ('yes', 'no')) r ON true
          ORDER BY f.due, f.match_id, f.me"
    );
    require_service("see who is to be asked whether they are still in touch")?;
    let now = working_moment(Some(required(now, "p_now")?), true)?;
    with_owner(|| {
        db::read(DUE, &[moment(now).into(), FOLLOW_UP_DAYS.to_vec().into()], |row| {
            Ok((row.want(1)?, row.want(2)?, row.want(3)?, row.want(4)?, row.want(5)?, row.get(6)?))
        })
    })
}
