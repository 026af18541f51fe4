//! A message becomes words when a worker takes it: then consent, blocks and opt-outs are looked at
//! again, under locks, and the people are named as they are called now.

use std::collections::{HashMap, HashSet};

use convene_engine::conversation::{
    Limits, MINUTE, Phase, Values, common_areas, fill, gives_away, quiet_ends, tidy,
};
use serde_json::Value;

use super::limits;
use crate::db;
use crate::error::Outcome;
use crate::moments::micros;

/// What becomes of a message that a worker would take.
pub enum Prepared {
    /// It is handed out.
    Ready {
        /// The number.
        to: String,
        /// The words.
        body: String,
        /// The phase that it belongs to.
        kind: String,
    },
    /// It is withdrawn, for this reason.
    Cancel(&'static str),
    /// It waits for so many seconds.
    Hold(f64),
}

/// Everything that a message says and stands on.
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
struct Facts {
    id: pgrx::Uuid,
    people: Vec<pgrx::Uuid>,
    phase: Phase,
    stopped: bool,
    opted_in: bool,
    peer_agrees: bool,
    blocked: bool,
    declined: bool,
    exchanged: bool,
    ended: bool,
    about_match: bool,
    phone: Option<String>,
    text: Option<String>,
    local_minute: i32,
    at: i64,
    payload: Value,
    mine: Named,
    peer: Named,
    event_title: Option<String>,
    match_reason: Option<String>,
    apart: bool,
}

/// A person as a text names them.
#[derive(Default)]
struct Named {
    first: String,
    last: String,
    company: Option<String>,
    place: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    areas: Vec<String>,
}

/// Locks the people of these messages, and their consent, so that it cannot be taken back between
/// this look at it and the handing out. Whoever is locked is being answered right now; their
/// messages are left for later, so that nobody waits for a worker and no worker for anybody.
fn lock(messages: &[pgrx::Uuid]) -> Outcome<HashSet<pgrx::Uuid>> {
    const PEOPLE: &str = "
        SELECT c.id FROM convene.contractors c
         WHERE c.id IN (
           SELECT m.contractor_id FROM convene.peer_messages m WHERE m.id = ANY ($1)
            UNION SELECT p.contractor1_id FROM convene.peer_messages m JOIN convene.event_peer_matches p ON p.id = m.match_id WHERE m.id = ANY ($1)
            UNION SELECT p.contractor2_id FROM convene.peer_messages m JOIN convene.event_peer_matches p ON p.id = m.match_id WHERE m.id = ANY ($1))
         ORDER BY c.id FOR SHARE SKIP LOCKED";
    const CONSENT: &str = "
        SELECT a.contractor_id FROM convene.event_attendees a
         WHERE a.contractor_id = ANY ($1) ORDER BY a.contractor_id, a.event_id FOR SHARE SKIP LOCKED";
    const ALL: &str = "
        SELECT a.contractor_id FROM convene.event_attendees a
         WHERE a.contractor_id = ANY ($1)";
    let one = |row: &db::Row<'_>| row.want::<pgrx::Uuid>(1);
    let people = db::write(PEOPLE, &[messages.to_vec().into()], one)?;
    let count = |rows: Vec<pgrx::Uuid>| {
        let mut counted: HashMap<pgrx::Uuid, usize> = HashMap::new();
        for id in rows {
            *counted.entry(id).or_default() += 1;
        }
        counted
    };
    let held = count(db::write(CONSENT, &[people.clone().into()], one)?);
    let all = count(db::write(ALL, &[people.clone().into()], one)?);
    Ok(people.into_iter().filter(|id| held.get(id) == all.get(id)).collect())
}

const FACTS: &str = "
    SELECT m.id, m.contractor_id, x.peer, m.kind, c.messages_stopped_at IS NOT NULL,
           coalesce(convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id), false),
           coalesce(convene_private.takes_part(b.peer_matching_opt_in, b.attendee_id), false) AND d.messages_stopped_at IS NULL,
           EXISTS (SELECT FROM convene.person_blocks k
                    WHERE (k.blocker_profile, k.blocked_profile) IN ((c.profile_id, d.profile_id), (d.profile_id, c.profile_id))),
           coalesce(NOT p.contractor1_response, false) OR coalesce(NOT p.contractor2_response, false),
           p.contacts_exchanged_at IS NOT NULL,
           l.at >= coalesce(e.end_at, (SELECT pg_catalog.max(s.end_time) FROM convene.sessions s WHERE s.event_id = e.id), 'infinity')
             OR e.status = 'cancelled',
           p.id IS NOT NULL, c.phone,
           coalesce(CASE m.kind WHEN 'introduction' THEN p.introduction_message END, t.body),
           (pg_catalog.date_part('hour', l.at AT TIME ZONE e.time_zone) * 60 + pg_catalog.date_part('minute', l.at AT TIME ZONE e.time_zone))::int,
           l.at, o.payload,
           c.first_name, c.last_name, c.company_name, c.service_area, c.phone, c.email, c.focus_areas,
           d.first_name, d.last_name, d.company_name, d.service_area, d.phone, d.email, d.focus_areas,
           e.title, p.match_reason,
           CASE pg_catalog.jsonb_typeof(p.match_criteria->'geographic') WHEN 'number' THEN (p.match_criteria->>'geographic')::numeric >= 1 END
      FROM convene.peer_messages m
      JOIN convene.outbox o ON o.id = m.outbox_id
      JOIN convene.contractors c ON c.id = m.contractor_id
      LEFT JOIN convene.events e ON e.id = m.event_id
      CROSS JOIN LATERAL (SELECT coalesce(m.queued_at, o.queued_at) + (pg_catalog.now() - least(o.queued_at, pg_catalog.now())) AS at) l
      LEFT JOIN convene.event_peer_matches p ON p.id = m.match_id
      CROSS JOIN LATERAL (SELECT CASE m.contractor_id WHEN p.contractor1_id THEN p.contractor2_id ELSE p.contractor1_id END AS peer) x
      LEFT JOIN convene.contractors d ON d.id = x.peer
      LEFT JOIN convene.event_attendees a ON a.event_id = m.event_id AND a.contractor_id = m.contractor_id
      LEFT JOIN convene.event_attendees b ON b.event_id = m.event_id AND b.contractor_id = x.peer
      LEFT JOIN LATERAL (
        SELECT t.body FROM convene.message_templates t
         WHERE t.phase = m.kind AND t.is_active AND (t.event_id = m.event_id OR t.event_id IS NULL)
         ORDER BY t.event_id NULLS LAST, t.language <> 'en', t.language LIMIT 1) t ON true
     WHERE m.id = ANY ($1) AND m.status = 'queued'";

