//! Answers to an introduction, and the exchange of contacts when both are yes.

use convene_engine::Error;
use convene_engine::conversation::Phase;
use pgrx::prelude::*;
use serde_json::json;

use super::{Said, limits, lock_people, say, working_moment};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required};
use crate::moments::moment;
use crate::owner::with_owner;
use crate::peers::access;

/// Notes what one of two contractors says to being introduced to the other.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn record_peer_response(
    p_match_id: Option<pgrx::Uuid>,
    p_contractor_id: Option<pgrx::Uuid>,
    p_response: Option<bool>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    record(p_match_id, p_contractor_id, p_response, p_now).or_raise()
}

fn record(
    match_id: Option<pgrx::Uuid>,
    contractor_id: Option<pgrx::Uuid>,
    response: Option<bool>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let (match_id, me, by_service) = access::own_match(match_id, contractor_id)?;
    let response = required(response, "p_response")?;
    let now = working_moment(now, by_service)?;
    with_owner(|| {
        let pair = lock_pair(match_id, me, now)?;
        pair.expect_open(response)?;
        close_questions(&pair, response, now)?;
        let exchanged = answer(&pair, response, now)?;
        super::asking::promote(&[me], now, &limits()?)?;
        Ok(pgrx::JsonB(json!({
            "match_id": match_id.to_string(),
            "contractor_id": me.to_string(),
            "response": response,
            "contacts_exchanged": exchanged || pair.exchanged,
        })))
    })
}

/// A match as one of its two sees it, with everything locked that it stands on.
pub struct Pair {
    /// The match.
    pub match_id: pgrx::Uuid,
    /// Its event.
    pub event_id: pgrx::Uuid,
    /// Whose answer it is.
    pub me: pgrx::Uuid,
    /// The other one.
    pub peer: pgrx::Uuid,
    /// Contacts have been exchanged.
    pub exchanged: bool,
    /// The event is over, or does not take place.
    pub over: bool,
    /// This person agreed to introductions at the event, and receives messages.
    pub consents: bool,
}

const PAIR: &str = "
    SELECT p.event_id, CASE WHEN p.contractor1_id = $2 THEN p.contractor2_id ELSE p.contractor1_id END,
           p.contacts_exchanged_at IS NOT NULL,
           e.status = 'cancelled'
             OR $3 >= coalesce(e.end_at, (SELECT pg_catalog.max(s.end_time) FROM convene.sessions s WHERE s.event_id = e.id), 'infinity'),
           convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id) AND c.messages_stopped_at IS NULL
      FROM convene.event_peer_matches p
      JOIN convene.events e ON e.id = p.event_id
      JOIN convene.contractors c ON c.id = $2
      JOIN convene.event_attendees a ON a.event_id = p.event_id AND a.contractor_id = $2
     WHERE p.id = $1 AND $2 IN (p.contractor1_id, p.contractor2_id)";

/// The two of a match.
pub fn people_of(match_id: pgrx::Uuid) -> Outcome<Vec<pgrx::Uuid>> {
    const PEOPLE: &str = "
        SELECT x FROM convene.event_peer_matches p, unnest(ARRAY[p.contractor1_id, p.contractor2_id]) x
         WHERE p.id = $1";
    db::write(PEOPLE, &[match_id.into()], |row| row.want(1))
}

/// Locks the two of a match, their consent and the match, and reads it as `me` sees it.
pub fn lock_pair(match_id: pgrx::Uuid, me: pgrx::Uuid, now: i64) -> Outcome<Pair> {
    lock_people(&people_of(match_id)?)?;
    read_pair(match_id, me, now)
}

/// As [`lock_pair`], where the people are locked already.
pub fn read_pair(match_id: pgrx::Uuid, me: pgrx::Uuid, now: i64) -> Outcome<Pair> {
    const LOCK: &str = "
        SELECT 1 FROM convene.event_peer_matches p WHERE p.id = $1 FOR NO KEY UPDATE";
    db::write(LOCK, &[match_id.into()], |_| Ok(()))?;
    let found = db::write(PAIR, &[match_id.into(), me.into(), moment(now).into()], |row| {
        Ok(Pair {
            match_id,
            me,
            event_id: row.want(1)?,
            peer: row.want(2)?,
            exchanged: row.want(3)?,
            over: row.want(4)?,
            consents: row.want(5)?,
        })
    })?;
    found.into_iter().next().ok_or_else(|| {
        Failure(Error::Retry {
            message: "the match went while it was answered".into(),
            hint: "Try again.".into(),
        })
    })
}

impl Pair {
    /// Refuses what can no longer be answered.
    fn expect_open(&self, response: bool) -> Outcome<()> {
        let refuse = |message: String, detail: &str, hint: &str| {
            Err(Failure(Error::WrongState { message, detail: detail.into(), hint: hint.into() }))
        };
        if self.exchanged && response {
            return Ok(());
        }
        if self.exchanged {
            return refuse(
                format!("the contacts of match {} have been exchanged", self.match_id),
                "What was given cannot be unsaid.",
                "To hear no more of somebody, block them.",
            );
        }
        if self.over {
            return refuse(
                format!("the event of match {} is over", self.match_id),
                "A yes lapses when the event ends.",
                "",
            );
        }
        if response && !self.consents {
            return refuse(
                format!("contractor {} has not agreed to introductions at this event", self.me),
                "Consent comes before anything else.",
                "Set event_attendees.peer_matching_opt_in as the contractor, or answer START PEER.",
            );
        }
        Ok(())
    }
}

