//! Leads on their way into the CRM of their sponsor: what is queued, handed out, and reported.
//!
//! A queue row holds which fields are asked for and a digest of what was handed out; names and
//! addresses are read when a job is claimed, and only of leads that the sponsor may see then.

mod claim;
mod enqueue;
mod lead;
mod report;

use crate::db;
use crate::error::Outcome;

/// First key of the advisory locks of this queue; the second is of a sponsor's target or a lead's.
const LOCK_CLASS: i32 = 0x636e_7663;

/// The digest of a text.
macro_rules! digest_sql {
    ($text:literal) => {
        concat!(
            "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(",
            $text,
            ", 'UTF8')), 'hex')"
        )
    };
}

/// The idempotency key of a job: the same for every attempt with the same content, another one for
/// other content, and for the same content where the CRM has had something else since.
macro_rules! key_sql {
    ($crm:literal, $lead:literal, $job:literal, $digest:literal) => {
        concat!(
            "pg_catalog.concat_ws(':', ",
            $crm,
            ", ",
            $lead,
            ", pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(",
            $job,
            ", ",
            $digest,
            "), 'UTF8')), 'hex'))"
        )
    };
}

use {digest_sql, key_sql};

/// What leads say of their way into the CRM: what the last row of each target says, cancelled ones
/// left out. A failure in one CRM is not hidden by a success in another.
const FOLLOW: &str = "
    UPDATE convene.lead_scoring l SET crm_sync_status = s.status
      FROM (SELECT t.lead_id,
                   CASE WHEN pg_catalog.bool_or(t.status = 'failed') THEN 'failed'
                        WHEN pg_catalog.bool_or(t.status IN ('pending', 'leased')) THEN 'pending'
                        ELSE 'synced' END AS status
              FROM (SELECT DISTINCT ON (q.lead_id, q.crm_type) q.lead_id, q.status
                      FROM convene.crm_sync_queue q
                     WHERE q.lead_id = ANY ($1) AND q.status <> 'cancelled'
                     ORDER BY q.lead_id, q.crm_type, q.queued_at DESC, q.id DESC) t
             GROUP BY t.lead_id) s
     WHERE l.id = s.lead_id AND l.crm_sync_status <> s.status";

/// Brings `lead_scoring.crm_sync_status` after the queue.
fn follow(leads: Vec<pgrx::Uuid>) -> Outcome<()> {
    if !leads.is_empty() {
        db::execute(FOLLOW, &[leads.into()])?;
    }
    Ok(())
}
