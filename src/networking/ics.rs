//! A meeting for somebody's calendar.

use convene_engine::scheduling::ics::{Invitation, file};
use convene_engine::scheduling::life::Status;
use pgrx::prelude::*;
use serde_json::Value;

use super::party::party;
use crate::db;
use crate::document::Document;
use crate::error::{OrRaise, Outcome, not_allowed};
use crate::moments::micros;
use crate::owner::with_owner;

/// A meeting as an iCalendar file.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn meeting_ics(
    p_meeting_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> String {
    ics(p_meeting_id, p_now).or_raise()
}

const MEETING: &str = "
    SELECT g.title, g.location_type, g.location_details, g.updated_at,
           greatest(extract(epoch FROM g.updated_at - g.created_at), 0)::int8,
           e.title, coalesce(a.full_name, 'somebody'), coalesce(b.full_name, 'somebody')
      FROM convene.meetings g
      JOIN convene.events e ON e.id = g.event_id
      JOIN convene.attendees a ON a.id = g.attendee_1_id
      JOIN convene.attendees b ON b.id = g.attendee_2_id
     WHERE g.id = $1";

fn ics(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<String> {
    let party = party(id, now)?;
    let made = with_owner(|| {
        db::read_one(MEETING, &[party.id.into()], |row| {
            let details = row.want::<Document>(3)?.parse("location_details")?;
            let word = |key: &str| details.get(key).and_then(text);
            let place = [word("room"), word("table").map(|table| format!("table {table}"))];
            let place: Vec<String> = place.into_iter().flatten().collect();
            Ok(Invitation {
                uid: format!("{}@convene", party.id),
                stamp: micros(row.want(4)?),
                start: party.span.0,
                end: party.span.1,
                summary: row.want(1)?,
                description: Some(format!(
                    "{} and {} at {}",
                    row.want::<String>(7)?,
                    row.want::<String>(8)?,
                    row.want::<String>(6)?
                )),
                location: (!place.is_empty()).then(|| place.join(", ")),
                url: ["link", "url", "zoom_link"].into_iter().find_map(word),
                status: match party.status {
                    Status::Proposed => "TENTATIVE",
                    Status::Cancelled | Status::Lapsed | Status::NoShow => "CANCELLED",
                    _ => "CONFIRMED",
                },
                sequence: row.want(5)?,
            })
        })
    })?;
    made.map(|invitation| file(&invitation)).ok_or_else(|| not_allowed("meeting"))
}

/// What a person wrote as a text or as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
