//! Work that may fail without the rest.
//!
//! `unsafe` is needed because subtransactions are only reachable through C.
#![allow(unsafe_code)]

use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use crate::error::Outcome;

/// Runs `work` in a subtransaction: the value, or the words of the error that undid it. A cancel is
/// not among these; it ends the whole call.
pub fn attempt<T>(work: impl FnOnce() -> Outcome<T>) -> Result<T, String> {
    // SAFETY: what is current before is current again after, on either way out, as PL/pgSQL has it.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: in a transaction, on the main thread.
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
    }
    let result =
        PgTryBuilder::new(AssertUnwindSafe(|| work().map_err(|failure| failure.0.to_string())))
            .catch_others(|caught| match caught {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                    if report.sql_error_code() != PgSqlErrorCode::ERRCODE_QUERY_CANCELED =>
                {
                    Err(report.message().to_owned())
                }
                other => other.rethrow(),
            })
            .execute();
    // SAFETY: ends the subtransaction that began above.
    unsafe {
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result
}
