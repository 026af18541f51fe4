//! Moments: as arguments, and as the engine counts them.

use pgrx::prelude::*;

use crate::error::{Outcome, invalid, required};
use crate::owner::with_settings;

/// A day, in microseconds.
pub const DAY: i64 = 86_400_000_000;

/// When this transaction began: what `now()` says.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::transaction_timestamp()
}

/// The years 1 to 9999, in microseconds since 2000: hours and days can be added to what is in them, and
/// every clock of the world shows it.
pub const COUNTABLE: std::ops::Range<i64> = -63_082_281_600_000_000..252_455_616_000_000_000;

/// A moment in the engine's microseconds; the zero point does not matter to it.
pub fn micros(at: TimestampWithTimeZone) -> i64 {
    at.into_inner()
}

/// The moment behind the engine's microseconds.
pub fn moment(micros: i64) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(micros)
        .unwrap_or_else(|_| TimestampWithTimeZone::positive_infinity())
}

/// A moment that is neither null nor infinite, of a year from 1 to 9999.
pub fn finite(
    at: Option<TimestampWithTimeZone>,
    parameter: &str,
) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, parameter)?;
    if at.is_infinity() || at.is_neg_infinity() {
        return invalid(format!("{parameter} is infinite"), "", "Pass a moment.");
    }
    if COUNTABLE.contains(&micros(at)) {
        return Ok(at);
    }
    let far = if micros(at) < 0 { "long ago" } else { "far ahead" };
    invalid(
        format!("{parameter} {} is too {far}", at.to_iso_string()),
        "Calendars have the years 1 to 9999.",
        "Pass a moment near the event.",
    )
}

/// Runs `work` where moments that the server writes out are read again as the same: bounds of partitions are text, and
/// by a session's own style a zone has letters that mean another one elsewhere.
pub fn in_utc<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    with_settings(&[(c"TimeZone", c"UTC"), (c"DateStyle", c"ISO")], work)
}
