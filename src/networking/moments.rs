//! Moments as arguments.

use convene_engine::Error;
use pgrx::PgTryBuilder;
use pgrx::prelude::*;

use crate::error::{Failure, Outcome, invalid, required};
use crate::programme::micros;

/// A day, in microseconds.
pub const DAY: i64 = 86_400_000_000;

/// When this transaction began: what `now()` says.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::transaction_timestamp()
}

/// The first moment of the year 1 and of the year 10,000: a calendar file has four digits for a year, and beyond these
/// no time zone leads out of what the server can tell.
const CALENDAR: (i64, i64) = (-63_082_281_600_000_000, 252_455_616_000_000_000);

/// A moment that is neither null nor infinite, of a year from 1 to 9999.
pub fn finite(
    at: Option<TimestampWithTimeZone>,
    parameter: &str,
) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, parameter)?;
    if at.is_infinity() || at.is_neg_infinity() {
        return invalid(format!("{parameter} is infinite"), "", "Pass a moment.");
    }
    if (CALENDAR.0..CALENDAR.1).contains(&micros(at)) {
        return Ok(at);
    }
    let far = if micros(at) < 0 { "long ago" } else { "far ahead" };
    invalid(
        format!("{parameter} {} is too {far}", at.to_iso_string()),
        "Calendars have the years 1 to 9999.",
        "Pass a moment near the event.",
    )
}

/// Runs `work`; that it met a deadlock, which only a caller who books several meetings in one transaction can, is said
/// as what it is to them: a reason to try again.
pub fn retryable<T>(
    work: impl FnOnce() -> Outcome<T> + std::panic::UnwindSafe + std::panic::RefUnwindSafe,
) -> Outcome<T> {
    let again = |_| {
        Err(Failure(Error::Retry {
            message: "somebody else booked one of the two at the same moment".into(),
            hint: "Try again: nothing was changed.".into(),
        }))
    };
    PgTryBuilder::new(work)
        .catch_when(PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, again)
        .catch_when(PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE, again)
        .execute()
}
