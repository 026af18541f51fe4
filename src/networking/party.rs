//! The two people of a meeting, and who of them is calling.

use convene_engine::Error;
use convene_engine::scheduling::Span;
use convene_engine::scheduling::life::Status;
use pgrx::prelude::*;

use super::store;
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{Failure, Outcome, not_allowed, not_found, required};
use crate::moments::micros;
use crate::owner::with_owner;

/// On which side a caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// One of the two: the attendee's id.
    Of(pgrx::Uuid),
    /// Who organizes the event, or the service.
    Above,
}

/// A meeting, and the caller's place in it.
#[derive(Clone, Debug)]
pub struct Party {
    /// The meeting.
    pub id: pgrx::Uuid,
    /// Its event.
    pub event_id: pgrx::Uuid,
    /// The match that it came from.
    pub match_id: Option<pgrx::Uuid>,
    /// The two.
    pub attendees: (pgrx::Uuid, pgrx::Uuid),
    /// What it is at the moment that was asked for.
    pub status: Status,
    /// Whose proposal it was.
    pub proposed_by: Option<pgrx::Uuid>,
    /// From and until.
    pub span: Span,
    /// Who is calling.
    pub side: Side,
    /// Whether the caller is the service.
    pub by_service: bool,
}

const PARTY: &str = "
    SELECT g.match_id, g.attendee_1_id, g.attendee_2_id, g.status, g.proposed_by, g.expires_at,
           g.scheduled_start, g.scheduled_end, w.first, w.second, g.event_id
      FROM convene.meetings g
      JOIN convene.attendees a ON a.id = g.attendee_1_id
      JOIN convene.attendees b ON b.id = g.attendee_2_id
     CROSS JOIN LATERAL (SELECT coalesce(a.profile_id = $3 AND a.status <> 'cancelled', false) AS first,
                                coalesce(b.profile_id = $3 AND b.status <> 'cancelled', false) AS second) w
     WHERE g.id = $1
       AND ($2 OR w.first OR w.second OR g.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))";

/// The meeting, if the caller is one of the two, organizes the event, or is the service.
pub fn party(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<Party> {
    let caller = auth::caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("meeting"));
    }
    let id = required(id, "p_meeting_id")?;
    with_owner(|| find(id, caller, now.unwrap_or_else(crate::moments::now)))
}

fn find(id: pgrx::Uuid, caller: Caller, now: TimestampWithTimeZone) -> Outcome<Party> {
    let by_service = caller == Caller::Service;
    let found =
        db::read_one(PARTY, &[id.into(), by_service.into(), caller.person().into()], |row| {
            let attendees = (row.want(2)?, row.want(3)?);
            let side = match (row.want(9)?, row.want(10)?) {
                (true, _) => Side::Of(attendees.0),
                (false, true) => Side::Of(attendees.1),
                (false, false) => Side::Above,
            };
            let expires = row.get::<TimestampWithTimeZone>(6)?.map(micros);
            Ok(Party {
                id,
                event_id: row.want(11)?,
                match_id: row.get(1)?,
                attendees,
                status: Status::of(&row.want::<String>(4)?, expires, micros(now))?,
                proposed_by: row.get(5)?,
                span: (micros(row.want(7)?), micros(row.want(8)?)),
                side,
                by_service,
            })
        })?;
    found.ok_or_else(|| if by_service { not_found("meeting", id) } else { not_allowed("meeting") })
}

impl Party {
    /// The other one of the two.
    pub fn other(&self, attendee: pgrx::Uuid) -> pgrx::Uuid {
        if attendee == self.attendees.0 { self.attendees.1 } else { self.attendees.0 }
    }

    /// Whether its time has come.
    pub fn begun(&self, now: TimestampWithTimeZone) -> bool {
        self.span.0 <= micros(now)
    }

