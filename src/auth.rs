//! Who is calling, and what they may use. Every function that takes an id asks here first.

use convene_engine::Error;
use pgrx::prelude::*;
use serde_json::Value;

use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::{caller_is_service, with_owner};
use crate::settings::config;

/// A caller, as far as rights are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Row security is off for this role: the service, the owner of the data, a superuser.
    Service,
    /// Somebody signed in; the id is the profile's.
    Person(pgrx::Uuid),
    /// Nobody we know.
    Anonymous,
}

/// Who is calling now. Asked before any switch to the owner of the data.
pub fn caller() -> Outcome<Caller> {
    if caller_is_service()? {
        return Ok(Caller::Service);
    }
    Ok(current_uid()?.map_or(Caller::Anonymous, Caller::Person))
}

impl Caller {
    /// The profile of a signed-in person.
    pub fn person(self) -> Option<pgrx::Uuid> {
        match self {
            Self::Person(id) => Some(id),
            Self::Service | Self::Anonymous => None,
        }
    }

    /// Whether row security is off for the caller.
    pub fn is_service(self) -> bool {
        self == Self::Service
    }

    /// The refusal for an id: the service hears that nothing has it, others learn nothing.
    pub fn refuse(self, what: &str, id: pgrx::Uuid) -> Failure {
        if self.is_service() { not_found(what, id) } else { not_allowed(what) }
    }
}

/// An attendee that the caller may act for.
#[derive(Clone, Copy, Debug)]
pub struct Attendee {
    /// The attendee's id.
    pub id: pgrx::Uuid,
    /// The event that the attendee belongs to.
    pub event_id: pgrx::Uuid,
    /// Whether the caller is the service.
    pub by_service: bool,
    /// Whether the caller is that person.
    pub own: bool,
}

const ATTENDEE: &str = "
    SELECT a.event_id, a.profile_id IS NOT DISTINCT FROM $3
      FROM convene.attendees a
      JOIN convene.events e ON e.id = a.event_id
     WHERE a.id = $1
       AND ($2 OR (a.profile_id = $3 AND a.status <> 'cancelled')
            OR e.organization_id = ANY (ARRAY(
                 SELECT convene_private.my_managed_organization_ids())))";

/// The attendee, if the caller is that person and has not cancelled, organizes the event, or is the
/// service.
pub fn attendee(id: Option<pgrx::Uuid>) -> Outcome<Attendee> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("attendee"));
    }
    let id = required(id, "p_attendee_id")?;
    let (event_id, own) = with_owner(|| {
        db::read_one(
            ATTENDEE,
            &[id.into(), caller.is_service().into(), caller.person().into()],
            |row| Ok((row.want(1)?, row.want::<bool>(2)?)),
        )
    })?
    .ok_or_else(|| caller.refuse("attendee", id))?;
    let by_service = caller.is_service();
    Ok(Attendee { id, event_id, by_service, own: own && !by_service })
}

/// As [`attendee`], for what nobody may do in another's name: the organizer may not either.
pub fn own_attendee(id: Option<pgrx::Uuid>) -> Outcome<Attendee> {
    let attendee = attendee(id)?;
    if attendee.own || attendee.by_service {
        return Ok(attendee);
    }
    Err(not_allowed("attendee"))
}

/// As [`attendee`], and the attendee must belong to the event that was named.
pub fn attendee_of(id: Option<pgrx::Uuid>, event_id: Option<pgrx::Uuid>) -> Outcome<Attendee> {
    let attendee = attendee(id)?;
    let event_id = required(event_id, "p_event_id")?;
    if attendee.event_id == event_id {
        return Ok(attendee);
    }
    invalid(
        format!("attendee {} does not attend event {event_id}", attendee.id),
        "An attendee belongs to one event.",
        "Pass the event that this attendee is registered for.",
    )
}

const MANAGED_EVENT: &str = "
    SELECT e.id
      FROM convene.events e
     WHERE e.id = $1
       AND ($2 OR e.organization_id = ANY (ARRAY(
                 SELECT convene_private.my_managed_organization_ids())))";

/// The event, if the caller organizes it or is the service.
pub fn managed_event(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    found_by(MANAGED_EVENT, id, "event", "p_event_id")
}

const STAFFED_EVENT: &str = "
    SELECT e.id
      FROM convene.events e
     WHERE e.id = $1
       AND ($2 OR e.organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())))";

/// The event, if the caller is of its organization, in whatever role, or is the service: for reading.
pub fn staffed_event(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    found_by(STAFFED_EVENT, id, "event", "p_event_id")
}

const VISIBLE_SESSION: &str = "
    SELECT s.event_id
      FROM convene.sessions s
      JOIN convene.events e ON e.id = s.event_id
     WHERE s.id = $1
       AND ($2 OR e.status IN ('published', 'completed')
            OR EXISTS (SELECT 1 FROM convene.attendees a
                        WHERE a.event_id = e.id AND a.profile_id = $3
                          AND a.status <> 'cancelled')
            OR e.organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())))";

