//! What people did with what was recommended to them.

use pgrx::prelude::*;
use serde_json::json;

use super::interactions::{self, Interaction};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::with_owner;

/// The actions that can be reported.
const ACTIONS: [&str; 5] = ["clicked", "bookmarked", "attended", "dismissed", "rated"];

/// Notes what the person did with a recommendation; noting it twice changes nothing.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn submit_recommendation_feedback(
    p_recommendation_id: Option<pgrx::Uuid>,
    p_action: Option<&str>,
    p_rating: default!(Option<i32>, "NULL"),
) -> pgrx::JsonB {
    submit(p_recommendation_id, p_action, p_rating).or_raise()
}

struct Shown {
    attendee: auth::Attendee,
    item_type: String,
    item_id: pgrx::Uuid,
}

/// The recommendation, if it was shown to somebody that the caller may act for.
fn shown(id: Option<pgrx::Uuid>) -> Outcome<Shown> {
    const SHOWN: &str = "
        SELECT attendee_id, recommended_item_type, recommended_item_id
          FROM convene.recommendation_history WHERE id = $1";
    let caller = auth::caller()?;
    if caller == auth::Caller::Anonymous {
        return Err(not_allowed("recommendation"));
    }
    let id = required(id, "p_recommendation_id")?;
    let found = with_owner(|| {
        db::read_one(SHOWN, &[id.into()], |row| {
            Ok((row.want::<pgrx::Uuid>(1)?, row.want::<String>(2)?, row.want::<pgrx::Uuid>(3)?))
        })
    })?;
    match found {
        None if caller == auth::Caller::Service => Err(not_found("recommendation", id)),
        None => Err(not_allowed("recommendation")),
        Some((attendee_id, item_type, item_id)) => {
            let attendee =
                auth::attendee(Some(attendee_id)).map_err(|_| not_allowed("recommendation"))?;
            Ok(Shown { attendee, item_type, item_id })
        }
    }
}

const NOTE: &str = "
    UPDATE convene.recommendation_history h
       SET clicked = h.clicked OR $2 = 'clicked',
           clicked_at = CASE WHEN $2 = 'clicked' THEN coalesce(h.clicked_at, pg_catalog.now()) ELSE h.clicked_at END,
           bookmarked = h.bookmarked OR $2 = 'bookmarked',
           attended = h.attended OR $2 = 'attended',
           dismissed = h.dismissed OR $2 = 'dismissed',
           feedback_rating = coalesce($3, h.feedback_rating)
     WHERE h.id = $1
    RETURNING h.clicked, h.bookmarked, h.attended, h.dismissed, h.feedback_rating";

fn submit(
    id: Option<pgrx::Uuid>,
    action: Option<&str>,
    rating: Option<i32>,
) -> Outcome<pgrx::JsonB> {
    let shown = shown(id)?;
    let action = checked(action, rating)?;
    with_owner(|| {
        let state = db::write(NOTE, &[id.into(), action.into(), rating.into()], |row| {
            Ok(json!({
                "recommendation_id": id.map(|id| id.to_string()),
                "clicked": row.want::<bool>(1)?,
                "bookmarked": row.want::<bool>(2)?,
                "attended": row.want::<bool>(3)?,
                "dismissed": row.want::<bool>(4)?,
                "rating": row.get::<i32>(5)?,
            }))
        })?;
        if shown.item_type == "session" {
            remember(&shown, action, rating)?;
        }
        Ok(pgrx::JsonB(state.into_iter().next().unwrap_or_default()))
    })
}

fn checked(action: Option<&str>, rating: Option<i32>) -> Outcome<&str> {
    let action = required(action, "p_action")?;
    if !ACTIONS.contains(&action) {
        return invalid(
            format!("p_action {action:?} is not known"),
            "",
            format!("Pass one of {}.", ACTIONS.join(", ")),
        );
    }
    match (action, rating) {
        ("rated", Some(1..=5)) | ("clicked" | "bookmarked" | "attended" | "dismissed", None) => {
            Ok(action)
        }
        ("rated", None) => {
            invalid("p_action 'rated' needs p_rating", "", "Pass p_rating from 1 to 5.")
        }
        ("rated", Some(stars)) => {
            invalid(format!("p_rating must be from 1 to 5, not {stars}"), "", "Pass 1 to 5.")
        }
        (_, _) => invalid(
            format!("p_rating does not go with p_action {action:?}"),
            "",
            "Pass p_rating with 'rated' only.",
        ),
    }
}

/// What the person did is an interaction with the session as well, so that one call says both.
fn remember(shown: &Shown, action: &str, rating: Option<i32>) -> Outcome<()> {
    let kind = match action {
        "clicked" => "browsed",
        "bookmarked" | "attended" | "rated" => action,
        _ => return Ok(()),
    };
    interactions::store(&Interaction {
        attendee_id: shown.attendee.id,
        session_id: shown.item_id,
        kind,
        value: rating.map(f64::from),
        at: pgrx::datum::datetime_support::transaction_timestamp(),
    })?;
    Ok(())
}
