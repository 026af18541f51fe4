//! Which pairs of a sponsor and an event a caller may look at.

use crate::auth::{Caller, caller, signed_in_by};
use crate::db;
use crate::error::{Outcome, not_allowed, not_found, required};
use crate::owner::with_owner;

/// A pair that the caller may look at.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The event.
    pub event_id: pgrx::Uuid,
    /// The sponsor.
    pub sponsor_id: pgrx::Uuid,
}

// Whoever acts for the sponsor looks at events on the market, at its own, and at those it was matched
// with; the organizer's people at sponsors that take part, and at those matched with the event.
const PAIR: &str = "
    WITH known AS (
        SELECT e.id AS event_id, s.id AS sponsor_id,
               e.status = 'published' OR s.event_id IS NOT DISTINCT FROM e.id AS shown,
               EXISTS (SELECT FROM convene.sponsorship_matches m
                        WHERE m.event_id = e.id AND m.sponsor_id = s.id) AS matched
          FROM convene.events e, convene.sponsors s
         WHERE e.id = $1 AND s.id = $2)
    SELECT true FROM known k
     WHERE ((k.shown OR k.matched)
            AND k.sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())))
        OR (k.event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids()))
            AND (k.matched OR k.sponsor_id = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids()))))";

const EXISTS: &str = "
    SELECT EXISTS (SELECT FROM convene.events e WHERE e.id = $1),
           EXISTS (SELECT FROM convene.sponsors s WHERE s.id = $2)";

/// The pair, if the caller acts for the sponsor or is of the event's staff, and may look at the other
/// side, or is the service.
pub fn pair(event_id: Option<pgrx::Uuid>, sponsor_id: Option<pgrx::Uuid>) -> Outcome<Pair> {
    pair_by(PAIR, event_id, sponsor_id)
}

// As the second half of the above, for those who manage the event.
const MANAGED: &str = "
    SELECT true
     WHERE $1 = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
       AND ($2 = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids()))
            OR EXISTS (SELECT FROM convene.sponsorship_matches m WHERE m.event_id = $1 AND m.sponsor_id = $2))";

/// The pair, if the caller manages the event and may look at the sponsor, or is the service.
pub fn managed_pair(event_id: Option<pgrx::Uuid>, sponsor_id: Option<pgrx::Uuid>) -> Outcome<Pair> {
    pair_by(MANAGED, event_id, sponsor_id)
}

fn pair_by(
    sql: &'static str,
    event_id: Option<pgrx::Uuid>,
    sponsor_id: Option<pgrx::Uuid>,
) -> Outcome<Pair> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("sponsor and event"));
    }
    let event_id = required(event_id, "p_event_id")?;
    let sponsor_id = required(sponsor_id, "p_sponsor_id")?;
    let pair = Pair { event_id, sponsor_id };
    let ids = [event_id.into(), sponsor_id.into()];
    if caller.is_service() {
        let found = with_owner(|| {
            db::read_one(EXISTS, &ids, |row| Ok((row.want::<bool>(1)?, row.want::<bool>(2)?)))
        })?;
        return match found {
            Some((true, true)) => Ok(pair),
            Some((true, false)) => Err(not_found("sponsor", sponsor_id)),
            _ => Err(not_found("event", event_id)),
        };
    }
    with_owner(|| db::read_one(sql, &ids, |row| row.want::<bool>(1)))?
        .map(|_| pair)
        .ok_or_else(|| not_allowed("sponsor and event"))
}

const PACKAGE: &str = "
    SELECT p.id FROM convene.sponsorship_packages p
     WHERE p.id = $1 AND ($2 OR p.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))";

/// A package, if the caller manages its event or is the service.
pub fn package(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    signed_in_by(PACKAGE, id, "package", "p_package_id")
}
