//! A contact of an attendee with a sponsor: a row of the ledger, and the lead that follows from it.

use convene_engine::Error;
use convene_engine::leads::{Counters, Grade, Kind, Person};
use pgrx::prelude::*;
use serde_json::json;

use super::access::{self, Part, Sponsor};
use super::customer;
use super::lead::{Lead, Scored, lead_columns, read};
use crate::auth::{self, Caller, caller};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::with_owner;

/// The most characters of `p_details`.
const MOST_DETAILS: usize = 10_000;
/// The most characters of `p_external_id`.
const MOST_EXTERNAL: usize = 200;
/// How often a lead that comes and goes under our hands is looked for.
const TRIES: usize = 5;

/// Notes a contact of an attendee with a sponsor, and rescores the lead.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn record_lead_interaction(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_attendee_id: Option<pgrx::Uuid>,
    p_kind: Option<&str>,
    p_at: default!(Option<TimestampWithTimeZone>, "now()"),
    p_details: default!(Option<Document>, "'{}'"),
    p_external_id: default!(Option<&str>, "NULL"),
    p_badge_token: default!(Option<&str>, "NULL"),
) -> pgrx::JsonB {
    let sponsor = access::own_sponsor(p_sponsor_id).or_raise();
    let asked = || -> Outcome<pgrx::JsonB> {
        let attendee = attendee(&sponsor, p_attendee_id, p_badge_token)?;
        let contact = Contact {
            kind: Kind::parse(required(p_kind, "p_kind")?)?,
            at: auth::past(p_at, "A contact is reported when it has happened.")?,
            details: details(p_details)?,
            external_id: external_id(p_external_id)?,
            badge_shown: p_badge_token.is_some(),
            by: caller()?,
        };
        with_owner(|| record(&sponsor, attendee, &contact))
    };
    asked().or_raise()
}

/// What is reported.
struct Contact<'a> {
    kind: Kind,
    at: TimestampWithTimeZone,
    details: String,
    external_id: Option<&'a str>,
    badge_shown: bool,
    by: Caller,
}

