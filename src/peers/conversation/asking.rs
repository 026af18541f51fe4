//! Prompts that wait for their turn, and go out when it has come. Callers hold the locks on the
//! people (see the module's head).

use std::collections::HashMap;

use convene_engine::conversation::{
    Asked, Limits, Person, Phase, PromptTime, Reason, Rest, Verdict, decide, now_in,
};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::{notify, places};
use crate::db;
use crate::error::Outcome;
use crate::moments::{micros, moment};

/// A prompt that waits.
struct Waiting {
    id: pgrx::Uuid,
    contractor: pgrx::Uuid,
    event: pgrx::Uuid,
    asked: Asked,
}

/// What became of a prompt.
pub struct Outgoing {
    /// The message.
    pub id: pgrx::Uuid,
    /// Whom it is for.
    pub contractor: pgrx::Uuid,
    /// What became of it.
    pub verdict: Verdict,
}

/// Lets the prompts of these people out whose turn it is, one of each person at most.
pub fn promote(people: &[pgrx::Uuid], now: i64, limits: &Limits) -> Outcome<Vec<Outgoing>> {
    let mut waiting = waiting(people, now, limits)?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let persons = persons(people)?;
    let events = events_with_slots(&waiting)?;
    let mut outgoing = Vec::with_capacity(waiting.len());
    let mut parameters = HashMap::new();
    for prompts in waiting.chunk_by_mut(|a, b| a.contractor == b.contractor) {
        let person = persons.get(&prompts[0].contractor).cloned().unwrap_or_default();
        for prompt in prompts.iter_mut() {
            let times = events.get(&prompt.event).map_or(&[][..], Vec::as_slice);
            let at = now_in(times, now, now);
            prompt.asked.rest = rest(at.open, at.next);
            if let Some(slot) = at.open {
                parameters.insert(prompt.id, place(slot));
            }
        }
        let asked: Vec<Asked> = prompts.iter().map(|prompt| prompt.asked.clone()).collect();
        let verdicts = decide(now, limits, &person, &asked);
        outgoing.extend(prompts.iter().zip(verdicts).map(|(prompt, verdict)| Outgoing {
            id: prompt.id,
            contractor: prompt.contractor,
            verdict,
        }));
    }
    keep(&outgoing)?;
    send(&outgoing, &parameters, now, limits)?;
    Ok(outgoing)
}

fn rest(open: Option<&PromptTime>, next: Option<&PromptTime>) -> Rest {
    match (open, next) {
        (Some(slot), _) => Rest::Open(slot.context.phase()),
        (None, Some(slot)) => Rest::Next(slot.at),
        (None, None) => Rest::None,
    }
}

/// What a text says of a slot.
fn place(slot: &PromptTime) -> Value {
    json!({"location": slot.location, "starts": slot.starts})
}

