//! What counting anew and counting what came in have in common.

use serde_json::json;

use crate::db;
use crate::error::Outcome;

/// What was counted.
pub struct Done {
    /// Events whose figures were computed.
    pub events: usize,
    /// Notes that were taken.
    pub deltas: i64,
    /// Whether everything was counted anew.
    pub rebuilt: bool,
}

impl Done {
    /// As it is told.
    pub fn report(self) -> pgrx::JsonB {
        let Self { events, deltas, rebuilt } = self;
        pgrx::JsonB(json!({ "events": events, "deltas": deltas, "rebuilt": rebuilt }))
    }
}

/// Of these events, or of all, those that have figures and are not about to go.
pub fn hold_known(events: Option<&[pgrx::Uuid]>) -> Outcome<Vec<pgrx::Uuid>> {
    const KNOWN: &str = "
        SELECT t.event_id FROM convene.event_signal_totals t
          JOIN convene.event_audience_insights i ON i.event_id = t.event_id
         WHERE $1::uuid[] IS NULL OR t.event_id = ANY ($1)
         ORDER BY t.event_id FOR NO KEY UPDATE OF t, i SKIP LOCKED";
    db::write(KNOWN, &[events.map(<[pgrx::Uuid]>::to_vec).into()], |row| row.want(1))
}

/// Tells how many events are done, once a second at most.
pub fn progress(done: usize, total: usize) -> Outcome<()> {
    const TELL: &str = "SELECT convene_private.tell_progress('audience insights', $1, $2)";
    pgrx::check_for_interrupts!();
    if done < total {
        db::execute(TELL, &[(done as i64).into(), (total as i64).into()])?;
    }
    Ok(())
}
