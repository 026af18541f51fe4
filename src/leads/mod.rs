//! Leads: attendees who met a sponsor, who of them to call first, and which sponsors will stay.

mod access;
mod analytics;
mod batch;
mod customer;
mod lead;
mod list;
mod matching;
mod record;
mod recount;
mod renewal;
mod sponsors;
mod values;

use pgrx::prelude::*;

use crate::error::{Outcome, invalid, required};

/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// What happened cannot have happened later than now.
fn past(at: Option<TimestampWithTimeZone>) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, "p_at")?;
    let now = pgrx::datum::datetime_support::clock_timestamp();
    if at > now || at.is_infinity() || at.is_neg_infinity() {
        return invalid(
            format!("p_at {} is not in the past", at.to_iso_string()),
            "A contact is reported when it has happened.",
            "Leave p_at out for now.",
        );
    }
    Ok(at)
}

/// Days from one moment to another.
fn days_between(from: TimestampWithTimeZone, to: TimestampWithTimeZone) -> f64 {
    (to.into_inner() as f64 - from.into_inner() as f64) / DAY
}

/// A moment that an answer is for: any finite one.
fn finite(at: Option<TimestampWithTimeZone>) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, "p_now")?;
    if at.is_infinity() || at.is_neg_infinity() {
        return invalid("p_now must be a moment, not infinity", "", "Leave p_now out for now.");
    }
    Ok(at)
}