const WAITING: &str = "
    SELECT m.id, m.contractor_id, m.event_id, m.kind, coalesce(m.due_at, '-infinity'),
           coalesce(convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id), false) AND p.id IS NOT NULL,
           coalesce((m.kind IN ('rating_request', 'follow_up') OR (convene_private.takes_part(b.peer_matching_opt_in, b.attendee_id) AND d.messages_stopped_at IS NULL))
                    AND NOT EXISTS (SELECT FROM convene.person_blocks k
                                     WHERE (k.blocker_profile, k.blocked_profile) IN ((c.profile_id, d.profile_id), (d.profile_id, c.profile_id))),
                    false),
           CASE m.kind WHEN 'follow_up' THEN false
                WHEN 'rating_request' THEN CASE m.contractor_id WHEN p.contractor1_id THEN p.rating_contractor1 ELSE p.rating_contractor2 END IS NOT NULL
                ELSE p.contacts_exchanged_at IS NOT NULL OR coalesce(NOT (x.mine IS NULL AND coalesce(x.theirs, true)), true) END,
           coalesce(a.muted_until, '-infinity'),
           coalesce(e.end_at, (SELECT pg_catalog.max(s.end_time) FROM convene.sessions s WHERE s.event_id = e.id), 'infinity'),
           e.status = 'cancelled',
           (pg_catalog.date_part('hour', l.local) * 60 + pg_catalog.date_part('minute', l.local))::int,
           (l.local::date + $3::time) AT TIME ZONE e.time_zone,
           (l.local::date + 1 + $3::time) AT TIME ZONE e.time_zone,
           EXISTS (SELECT FROM convene.peer_messages o WHERE o.contractor_id = m.contractor_id AND o.match_id = m.match_id
                      AND o.introduction_no IS NOT NULL AND o.status <> 'cancelled'),
           (SELECT count(*)::int FROM convene.peer_messages o WHERE o.contractor_id = m.contractor_id AND o.event_id = m.event_id
               AND o.introduction_no IS NOT NULL AND o.status <> 'cancelled')
      FROM convene.peer_messages m
      JOIN convene.contractors c ON c.id = m.contractor_id
      JOIN convene.events e ON e.id = m.event_id
      CROSS JOIN LATERAL (SELECT $2 AT TIME ZONE e.time_zone AS local) l
      LEFT JOIN convene.event_attendees a ON a.event_id = m.event_id AND a.contractor_id = m.contractor_id
      LEFT JOIN convene.event_peer_matches p ON p.id = m.match_id
      CROSS JOIN LATERAL (
        SELECT CASE WHEN m.contractor_id = p.contractor1_id THEN p.contractor2_id ELSE p.contractor1_id END AS peer,
               CASE WHEN m.contractor_id = p.contractor1_id THEN p.contractor1_response ELSE p.contractor2_response END AS mine,
               CASE WHEN m.contractor_id = p.contractor1_id THEN p.contractor2_response ELSE p.contractor1_response END AS theirs) x
      LEFT JOIN convene.contractors d ON d.id = x.peer
      LEFT JOIN convene.event_attendees b ON b.event_id = m.event_id AND b.contractor_id = x.peer
     WHERE m.contractor_id = ANY ($1) AND m.status = 'waiting'
     ORDER BY m.contractor_id, x.theirs IS TRUE DESC, m.due_at NULLS FIRST, p.match_score DESC, m.id";

fn waiting(people: &[pgrx::Uuid], now: i64, limits: &Limits) -> Outcome<Vec<Waiting>> {
    let until = format!("{:02}:{:02}", limits.quiet_until / 60, limits.quiet_until % 60);
    let found =
        db::write(WAITING, &[people.to_vec().into(), moment(now).into(), until.into()], |row| {
            let at = |ordinal| row.want::<TimestampWithTimeZone>(ordinal).map(micros);
            let Some(phase) = Phase::parse(&row.want::<String>(4)?) else { return Ok(None) };
            Ok(Some(Waiting {
                id: row.want(1)?,
                contractor: row.want(2)?,
                event: row.want(3)?,
                asked: Asked {
                    phase,
                    due: at(5)?,
                    consents: row.want(6)?,
                    peer_consents: row.want(7)?,
                    settled: row.want(8)?,
                    muted_until: at(9)?,
                    event_end: at(10)?,
                    event_cancelled: row.want(11)?,
                    local_minute: row.want(12)?,
                    quiet_until: [at(13)?, at(14)?],
                    introduced: row.want(15)?,
                    introductions: row.want(16)?,
                    rest: Rest::None,
                },
            }))
        })?;
    Ok(found.into_iter().flatten().collect())
}

