//! A deadlock of a caller's own making, told as what it is.

use convene_engine::Error;
use pgrx::PgTryBuilder;
use pgrx::prelude::*;

use crate::error::{Failure, Outcome};

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