fn details(details: Option<Document>) -> Outcome<String> {
    let details = required(details, "p_details")?;
    if details.0.chars().count() > MOST_DETAILS {
        return Err(Failure(Error::TooLarge {
            message: format!("p_details has more than {MOST_DETAILS} characters"),
            hint: "Keep large things elsewhere, and their address here.".into(),
        }));
    }
    if details.parse("p_details")?.is_object() {
        return Ok(details.0);
    }
    invalid("p_details must be a JSON object", "", r#"Pass an object such as {"booth": "12"}."#)
}

fn external_id(id: Option<&str>) -> Outcome<Option<&str>> {
    match id {
        Some(id) if id.is_empty() || id.chars().count() > MOST_EXTERNAL => invalid(
            format!("p_external_id must have 1 to {MOST_EXTERNAL} characters"),
            "It is the reporter's own id of the contact.",
            "Leave it out where there is none.",
        ),
        id => Ok(id),
    }
}

// The code counts while the ticket does, for somebody who comes to an event where the sponsor takes part. One that was
// issued before the attendee withdrew their consent may have been kept from an earlier scan, so it opens nothing.
const BY_BADGE: &str = "
    SELECT a.id, a.event_id
      FROM convene.tickets t
      JOIN convene.attendees a ON a.id = t.attendee_id AND a.event_id = t.event_id
     WHERE t.qr_token = $1 AND t.status IN ('valid', 'used') AND a.status <> 'cancelled'
       AND ($2::uuid IS NULL OR a.id = $2)
       AND (a.sponsor_consent_withdrawn_at IS NULL OR t.qr_issued_at > a.sponsor_consent_withdrawn_at
            OR a.sponsor_consent)
       AND (EXISTS (SELECT FROM convene.sponsors s WHERE s.id = $3 AND s.event_id = a.event_id
                                                      AND s.status <> 'churned' AND s.fulfilment_status <> 'cancelled')
            OR EXISTS (SELECT FROM convene.event_sponsorships p
                        WHERE p.sponsor_id = $3 AND p.event_id = a.event_id
                          AND p.status IN ('confirmed', 'active', 'completed')))";

/// The attendee, by the code of their badge; the service may name one without.
fn attendee(
    sponsor: &Sponsor,
    id: Option<pgrx::Uuid>,
    token: Option<&str>,
) -> Outcome<(pgrx::Uuid, pgrx::Uuid)> {
    const BY_ID: &str = "SELECT a.id, a.event_id FROM convene.attendees a WHERE a.id = $1";
    let service = sponsor.part == Part::Service;
    if let Some(token) = token {
        return with_owner(|| {
            db::read_one(BY_BADGE, &[token.into(), id.into(), sponsor.id.into()], |row| {
                Ok((row.want(1)?, row.want(2)?))
            })
        })?
        .ok_or_else(|| {
            if service { not_found("attendee with this badge", "") } else { no_badge() }
        });
    }
    if !service {
        return Err(no_badge());
    }
    let id = required(id, "p_attendee_id")?;
    with_owner(|| db::read_one(BY_ID, &[id.into()], |row| Ok((row.want(1)?, row.want(2)?))))?
        .ok_or_else(|| not_found("attendee", id))
}

fn no_badge() -> Failure {
    match not_allowed("attendee") {
        Failure(Error::NotAllowed { message, .. }) => Failure(Error::NotAllowed {
            message,
            hint: "Pass p_badge_token, the code of the attendee's ticket for an event where you take part. Who withdrew consent has to agree again, or needs a new code.".into(),
        }),
        other => other,
    }
}

fn record(
    sponsor: &Sponsor,
    (attendee, event): (pgrx::Uuid, pgrx::Uuid),
    contact: &Contact<'_>,
) -> Outcome<pgrx::JsonB> {
    // The ledger first: what it was told before counts no more, and attendee and ledger are locked before the lead is.
    let noted = note(sponsor.id, attendee, event, contact)?;
    if noted.is_none() {
        expect_same(sponsor.id, attendee, contact)?;
    }
    for _ in 0..TRIES {
        match locked(sponsor.id, attendee)? {
            Some(lead) if noted.is_none() => return Ok(answer(&lead, &lead.scored, None)),
            Some(lead) => {
                let counters = lead.counters.after(contact.kind);
                let scored = rescored(&lead, &counters)?;
                update(lead.id, &counters, &scored, contact.at)?;
                return Ok(answer(&lead, &scored, noted));
            }
            None => create(sponsor.id, attendee, event, contact.at)?,
        }
    }
    Err(Failure(Error::Retry {
        message: "the lead was removed while it was being written".into(),
        hint: "Try again.".into(),
    }))
}

fn rescored(lead: &Lead, counters: &Counters) -> Outcome<Scored> {
    let ideal = customer::ideal_customer(lead.sponsor_id)?;
    let person = match &ideal {
        Some(_) => customer::person_of(lead.attendee_id)?,
        None => Person::default(),
    };
    Ok(Scored::of(counters, ideal.as_ref(), &person))
}

/// Adds to the ledger; the id of the row, or nothing if the reporter's id is there already.
fn note(
    sponsor: pgrx::Uuid,
    attendee: pgrx::Uuid,
    event: pgrx::Uuid,
    contact: &Contact<'_>,
) -> Outcome<Option<pgrx::Uuid>> {
    const NOTE: &str = "
        INSERT INTO convene.lead_interactions
               (event_id, sponsor_id, attendee_id, kind, at, details, external_id, badge_shown, recorded_by)
        VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9)
        ON CONFLICT (sponsor_id, external_id) DO NOTHING
        RETURNING id";
    let noted = db::write(
        NOTE,
        &[
            event.into(),
            sponsor.into(),
            attendee.into(),
            contact.kind.name().into(),
            contact.at.into(),
            contact.details.as_str().into(),
            contact.external_id.into(),
            contact.badge_shown.into(),
            contact.by.person().into(),
        ],
        |row| row.want(1),
    )?;
    Ok(noted.into_iter().next())
}

