//! Introducing two people to each other.

use convene_engine::Error;
use convene_engine::conversation::{Phase, Reason, check_text, gives_away};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::asking::{promote, told};
use super::responses::{people_of, read_pair};
use super::{limits, lock_people, working_moment};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid};
use crate::moments::moment;
use crate::owner::with_owner;
use crate::peers::access;

/// Asks both of a match whether they want to be introduced.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn send_peer_introduction(
    p_match_id: Option<pgrx::Uuid>,
    p_message: default!(Option<String>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    introduce(p_match_id, p_message, p_now).or_raise()
}

/// The two of a match, as far as an introduction goes.
struct Couple {
    event_id: pgrx::Uuid,
    contacts: [(Option<String>, Option<String>); 2],
    /// Why they cannot be introduced, if they cannot.
    obstacle: Option<&'static str>,
    /// Of each: what an earlier introduction became.
    sent: [Option<String>; 2],
    /// Of each: whether they have answered.
    answered: [bool; 2],
    /// Of each: matches that they were asked about at this event, and whether this is one of them.
    introductions: [(i32, bool); 2],
}

impl Couple {
    /// Whether one of the two would be asked about more people than the limit allows.
    fn over_limit(&self, most: i32) -> bool {
        let asks = |place: usize| self.sent[place].is_none() && !self.answered[place];
        (0..2).any(|place| {
            let (count, counted) = self.introductions[place];
            asks(place) && !counted && count >= most
        })
    }
}

const COUPLE: &str = "
    SELECT p.event_id, c.phone, c.email, d.phone, d.email,
           CASE WHEN e.status = 'cancelled' THEN 1
                WHEN $2 >= coalesce(e.end_at, (SELECT pg_catalog.max(s.end_time) FROM convene.sessions s WHERE s.event_id = e.id), 'infinity') THEN 2
                WHEN NOT (convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id) AND convene_private.takes_part(b.peer_matching_opt_in, b.attendee_id)
                          AND c.messages_stopped_at IS NULL AND d.messages_stopped_at IS NULL) THEN 3
                WHEN EXISTS (SELECT FROM convene.person_blocks k
                              WHERE (k.blocker_profile, k.blocked_profile)
                                    IN ((c.profile_id, d.profile_id), (d.profile_id, c.profile_id))) THEN 4
                WHEN NOT (coalesce(p.contractor1_response, true) AND coalesce(p.contractor2_response, true)) THEN 4
                ELSE 0 END,
           m.status, n.status, p.contractor1_response IS NOT NULL, p.contractor2_response IS NOT NULL,
           f.asked, f.this, g.asked, g.this
      FROM convene.event_peer_matches p
      JOIN convene.events e ON e.id = p.event_id
      JOIN convene.contractors c ON c.id = p.contractor1_id
      JOIN convene.contractors d ON d.id = p.contractor2_id
      JOIN convene.event_attendees a ON a.event_id = p.event_id AND a.contractor_id = c.id
      JOIN convene.event_attendees b ON b.event_id = p.event_id AND b.contractor_id = d.id
      LEFT JOIN convene.peer_messages m ON m.match_id = p.id AND m.contractor_id = c.id
       AND m.kind = 'introduction' AND m.status <> 'cancelled'
      LEFT JOIN convene.peer_messages n ON n.match_id = p.id AND n.contractor_id = d.id
       AND n.kind = 'introduction' AND n.status <> 'cancelled'
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS asked, coalesce(pg_catalog.bool_or(o.match_id = p.id), false) AS this
          FROM convene.peer_messages o WHERE o.contractor_id = c.id AND o.event_id = p.event_id
           AND o.introduction_no IS NOT NULL AND o.status <> 'cancelled') f
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS asked, coalesce(pg_catalog.bool_or(o.match_id = p.id), false) AS this
          FROM convene.peer_messages o WHERE o.contractor_id = d.id AND o.event_id = p.event_id
           AND o.introduction_no IS NOT NULL AND o.status <> 'cancelled') g
     WHERE p.id = $1";

fn couple(match_id: pgrx::Uuid, now: i64) -> Outcome<Option<Couple>> {
    let found = db::write(COUPLE, &[match_id.into(), moment(now).into()], |row| {
        Ok(Couple {
            event_id: row.want(1)?,
            contacts: [(row.get(2)?, row.get(3)?), (row.get(4)?, row.get(5)?)],
            obstacle: match row.want::<i32>(6)? {
                0 => None,
                1 => Some("The event does not take place."),
                2 => Some("The event is over."),
                3 => Some(
                    "Both must have agreed to introductions at this event, and receive messages.",
                ),
                // Who blocked or declined whom is nobody else's business.
                _ => Some("One of them does not want it."),
            },
            sent: [row.get(7)?, row.get(8)?],
            answered: [row.want(9)?, row.want(10)?],
            introductions: [(row.want(11)?, row.want(12)?), (row.want(13)?, row.want(14)?)],
        })
    })?;
    Ok(found.into_iter().next())
}

