//! A contractor's matches at an event.

use pgrx::prelude::*;

use super::access;
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::owner::with_owner;

/// Matches of a contractor; `contractor2` is the other one. Who blocked the other, and who said no,
/// is not brought up again.
const MATCHES: &str = "
    SELECT m.id, m.match_score, m.match_type, m.match_reason, m.match_criteria,
           o.id, o.first_name, o.last_name, o.company_name, o.service_area,
           m.introduction_sent_time,
           CASE m.contractor1_id WHEN $2 THEN m.contractor1_response ELSE m.contractor2_response END,
           coalesce(m.contractor1_response AND m.contractor2_response, false),
           m.connection_made, m.meeting_scheduled, m.meeting_time, m.meeting_location, m.pcr_score
      FROM convene.event_peer_matches m
      JOIN convene.contractors c ON c.id = $2
      JOIN convene.contractors o
        ON o.id = CASE m.contractor1_id WHEN $2 THEN m.contractor2_id ELSE m.contractor1_id END
     WHERE m.event_id = $1 AND (m.contractor1_id = $2 OR m.contractor2_id = $2)
       AND m.contractor1_response IS NOT FALSE AND m.contractor2_response IS NOT FALSE
       AND NOT EXISTS (SELECT FROM convene.person_blocks b
                        WHERE (b.blocker_profile = c.profile_id AND b.blocked_profile = o.profile_id)
                           OR (b.blocker_profile = o.profile_id AND b.blocked_profile = c.profile_id))
     ORDER BY m.match_score DESC, m.id";

/// The matches of a contractor at an event, best first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_contractor_matches(
    p_event_id: Option<pgrx::Uuid>,
    p_contractor_id: Option<pgrx::Uuid>,
) -> TableIterator<
    'static,
    (
        name!(id, pgrx::Uuid),
        name!(match_score, AnyNumeric),
        name!(match_type, String),
        name!(match_reason, Option<String>),
        name!(match_criteria, pgrx::JsonB),
        name!(contractor2_id, pgrx::Uuid),
        name!(contractor2_first_name, String),
        name!(contractor2_last_name, String),
        name!(contractor2_company, Option<String>),
        name!(contractor2_service_area, Option<String>),
        name!(introduction_sent_time, Option<TimestampWithTimeZone>),
        name!(response, Option<bool>),
        name!(both_accepted, bool),
        name!(connection_made, bool),
        name!(meeting_scheduled, bool),
        name!(meeting_time, Option<TimestampWithTimeZone>),
        name!(meeting_location, Option<String>),
        name!(pcr_score, Option<AnyNumeric>),
    ),
> {
    TableIterator::new(list(p_event_id, p_contractor_id).or_raise())
}

type Row = (
    pgrx::Uuid,
    AnyNumeric,
    String,
    Option<String>,
    pgrx::JsonB,
    pgrx::Uuid,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<TimestampWithTimeZone>,
    Option<bool>,
    bool,
    bool,
    bool,
    Option<TimestampWithTimeZone>,
    Option<String>,
    Option<AnyNumeric>,
);

fn list(event_id: Option<pgrx::Uuid>, contractor_id: Option<pgrx::Uuid>) -> Outcome<Vec<Row>> {
    let contractor = access::contractor_at(event_id, contractor_id)?;
    with_owner(|| {
        db::read(MATCHES, &[contractor.event_id.into(), contractor.id.into()], |row| {
            Ok((
                row.want(1)?,
                row.want(2)?,
                row.want(3)?,
                row.get(4)?,
                row.want(5)?,
                row.want(6)?,
                row.want(7)?,
                row.want(8)?,
                row.get(9)?,
                row.get(10)?,
                row.get(11)?,
                row.get(12)?,
                row.want(13)?,
                row.want(14)?,
                row.want(15)?,
                row.get(16)?,
                row.get(17)?,
                row.get(18)?,
            ))
        })
    })
}
