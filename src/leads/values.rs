//! The score of plain numbers, for people's own tables and for the statements of this domain. They
//! look nothing up, so they need no path of their own, which would cost more than they do.

use convene_engine::leads::{self, Counters};
use pgrx::prelude::*;

use crate::error::{OrRaise, Outcome};

fn count(value: Option<i32>) -> i64 {
    i64::from(value.unwrap_or(0))
}

fn checked(counters: Counters) -> Outcome<Counters> {
    counters.check()?;
    Ok(counters)
}

/// The score of a lead, 0 to 100.
#[pg_extern(immutable, parallel_safe)]
fn lead_score(
    p_booth_visits: Option<i32>,
    p_content_downloads: Option<i32>,
    p_session_attendance: Option<i32>,
    p_messages_exchanged: Option<i32>,
    p_meeting_requested: Option<bool>,
    p_interaction_count: Option<i32>,
    p_fit_score: default!(Option<i32>, "30"),
) -> i32 {
    let counters = checked(Counters {
        booth_visits: count(p_booth_visits),
        content_downloads: count(p_content_downloads),
        session_attendance: count(p_session_attendance),
        messages_exchanged: count(p_messages_exchanged),
        meeting_requested: p_meeting_requested.unwrap_or(false),
        interaction_count: count(p_interaction_count),
    })
    .or_raise();
    let fit = fit(p_fit_score).or_raise();
    leads::scores(&counters, fit).total() as i32
}

fn fit(value: Option<i32>) -> Outcome<i64> {
    let most = leads::MOST_FIT as i32;
    crate::error::within(value, 0, most, "p_fit_score").map(|fit| fit as i64)
}

/// The points for engagement, 0 to 40.
#[pg_extern(immutable, parallel_safe)]
fn lead_engagement_score(
    p_booth_visits: Option<i32>,
    p_content_downloads: Option<i32>,
    p_session_attendance: Option<i32>,
    p_messages_exchanged: Option<i32>,
    p_meeting_requested: Option<bool>,
) -> i32 {
    let counters = checked(Counters {
        booth_visits: count(p_booth_visits),
        content_downloads: count(p_content_downloads),
        session_attendance: count(p_session_attendance),
        messages_exchanged: count(p_messages_exchanged),
        meeting_requested: p_meeting_requested.unwrap_or(false),
        interaction_count: 0,
    })
    .or_raise();
    leads::engagement(&counters) as i32
}

/// The points for intent, 0 to 30.
#[pg_extern(immutable, parallel_safe)]
fn lead_intent_score(p_interaction_count: Option<i32>) -> i32 {
    let interaction_count = count(p_interaction_count);
    checked(Counters { interaction_count, ..Counters::default() }).or_raise();
    leads::intent(interaction_count) as i32
}
