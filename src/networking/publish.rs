//! A draft becomes meetings: all of it, or what is still possible.

use std::collections::{HashMap, HashSet};

use convene_engine::Error;
use convene_engine::scheduling::Span;
use convene_engine::scheduling::free::Obstacle;
use convene_engine::scheduling::rules::Rules;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::arranged;
use super::calendars::{self, Look};
use super::party::lock_all;
use super::plan;
use super::retry::retryable;
use crate::auth::{self, Caller};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, not_allowed, not_found, required};
use crate::moments::{micros, moment};
use crate::owner::with_owner;

/// Makes the meetings of a draft.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn publish_meeting_schedule(
    p_draft_id: Option<pgrx::Uuid>,
    p_only_unbooked: default!(Option<bool>, "false"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    publish(p_draft_id, p_only_unbooked, p_now).or_raise()
}

/// Puts a draft away.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn discard_meeting_schedule(p_draft_id: Option<pgrx::Uuid>) -> pgrx::JsonB {
    discard(p_draft_id).or_raise()
}

/// The draft, if the caller manages its event or is the service.
fn managed(id: Option<pgrx::Uuid>) -> Outcome<(pgrx::Uuid, Caller)> {
    const MANAGED: &str = "
        SELECT 1 FROM convene.meeting_schedule_drafts d
         WHERE d.id = $1 AND ($2 OR d.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))";
    let caller = auth::caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("schedule"));
    }
    let id = required(id, "p_draft_id")?;
    let by_service = caller == Caller::Service;
    let found = with_owner(|| db::read(MANAGED, &[id.into(), by_service.into()], |_| Ok(())))?;
    match (found.is_empty(), by_service) {
        (false, _) => Ok((id, caller)),
        (true, true) => Err(not_found("schedule", id)),
        (true, false) => Err(not_allowed("schedule")),
    }
}

/// Keeps answers, bookings and blocks of the event out until the transaction ends: there are too many matches to hold
/// each by itself.
fn hold_event(id: pgrx::Uuid) -> Outcome<()> {
    const HOLD: &str = "
        SELECT convene_private.hold_networking(ARRAY[d.event_id], true)::text
          FROM convene.meeting_schedule_drafts d WHERE d.id = $1";
    db::write(HOLD, &[id.into()], |_| Ok(()))?;
    Ok(())
}

/// The status of a draft that nobody else can change until the transaction ends, and what its publishing reported.
fn locked(id: pgrx::Uuid) -> Outcome<(String, Option<pgrx::JsonB>)> {
    const LOCKED: &str = "
        SELECT d.status, d.report -> 'published' FROM convene.meeting_schedule_drafts d WHERE d.id = $1 FOR UPDATE";
    let found = db::write(LOCKED, &[id.into()], |row| Ok((row.want(1)?, row.get(2)?)))?;
    found.into_iter().next().ok_or_else(|| not_allowed("schedule"))
}

fn wrong_state(status: &str, what: &str) -> Failure {
    Failure(Error::WrongState {
        message: format!("a schedule that is {status} cannot be {what}"),
        detail: String::new(),
        hint: "Make a new one with schedule_event_meetings().".into(),
    })
}

fn discard(id: Option<pgrx::Uuid>) -> Outcome<pgrx::JsonB> {
    const DISCARD: &str = "UPDATE convene.meeting_schedule_drafts SET status = 'discarded' WHERE id = $1 AND status = 'draft'";
    let (id, _) = managed(id)?;
    with_owner(|| {
        let (status, _) = locked(id)?;
        if status == "published" {
            return Err(wrong_state(&status, "discarded"));
        }
        db::execute(DISCARD, &[id.into()])?;
        Ok(pgrx::JsonB(json!({ "draft_id": id.to_string(), "status": "discarded" })))
    })
}

/// A meeting of a draft, as things stand now.
struct Planned {
    at: i64,
    match_id: Option<pgrx::Uuid>,
    attendees: (pgrx::Uuid, pgrx::Uuid),
    span: Span,
    day: i32,
    room: Option<String>,
    table: Option<String>,
    /// Why it cannot be, apart from time.
    against: Option<String>,
}

