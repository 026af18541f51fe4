//! A sponsor's leads, best first: those who agreed to be seen by it.

use convene_engine::leads::{Grade, Situation, next_action, parts_json, reasons};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access;
use super::lead::{COLUMNS, Lead, lead_columns, read};
use super::{days_between, finite};
use crate::db::{self, Row};
use crate::error::{OrRaise, Outcome, invalid, within};
use crate::owner::with_owner;

/// The most leads on one page.
const MOST: i32 = 1000;
const STATUSES: [&str; 7] =
    ["new", "contacted", "qualified", "opportunity", "closed_won", "closed_lost", "nurturing"];

/// A lead as a client shows it.
struct Listed {
    lead: Lead,
    grade: String,
    attendee: Value,
    status: String,
    last: Option<TimestampWithTimeZone>,
    crm_sync_status: String,
    tags: Vec<Option<String>>,
}

/// The leads of a sponsor, best first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_sponsor_leads(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_min_score: default!(Option<i32>, "0"),
    p_status: default!(Option<&str>, "NULL"),
    p_limit: default!(Option<i32>, "50"),
    p_after: default!(Option<pgrx::Uuid>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(lead_id, pgrx::Uuid),
        name!(attendee, pgrx::JsonB),
        name!(lead_score, i32),
        name!(lead_grade, String),
        name!(engagement, pgrx::JsonB),
        name!(last_interaction, Option<TimestampWithTimeZone>),
        name!(status, String),
        name!(score_parts, pgrx::JsonB),
        name!(reasons, Vec<String>),
        name!(next_best_action, pgrx::JsonB),
        name!(fit_assumed, bool),
        name!(crm_sync_status, String),
        name!(tags, Vec<Option<String>>),
    ),
> {
    let sponsor = access::sponsor(p_sponsor_id).or_raise();
    let now = finite(p_now).or_raise();
    let page = Page::new(p_min_score, p_status, p_limit, p_after).or_raise();
    let listed = with_owner(|| page.read(&sponsor)).or_raise();
    TableIterator::new(listed.into_iter().map(move |listed| {
        let (counters, scored) = (&listed.lead.counters, &listed.lead.scored);
        let engagement = json!({
            "booth_visits": counters.booth_visits,
            "content_downloads": counters.content_downloads,
            "session_attendance": counters.session_attendance,
            "messages_exchanged": counters.messages_exchanged,
            "meeting_requested": counters.meeting_requested,
            "interaction_count": counters.interaction_count,
        });
        let parts = parts_json(counters, &scored.scores, scored.assumed, &scored.parts);
        let reasons = reasons(counters, scored.assumed, &scored.parts);
        let next = next(&listed, now);
        (
            listed.lead.id,
            pgrx::JsonB(listed.attendee),
            listed.lead.stored_score as i32,
            listed.grade,
            pgrx::JsonB(engagement),
            listed.last,
            listed.status,
            pgrx::JsonB(parts),
            reasons,
            pgrx::JsonB(next),
            scored.assumed,
            listed.crm_sync_status,
            listed.tags,
        )
    }))
}

fn next(listed: &Listed, now: TimestampWithTimeZone) -> Value {
    let action = next_action(&Situation {
        status: &listed.status,
        grade: Grade::of(listed.lead.stored_score),
        meeting_requested: listed.lead.counters.meeting_requested,
        days_since: listed.last.map(|last| days_between(last, now)),
    });
    json!({
        "action": action.action, "urgency": action.urgency.name(), "text": action.text,
        "because": action.because,
    })
}

/// What is asked for.
struct Page<'a> {
    least: i32,
    status: Option<&'a str>,
    limit: i64,
    after: Option<pgrx::Uuid>,
}

// The index is by (sponsor_id, consented, lead_score DESC, id), and a page begins where the one before ended.
const LIST: &str = concat!(
    "SELECT ",
    lead_columns!(),
    ", l.lead_grade,
       pg_catalog.jsonb_build_object(
         'id', a.id, 'name', coalesce(a.full_name, p.full_name), 'title', coalesce(a.job_title, p.job_title),
         'company', coalesce(a.company_name, p.company_name))::text,
       l.status, l.last_interaction_at, l.crm_sync_status, l.tags
  FROM (SELECT * FROM convene.lead_scoring l
         WHERE l.sponsor_id = $1 AND l.consented AND l.lead_score >= $2
           AND ($3::text IS NULL OR l.status = $3)
           AND ($4::uuid[] IS NULL OR l.event_id = ANY ($4))
           AND l.lead_score <= $5 AND (l.lead_score < $5 OR l.id > $6)
         ORDER BY l.lead_score DESC, l.id LIMIT $7) l
  JOIN convene.attendees a ON a.id = l.attendee_id
  LEFT JOIN convene.profiles p ON p.id = a.profile_id
 ORDER BY l.lead_score DESC, l.id"
);

impl<'a> Page<'a> {
    fn new(
        least: Option<i32>,
        status: Option<&'a str>,
        limit: Option<i32>,
        after: Option<pgrx::Uuid>,
    ) -> Outcome<Self> {
        let least = within(least, 0, 100, "p_min_score")? as i32;
        if let Some(status) = status
            && !STATUSES.contains(&status)
        {
            return invalid(
                format!("p_status {status:?} is not known"),
                "",
                format!("Pass one of {}, or null for all.", STATUSES.join(", ")),
            );
        }
        let limit = within(limit, 1, MOST, "p_limit")? as i64;
        Ok(Self { least, status, limit, after })
    }

    fn read(&self, sponsor: &access::Sponsor) -> Outcome<Vec<Listed>> {
        let (score, id) = match self.after {
            Some(after) => place(after, sponsor)?,
            // Before the first: no score is above 100, and no id comes before this one.
            None => (101, pgrx::Uuid::from_bytes([0; 16])),
        };
        db::read(
            LIST,
            &[
                sponsor.id.into(),
                self.least.into(),
                self.status.into(),
                sponsor.events.clone().into(),
                score.into(),
                id.into(),
                self.limit.into(),
            ],
            listed,
        )
    }
}

/// Where the last lead of the page before stands now. One that was withdrawn since is none: that it is
/// there, and how it scores, is nobody's to ask.
fn place(after: pgrx::Uuid, sponsor: &access::Sponsor) -> Outcome<(i32, pgrx::Uuid)> {
    const PLACE: &str = "
        SELECT l.lead_score FROM convene.lead_scoring l
         WHERE l.id = $1 AND l.sponsor_id = $2 AND l.consented AND ($3::uuid[] IS NULL OR l.event_id = ANY ($3))";
    let found = db::read_one(
        PLACE,
        &[after.into(), sponsor.id.into(), sponsor.events.clone().into()],
        |row| row.want::<i32>(1),
    )?;
    match found {
        Some(score) => Ok((score, after)),
        None => invalid(
            format!("p_after {after} is no lead of this sponsor"),
            "",
            "Pass the lead_id of the last row of the page before, or null for the first page.",
        ),
    }
}

fn listed(row: &Row<'_>) -> Outcome<Listed> {
    let attendee: String = row.want(COLUMNS + 2)?;
    Ok(Listed {
        lead: read(row)?,
        grade: row.want(COLUMNS + 1)?,
        attendee: super::customer::document(&attendee),
        status: row.want(COLUMNS + 3)?,
        last: row.get(COLUMNS + 4)?,
        crm_sync_status: row.want(COLUMNS + 5)?,
        tags: row.want(COLUMNS + 6)?,
    })
}
