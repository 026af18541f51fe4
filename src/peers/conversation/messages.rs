//! What contractors write, and what comes of it.

use convene_engine::conversation::{
    Effect, MOST_LETTERS, Phase, Question, REPEAT_SECONDS, Step, Word, now_in, same_number, step,
    understand,
};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::responses::{self, Pair, answer, lapse, people_of, read_pair};
use super::{Said, asking, limits, lock_people, places, say, working_moment};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::moments::{micros, moment};
use crate::owner::{require_service, with_owner};

/// Takes a message that a contractor sent: understands it, does what it says, answers it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn handle_peer_message(
    p_phone: Option<String>,
    p_body: Option<String>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
    p_external_id: default!(Option<String>, "NULL"),
) -> pgrx::JsonB {
    handle(p_phone, p_body, p_now, p_external_id).or_raise()
}

fn handle(
    phone: Option<String>,
    body: Option<String>,
    now: Option<TimestampWithTimeZone>,
    external_id: Option<String>,
) -> Outcome<pgrx::JsonB> {
    require_service("pass on what contractors write")?;
    let phone = required(phone, "p_phone")?;
    let body = required(body, "p_body")?;
    let now = working_moment(now, true)?;
    let written = same_number(&phone);
    if written.is_empty() || phone.len() > 100 {
        return invalid(
            format!(
                "p_phone {:?} is not a phone number",
                phone.chars().take(40).collect::<String>()
            ),
            "",
            "Pass the sender's number as the messaging service gives it, such as '+15550100199'.",
        );
    }
    if external_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 400) {
        return invalid(
            "p_external_id is not an id",
            "",
            "Pass the messaging service's id of this message, or leave it out.",
        );
    }
    with_owner(|| {
        let Some(id) = receive(&phone, &body, now, external_id.as_deref())? else {
            return repeated(external_id.as_deref());
        };
        let senders = db::write(SENDERS, &[written.clone().into()], |row| row.want(1))?;
        let told = match senders.as_slice() {
            [sender] => converse(id, *sender, understand(&body), now)?,
            [] => nobody(id, "unknown_sender")?,
            // Whose word would it be? Nothing is done on either's behalf.
            _ => nobody(id, "ambiguous")?,
        };
        Ok(pgrx::JsonB(told))
    })
}

const SENDERS: &str =
    "SELECT c.id FROM convene.contractors c WHERE c.phone_digits = ANY ($1) ORDER BY c.id LIMIT 2";

/// Keeps the message; nothing if this very delivery is there already.
fn receive(
    phone: &str,
    body: &str,
    now: i64,
    external_id: Option<&str>,
) -> Outcome<Option<pgrx::Uuid>> {
    const RECEIVE: &str = "
        INSERT INTO convene.peer_messages (direction, status, body, phone, external_id, created_at)
        VALUES ('in', 'received', $1, $2, $3, $4)
        ON CONFLICT (external_id) DO NOTHING RETURNING id";
    let body: String = body.chars().take(MOST_LETTERS).collect();
    let arguments = [body.into(), phone.into(), external_id.into(), moment(now).into()];
    Ok(db::write(RECEIVE, &arguments, |row| row.want(1))?.into_iter().next())
}

/// What a delivery that comes again was understood as the first time.
fn repeated(external_id: Option<&str>) -> Outcome<pgrx::JsonB> {
    const FIRST: &str = "
        SELECT m.id, m.understood, m.contractor_id, m.match_id
          FROM convene.peer_messages m WHERE m.external_id = $1";
    let text = |id: Option<pgrx::Uuid>| id.map(|id| id.to_string());
    let found = db::write(FIRST, &[external_id.into()], |row| {
        Ok(json!({
            "message_id": text(row.get(1)?), "understood": row.get::<String>(2)?,
            "contractor_id": text(row.get(3)?), "match_id": text(row.get(4)?), "question": null,
            "replies": [], "contacts_exchanged": false, "repeated": true,
        }))
    })?;
    Ok(pgrx::JsonB(found.into_iter().next().unwrap_or_default()))
}

fn nobody(id: pgrx::Uuid, understood: &str) -> Outcome<Value> {
    const NOTE: &str = "UPDATE convene.peer_messages SET understood = $2 WHERE id = $1";
    db::execute(NOTE, &[id.into(), understood.into()])?;
    Ok(json!({
        "message_id": id.to_string(), "understood": understood, "contractor_id": null, "match_id": null,
        "question": null, "replies": [], "contacts_exchanged": false, "repeated": false,
    }))
}

/// The question that is open to a person, or the yes of theirs that still waits.
#[derive(Clone)]
struct Open {
    id: Option<pgrx::Uuid>,
    phase: Option<Phase>,
    event: pgrx::Uuid,
    match_id: Option<pgrx::Uuid>,
    queued: i64,
    handed_out: bool,
}

