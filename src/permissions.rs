//! What the role of a member of staff permits, the way the policies of the CRM read it.

use pgrx::prelude::*;

use crate::auth::{Caller, caller};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::owner::with_owner;

/// What can be done with a record.
const ACTIONS: [&str; 3] = ["read", "write", "delete"];

/// Asked as the owner of the data: nobody else may name what is in the private schema. A team has who is a user of the
/// organization, and records that somebody looks after are not in every area.
const PERMITTED: &str = "
    SELECT EXISTS (SELECT FROM convene_private.my_permitted_organization_ids($1, $2))
        OR ($1 <> ALL ('{analytics,payouts,events}'::text[])
            AND EXISTS (SELECT FROM convene_private.my_own_records_organization_ids($1, $2) o (id)
                          JOIN convene.users u ON u.organization_id = o.id
                         WHERE u.id = ANY (ARRAY(SELECT convene_private.my_user_ids()))))";

/// Whether the caller may do this with records of an area, in one of their organizations: with all
/// of them, or with those of their team.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn has_permission(p_area: Option<String>, p_action: Option<String>) -> bool {
    run_has_permission(p_area, p_action).or_raise()
}

fn run_has_permission(area: Option<String>, action: Option<String>) -> Outcome<bool> {
    let caller = caller()?;
    let area = required(area, "p_area")?;
    let action = required(action, "p_action")?;
    if !ACTIONS.contains(&action.as_str()) {
        return invalid(
            format!("p_action {action:?} is not known"),
            "What can be done with a record is read, write and delete.",
            "Pass 'read', 'write' or 'delete'.",
        );
    }
    match caller {
        Caller::Service => Ok(true),
        Caller::Anonymous => Ok(false),
        Caller::Person(_) => with_owner(|| {
            let args = [area.into(), action.into()];
            Ok(db::read_one(PERMITTED, &args, |row| row.want(1))? == Some(true))
        }),
    }
}
