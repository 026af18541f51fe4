//! What is known of a person: one document of it, and its erasure, across all domains.
//!
//! Both go by two lists of the schema (`convene_private.personal_links()`, `personal_columns()`)
//! and by the catalogue's foreign keys; a new table is a line there and no code here.

use pgrx::prelude::*;

use crate::auth::{Caller, caller};
use crate::db;
use crate::error::{OrRaise, Outcome, not_allowed, not_found, required};
use crate::owner::with_owner;

mod erase;
mod export;
mod map;
mod walk;

/// Everything about a person, table by table.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn export_person(p_profile_id: Option<pgrx::Uuid>) -> pgrx::JsonB {
    run_export(p_profile_id).or_raise()
}

/// Removes a person, or what tells who they were, everywhere, and reports what became of it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn erase_person(p_profile_id: Option<pgrx::Uuid>) -> pgrx::JsonB {
    run_erase(p_profile_id).or_raise()
}

fn run_export(profile: Option<pgrx::Uuid>) -> Outcome<pgrx::JsonB> {
    let (profile, _) = authorised(profile)?;
    with_owner(|| {
        const THERE: &str = "SELECT id FROM convene.profiles WHERE id = $1";
        db::read_one(THERE, &[profile.into()], |row| row.want::<pgrx::Uuid>(1))?
            .ok_or_else(|| not_found("profile", profile))?;
        export::document(profile)
    })
}

fn run_erase(profile: Option<pgrx::Uuid>) -> Outcome<pgrx::JsonB> {
    let (profile, by_service) = authorised(profile)?;
    with_owner(|| erase::person(profile, by_service))
}

/// The person that the caller may ask about: themselves, and for the service anybody. Everybody
/// else gets one answer, whether the person exists or not.
fn authorised(profile: Option<pgrx::Uuid>) -> Outcome<(pgrx::Uuid, bool)> {
    let caller = caller()?;
    if caller == Caller::Anonymous {
        return Err(not_allowed("profile"));
    }
    let profile = required(profile, "p_profile_id")?;
    match caller {
        Caller::Service => Ok((profile, true)),
        Caller::Person(id) if id == profile => Ok((profile, false)),
        Caller::Person(_) | Caller::Anonymous => Err(not_allowed("profile")),
    }
}