/// What is known of each person that has a bearing on when they are asked.
fn persons(people: &[pgrx::Uuid]) -> Outcome<HashMap<pgrx::Uuid, Person>> {
    const PERSONS: &str = "
        SELECT c.id, c.messages_stopped_at IS NOT NULL, m.last, m.open
          FROM convene.contractors c
          CROSS JOIN LATERAL (
            SELECT pg_catalog.max(greatest(coalesce(m.queued_at, m.created_at), m.sent_at)) AS last,
                   pg_catalog.max(coalesce(m.queued_at, m.created_at)) FILTER (WHERE m.closed_at IS NULL) AS open
              FROM convene.peer_messages m
             WHERE m.contractor_id = c.id AND m.is_prompt AND m.status IN ('queued', 'sent')) m
         WHERE c.id = ANY ($1)";
    let found = db::write(PERSONS, &[people.to_vec().into()], |row| {
        let at = |ordinal| row.get::<TimestampWithTimeZone>(ordinal).map(|at| at.map(micros));
        Ok((
            row.want::<pgrx::Uuid>(1)?,
            Person { stopped: row.want(2)?, last_prompt: at(3)?, open_since: at(4)? },
        ))
    })?;
    Ok(found.into_iter().collect())
}

/// When the person was last asked something, if ever.
pub fn last_prompt(person: pgrx::Uuid) -> Outcome<Option<i64>> {
    Ok(persons(&[person])?.remove(&person).and_then(|known| known.last_prompt))
}

fn events_with_slots(waiting: &[Waiting]) -> Outcome<HashMap<pgrx::Uuid, Vec<PromptTime>>> {
    let mut ids: Vec<pgrx::Uuid> = waiting.iter().map(|prompt| prompt.event).collect();
    ids.sort_unstable();
    ids.dedup();
    places::of_events(&ids)
}

/// Those that wait for their place in the programme are due then, and those that have become
/// pointless are withdrawn. What else they wait for may change, and is looked at each time.
fn keep(outgoing: &[Outgoing]) -> Outcome<()> {
    const KEEP: &str = "
        UPDATE convene.peer_messages m SET due_at = w.due
          FROM unnest($1::uuid[], $2::timestamptz[]) w (id, due)
         WHERE m.id = w.id AND m.due_at IS DISTINCT FROM w.due";
    const WITHDRAW: &str = "
        UPDATE convene.peer_messages m SET status = 'cancelled', closed_at = coalesce(m.closed_at, pg_catalog.now())
         WHERE m.id = ANY ($1)";
    let mut later: (Vec<pgrx::Uuid>, Vec<TimestampWithTimeZone>) = Default::default();
    let mut gone = Vec::new();
    for one in outgoing {
        match one.verdict {
            Verdict::Wait(until, Reason::Due) => {
                later.0.push(one.id);
                later.1.push(moment(until));
            }
            Verdict::Cancel(_) => gone.push(one.id),
            Verdict::Wait(..) | Verdict::Ask(_) => {}
        }
    }
    if !later.0.is_empty() {
        db::execute(KEEP, &[later.0.into(), later.1.into()])?;
    }
    if !gone.is_empty() {
        db::execute(WITHDRAW, &[gone.into()])?;
    }
    Ok(())
}

/// What is superseded: an older question that nobody answered, and that is not with a worker.
const CLOSE: &str = "
    WITH old AS (
      UPDATE convene.peer_messages m SET closed_at = $2
       WHERE m.contractor_id = ANY ($1) AND m.is_prompt AND m.closed_at IS NULL
         AND m.status IN ('queued', 'sent')
      RETURNING m.id, m.outbox_id),
    taken AS (
      UPDATE convene.outbox o
         SET status = 'cancelled', processed_at = pg_catalog.now(), last_error = 'a later question took its place'
       WHERE o.id IN (SELECT w.id FROM convene.outbox w JOIN old ON old.outbox_id = w.id
                       WHERE w.status = 'pending' FOR UPDATE OF w SKIP LOCKED)
      RETURNING o.target_id)
    SELECT target_id FROM taken";

const UNSENT: &str = "UPDATE convene.peer_messages SET status = 'cancelled' WHERE id = ANY ($1)";