/// A reporter's id stands for one contact: the same attendee, the same kind.
fn expect_same(sponsor: pgrx::Uuid, attendee: pgrx::Uuid, contact: &Contact<'_>) -> Outcome<()> {
    const SAME: &str = "
        SELECT i.attendee_id = $3 AND i.kind = $4
          FROM convene.lead_interactions i WHERE i.sponsor_id = $1 AND i.external_id = $2";
    let same = db::read_one(
        SAME,
        &[sponsor.into(), contact.external_id.into(), attendee.into(), contact.kind.name().into()],
        |row| row.want::<bool>(1),
    )?;
    match same {
        Some(false) => Err(Failure(Error::AlreadyThere {
            message: format!(
                "p_external_id {:?} stands for another contact",
                contact.external_id.unwrap_or_default()
            ),
            hint: "Give every contact an id of its own; repeat one only with the same attendee and kind.".into(),
        })),
        _ => Ok(()),
    }
}

fn locked(sponsor: pgrx::Uuid, attendee: pgrx::Uuid) -> Outcome<Option<Lead>> {
    const LOCKED: &str = concat!(
        "SELECT ",
        lead_columns!(),
        " FROM convene.lead_scoring l WHERE l.sponsor_id = $1 AND l.attendee_id = $2 FOR NO KEY UPDATE"
    );
    Ok(db::write(LOCKED, &[sponsor.into(), attendee.into()], read)?.pop())
}

/// The lead of a first contact, before it is counted. Somebody else may be making it just now.
fn create(
    sponsor: pgrx::Uuid,
    attendee: pgrx::Uuid,
    event: pgrx::Uuid,
    at: TimestampWithTimeZone,
) -> Outcome<()> {
    const CREATE: &str = "
        INSERT INTO convene.lead_scoring
               (event_id, sponsor_id, attendee_id, lead_score, first_interaction_at, last_interaction_at)
        VALUES ($1, $2, $3, 0, $4, $4)
        ON CONFLICT (sponsor_id, attendee_id) DO NOTHING";
    db::execute(CREATE, &[event.into(), sponsor.into(), attendee.into(), at.into()])?;
    Ok(())
}

fn update(
    id: pgrx::Uuid,
    counters: &Counters,
    scored: &Scored,
    at: TimestampWithTimeZone,
) -> Outcome<()> {
    const UPDATE: &str = "
        UPDATE convene.lead_scoring
           SET booth_visits = $2, content_downloads = $3, session_attendance = $4,
               messages_exchanged = $5, meeting_requested = $6, interaction_count = $7,
               engagement_score = $8, fit_score = $9, intent_score = $10, lead_score = $8 + $9 + $10,
               fit_assumed = $11, score_parts = $12::jsonb,
               first_interaction_at = least(first_interaction_at, $13),
               last_interaction_at = greatest(last_interaction_at, $13), updated_at = pg_catalog.now()
         WHERE id = $1";
    let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
    db::execute(
        UPDATE,
        &[
            id.into(),
            number(counters.booth_visits).into(),
            number(counters.content_downloads).into(),
            number(counters.session_attendance).into(),
            number(counters.messages_exchanged).into(),
            counters.meeting_requested.into(),
            number(counters.interaction_count).into(),
            number(scored.scores.engagement).into(),
            number(scored.scores.fit).into(),
            number(scored.scores.intent).into(),
            scored.assumed.into(),
            scored.parts.to_string().into(),
            at.into(),
        ],
    )?;
    Ok(())
}

fn answer(lead: &Lead, scored: &Scored, noted: Option<pgrx::Uuid>) -> pgrx::JsonB {
    let score = scored.scores.total();
    pgrx::JsonB(json!({
        "recorded": noted.is_some(),
        "interaction_id": noted.map(|id| id.to_string()),
        "lead_id": lead.id.to_string(),
        "sponsor_id": lead.sponsor_id.to_string(),
        "attendee_id": lead.attendee_id.to_string(),
        "lead_score": score,
        "lead_grade": Grade::of(score).letter(),
    }))
}