    /// Takes what is taken before a meeting changes, in the order that everybody keeps to (the meeting, its match, the
    /// two people), and reads it again: what it is cannot change until the transaction ends. Runs as the owner of the
    /// data.
    pub fn locked(&self, now: TimestampWithTimeZone) -> Outcome<Self> {
        const MEETING: &str = "SELECT 1 FROM convene.meetings WHERE id = $1 FOR NO KEY UPDATE";
        store::hold(self.event_id)?;
        hold_match(self.match_id)?;
        db::write(MEETING, &[self.id.into()], |_| Ok(()))?;
        lock_match(self.match_id)?;
        lock_people(self.attendees)?;
        // The caller has been authorised and stays on their side.
        let fresh = find(self.id, Caller::Service, now)?;
        Ok(Self { side: self.side, by_service: self.by_service, ..fresh })
    }
}

/// First key of the advisory locks by which what is done with one match and its meetings comes one after the other.
const MATCH_CLASS: i32 = 0x636e_7667;

/// Waits for whatever else is done with a match or a meeting of it, and keeps it out until the transaction ends. Taken
/// before any row: who declines a match would otherwise not see a meeting that is being booked for it. Runs as the owner
/// of the data.
pub fn hold_match(id: Option<pgrx::Uuid>) -> Outcome<()> {
    const HOLD: &str = "
        SELECT pg_catalog.pg_advisory_xact_lock($1, pg_catalog.hashtext($2::text))::text";
    if let Some(id) = id {
        db::write(HOLD, &[MATCH_CLASS.into(), id.into()], |_| Ok(()))?;
    }
    Ok(())
}

/// Keeps a match as it is until the transaction ends. Runs as the owner of the data.
pub fn lock_match(id: Option<pgrx::Uuid>) -> Outcome<()> {
    const MATCH: &str = "SELECT 1 FROM convene.matches WHERE id = $1 FOR NO KEY UPDATE";
    if let Some(id) = id {
        db::write(MATCH, &[id.into()], |_| Ok(()))?;
    }
    Ok(())
}

/// Keeps others from booking these two, and from blocking one of them, until the transaction ends. Runs as the owner
/// of the data.
pub fn lock_people(attendees: (pgrx::Uuid, pgrx::Uuid)) -> Outcome<()> {
    lock_all(&[attendees.0, attendees.1])
}

/// The same for many.
pub fn lock_all(attendees: &[pgrx::Uuid]) -> Outcome<()> {
    const ATTENDEES: &str =
        "SELECT 1 FROM convene.attendees a WHERE a.id = ANY ($1) ORDER BY a.id FOR KEY SHARE";
    const PEOPLE: &str = "
        SELECT 1 FROM (SELECT convene_private.lock_people(ARRAY(
            SELECT coalesce(a.profile_id, a.id) FROM convene.attendees a WHERE a.id = ANY ($1)))) l";
    let ids = attendees.to_vec();
    db::write(ATTENDEES, &[ids.clone().into()], |_| Ok(()))?;
    db::write(PEOPLE, &[ids.into()], |_| Ok(()))?;
    Ok(())
}

/// Two attendees of one event, as far as their meeting is concerned.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The event.
    pub event_id: pgrx::Uuid,
    /// The match of the two, and whether both have accepted it.
    pub matched: Option<(pgrx::Uuid, bool)>,
    /// Whether the caller is the first, the second.
    pub own: (bool, bool),
    /// Whether the caller organizes the event or is the service.
    pub above: bool,
    /// Why they cannot meet, whoever asks for it.
    pub hindrance: Option<Hindrance>,
}

/// Why two attendees cannot meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// One of them does not want to meet the other.
    Blocked,
    /// A registration was cancelled.
    Gone,
    /// The event was.
    CalledOff,
}

