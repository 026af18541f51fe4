//! From signals to what is known of an event's audience.

use pgrx::prelude::*;

use crate::db;
use crate::error::Outcome;

mod count;
mod figures;
mod fold;
mod partitions;
mod rebuild;
mod refresh;

pub use refresh::count_own_changes;

/// First keys of the advisory locks of those who count: the one that all of them take, and one for
/// each event.
const LOCK_ALL: i32 = 0x636e_7669;
const LOCK_EVENT: i32 = 0x636e_766a;
/// Events that are worked on at a time, which bounds the memory.
const CHUNK: usize = 1_000;

/// How a text sounds.
#[pg_extern(immutable, parallel_safe, strict)]
fn score_sentiment(p_text: &str) -> Option<f64> {
    convene_engine::insights::sentiment(p_text)
}

/// Nobody else counts anything until the transaction ends.
fn lock_all() -> Outcome<()> {
    const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, 0)";
    db::execute(LOCK, &[LOCK_ALL.into()])?;
    Ok(())
}

/// Nobody counts all events until the transaction ends.
pub fn share_lock() -> Outcome<()> {
    const SHARED: &str = "SELECT pg_catalog.pg_advisory_xact_lock_shared($1, 0)";
    db::execute(SHARED, &[LOCK_ALL.into()])?;
    Ok(())
}

/// Nobody else counts this event until the transaction ends.
fn lock_event(event: pgrx::Uuid) -> Outcome<()> {
    const OWN: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, pg_catalog.hashtext($2::text))";
    share_lock()?;
    db::execute(OWN, &[LOCK_EVENT.into(), event.into()])?;
    Ok(())
}
