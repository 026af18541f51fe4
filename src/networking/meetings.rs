//! Meetings come about: proposed by one of the two, or set by who organizes the event.

use convene_engine::Error;
use convene_engine::scheduling::life::{Act, DURATION, MOST_OPEN_PROPOSALS, Status, lapses_at};
use convene_engine::scheduling::{MINUTE, Span};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::calendars;
use super::party::{self, Pair, Side, arrangeable, hold_match, lock_match, lock_people};
use super::retry::retryable;
use super::store;
use crate::auth::{self, Caller};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, required, within};
use crate::moments::{finite, micros, moment};
use crate::owner::with_owner;

/// Characters of a title.
const TITLE_CHARS: usize = 300;
/// Bytes of what is said about the place.
const LOCATION_BYTES: usize = 10_000;
const KINDS: [&str; 4] = ["networking", "business", "mentorship", "casual"];
const PLACES: [&str; 3] = ["virtual", "onsite", "hybrid"];

/// A meeting that somebody wants.
pub struct Wish<'a> {
    /// Who asks: their time is held.
    pub from: pgrx::Uuid,
    /// Whom.
    pub to: pgrx::Uuid,
    /// When.
    pub span: Span,
    /// What it is called; none: after the two.
    pub title: Option<&'a str>,
    /// networking, business, mentorship or casual.
    pub kind: &'a str,
    /// virtual, onsite or hybrid.
    pub place: &'a str,
    /// Room and table, or a link.
    pub details: Value,
    /// Whether it is set rather than proposed.
    pub agreed: bool,
    /// Now.
    pub now: TimestampWithTimeZone,
}

/// Proposes a meeting for a match that both have accepted, for `accept_match`. The match is locked by the caller, whom
/// it has authorised as `proposer`, one of its two attendees. Answers the id of the meeting: a new proposal, or the
/// meeting that the two already have at exactly that time.
///
/// Refuses a start that has passed or a length outside 1 to 480 minutes (22023), a time that does not suit one of the
/// two (23P01, with the next one that does), a full day or three open proposals at the other side (55000), and tells
/// nothing else of why two do not meet (42501). Runs as the owner of the data.
pub fn propose(
    match_id: pgrx::Uuid,
    proposer: pgrx::Uuid,
    start: TimestampWithTimeZone,
    minutes: i32,
    now: TimestampWithTimeZone,
) -> Outcome<pgrx::Uuid> {
    const OTHER: &str = "
        SELECT CASE m.attendee_1_id WHEN $2 THEN m.attendee_2_id ELSE m.attendee_1_id END
          FROM convene.matches m WHERE m.id = $1";
    let other = db::read_one(OTHER, &[match_id.into(), proposer.into()], |row| row.want(1))?;
    let wish = Wish {
        from: proposer,
        to: other.ok_or_else(|| not_allowed("match"))?,
        span: ahead(Some(start), Some(minutes), "p_preferred_time", now)?,
        title: None,
        kind: "networking",
        place: "virtual",
        details: json!({}),
        agreed: false,
        now,
    };
    book(&wish).map(|booked| booked.id)
}

/// What became of a wish.
struct Booked {
    id: pgrx::Uuid,
    status: Status,
    expires_at: Option<TimestampWithTimeZone>,
    match_id: Option<pgrx::Uuid>,
}

/// A time that begins later than now and has a length that meetings have.
pub fn ahead(
    start: Option<TimestampWithTimeZone>,
    minutes: Option<i32>,
    parameter: &str,
    now: TimestampWithTimeZone,
) -> Outcome<Span> {
    let start = finite(start, parameter)?;
    let minutes = within(minutes, DURATION.0, DURATION.1, "p_duration_minutes")?;
    if micros(start) <= micros(now) {
        return invalid(
            format!("{parameter} {} is not ahead", start.to_iso_string()),
            "A meeting begins later than now.",
            "Pass a moment that is still to come.",
        );
    }
    let end = micros(start).saturating_add(minutes as i64 * MINUTE);
    Ok((micros(start), end))
}

/// A meeting of these two at exactly this time, which a second call finds instead of making another one.
const SAME: &str = "
    SELECT g.id, g.status, g.proposed_by, g.expires_at, g.match_id
      FROM convene.meetings g
     WHERE ((g.attendee_1_id = $1 AND g.attendee_2_id = $2) OR (g.attendee_1_id = $2 AND g.attendee_2_id = $1))
       AND g.scheduled_start = $3 AND g.scheduled_end = $4
       AND (g.status IN ('scheduled', 'confirmed', 'in_progress') OR (g.status = 'proposed' AND g.expires_at > $5))
     ORDER BY g.status = 'proposed', g.id LIMIT 1";