const SEND: &str = "
    WITH go AS MATERIALIZED (
      SELECT w.*, pg_catalog.gen_random_uuid() AS job
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bool[]) w (id, kind, payload, meets)),
    said AS (
      UPDATE convene.peer_messages m
         SET kind = g.kind, status = 'queued', queued_at = $5, outbox_id = g.job,
             keeps_until = $5 + pg_catalog.make_interval(secs => $6),
             introduction_no = CASE WHEN g.meets AND NOT EXISTS (
               SELECT FROM convene.peer_messages o
                WHERE o.contractor_id = m.contractor_id AND o.match_id = m.match_id
                  AND o.introduction_no IS NOT NULL AND o.status <> 'cancelled')
             THEN (SELECT pg_catalog.min(n) FROM pg_catalog.generate_series(1, greatest($7, 1)) n
                    WHERE NOT EXISTS (
                      SELECT FROM convene.peer_messages o
                       WHERE o.contractor_id = m.contractor_id AND o.event_id = m.event_id
                         AND o.introduction_no = n AND o.status <> 'cancelled')) END
        FROM go g WHERE m.id = g.id
      RETURNING m.id, m.contractor_id, m.event_id, m.match_id, g.job, g.payload, g.meets),
    first_asked AS (
      UPDATE convene.event_peer_matches p SET introduction_sent_time = $5
       WHERE p.id IN (SELECT s.match_id FROM said s WHERE s.meets) AND p.introduction_sent_time IS NULL)
    INSERT INTO convene.outbox
           (id, topic, target_kind, target_id, event_id, profile_id, idempotency_key, payload, queued_at)
    SELECT s.job, 'sms', 'peer_message', s.id, s.event_id, c.profile_id,
           'peer_message:' || s.id::text, s.payload::jsonb, pg_catalog.clock_timestamp()
      FROM said s JOIN convene.contractors c ON c.id = s.contractor_id";

fn send(
    outgoing: &[Outgoing],
    parameters: &HashMap<pgrx::Uuid, Value>,
    now: i64,
    limits: &Limits,
) -> Outcome<()> {
    let going: Vec<(&Outgoing, Phase)> = outgoing
        .iter()
        .filter_map(|one| match one.verdict {
            Verdict::Ask(phase) => Some((one, phase)),
            Verdict::Wait(..) | Verdict::Cancel(_) => None,
        })
        .collect();
    if going.is_empty() {
        return Ok(());
    }
    let people: Vec<pgrx::Uuid> = going.iter().map(|(one, _)| one.contractor).collect();
    let unsent =
        db::write(CLOSE, &[people.into(), moment(now).into()], |row| row.want::<pgrx::Uuid>(1))?;
    if !unsent.is_empty() {
        db::execute(UNSENT, &[unsent.into()])?;
    }
    let ids: Vec<pgrx::Uuid> = going.iter().map(|(one, _)| one.id).collect();
    let kinds: Vec<&str> = going.iter().map(|(_, phase)| phase.name()).collect();
    let meets: Vec<bool> = going.iter().map(|(_, phase)| phase.asks_to_meet()).collect();
    let none = json!({});
    let payloads: Vec<String> = going
        .iter()
        .map(|(one, phase)| {
            let known = parameters.get(&one.id).filter(|_| phase.asks_to_meet());
            known.unwrap_or(&none).to_string()
        })
        .collect();
    db::execute(
        SEND,
        &[
            ids.into(),
            kinds.into(),
            payloads.into(),
            meets.into(),
            moment(now).into(),
            (limits.gap as f64 / 1e6).into(),
            limits.introductions.into(),
        ],
    )?;
    notify()
}

/// How a verdict is told to whoever asked for the introduction.
pub fn told(one: &Outgoing) -> Value {
    let (status, reason, due): (_, Option<Reason>, _) = match one.verdict {
        Verdict::Ask(_) => ("queued", None, None),
        Verdict::Wait(until, reason) => ("waiting", Some(reason), Some(until)),
        Verdict::Cancel(reason) => ("refused", Some(reason), None),
    };
    json!({
        "contractor_id": one.contractor.to_string(),
        "status": status,
        "reason": reason.map(Reason::name),
        "due_at": due.map(|until| moment(until).to_iso_string()),
    })
}
