//! Entries of the queue of fits: taken for the length of a transaction, then done, or put back.

use std::collections::HashMap;

use crate::db;
use crate::error::Outcome;
use crate::queue;

/// What an entry is about: a sponsor and every event, an event and every sponsor, or a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The sponsor.
    pub sponsor: Option<pgrx::Uuid>,
    /// The event.
    pub event: Option<pgrx::Uuid>,
}

/// A target with all entries that were taken for it.
#[derive(Debug)]
pub struct Claimed {
    /// What is to be computed.
    pub target: Target,
    /// The entries.
    pub entries: Vec<pgrx::Uuid>,
    /// How often that was tried before.
    pub attempts: i32,
}

/// Turns entries for every event into entries for each; how many there were.
pub fn spread() -> Outcome<i64> {
    const SPREAD: &str = "SELECT convene_private.spread_fits()";
    Ok(db::write(SPREAD, &[], |row| row.want::<i64>(1))?.into_iter().sum())
}

/// Takes up to so many entries that are due, and every other one of their targets.
pub fn claim(batch: i32) -> Outcome<Vec<Claimed>> {
    const CLAIM: &str =
        "SELECT id, sponsor_id, event_id, attempts FROM convene_private.claim_fits($1)";
    let mut places: HashMap<Target, usize> = HashMap::new();
    let mut claimed: Vec<Claimed> = Vec::new();
    db::write(CLAIM, &[batch.into()], |row| {
        let target = Target { sponsor: row.get(2)?, event: row.get(3)? };
        let place = *places.entry(target).or_insert_with(|| {
            claimed.push(Claimed { target, entries: Vec::new(), attempts: 0 });
            claimed.len() - 1
        });
        claimed[place].entries.push(row.want(1)?);
        claimed[place].attempts = claimed[place].attempts.max(row.want(4)?);
        Ok(())
    })?;
    Ok(claimed)
}

/// Ends entries well.
pub fn finish(done: &[&Claimed]) -> Outcome<()> {
    const FINISH: &str = "
        UPDATE convene.fit_recalc_queue
           SET status = 'done', processed_at = pg_catalog.clock_timestamp(), claimed_at = pg_catalog.now(),
               claimed_by = session_user, attempts = attempts + 1, last_error = NULL
         WHERE id = ANY ($1)";
    let entries: Vec<pgrx::Uuid> =
        done.iter().flat_map(|one| one.entries.iter().copied()).collect();
    if entries.is_empty() {
        return Ok(());
    }
    db::execute(FINISH, &[entries.into()]).map(drop)
}

const FAIL: &str = queue::fail_sql!("convene.fit_recalc_queue");

/// Puts a target back, to be tried later, or parks it where it was the last try. One entry goes on
/// for all of them.
pub fn fail(one: &Claimed, error: &str) -> Outcome<()> {
    const NOTE: &str = "
        UPDATE convene.fit_recalc_queue
           SET attempts = $2, claimed_at = pg_catalog.now(), claimed_by = session_user
         WHERE id = $1";
    const MERGE: &str = "
        UPDATE convene.fit_recalc_queue
           SET status = 'done', processed_at = pg_catalog.clock_timestamp()
         WHERE id = ANY ($1)";
    let Some((first, further)) = one.entries.split_first() else { return Ok(()) };
    let attempts = one.attempts + 1;
    let retry = queue::retry(attempts)?;
    let error = queue::shortened(error);
    db::execute(NOTE, &[(*first).into(), attempts.into()])?;
    db::write(
        FAIL,
        &[(*first).into(), retry.seconds.into(), error.as_str().into(), retry.last.into()],
        |_| Ok(()),
    )?;
    if !further.is_empty() {
        db::execute(MERGE, &[further.to_vec().into()])?;
    }
    Ok(())
}
