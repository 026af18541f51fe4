//! Counters from the ledger, for what came into it in bulk.

use crate::db;
use crate::error::Outcome;

// Under the locks of the leads, counted by a statement that begins after they are had: whoever records at the same time has
// either been counted, or waits for the lock and adds to what is counted here.
const LOCK: &str = "
    SELECT FROM convene.lead_scoring l
     WHERE l.sponsor_id = ANY ($1) AND l.event_id = ANY ($2)
     ORDER BY l.ctid FOR NO KEY UPDATE";

macro_rules! counted {
    () => {
        "SELECT i.event_id, i.sponsor_id, i.attendee_id,
                pg_catalog.count(*) FILTER (WHERE i.kind = 'booth_visit')::integer AS booth_visits,
                pg_catalog.count(*) FILTER (WHERE i.kind = 'content_download')::integer AS content_downloads,
                pg_catalog.count(*) FILTER (WHERE i.kind = 'session_attendance')::integer AS session_attendance,
                pg_catalog.count(*) FILTER (WHERE i.kind = 'message')::integer AS messages_exchanged,
                pg_catalog.bool_or(i.kind = 'meeting_request') AS meeting_requested,
                pg_catalog.count(*)::integer AS interaction_count,
                pg_catalog.min(i.at) AS first_at, pg_catalog.max(i.at) AS last_at
           FROM convene.lead_interactions i
          WHERE i.sponsor_id = ANY ($1) AND i.event_id = ANY ($2)
          GROUP BY i.event_id, i.sponsor_id, i.attendee_id"
    };
}

const MAKE: &str = concat!(
    "INSERT INTO convene.lead_scoring
            (event_id, sponsor_id, attendee_id, lead_score, booth_visits, content_downloads, session_attendance,
             messages_exchanged, meeting_requested, interaction_count, first_interaction_at, last_interaction_at)
     SELECT c.event_id, c.sponsor_id, c.attendee_id, 0, c.booth_visits, c.content_downloads, c.session_attendance,
            c.messages_exchanged, c.meeting_requested, c.interaction_count, c.first_at, c.last_at
       FROM (",
    counted!(),
    ") c
      WHERE NOT EXISTS (SELECT FROM convene.lead_scoring l
                         WHERE l.sponsor_id = c.sponsor_id AND l.attendee_id = c.attendee_id)
      ORDER BY c.attendee_id, c.sponsor_id
     ON CONFLICT (sponsor_id, attendee_id) DO NOTHING"
);

const COUNT: &str = concat!(
    "UPDATE convene.lead_scoring l
        SET booth_visits = c.booth_visits, content_downloads = c.content_downloads,
            session_attendance = c.session_attendance, messages_exchanged = c.messages_exchanged,
            meeting_requested = c.meeting_requested, interaction_count = c.interaction_count,
            first_interaction_at = c.first_at, last_interaction_at = c.last_at
       FROM (",
    counted!(),
    ") c
      WHERE l.sponsor_id = c.sponsor_id AND l.attendee_id = c.attendee_id
        AND (l.booth_visits, l.content_downloads, l.session_attendance, l.messages_exchanged, l.meeting_requested,
             l.interaction_count, l.first_interaction_at, l.last_interaction_at)
            IS DISTINCT FROM (c.booth_visits, c.content_downloads, c.session_attendance, c.messages_exchanged,
                              c.meeting_requested, c.interaction_count, c.first_at, c.last_at)"
);

/// Sets the counters of leads to what the ledger says, and makes the leads that it tells of and
/// that are not there. Leads that it says nothing about stay as they are.
pub fn recount(sponsors: &[pgrx::Uuid], events: &[pgrx::Uuid]) -> Outcome<()> {
    let of = || [sponsors.to_vec().into(), events.to_vec().into()];
    db::execute(LOCK, &of())?;
    db::execute(COUNT, &of())?;
    db::execute(MAKE, &of())?;
    Ok(())
}
