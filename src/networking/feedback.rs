//! How a meeting was, as each of the two sees it.

use convene_engine::scheduling::life::Act;
use pgrx::prelude::*;
use serde_json::json;

use super::party::{Side, party};
use super::retry::retryable;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, required, within};
use crate::owner::with_owner;

/// Characters of comments and of notes.
const TEXT_CHARS: usize = 5000;

/// Says how a meeting was.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn submit_meeting_feedback(
    p_meeting_id: Option<pgrx::Uuid>,
    p_rating: Option<i32>,
    p_comments: default!(Option<&str>, "NULL"),
    p_follow_up: default!(Option<bool>, "NULL"),
    p_notes: default!(Option<&str>, "NULL"),
    p_attendee_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let said =
        Said { rating: p_rating, comments: p_comments, follow_up: p_follow_up, notes: p_notes };
    submit(p_meeting_id, p_attendee_id, &said, p_now).or_raise()
}

struct Said<'a> {
    rating: Option<i32>,
    comments: Option<&'a str>,
    follow_up: Option<bool>,
    notes: Option<&'a str>,
}

/// What was left out stays as it was.
const SUBMIT: &str = "
    UPDATE convene.meetings SET
           feedback_1 = CASE WHEN $2 = attendee_1_id THEN $3 ELSE feedback_1 END,
           feedback_2 = CASE WHEN $2 = attendee_2_id THEN $3 ELSE feedback_2 END,
           follow_up_requested_1 = CASE WHEN $2 = attendee_1_id THEN coalesce($4, follow_up_requested_1)
                                        ELSE follow_up_requested_1 END,
           follow_up_requested_2 = CASE WHEN $2 = attendee_2_id THEN coalesce($4, follow_up_requested_2)
                                        ELSE follow_up_requested_2 END,
           notes_1 = CASE WHEN $2 = attendee_1_id THEN coalesce($5, notes_1) ELSE notes_1 END,
           notes_2 = CASE WHEN $2 = attendee_2_id THEN coalesce($5, notes_2) ELSE notes_2 END
     WHERE id = $1
    RETURNING CASE WHEN $2 = attendee_1_id THEN follow_up_requested_1 ELSE follow_up_requested_2 END";

fn submit(
    id: Option<pgrx::Uuid>,
    attendee: Option<pgrx::Uuid>,
    said: &Said<'_>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let asked = party(id, now)?;
    // An organizer has no opinion of somebody else's meeting; the service passes on what one of the two said.
    let author = match asked.side {
        Side::Of(own) => attendee.unwrap_or(own),
        Side::Above if asked.by_service => required(attendee, "p_attendee_id")?,
        Side::Above => return Err(not_allowed("meeting")),
    };
    if (author != asked.attendees.0 && author != asked.attendees.1)
        || (!asked.by_service && Side::Of(author) != asked.side)
    {
        if asked.by_service {
            return invalid(
                format!("attendee {author} is not in meeting {}", asked.id),
                "",
                "Pass one of its two attendees.",
            );
        }
        return Err(not_allowed("attendee"));
    }
    let now = auth::moment(now, asked.by_service)?;
    let rating = within(said.rating, 1, 5, "p_rating")?;
    for (text, parameter) in [(said.comments, "p_comments"), (said.notes, "p_notes")] {
        short_enough(text, parameter)?;
    }
    let mut feedback = json!({ "rating": rating, "at": now.to_iso_string() });
    if let Some(comments) = said.comments {
        feedback["comments"] = json!(comments);
    }
    retryable(|| {
        with_owner(|| {
            let party = asked.locked(now)?;
            party.status.after(Act::Rate, party.begun(now))?;
            let follow_up = db::write(
                SUBMIT,
                &[
                    party.id.into(),
                    author.into(),
                    pgrx::JsonB(feedback.clone()).into(),
                    said.follow_up.into(),
                    said.notes.into(),
                ],
                |row| row.want::<bool>(1),
            )?;
            Ok(pgrx::JsonB(json!({
                "meeting_id": party.id.to_string(), "attendee_id": author.to_string(), "rating": rating,
                "follow_up_requested": follow_up.first(),
            })))
        })
    })
}

fn short_enough(text: Option<&str>, parameter: &str) -> Outcome<()> {
    let length = text.map_or(0, |text| text.chars().count());
    if length <= TEXT_CHARS {
        return Ok(());
    }
    Err(crate::error::Failure(convene_engine::Error::TooLarge {
        message: format!("{parameter} has {length} characters"),
        hint: format!("At most {TEXT_CHARS} are kept."),
    }))
}