const PAIR: &str = "
    SELECT a.event_id, m.id, m.status = 'mutual_accepted',
           coalesce(a.profile_id = $4 AND a.status <> 'cancelled', false),
           coalesce(b.profile_id = $4 AND b.status <> 'cancelled', false),
           $3 OR a.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())),
           a.status <> 'cancelled' AND b.status <> 'cancelled',
           EXISTS (SELECT FROM convene.person_blocks x
                    WHERE (x.blocker_profile = a.profile_id AND x.blocked_profile = b.profile_id)
                       OR (x.blocker_profile = b.profile_id AND x.blocked_profile = a.profile_id)),
           e.status = 'cancelled'
      FROM convene.attendees a
      JOIN convene.attendees b ON b.event_id = a.event_id
      JOIN convene.events e ON e.id = a.event_id
      LEFT JOIN convene.matches m ON m.event_id = a.event_id AND m.attendee_1_id = least(a.id, b.id)
                                 AND m.attendee_2_id = greatest(a.id, b.id)
     WHERE a.id = $1 AND b.id = $2";

/// What stands between two attendees, whoever they are to the caller. Runs as the owner of the data.
pub fn pair(one: pgrx::Uuid, two: pgrx::Uuid, caller: Caller) -> Outcome<Option<Pair>> {
    let by_service = caller == Caller::Service;
    let arguments = [one.into(), two.into(), by_service.into(), caller.person().into()];
    db::read_one(PAIR, &arguments, |row| {
        let matched = row.get(2)?.map(|id| Ok((id, row.want(3)?))).transpose();
        let matched: Outcome<Option<(pgrx::Uuid, bool)>> = matched;
        Ok(Pair {
            event_id: row.want(1)?,
            matched: matched?,
            own: (row.want(4)?, row.want(5)?),
            above: row.want(6)?,
            hindrance: match (row.want(8)?, row.want(7)?, row.want(9)?) {
                (true, _, _) => Some(Hindrance::Blocked),
                (_, false, _) => Some(Hindrance::Gone),
                (_, _, true) => Some(Hindrance::CalledOff),
                _ => None,
            },
        })
    })
}

impl Pair {
    /// Whether the two themselves may arrange something: both accepted, nobody blocked, both are there.
    pub fn is_mutual(&self) -> bool {
        self.matched.is_some_and(|(_, mutual)| mutual)
            && matches!(self.hindrance, None | Some(Hindrance::CalledOff))
    }

    /// Refuses what an organizer may not bring together either.
    pub fn require_possible(&self) -> Outcome<()> {
        let message = match self.hindrance {
            None => return Ok(()),
            Some(Hindrance::Blocked) => "these two cannot be brought together",
            Some(Hindrance::Gone) => "one of the two does not attend any more",
            Some(Hindrance::CalledOff) => "the event was cancelled",
        };
        Err(Failure(Error::WrongState {
            message: message.into(),
            detail: String::new(),
            hint: "Choose somebody else.".into(),
        }))
    }
}

/// The two, if the caller may arrange something between them: one of the two where both accepted the match and nobody
/// blocked the other, who organizes the event, or the service. `first_only`: a person must be the first of them.
pub fn arrangeable(
    one: Option<pgrx::Uuid>,
    two: Option<pgrx::Uuid>,
    parameters: (&str, &str),
    first_only: bool,
) -> Outcome<Pair> {
    let caller = auth::caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("attendee"));
    }
    let one = required(one, parameters.0)?;
    let two = required(two, parameters.1)?;
    if one == two {
        // Of oneself this says nothing new; of others it must not say that they exist.
        auth::attendee(Some(one))?;
        return crate::error::invalid(
            format!("{} and {} are the same attendee", parameters.0, parameters.1),
            "",
            "Name two attendees.",
        );
    }
    let found = with_owner(|| pair(one, two, caller))?;
    if let Some(pair) = &found
        && (pair.above || (pair.is_mutual() && (pair.own.0 || (pair.own.1 && !first_only))))
    {
        return Ok(pair.clone());
    }
    if caller != Caller::Service {
        return Err(not_allowed("attendee"));
    }
    let first = auth::attendee(Some(one))?;
    let second = auth::attendee(Some(two))?;
    crate::error::invalid(
        format!("attendees {} and {} are of different events", first.id, second.id),
        "",
        "Name two attendees of one event.",
    )
}
