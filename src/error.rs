//! The one place where an error of the engine becomes an error of the server.
//!
//! `unsafe` is needed for the log hook: it is the server's C interface, and the only way to hand a
//! SQLSTATE of class `PT` to the client while code inside the database still sees the plain one.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::sync::OnceLock;

use convene_engine::Error;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiError;

/// Marks the errors that this library raised itself.
const DOMAIN: &CStr = c"convene";

/// An error on its way to the caller.
#[derive(Debug)]
pub struct Failure(pub Error);

/// What every function of the glue returns.
pub type Outcome<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<SpiError> for Failure {
    /// A server error inside a query unwinds as itself and never comes here; what does come here is
    /// a result of another shape than the query promises, which means a table was changed.
    fn from(error: SpiError) -> Self {
        Self(Error::WrongState {
            message: "the data schema is not as this library made it".into(),
            detail: error.to_string(),
            hint: "Compare the tables of schema convene with a fresh SELECT convene.install() in an empty database.".into(),
        })
    }
}

/// Ends a function: the value, or the error raised in the server.
pub trait OrRaise<T> {
    /// Unwraps the value or raises the error; never returns in the second case.
    fn or_raise(self) -> T;
}

impl<T> OrRaise<T> for Outcome<T> {
    fn or_raise(self) -> T {
        match self {
            Ok(value) => value,
            Err(Failure(Error::Cancelled)) => {
                // The server's own answer to a cancel says why; ours is for the odd case of none.
                pgrx::check_for_interrupts!();
                raise(&Error::Cancelled)
            }
            Err(Failure(error)) => raise(&error),
        }
    }
}

/// Characters of a text that is sent to a client: it names values, and a value may be a book.
const MOST_CHARS: usize = 600;

