//! The ledger of what attendees did with sessions.

use convene_engine::recommendation::Kind;
use pgrx::prelude::*;
use serde_json::json;

use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::with_owner;

/// Notes that an attendee browsed, bookmarked, attended or rated a session.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn record_session_interaction(
    p_attendee_id: Option<pgrx::Uuid>,
    p_session_id: Option<pgrx::Uuid>,
    p_kind: Option<&str>,
    p_value: default!(Option<AnyNumeric>, "NULL"),
    p_at: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    record(p_attendee_id, p_session_id, p_kind, p_value, p_at).or_raise()
}

/// One row of the ledger.
pub struct Interaction<'a> {
    /// Who.
    pub attendee_id: pgrx::Uuid,
    /// With which session.
    pub session_id: pgrx::Uuid,
    /// What.
    pub kind: &'a str,
    /// Stars, where it is a rating.
    pub value: Option<f64>,
    /// When.
    pub at: TimestampWithTimeZone,
}

fn record(
    attendee_id: Option<pgrx::Uuid>,
    session_id: Option<pgrx::Uuid>,
    kind: Option<&str>,
    value: Option<AnyNumeric>,
    at: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let attendee = auth::attendee(attendee_id)?;
    let session_id = required(session_id, "p_session_id")?;
    let kind = required(kind, "p_kind")?;
    Kind::parse(kind)?;
    let value = rating(kind, value)?;
    let at = auth::past(at, "An interaction is something that has happened.")?;
    with_owner(|| {
        expect_same_event(&attendee, session_id)?;
        let interaction = Interaction { attendee_id: attendee.id, session_id, kind, value, at };
        let changed = store(&interaction)?;
        Ok(pgrx::JsonB(json!({
            "attendee_id": attendee.id.to_string(), "session_id": session_id.to_string(),
            "kind": kind, "value": value, "changed": changed,
        })))
    })
}

/// Stars go with a rating, and with nothing else.
fn rating(kind: &str, value: Option<AnyNumeric>) -> Outcome<Option<f64>> {
    let stars = value.map(|value| f64::try_from(value).unwrap_or(f64::NAN));
    match (kind, stars) {
        ("rated", Some(stars)) if (1.0..=5.0).contains(&stars) => Ok(Some(stars)),
        ("rated", Some(stars)) => {
            invalid(format!("p_value must be from 1 to 5, not {stars}"), "", "Pass 1 to 5.")
        }
        ("rated", None) => invalid("a rating needs p_value", "", "Pass p_value from 1 to 5."),
        (_, Some(stars)) => invalid(
            format!("p_value {stars} does not go with p_kind {kind:?}"),
            "",
            "Pass p_value with 'rated' only.",
        ),
        (_, None) => Ok(None),
    }
}

fn expect_same_event(attendee: &auth::Attendee, session_id: pgrx::Uuid) -> Outcome<()> {
    const EVENT: &str = "SELECT event_id FROM convene.sessions WHERE id = $1";
    match db::read_one(EVENT, &[session_id.into()], |row| row.want::<pgrx::Uuid>(1))? {
        Some(event) if event == attendee.event_id => Ok(()),
        None if attendee.by_service => Err(not_found("session", session_id)),
        Some(_) if attendee.by_service => invalid(
            format!("session {session_id} belongs to another event than attendee {}", attendee.id),
            "",
            "Pass a session of the attendee's event.",
        ),
        // One answer for both, so that sessions of unpublished events stay unknown.
        _ => Err(not_allowed("session")),
    }
}

/// Writes a row of the ledger, once per attendee, session and kind; whether it changed anything.
/// A rating replaces the one before. Runs as the owner of the data.
pub fn store(interaction: &Interaction<'_>) -> Outcome<bool> {
    const STORE: &str = "
        INSERT INTO convene.session_interactions AS i
               (attendee_id, session_id, event_id, kind, value, at)
        SELECT $1, s.id, s.event_id, $3, $4::numeric, $5 FROM convene.sessions s WHERE s.id = $2
        ON CONFLICT (attendee_id, session_id, kind) DO UPDATE
           SET value = excluded.value, at = excluded.at
         WHERE i.value IS DISTINCT FROM excluded.value
        RETURNING 1";
    let written = db::write(
        STORE,
        &[
            interaction.attendee_id.into(),
            interaction.session_id.into(),
            interaction.kind.into(),
            interaction.value.into(),
            interaction.at.into(),
        ],
        |_| Ok(()),
    )?;
    Ok(!written.is_empty())
}