/// The event of a session that the caller may see: of a published event, of one that they attend,
/// or of one of their organization.
pub fn visible_session(id: Option<pgrx::Uuid>) -> Outcome<pgrx::Uuid> {
    found_by(VISIBLE_SESSION, id, "session", "p_session_id")
}

/// What a query answers for an id (`$1`), the service (`$2`) or the caller's person (`$3`); whoever is
/// not signed in is refused before anything is asked.
pub fn signed_in_by(
    sql: &'static str,
    id: Option<pgrx::Uuid>,
    what: &str,
    parameter: &str,
) -> Outcome<pgrx::Uuid> {
    if caller()? == Caller::Anonymous {
        return Err(not_allowed(what));
    }
    found_by(sql, id, what, parameter)
}

fn found_by(
    sql: &'static str,
    id: Option<pgrx::Uuid>,
    what: &str,
    parameter: &str,
) -> Outcome<pgrx::Uuid> {
    let caller = caller()?;
    let id = required(id, parameter)?;
    with_owner(|| {
        db::read_one(sql, &[id.into(), caller.is_service().into(), caller.person().into()], |row| {
            row.want(1)
        })
    })?
    .ok_or_else(|| caller.refuse(what, id))
}

/// The moment a volatile function works at. Another one than now is for the service: a borrowed
/// future would expire what is still open.
pub fn moment(
    at: Option<TimestampWithTimeZone>,
    by_service: bool,
) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, "p_now")?;
    let now = pgrx::datum::datetime_support::transaction_timestamp();
    if by_service || at == now {
        return Ok(at);
    }
    Err(Failure(Error::NotAllowed {
        message: "only the service may call this for another time than now".into(),
        hint: "Leave p_now out.".into(),
    }))
}

/// The moment at which something happened, which cannot be later than now; `what` says why, in the
/// error's detail.
pub fn past(at: Option<TimestampWithTimeZone>, what: &str) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, "p_at")?;
    let now = pgrx::datum::datetime_support::clock_timestamp();
    if at > now || at.is_infinity() || at.is_neg_infinity() {
        return invalid(
            format!("p_at {} is not in the past", at.to_iso_string()),
            what,
            "Leave p_at out for now.",
        );
    }
    Ok(at)
}

/// The claims of the request's token: `{}` without one.
fn claims() -> Outcome<Value> {
    let Some(text) = config(c"request.jwt.claims").filter(|text| !text.is_empty()) else {
        return Ok(Value::Object(serde_json::Map::new()));
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(claims @ Value::Object(_)) => Ok(claims),
        Ok(_) | Err(_) => invalid(
            "request.jwt.claims is not a JSON object",
            "The parameter holds the claims of a verified token.",
            "Let PostgREST set it, or set it to the claims as JSON text.",
        ),
    }
}

/// One claim as text, the way `->>` gives it. `request.jwt.claim.<name>` goes first.
fn claim_text(name: &str) -> Outcome<Option<String>> {
    let single = std::ffi::CString::new(format!("request.jwt.claim.{name}")).ok();
    if let Some(value) = single.and_then(|single| config(&single)).filter(|value| !value.is_empty())
    {
        return Ok(Some(value));
    }
    Ok(match claims()?.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        Some(other) => Some(other.to_string()),
    })
}

fn current_uid() -> Outcome<Option<pgrx::Uuid>> {
    let Some(text) = claim_text("sub")? else { return Ok(None) };
    match uuid::Uuid::parse_str(&text) {
        Ok(id) => Ok(Some(pgrx::Uuid::from_bytes(*id.as_bytes()))),
        Err(_) => invalid(
            "the token's sub is not a UUID",
            format!("It starts with {:?}.", text.chars().take(40).collect::<String>()),
            "Issue tokens whose sub is the id of a profile.",
        ),
    }
}

/// The profile id of whoever signed the request: the token's `sub`, or null for nobody.
#[pg_extern(stable, parallel_safe)]
fn uid() -> Option<pgrx::Uuid> {
    current_uid().or_raise()
}

/// A claim of the request's token as text, or null.
#[pg_extern(stable, parallel_safe)]
fn claim(p_name: Option<&str>) -> Option<String> {
    required(p_name, "p_name").and_then(claim_text).or_raise()
}

/// The signed-in person's email address, if the issuer says that it was verified.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn email() -> Option<String> {
    verified_email().or_raise()
}

fn verified_email() -> Outcome<Option<String>> {
    let claims = claims()?;
    let Some(email) = claims.get("email").and_then(Value::as_str).filter(|e| !e.is_empty()) else {
        return Ok(None);
    };
    let verified = |holder: Option<&Value>| {
        holder.and_then(|h| h.get("email_verified")).and_then(Value::as_bool) == Some(true)
    };
    let trusted = verified(Some(&claims))
        || verified(claims.get("app_metadata"))
        || (crate::owner::ledger_if_installed().is_some() && trust_unverified()?);
    Ok(trusted.then(|| email.to_owned()))
}

fn trust_unverified() -> Outcome<bool> {
    const TRUST: &str = "
        SELECT value = 'true'::jsonb FROM convene.settings WHERE key = 'trust_jwt_email'";
    with_owner(|| db::read_one(TRUST, &[], |row| row.want(1))).map(|found| found == Some(true))
}