fn same(wish: &Wish<'_>) -> Outcome<Option<(Booked, Option<pgrx::Uuid>)>> {
    let arguments = [
        wish.from.into(),
        wish.to.into(),
        moment(wish.span.0).into(),
        moment(wish.span.1).into(),
        wish.now.into(),
    ];
    db::read_one(SAME, &arguments, |row| {
        let expires_at = row.get::<TimestampWithTimeZone>(4)?;
        let status = Status::of(&row.want::<String>(2)?, expires_at.map(micros), micros(wish.now))?;
        let booked = Booked { id: row.want(1)?, status, expires_at, match_id: row.get(5)? };
        Ok((booked, row.get(3)?))
    })
}

/// Books what is wished, or finds it booked. Whoever calls has locked the match, or comes before anything is locked.
fn book(wish: &Wish<'_>) -> Outcome<Booked> {
    let pair = lock(wish)?;
    if let Some((found, by)) = same(wish)? {
        if found.status.is_agreed() || (!wish.agreed && by == Some(wish.from)) {
            return Ok(found);
        }
        // The other side proposed just this: saying the same is saying yes.
        return confirm(found, wish);
    }
    if !wish.agreed {
        require_room_for_a_proposal(wish)?;
    }
    let people = calendars::around(&[wish.from, wish.to], wish.span, wish.now, None)?;
    calendars::require_free(&people, wish.span, (!wish.agreed).then_some(wish.from))?;
    insert(wish, &pair, &people)
}

/// Takes the locks in the order that everybody keeps to, and looks again at what stands between the two.
fn lock(wish: &Wish<'_>) -> Outcome<Pair> {
    let of = || party::pair(wish.from, wish.to, Caller::Service);
    let gone = || not_allowed("attendee");
    let known = of()?.ok_or_else(gone)?;
    let match_id = known.matched.map(|(id, _)| id);
    store::hold(known.event_id)?;
    hold_match(match_id)?;
    lock_match(match_id)?;
    lock_people((wish.from, wish.to))?;
    let pair = of()?.ok_or_else(gone)?;
    if !wish.agreed && !pair.is_mutual() {
        return Err(gone());
    }
    pair.require_possible()?;
    Ok(pair)
}

/// A proposal is not waited for here: whoever holds it may be waiting for the people that we hold.
fn confirm(found: Booked, wish: &Wish<'_>) -> Outcome<Booked> {
    const HOLD: &str = "SELECT 1 FROM convene.meetings WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
    const CONFIRM: &str = "UPDATE convene.meetings SET status = $2 WHERE id = $1";
    if db::write(HOLD, &[found.id.into()], |_| Ok(()))?.is_empty() {
        return Err(Failure(Error::Retry {
            message: "this proposal is being answered at this moment".into(),
            hint: "Try again.".into(),
        }));
    }
    let people = calendars::around(&[wish.from, wish.to], wish.span, wish.now, Some(found.id))?;
    calendars::require_free(&people, wish.span, (!wish.agreed).then_some(wish.from))?;
    let status = found.status.after(Act::Confirm, false)?;
    let status = if wish.agreed { Status::Scheduled } else { status };
    db::execute(CONFIRM, &[found.id.into(), status.word().into()])?;
    Ok(Booked { status, ..found })
}

fn require_room_for_a_proposal(wish: &Wish<'_>) -> Outcome<()> {
    open_proposals(wish.to, None, wish.now)
}

/// Refuses a proposal to somebody for whom as many are waiting as may. The person is locked. Runs as the owner of the
/// data.
pub fn open_proposals(
    to: pgrx::Uuid,
    except: Option<pgrx::Uuid>,
    now: TimestampWithTimeZone,
) -> Outcome<()> {
    const OPEN: &str = "
        SELECT count(*) FROM convene.meetings g
         WHERE (g.attendee_1_id = $1 OR g.attendee_2_id = $1) AND g.proposed_by <> $1
           AND g.status = 'proposed' AND g.expires_at > $2 AND g.id IS DISTINCT FROM $3";
    let open = db::read_one(OPEN, &[to.into(), now.into(), except.into()], |row| row.want(1))?;
    let open: i64 = open.unwrap_or_default();
    if open < MOST_OPEN_PROPOSALS {
        return Ok(());
    }
    Err(Failure(Error::WrongState {
        message: format!("attendee {to} has {open} open proposals already"),
        detail: format!("At most {MOST_OPEN_PROPOSALS} wait for a person at a time."),
        hint: "Try again when one of them was answered or has lapsed.".into(),
    }))
}

