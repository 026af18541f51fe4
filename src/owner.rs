//! Who owns the data, and how a function that has authorised its caller works as that owner.
//!
//! `unsafe` is needed because the server's security context is only reachable through C.
#![allow(unsafe_code)]

use std::ffi::CStr;

use convene_engine::Error;
use pgrx::pg_sys;

use crate::error::{Failure, Outcome};

/// The table whose existence says 'installed' and whose owner owns the data.
const LEDGER: &CStr = c"schema_version";

/// Relation and owner of the version ledger, or the error that says how to make them.
fn ledger() -> Outcome<(pg_sys::Oid, pg_sys::Oid)> {
    ledger_if_installed().ok_or_else(not_installed)
}

/// The refusal of everything that needs the tables before there are any.
pub fn not_installed() -> Failure {
    Failure(Error::WrongState {
        message: "convene is not installed in this database".into(),
        detail: String::new(),
        hint: "Run SELECT convene.install();".into(),
    })
}

/// Relation and owner of the version ledger where it exists.
pub fn ledger_if_installed() -> Option<(pg_sys::Oid, pg_sys::Oid)> {
    // SAFETY: catalogue look-ups with constant names; the tuple is released before returning.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"convene".as_ptr(), true);
        let relation = pg_sys::get_relname_relid(LEDGER.as_ptr(), schema);
        if relation == pg_sys::InvalidOid {
            return None;
        }
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            pg_sys::Datum::from(relation),
        );
        if tuple.is_null() {
            return None;
        }
        #[allow(clippy::cast_ptr_alignment)] // The server aligns what a tuple starts with.
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>();
        let owner = (*form).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some((relation, owner))
    }
}

/// Whether row security is switched off for the caller: the owner of the data, a superuser, or a
/// role with BYPASSRLS. Asked before any switch of user; a ledger without row security counts as
/// nobody's, so that switching it off by hand makes no one a service.
pub fn caller_is_service() -> Outcome<bool> {
    let (relation, _) = ledger()?;
    // SAFETY: plain catalogue check on an existing relation, as the current user.
    let state = unsafe { pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true) };
    Ok(state == pg_sys::CheckEnableRlsResult::RLS_NONE_ENV as i32)
}

/// Whether the caller has the rights of the owner of the data.
pub fn caller_is_owner() -> Outcome<bool> {
    let (_, owner) = ledger()?;
    // SAFETY: catalogue check of two role ids.
    Ok(unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), owner) })
}

/// Puts the caller's parameters and then their security context back, on every way out.
struct Switched {
    _parameters: Nest,
    _context: Context,
}

/// A security context, and a return to it.
struct Context {
    user: pg_sys::Oid,
    bounds: i32,
}

impl Context {
    fn current() -> Self {
        let mut context = Self { user: pg_sys::InvalidOid, bounds: 0 };
        // SAFETY: the two out-pointers live through the call.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut context.user, &raw mut context.bounds);
        }
        context
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: restores what `current` read.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.bounds) };
    }
}

/// Ends a level of parameters of the server, and with it what was set there.
struct Nest(i32);

impl Nest {
    fn open() -> Self {
        // SAFETY: the guard closes the level.
        Self(unsafe { pg_sys::NewGUCNestLevel() })
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        // While an error unwinds, the parameters are left to the (sub)transaction that aborts: it ends every nest
        // level above its own.
        if !std::thread::panicking() {
            // SAFETY: `open` began this level, and levels that began later have ended.
            unsafe { pg_sys::AtEOXact_GUC(false, self.0) };
        }
    }
}

/// Sets a parameter until the level ends that was opened last.
fn set_locally(name: &CStr, value: &CStr) {
    // SAFETY: two strings that live through the call, which copies them.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Nobody may change roles, make temporary tables or defer triggers.
const RESTRICTED: u32 =
    pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;

const PATH: &CStr = c"pg_catalog, pg_temp";

/// Pins the path, unless it is pinned, as it is inside every function that API roles call: setting it anew would cost
/// as much as looking a row up, since the server then looks all its schemas up again.
fn pin_path() {
    // SAFETY: the server's own copy of the value, read before anything can change it.
    let is_pinned = unsafe {
        let path = pg_sys::GetConfigOption(c"search_path".as_ptr(), true, false);
        !path.is_null() && CStr::from_ptr(path) == PATH
    };
    if !is_pinned {
        set_locally(c"search_path", PATH);
    }
}

fn enter(owner: pg_sys::Oid, bounds: u32) -> Switched {
    let context = Context::current();
    // Whatever of the owner's runs meanwhile leaves no parameter changed for the caller.
    let parameters = Nest::open();
    // SAFETY: the guard goes back to what was.
    unsafe { pg_sys::SetUserIdAndSecContext(owner, context.bounds | bounds as i32) };
    pin_path();
    Switched { _parameters: parameters, _context: context }
}

/// Runs `work` as the owner of the data, under a pinned `search_path`, unable to change roles.
///
/// Only for callers that have been authorised. Nothing of the owner's (a view in place of a table,
/// a trigger, an operator) can then act with more than the owner's own rights, whoever called.
pub fn with_owner<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let (_, owner) = ledger()?;
    let switched = enter(owner, RESTRICTED);
    let result = work();
    drop(switched);
    result
}

/// As [`with_owner`], for a statement that makes a temporary table: REFRESH MATERIALIZED VIEW
/// CONCURRENTLY does. It restricts by itself whatever is in the view; roles cannot be changed.
pub fn with_owner_refreshing<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let (_, owner) = ledger()?;
    let switched = enter(owner, pg_sys::SECURITY_LOCAL_USERID_CHANGE);
    let result = work();
    drop(switched);
    result
}

/// Runs `work` with parameters of the server set to these values.
pub fn with_settings<T>(
    settings: &[(&CStr, &CStr)],
    work: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    let _nest = Nest::open();
    for (name, value) in settings {
        set_locally(name, value);
    }
    work()
}

/// Refuses everyone who has not the rights of the data's owner.
pub fn require_owner(what: &str) -> Outcome<()> {
    if caller_is_owner()? {
        return Ok(());
    }
    Err(Failure(Error::NotAllowed {
        message: format!("only the owner of the data may {what}"),
        hint: "Connect as the role that ran SELECT convene.install(), or as a superuser.".into(),
    }))
}

/// Refuses everyone for whom row security is active.
pub fn require_service(what: &str) -> Outcome<()> {
    if caller_is_service()? {
        return Ok(());
    }
    Err(Failure(Error::NotAllowed {
        message: format!("only the service may {what}"),
        hint: "Call it as a role with BYPASSRLS (service_role) or as the owner of the data.".into(),
    }))
}
