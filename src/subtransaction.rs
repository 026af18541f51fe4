//! Work that may fail without taking the rest of the transaction with it.
//!
//! `unsafe` is needed because subtransactions are only reachable through C.
#![allow(unsafe_code)]

use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use convene_engine::Error;

use crate::error::{Failure, Outcome};

/// Runs `work` in a subtransaction. What it fails with is undone and given back as a text; a cancel,
/// a time-out and the end of the server end the caller, too.
pub fn attempt<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<Result<T, String>> {
    // SAFETY: as the server's own languages do it: memory context and resource owner are put back on
    // both ways out, and the subtransaction that is begun here is ended here.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let work = AssertUnwindSafe(work);
        let result = PgTryBuilder::new(AssertUnwindSafe(move || match { work }.0() {
            Ok(value) => Ended::Done(value),
            Err(failure) => Ended::Refused(failure),
        }))
        .catch_others(Ended::Raised)
        .execute();
        match result {
            Ended::Done(value) => {
                pg_sys::ReleaseCurrentSubTransaction();
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::CurrentResourceOwner = owner;
                Ok(Ok(value))
            }
            failed => {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::CurrentResourceOwner = owner;
                failed.told()
            }
        }
    }
}

/// How a piece of work ended.
enum Ended<T> {
    Done(T),
    Refused(Failure),
    Raised(CaughtError),
}

impl<T> Ended<T> {
    fn told(self) -> Outcome<Result<T, String>> {
        match self {
            Self::Done(value) => Ok(Ok(value)),
            Self::Refused(Failure(Error::Cancelled)) => Err(Failure(Error::Cancelled)),
            Self::Refused(Failure(error)) => Ok(Err(error.to_string())),
            Self::Raised(error) => {
                let (CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic { ereport: report, .. }) = &error;
                if ends_the_caller(report.sql_error_code()) {
                    error.rethrow()
                }
                Ok(Err(report.message().to_owned()))
            }
        }
    }
}

fn ends_the_caller(code: PgSqlErrorCode) -> bool {
    matches!(
        code,
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CANNOT_CONNECT_NOW
    )
}