/// Notes an answer, and lets both have the other's contacts if it was the second yes; whether it
/// was. What still waits about the match is withdrawn where it has become pointless.
pub fn answer(pair: &Pair, yes: bool, now: i64) -> Outcome<bool> {
    const ANSWER: &str = "
        UPDATE convene.event_peer_matches p
           SET contractor1_response = CASE WHEN p.contractor1_id = $2 THEN $3 ELSE p.contractor1_response END,
               contractor2_response = CASE WHEN p.contractor2_id = $2 THEN $3 ELSE p.contractor2_response END,
               contractor1_responded_at = CASE WHEN p.contractor1_id = $2 THEN $4 ELSE p.contractor1_responded_at END,
               contractor2_responded_at = CASE WHEN p.contractor2_id = $2 THEN $4 ELSE p.contractor2_responded_at END
         WHERE p.id = $1 AND p.contacts_exchanged_at IS NULL
           AND CASE WHEN p.contractor1_id = $2 THEN p.contractor1_response ELSE p.contractor2_response END
               IS DISTINCT FROM $3";
    // After a yes the other one is still to be asked; after a no nobody is.
    const WITHDRAW: &str = "
        UPDATE convene.peer_messages m SET status = 'cancelled', closed_at = $4
         WHERE m.match_id = $1 AND m.status = 'waiting'
           AND m.kind IN ('introduction', 'arrival', 'break', 'lunch', 'networking')
           AND (m.contractor_id = $2 OR NOT $3)";
    let arguments = || [pair.match_id.into(), pair.me.into(), yes.into(), moment(now).into()];
    db::execute(ANSWER, &arguments())?;
    db::execute(WITHDRAW, &arguments())?;
    if yes { exchange(pair, now) } else { Ok(false) }
}

/// Lets both have the other's contacts: once, when both have said yes, both still agree to
/// introductions and receive messages, neither has blocked the other, and the event is on. All of
/// it is read here, after the locks.
fn exchange(pair: &Pair, now: i64) -> Outcome<bool> {
    const EXCHANGE: &str = "
        UPDATE convene.event_peer_matches p SET contacts_exchanged_at = $2
          FROM convene.contractors c, convene.contractors d,
               convene.event_attendees a, convene.event_attendees b
         WHERE p.id = $1 AND p.contacts_exchanged_at IS NULL
           AND p.contractor1_response AND p.contractor2_response
           AND c.id = p.contractor1_id AND d.id = p.contractor2_id
           AND c.messages_stopped_at IS NULL AND d.messages_stopped_at IS NULL
           AND a.event_id = p.event_id AND a.contractor_id = c.id AND convene_private.takes_part(a.peer_matching_opt_in, a.attendee_id)
           AND b.event_id = p.event_id AND b.contractor_id = d.id AND convene_private.takes_part(b.peer_matching_opt_in, b.attendee_id)
           AND NOT EXISTS (
             SELECT FROM convene.person_blocks k
              WHERE (k.blocker_profile, k.blocked_profile)
                    IN ((c.profile_id, d.profile_id), (d.profile_id, c.profile_id)))
        RETURNING 1";
    if pair.over
        || db::write(EXCHANGE, &[pair.match_id.into(), moment(now).into()], |_| Ok(()))?.is_empty()
    {
        return Ok(false);
    }
    let both = [pair.me, pair.peer].map(|contractor| Said {
        contractor,
        event: Some(pair.event_id),
        match_id: Some(pair.match_id),
        phase: Phase::ContactExchange,
        parameters: json!({}),
    });
    say(&both, now)?;
    Ok(true)
}

/// An answer that came another way answers what was asked by message.
fn close_questions(pair: &Pair, yes: bool, now: i64) -> Outcome<()> {
    const CLOSE: &str = "
        UPDATE convene.peer_messages m SET closed_at = $4, answer = CASE WHEN $3 THEN 'yes' ELSE 'no' END
         WHERE m.match_id = $1 AND m.contractor_id = $2 AND m.closed_at IS NULL
           AND m.status IN ('queued', 'sent')
           AND m.kind IN ('introduction', 'arrival', 'break', 'lunch', 'networking')";
    db::execute(CLOSE, &[pair.match_id.into(), pair.me.into(), yes.into(), moment(now).into()])?;
    Ok(())
}

/// A yes that nothing came of lapses with the event.
pub fn lapse(match_id: pgrx::Uuid) -> Outcome<()> {
    const LAPSE: &str = "
        UPDATE convene.event_peer_matches p
           SET contractor1_response = nullif(p.contractor1_response, true),
               contractor2_response = nullif(p.contractor2_response, true)
         WHERE p.id = $1 AND p.contacts_exchanged_at IS NULL
           AND (p.contractor1_response OR p.contractor2_response)";
    db::execute(LAPSE, &[match_id.into()])?;
    Ok(())
}

/// Notes a rating, which also says that the two have met.
pub fn rate(match_id: pgrx::Uuid, me: pgrx::Uuid, rating: u8) -> Outcome<()> {
    const RATE: &str = "
        UPDATE convene.event_peer_matches p
           SET rating_contractor1 = CASE WHEN p.contractor1_id = $2 THEN $3 ELSE p.rating_contractor1 END,
               rating_contractor2 = CASE WHEN p.contractor2_id = $2 THEN $3 ELSE p.rating_contractor2 END,
               connection_made = true
         WHERE p.id = $1 AND $2 IN (p.contractor1_id, p.contractor2_id)";
    if db::execute(RATE, &[match_id.into(), me.into(), i32::from(rating).into()])? == 0 {
        return invalid("the match is gone", "", "");
    }
    Ok(())
}
