//! Reading a lead as the engine renders it.

use convene_engine::leads::crm::Lead;

use crate::db::Row;
use crate::error::Outcome;

/// The columns of a lead `l` of attendee `a`, who is profile `p`, at event `e`.
macro_rules! lead_columns {
    () => {
        "l.id, coalesce(a.full_name, p.full_name), coalesce(a.email, p.email),
         coalesce(a.job_title, p.job_title), coalesce(a.company_name, p.company_name),
         e.title, l.lead_score, l.lead_grade, l.booth_visits, l.content_downloads,
         l.session_attendance, l.messages_exchanged, l.meeting_requested, l.interaction_count,
         CASE WHEN l.last_interaction_at >= '0001-01-01 00:00:00+00' AND l.last_interaction_at < '10000-01-01 00:00:00+00'
              THEN pg_catalog.to_char(l.last_interaction_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') END"
    };
}
pub(super) use lead_columns;

/// How many columns that are.
pub const COLUMNS: usize = 15;

/// A lead whose columns begin after `skipped` others.
pub fn read(row: &Row<'_>, skipped: usize) -> Outcome<(pgrx::Uuid, Lead)> {
    let at = |column: usize| skipped + column;
    let id: pgrx::Uuid = row.want(at(1))?;
    let lead = Lead {
        id: id.to_string(),
        full_name: row.get(at(2))?,
        email: row.get(at(3))?,
        job_title: row.get(at(4))?,
        company: row.get(at(5))?,
        event: row.want(at(6))?,
        score: row.want(at(7))?,
        grade: row.want(at(8))?,
        booth_visits: row.want(at(9))?,
        content_downloads: row.want(at(10))?,
        sessions_attended: row.want(at(11))?,
        messages: row.want(at(12))?,
        meeting_requested: row.want(at(13))?,
        interactions: row.want(at(14))?,
        last_interaction: row.get(at(COLUMNS))?,
    };
    Ok((id, lead))
}