fn introduce(
    match_id: Option<pgrx::Uuid>,
    message: Option<String>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let (match_id, by_service) = access::managed_match(match_id)?;
    if let Some(text) = &message {
        check_text("p_message", Phase::Introduction, text)?;
    }
    let now = working_moment(now, by_service)?;
    with_owner(|| {
        let people = people_of(match_id)?;
        lock_people(&people)?;
        let limits = limits()?;
        if let Some(person) = people.first() {
            read_pair(match_id, *person, now)?;
        }
        let Some(couple) = couple(match_id, now)? else {
            return Err(crate::error::not_found("match", match_id));
        };
        check_couple(match_id, &couple, message.as_deref())?;
        if couple.over_limit(limits.introductions) {
            return Ok(refused(match_id, &couple, &people));
        }
        let asked = ask(match_id, &couple, &people, message.as_deref(), now)?;
        // Everything of theirs that waits moves on, but it is these introductions that are told.
        let outgoing = promote(&people, now, &limits)?;
        let mut states: Vec<Value> = Vec::new();
        for (place, person) in people.iter().enumerate() {
            let new = outgoing.iter().find(|one| asked[place] == Some(one.id));
            states.push(match (new, &couple.sent[place]) {
                (Some(one), _) => told(one),
                (None, sent) => json!({
                    "contractor_id": person.to_string(),
                    "status": sent.clone().unwrap_or_else(|| "answered".to_owned()),
                    "reason": Value::Null, "due_at": Value::Null,
                }),
            });
        }
        Ok(pgrx::JsonB(json!({
            "match_id": match_id.to_string(),
            "event_id": couple.event_id.to_string(),
            "introductions": states,
        })))
    })
}

/// Nobody is asked about somebody who cannot be asked any more.
fn refused(match_id: pgrx::Uuid, couple: &Couple, people: &[pgrx::Uuid]) -> pgrx::JsonB {
    let state = |person: &pgrx::Uuid| {
        json!({
            "contractor_id": person.to_string(), "status": "refused",
            "reason": Reason::Introductions.name(), "due_at": Value::Null,
        })
    };
    pgrx::JsonB(json!({
        "match_id": match_id.to_string(),
        "event_id": couple.event_id.to_string(),
        "introductions": people.iter().map(state).collect::<Vec<_>>(),
    }))
}

fn check_couple(match_id: pgrx::Uuid, couple: &Couple, message: Option<&str>) -> Outcome<()> {
    if let Some(obstacle) = couple.obstacle {
        return Err(Failure(Error::WrongState {
            message: format!("the two of match {match_id} cannot be introduced"),
            detail: obstacle.into(),
            hint: "Introduce others: convene.get_contractor_matches() lists them.".into(),
        }));
    }
    let told = message.is_some_and(|text| {
        couple
            .contacts
            .iter()
            .any(|(phone, email)| gives_away(text, phone.as_deref(), email.as_deref()))
    });
    if told {
        return invalid(
            "p_message has the phone number or the email of one of the two in it",
            "Contacts change hands when both have said yes.",
            "Leave it out; a contact_exchange fills it in.",
        );
    }
    Ok(())
}

/// Puts the introduction in line for whoever was not asked and has not answered; their messages.
fn ask(
    match_id: pgrx::Uuid,
    couple: &Couple,
    people: &[pgrx::Uuid],
    message: Option<&str>,
    now: i64,
) -> Outcome<[Option<pgrx::Uuid>; 2]> {
    const WORDS: &str = "
        UPDATE convene.event_peer_matches SET introduction_message = $2
         WHERE id = $1 AND introduction_message IS DISTINCT FROM $2";
    const ASK: &str = "
        INSERT INTO convene.peer_messages
               (event_id, contractor_id, match_id, direction, kind, status, due_at, created_at)
        VALUES ($1, $2, $3, 'out', 'introduction', 'waiting', $4, $4) RETURNING id";
    let mut asked = [None, None];
    for (place, person) in people.iter().enumerate().take(2) {
        if couple.sent[place].is_none() && !couple.answered[place] {
            let arguments =
                [couple.event_id.into(), (*person).into(), match_id.into(), moment(now).into()];
            asked[place] = db::write(ASK, &arguments, |row| row.want(1))?.into_iter().next();
        }
    }
    if message.is_some() && asked.iter().any(Option::is_some) {
        db::execute(WORDS, &[match_id.into(), message.into()])?;
    }
    Ok(asked)
}
