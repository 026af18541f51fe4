//! Whose leads a caller may use: the sponsor's own people, whoever manages the event, the service.

use crate::auth::{Caller, caller};
use crate::db;
use crate::error::{Outcome, not_allowed, not_found, required};
use crate::owner::with_owner;

/// What the caller is to a sponsor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The service.
    Service,
    /// Somebody who acts for the sponsor.
    Own,
    /// Somebody who manages an event of the sponsor.
    Organizer,
}

/// A sponsor that the caller may use.
#[derive(Debug)]
pub struct Sponsor {
    /// The sponsor's id.
    pub id: pgrx::Uuid,
    /// What the caller is to it.
    pub part: Part,
    /// The events whose rows the caller may use; `None` for all of this sponsor.
    pub events: Option<Vec<pgrx::Uuid>>,
}

// For a sponsor of the market the events are those where it has signed.
const SPONSOR: &str = "
    SELECT s.id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())),
           ARRAY(SELECT e.id
                   FROM (SELECT s.event_id
                         UNION SELECT p.event_id FROM convene.event_sponsorships p
                          WHERE p.sponsor_id = s.id AND p.status IN ('confirmed', 'active', 'completed')) e(id)
                  WHERE e.id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))
      FROM convene.sponsors s
     WHERE s.id = $1";
const EXISTS: &str = "SELECT true, '{}'::uuid[] FROM convene.sponsors s WHERE s.id = $1";

/// The refusal for an id: the service hears that nothing has it, others learn nothing.
pub fn refuse(service: bool, what: &str, id: pgrx::Uuid) -> crate::error::Failure {
    if service { not_found(what, id) } else { not_allowed(what) }
}

/// The sponsor, if the caller acts for it, manages an event of it, or is the service.
pub fn sponsor(id: Option<pgrx::Uuid>) -> Outcome<Sponsor> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("sponsor"));
    }
    let id = required(id, "p_sponsor_id")?;
    let service = caller == Caller::Service;
    let sql = if service { EXISTS } else { SPONSOR };
    let found = with_owner(|| {
        db::read_one(sql, &[id.into()], |row| {
            let events: Vec<Option<pgrx::Uuid>> = row.want(2)?;
            Ok((row.want::<bool>(1)?, events.into_iter().flatten().collect::<Vec<_>>()))
        })
    })?;
    match found {
        Some(_) if service => Ok(Sponsor { id, part: Part::Service, events: None }),
        Some((true, _)) => Ok(Sponsor { id, part: Part::Own, events: None }),
        Some((false, events)) if !events.is_empty() => {
            Ok(Sponsor { id, part: Part::Organizer, events: Some(events) })
        }
        _ => Err(refuse(service, "sponsor", id)),
    }
}

/// As [`sponsor`], for what is between sponsor and attendee: not for organizers.
pub fn own_sponsor(id: Option<pgrx::Uuid>) -> Outcome<Sponsor> {
    let sponsor = sponsor(id)?;
    if sponsor.part == Part::Organizer { Err(not_allowed("sponsor")) } else { Ok(sponsor) }
}

const MANAGED: &str = "
    SELECT s.event_id
      FROM convene.sponsors s
     WHERE s.id = $1 AND ($2 OR s.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))";

/// The sponsor, if the caller manages the event that it belongs to, or is the service; not for the
/// sponsor's people, whom the organizer's forecasts are about.
pub fn managed_sponsor(id: Option<pgrx::Uuid>) -> Outcome<(pgrx::Uuid, bool)> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("sponsor"));
    }
    let id = required(id, "p_sponsor_id")?;
    let service = caller == Caller::Service;
    let found = with_owner(|| {
        db::read_one(MANAGED, &[id.into(), service.into()], |row| row.get::<pgrx::Uuid>(1))
    })?;
    found.map(|_| (id, service)).ok_or_else(|| refuse(service, "sponsor", id))
}

const LEAD: &str = "
    SELECT l.sponsor_id
      FROM convene.lead_scoring l
     WHERE l.id = $1
       AND ($2 OR (l.consented AND l.sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())))
            OR l.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))";

/// A lead, if it is of the caller's sponsor and open to it, of an event that the caller manages, or
/// the caller is the service.
pub fn lead(id: Option<pgrx::Uuid>) -> Outcome<(pgrx::Uuid, bool)> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("lead"));
    }
    let id = required(id, "p_lead_id")?;
    let service = caller == Caller::Service;
    let found = with_owner(|| {
        db::read_one(LEAD, &[id.into(), service.into()], |row| row.want::<pgrx::Uuid>(1))
    })?;
    found.map(|_| (id, service)).ok_or_else(|| refuse(service, "lead", id))
}
