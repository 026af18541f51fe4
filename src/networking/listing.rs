//! A person's meetings, in the order of time.

use convene_engine::scheduling::life::Status;
use pgrx::prelude::*;

use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, required, within};
use crate::moments::micros;
use crate::owner::with_owner;

/// The most rows of an answer.
const MOST: i32 = 500;

type Row = (
    pgrx::Uuid,
    Option<pgrx::Uuid>,
    pgrx::Uuid,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    String,
    TimestampWithTimeZone,
    TimestampWithTimeZone,
    i32,
    String,
    pgrx::JsonB,
    String,
    bool,
    Option<TimestampWithTimeZone>,
    Option<pgrx::JsonB>,
    Option<String>,
);

/// The meetings of an attendee.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_meetings(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_from: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_limit: default!(Option<i32>, "100"),
    p_after: default!(Option<pgrx::Uuid>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(meeting_id, pgrx::Uuid),
        name!(match_id, Option<pgrx::Uuid>),
        name!(other_attendee_id, pgrx::Uuid),
        name!(other_attendee_name, Option<String>),
        name!(other_attendee_title, Option<String>),
        name!(other_attendee_company, Option<String>),
        name!(title, String),
        name!(meeting_type, String),
        name!(scheduled_start, TimestampWithTimeZone),
        name!(scheduled_end, TimestampWithTimeZone),
        name!(duration_minutes, i32),
        name!(location_type, String),
        name!(location_details, pgrx::JsonB),
        name!(status, String),
        name!(proposed_by_me, bool),
        name!(expires_at, Option<TimestampWithTimeZone>),
        name!(my_feedback, Option<pgrx::JsonB>),
        name!(my_notes, Option<String>),
    ),
> {
    let asked = (p_attendee_id, p_event_id);
    TableIterator::new(meetings(asked, p_from, p_limit, p_after, p_now).or_raise())
}

/// $6: whether the caller is the person, to whom their feedback and notes are shown. What is to come between two of whom
/// one blocked the other is shown to neither. What a block leaves as it is stays in the list, whatever moment is asked
/// for: it would stay after a match was declined, too.
const MEETINGS: &str = "
    SELECT g.id, g.match_id, o.id, o.full_name, o.job_title, o.company_name, g.title, g.meeting_type,
           g.scheduled_start, g.scheduled_end, g.duration_minutes, g.location_type, g.location_details, g.status,
           coalesce(g.proposed_by = $1, false), g.expires_at,
           CASE WHEN $6 THEN CASE $1 WHEN g.attendee_1_id THEN g.feedback_1 ELSE g.feedback_2 END END,
           CASE WHEN $6 THEN CASE $1 WHEN g.attendee_1_id THEN g.notes_1 ELSE g.notes_2 END END
      FROM (SELECT m.* FROM convene.meetings m WHERE m.attendee_1_id = $1
            UNION ALL SELECT m.* FROM convene.meetings m WHERE m.attendee_2_id = $1) g
      JOIN convene.attendees a ON a.id = $1
      JOIN convene.attendees o ON o.id = CASE $1 WHEN g.attendee_1_id THEN g.attendee_2_id ELSE g.attendee_1_id END
     WHERE ($2::timestamptz IS NULL OR g.scheduled_end > $2)
       AND ($4::uuid IS NULL OR (g.scheduled_start, g.id) >
            (SELECT x.scheduled_start, x.id FROM convene.meetings x
              WHERE x.id = $4 AND $1 IN (x.attendee_1_id, x.attendee_2_id)))
       AND ($5 OR g.status NOT IN ('proposed', 'scheduled', 'confirmed') OR g.scheduled_end <= pg_catalog.now()
            OR NOT EXISTS (SELECT FROM convene.person_blocks b
                            WHERE (b.blocker_profile, b.blocked_profile) IN ((a.profile_id, o.profile_id),
                                                                             (o.profile_id, a.profile_id))))
     ORDER BY g.scheduled_start, g.id LIMIT $3";

/// Whether a person is the attendee.
const OWN: &str =
    "SELECT coalesce(a.profile_id = $2, false) FROM convene.attendees a WHERE a.id = $1";

fn meetings(
    (attendee_id, event_id): (Option<pgrx::Uuid>, Option<pgrx::Uuid>),
    from: Option<TimestampWithTimeZone>,
    limit: Option<i32>,
    after: Option<pgrx::Uuid>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<Row>> {
    let attendee = match event_id {
        Some(event) => auth::attendee_of(attendee_id, Some(event))?,
        None => auth::attendee(attendee_id)?,
    };
    let limit = within(limit, 1, MOST, "p_limit")?;
    let now = required(now, "p_now")?;
    let caller = auth::caller()?;
    with_owner(|| {
        let own = db::read_one(OWN, &[attendee.id.into(), caller.person().into()], |r| r.want(1))?;
        let own: bool = own.unwrap_or(false) || attendee.by_service;
        db::read(
            MEETINGS,
            &[
                attendee.id.into(),
                from.into(),
                (limit as i32).into(),
                after.into(),
                attendee.by_service.into(),
                own.into(),
            ],
            |row| listed(row, now),
        )
    })
}

fn listed(row: &db::Row<'_>, now: TimestampWithTimeZone) -> Outcome<Row> {
    let expires = row.get::<TimestampWithTimeZone>(16)?;
    let status = Status::of(&row.want::<String>(14)?, expires.map(micros), micros(now))?;
    let open = matches!(status, Status::Proposed | Status::Lapsed);
    let (start, end): (TimestampWithTimeZone, TimestampWithTimeZone) =
        (row.want(9)?, row.want(10)?);
    let status = status.seen((micros(start), micros(end)), micros(now));
    Ok((
        row.want(1)?,
        row.get(2)?,
        row.want(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.want(7)?,
        row.want(8)?,
        start,
        end,
        row.want(11)?,
        row.want(12)?,
        row.want(13)?,
        status.word().to_owned(),
        row.want(15)?,
        expires.filter(|_| open),
        row.get(17)?,
        row.get(18)?,
    ))
}
