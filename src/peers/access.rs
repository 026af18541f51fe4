//! Who may act for which contractor, and on which match.

use crate::auth::{self, Caller};
use crate::db;
use crate::error::{Outcome, invalid, not_allowed, required};
use crate::owner::with_owner;

/// A contractor whom the caller may act for.
#[derive(Clone, Copy, Debug)]
pub struct Contractor {
    /// The contractor's id.
    pub id: pgrx::Uuid,
    /// The event in question.
    pub event_id: pgrx::Uuid,
    /// Whether the caller is the contractor.
    pub own: bool,
    /// Who called.
    pub caller: Caller,
}

const CONTRACTOR: &str = "
    SELECT ea.event_id IS NOT NULL, coalesce(c.profile_id = $4, false)
      FROM convene.contractors c
      LEFT JOIN convene.event_attendees ea ON ea.contractor_id = c.id AND ea.event_id = $2
      LEFT JOIN convene.events e ON e.id = ea.event_id
     WHERE c.id = $1
       AND ($3 OR c.profile_id = $4
            OR e.organization_id = ANY (ARRAY(
                 SELECT convene_private.my_managed_organization_ids())))";

/// The contractor at the event, if the caller is that person, organizes the event, or is the service.
pub fn contractor_at(event_id: Option<pgrx::Uuid>, id: Option<pgrx::Uuid>) -> Outcome<Contractor> {
    let (id, caller, found) = look_up(id, event_id)?;
    let Some((there, own)) = found else { return Err(caller.refuse("contractor", id)) };
    let event_id = required(event_id, "p_event_id")?;
    if there {
        return Ok(Contractor { id, event_id, own, caller });
    }
    invalid(
        format!("contractor {id} is not at event {event_id}"),
        "Peers are matched among the contractors of one event.",
        "Pass an event that this contractor takes part in.",
    )
}

/// The contractor, if the caller is that person or the service.
pub fn contractor(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    let (id, caller, found) = look_up(id, None)?;
    if found.is_some() { Ok(id) } else { Err(caller.refuse("contractor", id)) }
}

type Found = (pgrx::Uuid, Caller, Option<(bool, bool)>);

fn look_up(id: Option<pgrx::Uuid>, event_id: Option<pgrx::Uuid>) -> Outcome<Found> {
    let caller = auth::caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("contractor"));
    }
    let id = required(id, "p_contractor_id")?;
    let found = with_owner(|| {
        db::read_one(
            CONTRACTOR,
            &[id.into(), event_id.into(), caller.is_service().into(), caller.person().into()],
            |row| Ok((row.want(1)?, row.want(2)?)),
        )
    })?;
    Ok((id, caller, found))
}

/// A match that the caller may act on.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// The match.
    pub id: pgrx::Uuid,
    /// The two of it.
    pub contractors: (pgrx::Uuid, pgrx::Uuid),
    /// Which of them the caller is, if one.
    pub own: Option<pgrx::Uuid>,
    /// Who called.
    pub caller: Caller,
}

const MATCH: &str = "
    SELECT m.contractor1_id, m.contractor2_id,
           CASE WHEN a.profile_id = $3 THEN a.id WHEN b.profile_id = $3 THEN b.id END
      FROM convene.event_peer_matches m
      JOIN convene.contractors a ON a.id = m.contractor1_id
      JOIN convene.contractors b ON b.id = m.contractor2_id
      JOIN convene.events e ON e.id = m.event_id
     WHERE m.id = $1
       AND ($2 OR a.profile_id = $3 OR b.profile_id = $3
            OR e.organization_id = ANY (ARRAY(
                 SELECT convene_private.my_managed_organization_ids())))";

/// The match, if the caller is one of the two, organizes the event, or is the service.
pub fn peer_match(id: Option<pgrx::Uuid>) -> Outcome<Match> {
    let caller = auth::caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("match"));
    }
    let id = required(id, "p_match_id")?;
    let found = with_owner(|| {
        db::read_one(
            MATCH,
            &[id.into(), caller.is_service().into(), caller.person().into()],
            |row| {
                Ok(Match {
                    id,
                    contractors: (row.want(1)?, row.want(2)?),
                    own: row.get(3)?,
                    caller,
                })
            },
        )
    })?;
    found.ok_or_else(|| caller.refuse("match", id))
}

/// The match, if it is one of this contractor's, and the caller is that contractor or the service:
/// what a person agrees to is theirs alone, and no organizer's. Whether it is the service.
pub fn own_match(
    id: Option<pgrx::Uuid>,
    contractor_id: Option<pgrx::Uuid>,
) -> Outcome<(pgrx::Uuid, pgrx::Uuid, bool)> {
    let contractor_id = contractor(contractor_id)?;
    let found = peer_match(id)?;
    if contractor_id == found.contractors.0 || contractor_id == found.contractors.1 {
        return Ok((found.id, contractor_id, found.caller.is_service()));
    }
    if !found.caller.is_service() {
        return Err(not_allowed("match"));
    }
    invalid(
        format!("contractor {contractor_id} is not one of match {}", found.id),
        "",
        "Pass one of the two contractors of the match.",
    )
}

const MANAGED_MATCH: &str = "
    SELECT m.id
      FROM convene.event_peer_matches m
      JOIN convene.events e ON e.id = m.event_id
     WHERE m.id = $1
       AND ($2 OR e.organization_id = ANY (ARRAY(
                 SELECT convene_private.my_managed_organization_ids())))";

/// The match, if the caller organizes its event or is the service; whether it is the service.
pub fn managed_match(id: Option<pgrx::Uuid>) -> Outcome<(pgrx::Uuid, bool)> {
    let caller = auth::caller()?;
    let id = required(id, "p_match_id")?;
    let found = with_owner(|| {
        db::read_one(MANAGED_MATCH, &[id.into(), caller.is_service().into()], |row| {
            row.want::<pgrx::Uuid>(1)
        })
    })?;
    let id = found.ok_or_else(|| caller.refuse("match", id))?;
    Ok((id, caller.is_service()))
}