fn facts(messages: &[pgrx::Uuid]) -> Outcome<Vec<Facts>> {
    let found = db::write(FACTS, &[messages.to_vec().into()], |row| {
        let Some(phase) = Phase::parse(&row.want::<String>(4)?) else { return Ok(None) };
        Ok(Some(Facts {
            id: row.want(1)?,
            people: [row.get(2)?, row.get(3)?].into_iter().flatten().collect(),
            phase,
            stopped: row.want(5)?,
            opted_in: row.want(6)?,
            peer_agrees: row.want(7)?,
            blocked: row.want(8)?,
            declined: row.want(9)?,
            exchanged: row.want(10)?,
            ended: row.get(11)?.unwrap_or(false),
            about_match: row.want(12)?,
            phone: row
                .get::<String>(13)?
                .filter(|phone| phone.contains(|c: char| c.is_ascii_digit())),
            text: row.get(14)?,
            local_minute: row.get(15)?.unwrap_or(0),
            at: micros(row.want(16)?),
            payload: row.want::<pgrx::JsonB>(17)?.0,
            mine: named(row, 18)?,
            peer: named(row, 25)?,
            event_title: row.get(32)?,
            match_reason: row.get(33)?,
            apart: row.get(34)?.unwrap_or(false),
        }))
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn named(row: &db::Row<'_>, from: usize) -> Outcome<Named> {
    let areas: Option<Vec<Option<String>>> = row.get(from + 6)?;
    Ok(Named {
        first: row.get(from)?.unwrap_or_default(),
        last: row.get(from + 1)?.unwrap_or_default(),
        company: row.get(from + 2)?,
        place: row.get(from + 3)?,
        phone: row.get(from + 4)?,
        email: row.get(from + 5)?,
        areas: areas.unwrap_or_default().into_iter().flatten().collect(),
    })
}

/// Looks at each of these messages again, under locks. A message that is not in the result belongs
/// to somebody who is being answered right now.
pub fn prepare(messages: &[pgrx::Uuid]) -> Outcome<HashMap<pgrx::Uuid, Prepared>> {
    let locked = lock(messages)?;
    let limits = limits()?;
    let known = facts(messages)?;
    let mut prepared: HashMap<pgrx::Uuid, Prepared> = HashMap::new();
    let seen: HashSet<pgrx::Uuid> = known.iter().map(|facts| facts.id).collect();
    for gone in messages.iter().filter(|id| !seen.contains(id)) {
        prepared.insert(*gone, Prepared::Cancel("the message was withdrawn"));
    }
    for facts in &known {
        if facts.people.iter().all(|person| locked.contains(person)) {
            prepared.insert(facts.id, judge(facts, &limits));
        }
    }
    Ok(prepared)
}

fn judge(facts: &Facts, limits: &Limits) -> Prepared {
    if let Some(reason) = obstacle(facts) {
        return Prepared::Cancel(reason);
    }
    if let Some(seconds) = night(facts, limits) {
        return Prepared::Hold(seconds);
    }
    let (Some(to), Some(text)) = (&facts.phone, &facts.text) else {
        let missing =
            if facts.phone.is_none() { "no phone number" } else { "no text for this phase" };
        return Prepared::Cancel(missing);
    };
    let body = fill(text, &values(facts));
    let peer = &facts.peer;
    if facts.phase != Phase::ContactExchange
        && gives_away(&body, peer.phone.as_deref(), peer.email.as_deref())
    {
        return Prepared::Cancel("the text would give contacts away");
    }
    Prepared::Ready { to: to.clone(), body, kind: facts.phase.name().to_owned() }
}

/// Why a message is not to be sent any more. Whoever has just said STOP hears that it was heard, and
/// nothing else.
fn obstacle(facts: &Facts) -> Option<&'static str> {
    match facts.phase {
        Phase::Stopped => return None,
        _ if facts.stopped => return Some("all messages to this person have ended"),
        Phase::OptedOut | Phase::OptedIn | Phase::Help => return None,
        _ => {}
    }
    if !facts.opted_in {
        return Some("no consent to introductions");
    }
    let needs_both = facts.phase.asks_to_meet() || facts.phase == Phase::ContactExchange;
    if needs_both || facts.phase.is_prompt() {
        if !facts.about_match {
            return Some("the match is gone");
        }
        if facts.blocked || needs_both && !facts.peer_agrees {
            return Some("the other one does not agree, or no longer");
        }
    }
    if facts.phase == Phase::ContactExchange && !facts.exchanged {
        return Some("contacts are not to be exchanged");
    }
    if facts.phase.asks_to_meet() && (facts.ended || facts.declined || facts.exchanged) {
        return Some("there is nothing to ask any more");
    }
    None
}

/// Seconds until the end of the night, if a prompt would be sent in it.
fn night(facts: &Facts, limits: &Limits) -> Option<f64> {
    let (days, minute) =
        quiet_ends(facts.local_minute, limits).filter(|_| facts.phase.is_prompt())?;
    Some(f64::from((days * 1440 + minute - facts.local_minute).max(1)) * 60.0)
}

const NO_CONTACT: &str = "(neither number nor address is known: look for each other at the event)";

fn values(facts: &Facts) -> Values {
    let mut values = Values::new();
    let mut set = |name: &'static str, value: Option<&str>| {
        values.insert(name, value.map(tidy).unwrap_or_default());
    };
    let peer = &facts.peer;
    set("firstName", Some(&facts.mine.first));
    set("eventTitle", Some(facts.event_title.as_deref().unwrap_or("your next event")));
    set("peerName", Some(&format!("{} {}", peer.first, peer.last)));
    set("peerFirstName", Some(&peer.first));
    set("peerCompany", peer.company.as_deref());
    set("peerLocation", peer.place.as_deref());
    set("commonFocusAreas", Some(&common_areas(&facts.mine.areas, &peer.areas)));
    set("matchReason", facts.match_reason.as_deref());
    set(
        "marketNote",
        facts.apart.then_some("You do not compete for customers, so you can speak openly."),
    );
    place(facts, &mut set);
    if facts.phase == Phase::ContactExchange {
        let reach = [peer.phone.as_deref(), peer.email.as_deref()]
            .map(|contact| contact.filter(|contact| !contact.trim().is_empty()));
        set("peerPhone", if reach == [None, None] { Some(NO_CONTACT) } else { reach[0] });
        set("peerEmail", reach[1]);
    }
    values
}

fn place(facts: &Facts, set: &mut impl FnMut(&'static str, Option<&str>)) {
    let usual = match facts.phase {
        Phase::Arrival => "the entrance",
        Phase::Lunch => "the lunch area",
        _ => "the networking area",
    };
    // The programme's words for a place that it does not name are no name.
    let named = facts.payload["location"].as_str().filter(|place| !usual.ends_with(place));
    set("location", Some(named.unwrap_or(usual)));
    let starts = facts.payload["starts"].as_i64().unwrap_or(facts.at);
    let minutes = ((starts - facts.at) as f64 / MINUTE as f64).round().max(1.0);
    set("minutes", Some(&minutes.to_string()));
    set("nextBreak", facts.payload["next_break"].as_str());
}
