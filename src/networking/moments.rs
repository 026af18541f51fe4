//! Moments as arguments.

use convene_engine::Error;
use pgrx::PgTryBuilder;
use pgrx::prelude::*;

use crate::error::{Failure, Outcome, invalid, required};

/// A day, in microseconds.
pub const DAY: i64 = 86_400_000_000;

/// When this transaction began: what `now()` says.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::transaction_timestamp()
}

/// A moment that is neither null nor infinite.
pub fn finite(
    at: Option<TimestampWithTimeZone>,
    parameter: &str,
) -> Outcome<TimestampWithTimeZone> {
    let at = required(at, parameter)?;
    if at.is_infinity() || at.is_neg_infinity() {
        return invalid(format!("{parameter} is infinite"), "", "Pass a moment.");
    }
    Ok(at)
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