const PLANNED: &str = "
    SELECT x.n, x.match_id, x.attendee_1, x.attendee_2, x.start, x.\"end\",
           (x.start AT TIME ZONE e.time_zone)::date - '2000-01-01'::date, x.room, x.\"table\",
           CASE WHEN e.status = 'cancelled' THEN 'the event was cancelled'
                WHEN x.start <= $2 THEN 'its time has passed'
                WHEN a.id IS NULL OR b.id IS NULL THEN 'one of the two does not attend any more'
                WHEN x.match_id IS NOT NULL AND m.id IS NULL THEN 'their match does not stand any more'
                WHEN x.match_id IS NOT NULL AND EXISTS (
                       SELECT FROM convene.networking_preferences n
                        WHERE n.attendee_id IN (a.id, b.id) AND n.event_id = d.event_id AND NOT n.networking_enabled)
                THEN 'one of the two takes no part any more'
                WHEN EXISTS (SELECT FROM convene.person_blocks k
                              WHERE (k.blocker_profile = a.profile_id AND k.blocked_profile = b.profile_id)
                                 OR (k.blocker_profile = b.profile_id AND k.blocked_profile = a.profile_id))
                THEN 'these two cannot be brought together'
                WHEN EXISTS (SELECT FROM convene.meetings g
                              WHERE (g.attendee_1_id, g.attendee_2_id) IN ((x.attendee_1, x.attendee_2), (x.attendee_2, x.attendee_1))
                                AND (g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
                                     OR (g.status = 'proposed' AND g.expires_at > $2)))
                THEN 'the two have arranged a meeting'
                WHEN EXISTS (SELECT FROM convene.meeting_places p
                              WHERE p.event_id = d.event_id AND p.during && tstzrange(x.start, x.\"end\")
                                AND p.place = lower(btrim(btrim(coalesce(x.room, '')) || ' / ' || x.\"table\", ' /')))
                THEN 'the table is taken' END
      FROM convene.meeting_schedule_drafts d
      JOIN convene.events e ON e.id = d.event_id
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.jsonb_to_recordset(d.meetings) AS (match_id uuid, attendee_1 uuid,
            attendee_2 uuid, start timestamptz, \"end\" timestamptz, room text, \"table\" text)) WITH ORDINALITY
            x(match_id, attendee_1, attendee_2, start, \"end\", room, \"table\", n)
      LEFT JOIN convene.attendees a ON a.id = x.attendee_1 AND a.status <> 'cancelled'
      LEFT JOIN convene.attendees b ON b.id = x.attendee_2 AND b.status <> 'cancelled'
      LEFT JOIN convene.matches m ON m.id = x.match_id AND m.status = 'mutual_accepted'
     WHERE d.id = $1 ORDER BY x.n";

fn planned(id: pgrx::Uuid, now: TimestampWithTimeZone) -> Outcome<Vec<Planned>> {
    db::write(PLANNED, &[id.into(), now.into()], |row| {
        Ok(Planned {
            at: row.want(1)?,
            match_id: row.get(2)?,
            attendees: (row.want(3)?, row.want(4)?),
            span: (micros(row.want(5)?), micros(row.want(6)?)),
            day: row.want(7)?,
            room: row.get(8)?,
            table: row.get(9)?,
            against: row.get(10)?,
        })
    })
}

fn publish(
    id: Option<pgrx::Uuid>,
    only_unbooked: Option<bool>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    const PUBLISHED: &str = "
        UPDATE convene.meeting_schedule_drafts
           SET status = 'published', published_at = $2, report = report || pg_catalog.jsonb_build_object('published', $3::jsonb)
         WHERE id = $1";
    let (id, caller) = managed(id)?;
    let now = auth::moment(now, caller == Caller::Service)?;
    let only_unbooked = required(only_unbooked, "p_only_unbooked")?;
    retryable(|| {
        with_owner(|| {
            hold_event(id)?;
            match locked(id)? {
                (status, Some(before)) if status == "published" => return Ok(before),
                (status, _) if status != "draft" => return Err(wrong_state(&status, "published")),
                _ => {}
            }
            let meetings = standing(id, now)?;
            if !only_unbooked {
                refuse_what_cannot_be(&meetings)?;
            }
            let (possible, not): (Vec<_>, Vec<_>) =
                meetings.into_iter().partition(|m| m.against.is_none());
            insert(id, &possible)?;
            let skipped: Vec<Value> = (not.iter())
                .map(|m| json!({ "match_id": m.match_id.map(|id| id.to_string()), "reason": m.against }))
                .collect();
            let told = json!({
                "draft_id": id.to_string(), "status": "published", "meetings": possible.len(), "skipped": skipped,
            });
            db::execute(PUBLISHED, &[id.into(), now.into(), pgrx::JsonB(told.clone()).into()])?;
            Ok(pgrx::JsonB(told))
        })
    })
}

/// The meetings of a draft with what speaks against each, everybody in them locked: matches, then people, in the order
/// that everybody keeps to.
fn standing(id: pgrx::Uuid, now: TimestampWithTimeZone) -> Outcome<Vec<Planned>> {
    const MATCHES: &str =
        "SELECT 1 FROM convene.matches m WHERE m.id = ANY ($1) ORDER BY m.id FOR NO KEY UPDATE";
    let before = planned(id, now)?;
    let rules = rules(id)?;
    let companions = arranged::companions(&rules, known);
    let matches: Vec<pgrx::Uuid> = before.iter().filter_map(|m| m.match_id).collect();
    let mut ids: Vec<pgrx::Uuid> =
        before.iter().flat_map(|m| [m.attendees.0, m.attendees.1]).collect();
    ids.extend(companions.values().flatten());
    ids.sort_unstable();
    ids.dedup();
    db::write(MATCHES, &[matches.into()], |_| Ok(()))?;
    lock_all(&ids)?;
    let mut meetings = planned(id, now)?;
    let spent = arranged::spent(&rules, known, now)?;
    for meeting in meetings.iter_mut().filter(|m| m.against.is_none()) {
        if spent.contains(&arranged::sorted(meeting.attendees)) {
            meeting.against = Some("another pair of its set meets".to_owned());
        }
    }
    judge_time(&mut meetings, &ids, &companions, now)?;
    Ok(meetings)
}

/// The rules that a draft was made by.
fn rules(id: pgrx::Uuid) -> Outcome<Rules> {
    const RULES: &str = "
        SELECT d.parameters -> 'rules' FROM convene.meeting_schedule_drafts d WHERE d.id = $1";
    let rules = db::read_one(RULES, &[id.into()], |row| row.get::<Document>(1))?.flatten();
    match rules {
        Some(rules) => Ok(Rules::parse(&rules.parse("the rules of the draft")?)?),
        None => Ok(Rules::default()),
    }
}

/// Rules name attendees by their ids.
fn known(id: &str) -> Option<pgrx::Uuid> {
    uuid::Uuid::parse_str(id).ok().map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()))
}

/// What was free when the draft was made may be taken since, by one of the two or by an earlier meeting of the draft.
fn judge_time(
    meetings: &mut [Planned],
    ids: &[pgrx::Uuid],
    companions: &HashMap<pgrx::Uuid, Vec<pgrx::Uuid>>,
    now: TimestampWithTimeZone,
) -> Outcome<()> {
    let bounds = (
        meetings.iter().map(|m| m.span.0).min().unwrap_or(0),
        meetings.iter().map(|m| m.span.1).max().unwrap_or(1),
    );
    let mut days: Vec<i32> = meetings.iter().map(|m| m.day).collect();
    days.sort_unstable();
    days.dedup();
    let look = Look { within: bounds, now, except: None, sessions: false };
    let people = calendars::read(ids, &look)?;
    let known: Vec<pgrx::Uuid> = people.iter().map(|p| p.id).collect();
    let had = plan::had(&known, &days, now)?;
    let mut rooms: HashMap<(pgrx::Uuid, i32), u32> = HashMap::new();
    let mut calendar = HashMap::new();
    for (person, had) in people.into_iter().zip(&had) {
        for (day, room) in days.iter().zip(plan::rooms(person.cap, had)) {
            rooms.insert((person.id, *day), room);
        }
        calendar.insert(person.id, person.calendar);
    }
    let mut places: HashSet<(i64, Option<String>, String)> = HashSet::new();
    for meeting in meetings.iter_mut().filter(|m| m.against.is_none()) {
        let both = [meeting.attendees.0, meeting.attendees.1];
        // Whoever represents others is where these are.
        let there = |id: &pgrx::Uuid| companions.get(id).cloned().unwrap_or_else(|| vec![*id]);
        let mut bodies: Vec<pgrx::Uuid> = both.iter().flat_map(there).collect();
        bodies.retain(|id| both.contains(id) || calendar.contains_key(id));
        let busy = bodies.iter().any(|id| {
            let against = calendar.get(id).map(|c| c.obstacles(meeting.span.0, meeting.span.1));
            against.is_none_or(|found| found.iter().any(|o| *o != Obstacle::FullDay))
        });
        let full =
            both.iter().any(|id| rooms.get(&(*id, meeting.day)).is_none_or(|room| *room == 0));
        let taken = (meeting.table.clone())
            .is_some_and(|t| !places.insert((meeting.span.0, meeting.room.clone(), t)));
        meeting.against = match (busy, full, taken) {
            (true, _, _) => Some("one of the two is not free any more".to_owned()),
            (_, true, _) => Some("the day of one of the two is full".to_owned()),
            (_, _, true) => Some("the table is taken".to_owned()),
            _ => None,
        };
        if meeting.against.is_none() {
            for id in &bodies {
                if let Some(calendar) = calendar.get_mut(id) {
                    calendar.busy.push(meeting.span);
                }
            }
            for id in both {
                rooms.entry((id, meeting.day)).and_modify(|room| *room -= 1);
            }
        }
    }
    Ok(())
}

fn refuse_what_cannot_be(meetings: &[Planned]) -> Outcome<()> {
    let not: Vec<&Planned> = meetings.iter().filter(|m| m.against.is_some()).collect();
    let Some(first) = not.first() else { return Ok(()) };
    Err(Failure(Error::Clash {
        message: format!(
            "meeting {} of the schedule, at {}, cannot take place: {}",
            first.at,
            moment(first.span.0).to_iso_string(),
            first.against.as_deref().unwrap_or_default()
        ),
        detail: format!("{} of {} meetings cannot.", not.len(), meetings.len()),
        hint: "Publish the others with p_only_unbooked => true, or make a new schedule.".into(),
    }))
}

const INSERT: &str = "
    INSERT INTO convene.meetings (event_id, match_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end,
           location_type, location_details)
    SELECT d.event_id, x.match_id, x.one, x.two,
           coalesce(nullif(a.full_name, ''), 'somebody') || ' and ' || coalesce(nullif(b.full_name, ''), 'somebody'),
           x.starts, x.ends, CASE WHEN coalesce(x.room, x.place) IS NULL THEN 'virtual' ELSE 'onsite' END,
           pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('room', x.room, 'table', x.place))
      FROM convene.meeting_schedule_drafts d
     CROSS JOIN unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::text[],
                                  $8::text[]) x(match_id, one, two, starts, ends, room, place)
      JOIN convene.attendees a ON a.id = x.one
      JOIN convene.attendees b ON b.id = x.two
     WHERE d.id = $1";

fn insert(id: pgrx::Uuid, meetings: &[Planned]) -> Outcome<()> {
    let ids = |of: fn(&Planned) -> pgrx::Uuid| meetings.iter().map(of).collect::<Vec<_>>();
    let times =
        |of: fn(&Planned) -> i64| meetings.iter().map(|m| moment(of(m))).collect::<Vec<_>>();
    db::execute(
        INSERT,
        &[
            id.into(),
            meetings.iter().map(|m| m.match_id).collect::<Vec<_>>().into(),
            ids(|m| m.attendees.0).into(),
            ids(|m| m.attendees.1).into(),
            times(|m| m.span.0).into(),
            times(|m| m.span.1).into(),
            // A room without tables would hold one meeting at a time: who asks for no tables gets no room either.
            meetings
                .iter()
                .map(|m| m.room.clone().filter(|_| m.table.is_some()))
                .collect::<Vec<_>>()
                .into(),
            meetings.iter().map(|m| m.table.clone()).collect::<Vec<_>>().into(),
        ],
    )?;
    Ok(())
}