const OPEN: &str = "
    SELECT m.id, m.kind, m.event_id, m.match_id, coalesce(m.queued_at, m.created_at), m.body IS NOT NULL
      FROM convene.peer_messages m
     WHERE m.contractor_id = $1 AND m.is_prompt AND m.closed_at IS NULL AND m.status IN ('queued', 'sent')
       AND m.event_id IS NOT NULL";

/// The latest yes that nothing came of yet.
const PENDING: &str = "
    SELECT NULL::uuid, NULL::text, p.event_id, p.id,
           coalesce(CASE p.contractor1_id WHEN $1 THEN p.contractor1_responded_at ELSE p.contractor2_responded_at END, p.updated_at), true
      FROM convene.event_peer_matches p
     WHERE $1 IN (p.contractor1_id, p.contractor2_id) AND p.contacts_exchanged_at IS NULL
       AND CASE p.contractor1_id WHEN $1 THEN p.contractor1_response ELSE p.contractor2_response END
     ORDER BY 5 DESC, p.id LIMIT 1";

fn open(contractor: pgrx::Uuid) -> Outcome<Option<Open>> {
    for sql in [OPEN, PENDING] {
        let found = db::write(sql, &[contractor.into()], |row| {
            Ok(Open {
                id: row.get(1)?,
                phase: row.get::<String>(2)?.as_deref().and_then(Phase::parse),
                event: row.want(3)?,
                match_id: row.get(4)?,
                queued: micros(row.want(5)?),
                handed_out: row.want(6)?,
            })
        })?;
        if let Some(first) = found.into_iter().next() {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

/// The open question with everybody locked whom an answer concerns. What is open is read again
/// after the locks: it may have been answered meanwhile.
fn locked_open(contractor: pgrx::Uuid) -> Outcome<Option<Open>> {
    let mut seen = open(contractor)?;
    loop {
        let matched = seen.as_ref().and_then(|open| open.match_id);
        let mut people = matched.map_or(Ok(Vec::new()), people_of)?;
        if people.is_empty() {
            people.push(contractor);
        }
        lock_people(&people)?;
        let now = open(contractor)?;
        if now.as_ref().and_then(|open| open.match_id) == matched {
            return Ok(now);
        }
        seen = now;
    }
}

/// A message of a known sender.
struct Message {
    id: pgrx::Uuid,
    sender: pgrx::Uuid,
    word: Word,
    now: i64,
}

fn converse(id: pgrx::Uuid, sender: pgrx::Uuid, word: Word, now: i64) -> Outcome<Value> {
    let message = Message { id, sender, word, now };
    let mut open = locked_open(sender)?;
    // The other one left: there is nobody to say yes or no to, and nothing else is answered by it.
    let mut gone = false;
    if let Some(Open { id: Some(question), match_id: None, .. }) = open {
        close(question, None, now)?;
        (open, gone) = (None, true);
    }
    let pair = match open.as_ref().and_then(|open| open.match_id) {
        Some(match_id) => Some(read_pair(match_id, sender, now)?),
        None => None,
    };
    if let (Some(asked), Some(pair)) = (&open, &pair)
        && pair.over
        && asked.phase.is_none_or(Phase::asks_to_meet)
    {
        expire(asked, pair, now)?;
        open = None;
    }
    let question = open.as_ref().and_then(|open| open.phase).and_then(Question::of);
    let repeated = is_repetition(&message, open.as_ref())?;
    let mut taken = if repeated {
        Step { effect: Effect::None, reply: None }
    } else {
        step(word, question, open.is_some(), is_stopped(sender)?)
    };
    if gone && matches!(word, Word::No | Word::Later | Word::Skip) {
        taken.reply = None;
    }
    if taken.effect == Effect::Accept && !pair.as_ref().is_some_and(|pair| pair.consents) {
        taken = Step { effect: Effect::None, reply: Some(Phase::Help) };
    }
    let done = act(&message, taken, open.as_ref(), pair.as_ref())?;
    finish(&message, taken, open.as_ref(), &done, repeated)
}

/// The event is over: nobody is asked any more, and what nobody answered is not asked.
fn expire(asked: &Open, pair: &Pair, now: i64) -> Outcome<()> {
    if let Some(id) = asked.id {
        close(id, None, now)?;
    }
    lapse(pair.match_id)
}

/// Closes a question, with its answer if it got one.
fn close(question: pgrx::Uuid, answer: Option<&str>, now: i64) -> Outcome<()> {
    const CLOSE: &str = "
        UPDATE convene.peer_messages SET closed_at = $2, answer = $3
         WHERE id = $1 AND closed_at IS NULL";
    db::execute(CLOSE, &[question.into(), moment(now).into(), answer.into()])?;
    Ok(())
}

fn is_stopped(contractor: pgrx::Uuid) -> Outcome<bool> {
    const STOPPED: &str = "
        SELECT c.messages_stopped_at IS NOT NULL FROM convene.contractors c WHERE c.id = $1";
    Ok(db::write(STOPPED, &[contractor.into()], |row| row.want(1))?.into_iter().next()
        == Some(true))
}

/// The same words a moment after they answered a question come from a finger or a network that
/// stuttered. They do not answer the next question, which has not been read yet.
fn is_repetition(message: &Message, open: Option<&Open>) -> Outcome<bool> {
    const BEFORE: &str = "
        SELECT m.understood, m.question_id IS NOT NULL, m.created_at, m.body = n.body
          FROM convene.peer_messages m, convene.peer_messages n
         WHERE m.contractor_id = $1 AND m.direction = 'in' AND m.id <> $2 AND n.id = $2
         ORDER BY m.created_at DESC, m.updated_at DESC LIMIT 1";
    let before = db::write(BEFORE, &[message.sender.into(), message.id.into()], |row| {
        Ok((row.get::<String>(1)?, row.want::<bool>(2)?, micros(row.want(3)?), row.get::<bool>(4)?))
    })?;
    let Some((word, answered, at, same)) = before.into_iter().next() else { return Ok(false) };
    let soon = (0.0..=REPEAT_SECONDS * 1e6).contains(&((message.now - at) as f64));
    let unread =
        open.is_none_or(|open| open.id.is_none() || (!open.handed_out && open.queued >= at));
    let again = same == Some(true) && word.as_deref() == Some(message.word.name());
    Ok(again && answered && soon && unread && !matches!(message.word, Word::Rating(_)))
}

/// What came of a message.
struct Done {
    exchanged: bool,
    reply: Option<Phase>,
}

/// Does what a step says, and says it.
fn act(message: &Message, taken: Step, open: Option<&Open>, pair: Option<&Pair>) -> Outcome<Done> {
    let Message { sender, now, .. } = *message;
    let mut reply = taken.reply;
    let mut parameters = json!({});
    let mut exchanged = false;
    let mut about = open.map(|open| (open.event, open.match_id));
    let answered = |text: &str| match open.and_then(|open| open.id) {
        Some(question) => close(question, Some(text), now),
        None => Ok(()),
    };
    match (taken.effect, pair) {
        (Effect::Accept, Some(pair)) => {
            answered("yes")?;
            exchanged = answer(pair, true, now)?;
        }
        (Effect::Decline | Effect::TakeBack, Some(pair)) => {
            answered("no")?;
            answer(pair, false, now)?;
        }
        (Effect::Postpone, Some(pair)) => {
            answered("later")?;
            match postpone(pair, now)? {
                Some(time) => parameters = json!({"next_break": time}),
                None => reply = Some(Phase::Skipped),
            }
        }
        (Effect::Skip, _) => answered("skip")?,
        (Effect::Rate(given), Some(pair)) => {
            answered(&given.to_string())?;
            responses::rate(pair.match_id, sender, given)?;
        }
        (Effect::Close, _) => answered(message.word.name())?,
        (Effect::OptOut | Effect::OptIn | Effect::Stop, _) => {
            about = consent(taken.effect, sender, now)?.map(|event| (event, None));
        }
        _ => {}
    }
    if reply == Some(Phase::Help) && helped_enough(sender, now)? {
        reply = None;
    }
    if exchanged {
        // Both have been told already, and more than that.
        return Ok(Done { exchanged, reply: Some(Phase::ContactExchange) });
    }
    if let Some(phase) = reply {
        let (event, match_id) =
            about.map_or((None, None), |(event, matched)| (Some(event), matched));
        say(&[Said { contractor: sender, event, match_id, phase, parameters }], now)?;
    }
    Ok(Done { exchanged, reply })
}

/// Puts a match that was put off in line for the next break; when that begins, in local time.
fn postpone(pair: &Pair, now: i64) -> Outcome<Option<String>> {
    const ASK: &str = "
        INSERT INTO convene.peer_messages
               (event_id, contractor_id, match_id, direction, kind, status, due_at, created_at)
        VALUES ($1, $2, $3, 'out', $4, 'waiting', $5, $6)";
    const LOCAL: &str = "
        SELECT pg_catalog.to_char($2 AT TIME ZONE e.time_zone, 'HH24:MI') FROM convene.events e WHERE e.id = $1";
    let times = places::of_events(&[pair.event_id])?.remove(&pair.event_id).unwrap_or_default();
    let gap = limits()?.gap;
    let earliest = asking::last_prompt(pair.me)?.map_or(now, |last| last + gap);
    let Some(slot) = now_in(&times, now, earliest).next else { return Ok(None) };
    let arguments = [
        pair.event_id.into(),
        pair.me.into(),
        pair.match_id.into(),
        slot.context.name().into(),
        moment(slot.at).into(),
        moment(now).into(),
    ];
    db::execute(ASK, &arguments)?;
    let local = [pair.event_id.into(), moment(slot.starts).into()];
    Ok(db::write(LOCAL, &local, |row| row.want(1))?.into_iter().next())
}

/// Gives or takes back consent, for every event or for all messages. What is under way goes by
/// trigger. Returns the event that the answer is about: the one that is on, or comes next.
fn consent(effect: Effect, sender: pgrx::Uuid, now: i64) -> Outcome<Option<pgrx::Uuid>> {
    const OUT: &str = "
        UPDATE convene.event_attendees a SET peer_matching_opt_in = false
         WHERE a.contractor_id = $1 AND a.peer_matching_opt_in";
    const IN: &str = "
        UPDATE convene.event_attendees a SET peer_matching_opt_in = true
          FROM convene.events e
         WHERE a.contractor_id = $1 AND NOT a.peer_matching_opt_in AND e.id = a.event_id
           AND e.status <> 'cancelled' AND coalesce(e.end_at, 'infinity') > $2";
    const RESUME: &str = "
        UPDATE convene.contractors SET messages_stopped_at = NULL
         WHERE id = $1 AND messages_stopped_at IS NOT NULL";
    const STOP: &str = "
        UPDATE convene.contractors SET messages_stopped_at = $2
         WHERE id = $1 AND messages_stopped_at IS NULL";
    const OTHER_MESSAGES: &str = "
        UPDATE convene.outbox o
           SET status = 'cancelled', processed_at = pg_catalog.now(), last_error = 'consent was taken back'
         WHERE o.id IN (SELECT w.id FROM convene.outbox w JOIN convene.contractors c ON c.profile_id = w.profile_id
                         WHERE c.id = $1 AND w.topic = 'sms' AND w.status = 'pending'
                         FOR UPDATE OF w SKIP LOCKED)";
    const NEAREST: &str = "
        SELECT e.id FROM convene.event_attendees a JOIN convene.events e ON e.id = a.event_id
         WHERE a.contractor_id = $1
         ORDER BY coalesce(e.end_at, 'infinity') > $2 DESC, e.start_at, e.id LIMIT 1";
    let arguments = || [sender.into(), moment(now).into()];
    match effect {
        Effect::OptOut => {
            db::execute(OUT, &[sender.into()])?;
        }
        Effect::OptIn => {
            db::execute(RESUME, &[sender.into()])?;
            db::execute(IN, &arguments())?;
        }
        _ => {
            db::execute(STOP, &arguments())?;
            db::execute(OTHER_MESSAGES, &[sender.into()])?;
            return Ok(None);
        }
    }
    Ok(db::write(NEAREST, &arguments(), |row| row.want(1))?.into_iter().next())
}

/// Whether this person got so many help lines in the last hour that something must be wrong.
fn helped_enough(sender: pgrx::Uuid, now: i64) -> Outcome<bool> {
    const HELPED: &str = "
        SELECT count(*)::int FROM convene.peer_messages m
         WHERE m.contractor_id = $1 AND m.kind = 'help'
           AND m.created_at > $2 - '1 hour'::pg_catalog.interval AND m.created_at <= $2";
    let helped = db::write(HELPED, &[sender.into(), moment(now).into()], |row| row.want::<i32>(1))?;
    Ok(helped.first().is_some_and(|count| *count >= limits().map_or(0, |l| l.help_per_hour)))
}

/// Notes what the message was, lets the next question out, and tells the caller.
fn finish(
    message: &Message,
    taken: Step,
    open: Option<&Open>,
    done: &Done,
    repeated: bool,
) -> Outcome<Value> {
    const NOTE: &str = "
        UPDATE convene.peer_messages
           SET understood = $2, contractor_id = $3, event_id = $4, match_id = $5, question_id = $6
         WHERE id = $1";
    let answers =
        !matches!(taken.effect, Effect::None | Effect::OptOut | Effect::OptIn | Effect::Stop);
    let about = open.filter(|_| answers);
    let matched = about.and_then(|open| open.match_id);
    db::execute(
        NOTE,
        &[
            message.id.into(),
            message.word.name().into(),
            message.sender.into(),
            about.map(|open| open.event).into(),
            matched.into(),
            about.and_then(|open| open.id).into(),
        ],
    )?;
    asking::promote(&[message.sender], message.now, &limits()?)?;
    Ok(json!({
        "message_id": message.id.to_string(),
        "understood": message.word.name(),
        "contractor_id": message.sender.to_string(),
        "match_id": matched.map(|id| id.to_string()),
        "question": about.and_then(|open| open.phase).map(Phase::name),
        "replies": done.reply.map(Phase::name).into_iter().collect::<Vec<_>>(),
        "contacts_exchanged": done.exchanged,
        "repeated": repeated,
    }))
}
