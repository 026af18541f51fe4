//! Leads: attendees who met a sponsor, who of them to call first, and which sponsors will stay.

mod access;
mod analytics;
mod batch;
mod crm_sync;
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
use crate::moments::COUNTABLE;

/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// Days from one moment to another.
fn days_between(from: TimestampWithTimeZone, to: TimestampWithTimeZone) -> f64 {
    (to.into_inner() as f64 - from.into_inner() as f64) / DAY
}

/// A moment that an answer is for, of the years in which one can count days back and forth.
fn finite(at: Option<TimestampWithTimeZone>) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, "p_now")?;
    if COUNTABLE.contains(&at.into_inner()) {
        return Ok(at);
    }
    invalid("p_now must be a moment of the years 1 to 9999", "", "Leave p_now out for now.")
}