fn shortened(text: String) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn raise(error: &Error) -> ! {
    let mut report = ErrorReport::new(code(error), shortened(error.to_string()), "convene")
        .set_domain(DOMAIN.to_string_lossy());
    let detail = match (behind_postgrest(), error.detail()) {
        (true, Some(detail)) => Some(format!("SQLSTATE {}. {detail}", error.sqlstate())),
        (true, None) => Some(format!("SQLSTATE {}", error.sqlstate())),
        (false, detail) => detail.map(ToOwned::to_owned),
    };
    if let Some(detail) = detail {
        report = report.set_detail(shortened(detail));
    }
    if let Some(hint) = error.hint() {
        report = report.set_hint(shortened(hint.to_owned()));
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

fn code(error: &Error) -> PgSqlErrorCode {
    match error {
        Error::Invalid { .. } => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        Error::Null { .. } => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        Error::NotFound { .. } => PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
        Error::NotAllowed { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        Error::AlreadyThere { .. } => PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION,
        Error::Clash { .. } => PgSqlErrorCode::ERRCODE_EXCLUSION_VIOLATION,
        Error::WrongState { .. } => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Error::Locked { .. } => PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        Error::Retry { .. } => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        Error::Unsupported { .. } => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        Error::TooLarge { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Error::Cancelled => PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        Error::Worker(_) => PgSqlErrorCode::ERRCODE_SYSTEM_ERROR,
    }
}

/// PostgREST sets `request.method` in every transaction; nothing else does.
fn behind_postgrest() -> bool {
    crate::settings::config(c"request.method").is_some_and(|method| !method.is_empty())
}

/// The status that PostgREST reads out of a SQLSTATE of class PT, for the codes that it would
/// otherwise answer with a status that misleads a client.
fn http_code(sqlstate: i32) -> Option<[u8; 5]> {
    let is = |code: PgSqlErrorCode| sqlstate == code as i32;
    if is(PgSqlErrorCode::ERRCODE_NO_DATA_FOUND) {
        Some(*b"PT404")
    } else if is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION)
        || is(PgSqlErrorCode::ERRCODE_EXCLUSION_VIOLATION)
        || is(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
        || is(PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE)
    {
        Some(*b"PT409")
    } else if is(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED) {
        Some(*b"PT413")
    } else if is(PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE) {
        Some(*b"PT503")
    } else {
        None
    }
}

/// The server's packing of a SQLSTATE: five characters of six bits.
fn pack(code: [u8; 5]) -> i32 {
    code.iter().rev().fold(0, |packed, c| (packed << 6) | ((i32::from(*c) - 0x30) & 0x3f))
}

static PREVIOUS_HOOK: OnceLock<pg_sys::emit_log_hook_type> = OnceLock::new();

/// Installs the hook that swaps the code just before an error of ours leaves for the client. Code
/// that catches the error inside the database has then already seen the plain SQLSTATE.
pub fn install_hook() {
    // SAFETY: _PG_init runs once, on the main thread, before any statement of this session that
    // could raise one of our errors.
    unsafe {
        if PREVIOUS_HOOK.set(pg_sys::emit_log_hook).is_ok() {
            pg_sys::emit_log_hook = Some(swap_code);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn swap_code(error: *mut pg_sys::ErrorData) {
    // SAFETY: the server calls the hook with the error that it is about to send, and only reads it
    // again after we return. `domain` is null or a C string that outlives the error.
    unsafe {
        if let Some(data) = error.as_mut()
            && data.elevel >= pg_sys::elog::PgLogLevel::ERROR as i32
            && !data.domain.is_null()
            && CStr::from_ptr(data.domain) == DOMAIN
            && let Some(code) = http_code(data.sqlerrcode)
            && behind_postgrest()
        {
            data.sqlerrcode = pack(code);
        }
        if let Some(Some(previous)) = PREVIOUS_HOOK.get() {
            previous(error);
        }
    }
}

/// Keeps backtraces out of what clients see, whatever `RUST_BACKTRACE` the server was started
/// with: the standard library decides once, at its first capture, so it captures here, switched off.
pub fn silence_backtraces() {
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(VARIABLE);
    // SAFETY: _PG_init runs on the only thread of the process.
    unsafe {
        std::env::set_var(VARIABLE, "0");
        let _ = std::backtrace::Backtrace::capture();
        match before {
            Some(value) => std::env::set_var(VARIABLE, value),
            None => std::env::remove_var(VARIABLE),
        }
    }
}

/// The value of an argument that must not be null.
pub fn required<T>(value: Option<T>, parameter: &str) -> Outcome<T> {
    value.ok_or_else(|| Failure(Error::null(parameter)))
}

/// A count that must lie between `least` and `most`.
pub fn within(value: Option<i32>, least: i32, most: i32, parameter: &str) -> Outcome<usize> {
    let value = required(value, parameter)?;
    if (least..=most).contains(&value) {
        return Ok(value as usize);
    }
    Err(Failure(Error::invalid(
        format!("{parameter} must be between {least} and {most}, not {value}"),
        "",
        format!("Pass a whole number from {least} to {most}."),
    )))
}

/// A share that must lie between `least` and 1.
pub fn share(value: Option<f64>, least: f64, parameter: &str) -> Outcome<f64> {
    let value = required(value, parameter)?;
    if (least..=1.0).contains(&value) {
        return Ok(value);
    }
    invalid(
        format!("{parameter} must be between {least} and 1, not {value}"),
        "",
        format!("Pass a number from {least} to 1."),
    )
}

/// The refusal that says the same for what exists and what does not, so that nothing is learned.
pub fn not_allowed(what: &str) -> Failure {
    Failure(Error::NotAllowed {
        message: format!("you may not use this {what}, or it does not exist"),
        hint: format!(
            "Pass the id of your own {what}, or sign in as somebody who may use this one."
        ),
    })
}

/// Something looked up by an id that nothing has.
pub fn not_found(what: &str, id: impl ToString) -> Failure {
    Failure(Error::NotFound { what: what.to_owned(), id: id.to_string() })
}

/// Shorthand for [`Error::invalid`] on the glue's side.
pub fn invalid<T>(
    message: impl Into<String>,
    detail: impl Into<String>,
    hint: impl Into<String>,
) -> Outcome<T> {
    Err(Failure(Error::invalid(message, detail, hint)))
}