fn insert(wish: &Wish<'_>, pair: &Pair, people: &[calendars::Person]) -> Outcome<Booked> {
    const INSERT: &str = "
        INSERT INTO convene.meetings (event_id, match_id, attendee_1_id, attendee_2_id, title, meeting_type,
               scheduled_start, scheduled_end, location_type, location_details, status, proposed_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        RETURNING id";
    let title = match (wish.title, people) {
        (Some(title), _) => title.to_owned(),
        (None, [one, two, ..]) => format!("{} and {}", one.name, two.name),
        (None, _) => "Meeting".to_owned(),
    };
    let status = if wish.agreed { Status::Scheduled } else { Status::Proposed };
    let expires_at = (!wish.agreed).then(|| moment(lapses_at(micros(wish.now), wish.span.0)));
    let match_id = pair.matched.map(|(id, _)| id);
    let made = db::write(
        INSERT,
        &[
            pair.event_id.into(),
            match_id.into(),
            wish.from.into(),
            wish.to.into(),
            title.into(),
            wish.kind.into(),
            moment(wish.span.0).into(),
            moment(wish.span.1).into(),
            wish.place.into(),
            pgrx::JsonB(wish.details.clone()).into(),
            status.word().into(),
            (!wish.agreed).then_some(wish.from).into(),
            expires_at.into(),
        ],
        |row| row.want(1),
    )?;
    let id = made.into_iter().next().ok_or_else(|| not_allowed("meeting"))?;
    Ok(Booked { id, status, expires_at, match_id })
}

/// Proposes a meeting to somebody, or sets one.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn schedule_meeting(
    p_attendee_1: Option<pgrx::Uuid>,
    p_attendee_2: Option<pgrx::Uuid>,
    p_start_time: Option<TimestampWithTimeZone>,
    p_duration_minutes: default!(Option<i32>, "15"),
    p_title: default!(Option<&str>, "NULL"),
    p_meeting_type: default!(Option<&str>, "'networking'"),
    p_location_type: default!(Option<&str>, "'virtual'"),
    p_location_details: default!(Option<Document>, "'{}'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let asked = (p_attendee_1, p_attendee_2);
    let texts = (p_title, p_meeting_type, p_location_type, p_location_details);
    schedule(asked, p_start_time, p_duration_minutes, texts, p_now).or_raise()
}

type Texts<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<Document>);

fn schedule(
    (one, two): (Option<pgrx::Uuid>, Option<pgrx::Uuid>),
    start: Option<TimestampWithTimeZone>,
    minutes: Option<i32>,
    (title, kind, place, details): Texts<'_>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let pair = arrangeable(one, two, ("p_attendee_1", "p_attendee_2"), true)?;
    let now = auth::moment(now, auth::caller()? == Caller::Service)?;
    let side = if pair.own.0 { one.map_or(Side::Above, Side::Of) } else { Side::Above };
    let wish = Wish {
        from: required(one, "p_attendee_1")?,
        to: required(two, "p_attendee_2")?,
        span: ahead(start, minutes, "p_start_time", now)?,
        title: title.map(checked_title).transpose()?,
        kind: one_of(kind, &KINDS, "p_meeting_type")?,
        place: one_of(place, &PLACES, "p_location_type")?,
        details: location(details)?,
        agreed: side == Side::Above,
        now,
    };
    if side != Side::Above && !pair.is_mutual() {
        return Err(not_allowed("attendee"));
    }
    let booked = retryable(|| with_owner(|| book(&wish)))?;
    Ok(pgrx::JsonB(json!({
        "meeting_id": booked.id.to_string(),
        "match_id": booked.match_id.map(|id| id.to_string()),
        "status": booked.status.word(),
        "scheduled_start": moment(wish.span.0).to_iso_string(),
        "scheduled_end": moment(wish.span.1).to_iso_string(),
        "expires_at": booked.expires_at.filter(|_| booked.status == Status::Proposed).map(ToIsoString::to_iso_string),
    })))
}

fn checked_title(title: &str) -> Outcome<&str> {
    let length = title.chars().count();
    if title.trim().is_empty() || length > TITLE_CHARS {
        return invalid(
            format!("p_title has {length} characters: {title:?}"),
            format!("A title has 1 to {TITLE_CHARS}, and not only blanks."),
            "Leave it out for one that names the two.",
        );
    }
    Ok(title)
}

fn one_of<'a>(word: Option<&'a str>, words: &[&str], parameter: &str) -> Outcome<&'a str> {
    let word = required(word, parameter)?;
    if words.contains(&word) {
        return Ok(word);
    }
    invalid(
        format!("{parameter} is unknown: {word:?}"),
        "",
        format!("Pass one of {}.", words.join(", ")),
    )
}

/// What is said about the place: an object of reasonable size.
pub fn location(details: Option<Document>) -> Outcome<Value> {
    let details = required(details, "p_location_details")?;
    if details.0.len() > LOCATION_BYTES {
        return Err(Failure(Error::TooLarge {
            message: format!("p_location_details has {} bytes", details.0.len()),
            hint: format!("At most {LOCATION_BYTES} are kept."),
        }));
    }
    match details.parse("p_location_details")? {
        object @ Value::Object(_) => Ok(object),
        other => invalid(
            format!("p_location_details is no object: {other}"),
            "",
            r#"Write it like {"room": "Hall A", "table": "5"}."#,
        ),
    }
}
